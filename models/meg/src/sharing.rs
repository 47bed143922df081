//! What the codes of an ordered column learn from each other.

use neural::kernels::{Matrix, MatrixMut, multiply};

/// By code, the codes of whose gradients it takes shares, which sum to 1.
///
/// In a small table few rows have any one value or bin. A network whose outputs are learned one by
/// one has these rows by heart before it has found that one number rises with another, and the rows
/// that decide when to stop then stop it. So a code takes its gradient from the codes beside it,
/// too: what they have in common is learned first. It is another direction downhill, not another
/// goal: thanks to the share that a code keeps it is zero only where the gradient is (a Sobolev
/// gradient, Neuberger 1985). Biases do not share.
///
/// A step costs one product of the output weights with a square of the codes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sharing {
    codes: usize,
    /// A square matrix, of which each column has the shares of one code.
    matrix: Vec<f32>,
}

/// Share that a code keeps for itself whatever lies beside it, so that it can be learned apart.
const OWN: f64 = 0.1;
/// Standard deviations of the kernel beyond which there is nothing to share.
const REACH: f64 = 3.0;

impl Sharing {
    /// For codes of so many rows each, of which those with a rank are ordered. The kernel is normal
    /// with a standard deviation of `width` rows, counted along the ordered column, so that a
    /// frequent value learns alone. `None` where nothing is ordered.
    pub(crate) fn new(ranks: &[Option<f32>], counts: &[u64], width: f64) -> Option<Self> {
        let mut ordered: Vec<(f32, usize)> =
            ranks.iter().enumerate().filter_map(|(code, rank)| Some(((*rank)?, code))).collect();
        if width <= 0.0 || ordered.len() < 3 {
            return None;
        }
        ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut rows = 0.0;
        let places: Vec<(f64, usize)> = ordered
            .into_iter()
            .map(|(_, code)| {
                let middle = rows + 0.5 * counts[code] as f64;
                rows += counts[code] as f64;
                (middle, code)
            })
            .collect();
        let codes = ranks.len();
        let mut matrix = vec![0.0; codes * codes];
        (0..codes)
            .filter(|&code| ranks[code].is_none())
            .for_each(|code| matrix[code * codes + code] = 1.0);
        for &(place, code) in &places {
            for (other, share) in shares(&places, place, code, width) {
                matrix[other * codes + code] = share;
            }
        }
        Some(Self { codes, matrix })
    }

    /// Shares out the gradient of an output layer: rows of a cell for each code. `alone` is room for
    /// what it was.
    pub(crate) fn apply(&self, gradient: &mut [f32], alone: &mut Vec<f32>) {
        alone.clear();
        alone.extend_from_slice(gradient);
        let (codes, rows) = (self.codes, gradient.len() / self.codes);
        let (alone, shares) =
            (Matrix::new(alone, rows, codes), Matrix::new(&self.matrix, codes, codes));
        multiply(&mut MatrixMut::new(gradient, rows, codes), 0.0, alone, shares, 1);
    }

    /// Number of codes.
    pub(crate) fn codes(&self) -> usize {
        self.codes
    }

    /// By row, what each code gives to the code of the column.
    pub(crate) fn matrix(&self) -> &[f32] {
        &self.matrix
    }
}

/// What the code at a place takes from each code near it.
fn shares(
    places: &[(f64, usize)],
    place: f64,
    code: usize,
    width: f64,
) -> impl Iterator<Item = (usize, f32)> {
    let near: Vec<(usize, f64)> = places
        .iter()
        .map(|&(other, code)| (code, (other - place) / width))
        .filter(|(_, far)| far.abs() <= REACH)
        .map(|(code, far)| (code, (-0.5 * far * far).exp()))
        .collect();
    let sum: f64 = near.iter().map(|(_, weight)| weight).sum();
    near.into_iter().map(move |(other, weight)| {
        let own = if other == code { OWN } else { 0.0 };
        (other, (own + (1.0 - OWN) * weight / sum) as f32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_and_frequent_values_and_those_without_order_learn_alone() {
        let ranks = [Some(0.0), Some(0.5), Some(1.0), Some(1.5), None];
        let sharing = Sharing::new(&ranks, &[10, 10, 10, 1_000, 50], 20.0).unwrap();
        let shares = |code: usize| -> Vec<f32> {
            (0..5).map(|other| sharing.matrix()[other * 5 + code]).collect()
        };
        for code in 0..5 {
            let sum: f32 = shares(code).iter().sum();
            assert!((sum - 1.0).abs() < 1e-6, "{code}: {sum}");
        }
        assert_eq!(shares(3), [0.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(shares(4), [0.0, 0.0, 0.0, 0.0, 1.0]);
        let [low, own, high, ..] = shares(1)[..] else { unreachable!("there are five codes") };
        assert!(low > 0.2 && low == high && own > low && own < 0.6, "{low} {own} {high}");
    }

    #[test]
    fn sharing_out_is_a_product_with_the_matrix() {
        let ranks: Vec<Option<f32>> =
            (0..6).map(|code| (code < 5).then_some(code as f32)).collect();
        let sharing = Sharing::new(&ranks, &[3, 9, 2, 5, 8, 4], 6.0).unwrap();
        let gradient: Vec<f32> = (0..12).map(|cell| (cell as f32 * 1.7).sin()).collect();
        let mut shared = gradient.clone();
        sharing.apply(&mut shared, &mut Vec::new());
        for row in 0..2 {
            for code in 0..6 {
                let shares = |other: usize| sharing.matrix()[other * 6 + code];
                let exact: f32 =
                    (0..6).map(|other| gradient[row * 6 + other] * shares(other)).sum();
                assert!((shared[row * 6 + code] - exact).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn without_width_or_order_there_is_none() {
        assert_eq!(Sharing::new(&[None; 4], &[5; 4], 100.0), None);
        assert_eq!(Sharing::new(&[Some(0.0), Some(0.5), Some(1.0)], &[5; 3], 0.0), None);
    }
}
