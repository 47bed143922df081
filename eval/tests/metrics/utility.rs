//! What learners and the protocols built on them must see, on 1 500 people of a known law.

use crate::{
    common::{chosen, find, value},
    people::{independent, people},
};
use eval::{Score, Status, select};
use meg_core::{Role, Schema, Table};

const ROWS: usize = 1_500;

/// The scores of a copy, of fresh rows and of shuffled columns.
fn scored(words: &[&str], of: fn(Table) -> Table) -> [Vec<Score>; 3] {
    let (train, holdout) = (of(people(ROWS, "train")), of(people(ROWS, "holdout")));
    let stand_ins = [train.clone(), of(people(ROWS, "fresh")), independent(&train)];
    stand_ins.map(|synthetic| chosen(words, [&train, &holdout, &synthetic]))
}

/// Another column is the target, and the former target an ordinary column.
fn with_target(table: &Table, target: &str) -> Table {
    let columns = table.schema().columns.iter().map(|spec| {
        let role = if spec.name == target { Role::Target } else { Role::Feature };
        spec.clone().role(role)
    });
    Table::new(Schema::new(columns.collect()).unwrap(), table.columns().to_vec()).unwrap()
}

#[test]
fn costly_learners_are_ordered() {
    let words = ["tstr_forest_auc", "tstr_adaboost_auc", "tstr_mlp_auc"];
    let [copy, fresh, shuffled] = scored(&words, |table| table);
    for learner in ["forest", "adaboost", "mlp"] {
        let auc = format!("tstr_{learner}_auc");
        for better in [&copy, &fresh] {
            assert!(value(better, &auc) > value(&shuffled, &auc) + 0.05, "{auc}");
        }
        // A copy teaches what training rows teach.
        for score in ["auc", "f1", "macro_f1", "accuracy", "balanced", "log_loss"] {
            let [ours, theirs] =
                ["tstr", "trtr"].map(|kind| value(&copy, &format!("{kind}_{learner}_{score}")));
            assert!((ours - theirs).abs() < 1e-9, "{learner} {score}: {ours}, {theirs}");
        }
        let f1 = format!("tstr_{learner}_f1");
        assert_eq!(
            find(&fresh, &f1, &[]).reference,
            Some(value(&fresh, &f1.replace("tstr", "trtr")))
        );
    }
}

#[test]
fn learners_of_numbers_are_ordered() {
    let words = ["tstr_linear_r2", "tstr_tree_r2", "tstr_forest_r2", "tstr_mlp_r2", "floor_r2"];
    let [copy, fresh, shuffled] = scored(&words, |table| with_target(&table, "income"));
    for learner in ["linear", "tree", "forest", "mlp"] {
        let r2 = format!("tstr_{learner}_r2");
        assert!(value(&fresh, &r2) > value(&shuffled, &r2) + 0.1, "{r2}");
        assert_eq!(Some(value(&copy, &r2)), find(&copy, &r2, &[]).reference);
    }
    // The mean of the training rows explains nothing, and so do shuffled columns.
    assert!(value(&fresh, "floor_r2").abs() < 0.01);
    assert!(value(&shuffled, "tstr_linear_r2").abs() < 0.1);
    assert!(value(&fresh, "floor_rmse") > 0.8);
    assert_eq!(find(&fresh, "floor_accuracy", &[]).status, Status::Skipped);
}

#[test]
fn the_floor_is_what_shuffled_columns_teach() {
    let words = ["floor_accuracy", "tstr_logistic_auc"];
    let [_, fresh, shuffled] = scored(&words, |table| table);
    for score in ["accuracy", "log_loss"] {
        let (floor, own) = (format!("floor_{score}"), format!("tstr_logistic_{score}"));
        assert!((value(&shuffled, &own) - value(&fresh, &floor)).abs() < 0.05, "{score}");
    }
    assert!(value(&fresh, "floor_log_loss") > value(&fresh, "tstr_logistic_log_loss"));
    assert!(find(&fresh, "floor_accuracy", &[]).reference.is_none());
}

#[test]
fn every_column_in_turn() {
    let [copy, fresh, shuffled] = scored(&["global_utility"], |table| table);
    // The rows are the same, and so are the learners.
    assert!((value(&copy, "global_utility") - 1.0).abs() < 1e-9);
    assert!((value(&fresh, "global_utility") - 1.0).abs() < 0.1);
    let [floor, own] =
        ["global_utility_floor", "global_utility"].map(|name| value(&shuffled, name));
    assert!(own < 0.95 && (own - floor).abs() < 0.1, "{own}, {floor}");
    let columns: Vec<&Score> = copy.iter().filter(|score| !score.columns.is_empty()).collect();
    assert_eq!(columns.len(), people(1, "train").columns().len());
}

#[test]
fn exchange_of_a_number() {
    let words = ["trts_boost_r2"];
    let [copy, fresh, shuffled] = scored(&words, |table| with_target(&table, "income"));
    assert!(value(&copy, "trts_boost_r2") > value(&fresh, "trts_boost_r2"));
    assert!(value(&fresh, "trts_boost_r2") > value(&shuffled, "trts_boost_r2") + 0.2);
    assert!(value(&fresh, "augmented_boost_r2") > value(&shuffled, "augmented_boost_r2"));
    assert_eq!(find(&fresh, "trts_boost_auc", &[]).status, Status::Skipped);
}

#[test]
fn the_ctgan_papers_learners() {
    let [copy, fresh, shuffled] =
        scored(&["ctgan-adult", "ctgan-credit", "ctgan-mnist"], |table| table);
    for table in ["adult", "census"] {
        let mean = format!("ctgan_{table}_f1");
        assert_eq!(Some(value(&copy, &mean)), find(&copy, &mean, &[]).reference);
        assert!((value(&fresh, &mean) - value(&copy, &mean)).abs() < 0.08, "{mean}");
        assert!(value(&shuffled, &mean) < value(&fresh, &mean) - 0.05, "{mean}");
        let prefix = format!("ctgan_{table}_");
        let own: Vec<f64> = copy
            .iter()
            .filter(|score| score.name.starts_with(&prefix) && score.name != mean)
            .map(|score| score.value.unwrap())
            .collect();
        assert_eq!(own.len(), if table == "adult" { 4 } else { 3 });
        let average = own.iter().sum::<f64>() / own.len() as f64;
        assert!((average - value(&copy, &mean)).abs() < 1e-12);
    }
    let mnist = find(&copy, "ctgan_mnist_accuracy", &[]);
    assert_eq!(mnist.status, Status::Skipped);
    assert!(mnist.reason.as_ref().unwrap().contains("2 classes"), "{mnist:?}");
}

#[test]
fn the_ctgan_papers_learners_for_classes_and_numbers() {
    let [copy, _, shuffled] =
        scored(&["ctgan-intrusion", "ctgan-mnist12"], |table| with_target(&table, "job"));
    for name in ["ctgan_covertype_macro_f1", "ctgan_mnist_accuracy"] {
        assert!(value(&copy, name) > value(&shuffled, name) + 0.05, "{name}");
    }
    let [copy, fresh, shuffled] = scored(&["ctgan-news"], |table| with_target(&table, "income"));
    for learner in ["linear", "mlp"] {
        let name = format!("ctgan_news_{learner}_r2");
        assert!(value(&fresh, &name) > value(&shuffled, &name), "{name}");
    }
    assert_eq!(Some(value(&copy, "ctgan_news_r2")), find(&copy, "ctgan_news_r2", &[]).reference);
}

#[test]
fn words_choose_a_papers_table() {
    let names =
        |word| select(&[word]).unwrap().iter().map(|metric| metric.name()).collect::<Vec<_>>();
    assert_eq!(names("ctgan-credit"), ["ctgan_census_f1"]);
    assert_eq!(names("ctgan-intrusion"), ["ctgan_covertype_macro_f1"]);
    assert!(select(&["ctgan-mnist14"]).unwrap_err().to_string().contains("ctgan-mnist12"));
}
