//! Whether the scores of privacy and attacks look like a leak: who must decide whether rows may be
//! shared needs a word on each value, and a number for what could not have been seen.
//!
//! A score looks like a leak where its value lies on the leaking side of its reference by more than
//! chance: beyond its 95 % interval, or, where it has none, by more than the least leak would move
//! it. A score on that side with neither is unclear. Scores are many: it looks so clearly only where
//! an interval of twice the width, or twice the least leak, would say the same. Nothing here says
//! that rows are safe.

use crate::record::{Record, Rows};
use eval::{Group, METRICS, Score};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a score says of leaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// On the leaking side by more than chance.
    Leak {
        /// The share of copies among the synthetic rows that would explain it, where it can be told.
        like: Option<f64>,
        /// Whether it is so far on that side that many such scores would not make it chance.
        clear: bool,
    },
    /// On the leaking side, and nobody can say whether by chance.
    Unclear,
    /// Not on the leaking side, or by no more than chance.
    Nothing,
    /// Nothing, and no share of copies would show at these numbers of rows.
    Blind,
}

impl Verdict {
    /// The verdict as a reader needs it.
    pub fn in_words(self) -> String {
        match self {
            Verdict::Leak { like, clear } => {
                let how = if clear { "" } else { ", not clearly" };
                let like = like.map_or(String::new(), |like| {
                    format!(" (as if {} were copies)", percent(like))
                });
                format!("looks like a leak{how}{like}")
            }
            Verdict::Unclear => "on the leaking side, perhaps by chance".into(),
            Verdict::Nothing => "nothing seen".into(),
            Verdict::Blind => "blind: no share of copies would show".into(),
        }
    }
}

/// The side of the reference on which people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    More,
    Less,
}

/// How a score answers to copies among the synthetic rows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    /// A mean over synthetic rows, to which a copy gives this.
    Mean(f64),
    /// The same, to which a copy gives so much at most.
    UpTo(f64),
    /// A mean over training rows, to which a copied one gives this.
    Told(f64),
    /// The same, to which a copied one gives so much at most.
    ToldUpTo(f64),
    /// The quantile at this level of distances, of which a copy has 0.
    Quantile(f64),
    /// By an amount that the score alone does not tell.
    Unknown,
}

/// The indicators by their leaking side. Attacks leak where they succeed.
const INDICATORS: [(&str, Side, Answer); 18] = [
    ("dcr_median", Side::Less, Answer::Quantile(0.5)),
    ("dcr_p05", Side::Less, Answer::Quantile(0.05)),
    ("dcr_mean", Side::Less, Answer::Mean(0.0)),
    ("dcr_share", Side::More, Answer::Unknown),
    ("identical_match_share", Side::More, Answer::Mean(1.0)),
    ("identical_match_excess", Side::More, Answer::Mean(1.0)),
    ("nndr_p05", Side::Less, Answer::Quantile(0.05)),
    ("nndr_median", Side::Less, Answer::Quantile(0.5)),
    ("tail_leak", Side::More, Answer::Mean(0.98)),
    ("new_row_share", Side::Less, Answer::Mean(0.0)),
    ("k_map_small_share", Side::More, Answer::UpTo(1.0)),
    ("dcr_euclid_mean", Side::Less, Answer::Mean(0.0)),
    ("dcr_euclid_median", Side::Less, Answer::Quantile(0.5)),
    ("dcr_euclid_p05", Side::Less, Answer::Quantile(0.05)),
    ("dcr_euclid_sensitive_mean", Side::Less, Answer::Mean(0.0)),
    ("feature_obfuscation", Side::Less, Answer::Told(0.0)),
    ("feature_obfuscation_distance", Side::Less, Answer::Told(0.0)),
    ("membership_epsilon", Side::More, Answer::Unknown),
];

/// How much wider an interval, and larger a least leak, must still say leak for it to be clear: four
/// deviations, which none of forty scores reaches by chance.
const CLEAR: f64 = 2.0;

/// The lower end of its interval is the score itself: what the attacks refute with 95 % confidence.
const LIMIT: &str = "membership_epsilon";

/// Scores that a generator of typical rows moves as a leak does, because unseen rows have no part in
/// them but as a reference: all indicators but this one.
const AGAINST_UNSEEN: &str = "dcr_share";

/// The group of a score, if there is a score of this name.
pub fn group_of(name: &str) -> Option<Group> {
    METRICS.iter().find(|metric| metric.names().contains(&name)).map(|metric| metric.group())
}

/// Whether a score is about privacy.
pub fn is_of_privacy(name: &str) -> bool {
    matches!(group_of(name), Some(Group::Privacy | Group::Attacks))
}

/// What a score says of leaks, of a generator that learned from so many rows; `None` for scores of
/// something else, without value or reference, or of no side.
pub fn verdict(score: &Score, train_rows: u64) -> Option<Verdict> {
    let (side, answer) = sign(&score.name)?;
    let (value, reference) = (score.value?, score.reference?);
    let leaking = match side {
        Side::More => value > reference,
        Side::Less => value < reference,
    };
    let nothing = if score.is_blind() { Verdict::Blind } else { Verdict::Nothing };
    let limit = (score.name == LIMIT).then_some([value, f64::INFINITY]);
    let like = like(answer, (value, reference), copies_by_told(score, train_rows));
    let exact = matches!(answer, Answer::Mean(_) | Answer::Told(_));
    let told = like.filter(|_| exact);
    let leak = |clear| Verdict::Leak { like: told, clear };
    if let Some([low, high]) = score.interval.or(limit) {
        let beyond = |times: f64| match side {
            Side::More => value - times * (value - low) > reference,
            Side::Less => value + times * (high - value) < reference,
        };
        let clear = score.interval.is_some() && beyond(CLEAR);
        return Some(if beyond(1.0) { leak(clear) } else { nothing });
    }
    Some(match (leaking, like, score.least_leak) {
        (false, ..) => nothing,
        (true, Some(like), Some(least)) if like > least => leak(like > CLEAR * least),
        (true, ..) if score.is_blind() => Verdict::Blind,
        // A quantile above 0 tells no share: it falls a little by chance or by few copies.
        (true, None, _) | (true, _, None) => Verdict::Unclear,
        (true, Some(_), Some(_)) => Verdict::Nothing,
    })
}

fn sign(name: &str) -> Option<(Side, Answer)> {
    if let Some((_, side, answer)) = INDICATORS.iter().find(|(own, ..)| *own == name) {
        return Some((*side, *answer));
    }
    // Areas and rates are means over members; a member that is copied is found at best.
    let answer = match name.ends_with("_auc") || name.contains("_tpr_") {
        true => Answer::ToldUpTo(1.0),
        false => Answer::Unknown,
    };
    (group_of(name) == Some(Group::Attacks)).then_some((Side::More, answer))
}

/// Copies among the synthetic rows, as a share of them, by the share of the training rows that are
/// told.
fn copies_by_told(score: &Score, train_rows: u64) -> f64 {
    train_rows as f64 / score.rows_synthetic.max(1) as f64
}

/// The least share of copies that would explain the value.
fn like(answer: Answer, (value, reference): (f64, f64), by_told: f64) -> Option<f64> {
    let part = |copy: f64| (value - reference) / (copy - reference);
    let share = match answer {
        Answer::Mean(copy) | Answer::UpTo(copy) => part(copy),
        Answer::Told(copy) | Answer::ToldUpTo(copy) => part(copy) * by_told,
        Answer::Quantile(level) if value == 0.0 => level,
        Answer::Quantile(_) | Answer::Unknown => return None,
    };
    (share.is_finite() && share > 0.0).then(|| share.min(1.0))
}

/// What the table-wide scores of some cells, which differ by their seeds, say of leaks.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Leaks {
    /// Scores that look like a leak in some cell, those that do so clearly first.
    pub seen: Vec<Finding>,
    /// Scores on the leaking side in some cell, of which nobody can say whether by chance.
    pub unclear: Vec<Finding>,
    /// Scores that show nothing.
    pub nothing: Vec<String>,
    /// Scores that can show nothing at these numbers of rows.
    pub blind: Vec<String>,
    /// The least share of copies that one of the scores would have shown, the mean over cells.
    pub least_leak: Option<f64>,
    /// That score.
    pub sharpest: Option<String>,
}

/// A score, and where it says something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Name of the score.
    pub metric: String,
    /// Seeds of the cells.
    pub seeds: Vec<u64>,
    /// Whether it looks like a leak clearly, in one of them at least.
    pub clear: bool,
    /// The largest share of copies that would explain it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<f64>,
}

impl Leaks {
    /// Of these cells; `None` where no score can be judged.
    pub fn of(cells: &[&Record]) -> Option<Self> {
        let mut names: Vec<&str> = Vec::new();
        let mut told: BTreeMap<&str, Vec<(u64, Verdict)>> = BTreeMap::new();
        for record in cells {
            for score in record.metrics.iter().filter(|score| score.columns.is_empty()) {
                let Some(verdict) = verdict(score, record.rows.train) else { continue };
                if !names.contains(&score.name.as_str()) {
                    names.push(&score.name);
                }
                told.entry(&score.name).or_default().push((record.seed, verdict));
            }
        }
        let mut leaks = Self::default();
        names.iter().for_each(|name| leaks.add(name, &told[name]));
        leaks.seen.sort_by_key(|finding| !finding.clear);
        let least = names.iter().filter_map(|name| Some((least_leak(cells, name)?, *name)));
        if let Some((share, name)) = least.min_by(|a, b| a.0.total_cmp(&b.0)) {
            (leaks.least_leak, leaks.sharpest) = (Some(share), Some(name.to_owned()));
        }
        (!names.is_empty()).then_some(leaks)
    }

    fn add(&mut self, name: &str, told: &[(u64, Verdict)]) {
        let metric = name.to_owned();
        let seeds_of = |is: fn(&Verdict) -> bool| -> Vec<u64> {
            told.iter().filter(|(_, verdict)| is(verdict)).map(|(seed, _)| *seed).collect()
        };
        let seen = seeds_of(|verdict| matches!(verdict, Verdict::Leak { .. }));
        let unclear = seeds_of(|verdict| *verdict == Verdict::Unclear);
        if !seen.is_empty() {
            let leaks = told.iter().filter_map(|(_, verdict)| match verdict {
                Verdict::Leak { like, clear } => Some((*like, *clear)),
                _ => None,
            });
            let clear = leaks.clone().any(|(_, clear)| clear);
            let like = leaks.filter_map(|(like, _)| like).max_by(f64::total_cmp);
            self.seen.push(Finding { metric, seeds: seen, clear, like });
        } else if !unclear.is_empty() {
            self.unclear.push(Finding { metric, seeds: unclear, clear: false, like: None });
        } else if told.iter().any(|(_, verdict)| *verdict == Verdict::Nothing) {
            self.nothing.push(metric);
        } else {
            self.blind.push(metric);
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
        say(
            self.clear() == 0 && !self.seen.is_empty(),
            "Chance alone does that in about one table of four. Before you share these rows, judge again with other rows, or more of them, and another --seed.",
        );
        say(
            self.may_be_typical_rows(),
            "A generator of typical rows alone comes nearer to training rows than unseen rows do: dcr_share and the attacks tell the two apart.",
        );
        if !self.unclear.is_empty() {
            let names: Vec<&str> = self.unclear.iter().map(|one| one.metric.as_str()).collect();
            words.push(format!(
                "On the leaking side, and nobody can say whether by chance: {}.",
                names.join(", ")
            ));
        }
        words.push(self.limits(rows));
        if !self.has_attacks() {
            words.push("No attack was made: --metrics default,attacks asks for them.".into());
        }
        words
    }

    fn headline(&self, rows: Rows) -> String {
        let all = scores(self.judged());
        let look = if self.seen.len() == 1 { "looks" } else { "look" };
        let (seen, listed) = (self.seen.len(), listed(&self.seen));
        match self.clear() {
            _ if seen == 0 => format!(
                "No leak seen at these sizes ({} training, {} unseen, {} synthetic rows) by {all}.",
                rows.train, rows.holdout, rows.synthetic
            ),
            0 => format!("{seen} of {all} {look} like a leak, though not clearly: {listed}."),
            clear if clear == seen => format!("{seen} of {all} {look} like a leak: {listed}."),
            clear => {
                format!("{seen} of {all} {look} like a leak, {clear} of them clearly: {listed}.")
            }
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
            "A leak below {} of the synthetic rows (copies of training rows, {} of {}) would not show: that is the least that the sharpest score, {sharpest}, finds about every other time. More can hide where the other rows lie farther off than unseen ones, and so can leaks that are no copies.",
            percent(least),
            (least * rows.synthetic as f64).ceil(),
            rows.synthetic
        )
    }

    /// How many scores were judged.
    pub fn judged(&self) -> usize {
        self.seen.len() + self.unclear.len() + self.nothing.len() + self.blind.len()
    }

    /// Whether all that looks like a leak could also be a generator of typical rows, which come near
    /// to training rows as near as to any: distances to training rows alone say so.
    pub fn may_be_typical_rows(&self) -> bool {
        let indicator = |finding: &Finding| {
            finding.metric != AGAINST_UNSEEN && group_of(&finding.metric) == Some(Group::Privacy)
        };
        !self.seen.is_empty() && self.seen.iter().all(indicator)
    }

    /// Whether attacks are among the scores.
    pub fn has_attacks(&self) -> bool {
        let found = self.seen.iter().chain(&self.unclear).map(|finding| &finding.metric);
        let mut all = found.chain(&self.nothing).chain(&self.blind);
        all.any(|name| group_of(name) == Some(Group::Attacks))
    }
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

/// The mean over the cells that have the score, where each has a least leak.
fn least_leak(cells: &[&Record], name: &str) -> Option<f64> {
    let own = cells.iter().filter_map(|record| record.metric(name));
    mean(own.filter(|score| score.value.is_some()).map(|score| score.least_leak))
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
    use std::collections::BTreeSet;

    /// Scores of privacy that have no side: few copies and many move the spread of distances apart,
    /// and one row decides the least group.
    const NO_SIDE: [&str; 4] = ["dcr_sd", "dcr_euclid_sd", "dcr_euclid_sensitive_sd", "k_map"];

    #[test]
    fn every_score_of_privacy_has_a_side_or_a_reason_for_none() {
        let of_privacy = METRICS.iter().flat_map(|metric| metric.names());
        let of_privacy: BTreeSet<&str> = of_privacy.filter(|name| is_of_privacy(name)).collect();
        let sided: BTreeSet<&str> =
            of_privacy.iter().copied().filter(|name| sign(name).is_some()).collect();
        let left: Vec<&str> = of_privacy.difference(&sided).copied().collect();
        assert_eq!(left, BTreeSet::from(NO_SIDE).into_iter().collect::<Vec<_>>());
        for (name, ..) in INDICATORS {
            assert!(of_privacy.contains(name), "{name} is no score");
        }
        assert_eq!(sign("shape"), None);
    }

    const fn leak(like: Option<f64>, clear: bool) -> Verdict {
        Verdict::Leak { like, clear }
    }

    fn judge(name: &str, value: f64, reference: f64, least: Option<f64>) -> Verdict {
        let score = Score { least_leak: least, ..score(name, value, Some(reference)) };
        verdict(&score, 10).unwrap()
    }

    #[test]
    fn without_an_interval_the_least_leak_decides() {
        // A twentieth of copies takes a mean of 0.2 to 0.19.
        assert_eq!(judge("dcr_mean", 0.19, 0.2, Some(0.06)), Verdict::Nothing);
        let Verdict::Leak { like: Some(like), clear } = judge("dcr_mean", 0.19, 0.2, Some(0.04))
        else {
            panic!()
        };
        assert!((like - 0.05).abs() < 1e-9 && !clear, "{like}");
        assert_eq!(judge("dcr_mean", 0.3, 0.2, Some(0.04)), Verdict::Nothing);
        assert_eq!(judge("identical_match_share", 0.5, 0.0, Some(0.1)), leak(Some(0.5), true));
        // Quantiles tell no share unless they are 0.
        assert_eq!(judge("dcr_p05", 0.1, 0.2, Some(0.01)), Verdict::Unclear);
        assert_eq!(judge("dcr_p05", 0.0, 0.2, Some(0.01)), leak(None, true));
        assert_eq!(judge("dcr_p05", 0.0, 0.2, Some(0.06)), Verdict::Nothing);
        assert_eq!(judge("k_map_small_share", 0.3, 0.2, Some(0.01)), leak(None, true));
        assert_eq!(judge("k_map_small_share", 0.3, 0.2, None), Verdict::Unclear);
        // As many synthetic rows as training rows: a tenth of the members was found at least.
        assert_eq!(judge("membership_auc", 0.55, 0.5, Some(0.09)), leak(None, false));
        assert_eq!(judge("membership_auc", 0.55, 0.5, Some(0.11)), Verdict::Nothing);
        assert_eq!(judge("membership_epsilon", 0.3, 0.0, None), leak(None, false));
        assert_eq!(judge("membership_epsilon", 0.0, 0.0, None), Verdict::Nothing);
    }

    #[test]
    fn an_interval_decides_where_there_is_one() {
        let judge = |name: &str, interval: [f64; 2], least: Option<f64>| {
            let value = (interval[0] + interval[1]) / 2.0;
            let score = Score {
                interval: Some(interval),
                least_leak: least,
                ..score(name, value, Some(0.5))
            };
            verdict(&score, 10).unwrap()
        };
        assert_eq!(judge("membership_auc", [0.51, 0.6], Some(0.2)), leak(None, false));
        assert_eq!(judge("membership_auc", [0.58, 0.6], Some(0.2)), leak(None, true));
        assert_eq!(judge("membership_auc", [0.49, 0.6], Some(0.0)), Verdict::Nothing);
        assert_eq!(judge("dcr_share", [0.2, 0.3], None), Verdict::Nothing, "the other side");
    }

    #[test]
    fn a_score_that_can_see_nothing_says_so() {
        let words = "no share of copies would show at these numbers of rows";
        let blind =
            |value: f64| Score { reason: Some(words.into()), ..score("dcr_p05", value, Some(0.1)) };
        assert_eq!(verdict(&blind(0.2), 10), Some(Verdict::Blind));
        assert_eq!(verdict(&blind(0.05), 10), Some(Verdict::Blind));
        assert_eq!(verdict(&score("dcr_p05", 0.2, None), 10), None, "without a reference");
    }

    #[test]
    fn cells_are_taken_together_by_score() {
        let cell = |seed: u64, identical: f64, least: Option<f64>| {
            let mut record = record("toy", "m", seed);
            record.metrics = vec![
                score("shape", 0.9, Some(0.9)),
                Score { least_leak: least, ..score("identical_match_share", identical, Some(0.0)) },
                Score { least_leak: Some(0.3), ..score("dcr_median", 0.2, Some(0.1)) },
            ];
            record
        };
        let (first, second) = (cell(1, 0.0, Some(0.1)), cell(2, 0.4, Some(0.3)));
        let leaks = Leaks::of(&[&first, &second]).unwrap();
        let seen = Finding {
            metric: "identical_match_share".into(),
            seeds: vec![2],
            clear: false,
            like: Some(0.4),
        };
        assert_eq!((&leaks.seen, &leaks.nothing), (&vec![seen], &vec!["dcr_median".to_owned()]));
        assert_eq!(leaks.judged(), 2);
        assert!((leaks.least_leak.unwrap() - 0.2).abs() < 1e-12, "{leaks:?}");
        assert_eq!(leaks.sharpest.as_deref(), Some("identical_match_share"));
        assert!(leaks.may_be_typical_rows() && !leaks.has_attacks());
        assert_eq!(Leaks::of(&[]), None);
    }

    #[test]
    fn the_words_name_leaks_and_limits_and_never_safety() {
        let rows = Rows { train: 100, holdout: 50, synthetic: 100, limit: None };
        let quiet = Leaks {
            nothing: vec!["tail_leak".into(), "membership_auc".into()],
            least_leak: Some(0.0275),
            sharpest: Some("tail_leak".into()),
            ..Leaks::default()
        };
        let words = quiet.in_words(rows).join("\n");
        for part in [
            "No leak seen at these sizes (100 training, 50 unseen, 100 synthetic rows) by 2 scores.",
            "A leak below 2.75 % of the synthetic rows (copies of training rows, 3 of 100) would not show",
        ] {
            assert!(words.contains(part), "{part} is missing in {words}");
        }
        assert!(!words.contains("safe") && !words.contains("No attack was made"), "{words}");
        let found = |metric: &str, clear, like| Finding {
            metric: metric.into(),
            seeds: vec![1],
            clear,
            like,
        };
        let loud = Leaks {
            seen: vec![found("dcr_mean", true, Some(0.25))],
            unclear: vec![found("dcr_p05", false, None)],
            ..Leaks::default()
        };
        let words = loud.in_words(rows).join("\n");
        for part in [
            "1 of 2 scores looks like a leak: dcr_mean (as if 25.0 % were copies).",
            "whether by chance: dcr_p05",
            "typical rows alone",
            "says nothing",
            "--metrics default,attacks",
        ] {
            assert!(words.contains(part), "{part} is missing in {words}");
        }
        let faint = Leaks { seen: vec![found("membership_auc", false, None)], ..loud };
        let words = faint.in_words(rows).join("\n");
        assert!(
            words.starts_with("1 of 2 scores looks like a leak, though not clearly"),
            "{words}"
        );
        assert!(words.contains("Chance alone") && !words.contains("typical rows"), "{words}");
    }

    #[test]
    fn shares_are_told_in_per_cent() {
        let told = [1.0, 0.125, 0.0275, 0.0, 0.00004].map(percent);
        assert_eq!(told, ["100 %", "12.5 %", "2.75 %", "0.00 %", "4.0e-3 %"]);
    }
}
