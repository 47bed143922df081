use meg_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Debug;

/// Decides after every update whether the training ends here.
pub trait StopRule: Debug {
    /// Hears the named losses of an update, and returns whether it was the last.
    fn stop(&mut self, step: u64, losses: &[(&'static str, f64)]) -> bool;

    /// What the rule remembers, for a checkpoint.
    fn save(&self) -> Value;

    /// Reads what [`StopRule::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it is of another form.
    fn restore(&mut self, kept: &Value) -> Result<()>;
}

/// Stops when a named value, smaller being better, has not improved for a number of its reports.
///
/// A value that is reported only now and then (a validation score) is counted only then.
#[derive(Debug, Clone, PartialEq)]
pub struct Patience {
    name: &'static str,
    patience: u64,
    least_gain: f64,
    memory: Memory,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    /// Best value so far, and its update.
    best: Option<(f64, u64)>,
    /// Reports since then.
    since: u64,
}

impl Patience {
    /// Watches the value `name`; stops at the `patience`-th report in a row that is not below the
    /// best one by more than `least_gain` (at least 0).
    pub fn new(name: &'static str, patience: u64, least_gain: f64) -> Self {
        Self { name, patience, least_gain, memory: Memory::default() }
    }

    /// The best value so far and its update.
    pub fn best(&self) -> Option<(f64, u64)> {
        self.memory.best
    }
}

impl StopRule for Patience {
    fn stop(&mut self, step: u64, losses: &[(&'static str, f64)]) -> bool {
        let Some(&(_, value)) = losses.iter().find(|(name, _)| *name == self.name) else {
            return false;
        };
        let memory = &mut self.memory;
        if memory.best.is_none_or(|(best, _)| value < best - self.least_gain) {
            *memory = Memory { best: Some((value, step)), since: 0 };
        } else {
            memory.since += 1;
        }
        memory.since >= self.patience
    }

    fn save(&self) -> Value {
        serde_json::json!(self.memory)
    }

    fn restore(&mut self, kept: &Value) -> Result<()> {
        self.memory = Memory::deserialize(kept)
            .map_err(|error| Error::Checkpoint(format!("the stop rule: {error}")))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_reports_without_a_gain() {
        let mut rule = Patience::new("score", 2, 0.1);
        let mut hear = |step, value| rule.stop(step, &[("loss", 0.0), ("score", value)]);
        assert!(!hear(1, 5.0) && !hear(2, 4.0) && !hear(3, 3.95), "too small a gain counts once");
        assert!(!hear(4, 3.5), "a gain resets the count");
        assert!(!hear(5, 9.0) && hear(6, 3.45));
        assert_eq!(rule.best(), Some((3.5, 4)));
    }

    #[test]
    fn updates_without_the_value_do_not_count_and_the_memory_travels() {
        let mut rule = Patience::new("score", 2, 0.0);
        assert!(!rule.stop(1, &[("score", 1.0)]) && !rule.stop(2, &[("score", 1.0)]));
        assert!((3..50).all(|step| !rule.stop(step, &[("loss", 1.0)])));
        let mut again = Patience::new("score", 2, 0.0);
        again.restore(&rule.save()).unwrap();
        assert_eq!(again, rule);
        assert!(again.stop(50, &[("score", 1.0)]));
        assert!(again.restore(&serde_json::json!({"best": "x"})).is_err());
    }
}
