//! What scores say of leaks, in sentences for whoever must decide whether rows may be shared. They
//! never say that rows are safe.

use super::verdict::may_be_of_typical_rows;
use super::{Finding, Leaks, is_attack};
use crate::record::Rows;

/// Of 60 tables of real rows in the place of synthetic ones, judged by `--metrics privacy,attacks`,
/// so many had scores that look like a leak, and none had more (docs/metrics.md, "Leaks").
const TABLES: usize = 60;
const WITH_SOME: usize = 19;
const MOST_BY_CHANCE: usize = 7;

/// The score that compares training rows with unseen ones, as attacks do.
const AGAINST_UNSEEN: &str = "dcr_share";

/// From this share of unseen rows that equal a training row on, it is said.
const MANY_EQUAL: f64 = 0.05;

const ADVICE: &str = "Before you share these rows, look at those nearest to training rows, mask what tells people, or learn with a bound (priv-bayes).";

impl Leaks {
    /// Sentences on one cell.
    pub fn in_words(&self, rows: Rows) -> Vec<String> {
        let mut words: Vec<String> = self.seen_unseen_in_words().into_iter().collect();
        let doubted = !words.is_empty();
        let copied = self.copied_in_words(rows);
        if self.judged() == 0 {
            let more = if copied.is_some() { "Nothing more" } else { "Nothing" };
            words.extend(copied);
            words.push(format!("{more} can be said of leaks: no score compares with unseen rows."));
            return words;
        }
        words.push(self.headline(rows));
        words.extend(copied);
        words.extend(self.weighed());
        words.extend(self.typical_in_words());
        if self.clear() == 0 && !doubted {
            words.push(self.limits(rows));
        }
        words.extend(self.attacks_in_words());
        words
    }

    fn headline(&self, rows: Rows) -> String {
        let (seen, able) = (self.seen.len(), self.able());
        let listed = listed(&self.seen, 1);
        let all = format!("{able} score{}", if able == 1 { "" } else { "s" });
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

    fn copied_in_words(&self, rows: Rows) -> Option<String> {
        let count = (self.equal?.synthetic * rows.synthetic as f64).round();
        (count > 0.0).then(|| {
            format!(
                "{count} of {} synthetic rows equal a training row in every compared column.",
                rows.synthetic
            )
        })
    }

    /// A doubt that comes before all else: rows that were learned from are no unseen rows.
    fn seen_unseen_in_words(&self) -> Option<String> {
        let share = self.equal?.unseen.filter(|share| *share >= MANY_EQUAL)?;
        Some(format!(
            "{} of the unseen rows equal a training row. In a table of few categories that is chance; in any other they were not unseen, and what is compared with them shows no leak.",
            percent(share)
        ))
    }

    /// What the number of findings is worth, and what to do.
    fn weighed(&self) -> Option<String> {
        match (self.clear(), self.seen.len()) {
            (0, 0) => None,
            (0, seen) if seen > MOST_BY_CHANCE => Some(format!(
                "None of them is clear alone, but so many at once chance gave to none of {TABLES} tables of real rows ({MOST_BY_CHANCE} at most). Judge rows of other seeds too: one sample says little. {ADVICE}"
            )),
            (0, _) => Some(format!(
                "Of {TABLES} tables of real rows {WITH_SOME} had such scores by chance, {MOST_BY_CHANCE} at most. Before you share these rows, judge rows of other seeds, or beside other unseen rows: a leak stays, chance does not."
            )),
            _ => Some(ADVICE.into()),
        }
    }

    /// Whether nearness may come from typical rows, and whether that can be told.
    fn typical_in_words(&self) -> Option<String> {
        if !self.may_be_typical_rows() {
            return None;
        }
        let quiet = |name: &String| name == AGAINST_UNSEEN || is_attack(name);
        let told = match self.nothing.iter().any(quiet) {
            true => {
                "dcr_share and the attacks, as far as they are not blind, tell the two apart, and show no more than chance."
            }
            false => "Only dcr_share and attacks tell the two apart, and none here can.",
        };
        Some(format!(
            "These are distances alone. A generator of typical rows comes nearer to training rows than unseen rows do, without knowing any. {told}"
        ))
    }

    /// What could not have been seen.
    fn limits(&self, rows: Rows) -> String {
        let (Some(least), Some(sharpest)) = (self.least_leak, &self.sharpest) else {
            return "No share of copies is known that these scores would have shown: that they see nothing says nothing.".into();
        };
        let count = least * rows.synthetic as f64;
        let least = match count >= 1.0 {
            true => format!(
                "A leak below {} of the synthetic rows (copies of training rows, {} of {}) may well not show: that is the least that the sharpest score, {sharpest}, finds four times in five.",
                percent(least),
                count.ceil(),
                rows.synthetic
            ),
            false => format!("The sharpest score, {sharpest}, would show a single copied row."),
        };
        format!(
            "{least} More can hide where the other rows lie farther off than unseen ones, and so can leaks that are no copies."
        )
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

    /// Whether what looks like a leak most could also be a generator of typical rows.
    pub fn may_be_typical_rows(&self) -> bool {
        let clear = self.clear() > 0;
        let mut most = self.seen.iter().filter(|finding| finding.clear == clear);
        !self.seen.is_empty() && most.all(|finding| may_be_of_typical_rows(&finding.metric))
    }
}

/// The first of the findings in so many cells, and how many more there are.
pub(crate) fn listed(findings: &[Finding], cells: usize) -> String {
    const SHOWN: usize = 6;
    let one = |finding: &Finding| {
        let mut parts = vec![match odds(finding.p_value) {
            least if least.starts_with('<') => format!("p {least}"),
            told => format!("p = {told}"),
        }];
        parts.extend(finding.like.map(|like| format!("as if {} were copies", percent(like))));
        if finding.seeds.len() < cells {
            let seeds: Vec<String> = finding.seeds.iter().map(u64::to_string).collect();
            let word = if seeds.len() == 1 { "seed" } else { "seeds" };
            parts.push(format!("{word} {}", seeds.join(", ")));
        }
        format!("{} ({})", finding.metric, parts.join(", "))
    };
    let shown: Vec<String> = findings.iter().take(SHOWN).map(one).collect();
    match findings.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A p-value in three decimals.
pub fn odds(p_value: f64) -> String {
    match p_value {
        p if p < 0.001 => "< 0.001".into(),
        p => format!("{p:.3}"),
    }
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
    use super::super::EqualRows;
    use super::*;

    const ROWS: Rows = Rows { train: 100, holdout: 50, synthetic: 100, limit: None };

    fn found(metric: &str, clear: bool, like: Option<f64>) -> Finding {
        Finding { metric: metric.into(), seeds: vec![1], p_value: 0.002, clear, like }
    }

    fn words(leaks: &Leaks) -> String {
        let words = leaks.in_words(ROWS).join("\n");
        assert!(!words.contains("safe"), "{words}");
        words
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn nothing_seen_names_limits() {
        let quiet = Leaks {
            nothing: names(&["tail_leak", "membership_auc"]),
            blind: names(&["nndr_p05"]),
            least_leak: Some(0.0275),
            sharpest: Some("tail_leak".into()),
            ..Leaks::default()
        };
        let told = words(&quiet);
        for part in [
            "No leak seen by 2 scores at these sizes (100 training, 50 unseen, 100 synthetic rows). Blind at these sizes: nndr_p05.",
            "A leak below 2.75 % of the synthetic rows (copies of training rows, 3 of 100) may well not show",
        ] {
            assert!(told.contains(part), "{part} is missing in {told}");
        }
        assert!(!told.contains("No attack was made"), "{told}");
        let sharp = Leaks { least_leak: Some(0.001), ..quiet };
        assert!(words(&sharp).contains("tail_leak, would show a single copied row"));
    }

    #[test]
    fn clear_leaks_come_with_advice_and_faint_ones_with_their_odds() {
        let copies = found("identical_match_share", true, Some(0.25));
        let loud =
            Leaks { seen: vec![copies.clone()], nothing: names(&["dcr_p05"]), ..Leaks::default() };
        let told = words(&loud);
        for part in [
            "1 of 2 scores looks like a leak: identical_match_share (p = 0.002, as if 25.0 % were copies).",
            "mask what tells people",
            "--metrics default,attacks",
        ] {
            assert!(told.contains(part), "{part} is missing in {told}");
        }
        assert!(!told.contains("may well not show") && !told.contains("distances alone"), "{told}");
        let faint = |count: usize| Leaks {
            seen: vec![found("membership_auc", false, None); count],
            nothing: names(&["dcr_p05"]),
            ..Leaks::default()
        };
        let told = words(&faint(1));
        assert!(told.starts_with("1 of 2 scores looks like a leak, though not clearly"), "{told}");
        assert!(told.contains("19 had such scores by chance") && !told.contains("mask"), "{told}");
        let told = words(&faint(8));
        assert!(told.contains("so many at once") && told.contains("mask what tells"), "{told}");
    }

    #[test]
    fn distances_alone_are_weighed_beside_what_compares_with_unseen_rows() {
        let near = |nothing: &[&str], blind: &[&str]| Leaks {
            seen: vec![found("dcr_mean", true, None), found("k_map_small_share", false, None)],
            nothing: names(nothing),
            blind: names(blind),
            ..Leaks::default()
        };
        let told = words(&near(&["dcr_share"], &[]));
        assert!(told.contains("distances alone") && told.contains("no more than chance"), "{told}");
        let told = words(&near(&["dcr_p05"], &["dcr_share"]));
        assert!(told.contains("none here can"), "{told}");
    }

    #[test]
    fn equal_rows_are_counted_whatever_can_be_judged() {
        let equal = |synthetic, unseen| Some(EqualRows { synthetic, unseen });
        let alone = Leaks { equal: equal(1.0, None), ..Leaks::default() };
        let told = words(&alone);
        assert!(told.starts_with("100 of 100 synthetic rows equal a training row"), "{told}");
        assert!(told.contains("Nothing more can be said of leaks"), "{told}");
        let nothing = names(&["tail_leak"]);
        let twins = Leaks { equal: equal(0.0, Some(0.5)), nothing, ..Leaks::default() };
        let told = words(&twins);
        assert!(told.starts_with("50.0 % of the unseen rows equal a training row"), "{told}");
        assert!(!told.contains("0 of 100 synthetic") && !told.contains("says nothing"), "{told}");
    }

    #[test]
    fn attacks_without_a_value_are_named() {
        let unmade = Leaks {
            nothing: names(&["tail_leak"]),
            unmade: names(&["linkability_risk"]),
            ..Leaks::default()
        };
        let told = words(&unmade);
        assert!(told.contains("has a value, so none was withstood: linkability_risk"), "{told}");
        assert!(!told.contains("No attack was made"), "{told}");
    }

    #[test]
    fn seeds_are_named_where_not_all_are_meant() {
        let one = [found("tail_leak", true, None)];
        assert_eq!(listed(&one, 1), "tail_leak (p = 0.002)");
        assert_eq!(listed(&one, 3), "tail_leak (p = 0.002, seed 1)");
    }

    #[test]
    fn shares_are_told_in_per_cent() {
        let told = [1.0, 0.125, 0.0275, 0.0, 0.00004].map(percent);
        assert_eq!(told, ["100 %", "12.5 %", "2.75 %", "0.00 %", "4.0e-3 %"]);
    }
}
