//! The self-test of all metrics: on 5 000 patients of the clinic, whose law is known, a copy, fresh rows,
//! shuffled columns, blurred rows, uniform cells and fresh rows with 1, 5 and 10 % copies come out in the
//! order that the definition of each score says.

mod orders;
mod runs;
mod tables;

use bench_harness::leaks::{Judge, Verdict, is_of_privacy};
use bench_harness::truth::truth;
use datasets::{Chosen, Places};
use eval::{METRICS, Metric, Score, Status, select};
use meg_core::{Silent, Table};
use orders::{COSTLY, LEARNERS, LIKENESS, PRIVACY, UNORDERED};
use runs::{Real, Runs};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use tables::{
    independent, measured, noisy, patients, planted, uniform, with_rules, with_sensitive,
    with_target,
};

/// Patients of each table, and of those on which learners train for long.
const MANY: usize = 5_000;
const FEW: usize = 800;

/// Metrics of which each gives a score whose name begins with one of these.
fn chosen(prefixes: &[&str]) -> Vec<&'static dyn Metric> {
    let is_chosen =
        |metric: &&dyn Metric| prefixes.iter().any(|prefix| metric.name().starts_with(prefix));
    METRICS.iter().copied().filter(is_chosen).collect()
}

/// Fidelity, joint scores, detection, quick learners and validity.
static LIKE: LazyLock<Runs> = LazyLock::new(|| {
    let (train, holdout) = (patients(MANY, "train"), patients(MANY, "holdout"));
    let mut metrics = select(&["fidelity", "joint", "detection", "validity"]).unwrap();
    metrics.retain(|metric| !metric.name().starts_with("position"));
    let learners: Vec<String> =
        LEARNERS.iter().map(|(name, _)| format!("tstr_{name}_auc")).collect();
    metrics.extend(select(&learners).unwrap());
    metrics.extend(select(&["trts_boost_auc", "floor_accuracy"]).unwrap());
    let stand_ins = vec![
        ("copy", train.clone()),
        ("fresh", patients(MANY, "fresh")),
        ("independent", independent(&train)),
        ("noisy", noisy(&train)),
        ("uniform", uniform(&train)),
        ("measured", measured(&train)),
    ];
    let real = Real { train: &train, holdout: &holdout, truth: None };
    Runs::new(&metrics, &real, stand_ins)
});

/// Indicators and attacks.
static NEAR: LazyLock<Runs> = LazyLock::new(|| {
    let (train, holdout) = (patients(MANY, "train"), patients(MANY, "holdout"));
    let fresh = patients(MANY, "fresh");
    let stand_ins = vec![
        ("copy", train.clone()),
        ("independent", independent(&train)),
        ("noisy", noisy(&train)),
        ("uniform", uniform(&train)),
        ("1 %", planted(&train, &fresh, MANY / 100)),
        ("5 %", planted(&train, &fresh, MANY / 20)),
        ("10 %", planted(&train, &fresh, MANY / 10)),
        ("fresh", fresh),
    ];
    let real = Real { train: &train, holdout: &holdout, truth: None };
    Runs::new(&select(&["privacy", "attacks"]).unwrap(), &real, stand_ins)
});

/// A copy, fresh rows and shuffled columns, few of each, with another target.
fn few(target: &str, metrics: &[&dyn Metric]) -> Runs {
    some(FEW, target, metrics)
}

fn some(rows: usize, target: &str, metrics: &[&dyn Metric]) -> Runs {
    let of = |purpose: &str| with_target(&patients(rows, purpose), target);
    let (train, holdout) = (of("train"), of("holdout"));
    let stand_ins =
        vec![("copy", train.clone()), ("fresh", of("fresh")), ("independent", independent(&train))];
    Runs::new(metrics, &Real { train: &train, holdout: &holdout, truth: None }, stand_ins)
}

const TARGET: &str = "readmitted";

static LONG: LazyLock<Runs> = LazyLock::new(|| {
    few(TARGET, &chosen(&["tstr_forest_auc", "tstr_adaboost", "tstr_mlp_auc", "learner_agreement"]))
});

#[test]
fn likeness_is_ordered() {
    LIKE.all_fall(LIKENESS);
    // Each shuffled column is right on its own.
    for name in ["shape", "missing_similarity", "category_coverage", "range_coverage"] {
        assert!(LIKE.value("independent", name) > 1.0 - 1e-9, "{name}");
    }
    let raw = |table: &str| {
        let mut scores = LIKE.scores(table).iter();
        scores.find(|own| own.name == "wasserstein_raw" && own.columns == ["cost"]).unwrap().value
    };
    let raws = ["uniform", "noisy", "fresh", "copy"].map(raw);
    assert!(raws.windows(2).all(|pair| pair[0] > pair[1]), "{raws:?}");
}

#[test]
fn learners_are_ordered() {
    for (runs, learners) in [(&*LIKE, &LEARNERS[..]), (&*LONG, &COSTLY[..])] {
        for (learner, loss_tells) in learners {
            for score in ["auc", "f1", "macro_f1", "accuracy", "balanced"] {
                let name = format!("tstr_{learner}_{score}");
                runs.falls(&name, &["copy", "independent"], 0.03);
                runs.falls(&name, &["fresh", "independent"], 0.03);
            }
            if *loss_tells {
                let name = format!("tstr_{learner}_log_loss");
                runs.falls(&name, &["independent", "fresh"], 0.02);
            }
            for score in ["auc", "f1", "macro_f1", "accuracy", "balanced", "log_loss"] {
                // A copy teaches what training rows teach, which no synthetic row changes.
                let real = format!("trtr_{learner}_{score}");
                let own = runs.value("copy", &format!("tstr_{learner}_{score}"));
                for table in ["copy", "fresh", "independent"] {
                    assert!((own - runs.value(table, &real)).abs() < 1e-9, "{real} {table}");
                }
            }
        }
    }
    for name in ["floor_accuracy", "floor_macro_f1", "floor_log_loss"] {
        assert_eq!(LIKE.value("copy", name), LIKE.value("uniform", name), "{name}");
    }
    LONG.falls("learner_agreement", &["fresh", "independent"], 0.1);
}

#[test]
fn learners_of_numbers_are_ordered() {
    let prefixes =
        ["tstr_boost_r2", "tstr_linear", "tstr_tree_r2", "tstr_forest_r2", "tstr_mlp_r2"];
    let others = ["floor", "trts"];
    let runs = few("cost", &chosen(&[&prefixes[..], &others[..]].concat()));
    for learner in ["boost", "linear", "tree", "forest", "mlp"] {
        runs.falls(&format!("tstr_{learner}_r2"), &["copy", "independent"], 0.2);
        runs.falls(&format!("tstr_{learner}_r2"), &["fresh", "independent"], 0.2);
        runs.falls(&format!("tstr_{learner}_rmse"), &["independent", "fresh"], 0.1);
        for score in ["r2", "rmse"] {
            let [ours, real] = ["tstr", "trtr"]
                .map(|prefix| runs.value("copy", &format!("{prefix}_{learner}_{score}")));
            assert!((ours - real).abs() < 1e-9, "{learner} {score}: {ours}, {real}");
        }
    }
    for name in ["trts_boost_r2", "tsts_boost_r2", "augmented_boost_r2"] {
        runs.falls(name, &["fresh", "independent"], 0.05);
    }
    // Fifty epochs of few rows are too few steps for the paper's perceptron to learn the mean.
    let news = some(2 * FEW, "cost", &chosen(&["ctgan_news"]));
    for name in ["ctgan_news_r2", "ctgan_news_linear_r2", "ctgan_news_mlp_r2"] {
        news.falls(name, &["fresh", "independent"], 0.2);
    }
    for name in ["floor_r2", "floor_rmse"] {
        assert_eq!(runs.value("copy", name), runs.value("independent", name), "{name}");
    }
}

#[test]
fn papers_learners_and_all_columns_are_ordered() {
    let classes = few(TARGET, &chosen(&["ctgan_adult", "ctgan_census", "global_utility"]));
    let stages = few("stage", &chosen(&["ctgan_covertype", "ctgan_mnist"]));
    for (runs, prefixes) in
        [(&classes, ["ctgan_adult", "ctgan_census"]), (&stages, ["ctgan_covertype", "ctgan_mnist"])]
    {
        let names: Vec<&str> = prefixes
            .iter()
            .flat_map(|prefix| chosen(&[prefix]))
            .flat_map(|metric| metric.names())
            .collect();
        for name in names {
            runs.falls(name, &["copy", "independent"], 0.05);
            runs.falls(name, &["fresh", "independent"], 0.05);
        }
    }
    assert!((classes.value("copy", "global_utility") - 1.0).abs() < 1e-9);
    assert!((classes.value("fresh", "global_utility") - 1.0).abs() < 0.1);
    classes.falls("global_utility", &["fresh", "independent"], 0.1);
}

#[test]
fn nearness_and_attacks_are_ordered() {
    NEAR.all_fall(PRIVACY);
    assert_eq!(NEAR.value("copy", "new_row_share"), 0.0);
    for name in ["dcr_median", "dcr_sd", "dcr_euclid_mean", "nndr_p05", "feature_obfuscation"] {
        assert_eq!(NEAR.value("copy", name), 0.0, "{name}");
    }
    // Who knows the law alone passes every attack.
    for table in ["fresh", "uniform"] {
        assert_eq!(NEAR.value(table, "membership_epsilon"), 0.0, "{table}");
        for name in ["linkability_risk", "inference_risk"] {
            assert!(NEAR.score(table, name).interval.unwrap()[0] < 0.03, "{table} {name}");
        }
    }
    // Uniform rows have few that single out anybody, so that chance does much.
    for (table, least) in [("fresh", 0.05), ("uniform", 0.005)] {
        let score = NEAR.score(table, "singling_out_risk");
        assert!(score.p_value.unwrap() > least, "{score:?}");
    }
}

#[test]
fn sensitive_columns_are_ordered() {
    let of = |table: Table| with_sensitive(&table, &["glucose", "marker", "cost", "smoking"]);
    let (train, holdout) = (of(patients(FEW, "train")), of(patients(FEW, "holdout")));
    let fresh = of(patients(FEW, "fresh"));
    let stand_ins = vec![
        ("copy", train.clone()),
        ("noisy", noisy(&train)),
        ("uniform", uniform(&train)),
        ("10 %", planted(&train, &fresh, FEW / 10)),
        ("fresh", fresh),
    ];
    let real = Real { train: &train, holdout: &holdout, truth: None };
    let runs = Runs::new(&chosen(&["dcr_euclid"]), &real, stand_ins);
    let mean = "dcr_euclid_sensitive_mean";
    runs.falls(mean, &["uniform", "fresh", "10 %", "copy"], 0.001);
    runs.falls(mean, &["noisy", "copy"], 0.005);
    assert_eq!(runs.value("copy", mean), 0.0);
    assert!(runs.score("copy", mean).p_value.unwrap() < 1e-9);
    assert!(runs.score("fresh", mean).p_value.unwrap() > 0.01);
    runs.falls("dcr_euclid_sensitive_sd", &["uniform", "copy"], 0.005);
    // By few columns rows are nearer than by all.
    assert!(runs.value("fresh", mean) < runs.value("fresh", "dcr_euclid_mean"));
}

/// Finding 3 of the field: the detector that papers use does not see what trees see.
#[test]
fn logistic_detection_misses_what_boosted_trees_see() {
    let lines = LIKE.score("independent", "detection_logistic_auc");
    let [low, high] = lines.interval.unwrap();
    assert!(
        low < 0.5 && high > 0.5 && LIKE.value("independent", "detection_logistic_score") > 0.95
    );
    assert!(LIKE.value("independent", "detection_boost_auc") > 0.9);
    assert!(LIKE.value("independent", "detection_boost_score") < 0.2);
    for table in ["fresh", "copy"] {
        let [low, high] = LIKE.score(table, "detection_boost_auc").interval.unwrap();
        assert!(low < 0.5 && 0.5 < high, "{table}");
    }
}

/// One planted copy in a hundred shows in an indicator and in an attack, which say so beforehand.
#[test]
fn one_copy_in_a_hundred_is_seen() {
    for (name, expected) in [("tail_leak", 0.0), ("membership_distance_tpr_at_1", 0.01)] {
        let before = NEAR.score("fresh", name).least_leak.unwrap();
        assert!(before < 0.01, "{name}: {before}");
        let rise = NEAR.value("1 %", name) - NEAR.value("fresh", name);
        assert!((rise - 0.01).abs() < 0.004, "{name}: {rise}");
        assert!((NEAR.value("fresh", name) - expected).abs() < 0.005, "{name}");
    }
    // The averages see no less than several.
    for name in ["dcr_share", "membership_distance_auc", "inference_risk"] {
        assert!(NEAR.score("fresh", name).least_leak.unwrap() > 0.02, "{name}");
    }
}

/// What a score says that it could have seen stands well above what chance does to it: without a leak it
/// is nearer to its reference than a leak of the least size would take it, reckoned by the planted tenth.
#[test]
fn least_leaks_stand_above_chance() {
    let mut checked = 0;
    for score in NEAR.scores("fresh").iter().filter(|score| score.columns.is_empty()) {
        let (Some(least), Some(value)) = (score.least_leak, score.value) else { continue };
        let full = NEAR.value("10 %", &score.name) - value;
        // Some saw nothing of a tenth, and quantiles end at 0 before it.
        if least > 0.1 || score.name.ends_with("p05") || score.name == "membership_epsilon" {
            continue;
        }
        let chance = value - score.reference.expect("there are holdout rows");
        let least_rise = full * least / 0.1;
        assert!(chance.abs() < least_rise.abs(), "{score:?}: {chance}, {least_rise}");
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}

/// What is said of leaks: a copy looks like one by every score that can see it, fresh rows hardly by
/// any, and a tenth of copies by the sharp ones.
#[test]
fn verdicts_find_copies_and_spare_fresh_rows() {
    let verdicts = |table: &str| -> Vec<(&str, Verdict)> {
        let judge = Judge::new(MANY as u64, NEAR.scores(table));
        let own = NEAR.scores(table).iter().filter(|score| score.columns.is_empty());
        own.filter_map(|score| Some((score.name.as_str(), judge.verdict(score)?))).collect()
    };
    let leaking = |table: &str, sure: bool| -> Vec<&str> {
        let is =
            |verdict: &Verdict| matches!(verdict, Verdict::Leak { clear, .. } if *clear >= sure);
        verdicts(table).into_iter().filter(|(_, one)| is(one)).map(|(name, _)| name).collect()
    };
    let (all, copied) = (verdicts("copy"), leaking("copy", false));
    let quiet: Vec<&str> =
        all.iter().map(|(name, _)| *name).filter(|name| !copied.contains(name)).collect();
    // The neighbours of most rows are all synthetic, copied or not.
    assert_eq!(quiet, ["membership_neighbours_tpr_at_1", "membership_neighbours_tpr_at_01"]);
    assert_eq!(leaking("fresh", true), [""; 0]);
    // One score in 40 does by chance.
    assert!(leaking("fresh", false).len() < 3, "{:?}", leaking("fresh", false));
    let tenth = leaking("10 %", true);
    for name in ["tail_leak", "identical_match_excess", "dcr_mean", "membership_distance_tpr_at_1"]
    {
        assert!(tenth.contains(&name), "{name}: {tenth:?}");
    }
}

/// Few copies and many move a spread of distances apart, and one row decides the least group.
#[test]
fn every_score_of_privacy_says_how_often_chance_does_as_much() {
    let wide = NEAR.scores("fresh").iter().filter(|score| score.columns.is_empty());
    let (mut sided, mut unsided) = (0, Vec::new());
    for score in wide.filter(|score| is_of_privacy(&score.name) && score.value.is_some()) {
        match score.p_value {
            Some(p) => {
                assert!((0.0..=1.0).contains(&p), "{score:?}");
                sided += 1;
            }
            None => unsided.push(score.name.as_str()),
        }
    }
    unsided.sort_unstable();
    assert!(sided > 30, "{sided}");
    assert_eq!(unsided, ["dcr_euclid_sd", "dcr_sd", "k_map"]);
}

#[test]
fn positions_run_from_shuffled_columns_to_fresh_rows() {
    let runs = few(TARGET, &chosen(&["position"]));
    let unordered = |name: &str| UNORDERED.iter().any(|(own, _)| *own == name);
    for name in chosen(&["position"])[0].names().into_iter().filter(|name| !unordered(name)) {
        let score = runs.score("fresh", name);
        let Some(fresh) = score.value else {
            // At this size chance hides what centres of gravity show of dependence.
            assert!(
                ["position_alpha_precision", "position_pca_rotation"].contains(&name),
                "{name}"
            );
            continue;
        };
        let [low, high] = score.interval.unwrap();
        let holds_1 = low <= 1.0 && 1.0 <= high;
        assert!(holds_1 || (fresh - 1.0).abs() < 0.5, "{name}: {fresh}, {low} to {high}");
        assert!(runs.value("independent", name).abs() < 0.4, "{name}");
        runs.falls(name, &["copy", "independent"], 0.6);
    }
}

#[test]
fn rules_keys_levels_and_constraints_are_judged() {
    let of = |purpose: &str| with_rules(&patients(FEW, purpose), purpose);
    let (train, holdout, fresh) = (of("train"), of("holdout"), of("fresh"));
    let twins: Vec<usize> = (0..FEW).map(|row| row / 2).collect();
    let stand_ins = vec![
        ("copy", train.clone()),
        ("twins", fresh.select_rows(&twins)),
        ("fresh", fresh),
        ("independent", independent(&train)),
    ];
    let real = Real { train: &train, holdout: &holdout, truth: None };
    let runs = Runs::new(&select(&["validity"]).unwrap(), &real, stand_ins);
    runs.falls("key_uniqueness", &["fresh", "twins"], 0.5 - 1e-9);
    assert_eq!(runs.score("twins", "key_uniqueness").reference, Some(1.0));
    runs.falls("rule_violations", &["independent", "fresh"], 0.2);
    assert_eq!(runs.value("fresh", "rule_violations"), 0.0);
    runs.falls("constraint_violations", &["independent", "copy"], 0.02);
    assert_eq!(runs.value("copy", "constraint_violations"), 0.0);
    // Without the rare regions in training they are unknown levels.
    let common = |table: &Table| {
        let region = table.schema().find("region").unwrap();
        let is_common = |row: &usize| table.codes(region)[*row] < 10;
        table.select_rows(&(0..table.rows()).filter(is_common).collect::<Vec<_>>())
    };
    let (few, unseen) = (common(&train), common(&holdout));
    let real = Real { train: &few, holdout: &unseen, truth: None };
    let stand_ins = vec![("copy", few.clone()), ("all", train.clone())];
    let runs = Runs::new(&select(&["validity"]).unwrap(), &real, stand_ins);
    runs.falls("category_adherence", &["copy", "all"], 0.03);
}

/// What the law itself says: fresh rows are as likely as the holdout, a copy too, rows in which one
/// column was shuffled less, and tables in which nothing fits together have impossible rows.
#[test]
fn the_law_orders_tables() {
    let places = Places { folders: Vec::new(), cache: "none".into(), download: false };
    let truth = truth(&Chosen::find("clinic").unwrap(), &places, &mut Silent).unwrap();
    let (train, holdout) = (patients(MANY, "train"), patients(MANY, "holdout"));
    let fresh = patients(MANY, "fresh");
    let shuffled = {
        let cost = train.schema().find("cost").unwrap();
        let mut columns = fresh.columns().to_vec();
        columns[cost] = independent(&train).columns()[cost].clone();
        Table::new(train.schema().clone(), columns).unwrap()
    };
    let stand_ins = vec![
        ("copy", train.clone()),
        ("fresh", fresh),
        ("cost shuffled", shuffled),
        ("independent", independent(&train)),
        ("uniform", uniform(&train)),
    ];
    let real = Real { train: &train, holdout: &holdout, truth: truth.as_deref() };
    let runs = Runs::new(&select(&["likelihood"]).unwrap(), &real, stand_ins);
    const NAME: &str = "oracle_log_likelihood";
    for table in ["copy", "fresh"] {
        let score = runs.score(table, NAME);
        assert!((score.value.unwrap() - score.reference.unwrap()).abs() < 0.15, "{score:?}");
    }
    runs.falls(NAME, &["fresh", "cost shuffled"], 0.5);
    for table in ["independent", "uniform"] {
        let score = runs.score(table, NAME);
        assert_eq!((score.value, score.status), (None, Status::Undefined));
        assert!(
            score.reason.as_ref().unwrap().contains("impossible under the clinic"),
            "{score:?}"
        );
    }
    let other = runs.score("fresh", "likelihood_test");
    assert_eq!(other.status, Status::Skipped, "{other:?}");
}

/// Each score is in an order above, or stands in a list with a reason.
#[test]
fn no_score_is_forgotten() {
    let mut known: BTreeSet<String> = UNORDERED.iter().map(|(name, _)| (*name).into()).collect();
    let orders = LIKENESS.iter().chain(PRIVACY);
    known.extend(orders.flat_map(|order| order.names).map(|name| (*name).into()));
    for (learner, _) in LEARNERS.iter().chain(&COSTLY) {
        for score in ["auc", "f1", "macro_f1", "accuracy", "balanced", "log_loss"] {
            known.extend(["tstr", "trtr"].map(|prefix| format!("{prefix}_{learner}_{score}")));
        }
    }
    let tests = [
        "wasserstein_raw",
        "floor_accuracy",
        "floor_macro_f1",
        "floor_log_loss",
        "floor_r2",
        "floor_rmse",
        "learner_agreement",
        "trts_boost_r2",
        "tsts_boost_r2",
        "augmented_boost_r2",
        "global_utility",
        "key_uniqueness",
        "rule_violations",
        "constraint_violations",
        "category_adherence",
        "oracle_log_likelihood",
    ];
    let of_prefix = |name: &str| {
        let numbers = name.ends_with("_r2") || name.ends_with("_rmse");
        name.starts_with("position_")
            || name.starts_with("ctgan_")
            || (numbers && (name.starts_with("tstr_") || name.starts_with("trtr_")))
    };
    let forgotten: Vec<&str> = METRICS
        .iter()
        .flat_map(|metric| metric.names())
        .filter(|name| !known.contains(*name) && !tests.contains(name) && !of_prefix(name))
        .collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
    for (name, _) in UNORDERED {
        assert!(METRICS.iter().any(|metric| metric.names().contains(&name)), "{name}");
    }
    let is_ordered = |score: &&Score| score.value.is_some();
    assert!(LIKE.scores("fresh").iter().filter(is_ordered).count() > 100);
}
