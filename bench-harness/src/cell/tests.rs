use super::fake::job;
use super::*;
use meg_core::{Column, ColumnSpec, Schema, Silent};

fn data(rows: usize) -> Dataset {
    let schema = Schema::new(vec![ColumnSpec::number("x", 0)]).unwrap();
    let numbers = |from: usize| (from..from + rows).map(|row| row as f64).collect();
    let table = |from| Table::new(schema.clone(), vec![Column::Numbers(numbers(from))]).unwrap();
    Dataset {
        name: "toy".into(),
        train: table(0),
        holdout: table(rows),
        hash: "d".into(),
        split: "s".into(),
    }
}

fn computed(settings: &str) -> Record {
    let (job, mut silent) = (job(), Silent);
    let mut watch = Watch::new(&mut silent);
    let recipe = (fake::FAKE[0].recipe)(settings).unwrap();
    let mut record = job.record();
    let mut details = Details::new(job.key());
    let real = Real { data: data(10), truth: None };
    let outcome = measure(&job, &recipe, &real, (&mut record, &mut details), &mut watch);
    close(record, outcome, &watch)
}

#[test]
fn a_cell_records_what_happened() {
    let record = computed("");
    assert!(record.is_ok(), "{record:?}");
    assert_eq!((record.rows.train, record.rows.holdout, record.rows.synthetic), (10, 10, 10));
    assert_eq!(record.acceptance, Some(0.5));
    assert_eq!(record.notes[0], "a note");
    assert!(record.seconds.fit.is_some() && record.seconds.sample.is_some());
}

#[test]
fn the_yardstick_holdout_divides_the_holdout_rows() {
    let (mut silent, data) = (Silent, data(9));
    let mut watch = Watch::new(&mut silent);
    for (wanted, played) in [(3, 3), (100, 4)] {
        let (synthetic, rest) = second_sample(&data.holdout, wanted, Seed(1), &mut watch).unwrap();
        assert_eq!((synthetic.rows(), rest.rows()), (played, 9 - played));
        let mut all = [synthetic.numbers(0), rest.numbers(0)].concat();
        all.sort_by(f64::total_cmp);
        assert_eq!(all, data.holdout.numbers(0), "every row is on one side");
    }
    let one = data.holdout.select_rows(&[0]);
    assert!(second_sample(&one, 5, Seed(1), &mut watch).is_err());
    let (job, recipe) = (job(), (reference::HOLDOUT.recipe)("").unwrap());
    let job = Job { entry: "holdout".into(), ..job };
    let mut record = job.record();
    let mut details = Details::new(job.key());
    let real = Real { data, truth: None };
    let outcome = measure(&job, &recipe, &real, (&mut record, &mut details), &mut watch);
    let record = close(record, outcome, &watch);
    assert!(record.is_ok(), "{record:?}");
    assert_eq!((record.rows.train, record.rows.holdout, record.rows.synthetic), (9, 9, 4));
    assert_eq!(record.seconds.fit, None);
    assert!(record.notes.iter().any(|note| note.contains("stand for synthetic")));
}

#[test]
fn a_failure_names_phase_and_reason() {
    let record = computed("steps = 13");
    assert_eq!(record.status, Status::Failed);
    assert_eq!(record.phase.as_deref(), Some("train"));
    assert!(record.reason.unwrap().contains("NaN"));
    assert_eq!(record.seconds.sample, None);
}

#[test]
fn the_key_is_over_what_decides_the_values() {
    let key = |change: fn(&mut Job)| {
        let mut job = job();
        change(&mut job);
        job.key()
    };
    let base = key(|_| {});
    assert_eq!(base.len(), 64);
    assert_eq!(base, key(|job| job.threads = 8));
    assert_eq!(base, key(|job| job.label = "b".into()));
    assert_eq!(base, key(|job| job.memory_limit = Some(1)));
    for other in [
        key(|job| job.seed = 2),
        key(|job| job.plain = true),
        key(|job| job.rows = None),
        key(|job| job.metrics = vec!["all".into()]),
        key(|job| job.data_hash = "e".into()),
        key(|job| job.split_hash = "e".into()),
        key(|job| job.recipe = serde_json::json!({"steps": 4})),
    ] {
        assert_ne!(base, other);
    }
}

#[test]
fn devices_are_read() {
    assert_eq!(parse_device("cuda:1").unwrap(), Device::Cuda(1));
    assert!(parse_device("gpu").unwrap_err().to_string().contains("cuda:0"));
}
