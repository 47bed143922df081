//! The codes of rows that the codec was not fitted on.

use super::{Codes, ColumnCodec, TableCodec};
use meg_core::{DataError, Observer, Result, Table, parallel};

/// Share of a column's cells that may be taken for the nearest code. Beyond it the column has
/// changed so much that its codes no longer describe it.
const MOST_UNLIKE: f64 = 0.05;

/// A column's codes, and the rows whose number is none of them.
struct Encoded {
    codes: Vec<u16>,
    unlike: Vec<usize>,
}

impl TableCodec {
    /// The codes of rows of the same schema, to train further with. A number in no atom and in no
    /// bin counts as the nearest one, which the observer is told of: the model never draws it.
    ///
    /// # Errors
    /// A data error that names row, column and value: for a level without code, for a missing cell
    /// where none was missing, and where more than one number in twenty has no code.
    pub(crate) fn encode_further(
        &self,
        rows: &Table,
        threads: usize,
        observer: &mut dyn Observer,
    ) -> Result<Codes> {
        if rows.schema() != self.schema() {
            return Err(DataError::new("the rows have another schema than the saved model")
                .advice("give a table with the columns, kinds and levels of the first training")
                .into());
        }
        if rows.rows() == 0 {
            return Err(DataError::new("there are no training rows").into());
        }
        let encoded = parallel::map(threads, self.columns.len(), |at| self.encode_column(at, rows));
        let mut columns = Vec::with_capacity(encoded.len());
        for (at, encoded) in encoded.into_iter().enumerate() {
            let Encoded { codes, unlike } = encoded?;
            self.tell_of_unlike(at, rows, &unlike, observer)?;
            columns.push(if self.size(at) < 2 { Vec::new() } else { codes });
        }
        Ok(Codes { rows: rows.rows(), columns })
    }

    fn encode_column(&self, at: usize, rows: &Table) -> Result<Encoded> {
        let (mut codes, mut unlike) = (Vec::new(), Vec::new());
        if matches!(self.columns[at], ColumnCodec::Identifier) {
            return Ok(Encoded { codes, unlike });
        }
        let cells = &rows.columns()[at];
        for row in 0..rows.rows() {
            let code = self.code(at, cells, row).or_else(|| {
                unlike.push(row);
                self.nearest_code(at, cells, row)
            });
            codes.push(code.ok_or_else(|| self.no_code(at, rows, row))? as u16);
        }
        Ok(Encoded { codes, unlike })
    }

    fn no_code(&self, at: usize, rows: &Table, row: usize) -> DataError {
        let problem = match rows.text(row, at) {
            Some(_) => {
                "the saved model has no code for this cell: its first training held none like it"
            }
            None => {
                "the cell is missing, and the first training of the saved model held no missing one in this column"
            }
        };
        place(self, at, rows, row, problem)
            .advice("leave such rows out, or train a new model on all rows")
    }

    fn tell_of_unlike(
        &self,
        at: usize,
        rows: &Table,
        unlike: &[usize],
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let Some(&first) = unlike.first() else { return Ok(()) };
        let (count, all) = (unlike.len(), rows.rows());
        if count as f64 > MOST_UNLIKE * all as f64 {
            let problem = format!(
                "the saved model has no code for {count} of the {all} numbers, this one first: its first training held none like them"
            );
            return Err(place(self, at, rows, first, &problem)
                .advice(
                    "train a new model on all rows: the saved one would never draw such numbers",
                )
                .into());
        }
        observer.note(&format!(
            "{count} cells of {:?} are like none of the first training, first {:?} in row {}: the nearest number that it held stands for each, and is what the model draws",
            self.schema().columns[at].name,
            rows.text(first, at).unwrap_or_default(),
            first + 1
        ));
        Ok(())
    }
}

fn place(codec: &TableCodec, at: usize, rows: &Table, row: usize, problem: &str) -> DataError {
    let error = DataError::new(problem).row(row as u64 + 1);
    let error = error.column(&codec.schema().columns[at].name);
    match rows.text(row, at) {
        Some(value) => error.value(value),
        None => error,
    }
}
