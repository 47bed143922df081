use super::bins::{Binned, BinnedFeature};
use crate::parallel;

/// How far a tree grows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growth {
    /// Leaves at most.
    pub(crate) leaves: usize,
    /// Rows of a leaf at least.
    pub(crate) least_rows: u32,
    /// Absolute value of a leaf at most.
    pub(crate) most_value: f64,
}

/// A fitted tree over bins.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
enum Node {
    Leaf(f64),
    Split { feature: usize, left_bins: Bins, left: usize, right: usize },
}

/// A set of bins.
#[derive(Debug, Clone, Copy, Default)]
struct Bins([u64; 4]);

impl Bins {
    fn insert(&mut self, bin: usize) {
        self.0[bin / 64] |= 1 << (bin % 64);
    }

    fn has(&self, bin: u8) -> bool {
        self.0[usize::from(bin) / 64] >> (bin % 64) & 1 == 1
    }
}

/// Sums over rows: of the loss's first and second derivatives, and how many rows.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    gradient: f64,
    hessian: f64,
    rows: u32,
}

impl Sum {
    fn plus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            hessian: self.hessian + other.hessian,
            rows: self.rows + other.rows,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows - other.rows,
        }
    }

    /// Twice the loss that a leaf with these rows saves, at a value that the growth allows.
    fn worth(self, penalty: f64, growth: Growth) -> f64 {
        let curvature = self.hessian + penalty;
        let (slope, most) = (self.gradient.abs(), growth.most_value);
        if slope <= most * curvature {
            return slope * slope / curvature;
        }
        most * (2.0 * slope - curvature * most)
    }
}

/// Second derivatives that a leaf needs: less is a division by next to nothing.
const LEAST_HESSIAN: f64 = 1e-3;

/// Categories of more levels than this are split in the order of their mean gradient, which fits
/// chance; the two constants below hold against it.
const FEW_LEVELS: usize = 4;
const CATEGORY_PENALTY: f64 = 10.0;
const CATEGORY_SMOOTHING: f64 = 10.0;

#[derive(Debug, Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    left_bins: Bins,
    left: Sum,
}

/// A leaf that may still be split.
struct Open {
    node: usize,
    /// Its rows, a range of the shared order.
    from: usize,
    to: usize,
    sum: Sum,
    histograms: Vec<Vec<Sum>>,
    split: Option<Split>,
}

impl Tree {
    /// Grows a tree that lowers `sum of gradient * value + hessian * value^2 / 2`, leaf after leaf,
    /// always where most is gained. `gains` grows by what each feature gained.
    ///
    /// Rows are summed in their order for each feature on its own, so the result does not depend
    /// on the number of threads.
    pub(crate) fn grow(
        data: &Binned,
        (gradients, hessians): (&[f64], &[f64]),
        growth: Growth,
        threads: usize,
        gains: &mut [f64],
    ) -> Self {
        let grower = Grower { data, gradients, hessians, growth, threads };
        let mut order: Vec<u32> = (0..data.rows as u32).collect();
        let mut nodes = Vec::new();
        let mut open = vec![grower.root(&order)];
        nodes.push(Node::Leaf(open[0].sum.value(growth)));
        let mut leaves = 1;
        while leaves < growth.leaves {
            // The first of equals, so that the order of leaves decides and nothing else.
            let best = open
                .iter()
                .enumerate()
                .filter_map(|(at, leaf)| Some((at, leaf.split?.gain)))
                .reduce(|best, other| if other.1 > best.1 { other } else { best });
            let Some((at, gain)) = best else { break };
            let leaf = open.swap_remove(at);
            let Some(split) = leaf.split else { break };
            gains[split.feature] += gain;
            let (left, right) = grower.split(leaf, split, &mut order, nodes.len());
            nodes[left.0] = Node::Split {
                feature: split.feature,
                left_bins: split.left_bins,
                left: nodes.len(),
                right: nodes.len() + 1,
            };
            nodes.push(Node::Leaf(left.1.sum.value(growth)));
            nodes.push(Node::Leaf(right.sum.value(growth)));
            open.push(left.1);
            open.push(right);
            leaves += 1;
        }
        Self { nodes }
    }

    /// Whether it is a single leaf.
    pub(crate) fn is_stump(&self) -> bool {
        self.nodes.len() == 1
    }

    /// The value of a row.
    pub(crate) fn value(&self, data: &Binned, row: usize) -> f64 {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                Node::Leaf(value) => return *value,
                Node::Split { feature, left_bins, left, right } => {
                    let bin = data.features[*feature].cells[row];
                    at = if left_bins.has(bin) { *left } else { *right };
                }
            }
        }
    }
}

impl Sum {
    /// The value that lowers the loss most, as far as the growth allows.
    fn value(self, growth: Growth) -> f64 {
        let best = if self.hessian > 0.0 { -self.gradient / self.hessian } else { 0.0 };
        best.clamp(-growth.most_value, growth.most_value)
    }
}

struct Grower<'a> {
    data: &'a Binned,
    gradients: &'a [f64],
    hessians: &'a [f64],
    growth: Growth,
    threads: usize,
}

impl Grower<'_> {
    fn root(&self, order: &[u32]) -> Open {
        let (gradients, hessians) = self.gathered(order);
        let sum = Sum {
            gradient: gradients.iter().sum(),
            hessian: hessians.iter().sum(),
            rows: order.len() as u32,
        };
        let parts = parallel::map(self.threads_for(order.len()), self.data.features.len(), |at| {
            let feature = &self.data.features[at];
            let histogram = histogram(feature, order, &gradients, &hessians);
            let split = self.best(at, &histogram, sum);
            (histogram, split)
        });
        let (histograms, splits): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let to = order.len();
        Open { node: 0, from: 0, to, sum, histograms, split: first_best(splits) }
    }

    /// Splits a leaf; gives its node and left child, and its right child. The histograms of the
    /// larger child are those of the leaf without those of the smaller.
    fn split(
        &self,
        leaf: Open,
        split: Split,
        order: &mut [u32],
        nodes: usize,
    ) -> ((usize, Open), Open) {
        let rows = &mut order[leaf.from..leaf.to];
        let cells = &self.data.features[split.feature].cells;
        let (left_rows, right_rows): (Vec<u32>, Vec<u32>) =
            rows.iter().partition(|&&row| split.left_bins.has(cells[row as usize]));
        let middle = leaf.from + left_rows.len();
        rows[..left_rows.len()].copy_from_slice(&left_rows);
        rows[left_rows.len()..].copy_from_slice(&right_rows);
        let right_sum = leaf.sum.minus(split.left);
        let left_is_small = left_rows.len() <= right_rows.len();
        let small = if left_is_small { &left_rows } else { &right_rows };
        let (gradients, hessians) = self.gathered(small);
        let threads = self.threads_for(small.len());
        let parts = parallel::map(threads, self.data.features.len(), |at| {
            let own = histogram(&self.data.features[at], small, &gradients, &hessians);
            let rest: Vec<Sum> =
                leaf.histograms[at].iter().zip(&own).map(|(all, own)| all.minus(*own)).collect();
            let (left, right) = if left_is_small { (own, rest) } else { (rest, own) };
            let best_left = self.best(at, &left, split.left);
            let best_right = self.best(at, &right, right_sum);
            ((left, best_left), (right, best_right))
        });
        let (left, right): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let child = |node, from, to, sum, parts: Vec<(Vec<Sum>, Option<Split>)>| {
            let (histograms, splits): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            Open { node, from, to, sum, histograms, split: first_best(splits) }
        };
        let left = child(nodes, leaf.from, middle, split.left, left);
        ((leaf.node, left), child(nodes + 1, middle, leaf.to, right_sum, right))
    }

    /// The derivatives of these rows side by side: every feature reads them.
    fn gathered(&self, rows: &[u32]) -> (Vec<f64>, Vec<f64>) {
        let of = |values: &[f64]| rows.iter().map(|&row| values[row as usize]).collect();
        (of(self.gradients), of(self.hessians))
    }

    /// A thread costs more than it saves on few rows.
    fn threads_for(&self, rows: usize) -> usize {
        if rows * self.data.features.len() < 100_000 { 1 } else { self.threads }
    }

    /// The best split of one feature.
    fn best(&self, at: usize, histogram: &[Sum], sum: Sum) -> Option<Split> {
        let least = self.growth.least_rows;
        if sum.rows < 2 * least {
            return None;
        }
        let feature = &self.data.features[at];
        let mut best: Option<Split> = None;
        let mut consider = |left: Sum, penalty: f64, bins: Bins| {
            let right = sum.minus(left);
            if left.rows < least
                || right.rows < least
                || left.hessian < LEAST_HESSIAN
                || right.hessian < LEAST_HESSIAN
            {
                return;
            }
            let worth = |sum: Sum| sum.worth(penalty, self.growth);
            let gain = worth(left) + worth(right) - worth(sum);
            if gain > 1e-9 && best.is_none_or(|best| gain > best.gain) {
                best = Some(Split { gain, feature: at, left_bins: bins, left });
            }
        };
        if feature.ordered {
            let missing = histogram[feature.bins - 1];
            let (mut left, mut bins) = (Sum::default(), Bins::default());
            for (bin, own) in histogram[..feature.bins - 1].iter().enumerate() {
                left = left.plus(*own);
                bins.insert(bin);
                if own.rows == 0 {
                    continue;
                }
                consider(left, 0.0, bins);
                if missing.rows > 0 {
                    let mut with = bins;
                    with.insert(feature.bins - 1);
                    consider(left.plus(missing), 0.0, with);
                }
            }
        } else {
            let mut seen: Vec<usize> =
                (0..feature.bins).filter(|&bin| histogram[bin].rows > 0).collect();
            let penalty = if seen.len() > FEW_LEVELS { CATEGORY_PENALTY } else { 0.0 };
            let slope = |bin: usize| {
                histogram[bin].gradient / (histogram[bin].hessian + CATEGORY_SMOOTHING)
            };
            seen.sort_by(|&a, &b| slope(a).total_cmp(&slope(b)));
            let (mut left, mut bins) = (Sum::default(), Bins::default());
            for bin in seen {
                left = left.plus(histogram[bin]);
                bins.insert(bin);
                consider(left, penalty, bins);
            }
        }
        best
    }
}

fn histogram(
    feature: &BinnedFeature,
    rows: &[u32],
    gradients: &[f64],
    hessians: &[f64],
) -> Vec<Sum> {
    let mut sums = vec![Sum::default(); feature.bins];
    for ((&row, gradient), hessian) in rows.iter().zip(gradients).zip(hessians) {
        let sum = &mut sums[usize::from(feature.cells[row as usize])];
        sum.gradient += gradient;
        sum.hessian += hessian;
        sum.rows += 1;
    }
    sums
}

/// The largest gain; the first of equals.
fn first_best(splits: Vec<Option<Split>>) -> Option<Split> {
    splits.into_iter().flatten().reduce(
        |best, other| {
            if other.gain > best.gain { other } else { best }
        },
    )
}
