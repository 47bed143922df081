use super::ranked::{Ranked, RankedFeature};
use crate::tables::shuffle_front;
use meg_core::Rng;

/// What a tree learns, row by row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal<'a> {
    /// One of so many classes; leaves hold the share of each.
    Classes(&'a [usize], usize),
    /// A number; leaves hold its mean.
    Numbers(&'a [f64]),
}

/// How far a tree grows, and what it looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Splits on the way to the deepest leaf, at most.
    pub(crate) depth: usize,
    /// Features that are drawn for each split.
    pub(crate) drawn: usize,
}

/// A tree of exact cuts (Breiman et al. 1984, CART): Gini's impurity for classes, squared error for
/// numbers, rows with weights, leaves until they are pure or cannot be cut.
///
/// As in scikit-learn, features are visited in random order, so that chance decides among equally
/// good cuts, a cut that gains nothing is taken where there is no better one (an exclusive or
/// begins with one), and of the features drawn one at least can be cut.
///
/// It stands here because smartcore's classification tree has no weights and no shares, its
/// regression tree needs one tree per class, and neither draws features per split.
#[derive(Debug)]
pub(crate) struct Cart {
    nodes: Vec<Node>,
    /// The answers of the leaves, `width` each.
    answers: Vec<f64>,
    width: usize,
}

#[derive(Debug, Clone, Copy)]
enum Node {
    /// Where its answer begins.
    Leaf(usize),
    /// Rows with values up to the cut go left; the right child follows the left one.
    Split { feature: usize, cut: f64, left: usize },
}

impl Cart {
    /// Grows a tree on the rows with a weight above 0, of which there is at least one.
    pub(crate) fn grow(
        data: &Ranked,
        goal: Goal<'_>,
        weights: &[f64],
        shape: Shape,
        rng: &mut Rng,
    ) -> Self {
        let rows: Vec<u32> =
            (0..data.rows as u32).filter(|&row| weights[row as usize] > 0.0).collect();
        let width = goal.width();
        let mut grower = Grower {
            data,
            goal,
            weights,
            shape,
            sums: Vec::new(),
            keys: Vec::new(),
            order: (0..data.features.len()).collect(),
            rows,
            tree: Self { nodes: vec![Node::Leaf(0)], answers: Vec::new(), width },
        };
        let mut open = vec![Open { node: 0, from: 0, to: grower.rows.len(), depth: 0 }];
        while let Some(leaf) = open.pop() {
            open.extend(grower.settle(&leaf, rng).into_iter().flatten());
        }
        grower.tree
    }

    /// The answer to these features: the share of each class, or one number.
    pub(crate) fn answer(&self, row: &[f64]) -> &[f64] {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf(from) => return &self.answers[from..from + self.width],
                Node::Split { feature, cut, left } => {
                    at = if row[feature] <= cut { left } else { left + 1 };
                }
            }
        }
    }
}

impl Goal<'_> {
    /// Numbers in an answer.
    fn width(self) -> usize {
        match self {
            Self::Classes(_, classes) => classes,
            Self::Numbers(_) => 1,
        }
    }

    /// Adds a row to sums: its weight first, then its weight in its class or times its number.
    fn add(self, sums: &mut [f64], row: usize, weight: f64) {
        sums[0] += weight;
        match self {
            Self::Classes(labels, _) => sums[1 + labels[row]] += weight,
            Self::Numbers(numbers) => sums[1] += weight * numbers[row],
        }
    }

    fn are_equal(self, a: usize, b: usize) -> bool {
        match self {
            Self::Classes(labels, _) => labels[a] == labels[b],
            Self::Numbers(numbers) => numbers[a] == numbers[b],
        }
    }
}

/// A leaf that may still be split: a range of the rows.
#[derive(Debug)]
struct Open {
    node: usize,
    from: usize,
    to: usize,
    depth: usize,
}

#[derive(Debug, Clone, Copy)]
struct Split {
    worth: f64,
    feature: usize,
    /// Rows up to the first place go left; the second is the next that occurs.
    between: (u32, u32),
}

struct Grower<'a> {
    data: &'a Ranked,
    goal: Goal<'a>,
    weights: &'a [f64],
    shape: Shape,
    /// Sums by place, all 0 between uses.
    sums: Vec<f64>,
    keys: Vec<u64>,
    order: Vec<usize>,
    rows: Vec<u32>,
    tree: Cart,
}

impl Grower<'_> {
    /// Makes the leaf a split, and gives its children, or fills in its answer.
    fn settle(&mut self, leaf: &Open, rng: &mut Rng) -> Option<[Open; 2]> {
        let total = self.total(leaf);
        let rows = &self.rows[leaf.from..leaf.to];
        let first = rows[0] as usize;
        let is_pure = rows.iter().all(|&row| self.goal.are_equal(row as usize, first));
        let split = match is_pure || leaf.depth >= self.shape.depth {
            true => None,
            false => self.split(leaf, &total, rng),
        };
        let Some(split) = split else {
            self.tree.nodes[leaf.node] = Node::Leaf(self.tree.answers.len());
            self.tree.answers.extend(total[1..].iter().map(|sum| sum / total[0]));
            return None;
        };
        let feature = &self.data.features[split.feature];
        let cut = feature.cut(split.between.0, split.between.1);
        let left = self.tree.nodes.len();
        self.tree.nodes[leaf.node] = Node::Split { feature: split.feature, cut, left };
        self.tree.nodes.extend([Node::Leaf(0); 2]);
        let rows = &mut self.rows[leaf.from..leaf.to];
        let goes_left = |row: u32| feature.places[row as usize] <= split.between.0;
        let (low, high): (Vec<u32>, Vec<u32>) = rows.iter().partition(|&&row| goes_left(row));
        rows[..low.len()].copy_from_slice(&low);
        rows[low.len()..].copy_from_slice(&high);
        let (middle, depth) = (leaf.from + low.len(), leaf.depth + 1);
        Some([
            Open { node: left, from: leaf.from, to: middle, depth },
            Open { node: left + 1, from: middle, to: leaf.to, depth },
        ])
    }

    fn total(&self, leaf: &Open) -> Vec<f64> {
        let mut total = vec![0.0; 1 + self.goal.width()];
        for &row in &self.rows[leaf.from..leaf.to] {
            self.goal.add(&mut total, row as usize, self.weights[row as usize]);
        }
        total
    }

    /// The best cut of features in random order, the first of equals. Features are drawn until
    /// there are enough and one of them can be cut.
    fn split(&mut self, leaf: &Open, total: &[f64], rng: &mut Rng) -> Option<Split> {
        let mut order = std::mem::take(&mut self.order);
        let mut best = None;
        for at in 0..order.len() {
            if at >= self.shape.drawn && best.is_some() {
                break;
            }
            shuffle_front(&mut order[at..], 1, rng);
            self.cut(order[at], leaf, total, &mut best);
        }
        self.order = order;
        best
    }

    /// Replaces `best` by the best cut of this feature, if that is better.
    fn cut(&mut self, feature: usize, leaf: &Open, total: &[f64], best: &mut Option<Split>) {
        let data = self.data;
        let own = &data.features[feature];
        let places = own.values.len();
        if places == 1 {
            return;
        }
        // Few rows among many places are sorted, many among few are summed by place.
        if places > 4 * (leaf.to - leaf.from) {
            self.cut_sorted(feature, own, leaf, total, best);
        } else {
            self.cut_summed(feature, own, leaf, total, best);
        }
    }

    fn cut_summed(
        &mut self,
        feature: usize,
        own: &RankedFeature,
        leaf: &Open,
        total: &[f64],
        best: &mut Option<Split>,
    ) {
        let stride = total.len();
        self.sums.resize(self.sums.len().max(own.values.len() * stride), 0.0);
        let (mut least, mut most) = (u32::MAX, 0);
        for &row in &self.rows[leaf.from..leaf.to] {
            let row = row as usize;
            let place = own.places[row];
            (least, most) = (least.min(place), most.max(place));
            let sums = &mut self.sums[place as usize * stride..][..stride];
            self.goal.add(sums, row, self.weights[row]);
        }
        let range = least as usize * stride..(most as usize + 1) * stride;
        let mut scan = Scan::new(feature, total, best);
        for (place, sums) in (least..).zip(self.sums[range.clone()].chunks_exact(stride)) {
            if sums[0] > 0.0 {
                scan.visit(place);
                scan.pass(sums);
            }
        }
        self.sums[range].fill(0.0);
    }

    fn cut_sorted(
        &mut self,
        feature: usize,
        own: &RankedFeature,
        leaf: &Open,
        total: &[f64],
        best: &mut Option<Split>,
    ) {
        let rows = &self.rows[leaf.from..leaf.to];
        self.keys.clear();
        self.keys.extend(
            rows.iter().map(|&row| u64::from(own.places[row as usize]) << 32 | u64::from(row)),
        );
        self.keys.sort_unstable();
        let mut scan = Scan::new(feature, total, best);
        for key in &self.keys {
            scan.visit((key >> 32) as u32);
            let row = (key & u64::from(u32::MAX)) as usize;
            self.goal.add(&mut scan.left, row, self.weights[row]);
        }
    }
}

/// A walk over the places of a feature.
struct Scan<'a> {
    feature: usize,
    total: &'a [f64],
    /// Sums over the rows passed.
    left: Vec<f64>,
    /// The last place visited.
    place: Option<u32>,
    best: &'a mut Option<Split>,
}

impl<'a> Scan<'a> {
    fn new(feature: usize, total: &'a [f64], best: &'a mut Option<Split>) -> Self {
        Self { feature, total, left: vec![0.0; total.len()], place: None, best }
    }

    /// Considers the cut before this place, unless it is the first or the same again.
    fn visit(&mut self, place: u32) {
        let Some(before) = self.place.replace(place).filter(|&before| before != place) else {
            return;
        };
        let (left, right) = (self.left[0], self.total[0] - self.left[0]);
        // Weights of very different sizes can leave nothing of a side.
        if left <= 0.0 || right <= 0.0 {
            return;
        }
        let (mut squares_left, mut squares_right) = (0.0, 0.0);
        for (left, total) in self.left[1..].iter().zip(&self.total[1..]) {
            squares_left += left * left;
            squares_right += (total - left) * (total - left);
        }
        // What the impurity of the two sides lacks to a constant.
        let worth = squares_left / left + squares_right / right;
        if self.best.is_none_or(|best| worth > best.worth) {
            let between = (before, place);
            *self.best = Some(Split { worth, feature: self.feature, between });
        }
    }

    fn pass(&mut self, sums: &[f64]) {
        self.left.iter_mut().zip(sums).for_each(|(left, sum)| *left += sum);
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::Design;
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;
    use smartcore::{
        linalg::basic::matrix::DenseMatrix,
        tree::decision_tree_regressor::{DecisionTreeRegressor, DecisionTreeRegressorParameters},
    };

    const ALL: Shape = Shape { depth: usize::MAX, drawn: usize::MAX };

    fn design(rows: usize, width: usize) -> Design {
        let mut rng = Seed(5).stream("design");
        Design { rows, width, values: (0..rows * width).map(|_| rng.random()).collect() }
    }

    fn grow(design: &Design, goal: Goal<'_>, weights: &[f64], shape: Shape) -> Cart {
        Cart::grow(&Ranked::of(design), goal, weights, shape, &mut Seed(1).stream("cart"))
    }

    #[test]
    fn the_tree_is_that_of_smartcore() {
        let design = design(300, 3);
        let numbers: Vec<f64> = design
            .values
            .chunks_exact(3)
            .map(|row| (6.0 * row[0]).sin() + row[1] * row[2])
            .collect();
        let weights: Vec<f64> = (0..300).map(|row| f64::from(1 + row % 3)).collect();
        let ours = grow(&design, Goal::Numbers(&numbers), &weights, Shape { depth: 4, ..ALL });
        let x = DenseMatrix::new(300, 3, design.values.clone(), false).unwrap();
        // smartcore counts the levels of nodes, of which there is one more than splits.
        let parameters = DecisionTreeRegressorParameters {
            max_depth: Some(5),
            ..DecisionTreeRegressorParameters::default()
        };
        let theirs =
            DecisionTreeRegressor::fit_with_weights(&x, &numbers, &weights, parameters).unwrap();
        for (row, want) in design.values.chunks_exact(3).zip(theirs.predict(&x).unwrap()) {
            assert!((ours.answer(row)[0] - want).abs() < 1e-9);
        }
    }

    #[test]
    fn an_exclusive_or_begins_with_a_cut_that_gains_nothing() {
        let values = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0].to_vec();
        let design = Design { rows: 4, width: 2, values };
        let labels = [0, 1, 1, 0];
        let tree = grow(&design, Goal::Classes(&labels, 2), &[1.0; 4], ALL);
        for (row, label) in design.values.chunks_exact(2).zip(labels) {
            assert_eq!(tree.answer(row)[label], 1.0);
        }
    }

    #[test]
    fn leaves_hold_weighted_shares_and_rows_without_weight_count_for_nothing() {
        let design = Design { rows: 4, width: 1, values: vec![2.0; 4] };
        let weights = [1.0, 1.0, 6.0, 0.0];
        let tree = grow(&design, Goal::Classes(&[0, 1, 2, 0], 3), &weights, ALL);
        assert_eq!(tree.answer(&[2.0]), [0.125, 0.125, 0.75]);
    }

    #[test]
    fn both_ways_to_cut_agree() {
        // A column of many values is sorted in small leaves; its copy in tens is summed everywhere.
        let fine = design(500, 1);
        let labels: Vec<usize> =
            fine.values.iter().map(|cell| usize::from((cell * 10.0) as i32 % 2 == 0)).collect();
        let tree = grow(&fine, Goal::Classes(&labels, 2), &[1.0; 500], ALL);
        assert_eq!(tree.nodes.len(), 19);
        for (cell, &label) in fine.values.iter().zip(&labels) {
            assert_eq!(tree.answer(&[*cell])[label], 1.0);
        }
    }
}
