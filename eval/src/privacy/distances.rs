use crate::{
    Comparison,
    gower::{Best, Points, Space},
    parallel,
    score::Gap,
    tables::{row_keys, shuffle_front, subsample},
};
use meg_core::{Seed, Table};
use std::collections::HashMap;

/// How much work the search may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Up to so many pairs of rows every row is looked up; beyond that a sample of the rows is.
    pairs: usize,
    /// Rows of that sample.
    queries: usize,
}

impl Limits {
    /// Half a minute on one core, about; 50 000 rows against 50 000 are within it.
    pub(super) const USUAL: Self = Self { pairs: 10_000_000_000, queries: 10_000 };
}

/// Rows looked up by one thread at a time.
const BLOCK: usize = 64;

/// The exact distances that all indicators need.
#[derive(Debug)]
pub(super) struct Distances {
    /// From synthetic rows to training rows.
    pub(super) synthetic: Nearest,
    /// From holdout rows to training rows.
    pub(super) holdout: Option<Nearest>,
    /// From synthetic rows to as many training rows as holdout rows.
    pub(super) sides: Option<Sides>,
    /// The share of the training rows that face holdout rows.
    pub(super) facing_share: f64,
    /// The share of the training rows that equal another one.
    pub(super) twins: f64,
    pub(super) seed: Seed,
    synthetic_rows: usize,
    /// Which of the looked-up holdout rows stand in for synthetic ones.
    sample: Vec<usize>,
}

/// For each row looked up, the distances to the nearest and the second nearest row. Infinite where
/// there is none.
#[derive(Debug)]
pub(super) struct Nearest {
    pub(super) first: Vec<f64>,
    pub(super) second: Vec<f64>,
}

/// For each synthetic row looked up, the nearest rows of two samples of equal size.
#[derive(Debug)]
pub(super) struct Sides {
    pub(super) train: Vec<Pair>,
    pub(super) holdout: Vec<Pair>,
    /// Rows of either sample.
    pub(super) rows: usize,
}

/// The two nearest rows of a sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// Infinite where there is no such row.
    pub(super) distances: [f64; 2],
    /// Places of the rows in the sample; 0 where there is no such row.
    pub(super) rows: [usize; 2],
}

impl Pair {
    fn new(best: &Best, columns: f64) -> Self {
        let mut rows = best.rows();
        Self {
            distances: [best.distance(0) / columns, best.distance(1) / columns],
            rows: [0; 2].map(|_| rows.next().unwrap_or(0)),
        }
    }
}

impl Distances {
    pub(super) fn new(comparison: &Comparison<'_>, limits: Limits) -> Result<Self, Gap> {
        let Comparison { train, synthetic, seed, threads, .. } = *comparison;
        let holdout = comparison.holdout.filter(|table| table.rows() > 0);
        if train.rows() == 0 {
            return Err(Gap::undefined("there is no training row"));
        }
        if synthetic.rows() == 0 {
            return Err(Gap::undefined("there is no synthetic row"));
        }
        let space = Space::fit(train);
        if space.columns() == 0 {
            return Err(Gap::undefined("there is no column to compare"));
        }
        // The training rows that face the holdout rows come first: one pass over all of them
        // gives the nearest of the sample and the nearest of all.
        let equal = holdout.map_or(0, |table| table.rows().min(train.rows()));
        let mut order: Vec<usize> = (0..train.rows()).collect();
        if equal < train.rows() {
            shuffle_front(&mut order, equal, &mut seed.stream("training rows facing holdout"));
        }
        let real = space.points(train, &order);
        let facing = holdout.map(|table| {
            space.points(table, &subsample(table.rows(), equal, seed, "holdout rows facing"))
        });
        let lookup = |table: &Table, purpose: &str| {
            let all = table.rows().saturating_mul(train.rows()) <= limits.pairs;
            let wanted = if all { table.rows() } else { limits.queries };
            space.points(table, &subsample(table.rows(), wanted, seed, purpose))
        };
        let queries = lookup(synthetic, "synthetic rows looked up");
        let ours = search(&space, &queries, (&real, equal), facing.as_ref(), threads);
        let theirs = holdout.map(|table| {
            let queries = lookup(table, "holdout rows looked up");
            search(&space, &queries, (&real, 0), None, threads)
        });
        let looked_up = theirs.as_ref().map_or(0, Vec::len);
        Ok(Self {
            sides: facing.as_ref().map(|_| Sides {
                train: ours.iter().map(|found| found.facing_train).collect(),
                holdout: ours.iter().map(|found| found.facing_holdout).collect(),
                rows: equal,
            }),
            facing_share: equal as f64 / train.rows() as f64,
            twins: twins(train),
            synthetic: Nearest::new(&ours),
            holdout: theirs.as_deref().map(Nearest::new),
            seed,
            synthetic_rows: synthetic.rows(),
            sample: subsample(looked_up, synthetic.rows(), seed, "reference rows"),
        })
    }

    /// Synthetic rows that were looked up.
    pub(super) fn rows(&self) -> usize {
        self.synthetic.first.len()
    }

    /// The distances of holdout rows, no more of them than there are synthetic rows.
    pub(super) fn holdout_sample(&self) -> Option<Nearest> {
        let all = self.holdout.as_ref()?;
        let pick = |values: &[f64]| self.sample.iter().map(|&row| values[row]).collect();
        Some(Nearest { first: pick(&all.first), second: pick(&all.second) })
    }

    /// What the reader must know.
    pub(super) fn note(&self) -> Option<String> {
        let used = self.rows();
        (used < self.synthetic_rows)
            .then(|| format!("a sample of {used} of {} synthetic rows", self.synthetic_rows))
    }
}

/// The share of rows that equal another one in every compared cell.
fn twins(table: &Table) -> f64 {
    let mut counts = HashMap::<Vec<u64>, usize>::new();
    let keys = row_keys(table, 0..table.rows());
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
    let twins: usize = counts.into_values().filter(|&count| count > 1).sum();
    twins as f64 / table.rows() as f64
}

/// What was found for one row.
struct Found {
    first: f64,
    second: f64,
    facing_train: Pair,
    facing_holdout: Pair,
}

impl Nearest {
    fn new(found: &[Found]) -> Self {
        Self {
            first: found.iter().map(|found| found.first).collect(),
            second: found.iter().map(|found| found.second).collect(),
        }
    }
}

/// Looks up all queries among the training rows, of which the first `equal` face the holdout rows.
fn search(
    space: &Space,
    queries: &Points,
    (train, equal): (&Points, usize),
    facing: Option<&Points>,
    threads: usize,
) -> Vec<Found> {
    let columns = space.columns() as f64;
    let block = |block: usize| -> Vec<Found> {
        let from = block * BLOCK;
        let count = BLOCK.min(queries.rows() - from);
        let mut best = vec![Best::of(2); count];
        space.search((queries, from), train, 0..equal, &mut best);
        let facing_train: Vec<Pair> = best.iter().map(|best| Pair::new(best, columns)).collect();
        space.search((queries, from), train, equal..train.rows(), &mut best);
        let mut others = vec![Best::of(2); count];
        if let Some(facing) = facing {
            space.search((queries, from), facing, 0..facing.rows(), &mut others);
        }
        let found = best.iter().zip(others).zip(facing_train);
        found
            .map(|((best, other), facing_train)| Found {
                first: best.distance(0) / columns,
                second: best.distance(1) / columns,
                facing_train,
                facing_holdout: Pair::new(&other, columns),
            })
            .collect()
    };
    let blocks = queries.rows().div_ceil(BLOCK);
    parallel::map(threads, blocks, block).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Column, ColumnSpec, Schema};

    #[test]
    fn twins_are_counted() {
        assert_eq!(twins(&table([1, 2, 1, 3, 1].into_iter())), 0.6);
        assert_eq!(twins(&table(0..7)), 0.0);
    }

    fn table(cells: impl Iterator<Item = u32>) -> Table {
        let schema = Schema::new(vec![ColumnSpec::number("x", 0)]).unwrap();
        Table::new(schema, vec![Column::Numbers(cells.map(f64::from).collect())]).unwrap()
    }

    #[test]
    fn beyond_the_limit_a_sample_is_looked_up_and_said() {
        let (train, holdout, synthetic) = (table(0..100), table(40..60), table(0..50));
        let comparison = Comparison {
            train: &train,
            holdout: Some(&holdout),
            synthetic: &synthetic,
            truth: None,
            seed: Seed(1),
            threads: 1,
        };
        let few = Distances::new(&comparison, Limits { pairs: 2_500, queries: 7 }).unwrap();
        assert_eq!(few.synthetic.first, [0.0; 7]);
        assert_eq!(few.holdout.as_ref().unwrap().first.len(), 20);
        assert_eq!(few.note().as_deref(), Some("a sample of 7 of 50 synthetic rows"));
        let all = Distances::new(&comparison, Limits::USUAL).unwrap();
        assert_eq!((all.synthetic.first.len(), all.note()), (50, None));
    }

    #[test]
    fn equal_samples_face_each_other() {
        // The holdout rows are ten times as near as a sample of as many training rows can be.
        let (train, holdout, synthetic) = (table(0..100), table(40..45), table(40..45));
        let comparison = Comparison {
            train: &train,
            holdout: Some(&holdout),
            synthetic: &synthetic,
            truth: None,
            seed: Seed(1),
            threads: 1,
        };
        let sides = Distances::new(&comparison, Limits::USUAL).unwrap().sides.unwrap();
        assert!(sides.holdout.iter().all(|pair| pair.distances[0] == 0.0));
        assert!(sides.train.iter().any(|pair| pair.distances[0] > 0.0));
    }
}
