//! Whether the scores of privacy and attacks look like a leak: who must decide whether rows may be
//! shared needs a word on each value, and a number for what could not have been seen.
//!
//! A score looks like a leak where its p-value says that chance seldom does as much, and clearly so
//! where chance would not do it to the best of all scores either. Nothing here says that rows are
//! safe.

mod verdict;

use crate::record::{Record, Rows};
use eval::{Group, METRICS, Score};
use serde::Serialize;
pub use verdict::{Judge, Verdict};
use verdict::{like, may_be_of_typical_rows, p_value, shows};

/// The group of a score, if there is a score of this name.
pub fn group_of(name: &str) -> Option<Group> {
    METRICS.iter().find(|metric| metric.names().contains(&name)).map(|metric| metric.group())
}

/// Whether a score is about privacy.
pub fn is_of_privacy(name: &str) -> bool {
    matches!(group_of(name), Some(Group::Privacy | Group::Attacks))
}

/// What the table-wide scores of some cells, which differ by their seeds, say of leaks.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Leaks {
    /// Scores that look like a leak, those that do so clearly first.
    pub seen: Vec<Finding>,
    /// Scores that show no more than chance does.
    pub nothing: Vec<String>,
    /// Scores that can show nothing at these numbers of rows.
    pub blind: Vec<String>,
    /// The least share of copies that one of the scores would have shown, the mean over cells.
    pub least_leak: Option<f64>,
    /// That score.
    pub sharpest: Option<String>,
    /// Attacks that were asked for and say nothing, because they have no value or nobody is unseen.
    pub unmade: Vec<String>,
}

/// A score that looks like a leak.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Name of the score.
    pub metric: String,
    /// Seeds of the cells that alone say so. That one of several cells has so small a p-value is as
    /// many times as likely by chance, so that it is held against as many times less.
    pub seeds: Vec<u64>,
    /// How often chance does as much to one of the cells.
    pub p_value: f64,
    /// Whether it looks like a leak clearly.
    pub clear: bool,
    /// The largest share of copies that would explain it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<f64>,
}

impl Leaks {
    /// Of these cells; `None` where no score can be judged.
    pub fn of(cells: &[&Record]) -> Option<Self> {
        let mut told: Vec<Told<'_>> = Vec::new();
        let mut unmade: Vec<String> = Vec::new();
        for record in cells {
            for score in record.metrics.iter().filter(|score| score.columns.is_empty()) {
                match told.iter_mut().find(|own| own.name == score.name) {
                    _ if p_value(score).is_none() => unmade.extend(unmade_attack(score)),
                    Some(own) => own.cells.push((record, score)),
                    None => told.push(Told { name: &score.name, cells: vec![(record, score)] }),
                }
            }
        }
        unmade.retain(|name| told.iter().all(|own| own.name != name));
        unmade.sort_unstable();
        unmade.dedup();
        if told.is_empty() {
            return None;
        }
        let mut leaks = Self { unmade, ..Self::default() };
        told.iter().for_each(|own| leaks.add(own, told.len()));
        leaks.seen.sort_by_key(|finding| !finding.clear);
        let least = told.iter().filter_map(|own| Some((own.least_leak()?, own.name)));
        if let Some((share, name)) = least.min_by(|a, b| a.0.total_cmp(&b.0)) {
            (leaks.least_leak, leaks.sharpest) = (Some(share), Some(name.to_owned()));
        }
        Some(leaks)
    }

    fn add(&mut self, own: &Told<'_>, scores: usize) {
        match own.finding(scores) {
            Some(finding) => self.seen.push(finding),
            None if own.cells.iter().all(|(_, score)| score.is_blind()) => {
                self.blind.push(own.name.to_owned());
            }
            None => self.nothing.push(own.name.to_owned()),
        }
    }

    /// Sentences for whoever must decide whether the synthetic rows of one cell may be shared. They
    /// never say that rows are safe.
    pub fn in_words(&self, rows: Rows) -> Vec<String> {
        let mut words = vec![self.headline(rows)];
        let mut say = |when: bool, text: &str| words.extend(when.then(|| text.to_owned()));
        say(
            self.clear() > 0,
            "Before you share these rows, look at those nearest to training rows, mask what tells people, or learn with a bound (priv-bayes).",
        );
        say(self.clear() == 0 && !self.seen.is_empty(), NOT_CLEARLY);
        say(
            self.may_be_typical_rows(),
            "A generator of typical rows alone comes nearer to training rows than unseen rows do: dcr_share and the attacks tell the two apart.",
        );
        words.push(self.limits(rows));
        words.extend(self.attacks_in_words());
        words
    }

    fn headline(&self, rows: Rows) -> String {
        let (seen, listed) = (self.seen.len(), listed(&self.seen));
        let able = seen + self.nothing.len();
        let all = scores(able);
        let look = if seen == 1 { "looks" } else { "look" };
        let mut words = match self.clear() {
            _ if able == 0 => "No score can see a leak at these sizes".into(),
            _ if seen == 0 => format!("No leak seen by {all} at these sizes"),
            0 => format!("{seen} of {all} {look} like a leak, though not clearly: {listed}"),
            clear if clear == seen => format!("{seen} of {all} {look} like a leak: {listed}"),
            clear => {
                format!("{seen} of {all} {look} like a leak, {clear} of them clearly: {listed}")
            }
        };
        if seen == 0 {
            let Rows { train, holdout, synthetic, .. } = rows;
            words += &format!(" ({train} training, {holdout} unseen, {synthetic} synthetic rows)");
        }
        match self.blind.as_slice() {
            [] => words + ".",
            blind => format!("{words}. Blind at these sizes: {}.", blind.join(", ")),
        }
    }

    /// Why no attack says anything, where none does.
    fn attacks_in_words(&self) -> Option<String> {
        match (self.has_attacks(), self.unmade.as_slice()) {
            (true, _) => None,
            (false, []) => {
                Some("No attack was made: --metrics default,attacks asks for them.".into())
            }
            (false, unmade) => Some(format!(
                "None of the attacks that were asked for has a value, so none was withstood: {}. Their reasons stand with the scores.",
                unmade.join(", ")
            )),
        }
    }

    /// How many scores look like a leak clearly.
    fn clear(&self) -> usize {
        self.seen.iter().filter(|finding| finding.clear).count()
    }

    /// What could not have been seen.
    fn limits(&self, rows: Rows) -> String {
        let (Some(least), Some(sharpest)) = (self.least_leak, &self.sharpest) else {
            return "No share of copies is known that these scores would have shown: that they see nothing says nothing.".into();
        };
        format!(
            "A leak below {} of the synthetic rows (copies of training rows, {} of {}) would not show: that is the least that the sharpest score, {sharpest}, finds four times in five. More can hide where the other rows lie farther off than unseen ones, and so can leaks that are no copies.",
            percent(least),
            (least * rows.synthetic as f64).ceil(),
            rows.synthetic
        )
    }

    /// How many scores were judged.
    pub fn judged(&self) -> usize {
        self.seen.len() + self.nothing.len() + self.blind.len()
    }

    /// Whether all that looks like a leak could also be a generator of typical rows.
    pub fn may_be_typical_rows(&self) -> bool {
        let may = |finding: &Finding| may_be_of_typical_rows(&finding.metric);
        !self.seen.is_empty() && self.seen.iter().all(may)
    }

    /// Whether attacks are among the judged scores.
    pub fn has_attacks(&self) -> bool {
        let found = self.seen.iter().map(|finding| &finding.metric);
        let mut all = found.chain(&self.nothing).chain(&self.blind);
        all.any(|name| is_attack(name))
    }
}

const NOT_CLEARLY: &str = "Chance alone gives one such score or more to about one table of three. Before you share these rows, judge again beside other unseen rows, or more of them.";

/// A score in the cells that can be judged by it.
struct Told<'a> {
    name: &'a str,
    cells: Vec<(&'a Record, &'a Score)>,
}

impl Told<'_> {
    /// Whether one of the cells leaks, by its p-value times the number of cells (Bonferroni).
    fn finding(&self, scores: usize) -> Option<Finding> {
        let among = self.cells.len() as f64;
        let p_of = |score: &Score| p_value(score).map(|p| (p * among).min(1.0));
        let leaking = |score: &Score| p_of(score).and_then(|p| shows(p, scores));
        let least =
            self.cells.iter().filter_map(|(_, score)| p_of(score)).min_by(f64::total_cmp)?;
        let clear = shows(least, scores)?;
        let cells = || self.cells.iter().filter(|(_, score)| leaking(score).is_some());
        let shares = cells().filter_map(|(record, score)| like(score, record.rows.train));
        Some(Finding {
            metric: self.name.to_owned(),
            seeds: cells().map(|(record, _)| record.seed).collect(),
            p_value: least,
            clear,
            like: shares.max_by(f64::total_cmp),
        })
    }

    /// The mean over the cells, where each has a least leak.
    fn least_leak(&self) -> Option<f64> {
        mean(self.cells.iter().map(|(_, score)| score.least_leak))
    }
}

fn is_attack(name: &str) -> bool {
    group_of(name) == Some(Group::Attacks)
}

/// The name of an attack that says nothing.
fn unmade_attack(score: &Score) -> Option<String> {
    is_attack(&score.name).then(|| score.name.clone())
}

/// The first of the findings, and how many more there are.
pub(crate) fn listed(findings: &[Finding]) -> String {
    const SHOWN: usize = 6;
    let one = |finding: &Finding| match finding.like {
        Some(like) => format!("{} (as if {} were copies)", finding.metric, percent(like)),
        None => finding.metric.clone(),
    };
    let shown: Vec<String> = findings.iter().take(SHOWN).map(one).collect();
    match findings.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn scores(count: usize) -> String {
    format!("{count} score{}", if count == 1 { "" } else { "s" })
}

/// The mean of these, `None` where one is missing or there are none.
pub(crate) fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// A share in per cent, with two figures at least.
pub fn percent(share: f64) -> String {
    match 100.0 * share {
        part if part >= 99.95 => "100 %".into(),
        part if part >= 10.0 => format!("{part:.1} %"),
        part if part >= 0.1 || part == 0.0 => format!("{part:.2} %"),
        part => format!("{part:.1e} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{record, score};

    fn judged(name: &str, value: f64, p_value: f64, least: Option<f64>) -> Score {
        let p_value = Some(p_value);
        Score { least_leak: least, p_value, ..score(name, value, Some(0.0)) }
    }

    #[test]
    fn cells_are_taken_together_by_score() {
        let cell = |seed: u64, identical: f64, p_value: f64, least: Option<f64>| {
            let mut record = record("toy", "m", seed);
            record.metrics = vec![
                score("shape", 0.9, Some(0.9)),
                judged("identical_match_share", identical, p_value, least),
                judged("dcr_median", 0.2, 0.5, Some(0.3)),
                Score { value: None, ..score("membership_auc", 0.5, None) },
            ];
            record
        };
        let (first, second) = (cell(1, 0.0, 0.9, Some(0.1)), cell(2, 0.4, 0.01, Some(0.3)));
        let leaks = Leaks::of(&[&first, &second]).unwrap();
        let seen = Finding {
            metric: "identical_match_share".into(),
            seeds: vec![2],
            p_value: 0.02,
            clear: false,
            like: Some(0.4),
        };
        assert_eq!((&leaks.seen, &leaks.nothing), (&vec![seen], &vec!["dcr_median".to_owned()]));
        assert_eq!(leaks.judged(), 2);
        assert!((leaks.least_leak.unwrap() - 0.2).abs() < 1e-12, "{leaks:?}");
        assert_eq!(leaks.sharpest.as_deref(), Some("identical_match_share"));
        assert!(!leaks.may_be_typical_rows(), "copies are not typical rows");
        assert!(!leaks.has_attacks() && leaks.unmade == ["membership_auc"]);
        // Of three cells one is as good by chance more often than once in forty.
        let third = cell(3, 0.0, 0.9, Some(0.1));
        let leaks = Leaks::of(&[&first, &second, &third]).unwrap();
        assert!(leaks.seen.is_empty() && leaks.nothing.len() == 2, "{leaks:?}");
        assert_eq!(Leaks::of(&[]), None);
    }

    #[test]
    fn the_words_name_leaks_and_limits_and_never_safety() {
        let rows = Rows { train: 100, holdout: 50, synthetic: 100, limit: None };
        let quiet = Leaks {
            nothing: vec!["tail_leak".into(), "membership_auc".into()],
            blind: vec!["nndr_p05".into()],
            least_leak: Some(0.0275),
            sharpest: Some("tail_leak".into()),
            ..Leaks::default()
        };
        let words = quiet.in_words(rows).join("\n");
        for part in [
            "No leak seen by 2 scores at these sizes (100 training, 50 unseen, 100 synthetic rows). Blind at these sizes: nndr_p05.",
            "A leak below 2.75 % of the synthetic rows (copies of training rows, 3 of 100) would not show",
        ] {
            assert!(words.contains(part), "{part} is missing in {words}");
        }
        assert!(!words.contains("safe") && !words.contains("No attack was made"), "{words}");
        let found = |metric: &str, clear, like| Finding {
            metric: metric.into(),
            seeds: vec![1],
            p_value: 0.001,
            clear,
            like,
        };
        let loud = Leaks {
            seen: vec![found("dcr_mean", true, Some(0.25))],
            nothing: vec!["dcr_p05".into()],
            ..Leaks::default()
        };
        let words = loud.in_words(rows).join("\n");
        for part in [
            "1 of 2 scores looks like a leak: dcr_mean (as if 25.0 % were copies).",
            "typical rows alone",
            "says nothing",
            "--metrics default,attacks",
        ] {
            assert!(words.contains(part), "{part} is missing in {words}");
        }
        let seen = vec![found("membership_auc", false, None)];
        let faint = Leaks { seen, ..loud.clone() };
        let words = faint.in_words(rows).join("\n");
        assert!(
            words.starts_with("1 of 2 scores looks like a leak, though not clearly"),
            "{words}"
        );
        assert!(words.contains("Chance alone") && !words.contains("typical rows"), "{words}");
        let unmade = Leaks { unmade: vec!["linkability_risk".into()], ..loud };
        let words = unmade.in_words(rows).join("\n");
        assert!(words.contains("has a value, so none was withstood: linkability_risk"), "{words}");
        assert!(!words.contains("No attack was made"), "{words}");
    }

    #[test]
    fn shares_are_told_in_per_cent() {
        let told = [1.0, 0.125, 0.0275, 0.0, 0.00004].map(percent);
        assert_eq!(told, ["100 %", "12.5 %", "2.75 %", "0.00 %", "4.0e-3 %"]);
    }
}
