//! Whether the scores of privacy and attacks look like a leak: who must decide whether rows may be
//! shared needs a word on each value, and a number for what could not have been seen.
//!
//! A score looks like a leak where its p-value says that chance seldom does as much, and clearly so
//! where chance would not do it to the best of all scores either. Nothing here says that rows are
//! safe.

mod verdict;
mod words;

use crate::record::Record;
use eval::{Group, METRICS, Score};
use serde::Serialize;
pub use verdict::{Judge, Verdict, leaking_side};
use verdict::{like, p_value, shows};
pub(crate) use words::listed;
pub use words::{odds, percent};

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
    /// Scores that look like a leak, the least p-value first.
    pub seen: Vec<Finding>,
    /// Scores that show no more than chance does.
    pub nothing: Vec<String>,
    /// Scores that can show nothing at these numbers of rows.
    pub blind: Vec<String>,
    /// The least share of copies that one of the scores would have shown, the mean over cells.
    pub least_leak: Option<f64>,
    /// That score.
    pub sharpest: Option<String>,
    /// Rows that equal a training row, where they were counted: the means over cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equal: Option<EqualRows>,
    /// Attacks that were asked for and say nothing, because they have no value or nobody is unseen.
    pub unmade: Vec<String>,
}

/// The shares of rows that equal a training row in every compared column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EqualRows {
    /// Of the synthetic rows.
    pub synthetic: f64,
    /// Of unseen rows, where there are some.
    pub unseen: Option<f64>,
}

impl EqualRows {
    fn of(cells: &[&Record]) -> Option<Self> {
        let counted = cells.iter().filter_map(|record| record.metric("identical_match_share"));
        let counted: Vec<&Score> = counted.filter(|score| score.value.is_some()).collect();
        Some(Self {
            synthetic: mean(counted.iter().map(|score| score.value))?,
            unseen: mean(counted.iter().map(|score| score.reference)),
        })
    }
}

/// A score that looks like a leak.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Name of the score.
    pub metric: String,
    /// Seeds of the cells of which one alone would say so.
    pub seeds: Vec<u64>,
    /// How often chance does as much to cells of so many seeds.
    pub p_value: f64,
    /// Whether it looks like a leak clearly.
    pub clear: bool,
    /// The largest share of copies that would explain it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<f64>,
}

impl Leaks {
    /// Of these cells; `None` where no score can be judged and no row was compared.
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
        let equal = EqualRows::of(cells);
        if told.is_empty() && equal.is_none() {
            return None;
        }
        let mut leaks = Self { unmade, equal, ..Self::default() };
        told.iter().for_each(|own| leaks.add(own, told.len()));
        leaks.seen.sort_by(|a, b| a.p_value.total_cmp(&b.p_value));
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

    /// How many scores look like a leak clearly.
    fn clear(&self) -> usize {
        self.seen.iter().filter(|finding| finding.clear).count()
    }

    /// How many scores were judged.
    pub fn judged(&self) -> usize {
        self.seen.len() + self.nothing.len() + self.blind.len()
    }

    /// How many of them could have seen a leak.
    pub fn able(&self) -> usize {
        self.seen.len() + self.nothing.len()
    }

    /// Whether attacks are among the judged scores.
    pub fn has_attacks(&self) -> bool {
        let found = self.seen.iter().map(|finding| &finding.metric);
        let mut all = found.chain(&self.nothing).chain(&self.blind);
        all.any(|name| is_attack(name))
    }
}

/// A score in the cells that can be judged by it.
struct Told<'a> {
    name: &'a str,
    cells: Vec<(&'a Record, &'a Score)>,
}

impl Told<'_> {
    /// Whether the cells leak: see [`over_seeds`].
    fn finding(&self, scores: usize) -> Option<Finding> {
        let own = |score: &Score| p_value(score);
        let all: Vec<f64> = self.cells.iter().filter_map(|(_, score)| own(score)).collect();
        let p_value = over_seeds(&all)?;
        let clear = shows(p_value, scores)?;
        let leaks = |score: &Score| own(score).is_some_and(|p| shows(p, scores).is_some());
        let cells = || self.cells.iter().filter(|(_, score)| leaks(score));
        let shares = cells().filter_map(|(record, score)| like(score, record.rows.train));
        Some(Finding {
            metric: self.name.to_owned(),
            seeds: cells().map(|(record, _)| record.seed).collect(),
            p_value,
            clear,
            like: shares.max_by(f64::total_cmp),
        })
    }

    /// The mean over the cells, where each has a least leak.
    fn least_leak(&self) -> Option<f64> {
        mean(self.cells.iter().map(|(_, score)| score.least_leak))
    }
}

/// The p-value of several seeds, which share training and unseen rows: the smaller one of that of a leak
/// in one of them (the least times their number) and of one in all (twice the mean, which holds
/// whatever they have in common; Vovk and Wang 2020), doubled because either is looked at.
fn over_seeds(p_values: &[f64]) -> Option<f64> {
    let (count, total) = (p_values.len() as f64, p_values.iter().sum::<f64>());
    let least = p_values.iter().copied().min_by(f64::total_cmp)?;
    Some(match p_values {
        [only] => *only,
        _ => (2.0 * (least * count).min(2.0 * total / count)).min(1.0),
    })
}

fn is_attack(name: &str) -> bool {
    group_of(name) == Some(Group::Attacks)
}

/// The name of an attack that says nothing.
fn unmade_attack(score: &Score) -> Option<String> {
    is_attack(&score.name).then(|| score.name.clone())
}

/// The mean of these, `None` where one is missing or there are none.
pub(crate) fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
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
        let (first, second) = (cell(1, 0.0, 0.9, Some(0.1)), cell(2, 0.4, 0.005, Some(0.3)));
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
        assert_eq!(leaks.equal, Some(EqualRows { synthetic: 0.2, unseen: Some(0.0) }));
        assert!(!leaks.has_attacks() && leaks.unmade == ["membership_auc"]);
        // Of three cells one is as good by chance more often than once in forty.
        let third = cell(3, 0.0, 0.9, Some(0.1));
        let leaks = Leaks::of(&[&first, &second, &third]).unwrap();
        assert!(leaks.seen.is_empty() && leaks.nothing.len() == 2, "{leaks:?}");
        // Faint in each of three is not as faint.
        assert!((over_seeds(&[0.006; 3]).unwrap() - 0.024).abs() < 1e-12);
        assert_eq!((over_seeds(&[0.02]), over_seeds(&[])), (Some(0.02), None));
        assert_eq!(Leaks::of(&[]), None);
    }
}
