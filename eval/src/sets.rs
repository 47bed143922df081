//! Words that stand for the scores of a document's table.

/// A word of a selection of metrics, and the scores that it stands for.
pub(crate) const SETS: [(&str, &[&str]); 2] = [
    // The benchmark table of the MEG documentation: effectiveness, and quality of the rows.
    (
        "meg-documentation",
        &[
            "shape",
            "wasserstein",
            "chi_square_v",
            "pca_variance_difference",
            "tstr_tree_f1",
            "tstr_logistic_f1",
            "tstr_boost_f1",
        ],
    ),
    // The metrics of the report on the masked generator.
    (
        "meg-report",
        &[
            "shape",
            "kl_real_synthetic",
            "trend",
            "detection_boost_auc",
            "tstr_tree_auc",
            "tstr_logistic_auc",
            "tstr_boost_auc",
            "tstr_tree_r2",
            "tstr_boost_r2",
            "tstr_linear_r2",
            "floor_macro_f1",
            "dcr_median",
            "feature_obfuscation",
            "membership_auc",
            "singling_out_risk",
            "linkability_risk",
            "inference_risk",
        ],
    ),
];

/// The scores that a word stands for; empty for other words.
pub(crate) fn members(word: &str) -> &'static [&'static str] {
    SETS.iter().find(|(name, _)| *name == word).map_or(&[], |(_, members)| members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{METRICS, select};

    #[test]
    fn sets_are_of_known_scores_and_bring_them() {
        for (word, members) in SETS {
            let chosen = select(&[word]).unwrap();
            for name in members {
                assert!(chosen.iter().any(|metric| metric.names().contains(name)), "{name}");
            }
            assert!(chosen.len() < METRICS.len() / 2, "{word} brings too much");
        }
        let message = select(&["meg-reprt"]).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("did you mean \"meg-report\""), "{message}");
    }
}
