//! What one score says of leaks.

use super::{group_of, percent};
use eval::{Group, Score};

/// A score looks like a leak where chance does as much less often: the level of one side of a 95 %
/// interval.
pub(super) const LOOKS: f64 = 0.025;

/// It does so clearly where the chance that any of the scores does as much by chance is below this
/// (Bonferroni).
const CLEARLY: f64 = 0.01;

/// What a score says of leaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// More than chance does.
    Leak {
        /// The share of copies among the synthetic rows that would explain it, where it can be told.
        like: Option<f64>,
        /// Whether chance would not do it even to the best of many scores.
        clear: bool,
    },
    /// No more than chance does.
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
            Verdict::Nothing => "no more than chance".into(),
            Verdict::Blind => "blind: no share of copies would show".into(),
        }
    }
}

/// Whether a leak shows with this chance of as much without one, and whether clearly so among so many
/// scores.
pub(super) fn shows(p_value: f64, scores: usize) -> Option<bool> {
    (p_value <= LOOKS).then_some(p_value * scores as f64 <= CLEARLY)
}

/// Judges the scores of one cell.
#[derive(Debug, Clone, Copy)]
pub struct Judge {
    train_rows: u64,
    /// Scores of the whole table, and those of columns with them.
    scores: [usize; 2],
}

impl Judge {
    /// Of these scores of a generator that learned from so many rows.
    pub fn new(train_rows: u64, scores: &[Score]) -> Self {
        let judged = || scores.iter().filter(|score| p_value(score).is_some());
        let wide = judged().filter(|score| score.columns.is_empty()).count();
        Self { train_rows, scores: [wide, judged().count()] }
    }

    /// What a score says of leaks; `None` for scores of something else, without value, without unseen
    /// rows to compare with, or that leaks may move either way.
    pub fn verdict(self, score: &Score) -> Option<Verdict> {
        let among = self.scores[usize::from(!score.columns.is_empty())].max(1);
        Some(match shows(p_value(score)?, among) {
            Some(clear) => Verdict::Leak { like: like(score, self.train_rows), clear },
            None if score.is_blind() => Verdict::Blind,
            None => Verdict::Nothing,
        })
    }
}

/// How often chance does as much, of a score with a value.
pub(super) fn p_value(score: &Score) -> Option<f64> {
    score.value.and(score.p_value)
}

/// How a score answers to copies among the synthetic rows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    /// A mean over synthetic rows, to which a copy gives this.
    Mean(f64),
    /// A mean over training rows, to which a copied one gives this.
    Told(f64),
    /// By an amount that the score alone does not tell.
    Unknown,
}

/// The scores that tell a share.
const ANSWERS: [(&str, Answer); 9] = [
    ("dcr_mean", Answer::Mean(0.0)),
    ("identical_match_share", Answer::Mean(1.0)),
    ("identical_match_excess", Answer::Mean(1.0)),
    ("tail_leak", Answer::Mean(0.98)),
    ("new_row_share", Answer::Mean(0.0)),
    ("dcr_euclid_mean", Answer::Mean(0.0)),
    ("dcr_euclid_sensitive_mean", Answer::Mean(0.0)),
    ("feature_obfuscation", Answer::Told(0.0)),
    ("feature_obfuscation_distance", Answer::Told(0.0)),
];

/// The share of copies that would explain the value, if the other rows were as unseen ones are.
pub(super) fn like(score: &Score, train_rows: u64) -> Option<f64> {
    let own = ANSWERS.iter().find(|(name, _)| *name == score.name);
    let answer = own.map_or(Answer::Unknown, |(_, answer)| *answer);
    let (value, reference) = (score.value?, score.reference?);
    let part = |copy: f64| (value - reference) / (copy - reference);
    let share = match answer {
        Answer::Mean(copy) => part(copy),
        Answer::Told(copy) => part(copy) * train_rows as f64 / score.rows_synthetic.max(1) as f64,
        Answer::Unknown => return None,
    };
    (share.is_finite() && share > 0.0).then(|| share.min(1.0))
}

/// On which side of its reference a score of privacy leaks; `None` where leaks may move it either way.
pub fn leaking_side(name: &str) -> Option<&'static str> {
    const NO_SIDE: [&str; 4] = ["dcr_sd", "dcr_euclid_sd", "dcr_euclid_sensitive_sd", "k_map"];
    const LOWER: [&str; 4] = ["dcr_", "nndr_", "new_row_share", "feature_obfuscation"];
    let is_lower = name != "dcr_share" && LOWER.iter().any(|start| name.starts_with(start));
    match group_of(name)? {
        Group::Privacy | Group::Attacks if NO_SIDE.contains(&name) => None,
        Group::Privacy | Group::Attacks => Some(if is_lower { "lower" } else { "higher" }),
        _ => None,
    }
}

/// Scores that a generator of typical rows moves as a leak does: it comes near to training rows as it
/// comes near to any. It copies none of them, and unseen rows face training rows in `dcr_share` and in
/// the attacks.
pub(super) fn may_be_of_typical_rows(name: &str) -> bool {
    let distances = ["dcr_", "nndr_", "tail_leak", "feature_obfuscation"];
    group_of(name) == Some(Group::Privacy)
        && name != "dcr_share"
        && distances.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::score;

    fn judged(score: &Score, others: usize) -> Option<Verdict> {
        Judge::new(10, &vec![score.clone(); others + 1]).verdict(score)
    }

    fn of(name: &str, value: f64, reference: f64, p_value: f64) -> Score {
        Score { p_value: Some(p_value), ..score(name, value, Some(reference)) }
    }

    #[test]
    fn chance_decides() {
        let leak = |like, clear| Some(Verdict::Leak { like, clear });
        let twentieth = |p_value| of("dcr_mean", 0.19, 0.2, p_value);
        assert_eq!(judged(&twentieth(0.03), 0), Some(Verdict::Nothing));
        let Some(Verdict::Leak { like: Some(like), clear: false }) = judged(&twentieth(0.02), 0)
        else {
            panic!()
        };
        assert!((like - 0.05).abs() < 1e-9, "{like}");
        assert_eq!(judged(&of("dcr_p05", 0.1, 0.2, 0.001), 9), leak(None, true));
        assert_eq!(judged(&of("dcr_p05", 0.1, 0.2, 0.001), 10), leak(None, false));
        assert_eq!(judged(&of("identical_match_share", 0.5, 0.0, 0.0), 40), leak(Some(0.5), true));
        // As many synthetic rows as training rows: half of the members were told.
        let told = of("feature_obfuscation", 0.2, 0.4, 0.0);
        assert_eq!(judged(&told, 0), leak(Some(0.5), true));
    }

    #[test]
    fn a_score_that_can_see_nothing_says_so() {
        let words = "no share of copies would show at these numbers of rows";
        let blind = Score { reason: Some(words.into()), ..of("dcr_p05", 0.2, 0.1, 0.9) };
        assert_eq!(judged(&blind, 0), Some(Verdict::Blind));
        let without = |score: Score| judged(&score, 0);
        assert_eq!(without(Score { p_value: None, ..blind.clone() }), None);
        assert_eq!(without(Score { value: None, ..blind }), None);
    }

    #[test]
    fn typical_rows_explain_nearness_and_no_copies() {
        let may = ["dcr_mean", "nndr_p05", "tail_leak", "feature_obfuscation"];
        assert!(may.iter().all(|name| may_be_of_typical_rows(name)));
        let not = ["dcr_share", "identical_match_share", "new_row_share", "membership_auc"];
        assert!(!not.iter().any(|name| may_be_of_typical_rows(name)));
    }
}
