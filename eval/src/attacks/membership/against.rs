use super::super::{
    density::{Density, axes},
    game::Game,
};
use crate::{
    Comparison,
    gower::{Best, Points, Space, nearest},
    learners::features::Features,
    score::Gap,
    spectrum::Spectrum,
    tables::subsample,
};
use meg_core::Table;

/// Neighbours whose origin the last attack counts.
const NEIGHBOURS: usize = 5;

/// Synthetic rows that the density is fitted to at most.
const MOST_DENSITY_ROWS: usize = 10_000;

/// What all attacks on rows need of a table of synthetic rows.
pub(super) struct Against<'a> {
    space: &'a Space,
    synthetic: Points,
    known: Points,
    densities: Result<Densities, Gap>,
}

/// The scores of rows by attack, and how far each row is from what the attacker knows.
pub(super) struct Scored {
    pub(super) scores: [Result<Vec<f64>, Gap>; 4],
    pub(super) far: Vec<f64>,
}

impl<'a> Against<'a> {
    pub(super) fn new(game: &'a Game<'_>, comparison: &Comparison<'_>, synthetic: &Table) -> Self {
        let space = &game.space;
        let all: Vec<usize> = (0..synthetic.rows()).collect();
        Self {
            space,
            synthetic: space.points(synthetic, &all),
            known: space.points(game.holdout, &game.known),
            densities: Densities::fit(game, comparison, synthetic),
        }
    }

    pub(super) fn scores(
        &self,
        comparison: &Comparison<'_>,
        table: &Table,
        rows: &[usize],
    ) -> Scored {
        let queries = self.space.points(table, rows);
        let [synthetic, known] = [&self.synthetic, &self.known]
            .map(|points| nearest(self.space, &queries, points, NEIGHBOURS, comparison.threads));
        let score = |of: &dyn Fn(&Best, &Best) -> f64| -> Vec<f64> {
            synthetic.iter().zip(&known).map(|(synthetic, known)| of(synthetic, known)).collect()
        };
        let (ours, theirs) = (self.synthetic.rows() as f64, self.known.rows() as f64);
        let share = ours / (ours + theirs);
        let densities = match &self.densities {
            Ok(densities) => Ok(densities.ratios(table, rows, comparison.threads)),
            Err(gap) => Err(gap.clone()),
        };
        Scored {
            scores: [
                Ok(score(&|synthetic, _| -synthetic.distance(0))),
                Ok(score(&|synthetic, known| known.distance(0) - synthetic.distance(0))),
                densities,
                Ok(score(&|synthetic, known| origin(synthetic, known, share))),
            ],
            far: score(&|_, known| known.distance(0)),
        }
    }
}

/// The share of synthetic rows among the nearest of both kinds; a tie counts as chance has it.
fn origin(synthetic: &Best, known: &Best, share: f64) -> f64 {
    let (mut i, mut j, mut own) = (0, 0, 0.0);
    for _ in 0..NEIGHBOURS {
        let (a, b) = (synthetic.distance(i), known.distance(j));
        match a.total_cmp(&b) {
            std::cmp::Ordering::Less => {
                own += 1.0;
                i += 1;
            }
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                own += share;
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    own / NEIGHBOURS as f64
}

/// Densities of synthetic rows and of those that the attacker knows.
struct Densities {
    features: Features,
    spectrum: Spectrum,
    axes: usize,
    synthetic: Density,
    known: Density,
}

impl Densities {
    fn fit(game: &Game<'_>, comparison: &Comparison<'_>, synthetic: &Table) -> Result<Self, Gap> {
        let features = Features::fit(&game.public, None);
        let sample = |table: &Table, purpose| {
            subsample(table.rows(), MOST_DENSITY_ROWS, comparison.seed, purpose)
        };
        let public = features.design(&game.public, &sample(&game.public, "membership axes rows"));
        if public.width == 0 {
            return Err(Gap::undefined(
                "no column varies in the synthetic rows and the known ones",
            ));
        }
        let spectrum = Spectrum::fit(&public);
        let axes = axes(&spectrum);
        let of = |table, rows: &[usize]| {
            Density::fit(&spectrum.scores(&features.design(table, rows), axes), axes)
        };
        let synthetic = of(synthetic, &sample(synthetic, "membership density rows"));
        let known = of(game.holdout, &game.known);
        Ok(Self { features, spectrum, axes, synthetic, known })
    }

    /// The logarithm of the one over the other.
    fn ratios(&self, table: &Table, rows: &[usize], threads: usize) -> Vec<f64> {
        let points = self.spectrum.scores(&self.features.design(table, rows), self.axes);
        let above = self.synthetic.logarithms(&points, threads);
        let below = self.known.logarithms(&points, threads);
        above.iter().zip(below).map(|(above, below)| above - below).collect()
    }
}
