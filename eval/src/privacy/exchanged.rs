//! How often chance hides as little of training rows: synthetic and unseen rows are exchanged.

use super::{LEAST_UNSEEN, obfuscation::Cells};
use crate::{
    Comparison,
    gower::{Best, Space, nearest},
    numbers::mean_and_sd,
    power::POWER,
    score::Gap,
    significance::Z,
    tables::{reference_rows, shuffle_front},
};
use meg_core::Table;

/// Training rows that are looked up at most.
const MOST_ROWS: usize = 2_000;

/// Nearest rows of both sides together that are kept of each: that all are of one side happens once in
/// 30 000 times.
const NEIGHBOURS: usize = 16;

/// Random exchanges.
const EXCHANGES: usize = 20_000;

/// Steps of the iteration for the least leak, each of which leaves less than half of the error.
const STEPS: usize = 40;

/// Deviations of a leak that a one-sided test at 2.5 % finds four times in five.
const LEVEL_AND_POWER: f64 = Z + POWER;

/// What unseen rows hide more than synthetic ones, summed over training rows: as found, and when the
/// rows of both sides are exchanged at random. The same training rows stand on both sides, so that it
/// is the searched rows that vary. First of changed cells, then of distances.
pub(super) struct Exchanged {
    rows: usize,
    found: [f64; 2],
    drawn: [Vec<f64>; 2],
}

/// A row near a training row: its place among those of both sides, and what it hides.
type Near = (usize, [f64; 2]);

impl Exchanged {
    /// `None` beside fewer than 20 unseen rows.
    ///
    /// # Errors
    /// When the rows of both sides are of no common schema.
    pub(super) fn new(
        comparison: &Comparison<'_>,
        space: &Space,
        (rows, columns): (&[usize], &[usize]),
        searched: &Table,
    ) -> Result<Option<Self>, Gap> {
        let unseen = reference_rows(comparison).filter(|rows| rows.rows() >= LEAST_UNSEEN);
        let Some(unseen) = unseen else { return Ok(None) };
        let both = searched.clone().concat(unseen.into_owned());
        let both = both.map_err(|error| Gap::failed(error.to_string()))?;
        let rows = &rows[..rows.len().min(MOST_ROWS)];
        let nearest = near(comparison, space, (rows, columns), &both);
        let mut order: Vec<usize> = (0..both.rows()).collect();
        let mut is_ours = vec![false; both.rows()];
        let ours = searched.rows();
        let mut apart = |order: &[usize]| -> [f64; 2] {
            is_ours.fill(false);
            order[..ours].iter().for_each(|&row| is_ours[row] = true);
            let mut sums = [0.0; 2];
            for near in &nearest {
                let first = |side: bool| near.iter().find(|(row, _)| is_ours[*row] == side);
                let last = near.last();
                for (at, sum) in sums.iter_mut().enumerate() {
                    let hidden = |side: bool| first(side).or(last).map_or(0.0, |(_, own)| own[at]);
                    *sum += hidden(false) - hidden(true);
                }
            }
            sums
        };
        let found = apart(&order);
        let mut rng = comparison.seed.stream("obfuscation exchanges");
        let mut drawn = [Vec::with_capacity(EXCHANGES), Vec::with_capacity(EXCHANGES)];
        for _ in 0..EXCHANGES {
            shuffle_front(&mut order, ours, &mut rng);
            drawn.iter_mut().zip(apart(&order)).for_each(|(drawn, sum)| drawn.push(sum));
        }
        Ok(Some(Self { rows: rows.len(), found, drawn }))
    }

    pub(super) fn p_value(&self, at: usize) -> f64 {
        // Sums in another order end a rounding apart.
        let found = self.found[at] - 1e-9 * self.rows as f64;
        let as_far = self.drawn[at].iter().filter(|&&sum| sum >= found).count();
        (as_far + 1) as f64 / (EXCHANGES + 1) as f64
    }

    /// The share of copies that would show: of a copied row nothing is hidden, of another one as much
    /// as unseen rows hide. `copies` are the copied rows by the share of the training rows told.
    pub(super) fn least_leak(&self, at: usize, hidden: f64, copies: f64) -> Option<f64> {
        // The deviation by chance, and copies, in units of what one of these moves the sum by. Copies that
        // are exchanged add to it.
        let chance = mean_and_sd(&self.drawn[at]).1 / hidden;
        // Where all rows hide alike, nothing says how much a copy would stand out.
        if !(hidden > 0.0 && chance > 0.0) {
            return None;
        }
        let mut told = 0.0;
        for _ in 0..STEPS {
            told = LEVEL_AND_POWER * (chance * chance + told).sqrt();
        }
        Some(told / self.rows as f64 * copies)
    }
}

fn near(
    comparison: &Comparison<'_>,
    space: &Space,
    (rows, columns): (&[usize], &[usize]),
    both: &Table,
) -> Vec<Vec<Near>> {
    let all: Vec<usize> = (0..both.rows()).collect();
    let (queries, points) = (space.points(comparison.train, rows), space.points(both, &all));
    let found = nearest(space, &queries, &points, NEIGHBOURS, comparison.threads);
    let (cells, width) = (Cells::new(comparison.train, columns, both), space.columns() as f64);
    let of = |(&row, best): (&usize, &Best)| -> Vec<Near> {
        let others = best.rows().enumerate();
        let hidden =
            |place: usize, other: usize| [cells.changed(row, other), best.distance(place) / width];
        others.map(|(place, other)| (other, hidden(place, other))).collect()
    };
    rows.iter().zip(&found).map(of).collect()
}
