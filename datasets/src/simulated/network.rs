use meg_core::{Column, ColumnSpec, DataError, MISSING, Result, Rng, Schema, Table};
use rand::Rng as _;

/// How far the probabilities of one row may sum from one.
const TOLERANCE: f64 = 1e-6;

/// A Bayesian network of categories.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    nodes: Vec<Node>,
    /// Positions of the nodes, parents before children.
    order: Vec<usize>,
}

/// A variable of a [`Network`].
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its states.
    pub states: Vec<String>,
    /// Positions of its parents in the network.
    pub parents: Vec<usize>,
    /// For each combination of parent states the probability of each state; the state of the last
    /// parent changes fastest.
    pub probabilities: Vec<Vec<f64>>,
}

impl Network {
    /// A network of these nodes.
    ///
    /// # Errors
    /// When names repeat, a node depends on itself, a table has too few or too many rows, or
    /// a row is not a distribution.
    pub fn new(nodes: Vec<Node>) -> Result<Self> {
        for node in &nodes {
            check(node, &nodes)?;
        }
        let order = parents_first(&nodes)?;
        let network = Self { nodes, order };
        network.schema()?;
        Ok(network)
    }

    /// The nodes, in the order of the table's columns.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Number of arcs.
    pub fn arcs(&self) -> usize {
        self.nodes.iter().map(|node| node.parents.len()).sum()
    }

    /// Number of free parameters: one less than states for each combination of parent states.
    pub fn parameters(&self) -> usize {
        self.nodes.iter().map(|node| node.probabilities.len() * (node.states.len() - 1)).sum()
    }

    /// The schema of the tables it makes: one category per node.
    ///
    /// # Errors
    /// When two nodes or two states of a node have the same name.
    pub fn schema(&self) -> Result<Schema> {
        let column = |node: &Node| ColumnSpec::category(&node.name, node.states.iter().cloned());
        Schema::new(self.nodes.iter().map(column).collect())
    }

    /// Draws rows, parents before children.
    ///
    /// # Errors
    /// Never, as the states are the levels.
    pub fn sample(&self, rows: usize, rng: &mut Rng) -> Result<Table> {
        let mut columns = vec![Vec::with_capacity(rows); self.nodes.len()];
        let mut states = vec![0; self.nodes.len()];
        for _ in 0..rows {
            for &at in &self.order {
                let node = &self.nodes[at];
                states[at] =
                    draw(&node.probabilities[combination(node, &self.nodes, &states)], rng);
            }
            for (column, &state) in columns.iter_mut().zip(&states) {
                column.push(state as u32);
            }
        }
        Table::new(self.schema()?, columns.into_iter().map(Column::Codes).collect())
    }

    /// The same arcs with probabilities of maximum likelihood on the rows of a table: shares,
    /// without smoothing. Columns and states are matched as by [`Network::log_probability`]; a row
    /// counts for a node where the node and all its parents have a state. A combination of parent
    /// states that no row has leaves all states equally likely, as nothing is known.
    ///
    /// # Errors
    /// When a node has no column, or one that is no category.
    pub fn refit(&self, table: &Table) -> Result<Self> {
        let columns: Vec<Vec<Option<usize>>> =
            self.nodes.iter().map(|node| states(node, table)).collect::<Result<_>>()?;
        let mut refitted = self.clone();
        for (at, node) in refitted.nodes.iter_mut().enumerate() {
            let mut counts = vec![vec![0usize; node.states.len()]; node.probabilities.len()];
            for (row, state) in columns[at].iter().enumerate() {
                let combination = node.parents.iter().try_fold(0, |sum, &parent| {
                    Some(sum * self.nodes[parent].states.len() + columns[parent][row]?)
                });
                if let (Some(combination), Some(state)) = (combination, *state) {
                    counts[combination][state] += 1;
                }
            }
            node.probabilities = counts.iter().map(|counts| shares(counts)).collect();
        }
        Ok(refitted)
    }

    /// Natural logarithm of the probability of each row; columns are matched by name and states by
    /// their text. Negative infinity where a cell is missing or no state, or the row is impossible.
    ///
    /// # Errors
    /// When a node has no column, or one that is no category.
    pub fn log_probability(&self, table: &Table) -> Result<Vec<f64>> {
        let columns: Vec<Vec<Option<usize>>> =
            self.nodes.iter().map(|node| states(node, table)).collect::<Result<_>>()?;
        let mut row_states = vec![0; self.nodes.len()];
        let row = |row: usize| {
            for (state, column) in row_states.iter_mut().zip(&columns) {
                match column[row] {
                    Some(known) => *state = known,
                    None => return f64::NEG_INFINITY,
                }
            }
            let probability = |(at, node): (usize, &Node)| {
                node.probabilities[combination(node, &self.nodes, &row_states)][row_states[at]].ln()
            };
            self.nodes.iter().enumerate().map(probability).sum()
        };
        Ok((0..table.rows()).map(row).collect())
    }
}

/// The state of a node in each row of a table.
fn states(node: &Node, table: &Table) -> Result<Vec<Option<usize>>> {
    let at = table.schema().find(&node.name)?;
    let spec = &table.schema().columns[at];
    if !spec.is_category() {
        let problem = "the network needs a category";
        return Err(DataError::new(problem).column(&node.name).into());
    }
    let known: Vec<Option<usize>> = spec
        .levels()
        .iter()
        .map(|level| node.states.iter().position(|state| state == level))
        .collect();
    let state = |&code: &u32| if code == MISSING { None } else { known[code as usize] };
    Ok(table.codes(at).iter().map(state).collect())
}

/// The row of a node's table for these states of all nodes.
fn combination(node: &Node, nodes: &[Node], states: &[usize]) -> usize {
    node.parents.iter().fold(0, |row, &parent| row * nodes[parent].states.len() + states[parent])
}

/// Counts as shares; equal ones where nothing was counted.
fn shares(counts: &[usize]) -> Vec<f64> {
    let all: usize = counts.iter().sum();
    let share = |&count: &usize| match all {
        0 => 1.0 / counts.len() as f64,
        _ => count as f64 / all as f64,
    };
    counts.iter().map(share).collect()
}

fn draw(probabilities: &[f64], rng: &mut Rng) -> usize {
    let mut left: f64 = rng.random();
    for (state, probability) in probabilities.iter().enumerate() {
        left -= probability;
        if left < 0.0 {
            return state;
        }
    }
    // Rounding left a crumb; it belongs to the last state that can occur.
    probabilities.iter().rposition(|&probability| probability > 0.0).unwrap_or(0)
}

fn check(node: &Node, nodes: &[Node]) -> Result<()> {
    let fail = |problem: String| Err(DataError::new(problem).column(&node.name).into());
    if node.states.is_empty() {
        return fail("the variable has no state".into());
    }
    if let Some(bad) = node.parents.iter().find(|&&parent| parent >= nodes.len()) {
        return fail(format!("there is no parent {bad}"));
    }
    let needed: usize = node.parents.iter().map(|&parent| nodes[parent].states.len()).product();
    if node.probabilities.len() != needed {
        return fail(format!(
            "the table has {} rows for {needed} combinations of parent states",
            node.probabilities.len()
        ));
    }
    for row in &node.probabilities {
        let valid = row.iter().all(|probability| (0.0..=1.0).contains(probability));
        let sum: f64 = row.iter().sum();
        if row.len() != node.states.len() || !valid || (sum - 1.0).abs() > TOLERANCE {
            return fail(format!(
                "{row:?} are no probabilities of {} states: they should sum to 1",
                node.states.len()
            ));
        }
    }
    Ok(())
}

fn parents_first(nodes: &[Node]) -> Result<Vec<usize>> {
    let mut order = Vec::with_capacity(nodes.len());
    let mut placed = vec![false; nodes.len()];
    while order.len() < nodes.len() {
        let ready = |at: &usize| !placed[*at] && nodes[*at].parents.iter().all(|&p| placed[p]);
        let Some(next) = (0..nodes.len()).find(ready) else {
            return Err(DataError::new("the arcs of the network form a circle").into());
        };
        placed[next] = true;
        order.push(next);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    fn node(name: &str, parents: Vec<usize>, probabilities: Vec<Vec<f64>>) -> Node {
        Node { name: name.into(), states: vec!["t".into(), "f".into()], parents, probabilities }
    }

    #[test]
    fn children_may_come_before_their_parents() {
        let child = node("child", vec![1], vec![vec![1.0, 0.0], vec![0.25, 0.75]]);
        let network =
            Network::new(vec![child, node("root", vec![], vec![vec![0.5, 0.5]])]).unwrap();
        let table = network.sample(10_000, &mut Seed(1).stream("test")).unwrap();
        let share = table.codes(0).iter().filter(|&&code| code == 0).count() as f64 / 10_000.0;
        assert!((share - 0.625).abs() < 0.02, "{share}");
        let logs = network.log_probability(&table).unwrap();
        assert!(logs.iter().all(|log| log.is_finite()));
        let expected = [0.5f64.ln(), (0.5f64 * 0.25).ln(), (0.5f64 * 0.75).ln()];
        assert!(logs.iter().all(|log| expected.iter().any(|e| (e - log).abs() < 1e-12)));
    }

    #[test]
    fn a_refit_counts_and_leaves_the_unseen_even() {
        let child = node("child", vec![1], vec![vec![1.0, 0.0], vec![0.25, 0.75]]);
        let network =
            Network::new(vec![child, node("root", vec![], vec![vec![0.5, 0.5]])]).unwrap();
        let codes = |child: [u32; 4], root: [u32; 4]| {
            let columns = [child, root].map(|codes| Column::Codes(codes.to_vec()));
            Table::new(network.schema().unwrap(), columns.into()).unwrap()
        };
        let refitted = network.refit(&codes([0, 1, 1, 1], [0, 0, 0, 0])).unwrap();
        assert_eq!(refitted.nodes()[0].probabilities, [[0.25, 0.75], [0.5, 0.5]]);
        assert_eq!(refitted.nodes()[1].probabilities, [[1.0, 0.0]]);
        let rows = network.sample(50_000, &mut Seed(2).stream("test")).unwrap();
        let refitted = network.refit(&rows).unwrap();
        for (ours, truth) in refitted.nodes().iter().zip(network.nodes()) {
            let pairs =
                ours.probabilities.iter().flatten().zip(truth.probabilities.iter().flatten());
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 0.02), "{ours:?}");
            assert_eq!(ours.parents, truth.parents);
        }
    }

    #[test]
    fn states_are_matched_by_their_text() {
        let network = Network::new(vec![node("a", vec![], vec![vec![0.25, 0.75]])]).unwrap();
        let schema =
            Schema::new(vec![ColumnSpec::category("a", ["f", "x", "t"]).nullable()]).unwrap();
        let table = Table::new(schema, vec![Column::Codes(vec![0, 1, 2, MISSING])]).unwrap();
        let logs = network.log_probability(&table).unwrap();
        assert_eq!(logs, [0.75f64.ln(), f64::NEG_INFINITY, 0.25f64.ln(), f64::NEG_INFINITY]);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for (nodes, part) in [
            (vec![node("a", vec![0], vec![vec![0.5, 0.5]; 2])], "circle"),
            (vec![node("a", vec![], vec![vec![0.5, 0.4]])], "sum to 1"),
            (vec![node("a", vec![], vec![vec![1.5, -0.5]])], "sum to 1"),
            (vec![node("a", vec![], vec![])], "0 rows for 1"),
            (vec![node("a", vec![], vec![vec![0.5, 0.5]]); 2], "twice"),
        ] {
            let message = Network::new(nodes).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
