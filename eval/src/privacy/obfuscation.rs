use super::exchanged::Exchanged;
use crate::{
    Comparison, Group, Metric, Score,
    gower::{Best, Space, nearest},
    numbers::mean_and_sd,
    score::{Gap, Kind, Reading},
    tables::{at_most, is_modelled, reference_rows, subsample},
};
use meg_core::{Column, Role, Table};

const KINDS: [Kind; 2] =
    [Kind::like_holdout("feature_obfuscation"), Kind::like_holdout("feature_obfuscation_distance")];

/// A number is unchanged within this share of the training range.
const TOLERANCE: f64 = 0.01;

/// Training rows that are looked up at most.
const MOST_ROWS: usize = 10_000;

/// How well the features of people are hidden: every training row is taken for the synthetic row
/// nearest to it (Gower's distance), as who looks for a person would.
///
/// `feature_obfuscation`: the share of the cells of the training rows that this row has otherwise, of
/// the columns marked sensitive, or of all columns where none is marked. A number counts as the same
/// within 1 % of its training range, two missing cells are the same. `feature_obfuscation_distance`:
/// the mean distance to that row. Both in 0..=1; a copy has 0. More is not better, because noise hides
/// everything: what holdout rows in place of synthetic ones hide is right, and less is a leak. 10 000
/// training rows at most. Undefined without rows.
///
/// Source: the report on the masked generator ("document 0"), which names a feature-obfuscation score
/// without a formula; for tables masked row by row the share of changed cells is in the report of
/// masking.
#[derive(Debug)]
pub(crate) struct Obfuscation;

impl Metric for Obfuscation {
    fn name(&self) -> &'static str {
        KINDS[0].name
    }

    fn names(&self) -> Vec<&'static str> {
        KINDS.iter().map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "The share of a training row's cells that the synthetic row nearest to it gets wrong."
    }

    fn group(&self) -> Group {
        Group::Privacy
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let Comparison { train, synthetic, seed, .. } = *comparison;
        let space = Space::fit(train);
        let gap = match (train.rows(), synthetic.rows()) {
            _ if space.columns() == 0 => Some(Gap::undefined("there is no column to compare")),
            (0, _) => Some(Gap::undefined("there is no training row")),
            (_, 0) => Some(Gap::undefined("there is no synthetic row")),
            _ => None,
        };
        let without = |gap: Gap| -> Vec<Score> {
            let reading = Reading::new(Err(gap), train.rows(), synthetic.rows());
            KINDS.iter().map(|kind| Score::new(kind, &[], reading.clone())).collect()
        };
        if let Some(gap) = gap {
            return without(gap);
        }
        let rows = subsample(train.rows(), MOST_ROWS, seed, "obfuscation training rows");
        let (columns, which) = judged(train);
        let of = |table: &Table| hidden(comparison, &space, (&rows, &columns), table);
        // More rows to search are nearer rows: both sides have as many as the smaller one.
        let wanted = comparison.holdout.map_or(0, Table::rows);
        let searched = at_most(synthetic, wanted, seed, "obfuscation synthetic rows");
        let ours = of(&searched);
        let theirs = reference_rows(comparison).map(|holdout| of(&holdout));
        let test = match Exchanged::new(comparison, &space, (&rows, &columns), &searched) {
            Ok(test) => test,
            Err(gap) => return without(gap),
        };
        let copies = train.rows() as f64 / searched.rows() as f64;
        let note = format!("cells of {which} columns, {} training rows", rows.len());
        KINDS
            .iter()
            .enumerate()
            .map(|(at, kind)| {
                let reading =
                    Reading::new(Ok(mean_and_sd(&ours[at]).0), rows.len(), searched.rows());
                let score = Score::new(kind, &[], reading.note(Some(note.clone())));
                match &theirs {
                    Some(theirs) => {
                        let hidden = mean_and_sd(&theirs[at]).0;
                        let score = score.with_reference(Some(hidden));
                        match &test {
                            Some(test) => score
                                .with_p_value(Some(test.p_value(at)))
                                .with_least_leak(test.least_leak(at, hidden, copies)),
                            None => score,
                        }
                    }
                    None => score,
                }
            })
            .collect()
    }
}

/// The columns whose cells are counted, and which they are in words.
fn judged(train: &Table) -> (Vec<usize>, &'static str) {
    let all: Vec<usize> = (0..train.columns().len()).filter(|&at| is_modelled(train, at)).collect();
    let is_sensitive = |at: &usize| train.schema().columns[*at].role == Role::Sensitive;
    let sensitive: Vec<usize> = all.iter().copied().filter(is_sensitive).collect();
    if sensitive.is_empty() { (all, "all") } else { (sensitive, "the sensitive") }
}

/// Of each training row that is looked up, the share of changed cells, and the distance.
fn hidden(
    comparison: &Comparison<'_>,
    space: &Space,
    (rows, columns): (&[usize], &[usize]),
    table: &Table,
) -> [Vec<f64>; 2] {
    let train = comparison.train;
    let all: Vec<usize> = (0..table.rows()).collect();
    let (queries, points) = (space.points(train, rows), space.points(table, &all));
    let found = nearest(space, &queries, &points, 1, comparison.threads);
    let width = space.columns() as f64;
    let cells = Cells::new(train, columns, table);
    let changed = |(&row, best): (&usize, &Best)| {
        best.rows().next().map_or(1.0, |other| cells.changed(row, other))
    };
    [
        rows.iter().zip(&found).map(changed).collect(),
        found.iter().map(|best| best.distance(0) / width).collect(),
    ]
}

/// The cells of training rows beside those of other rows.
pub(super) struct Cells<'a> {
    train: &'a Table,
    others: &'a Table,
    /// Columns, and how far apart numbers may be.
    columns: Vec<(usize, f64)>,
}

impl<'a> Cells<'a> {
    pub(super) fn new(train: &'a Table, columns: &[usize], others: &'a Table) -> Self {
        let tolerance = |at: usize| TOLERANCE * half_range(&train.columns()[at]) * 2.0;
        Self { train, others, columns: columns.iter().map(|&at| (at, tolerance(at))).collect() }
    }

    /// The share of the cells of a training row that the other row has otherwise.
    pub(super) fn changed(&self, row: usize, other: usize) -> f64 {
        let differs = |&&(at, tolerance): &&(usize, f64)| {
            let (own, others) = (&self.train.columns()[at], &self.others.columns()[at]);
            !is_same(own, row, others, other, tolerance)
        };
        self.columns.iter().filter(differs).count() as f64 / self.columns.len() as f64
    }
}

fn is_same(a: &Column, row: usize, b: &Column, other: usize, tolerance: f64) -> bool {
    match (a, b) {
        (Column::Numbers(a), Column::Numbers(b)) => {
            let (a, b) = (a[row], b[other]);
            (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= tolerance
        }
        (Column::Codes(a), Column::Codes(b)) => a[row] == b[other],
        _ => false,
    }
}

/// Half of the range of the observed cells, 0 for categories and where none is observed.
fn half_range(column: &Column) -> f64 {
    let Column::Numbers(cells) = column else { return 0.0 };
    let least = cells.iter().copied().fold(f64::INFINITY, f64::min);
    let most = cells.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (most / 2.0 - least / 2.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{ColumnSpec, Schema, Seed};

    fn score(role: Role, x: Vec<f64>, c: Vec<u32>) -> Vec<Option<f64>> {
        let schema = Schema::new(vec![
            ColumnSpec::number("x", None).nullable(),
            ColumnSpec::category("c", ["a", "b"]).role(role),
        ])
        .unwrap();
        let table = |x: Vec<f64>, c: Vec<u32>| {
            Table::new(schema.clone(), vec![Column::Numbers(x), Column::Codes(c)]).unwrap()
        };
        let train = table(vec![0.0, 100.0, f64::NAN], vec![0, 1, 1]);
        let comparison = Comparison {
            train: &train,
            holdout: None,
            synthetic: &table(x, c),
            truth: None,
            seed: Seed(1),
            threads: 1,
        };
        let scores = Obfuscation.score(&comparison);
        scores.iter().map(|score| score.value).collect()
    }

    #[test]
    fn cells_are_counted_by_hand() {
        // The first row is met but for 0.5 % of the range, the second by its level alone, the third
        // not by its missing cell.
        let near = || (vec![0.5, 90.0], vec![0, 1]);
        let (x, c) = near();
        let all = score(Role::Feature, x, c);
        assert!((all[0].unwrap() - 2.0 / 6.0).abs() < 1e-12);
        assert!((all[1].unwrap() - (0.0025 + 0.05 + 0.5) / 3.0).abs() < 1e-12, "{all:?}");
        let (x, c) = near();
        assert_eq!(score(Role::Sensitive, x, c)[0], Some(0.0));
    }
}
