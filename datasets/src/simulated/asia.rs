//! The network of Lauritzen and Spiegelhalter (1988): eight yes/no variables about shortness of
//! breath after a visit to Asia.

use super::network::{Network, Node};
use meg_core::Result;

/// Name, parents, and the probability of `yes` for each combination of parent states, `yes` before
/// `no`, the last parent changing fastest.
type Row = (&'static str, &'static [usize], &'static [f64]);

const NODES: [Row; 8] = [
    ("asia", &[], &[0.01]),
    ("tub", &[0], &[0.05, 0.01]),
    ("smoke", &[], &[0.5]),
    ("lung", &[2], &[0.1, 0.01]),
    ("bronc", &[2], &[0.6, 0.3]),
    ("either", &[3, 1], &[1.0, 1.0, 1.0, 0.0]),
    ("xray", &[5], &[0.98, 0.05]),
    ("dysp", &[4, 5], &[0.9, 0.8, 0.7, 0.1]),
];

impl Network {
    /// The network `asia`: 8 nodes, 8 arcs, 18 parameters.
    ///
    /// # Errors
    /// Never: the tables above are distributions.
    pub fn asia() -> Result<Self> {
        let node = |&(name, parents, yes): &Row| Node {
            name: name.into(),
            states: vec!["yes".into(), "no".into()],
            parents: parents.to_vec(),
            probabilities: yes.iter().map(|&yes| vec![yes, 1.0 - yes]).collect(),
        };
        Network::new(NODES.iter().map(node).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_the_published_one() {
        let asia = Network::asia().unwrap();
        assert_eq!((asia.nodes().len(), asia.arcs(), asia.parameters()), (8, 8, 18));
    }
}
