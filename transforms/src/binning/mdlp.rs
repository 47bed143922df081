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

/// Rows of equal value, counted by class.
struct Groups {
    values: Vec<f64>,
    /// Row-major counts: as many per value as there are classes.
    counts: Vec<u32>,
    classes: usize,
}

impl Groups {
    fn new(cells: &[f64], target: &[u32]) -> Self {
        let mut rows: Vec<(f64, u32)> = cells.iter().copied().zip(target.iter().copied()).collect();
        rows.retain(|(cell, _)| !cell.is_nan());
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut known: Vec<u32> = rows.iter().map(|&(_, class)| class).collect();
        known.sort_unstable();
        known.dedup();
        let classes = known.len();
        let (mut values, mut counts): (Vec<f64>, Vec<u32>) = (Vec::new(), Vec::new());
        for (cell, class) in rows {
            if values.last() != Some(&cell) {
                values.push(cell);
                counts.resize(counts.len() + classes, 0);
            }
            let class = known.binary_search(&class).expect("every class is known");
            let first = counts.len() - classes;
            counts[first + class] += 1;
        }
        Self { values, counts, classes }
    }

    fn of(&self, group: usize) -> &[u32] {
        &self.counts[group * self.classes..(group + 1) * self.classes]
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
        let mut above = vec![0u64; self.classes];
        for group in from..to {
            add(&mut above, self.of(group));
        }
        let whole = Part::of(&above);
        let mut below = vec![0u64; self.classes];
        let mut best: Option<(f64, usize, Part, Part)> = None;
        for group in from..to.saturating_sub(1) {
            add(&mut below, self.of(group));
            for (left, &moved) in above.iter_mut().zip(self.of(group)) {
                *left -= u64::from(moved);
            }
            // The best cut is never inside a run of one class (their theorem 1).
            if self.same_class(group, group + 1) {
                continue;
            }
            let (low, high) = (Part::of(&below), Part::of(&above));
            let entropy = (low.rows * low.entropy + high.rows * high.entropy) / whole.rows;
            if best.as_ref().is_none_or(|(least, ..)| entropy < *least) {
                best = Some((entropy, group + 1, low, high));
            }
        }
        let (entropy, cut, low, high) = best?;
        let gain = whole.entropy - entropy;
        let sides = whole.cost() - low.cost() - high.cost();
        let delta = (3f64.powf(whole.classes) - 2.0).log2() - sides;
        // 3^k is too large for a double beyond some 640 classes; its logarithm is not.
        let delta = if delta.is_finite() { delta } else { whole.classes * 3f64.log2() - sides };
        (gain > ((whole.rows - 1.0).log2() + delta) / whole.rows).then_some(cut)
    }

    fn same_class(&self, one: usize, other: usize) -> bool {
        let only = |group: usize| {
            let mut seen = self.of(group).iter().enumerate().filter(|(_, count)| **count > 0);
            let first = seen.next().map(|(class, _)| class);
            if seen.next().is_some() { None } else { first }
        };
        only(one).is_some() && only(one) == only(other)
    }
}

fn add(counts: &mut [u64], more: &[u32]) {
    for (count, &more) in counts.iter_mut().zip(more) {
        *count += u64::from(more);
    }
}

/// Rows, classes and class entropy (in bits) of a part.
struct Part {
    rows: f64,
    classes: f64,
    entropy: f64,
}

impl Part {
    fn of(counts: &[u64]) -> Self {
        let rows = counts.iter().sum::<u64>() as f64;
        let seen = counts.iter().filter(|count| **count > 0);
        let entropy = seen.clone().map(|&count| {
            let share = count as f64 / rows;
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

    #[test]
    fn a_long_staircase_does_not_exhaust_the_stack() {
        let rows = 40_000;
        let cells: Vec<f64> = (0..rows).map(f64::from).collect();
        let target: Vec<u32> = (0..rows).map(|row| (row / 2_000) as u32).collect();
        assert_eq!(edges(&cells, &target).unwrap().len(), 21);
    }
}
