use super::{LEAST_UNSEEN, interval_of_mean, interval_of_quantile, least_below, least_in_mean};
use crate::{
    Comparison, Group, Metric, Score,
    numbers::{mean_and_sd, quantile},
    parallel,
    score::{Gap, Goal, Kind, Reading},
    significance::{more_below_level, smaller_mean},
    tables::{is_modelled, subsample},
};
use meg_core::{Column, MISSING, Role, Seed, Table};

const KINDS: [Kind; 4] = [
    distance("dcr_euclid_mean"),
    distance("dcr_euclid_sd"),
    distance("dcr_euclid_median"),
    distance("dcr_euclid_p05"),
];
const SENSITIVE: [Kind; 2] =
    [distance("dcr_euclid_sensitive_mean"), distance("dcr_euclid_sensitive_sd")];

const fn distance(name: &'static str) -> Kind {
    Kind { name, goal: Goal::Reference, range: [Some(0.0), None] }
}

/// Up to so many pairs of rows every row is looked up; beyond that a sample of the rows is.
const MOST_PAIRS: usize = 2_000_000_000;

/// Rows of that sample.
const SAMPLE: usize = 10_000;

/// Rows that one thread looks up at a time.
const BLOCK: usize = 64;

/// Scaled numbers are cut here, so that no square overflows.
const FAR: f64 = 1e6;

/// The distance to the closest training row as papers on generators give it: Euclid's, of numbers
/// scaled by their training range and one-hot levels, so that a level that differs adds 2 to the
/// square.
///
/// `dcr_euclid_mean` and `dcr_euclid_sd` over synthetic rows (table-GAN, Park et al. 2018), the same
/// over the columns marked sensitive alone (`..._sensitive_...`), `dcr_euclid_median` (TabDDPM) and
/// `dcr_euclid_p05` (CTAB-GAN, Zhao et al. 2021). From 0 up. The papers want them large; noise
/// maximises them, so they are read against the reference, which is the distance of holdout rows. One
/// missing cell of two adds 1, two add nothing. Numbers that are constant in training are compared by
/// equality. Differs from table-GAN in levels, which are numbered there, so that their distance
/// depends on the order of the numbers.
///
/// Exact up to 2 x 10^9 pairs of rows; beyond that 10 000 rows are looked up, and the note says so.
/// Undefined without rows; skipped for sensitive columns where none is marked.
#[derive(Debug)]
pub(crate) struct Euclid;

impl Metric for Euclid {
    fn name(&self) -> &'static str {
        KINDS[0].name
    }

    fn names(&self) -> Vec<&'static str> {
        KINDS.iter().chain(&SENSITIVE).map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "Euclid's distance from synthetic rows to the closest training row, as papers give it."
    }

    fn group(&self) -> Group {
        Group::Privacy
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let train = comparison.train;
        let all: Vec<usize> =
            (0..train.columns().len()).filter(|&at| is_modelled(train, at)).collect();
        let is_sensitive = |at: &usize| train.schema().columns[*at].role == Role::Sensitive;
        let sensitive: Vec<usize> = all.iter().copied().filter(is_sensitive).collect();
        let mut scores = among(comparison, &all, &KINDS, |distances| {
            let (mean, sd) = mean_and_sd(distances);
            vec![mean, sd, quantile(distances, 0.5), quantile(distances, 0.05)]
        });
        scores.extend(among(comparison, &sensitive, &SENSITIVE, |distances| {
            let (mean, sd) = mean_and_sd(distances);
            vec![mean, sd]
        }));
        scores
    }
}

/// The scores of these kinds from the distances by these columns.
fn among(
    comparison: &Comparison<'_>,
    columns: &[usize],
    kinds: &[Kind],
    summary: fn(&[f64]) -> Vec<f64>,
) -> Vec<Score> {
    let Comparison { train, synthetic, seed, threads, .. } = *comparison;
    let gap = match (train.rows(), synthetic.rows()) {
        (0, _) => Some(Gap::undefined("there is no training row")),
        (_, 0) => Some(Gap::undefined("there is no synthetic row")),
        _ if columns.is_empty() && kinds.len() == SENSITIVE.len() => {
            Some(Gap::skipped("no column is marked sensitive"))
        }
        _ if columns.is_empty() => Some(Gap::undefined("there is no column to compare")),
        _ => None,
    };
    if let Some(gap) = gap {
        let reading = Reading::new(Err(gap), train.rows(), synthetic.rows());
        return kinds.iter().map(|kind| Score::new(kind, &[], reading.clone())).collect();
    }
    let space = Space::fit(train, columns);
    let real = space.points(train, &(0..train.rows()).collect::<Vec<_>>());
    let distances = |table: &Table, wanted: usize, purpose: &str| -> Vec<f64> {
        let all = table.rows().saturating_mul(train.rows()) <= MOST_PAIRS;
        let wanted = if all { wanted } else { wanted.min(SAMPLE) };
        let rows = subsample(table.rows(), wanted, seed, purpose);
        space.nearest(&space.points(table, &rows), &real, threads)
    };
    let ours = distances(synthetic, synthetic.rows(), "euclid synthetic rows");
    let holdout = comparison.holdout.filter(|table| table.rows() > 0);
    let theirs = holdout.map(|table| distances(table, synthetic.rows(), "euclid holdout rows"));
    let (values, references) = (summary(&ours), theirs.as_deref().map(summary));
    let judges = theirs.as_deref().filter(|theirs| theirs.len() >= LEAST_UNSEEN);
    let least = judges.map(|theirs| least_leaks(theirs, ours.len()));
    let p_values = judges.map(|theirs| p_values(&ours, theirs, seed));
    let intervals = intervals(&ours);
    let note = (ours.len() < synthetic.rows())
        .then(|| format!("a sample of {} of {} synthetic rows", ours.len(), synthetic.rows()));
    kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| {
            let reading = Reading::new(Ok(values[at]), train.rows(), ours.len());
            let reading = reading.note(note.clone()).interval(intervals[at]);
            let reference = references.as_ref().map(|references| references[at]);
            let score = Score::new(kind, &[], reading).with_reference(reference);
            match least.zip(p_values) {
                Some((least, p_values)) if p_values[at].is_some() => {
                    score.with_p_value(p_values[at]).with_least_leak(least[at])
                }
                _ => score,
            }
        })
        .collect()
}

/// The least shares of copies that mean, median and 5 % quantile would show, in the order of the kinds;
/// few copies widen a deviation and many narrow it.
fn least_leaks(holdout: &[f64], ours: usize) -> [Option<f64>; 4] {
    [
        least_in_mean(holdout, ours),
        None,
        least_below(holdout, 0.5, 1.0, ours),
        least_below(holdout, 0.05, 1.0, ours),
    ]
}

/// In the same order.
fn p_values(ours: &[f64], holdout: &[f64], seed: Seed) -> [Option<f64>; 4] {
    let below = |level| Some(more_below_level(ours, holdout, level));
    [Some(smaller_mean(ours, holdout, seed)), None, below(0.5), below(0.05)]
}

fn intervals(ours: &[f64]) -> [Option<[f64; 2]>; 4] {
    let quantile = |level| interval_of_quantile(ours, level);
    [interval_of_mean(ours), None, quantile(0.5), quantile(0.05)]
}

/// The compared columns and the scales of numbers.
struct Space {
    /// Column, least training cell and range.
    numbers: Vec<(usize, f64, f64)>,
    categories: Vec<usize>,
}

/// Rows in the space, row after row.
struct Points {
    rows: usize,
    numbers: Vec<f64>,
    codes: Vec<u32>,
}

impl Space {
    fn fit(train: &Table, columns: &[usize]) -> Self {
        let (numbers, categories): (Vec<usize>, Vec<usize>) =
            columns.iter().partition(|&&at| train.schema().columns[at].is_numeric());
        let scale = |at: usize| {
            let Column::Numbers(cells) = &train.columns()[at] else { return (at, 0.0, 0.0) };
            let observed = || cells.iter().copied().filter(|cell| !cell.is_nan());
            let least = observed().fold(f64::INFINITY, f64::min);
            let most = observed().fold(f64::NEG_INFINITY, f64::max);
            // No observed cell: whatever is observed elsewhere is compared by equality.
            if least > most { (at, 0.0, 0.0) } else { (at, least / 2.0, most / 2.0 - least / 2.0) }
        };
        Self { numbers: numbers.into_iter().map(scale).collect(), categories }
    }

    fn points(&self, table: &Table, rows: &[usize]) -> Points {
        let place = |(at, half_least, half_range): (usize, f64, f64), row: usize| {
            let cell = table.numbers(at)[row];
            match half_range > 0.0 {
                true => ((cell / 2.0 - half_least) / half_range).clamp(-FAR, FAR),
                false => cell,
            }
        };
        let mut numbers = Vec::with_capacity(rows.len() * self.numbers.len());
        let mut codes = Vec::with_capacity(rows.len() * self.categories.len());
        for &row in rows {
            numbers.extend(self.numbers.iter().map(|&axis| place(axis, row)));
            codes.extend(self.categories.iter().map(|&at| table.codes(at)[row]));
        }
        Points { rows: rows.len(), numbers, codes }
    }

    /// The distance from each query to the nearest of these points, of which there is one at least.
    fn nearest(&self, queries: &Points, points: &Points, threads: usize) -> Vec<f64> {
        let block = |block: usize| -> Vec<f64> {
            let rows = block * BLOCK..queries.rows.min((block + 1) * BLOCK);
            rows.map(|row| self.nearest_to(queries, row, points)).collect()
        };
        let blocks = queries.rows.div_ceil(BLOCK);
        parallel::map(threads, blocks, block).into_iter().flatten().collect()
    }

    fn nearest_to(&self, queries: &Points, row: usize, points: &Points) -> f64 {
        let (width, codes) = (self.numbers.len(), self.categories.len());
        let own = &queries.numbers[row * width..][..width];
        let own_codes = &queries.codes[row * codes..][..codes];
        let mut least = f64::INFINITY;
        for other in 0..points.rows {
            let others = &points.codes[other * codes..][..codes];
            let apart = |(&own, &other): (&u32, &u32)| match own == other {
                true => 0.0,
                false if own == MISSING || other == MISSING => 1.0,
                false => 2.0,
            };
            let mut square: f64 = own_codes.iter().zip(others).map(apart).sum();
            if square >= least {
                continue;
            }
            let others = &points.numbers[other * width..][..width];
            for ((a, b), &(.., range)) in own.iter().zip(others).zip(&self.numbers) {
                square += squared(*a, *b, range);
            }
            least = least.min(square);
        }
        least.sqrt()
    }
}

fn squared(a: f64, b: f64, range: f64) -> f64 {
    let apart = a - b;
    if range > 0.0 && !apart.is_nan() {
        apart * apart
    } else if a == b || (a.is_nan() && b.is_nan()) {
        0.0
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{ColumnSpec, Schema};

    #[test]
    fn distances_by_hand() {
        let schema = Schema::new(vec![
            ColumnSpec::number("x", None).nullable(),
            ColumnSpec::number("same", None),
            ColumnSpec::category("c", ["a", "b"]).role(Role::Sensitive),
        ])
        .unwrap();
        let table = |x: Vec<f64>, same: Vec<f64>, c: Vec<u32>| {
            let numbers = [x, same].map(Column::Numbers);
            let columns = numbers.into_iter().chain([Column::Codes(c)]).collect();
            Table::new(schema.clone(), columns).unwrap()
        };
        let train = table(vec![0.0, 10.0, f64::NAN], vec![5.0; 3], vec![0, 0, 1]);
        // 0.3 ranges from the first; as the last; a level and a constant away from the first.
        let synthetic = table(vec![3.0, f64::NAN, 0.0], vec![5.0, 5.0, 6.0], vec![0, 1, 1]);
        let comparison = Comparison {
            train: &train,
            holdout: None,
            synthetic: &synthetic,
            truth: None,
            seed: Seed(1),
            threads: 2,
        };
        let scores = Euclid.score(&comparison);
        let value = |name: &str| {
            let score = scores.iter().find(|score| score.name == name).unwrap();
            score.value.unwrap_or_else(|| panic!("{score:?}"))
        };
        // The third: sqrt(2 + 1) from the first, sqrt(1 + 1) from the last.
        let expected = [0.3, 0.0, 2f64.sqrt()];
        let mean = expected.iter().sum::<f64>() / 3.0;
        assert!((value("dcr_euclid_mean") - mean).abs() < 1e-12);
        assert!((value("dcr_euclid_median") - 0.3).abs() < 1e-12);
        assert!((value("dcr_euclid_p05") - 0.03).abs() < 1e-12);
        let squares: f64 = expected.iter().map(|own| (own - mean).powi(2)).sum();
        assert!((value("dcr_euclid_sd") - (squares / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(value("dcr_euclid_sensitive_mean"), 0.0);
    }
}
