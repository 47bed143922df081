use serde::{Deserialize, Serialize};

/// Who makes which column and what it sees: the masks of an ensemble of generators.
///
/// A mask is a list of the columns where it is 1, so that a thousand columns cost no million cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masks {
    /// Names of the columns that are made, in the order in which a row is made.
    pub columns: Vec<String>,
    /// One line for each piece of work of a generator.
    pub generators: Vec<GeneratorMask>,
}

/// The masks of one piece of work of a generator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorMask {
    /// Name of the generator.
    pub name: String,
    /// Places in [`Masks::columns`] where the output mask is 1.
    pub makes: Vec<usize>,
    /// Places where the context mask is 1.
    pub sees: Vec<usize>,
}

impl Masks {
    /// Whether every place is one of the columns.
    pub fn is_sound(&self) -> bool {
        let known = |&place: &usize| place < self.columns.len();
        self.generators.iter().all(|one| one.makes.iter().chain(&one.sees).all(known))
    }
}
