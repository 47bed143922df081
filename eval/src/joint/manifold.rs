use super::{
    curves::agreement,
    mixed::{Points, Space},
};
use crate::{
    Comparison, Group, Metric, Score,
    score::{Gap, Goal, Kind, Reading},
    tables::subsample,
};
use meg_core::Table;

/// Neighbours whose distance is a ball's radius.
const K: usize = 5;

/// Rows of each table at most.
const MOST_ROWS: usize = 2_000;

const KINDS: [Kind; 7] = [
    Kind::similarity("precision"),
    Kind::similarity("recall"),
    Kind { name: "density", goal: Goal::Reference, range: [Some(0.0), None] },
    Kind::similarity("coverage"),
    Kind::similarity("alpha_precision"),
    Kind::like_holdout("beta_recall"),
    Kind::like_holdout("authenticity"),
];

/// Where synthetic rows lie among real ones, and real ones among synthetic ones.
///
/// Each row has a ball that reaches to its 5th nearest neighbour in its own table; balls are closed.
/// `precision`: the share of synthetic rows in the ball of a training row. `recall`: the share of
/// training rows in the ball of a synthetic row. `density`: the mean number of training balls that
/// hold a synthetic row, over 5. `coverage`: the share of training balls that hold a synthetic row.
/// (Kynkäänniemi et al. 2019; Naeem et al. 2020.)
///
/// `alpha_precision`: how well, over 30 shares, the radius around the training centre that holds a
/// share of the training rows holds the same share of the synthetic ones. `beta_recall`: the same of
/// training rows whose nearest synthetic row is nearer than their nearest other training row, by the
/// distance of that synthetic row from the synthetic centre. `authenticity`: the share of synthetic
/// rows that are farther from their nearest training row than that row is from its own nearest one.
/// (Alaa et al. 2022, in the space below instead of a learned one; synthcity looks radii up by the
/// wrong row.)
///
/// All are compared with the reference; beta recall and authenticity are about 0.5 for fresh rows and
/// 1 and 0 for copies, so more recall than the reference is no praise. As many rows of each table as
/// the smallest has, 2 000 at most. The space has numbers in standard deviations of the training
/// rows and 1 for each category that differs. Undefined with 5 rows or fewer.
#[derive(Debug)]
pub(crate) struct Manifold;

impl Metric for Manifold {
    fn name(&self) -> &'static str {
        KINDS[0].name
    }

    fn names(&self) -> Vec<&'static str> {
        KINDS.iter().map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "Where synthetic rows lie among real ones (precision, density, authenticity) and real ones among synthetic ones (recall, coverage)."
    }

    fn group(&self) -> Group {
        Group::Joint
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let Comparison { train, synthetic, seed, threads, .. } = *comparison;
        let holdout = comparison.holdout.filter(|table| table.rows() > 0);
        let rows = [Some(train), Some(synthetic), holdout].into_iter().flatten();
        let rows = rows.map(Table::rows).min().unwrap_or(0).min(MOST_ROWS);
        let space = Space::fit(train);
        let gap = match (rows, synthetic.rows()) {
            (_, 0) => Some(Gap::undefined("there is no synthetic row")),
            (0..=K, _) => Some(Gap::undefined(format!(
                "the smallest table has {rows} rows; {} are needed",
                K + 1
            ))),
            _ if space.is_empty() => Some(Gap::undefined("there is no column to compare")),
            _ => None,
        };
        if let Some(gap) = gap {
            let reading = Reading::new(Err(gap), rows, rows);
            return KINDS.iter().map(|kind| Score::new(kind, &[], reading.clone())).collect();
        }
        let points = |table: &Table, purpose: &str| {
            space.points(table, &subsample(table.rows(), rows, seed, purpose))
        };
        let real = Real::new(points(train, "manifold training rows"), threads);
        let ours = real.compare(&points(synthetic, "manifold synthetic rows"), threads);
        let theirs =
            holdout.map(|holdout| real.compare(&points(holdout, "manifold holdout rows"), threads));
        KINDS
            .iter()
            .enumerate()
            .map(|(at, kind)| {
                let reading = Reading::new(Ok(ours[at]), rows, rows);
                Score::new(kind, &[], reading).with_reference(theirs.map(|theirs| theirs[at]))
            })
            .collect()
    }
}

/// Training rows and what only they decide.
struct Real {
    points: Points,
    /// Squares of the distances to the nearest and the 5th nearest other row.
    near: Vec<(f64, f64)>,
    from_centre: Vec<f64>,
}

impl Real {
    fn new(points: Points, threads: usize) -> Self {
        let near = neighbours(&points, threads);
        let from_centre = points.squared_from(&points.centre());
        Self { points, near, from_centre }
    }

    fn compare(&self, other: &Points, threads: usize) -> [f64; 7] {
        let near = neighbours(other, threads);
        // For each other row: the training balls that hold it, and whether it is authentic.
        let ours = other.each(&self.points, threads, |_, squares| {
            let balls = squares.iter().zip(&self.near).filter(|(square, near)| **square <= near.1);
            let nearest = first_least(squares);
            (balls.count(), squares[nearest] > self.near[nearest].0)
        });
        // For each training row: whether another row's ball holds it, whether its own ball holds
        // one, and its nearest other row.
        let theirs = self.points.each(other, threads, |row, squares| {
            let held = squares.iter().zip(&near).any(|(square, near)| *square <= near.1);
            let nearest = first_least(squares);
            let holds = squares[nearest] <= self.near[row].1;
            (held, holds, squares[nearest] < self.near[row].0, nearest)
        });
        let share = |count: usize| count as f64 / ours.len() as f64;
        let centre = self.points.centre();
        let alpha: Vec<(bool, f64)> =
            other.squared_from(&centre).into_iter().map(|square| (true, square)).collect();
        let from_own = other.squared_from(&other.centre());
        let beta: Vec<(bool, f64)> =
            theirs.iter().map(|&(.., closer, nearest)| (closer, from_own[nearest])).collect();
        [
            share(ours.iter().filter(|(balls, _)| *balls > 0).count()),
            share(theirs.iter().filter(|own| own.0).count()),
            share(ours.iter().map(|(balls, _)| balls).sum()) / K as f64,
            share(theirs.iter().filter(|own| own.1).count()),
            agreement(&self.from_centre, &alpha),
            agreement(&from_own, &beta),
            share(ours.iter().filter(|(_, authentic)| *authentic).count()),
        ]
    }
}

/// Squares of the distances from each row to its nearest and to its 5th nearest other row.
fn neighbours(points: &Points, threads: usize) -> Vec<(f64, f64)> {
    points.each(points, threads, |row, squares| {
        let mut near = [f64::INFINITY; K];
        for (_, &square) in squares.iter().enumerate().filter(|(other, _)| *other != row) {
            if square < near[K - 1] {
                let place = near.partition_point(|own| *own <= square);
                near[place..].rotate_right(1);
                near[place] = square;
            }
        }
        (near[0], near[K - 1])
    })
}

fn first_least(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, at| if values[at] < values[best] { at } else { best })
}
