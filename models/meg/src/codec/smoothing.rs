use super::NumberCodec;
use crate::sharing::Sharing;

/// Soft targets: for each code, the codes that the network is asked for instead, with weights
/// that sum to 1; and what the codes share of their gradients.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Targets {
    /// First code of each band; the weights are those of the codes from there on.
    bands: Vec<(usize, Vec<f32>)>,
    sharing: Option<Sharing>,
}

/// A column with fewer bins is not smoothed.
const LEAST_BINS: usize = 8;
/// The number of bins for which the width of the kernel is given.
const REFERENCE_BINS: f64 = 256.0;
const ROUNDS: usize = 200;

impl Targets {
    /// Every code asks for itself.
    pub(crate) fn hard(size: usize) -> Self {
        Self { bands: (0..size).map(|code| (code, vec![1.0])).collect(), sharing: None }
    }

    /// The same, learned with this sharing.
    pub(crate) fn shared(self, sharing: Option<Sharing>) -> Self {
        Self { sharing, ..self }
    }

    /// What the codes share of their gradients, if anything.
    pub(crate) fn sharing(&self) -> Option<&Sharing> {
        self.sharing.as_ref()
    }

    /// Gaussian weights over the neighbouring bins, scaled until rows and columns sum to 1 (Sinkhorn
    /// and Knopp 1967), so that bins of equal count keep their shares. The kernel never crosses an
    /// atom: each run of bins is smoothed by itself. `sigma` is in bins of a column of 256; fewer
    /// bins are wider, and the kernel narrows with the root of their number.
    pub(crate) fn smoothed(codec: &NumberCodec, sigma: f64) -> Self {
        let mut targets = Self::hard(codec.size());
        let bins = codec.bins();
        let sigma = sigma * (bins as f64 / REFERENCE_BINS).sqrt();
        if bins < LEAST_BINS || sigma <= 0.0 {
            return targets;
        }
        for run in codec.bin_runs() {
            for (at, band) in sinkhorn(run.len(), sigma).into_iter().enumerate() {
                targets.bands[run.start + at] = (run.start + band.0, band.1);
            }
        }
        targets
    }

    /// First code and weights of the band of a code.
    pub(crate) fn band(&self, code: usize) -> (usize, &[f32]) {
        let (start, weights) = &self.bands[code];
        (*start, weights)
    }
}

/// The bands of `diag(d) W diag(d)` with Gaussian `W` and the `d` that makes it doubly stochastic.
fn sinkhorn(size: usize, sigma: f64) -> Vec<(usize, Vec<f32>)> {
    let reach = (4.0 * sigma).ceil() as usize;
    let kernel: Vec<f64> =
        (0..=reach).map(|far| (-0.5 * (far as f64 / sigma).powi(2)).exp()).collect();
    let weight = |a: usize, b: usize| kernel[a.abs_diff(b)];
    let band = |at: usize| at.saturating_sub(reach)..(at + reach + 1).min(size);
    let mut d = vec![1.0f64; size];
    for _ in 0..ROUNDS {
        let sums = (0..size).map(|at| band(at).map(|b| weight(at, b) * d[b]).sum::<f64>());
        let next: Vec<f64> = d.iter().zip(sums).map(|(d, sum)| (d / sum).sqrt()).collect();
        d = next;
    }
    (0..size)
        .map(|at| {
            let weights: Vec<f64> = band(at).map(|b| d[at] * weight(at, b) * d[b]).collect();
            let sum: f64 = weights.iter().sum();
            (band(at).start, weights.iter().map(|weight| (weight / sum) as f32).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::NumberOptions;
    use meg_core::ColumnSpec;

    #[test]
    fn the_kernel_is_doubly_stochastic() {
        for size in [1, 2, 7, 256] {
            let bands = sinkhorn(size, 1.5);
            let mut columns = vec![0.0f64; size];
            for (start, weights) in &bands {
                for (at, &weight) in weights.iter().enumerate() {
                    columns[start + at] += f64::from(weight);
                }
                let sum: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
                assert!((sum - 1.0).abs() < 1e-5);
            }
            assert!(columns.iter().all(|sum| (sum - 1.0).abs() < 1e-4), "{columns:?}");
        }
        // In the middle the kernel is the plain Gaussian.
        let (start, weights) = &sinkhorn(101, 1.5)[50];
        let ratio = f64::from(weights[51 - start] / weights[50 - start]);
        assert!((ratio - (-0.5f64 / 2.25).exp()).abs() < 1e-3, "{ratio}");
    }

    #[test]
    fn atoms_and_missing_cells_stay_hard_and_are_never_crossed() {
        let spec = ColumnSpec::number("x", None).nullable();
        let mut column: Vec<f64> = (0..10_000).map(f64::from).collect();
        column.iter_mut().step_by(5).for_each(|cell| *cell = 5_000.0);
        column.iter_mut().step_by(9).for_each(|cell| *cell = f64::NAN);
        let options = NumberOptions { bins: 256, atoms: 128, least_rows: 1 };
        let codec = NumberCodec::fit(&spec, &column, options);
        let targets = Targets::smoothed(&codec, 1.5);
        let atom = codec.encode(5_000.0).unwrap();
        assert_eq!(targets.band(atom), (atom, [1.0].as_slice()));
        assert_eq!(targets.band(codec.size() - 1), (codec.size() - 1, [1.0].as_slice()));
        for code in 0..atom {
            let (start, weights) = targets.band(code);
            assert!(weights.len() > 1 && start + weights.len() <= atom);
        }
        assert!(targets.band(atom + 1).0 == atom + 1);
    }
}
