use meg_core::{Result, Table};
use std::fmt::Debug;

/// The law that real rows were drawn from, where it is known because they were simulated. This
/// crate asks; who knows the law answers.
pub trait Truth: Debug + Send + Sync {
    /// Name of the law, for messages.
    fn name(&self) -> &str;

    /// Natural logarithm of the density (of the probability, where all columns are categories) of
    /// each row; negative infinity where the row is impossible.
    ///
    /// # Errors
    /// When the table lacks a column of the law.
    fn log_density(&self, table: &Table) -> Result<Vec<f64>>;

    /// What kind of law it is, and what only that kind has.
    fn family(&self) -> Family<'_>;
}

/// The kinds of laws that the likelihood metrics know how to fit.
#[derive(Debug, Clone)]
pub enum Family<'a> {
    /// A normal mixture over number columns.
    Mixture(Modes),
    /// A Bayesian network over category columns.
    Network(&'a dyn Refit),
    /// Any other law: its density is known, and no protocol says what to fit to rows of it.
    Density,
}

/// The modes of a mixture: round, of one width, equally weighted.
#[derive(Debug, Clone, PartialEq)]
pub struct Modes {
    /// The number columns, by name, in the order of the coordinates.
    pub columns: Vec<String>,
    /// The centre of each mode.
    pub centres: Vec<Vec<f64>>,
    /// Standard deviation in each direction.
    pub deviation: f64,
    /// How many components are fitted to rows of it: more than there are modes.
    pub components: usize,
}

/// A law whose structure can be kept while its numbers are learned from rows.
pub trait Refit: Debug {
    /// The same structure with the numbers of maximum likelihood on these rows.
    ///
    /// # Errors
    /// When the table lacks a column of the law.
    fn refit(&self, rows: &Table) -> Result<Box<dyn Truth>>;
}
