//! Weighted Gaussian densities of many values at once: the inner loops of the mixture.
//!
//! Written for the compiler's vectors: no branches, no calls, sums over eight fixed lanes, so that
//! results are the same whatever the width of the machine's vectors.

/// Values that are handled together; their cells stay in the first cache.
pub(crate) const BLOCK: usize = 256;
const LANES: usize = 8;
/// A component whose share of every value of a block is below `exp(-60)` is left out of it.
const NEGLIGIBLE: f64 = -60.0;

/// The components of a mixture, as densities need them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Components<'a> {
    /// Log weight plus what else of the log density no value changes.
    pub offsets: &'a [f64],
    pub means: &'a [f64],
    pub deviations: &'a [f64],
}

/// Densities of up to [`BLOCK`] values under every component, relative to the highest of each
/// value.
#[derive(Debug)]
pub(crate) struct Densities {
    /// Component by component, [`BLOCK`] cells each; cells of a component that is not `present`
    /// count as 0.
    cells: Vec<f64>,
    present: Vec<bool>,
    /// Per value, the log density of its likeliest component.
    highest: Vec<f64>,
    /// Per value, the sum of its relative densities: at least 1.
    sums: Vec<f64>,
}

/// Sums over weighted values of one component.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    pub count: f64,
    pub sum: f64,
    pub square: f64,
}

impl Densities {
    pub(crate) fn new(components: usize) -> Self {
        Self {
            cells: vec![0.0; components * BLOCK],
            present: vec![false; components],
            highest: vec![0.0; BLOCK],
            sums: vec![0.0; BLOCK],
        }
    }

    /// Fills the cells for these values, at most [`BLOCK`] of them.
    pub(crate) fn fill(&mut self, values: &[f64], components: Components<'_>) {
        let Self { cells, present, highest, sums } = self;
        let (highest, sums) = (&mut highest[..values.len()], &mut sums[..values.len()]);
        highest.fill(f64::NEG_INFINITY);
        sums.fill(0.0);
        let all = components.offsets.iter().zip(components.means).zip(components.deviations);
        for (cells, ((&offset, &mean), &deviation)) in cells.chunks_exact_mut(BLOCK).zip(all) {
            log_densities(values, offset, mean, deviation, &mut cells[..values.len()], highest);
        }
        for (cells, present) in cells.chunks_exact_mut(BLOCK).zip(present) {
            let cells = &mut cells[..values.len()];
            *present = matters(cells, highest);
            if *present {
                raise(cells, highest, sums);
            }
        }
    }

    /// The density of value `at` under a component, relative to its likeliest component.
    pub(crate) fn relative(&self, component: usize, at: usize) -> f64 {
        if self.present[component] { self.cells[component * BLOCK + at] } else { 0.0 }
    }

    /// The sum of the relative densities of value `at` over all components.
    pub(crate) fn sum(&self, at: usize) -> f64 {
        self.sums[at]
    }

    /// The log density of value `at` under the mixture.
    pub(crate) fn log_density(&self, at: usize) -> f64 {
        self.highest[at] + self.sums[at].ln()
    }

    /// Adds the weighted values to the moments of each component, in the shares of their
    /// densities. Returns the weighted sum of the log densities under the mixture.
    pub(crate) fn add_moments(
        &mut self,
        values: &[f64],
        weights: &[f64],
        moments: &mut [Moments],
    ) -> f64 {
        let (highest, sums) = (&self.highest[..values.len()], &mut self.sums[..values.len()]);
        let total = share_out(weights, highest, sums);
        for ((cells, &present), moments) in
            self.cells.chunks_exact(BLOCK).zip(&self.present).zip(moments)
        {
            if present {
                let more = weighted_moments(&cells[..values.len()], sums, values);
                moments.count += more.count;
                moments.sum += more.sum;
                moments.square += more.square;
            }
        }
        total
    }
}

fn log_densities(
    values: &[f64],
    offset: f64,
    mean: f64,
    deviation: f64,
    cells: &mut [f64],
    highest: &mut [f64],
) {
    for ((cell, highest), &value) in cells.iter_mut().zip(highest).zip(values) {
        let z = (value - mean) / deviation;
        *cell = offset - 0.5 * z * z;
        *highest = if *cell > *highest { *cell } else { *highest };
    }
}

fn matters(cells: &[f64], highest: &[f64]) -> bool {
    let near = |(cell, highest): (&f64, &f64)| cell - highest > NEGLIGIBLE;
    cells.iter().zip(highest).any(near)
}

fn raise(cells: &mut [f64], highest: &[f64], sums: &mut [f64]) {
    for ((cell, &highest), sum) in cells.iter_mut().zip(highest).zip(sums) {
        *cell = exp(*cell - highest);
        *sum += *cell;
    }
}

/// Turns the sums into the factors that make shares of relative densities, weights included.
fn share_out(weights: &[f64], highest: &[f64], sums: &mut [f64]) -> f64 {
    let mut total = [0.0; LANES];
    let parts = sums.chunks_mut(LANES).zip(weights.chunks(LANES)).zip(highest.chunks(LANES));
    for ((sums, weights), highest) in parts {
        let lanes = total.iter_mut().zip(sums).zip(weights).zip(highest);
        for (((total, sum), &weight), &highest) in lanes {
            *total += weight * (highest + ln(*sum));
            *sum = weight / *sum;
        }
    }
    total.iter().sum()
}

fn weighted_moments(cells: &[f64], factors: &[f64], values: &[f64]) -> Moments {
    let (mut count, mut sum, mut square) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let mut add = |at: usize, cell: f64, factor: f64, value: f64| {
        let share = cell * factor;
        count[at] += share;
        sum[at] += share * value;
        square[at] += share * value * value;
    };
    let whole = cells.len() / LANES * LANES;
    let parts = cells.chunks_exact(LANES).zip(factors.chunks_exact(LANES));
    for ((cells, factors), values) in parts.zip(values.chunks_exact(LANES)) {
        for at in 0..LANES {
            add(at, cells[at], factors[at], values[at]);
        }
    }
    for at in whole..cells.len() {
        add(at - whole, cells[at], factors[at], values[at]);
    }
    Moments { count: count.iter().sum(), sum: sum.iter().sum(), square: square.iter().sum() }
}

/// `exp` of a number that is not above 0, with a relative error below 1e-14; below -700 it is
/// `exp(-700)`.
#[inline(always)]
fn exp(x: f64) -> f64 {
    const MAGIC: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52: adding it rounds to a whole number.
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = if x < -700.0 { -700.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + MAGIC;
    let whole = shifted - MAGIC;
    let rest = (x - whole * LN_2_HIGH) - whole * LN_2_LOW;
    // The Taylor series; |rest| is at most ln(2) / 2.
    let mut p = 1.0 / 39_916_800.0;
    p = p * rest + 1.0 / 3_628_800.0;
    p = p * rest + 1.0 / 362_880.0;
    p = p * rest + 1.0 / 40_320.0;
    p = p * rest + 1.0 / 5_040.0;
    p = p * rest + 1.0 / 720.0;
    p = p * rest + 1.0 / 120.0;
    p = p * rest + 1.0 / 24.0;
    p = p * rest + 1.0 / 6.0;
    p = p * rest + 0.5;
    p = p * rest + 1.0;
    p = p * rest + 1.0;
    f64::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 52))
}

/// Natural logarithm of a normal number of at least 1, with an absolute error below 1e-14 times
/// the larger of 1 and the result.
#[inline(always)]
fn ln(x: f64) -> f64 {
    const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
    const TWO_52: u64 = 0x4330_0000_0000_0000;
    // x = m * 2^e with m in [sqrt(1/2), sqrt(2)); e is not negative for x of at least 1.
    let bits = x.to_bits().wrapping_sub(ROOT_HALF);
    let e = f64::from_bits((bits >> 52) | TWO_52) - f64::from_bits(TWO_52);
    let m = f64::from_bits((bits & MANTISSA).wrapping_add(ROOT_HALF));
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut p = 1.0 / 17.0;
    p = p * z + 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    p = p * z + 1.0;
    e * std::f64::consts::LN_2 + 2.0 * s * p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approximations_are_close_over_their_whole_range() {
        let mut x = -699.9;
        while x <= 0.0 {
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "exp({x}): {} {}", exp(x), x.exp());
            x += 0.013_7;
        }
        assert_eq!((exp(0.0), exp(-1e300)), (1.0, exp(-700.0)));
        let mut x = 1.0f64;
        while x < 1e6 {
            let error = (ln(x) - x.ln()).abs();
            assert!(error < 1e-14 * x.ln().max(1.0), "ln({x}): {} {}", ln(x), x.ln());
            x *= 1.000_37;
        }
    }

    #[test]
    fn shares_and_moments_agree_with_the_plain_form() {
        let (offsets, means, deviations) = ([-1.0, -0.5, -900.0], [0.0, 3.0, 1.0], [1.0, 0.3, 1.0]);
        let components = Components { offsets: &offsets, means: &means, deviations: &deviations };
        let values: Vec<f64> = (0..BLOCK - 3).map(|at| at as f64 * 0.02 - 1.0).collect();
        let weights: Vec<f64> = (0..values.len()).map(|at| 1.0 + (at % 3) as f64).collect();
        let (mut plain, mut log_density) = ([Moments::default(); 3], 0.0);
        for (value, weight) in values.iter().zip(&weights) {
            let density =
                |k: usize| (offsets[k] - 0.5 * ((value - means[k]) / deviations[k]).powi(2)).exp();
            let sum: f64 = (0..3).map(density).sum();
            log_density += weight * sum.ln();
            for (k, moments) in plain.iter_mut().enumerate() {
                let share = weight * density(k) / sum;
                moments.count += share;
                moments.sum += share * value;
                moments.square += share * value * value;
            }
        }
        let mut densities = Densities::new(3);
        densities.fill(&values, components);
        let mut moments = [Moments::default(); 3];
        let total = densities.add_moments(&values, &weights, &mut moments);
        assert!((total - log_density).abs() < 1e-9);
        for (ours, plain) in moments.iter().zip(&plain) {
            assert!((ours.count - plain.count).abs() < 1e-9, "{ours:?} {plain:?}");
            assert!((ours.sum - plain.sum).abs() < 1e-9, "{ours:?} {plain:?}");
            assert!((ours.square - plain.square).abs() < 1e-9, "{ours:?} {plain:?}");
        }
    }
}
