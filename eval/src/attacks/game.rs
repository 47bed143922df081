use crate::{
    Comparison,
    gower::{Points, Space, nearest},
    score::Gap,
    tables::{row_keys, shuffle_front, subsample},
};
use meg_core::Table;
use std::collections::HashSet;

/// Rows of either side at most.
const MOST_ROWS: usize = 5_000;

/// Rows of either side at least.
const LEAST_ROWS: usize = 50;

/// Who is attacked with what: as many training rows (members) as unseen rows, and other unseen rows
/// that the attacker knows.
#[derive(Debug)]
pub(super) struct Game<'a> {
    pub(super) train: &'a Table,
    pub(super) holdout: &'a Table,
    pub(super) synthetic: &'a Table,
    /// Rows of `train`.
    pub(super) members: Vec<usize>,
    /// Rows of `holdout`.
    pub(super) others: Vec<usize>,
    /// Rows of `holdout` that the attacker knows; none of them is among `others`.
    pub(super) known: Vec<usize>,
    /// The synthetic rows and the known ones: all that the attacker may learn scales from. With scales
    /// from the training rows, members would differ from others in how they were measured.
    pub(super) public: Table,
    /// Distances by the scales of these.
    pub(super) space: Space,
}

impl<'a> Game<'a> {
    /// One half of the holdout rows is attacked, the other is known. A member that equals an unseen
    /// row, and the unseen row, are left out: whose row it is has no answer. (Both sides lose such
    /// rows alike, so that the game stays fair.)
    pub(super) fn new(comparison: &Comparison<'a>) -> Result<Self, Gap> {
        let Comparison { train, synthetic, seed, .. } = *comparison;
        if train.rows() == 0 {
            return Err(Gap::undefined("there is no training row"));
        }
        if synthetic.rows() == 0 {
            return Err(Gap::undefined("there is no synthetic row"));
        }
        let holdout = comparison
            .holdout
            .filter(|table| table.rows() > 0)
            .ok_or_else(|| Gap::skipped("there are no holdout rows"))?;
        let rows = (holdout.rows() / 2).min(train.rows()).min(MOST_ROWS);
        if rows < LEAST_ROWS {
            return Err(Gap::undefined(format!(
                "{rows} members and as many unseen rows are too few; {LEAST_ROWS} are needed (half of the holdout rows are known to the attacker)"
            )));
        }
        let mut order: Vec<usize> = (0..holdout.rows()).collect();
        shuffle_front(&mut order, holdout.rows(), &mut seed.stream("membership holdout rows"));
        let known: Vec<usize> = order[rows..].iter().copied().take(MOST_ROWS).collect();
        let public = synthetic.clone().concat(holdout.select_rows(&known));
        let public = public.map_err(|error| Gap::failed(error.to_string()))?;
        let space = Space::fit(&public);
        if space.columns() == 0 {
            return Err(Gap::undefined("there is no column to compare"));
        }
        let members = subsample(train.rows(), rows, seed, "membership members");
        let others = order[..rows].to_vec();
        let game = Self { train, holdout, synthetic, members, others, known, public, space };
        game.without_twins(comparison.threads)
    }

    /// Rows that equal one of the other side or a known one are left out, and of equal ones on one side all but one:
    /// they would always stand together, and chance could not exchange them.
    fn without_twins(mut self, threads: usize) -> Result<Self, Gap> {
        let space = &self.space;
        let members = space.points(self.train, &self.members);
        let others = space.points(self.holdout, &self.others);
        let apart = |from: &Points, to: &Points, rows: &[usize]| -> Vec<usize> {
            let found = nearest(space, from, to, 1, threads);
            let pairs = rows.iter().zip(found);
            pairs.filter(|(_, best)| best.distance(0) > 0.0).map(|(row, _)| *row).collect()
        };
        let own = apart(&members, &others, &self.members);
        let others = apart(&others, &members, &self.others);
        let known: HashSet<Vec<u64>> = row_keys(self.holdout, self.known.iter().copied()).collect();
        self.others = single(self.holdout, others, known.clone());
        self.members = single(self.train, own, known);
        let least = self.members.len().min(self.others.len());
        match least < LEAST_ROWS {
            true => Err(Gap::undefined(format!(
                "without rows that are both member and unseen only {least} are left; {LEAST_ROWS} are needed"
            ))),
            false => Ok(self),
        }
    }
}

/// The first of all rows that are equal, but for those that were seen before.
fn single(table: &Table, rows: Vec<usize>, mut seen: HashSet<Vec<u64>>) -> Vec<usize> {
    let fresh: Vec<bool> =
        row_keys(table, rows.iter().copied()).map(|key| seen.insert(key)).collect();
    rows.into_iter().zip(fresh).filter(|(_, fresh)| *fresh).map(|(row, _)| row).collect()
}
