//! A whole table through chains of column transforms.

mod encoded_table;
mod presets;

pub use presets::TablePreset;

use crate::column::{Chain, Step, check_alike};
use meg_core::{
    Column, ColumnKind, ColumnSpec, DataError, Error, Result, Schema, Seed, Table, parallel,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which columns are kept, and which steps each goes through. What is left out of a plan is empty: by
/// default every column is kept as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TablePlan {
    /// Columns left out.
    pub drop: Vec<String>,
    /// Steps of a number column.
    pub numbers: Vec<Step>,
    /// Steps of a datetime column.
    pub dates: Vec<Step>,
    /// Steps of a category column.
    pub categories: Vec<Step>,
    /// Steps of single columns, in place of those of their kind.
    pub columns: BTreeMap<String, Vec<Step>>,
    /// Column whose classes binning may look at.
    pub target: Option<String>,
}

/// A plan fitted to a table.
///
/// Law: each kept column obeys the law of its chain; decoded numbers are rounded as their column
/// declares. Constraints between kept columns stay: a decoded table obeys them or is refused. Where
/// steps lose something (bins), rewrite the table first ([`crate::constraints`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableTransform {
    schema: Schema,
    chains: Vec<Chain>,
}

impl TablePlan {
    /// Fits every kept column, on up to `threads` threads; the result does not depend on them.
    ///
    /// # Errors
    /// A request error for a column that is not there or is dropped and has steps, a data error for an
    /// identifier or text that is not dropped and for cells that a step cannot take.
    pub fn fit(&self, table: &Table, seed: Seed, threads: usize) -> Result<TableTransform> {
        let kept = self.kept(table)?;
        let target = match &self.target {
            None => None,
            Some(name) => Some(target_codes(table, table.schema().find(name)?)?),
        };
        let chains = parallel::map(threads, kept.len(), |at| {
            let column = kept[at];
            let spec = &table.schema().columns[column];
            let mut rng = seed.stream(&format!("plan/{at}"));
            let steps = self.steps(spec)?;
            Chain::fit(steps, spec, &table.columns()[column], target.as_deref(), &mut rng)
        });
        let chains = chains.into_iter().collect::<Result<_>>()?;
        let schema = table.schema().select(|spec| !self.drop.contains(&spec.name))?;
        Ok(TableTransform { schema, chains })
    }

    fn kept(&self, table: &Table) -> Result<Vec<usize>> {
        for name in self.drop.iter().chain(self.columns.keys()) {
            table.schema().find(name)?;
        }
        if let Some(name) = self.columns.keys().find(|name| self.drop.contains(name)) {
            return Err(Error::Request(format!("the column {name:?} has steps, but is dropped")));
        }
        let names = table.schema().columns.iter().map(|spec| &spec.name);
        let kept = names.enumerate().filter(|(_, name)| !self.drop.contains(name));
        Ok(kept.map(|(at, _)| at).collect())
    }

    fn steps(&self, spec: &ColumnSpec) -> Result<&[Step]> {
        let own = self.columns.get(&spec.name);
        let steps = match &spec.kind {
            ColumnKind::Number { .. } => own.unwrap_or(&self.numbers),
            ColumnKind::Datetime { .. } => own.unwrap_or(&self.dates),
            ColumnKind::Category { .. } => own.unwrap_or(&self.categories),
            kind => {
                let problem = format!("a column of kind \"{}\" has no encoding", kind.name());
                return Err(DataError::new(problem)
                    .column(&spec.name)
                    .advice("drop the column")
                    .into());
            }
        };
        Ok(steps)
    }
}

fn target_codes(table: &Table, at: usize) -> Result<Vec<u32>> {
    match &table.columns()[at] {
        Column::Codes(codes) => Ok(codes.clone()),
        _ => {
            let name = &table.schema().columns[at].name;
            let error = DataError::new("binning looks at the classes of a category column");
            Err(error.column(name).into())
        }
    }
}

impl TableTransform {
    /// The kept columns as they decode.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The chain of each kept column.
    pub fn chains(&self) -> &[Chain] {
        &self.chains
    }

    /// The parts of each kept column (see [`Chain::encode`]).
    ///
    /// # Errors
    /// A request error for a column that is not there; a data error for a column of another kind or
    /// with other levels than in training, and one that names column, row and value for a cell that
    /// cannot be encoded.
    pub fn encode(&self, table: &Table, seed: Seed, threads: usize) -> Result<Vec<Vec<Column>>> {
        let found = self.schema.columns.iter().map(|spec| table.schema().find(&spec.name));
        let found = found.collect::<Result<Vec<usize>>>()?;
        for (trained, &at) in self.schema.columns.iter().zip(&found) {
            check_alike(trained, &table.schema().columns[at])?;
        }
        let parts = parallel::map(threads, found.len(), |at| {
            let mut rng = seed.stream(&format!("plan-encode/{at}"));
            self.chains[at].encode(table.columns()[found[at]].clone(), &mut rng)
        });
        parts.into_iter().collect()
    }

    /// A table of the kept columns, from parts in the order of [`TableTransform::encode`].
    ///
    /// # Errors
    /// A data error for parts that no encoding makes.
    pub fn decode(&self, parts: Vec<Vec<Column>>, seed: Seed, threads: usize) -> Result<Table> {
        if parts.len() != self.chains.len() {
            let problem = format!("{} columns where {} are kept", parts.len(), self.chains.len());
            return Err(DataError::new(problem).into());
        }
        // Parts are handed over one by one, so that encoded and decoded columns never all exist.
        let parts: Vec<_> =
            parts.into_iter().map(|part| std::sync::Mutex::new(Some(part))).collect();
        let columns = parallel::map(threads, parts.len(), |at| {
            let mut rng = seed.stream(&format!("plan-decode/{at}"));
            let part = parts[at].lock().expect("no thread panics with a part in hand").take();
            let part = part.expect("each part is decoded once");
            Ok(snapped(&self.schema.columns[at], self.chains[at].decode(part, &mut rng)?))
        });
        Table::new(self.schema.clone(), columns.into_iter().collect::<Result<_>>()?)
    }

    /// Checks a transform that was read from a file.
    ///
    /// # Errors
    /// [`Error::Artifact`] that names column and step.
    pub fn check(&self) -> Result<()> {
        self.schema.check()?;
        if self.chains.len() != self.schema.columns.len() {
            let problem = "the table's transform has another number of columns";
            return Err(Error::Artifact(problem.into()));
        }
        self.chains.iter().try_for_each(Chain::check)
    }
}

/// Numbers as their column can hold them.
fn snapped(spec: &ColumnSpec, mut cells: Column) -> Column {
    if let Column::Numbers(cells) = &mut cells {
        cells.iter_mut().for_each(|cell| *cell = spec.snap(*cell));
    }
    cells
}
