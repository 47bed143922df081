use serde::{Deserialize, Serialize};

/// What is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Higher is better.
    Maximize,
    /// Lower is better.
    Minimize,
    /// The value of the holdout reference is best.
    Reference,
}

/// Whether there is a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There is a value.
    Ok,
    /// The metric has no meaning on these data.
    Undefined,
    /// The metric was not computed (too few rows, no holdout, no target).
    Skipped,
    /// The computation failed.
    Failed,
}

/// The result of one metric: a value or a reason, never a stand-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Name of the metric.
    pub name: String,
    /// None for the whole table, one for a column, two for a pair, all of a constraint.
    pub columns: Vec<String>,
    /// The value; `None` unless the status is `ok`.
    pub value: Option<f64>,
    /// What is better.
    pub goal: Goal,
    /// Smallest and largest possible value; `None` is unbounded.
    pub range: [Option<f64>; 2],
    /// The same metric with holdout rows in place of the synthetic ones.
    pub reference: Option<f64>,
    /// Where the value would lie in 95 of 100 repetitions with other rows, for scores that know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Of indicators and attacks, the least share of synthetic rows that must be copies of training
    /// rows for the score to show it at these numbers of rows if the others are as fresh rows, four
    /// times in five by a one-sided test at 2.5 %; `None` where no share would, or nobody can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_leak: Option<f64>,
    /// Of indicators and attacks, how often the score would be as far on the leaking side if the
    /// synthetic rows told no more of the training rows than unseen rows do: a one-sided p-value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Real rows used.
    pub rows_real: u64,
    /// Synthetic rows used.
    pub rows_synthetic: u64,
    /// Whether there is a value.
    pub status: Status,
    /// Why there is no value, or what the reader must know about it.
    pub reason: Option<String>,
}

impl Score {
    pub(crate) fn new(kind: &Kind, columns: &[&str], reading: Reading) -> Self {
        let (status, value, reason) = match reading.value {
            Ok(value) if value.is_finite() => (Status::Ok, Some(value), reading.note),
            // Whatever has no value says so in words before it comes here.
            Ok(value) => (Status::Failed, None, Some(format!("the value came out as {value}"))),
            Err(gap) => (gap.status, None, Some(gap.reason)),
        };
        Self {
            name: kind.name.into(),
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            value,
            goal: kind.goal,
            range: kind.range,
            reference: None,
            interval: reading.interval.filter(|_| value.is_some()),
            least_leak: None,
            p_value: None,
            rows_real: reading.rows_real as u64,
            rows_synthetic: reading.rows_synthetic as u64,
            status,
            reason,
        }
    }

    pub(crate) fn with_reference(mut self, reference: Option<f64>) -> Self {
        self.reference = reference.filter(|value| value.is_finite());
        self
    }

    /// Nothing for a score without a value.
    pub(crate) fn with_p_value(mut self, p_value: Option<f64>) -> Self {
        let is_share = |p: &f64| (0.0..=1.0).contains(p);
        self.p_value = p_value.filter(is_share).filter(|_| self.value.is_some());
        self
    }

    /// What share of copies would have shown, kept and said in words; `None` if none would. Nothing
    /// for a score without a value.
    pub(crate) fn with_least_leak(mut self, least: Option<f64>) -> Self {
        if self.value.is_none() {
            return self;
        }
        self.least_leak = least.filter(|share| *share <= 1.0);
        let words = least_in_words(self.least_leak);
        self.reason = Some(match self.reason {
            Some(reason) => format!("{reason}; {words}"),
            None => words,
        });
        self
    }

    /// Whether it was reckoned that no share of copies would show at these numbers of rows.
    pub fn is_blind(&self) -> bool {
        let blind = || least_in_words(None);
        self.least_leak.is_none() && self.reason.as_ref().is_some_and(|r| r.ends_with(&blind()))
    }

    /// The reason without what it says of the least leak, which stands in a field of its own.
    pub fn note(&self) -> Option<&str> {
        let reason = self.reason.as_deref()?;
        let rest = reason.strip_suffix(&least_in_words(self.least_leak)).unwrap_or(reason);
        Some(rest.strip_suffix("; ").unwrap_or(rest)).filter(|note| !note.is_empty())
    }
}

/// What share of copies would have shown.
fn least_in_words(least: Option<f64>) -> String {
    match least {
        Some(share) => {
            format!("would show if {:.2} % of the synthetic rows were copies", 100.0 * share)
        }
        None => "no share of copies would show at these numbers of rows".to_owned(),
    }
}

/// What all scores of one name have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) goal: Goal,
    pub(crate) range: [Option<f64>; 2],
}

impl Kind {
    /// A similarity or a quality in 0..=1, where more is better.
    pub(crate) const fn similarity(name: &'static str) -> Self {
        Self { name, goal: Goal::Maximize, range: [Some(0.0), Some(1.0)] }
    }

    /// A distance in 0..=1, where less is better.
    pub(crate) const fn distance(name: &'static str) -> Self {
        Self { name, goal: Goal::Minimize, range: [Some(0.0), Some(1.0)] }
    }

    /// A distance without an upper end, where less is better.
    pub(crate) const fn unbounded(name: &'static str) -> Self {
        Self { name, goal: Goal::Minimize, range: [Some(0.0), None] }
    }

    /// A share of what there is to explain, at most 1, where more is better.
    pub(crate) const fn explained(name: &'static str) -> Self {
        Self { name, goal: Goal::Maximize, range: [None, Some(1.0)] }
    }

    /// A share in 0..=1 that should be what it is for unseen real rows.
    pub(crate) const fn like_holdout(name: &'static str) -> Self {
        Self { name, goal: Goal::Reference, range: [Some(0.0), Some(1.0)] }
    }
}

/// A measurement before it gets its name: value or gap, and the rows behind it.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) value: Result<f64, Gap>,
    pub(crate) note: Option<String>,
    pub(crate) interval: Option<[f64; 2]>,
    pub(crate) rows_real: usize,
    pub(crate) rows_synthetic: usize,
}

/// Why there is no value.
#[derive(Debug, Clone)]
pub(crate) struct Gap {
    pub(crate) status: Status,
    pub(crate) reason: String,
    /// Whether the generator is to blame: the synthetic rows lack what the real ones lead to expect.
    /// A mean over parts of which one is lost has no value, so that losing a part never pays.
    pub(crate) lost: bool,
}

impl Gap {
    fn new(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), lost: false }
    }

    pub(crate) fn undefined(reason: impl Into<String>) -> Self {
        Self::new(Status::Undefined, reason)
    }

    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self::new(Status::Skipped, reason)
    }

    pub(crate) fn failed(reason: impl Into<String>) -> Self {
        Self::new(Status::Failed, reason)
    }

    /// The synthetic rows have none (or too few) of something that `real` of `real_rows` have. Lost
    /// if fresh rows would have had it all but surely, and otherwise chance.
    pub(crate) fn absent(
        reason: impl Into<String>,
        (real, real_rows): (usize, usize),
        synthetic_rows: usize,
    ) -> Self {
        let expected = real as f64 / real_rows.max(1) as f64 * synthetic_rows as f64;
        Self { lost: expected >= LEAST_EXPECTED, ..Self::undefined(reason) }
    }
}

/// Expected cells from which none at all is no chance: of as many independent cells none is missed
/// but once in 150 times (`exp(-5)`).
const LEAST_EXPECTED: f64 = 5.0;

impl Reading {
    pub(crate) fn new(value: Result<f64, Gap>, rows_real: usize, rows_synthetic: usize) -> Self {
        Self { value, note: None, interval: None, rows_real, rows_synthetic }
    }

    pub(crate) fn note(mut self, note: Option<String>) -> Self {
        self.note = note;
        self
    }

    pub(crate) fn interval(mut self, interval: Option<[f64; 2]>) -> Self {
        self.interval = interval.filter(|ends| ends.iter().all(|end| end.is_finite()));
        self
    }

    /// The value, if there is a finite one.
    pub(crate) fn ok(&self) -> Option<f64> {
        self.value.as_ref().ok().copied().filter(|value| value.is_finite())
    }
}

/// The mean of those readings that have a value, of a similarity. See [`mean_for`].
pub(crate) fn mean<'a>(
    parts: &str,
    readings: impl Iterator<Item = (String, &'a Reading)>,
    rows: (usize, usize),
) -> Reading {
    mean_for(Goal::Maximize, parts, readings, rows)
}

/// The mean of those readings that have a value. What real rows leave undefined is counted and
/// listed; where the synthetic rows lost a part (see [`Gap::absent`]) there is no mean, because one
/// without its worst part would praise the loss. The worst part is named.
///
/// `parts` says what the labels are ("columns", "pairs").
pub(crate) fn mean_for<'a>(
    goal: Goal,
    parts: &str,
    readings: impl Iterator<Item = (String, &'a Reading)>,
    rows: (usize, usize),
) -> Reading {
    let sign = if goal == Goal::Minimize { -1.0 } else { 1.0 };
    let (mut total, mut defined, mut all) = (0.0, 0usize, 0usize);
    let mut worst: Option<(f64, String)> = None;
    let (mut gaps, mut lost) = (Vec::new(), Vec::new());
    for (label, reading) in readings {
        all += 1;
        let Some(value) = reading.ok() else {
            let is_lost = reading.value.as_ref().is_err_and(|gap| gap.lost);
            if is_lost { &mut lost } else { &mut gaps }.push(label);
            continue;
        };
        total += value;
        defined += 1;
        if worst.as_ref().is_none_or(|(least, _)| sign * value < sign * *least) {
            worst = Some((value, label));
        }
    }
    let reading = |value| Reading::new(value, rows.0, rows.1);
    if !lost.is_empty() {
        let reason = format!("undefined: the synthetic rows lost {parts}: {}", listed(&lost));
        return reading(Err(Gap { lost: true, ..Gap::undefined(reason) }));
    }
    let Some((least, label)) = worst else {
        let reason = match gaps.is_empty() {
            true => format!("there are no {parts} of the kind it compares"),
            false => format!("undefined for all {parts}: {}", listed(&gaps)),
        };
        return reading(Err(Gap::undefined(reason)));
    };
    let mut notes = Vec::new();
    if !gaps.is_empty() {
        notes.push(format!("mean over {defined} of {all} {parts}; undefined: {}", listed(&gaps)));
    }
    let mean = total / defined as f64;
    if sign * least < sign * mean - 1e-9 {
        notes.push(format!("worst: {label} ({least:.3})"));
    }
    let note = Some(notes.join("; ")).filter(|note| !note.is_empty());
    reading(Ok(mean)).note(note)
}

/// The first names, and how many more there are.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len() {
        0..=SHOWN => shown,
        more => format!("{shown} and {} more", more - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(parts: &[Result<f64, Gap>]) -> Reading {
        let readings: Vec<Reading> =
            parts.iter().map(|value| Reading::new(value.clone(), 9, 9)).collect();
        let labels = ["a", "b", "c"].map(str::to_owned);
        mean("columns", labels.into_iter().zip(&readings), (9, 9))
    }

    #[test]
    fn a_mean_leaves_out_what_nobody_has_and_not_what_the_generator_lost() {
        let undefined = mean_of(&[Ok(0.5), Err(Gap::undefined("constant")), Ok(1.0)]);
        assert_eq!(undefined.ok(), Some(0.75));
        let note = undefined.note.unwrap();
        assert!(note.contains("mean over 2 of 3 columns; undefined: b"), "{note}");
        let lost = mean_of(&[Ok(0.5), Err(Gap::absent("none", (9, 10), 100)), Ok(1.0)]);
        let gap = lost.value.unwrap_err();
        assert!(gap.lost && gap.reason.contains("lost columns: b"), "{gap:?}");
    }

    #[test]
    fn the_least_leak_is_told_apart_from_other_notes() {
        let score = |note: Option<&str>| {
            let reading = Reading::new(Ok(0.5), 9, 9).note(note.map(str::to_owned));
            Score::new(&Kind::like_holdout("m"), &[], reading)
        };
        let both = score(Some("2 of 9")).with_least_leak(Some(0.125));
        assert_eq!(
            both.reason.as_deref(),
            Some("2 of 9; would show if 12.50 % of the synthetic rows were copies")
        );
        assert_eq!((both.note(), both.is_blind()), (Some("2 of 9"), false));
        let blind = score(None).with_least_leak(Some(1.5));
        assert_eq!((blind.note(), blind.is_blind()), (None, true));
        let unreckoned = score(Some("2 of 9"));
        assert_eq!((unreckoned.note(), unreckoned.is_blind()), (Some("2 of 9"), false));
    }

    #[test]
    fn what_fresh_rows_may_lack_is_not_lost() {
        assert!(!Gap::absent("none", (1, 1_000), 500).lost);
        assert!(Gap::absent("none", (1, 1_000), 5_000).lost);
        assert!(!Gap::absent("none", (0, 0), 5_000).lost);
    }
}
