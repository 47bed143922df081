use crate::codec::{Codes, TableCodec};
use crate::dependence::{coarse, information, sampled_rows};
use meg_core::Rng;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A kDB network (Sahami 1996) with counted tables: the label first, then the other columns by
/// falling mutual information with it, each with the label and at most k earlier columns as
/// parents: those of the largest mutual information given the label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    column: usize,
    /// The label first, then by falling information.
    parents: Vec<usize>,
    /// For each number of parents, from none to all: what followed each combination of their
    /// codes. A combination never seen falls back to fewer parents, the weakest left out first.
    tables: Vec<Vec<Followers>>,
}

/// The codes of the first parents, and how often which code followed them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Followers(Vec<u16>, Vec<(u16, u32)>);

impl Network {
    pub(super) fn fit(
        codec: &TableCodec,
        codes: &Codes,
        columns: &[usize],
        label: usize,
        k: usize,
    ) -> Self {
        let rows = sampled_rows(codes.rows);
        let groups: BTreeMap<usize, (Vec<u16>, usize)> = columns
            .iter()
            .map(|&at| (at, coarse(&codes.columns[at], &rows, codec.size(at))))
            .collect();
        let about = |a: usize, b: usize| {
            let ((a, a_size), (b, b_size)) = (&groups[&a], &groups[&b]);
            information(a, *a_size, b, *b_size)
        };
        let mut order: Vec<(f64, usize)> =
            columns.iter().filter(|&&at| at != label).map(|&at| (about(label, at), at)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut nodes = vec![Node::count(codes, label, Vec::new())];
        for place in 0..order.len() {
            let own = order[place].1;
            let mut earlier: Vec<(f64, usize)> = order[..place]
                .iter()
                .map(|&(_, at)| (given(&groups[&label], &groups[&at], &groups[&own]), at))
                .collect();
            earlier.sort_by(|a, b| b.0.total_cmp(&a.0));
            let strongest = earlier.into_iter().take(k).map(|(_, at)| at);
            let parents = std::iter::once(label).chain(strongest).collect();
            nodes.push(Node::count(codes, own, parents));
        }
        Self { nodes }
    }

    /// The proxy label.
    pub(super) fn label(&self) -> usize {
        self.nodes.first().map_or(usize::MAX, |node| node.column)
    }

    /// Draws a code for every column of the network.
    pub(super) fn draw(&self, cells: &mut [u16], rng: &mut Rng) {
        for node in &self.nodes {
            cells[node.column] = node.draw(cells, rng);
        }
    }

    /// Whether a network read from a file can be drawn from.
    pub(super) fn is_sound(&self, codec: &TableCodec, columns: &[usize]) -> bool {
        let made: Vec<usize> = self.nodes.iter().map(|node| node.column).collect();
        let mut sorted = made.clone();
        sorted.sort_unstable();
        let sound = |(place, node): (usize, &Node)| {
            node.parents.iter().all(|parent| made[..place].contains(parent))
                && node.tables.len() == node.parents.len() + 1
                && node.tables[0].len() == 1
                && node.tables.iter().enumerate().all(|(width, table)| {
                    table.iter().all(|followers| followers.is_sound(width, codec.size(node.column)))
                        && table.windows(2).all(|pair| pair[0].0 < pair[1].0)
                })
        };
        sorted == columns && self.nodes.iter().enumerate().all(sound)
    }
}

impl Node {
    fn count(codes: &Codes, column: usize, parents: Vec<usize>) -> Self {
        let tables = (0..=parents.len()).map(|width| {
            let mut seen: BTreeMap<Vec<u16>, BTreeMap<u16, u32>> = BTreeMap::new();
            let mut key = vec![0; width];
            for row in 0..codes.rows {
                for (cell, &parent) in key.iter_mut().zip(&parents) {
                    *cell = codes.columns[parent][row];
                }
                let own = codes.columns[column][row];
                match seen.get_mut(&key) {
                    Some(counts) => *counts.entry(own).or_insert(0) += 1,
                    None => {
                        seen.insert(key.clone(), BTreeMap::from([(own, 1)]));
                    }
                }
            }
            let followers = seen.into_iter();
            followers.map(|(key, counts)| Followers(key, counts.into_iter().collect())).collect()
        });
        let tables = tables.collect();
        Self { column, parents, tables }
    }

    fn draw(&self, cells: &[u16], rng: &mut Rng) -> u16 {
        let key: Vec<u16> = self.parents.iter().map(|&parent| cells[parent]).collect();
        let found = self.tables.iter().enumerate().rev().find_map(|(width, table)| {
            let at = table.binary_search_by(|followers| followers.0[..].cmp(&key[..width])).ok()?;
            Some(&table[at])
        });
        found.expect("the table without parents is never empty").draw(rng)
    }
}

impl Followers {
    fn draw(&self, rng: &mut Rng) -> u16 {
        let total: u64 = self.1.iter().map(|&(_, count)| u64::from(count)).sum();
        let mut rest = rng.random_range(0..total);
        for &(code, count) in &self.1 {
            if rest < u64::from(count) {
                return code;
            }
            rest -= u64::from(count);
        }
        unreachable!("the draw lies below the sum of the counts")
    }

    fn is_sound(&self, width: usize, size: usize) -> bool {
        self.0.len() == width
            && !self.1.is_empty()
            && self.1.iter().all(|&(code, count)| usize::from(code) < size && count > 0)
    }
}

/// Mutual information of two columns given the label: the mean over the label's codes.
fn given(label: &(Vec<u16>, usize), a: &(Vec<u16>, usize), b: &(Vec<u16>, usize)) -> f64 {
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); label.1];
    label.0.iter().enumerate().for_each(|(row, &code)| rows[usize::from(code)].push(row));
    let parts = rows.iter().filter(|rows| !rows.is_empty()).map(|rows| {
        let pick = |column: &[u16]| -> Vec<u16> { rows.iter().map(|&row| column[row]).collect() };
        rows.len() as f64 * information(&pick(&a.0), a.1, &pick(&b.0), b.1)
    });
    parts.sum::<f64>() / label.0.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    /// Column 2 copies column 1 within each label; column 1 copies the label three times in four.
    fn codes() -> Codes {
        let mut rng = Seed(1).stream("test");
        let label: Vec<u16> = (0..4_000).map(|_| rng.random_range(0..2)).collect();
        let blurred = label.iter().map(|&code| if rng.random_bool(0.75) { code } else { 1 - code });
        let blurred: Vec<u16> = blurred.collect();
        let noise: Vec<u16> = (0..4_000).map(|_| rng.random_range(0..2)).collect();
        Codes { rows: 4_000, columns: vec![label, blurred.clone(), blurred, noise] }
    }

    #[test]
    fn information_given_the_label_sees_what_the_label_does_not_explain() {
        let codes = codes();
        let column = |at: usize| (codes.columns[at].clone(), 2);
        let copy = given(&column(0), &column(1), &column(2));
        let entropy = -(0.75f64 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        assert!((copy - entropy).abs() < 0.02, "{copy} for {entropy}");
        assert!(given(&column(0), &column(1), &column(3)) < 2e-3);
    }

    #[test]
    fn a_combination_never_seen_falls_back_to_fewer_parents() {
        let codes = codes();
        let node = Node::count(&codes, 2, vec![0, 1]);
        let mut rng = Seed(2).stream("test");
        assert!((0..100).all(|_| node.draw(&[0, 1, 0, 0], &mut rng) == 1), "copies its parent");
        // The code 9 of the second parent is unknown: the label alone decides.
        let ones: u32 = (0..4_000).map(|_| u32::from(node.draw(&[1, 9, 0, 0], &mut rng))).sum();
        assert!((2_850..3_150).contains(&ones), "{ones} of 4000 for 3000");
    }
}
