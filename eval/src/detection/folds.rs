use crate::tables::shuffle_front;
use meg_core::Seed;

/// Parts that the rows are cut into.
pub(super) const FOLDS: usize = 5;

/// The fold of each row: as many rows in each as can be, at random.
pub(super) fn folds(rows: usize, seed: Seed) -> Vec<usize> {
    let mut folds: Vec<usize> = (0..rows).map(|row| row % FOLDS).collect();
    shuffle_front(&mut folds, rows, &mut seed.stream("detection folds"));
    folds
}
