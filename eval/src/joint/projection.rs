use crate::{Comparison, learners::features::Features, spectrum::Spectrum, tables::subsample};
use meg_core::Table;
use serde::{Deserialize, Serialize};

/// Rows that the components are fitted on at most.
const MOST_ROWS: usize = 5_000;

/// Features at most: the decomposition costs their cube.
const MOST_WIDTH: usize = 400;

/// Rows as points along the first two principal components of the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// Share of the training rows' variance along each of the two components.
    pub shares: [f64; 2],
    /// Training rows. They are people's rows, seen from afar: who shows them shows something of
    /// them.
    pub real: Vec<[f64; 2]>,
    /// Synthetic rows.
    pub synthetic: Vec<[f64; 2]>,
}

/// A sample of `most` training rows and of as many synthetic rows along the first two principal
/// components of the training rows, for a picture.
///
/// The features are those of `pca_rotation`: numbers and indicators of levels in standard deviations
/// of the training rows. `None` where the training rows vary in fewer than two of them or in more
/// than 400, or where a table has no row.
pub fn projection(comparison: &Comparison<'_>, most: usize) -> Option<Projection> {
    let Comparison { train, synthetic, seed, .. } = *comparison;
    if train.rows() == 0 || synthetic.rows() == 0 {
        return None;
    }
    let features = Features::fit(train, None);
    let rows = subsample(train.rows(), MOST_ROWS, seed, "projection components");
    let design = features.design(train, &rows);
    if design.width < 2 || design.width > MOST_WIDTH {
        return None;
    }
    let spectrum = Spectrum::fit(&design);
    let ratios = spectrum.ratios();
    let points = |table: &Table, purpose: &str| -> Vec<[f64; 2]> {
        let design = features.design(table, &subsample(table.rows(), most, seed, purpose));
        let scores = spectrum.scores(&design, 2);
        scores.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
    };
    ratios[0].is_finite().then(|| Projection {
        shares: [ratios[0], ratios[1]],
        real: points(train, "projection training rows"),
        synthetic: points(synthetic, "projection synthetic rows"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Column, ColumnSpec, Schema, Seed};

    fn line(rows: usize, slope: f64) -> Table {
        let x: Vec<f64> = (0..rows).map(|row| row as f64).collect();
        let middle = rows as f64 / 2.0;
        let y = x.iter().map(|x| slope * (x - middle) + (x * 7.0) % 3.0).collect();
        let specs = vec![ColumnSpec::number("x", None), ColumnSpec::number("y", None)];
        Table::new(Schema::new(specs).unwrap(), vec![Column::Numbers(x), Column::Numbers(y)])
            .unwrap()
    }

    fn of(train: &Table, synthetic: &Table, most: usize) -> Option<Projection> {
        let (holdout, truth, seed) = (None, None, Seed(1));
        projection(&Comparison { train, holdout, synthetic, truth, seed, threads: 1 }, most)
    }

    #[test]
    fn equal_tables_cover_each_other_and_the_first_component_is_the_longest() {
        let table = line(300, 2.0);
        let shown = of(&table, &table, 1_000).unwrap();
        assert_eq!(shown.real, shown.synthetic);
        assert_eq!(shown.real.len(), 300);
        assert!(shown.shares[0] > 0.99 && shown.shares[0] + shown.shares[1] < 1.0 + 1e-12);
        let spread =
            |axis: usize| shown.real.iter().map(|point| point[axis].abs()).fold(0.0, f64::max);
        assert!(spread(0) > 10.0 * spread(1));
        assert_eq!(of(&table, &table, 50).unwrap().real.len(), 50);
    }

    #[test]
    fn rows_against_the_slope_lie_along_the_second_component() {
        let shown = of(&line(300, 2.0), &line(300, -2.0), 300).unwrap();
        let variance = |axis: usize| shown.synthetic.iter().map(|p| p[axis].powi(2)).sum::<f64>();
        assert!(variance(1) > 100.0 * variance(0));
    }

    #[test]
    fn one_feature_has_no_picture() {
        let specs = vec![ColumnSpec::number("x", None)];
        let cells = vec![Column::Numbers(vec![1.0, 2.0])];
        let table = Table::new(Schema::new(specs).unwrap(), cells).unwrap();
        assert_eq!(of(&table, &table, 10), None);
    }
}
