use crate::{
    Comparison, Score,
    power::{Law, Sizes, least_share},
    score::{Gap, Kind, Reading},
    significance::{more_successes, wilson},
    tables::{shuffle_front, subsample},
};
use meg_core::{Seed, Table};

/// Rows attacked on either side at most.
const MOST_TARGETS: usize = 500;

/// Rows of either side at least.
const LEAST_TARGETS: usize = 20;

/// A share and how sure it is.
#[derive(Debug, Clone, Copy)]
struct Estimate {
    value: f64,
    /// Half-width of the 95 % interval.
    half: f64,
}

/// Successes of an attack.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rate {
    pub(super) successes: usize,
    pub(super) attacks: usize,
}

impl Rate {
    /// How many of these attacks succeeded.
    pub(super) fn of(successes: &[bool]) -> Self {
        let count = successes.iter().filter(|success| **success).count();
        Self { successes: count, attacks: successes.len() }
    }

    fn wilson(self) -> Estimate {
        let [low, high] = wilson(self.successes as f64, self.attacks as f64);
        Estimate { value: f64::midpoint(low, high), half: (high - low) / 2.0 }
    }

    fn always(self) -> bool {
        self.successes == self.attacks
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { successes: self.successes + other.successes, attacks: self.attacks + other.attacks }
    }
}

/// How much better an attack does on training rows than on unseen rows, as a share of what is left
/// to do better: `(main - control) / (1 - control)` of Wilson's centres, with its 95 % interval by
/// first-order propagation; all cut to 0..=1.
///
/// `None` where an attack on either side was not made, or always succeeds on unseen rows.
pub(super) fn risk(main: Rate, control: Rate) -> Option<(f64, [f64; 2])> {
    let made = main.attacks > 0 && control.attacks > 0;
    (made && !control.always()).then(|| risk_beside(main.wilson(), control.wilson()))
}

/// The same beside a control that is below 1.
fn risk_beside(main: Estimate, control: Estimate) -> (f64, [f64; 2]) {
    let left = 1.0 - control.value;
    let value = (main.value - control.value) / left;
    let slope = (main.value - 1.0) / (left * left);
    let error = ((main.half / left).powi(2) + (slope * control.half).powi(2)).sqrt();
    let cut = |value: f64| value.clamp(0.0, 1.0);
    (cut(value), [cut(value - error), cut(value + error)])
}

/// What an attack reached: on training rows, on unseen rows, on unseen rows that were put among the
/// synthetic ones, and by guessing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    pub(super) main: Rate,
    pub(super) control: Rate,
    pub(super) planted: Rate,
    pub(super) guessing: Rate,
}

impl Outcome {
    /// Attacks of both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            main: self.main.plus(other.main),
            control: self.control.plus(other.control),
            planted: self.planted.plus(other.planted),
            guessing: self.guessing.plus(other.guessing),
        }
    }

    /// The share of the attacks on training rows that must go as they go on planted rows for the risk
    /// to show: see [`least_share`].
    pub(super) fn least_share(&self) -> Option<f64> {
        if self.main.attacks == 0 || self.control.attacks == 0 || self.planted.attacks == 0 {
            return None;
        }
        let law = |rate: Rate| Law::successes(rate.successes as f64, rate.attacks);
        let sizes = Sizes::new(self.main.attacks, Some(self.control.attacks));
        least_share(law(self.control), law(self.planted), sizes)
    }

    /// By Fisher's exact test.
    fn p_value(&self) -> f64 {
        let counts = |rate: Rate| (rate.successes, rate.attacks);
        more_successes(counts(self.main), counts(self.control))
    }

    /// The risk as a score; 0 is what rows have that know no person. The reason says how often the
    /// attack succeeded, when it cannot be trusted, and what share of copies would have shown.
    pub(super) fn score(
        &self,
        kind: &Kind,
        columns: &[&str],
        note: &str,
        least_leak: Option<f64>,
    ) -> Score {
        let rows = (self.main.attacks, self.control.attacks);
        let gap = match rows {
            (0, _) | (_, 0) => Some("no attack could be made"),
            _ if self.control.always() => Some("the attack always succeeds on unseen rows too"),
            _ => None,
        };
        if let Some(reason) = gap {
            let reading = Reading::new(Err(Gap::undefined(reason)), rows.0, rows.1);
            return Score::new(kind, columns, reading);
        }
        let (value, interval) = risk_beside(self.main.wilson(), self.control.wilson());
        let share = |rate: Rate| format!("{} of {}", rate.successes, rate.attacks);
        let mut reason = format!(
            "{note}{} training rows, {} unseen rows, {} by guessing",
            share(self.main),
            share(self.control),
            share(self.guessing)
        );
        let rate = |rate: Rate| rate.successes as f64 / rate.attacks.max(1) as f64;
        if rate(self.guessing) >= rate(self.main) && self.main.successes > 0 {
            reason += "; guessing finds as many";
        }
        let reading = Reading::new(Ok(value), rows.0, rows.1).interval(Some(interval));
        Score::new(kind, columns, reading.note(Some(reason)))
            .with_reference(Some(0.0))
            .with_p_value(Some(self.p_value()))
            .with_least_leak(least_leak)
    }
}

/// The rows under attack: as many of the training rows as of the unseen rows.
#[derive(Debug)]
pub(super) struct Targets<'a> {
    pub(super) holdout: &'a Table,
    pub(super) members: Vec<usize>,
    pub(super) others: Vec<usize>,
}

impl<'a> Targets<'a> {
    /// At most 500 of either side.
    pub(super) fn new(comparison: &Comparison<'a>) -> Result<Self, Gap> {
        if comparison.synthetic.rows() == 0 {
            return Err(Gap::undefined("there is no synthetic row"));
        }
        let holdout = comparison
            .holdout
            .filter(|table| table.rows() > 0)
            .ok_or_else(|| Gap::skipped("there are no holdout rows"))?;
        let rows = holdout.rows().min(comparison.train.rows()).min(MOST_TARGETS);
        if rows < LEAST_TARGETS {
            return Err(Gap::undefined(format!(
                "{rows} rows of a side are too few to attack; {LEAST_TARGETS} are needed"
            )));
        }
        let pick =
            |table: &Table, purpose: &str, seed: Seed| subsample(table.rows(), rows, seed, purpose);
        Ok(Self {
            holdout,
            members: pick(comparison.train, "attacked training rows", comparison.seed),
            others: pick(holdout, "attacked holdout rows", comparison.seed),
        })
    }
}

/// The synthetic rows with the attacked unseen rows among them, in random order: what the attack then
/// reaches on those is what it reaches on a row that was copied, ties and all.
pub(super) fn planted(comparison: &Comparison<'_>, targets: &Targets<'_>) -> Result<Table, Gap> {
    let copies = targets.holdout.select_rows(&targets.others);
    let both = comparison.synthetic.clone().concat(copies);
    let both = both.map_err(|error| Gap::failed(error.to_string()))?;
    let mut order: Vec<usize> = (0..both.rows()).collect();
    let rows = order.len();
    shuffle_front(&mut order, rows, &mut comparison.seed.stream("planted rows"));
    Ok(both.select_rows(&order))
}

/// Copied rows among the synthetic ones, by the share of the training rows that are copied.
pub(super) fn copies(comparison: &Comparison<'_>) -> f64 {
    comparison.train.rows() as f64 / comparison.synthetic.rows() as f64
}

/// Scores without a value.
pub(super) fn without(kinds: &[Kind], gap: &Gap, comparison: &Comparison<'_>) -> Vec<Score> {
    let reading = Reading::new(Err(gap.clone()), comparison.train.rows(), 0);
    kinds.iter().map(|kind| Score::new(kind, &[], reading.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        let rate = |successes| Rate { successes, attacks: 500 };
        let (value, [low, high]) = risk(rate(60), rate(40)).unwrap();
        assert!((value - 0.043).abs() < 5e-4, "{value}");
        assert!(((high - low) / 2.0 - 0.040).abs() < 1.5e-3, "{low} {high}");
        assert_eq!(risk(rate(40), rate(60)).unwrap().0, 0.0);
    }

    #[test]
    fn an_attack_that_was_not_made_or_always_succeeds_has_no_risk() {
        let rate = |successes| Rate { successes, attacks: 20 };
        let value = |main, control| {
            let outcome = Outcome { main, control, ..Outcome::default() };
            outcome.score(&Kind::distance("risk"), &[], "", None).value
        };
        assert_eq!(value(rate(1), Rate::default()), None);
        assert_eq!(value(rate(20), rate(20)), None);
        assert!(value(rate(20), rate(19)).is_some());
    }
}
