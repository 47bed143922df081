//! One number for how two columns depend on each other, and the difference of two such numbers.

use crate::score::{Gap, Reading};

/// Why two columns have no association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// One of them does not vary: nothing depends on it.
    Constant,
    /// Too few complete rows to say anything.
    Few,
    /// Complete rows enough, but as many levels as rows.
    Crowded,
}

/// The association of two columns of one table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Associated {
    pub(super) value: Result<f64, Absent>,
    /// Rows in which both cells count.
    pub(super) complete: usize,
    /// All rows of the table.
    pub(super) rows: usize,
}

impl Associated {
    /// The absolute difference between this table's association, the real one, and the synthetic
    /// table's.
    ///
    /// Undefined where the real one is; where the synthetic columns do not vary the synthetic
    /// association is 0, with a note, because nothing depends on a constant; where too few of the
    /// synthetic rows are complete, or they have as many levels as rows, nothing is known, and the
    /// difference is undefined. As many levels as rows are no loss of the generator's where it was
    /// asked for fewer rows than the real ones are: a sample of real rows may be as crowded.
    pub(super) fn apart(self, synthetic: Self) -> Reading {
        let reading = |value| Reading::new(value, self.complete, synthetic.complete);
        let real = match self.value {
            _ if synthetic.rows == 0 => {
                return reading(Err(Gap::undefined("there is no synthetic row")));
            }
            Err(Absent::Constant) => {
                return reading(Err(Gap::undefined("a real column is constant")));
            }
            Err(Absent::Few) => {
                return reading(Err(Gap::undefined("too few real rows are complete")));
            }
            Err(Absent::Crowded) => {
                return reading(Err(Gap::undefined("the real rows have as many levels as rows")));
            }
            Ok(real) => real,
        };
        match synthetic.value {
            Ok(other) => reading(Ok((real - other).abs())),
            Err(Absent::Constant) => reading(Ok(real.abs())).note(Some(
                "a synthetic column is constant, so its association counts as 0".into(),
            )),
            Err(Absent::Few) => {
                let reason = "too few synthetic rows are complete";
                reading(Err(Gap::absent(reason, (self.complete, self.rows), synthetic.rows)))
            }
            Err(Absent::Crowded) => {
                let reason = "the synthetic rows have as many levels as rows";
                let lost = synthetic.complete >= self.complete;
                reading(Err(Gap { lost, ..Gap::undefined(reason) }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_sample_with_many_levels_is_no_loss() {
        let of = |value, complete| Associated { value, complete, rows: complete };
        let real = of(Ok(0.5), 100);
        let crowded = |rows| real.apart(of(Err(Absent::Crowded), rows)).value.unwrap_err();
        let small = crowded(20);
        assert_eq!(small.status, crate::Status::Undefined);
        assert!(!small.lost && small.reason.contains("as many levels as rows"), "{small:?}");
        assert!(crowded(100).lost);
        let few = real.apart(Associated { rows: 20, ..of(Err(Absent::Few), 1) }).value.unwrap_err();
        assert!(few.lost, "{few:?}");
        assert!(of(Err(Absent::Crowded), 9).apart(real).value.is_err_and(|gap| !gap.lost));
    }
}
