//! What the definition of each score says of tables whose merit is known, the largest value first.

use crate::runs::Order;

/// Fidelity, detection and utility, and the learners that are quick.
pub(crate) const LIKENESS: &[Order] = &[
    Order {
        names: &["shape", "ks_complement"],
        falling: &[&["copy", "fresh", "noisy", "uniform"], &["independent", "fresh"]],
        step: 0.002,
    },
    Order {
        names: &["tv_complement"],
        falling: &[&["copy", "noisy", "uniform"], &["independent", "fresh", "uniform"]],
        step: 0.002,
    },
    Order {
        names: &[
            "wasserstein",
            "jensen_shannon",
            "kl_real_synthetic",
            "kl_synthetic_real",
            "chi_square_v",
        ],
        falling: &[&["uniform", "noisy", "fresh", "copy"], &["fresh", "independent"]],
        step: 0.0005,
    },
    Order { names: &["range_coverage"], falling: &[&["copy", "fresh"]], step: 0.01 },
    Order {
        names: &["mean_similarity", "median_similarity", "sd_similarity"],
        falling: &[&["copy", "fresh", "uniform"], &["independent", "fresh"]],
        step: 0.0005,
    },
    Order {
        names: &["missing_similarity", "missing_pattern_similarity"],
        falling: &[&["copy", "fresh"], &["fresh", "measured"]],
        step: 0.001,
    },
    // The copy in which a column has one level and the marker is always measured.
    Order { names: &["category_coverage"], falling: &[&["fresh", "measured"]], step: 0.05 },
    Order {
        names: &["trend", "trend_dependent", "contingency_similarity"],
        falling: &[&["copy", "fresh", "noisy", "independent", "uniform"]],
        step: 0.005,
    },
    // Numbers keep their order under little noise, and nothing of it if shuffled or made up.
    Order {
        names: &["correlation_similarity", "spearman_similarity"],
        falling: &[
            &["copy", "fresh", "independent"],
            &["noisy", "independent"],
            &["noisy", "uniform"],
        ],
        step: 0.005,
    },
    Order {
        names: &[
            "nmi_difference",
            "nmi_weighted_difference",
            "association_difference",
            "association_norm",
        ],
        falling: &[&["independent", "noisy", "fresh", "copy"], &["uniform", "noisy"]],
        step: 0.002,
    },
    Order {
        names: &["precision", "density", "coverage"],
        falling: &[&["copy", "fresh", "noisy", "independent", "uniform"]],
        step: 0.005,
    },
    // Rows far apart have balls that reach everybody: uniform cells have most recall.
    Order { names: &["recall"], falling: &[&["copy", "fresh"]], step: 0.005 },
    Order {
        names: &["alpha_precision"],
        falling: &[&["copy", "independent", "uniform"], &["fresh", "noisy", "uniform"]],
        step: 0.02,
    },
    Order {
        names: &["beta_recall"],
        falling: &[&["copy", "fresh", "independent", "uniform"]],
        step: 0.02,
    },
    Order {
        names: &["authenticity"],
        falling: &[&["uniform", "independent", "fresh", "noisy", "copy"]],
        step: 0.02,
    },
    Order {
        names: &["sliced_wasserstein", "pca_variance_difference", "pca_rotation"],
        falling: &[&["uniform", "independent", "fresh", "copy"]],
        step: 0.003,
    },
    Order {
        names: &["detection_boost_auc", "detection_boost_rounded_auc"],
        falling: &[&["uniform", "independent", "noisy", "fresh"]],
        step: 0.05,
    },
    Order {
        names: &["detection_boost_score"],
        falling: &[&["fresh", "noisy", "independent", "uniform"]],
        step: 0.05,
    },
    // Lines see shifted columns and no dependence.
    Order {
        names: &["detection_logistic_auc", "detection_logistic_rounded_auc"],
        falling: &[&["uniform", "independent"]],
        step: 0.2,
    },
    Order {
        names: &["detection_logistic_score"],
        falling: &[&["independent", "uniform"]],
        step: 0.2,
    },
    Order { names: &["boundary_adherence"], falling: &[&["copy", "noisy"]], step: 0.01 },
    Order { names: &["boundary_adherence"], falling: &[&["fresh", "noisy"]], step: 0.01 },
    Order {
        names: &["trts_boost_auc", "trts_boost_macro_f1"],
        falling: &[&["copy", "fresh", "noisy", "independent"]],
        step: 0.02,
    },
    Order {
        names: &["tsts_boost_auc", "tsts_boost_macro_f1"],
        falling: &[&["fresh", "noisy", "independent"], &["noisy", "uniform"]],
        step: 0.05,
    },
    Order {
        names: &["augmented_boost_auc", "augmented_boost_macro_f1"],
        falling: &[&["fresh", "independent"]],
        step: 0.005,
    },
];

/// Learners of a category: the prefix of their names, and whether log loss orders tables. A tree, the
/// neighbours and naive Bayes are sure of themselves, and the more so the more there is to learn, so
/// that their log loss praises who teaches them nothing.
pub(crate) const LEARNERS: [(&str, bool); 5] =
    [("tree", false), ("logistic", true), ("boost", true), ("neighbours", false), ("bayes", false)];

/// Learners that take long.
pub(crate) const COSTLY: [(&str, bool); 3] = [("forest", true), ("adaboost", true), ("mlp", true)];

/// Scores of membership that see copies of all rows, and of a twentieth too.
const MEMBERSHIP: &[&str] = &[
    "membership_auc",
    "membership_tpr_at_1",
    "membership_distance_auc",
    "membership_distance_tpr_at_1",
    "membership_distance_tpr_at_01",
    "membership_distance_outlier_auc",
    "membership_calibrated_auc",
    "membership_calibrated_tpr_at_1",
    "membership_calibrated_tpr_at_01",
    "membership_calibrated_outlier_auc",
];

/// Indicators and attacks.
pub(crate) const PRIVACY: &[Order] = &[
    Order {
        names: &[
            "dcr_median",
            "dcr_mean",
            "dcr_p05",
            "dcr_euclid_median",
            "dcr_euclid_mean",
            "dcr_euclid_p05",
            "nndr_p05",
            "nndr_median",
            "feature_obfuscation",
            "feature_obfuscation_distance",
        ],
        falling: &[&["uniform", "independent", "fresh", "noisy", "copy"]],
        step: 0.005,
    },
    Order {
        names: &["dcr_p05", "dcr_mean", "dcr_euclid_mean", "dcr_euclid_p05", "nndr_p05"],
        falling: &[&["fresh", "1 %", "5 %", "10 %"]],
        step: 0.0005,
    },
    Order {
        names: &["dcr_median", "dcr_euclid_median", "nndr_median", "feature_obfuscation_distance"],
        falling: &[&["fresh", "5 %", "10 %"]],
        step: 0.0005,
    },
    Order {
        names: &["feature_obfuscation"],
        falling: &[&["fresh", "1 %", "5 %", "10 %"]],
        step: 0.001,
    },
    // Some rows at 0 and the others where they were: the spread grows until all are copies.
    Order {
        names: &["dcr_sd", "dcr_euclid_sd"],
        falling: &[&["10 %", "5 %", "1 %", "fresh", "copy"]],
        step: 0.0005,
    },
    Order {
        names: &["dcr_share", "tail_leak"],
        falling: &[&["copy", "noisy", "fresh"], &["10 %", "5 %", "fresh"]],
        step: 0.01,
    },
    Order {
        names: &["tail_leak", "identical_match_share", "identical_match_excess"],
        falling: &[&["copy", "10 %", "5 %", "1 %", "fresh"]],
        step: 0.005,
    },
    Order { names: &["tail_leak"], falling: &[&["fresh", "independent"]], step: 0.005 },
    Order {
        names: &["new_row_share"],
        falling: &[&["fresh", "1 %", "5 %", "10 %", "copy"], &["uniform", "copy"]],
        step: 0.005,
    },
    Order {
        names: &["k_map_small_share"],
        falling: &[&["copy", "10 %", "5 %", "1 %", "fresh"], &["noisy", "fresh"]],
        step: 0.001,
    },
    Order { names: MEMBERSHIP, falling: &[&["copy", "noisy", "fresh"]], step: 0.01 },
    Order { names: MEMBERSHIP, falling: &[&["10 %", "5 %", "fresh"]], step: 0.005 },
    // Densities and neighbours hardly see a twentieth.
    Order {
        names: &["membership_density_auc", "membership_neighbours_auc"],
        falling: &[&["copy", "noisy", "fresh"]],
        step: 0.01,
    },
    Order { names: &["membership_epsilon"], falling: &[&["10 %", "5 %", "fresh"]], step: 0.005 },
    Order {
        names: &[
            "membership_density_tpr_at_1",
            "membership_density_tpr_at_01",
            "membership_density_outlier_auc",
            "membership_neighbours_outlier_auc",
        ],
        falling: &[&["copy", "fresh"]],
        step: 0.001,
    },
    Order { names: &["membership_epsilon"], falling: &[&["copy", "noisy", "fresh"]], step: 1.0 },
    Order {
        names: &["singling_out_risk", "singling_out_univariate_risk"],
        falling: &[&["copy", "fresh"]],
        step: 0.8,
    },
    // A shuffled column keeps the cells that occur once.
    Order {
        names: &["singling_out_univariate_risk"],
        falling: &[&["independent", "noisy"]],
        step: 0.8,
    },
    Order {
        names: &["linkability_risk", "inference_risk"],
        falling: &[&["copy", "noisy", "fresh"], &["10 %", "5 %", "fresh"]],
        step: 0.01,
    },
];

/// Scores that the tables of the clinic do not order, and why not.
pub(crate) const UNORDERED: [(&str, &str); 13] = [
    ("k_map", "one row decides it: 1 for every table here; by hand in eval/src/privacy/k_map.rs"),
    ("membership_neighbours_tpr_at_1", "six values, so that one row in a hundred has the highest"),
    ("membership_neighbours_tpr_at_01", "the same"),
    ("dcr_euclid_sensitive_mean", "no column is sensitive; sensitive_columns_are_ordered"),
    ("dcr_euclid_sensitive_sd", "the same"),
    ("likelihood_synthetic", "for mixtures and networks; eval/tests/metrics/likelihood.rs"),
    ("likelihood_test", "the same"),
    ("modes_covered", "the same"),
    ("position_recall", "uniform cells have most recall"),
    (
        "position_missing_pattern_similarity",
        "one column is nullable; eval/tests/metrics/selftest.rs",
    ),
    ("position_sliced_wasserstein", "hardly sees dependence: shuffled columns do as well"),
    ("position_pca_variance_difference", "the same"),
    ("global_utility_floor", "knows no synthetic row"),
];
