use meg_core::{Error, Result};

/// Cuts by minimum description length (Fayyad and Irani 1993): the cut with the least class entropy
/// is made where it pays for its own description, and then within each side. Missing cells are left
/// out; a missing target is a class of its own. At least two of the cells must differ.
pub(super) fn edges(cells: &[f64], target: &[u32]) -> Result<Vec<f64>> {
    if cells.len() != target.len() {
        let problem = format!("{} cells beside {} targets", cells.len(), target.len());
        return Err(Error::data(problem));
    }
    let groups = Groups::new(cells, target);
    let mut cuts = Vec::new();
    groups.split(0, groups.values.len(), &mut cuts);
    cuts.sort_unstable();
    let mut edges = vec![groups.values[0]];
    edges.extend(cuts.iter().map(|&cut| {
        // Halfway to the next value; the value itself when the two are neighbouring doubles.
        let (below, above) = (groups.values[cut - 1], groups.values[cut]);
        let middle = below + (0.5 * above - 0.5 * below);
        if middle < above { middle } else { below }
    }));
    // Bins are closed above: a cut at the lowest value itself would be an edge twice.
    edges.dedup();
    edges.push(*groups.values.last().expect("two values differ"));
    Ok(edges)
}

/// Rows of equal value, counted by class. Only the classes that a value has are kept, so that this
/// is never longer than the column, however many classes there are.
struct Groups {
    values: Vec<f64>,
    /// Where the counts of each value begin, and where the last ones end.
    starts: Vec<usize>,
    /// Class and rows, by value and then by class.
    counts: Vec<(u32, u32)>,
    classes: usize,
}

impl Groups {
    fn new(cells: &[f64], target: &[u32]) -> Self {
        let mut known = target.to_vec();
        known.sort_unstable();
        known.dedup();
        let class = |code: &u32| known.binary_search(code).expect("every class is known") as u32;
        // Adding 0 makes one value of 0 and -0.
        let cells = cells.iter().map(|cell| cell + 0.0);
        let mut rows: Vec<(f64, u32)> = cells.zip(target.iter().map(class)).collect();
        rows.retain(|(cell, _)| !cell.is_nan());
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (mut values, mut starts): (Vec<f64>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut counts: Vec<(u32, u32)> = Vec::new();
        for (cell, class) in rows {
            let is_new = values.last() != Some(&cell);
            if is_new {
                values.push(cell);
                starts.push(counts.len());
            }
            match counts.last_mut() {
                Some((last, rows)) if !is_new && *last == class => *rows += 1,
                _ => counts.push((class, 1)),
            }
        }
        starts.push(counts.len());
        Self { values, starts, counts, classes: known.len() }
    }

    fn of(&self, groups: std::ops::Range<usize>) -> &[(u32, u32)] {
        &self.counts[self.starts[groups.start]..self.starts[groups.end]]
    }

    /// Appends the first group above each cut between `from` and `to`. Loops over the part that is
    /// left and recurses into the smaller one, so that the depth stays logarithmic.
    fn split(&self, mut from: usize, mut to: usize, cuts: &mut Vec<usize>) {
        while let Some(cut) = self.best_cut(from, to) {
            cuts.push(cut);
            if cut - from < to - cut {
                self.split(from, cut, cuts);
                from = cut;
            } else {
                self.split(cut, to, cuts);
                to = cut;
            }
        }
    }

    /// The cut of least entropy, if it pays.
    fn best_cut(&self, from: usize, to: usize) -> Option<usize> {
        let mut above = Counted::new(self.classes, self.of(from..to));
        let mut below = Counted::new(self.classes, &[]);
        let whole = above.part();
        let mut best: Option<(i128, usize)> = None;
        for group in from..to.saturating_sub(1) {
            for &(class, rows) in self.of(group..group + 1) {
                below.change(class, i64::from(rows));
                above.change(class, -i64::from(rows));
            }
            // The best cut is never inside a run of one class (their theorem 1).
            if self.same_class(group, group + 1) {
                continue;
            }
            let entropy = below.bits() + above.bits();
            if best.is_none_or(|(least, _)| entropy < least) {
                best = Some((entropy, group + 1));
            }
        }
        let (_, cut) = best?;
        let low = Counted::new(self.classes, self.of(from..cut)).part();
        let high = Counted::new(self.classes, self.of(cut..to)).part();
        let entropy = (low.rows * low.entropy + high.rows * high.entropy) / whole.rows;
        let gain = whole.entropy - entropy;
        let sides = whole.cost() - low.cost() - high.cost();
        let delta = (3f64.powf(whole.classes) - 2.0).log2() - sides;
        // 3^k is too large for a double beyond some 640 classes; its logarithm is not.
        let delta = if delta.is_finite() { delta } else { whole.classes * 3f64.log2() - sides };
        (gain > ((whole.rows - 1.0).log2() + delta) / whole.rows).then_some(cut)
    }

    fn same_class(&self, one: usize, other: usize) -> bool {
        let only = |group: usize| match self.of(group..group + 1) {
            [(class, _)] => Some(*class),
            _ => None,
        };
        only(one).is_some() && only(one) == only(other)
    }
}

/// Rows of a part by class, with their entropy kept up as rows come and go.
struct Counted {
    rows: Vec<u32>,
    total: u32,
    /// The sum of `n log2 n` over the classes, exact in its unit: equal parts have equal sums,
    /// whatever came and went.
    sum: i128,
}

impl Counted {
    fn new(classes: usize, counts: &[(u32, u32)]) -> Self {
        let mut counted = Self { rows: vec![0; classes], total: 0, sum: 0 };
        for &(class, rows) in counts {
            counted.change(class, i64::from(rows));
        }
        counted
    }

    fn change(&mut self, class: u32, more: i64) {
        let rows = &mut self.rows[class as usize];
        self.sum -= n_log_n(*rows);
        *rows = (i64::from(*rows) + more) as u32;
        self.sum += n_log_n(*rows);
        self.total = (i64::from(self.total) + more) as u32;
    }

    /// Rows times class entropy.
    fn bits(&self) -> i128 {
        n_log_n(self.total) - self.sum
    }

    fn part(&self) -> Part {
        Part::of(&self.rows)
    }
}

/// `n log2 n` in units of 2^-40.
fn n_log_n(n: u32) -> i128 {
    let n = f64::from(n);
    if n > 0.0 { (n * n.log2() * (1u64 << 40) as f64).round() as i128 } else { 0 }
}

/// Rows, classes and class entropy (in bits) of a part.
struct Part {
    rows: f64,
    classes: f64,
    entropy: f64,
}

impl Part {
    fn of(counts: &[u32]) -> Self {
        let rows = counts.iter().map(|&count| u64::from(count)).sum::<u64>() as f64;
        let seen = counts.iter().filter(|count| **count > 0);
        let entropy = seen.clone().map(|&count| {
            let share = f64::from(count) / rows;
            -share * share.log2()
        });
        Self { rows, classes: seen.count() as f64, entropy: entropy.sum() }
    }

    fn cost(&self) -> f64 {
        self.classes * self.entropy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;

    #[test]
    fn cuts_fall_where_classes_change() {
        let cells: Vec<f64> = (0..300).map(f64::from).collect();
        let target: Vec<u32> = (0..300).map(|row| u32::from((100..200).contains(&row))).collect();
        assert_eq!(edges(&cells, &target).unwrap(), [0.0, 99.5, 199.5, 299.0]);
    }

    #[test]
    fn noise_is_not_cut_and_a_weak_signal_is_cut_once() {
        let mut rng = Seed(2).stream("values");
        let cells: Vec<f64> = (0..2_000).map(|_| rng.random()).collect();
        let noise: Vec<u32> = cells.iter().map(|_| u32::from(rng.random_bool(0.3))).collect();
        assert_eq!(edges(&cells, &noise).unwrap().len(), 2);
        let chance = |cell: f64| if cell < 0.6 { 0.2 } else { 0.7 };
        let signal: Vec<u32> =
            cells.iter().map(|&cell| u32::from(rng.random_bool(chance(cell)))).collect();
        let edges = edges(&cells, &signal).unwrap();
        assert_eq!(edges.len(), 3, "{edges:?}");
        assert!((edges[1] - 0.6).abs() < 0.02, "{edges:?}");
    }

    #[test]
    fn the_criterion_is_that_of_the_paper() {
        // Ten rows, classes a a a a a b b b b b: gain 1 bit; the price is
        // (log2(9) + log2(7) - 2) / 10 = 0.398, so the cut is made.
        let cells: Vec<f64> = (0..10).map(f64::from).collect();
        let target: Vec<u32> = (0..10).map(|row| u32::from(row >= 5)).collect();
        assert_eq!(edges(&cells, &target).unwrap(), [0.0, 4.5, 9.0]);
        // Two rows of two classes: gain 1, price (log2(1) + log2(7) - 2) / 2 = 0.404: still made.
        assert_eq!(edges(&[0.0, 1.0], &[0, 1]).unwrap(), [0.0, 0.5, 1.0]);
        // a b a b: the best gain is 0.311, the price at least (log2(3) + log2(7) - 2) / 4 = 0.598.
        assert_eq!(edges(&[0.0, 1.0, 2.0, 3.0], &[0, 1, 0, 1]).unwrap(), [0.0, 3.0]);
    }

    /// The criterion of the paper on all cuts, from counts made anew for each.
    fn edges_by_trial(cells: &[(f64, u32)], classes: u32, cuts: &mut Vec<f64>) {
        let part = |rows: &[(f64, u32)]| {
            let count = |class| rows.iter().filter(|row| row.1 == class).count() as u32;
            Part::of(&(0..classes).map(count).collect::<Vec<_>>())
        };
        let inside = (1..cells.len()).filter(|&at| cells[at - 1].0 < cells[at].0);
        let entropy = |&at: &usize| {
            let (low, high) = (part(&cells[..at]), part(&cells[at..]));
            low.rows * low.entropy + high.rows * high.entropy
        };
        let Some(at) = inside.min_by(|a, b| entropy(a).total_cmp(&entropy(b))) else { return };
        let (whole, low, high) = (part(cells), part(&cells[..at]), part(&cells[at..]));
        let delta =
            (3f64.powf(whole.classes) - 2.0).log2() - whole.cost() + low.cost() + high.cost();
        let gain = whole.entropy - entropy(&at) / whole.rows;
        if gain > ((whole.rows - 1.0).log2() + delta) / whole.rows {
            cuts.push(0.5 * (cells[at - 1].0 + cells[at].0));
            edges_by_trial(&cells[..at], classes, cuts);
            edges_by_trial(&cells[at..], classes, cuts);
        }
    }

    #[test]
    fn the_cuts_are_those_of_a_trial_of_all() {
        let mut rng = Seed(5).stream("values");
        for classes in [2, 3, 7] {
            let mut rows: Vec<(f64, u32)> = (0..400)
                .map(|_| {
                    let cell: u32 = rng.random_range(0..150);
                    let own = (cell / 30) % classes;
                    let class =
                        if rng.random_bool(0.8) { own } else { rng.random_range(0..classes) };
                    (f64::from(cell), class)
                })
                .collect();
            rows.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut expected = Vec::new();
            edges_by_trial(&rows, classes, &mut expected);
            expected.sort_by(f64::total_cmp);
            let (cells, target): (Vec<f64>, Vec<u32>) = rows.iter().copied().unzip();
            let edges = edges(&cells, &target).unwrap();
            let found = &edges[1..edges.len() - 1];
            assert_eq!(found, expected);
            assert!(found.len() > 2, "{found:?}");
        }
    }

    #[test]
    fn many_values_of_many_classes_take_no_more_room_than_the_column() {
        // A dense matrix of the counts would have 800 million cells.
        let rows = 200_000;
        let cells: Vec<f64> = (0..rows).map(f64::from).collect();
        let target: Vec<u32> =
            (0..rows as u32).map(|row| row.wrapping_mul(2_654_435_761) % 4_000).collect();
        let groups = Groups::new(&cells, &target);
        assert_eq!(
            (groups.counts.len(), groups.starts.len(), groups.classes),
            (200_000, 200_001, 4_000)
        );
        assert_eq!(edges(&cells, &target).unwrap(), [0.0, 199_999.0]);
    }

    #[test]
    fn both_zeros_are_one_value() {
        let edges = edges(&[0.0, -0.0, 0.0, -0.0, 1.0, 1.0, 1.0], &[0, 1, 1, 0, 2, 2, 2]).unwrap();
        assert_eq!(edges, [0.0, 0.5, 1.0]);
    }

    #[test]
    fn a_long_staircase_does_not_exhaust_the_stack() {
        let rows = 40_000;
        let cells: Vec<f64> = (0..rows).map(f64::from).collect();
        let target: Vec<u32> = (0..rows).map(|row| (row / 2_000) as u32).collect();
        assert_eq!(edges(&cells, &target).unwrap().len(), 21);
    }
}
