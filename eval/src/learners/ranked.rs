use super::features::Design;

/// Features as places in the ascending list of their values: what a tree needs that looks at every cut.
#[derive(Debug)]
pub(crate) struct Ranked {
    pub(super) rows: usize,
    pub(super) features: Vec<RankedFeature>,
}

#[derive(Debug)]
pub(super) struct RankedFeature {
    /// All different values, ascending.
    pub(super) values: Vec<f64>,
    /// Of each row, the place of its value.
    pub(super) places: Vec<u32>,
}

impl Ranked {
    /// `design` holds no NaN.
    pub(crate) fn of(design: &Design) -> Self {
        let features = (0..design.width).map(|column| RankedFeature::of(design, column)).collect();
        Self { rows: design.rows, features }
    }
}

impl RankedFeature {
    fn of(design: &Design, column: usize) -> Self {
        // Adding 0 makes -0 a 0, which it equals.
        let cells =
            || design.values.iter().skip(column).step_by(design.width).map(|cell| cell + 0.0);
        let mut values: Vec<f64> = cells().collect();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        let place = |cell: f64| values.partition_point(|&value| value < cell) as u32;
        let places = cells().map(place).collect();
        Self { values, places }
    }

    /// Half-way between the values at two places.
    pub(super) fn cut(&self, below: u32, above: u32) -> f64 {
        let (below, above) = (self.values[below as usize], self.values[above as usize]);
        let middle = below / 2.0 + above / 2.0;
        // Between two neighbouring doubles there is nothing.
        if middle < above { middle } else { below }
    }
}
