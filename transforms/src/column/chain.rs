use super::{ColumnTransform, FitColumn, FittedStep, Parts, Step};
use meg_core::{Column, ColumnSpec, Error, Result, Rng};
use serde::{Deserialize, Serialize};

/// Transforms of one column, one after another; each takes the main part of the one before.
///
/// Law: the composition of the laws of its steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    column: String,
    steps: Vec<FittedStep>,
}

impl Chain {
    /// Fits each step on what the steps before it make of the training cells. `target` holds the
    /// code of the target in each row, for binning that looks at it.
    ///
    /// # Errors
    /// A data error with the column's name when a step cannot take these cells.
    pub fn fit(
        steps: &[Step],
        spec: &ColumnSpec,
        cells: &Column,
        target: Option<&[u32]>,
        rng: &mut Rng,
    ) -> Result<Self> {
        let mut chain = Self { column: spec.name.clone(), steps: Vec::with_capacity(steps.len()) };
        let mut names = spec.levels();
        // No copy for the first step: it can only be read from.
        let mut current: Option<Column> = None;
        for (at, step) in steps.iter().enumerate() {
            let context = FitColumn { spec, names, target };
            let seen = current.as_ref().unwrap_or(cells);
            let fitted = step.fit(seen, &context, rng).map_err(|error| chain.named(error))?;
            if at + 1 < steps.len() {
                let seen = current.take().unwrap_or_else(|| cells.clone());
                let made = fitted.encode(seen, rng).map_err(|error| chain.named(error))?;
                current = Some(made.main);
            }
            names = &[];
            chain.steps.push(fitted);
        }
        Ok(chain)
    }

    /// The fitted steps, in order.
    pub fn steps(&self) -> &[FittedStep] {
        &self.steps
    }

    /// The main part, then the companions in the order of the steps that make them.
    ///
    /// # Errors
    /// A data error that names column, row and value when a cell cannot be encoded.
    pub fn encode(&self, cells: Column, rng: &mut Rng) -> Result<Vec<Column>> {
        let mut parts = vec![cells];
        for step in &self.steps {
            let main = std::mem::replace(&mut parts[0], Column::Numbers(Vec::new()));
            let made = step.encode(main, rng).map_err(|error| self.named(error))?;
            parts[0] = made.main;
            parts.extend(made.side);
        }
        Ok(parts)
    }

    /// The cells, from parts in the order of [`Chain::encode`].
    ///
    /// # Errors
    /// A data error that names the column when there are too few or too many parts, or cells that
    /// no encoding makes.
    pub fn decode(&self, mut parts: Vec<Column>, rng: &mut Rng) -> Result<Column> {
        let needed = 1 + self.steps.iter().filter(|step| step.has_side()).count();
        if parts.len() != needed {
            let problem = format!("{} parts where the chain makes {needed}", parts.len());
            return Err(self.named(Error::data(problem)));
        }
        let mut main = parts.remove(0);
        for step in self.steps.iter().rev() {
            let side = if step.has_side() { parts.pop() } else { None };
            main = step.decode(Parts { main, side }, rng).map_err(|error| self.named(error))?;
        }
        Ok(main)
    }

    /// Checks a chain that was read from a file.
    ///
    /// # Errors
    /// [`Error::Artifact`] that names the column and the step.
    pub fn check(&self) -> Result<()> {
        self.steps.iter().try_for_each(ColumnTransform::check).map_err(|error| self.named(error))
    }

    fn named(&self, error: Error) -> Error {
        match error {
            Error::Data(data) => (*data).column(&self.column).into(),
            Error::Artifact(problem) => {
                Error::Artifact(format!("column {:?}: {problem}", self.column))
            }
            other => other,
        }
    }
}
