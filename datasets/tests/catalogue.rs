//! Every table of the catalogue against what is known of it. The tables themselves are not part
//! of the project: without `MEG_DATA` these tests say so and pass.

use datasets::{CATALOGUE, Dataset, Entry, Network, Places};
use meg_core::{MISSING, Seed, Silent, Table};
use std::collections::BTreeMap;

/// The data folders, without network.
fn places() -> Option<Places> {
    if std::env::var_os("MEG_DATA").is_none() {
        eprintln!("skipped: MEG_DATA names no data folder");
        return None;
    }
    Some(Places { download: false, ..Places::from_environment(None) })
}

fn load(name: &str) -> Option<Dataset> {
    let entry = Entry::find(name).expect(name);
    let places = places()?;
    Some(entry.load(&places, Seed(1), &mut Silent).unwrap_or_else(|error| panic!("{error}")))
}

fn counts(table: &Table, column: &str) -> BTreeMap<String, usize> {
    let at = table.schema().find(column).unwrap();
    let levels = table.schema().columns[at].levels();
    let mut counts = BTreeMap::new();
    for &code in table.codes(at) {
        let level = if code == MISSING { "" } else { &levels[code as usize] };
        *counts.entry(level.to_owned()).or_default() += 1;
    }
    counts
}

fn missing(table: &Table) -> BTreeMap<String, usize> {
    table
        .iter()
        .map(|(spec, column)| {
            (spec.name.clone(), (0..column.len()).filter(|&row| column.is_missing(row)).count())
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn expect<'a>(pairs: impl IntoIterator<Item = (&'a str, usize)>) -> BTreeMap<String, usize> {
    pairs.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

fn whole(dataset: &Dataset) -> Table {
    dataset.train.clone().concat(dataset.holdout.clone()).unwrap()
}

/// Rows of the two parts, columns, the target's counts over both, missing cells over both.
fn check(
    name: &str,
    rows: (usize, usize),
    columns: usize,
    classes: &[(&str, usize)],
    lost: &[(&str, usize)],
) {
    let Some(dataset) = load(name) else { return };
    let all = whole(&dataset);
    assert_eq!((dataset.train.rows(), dataset.holdout.rows()), rows, "{name}: rows");
    assert_eq!(all.columns().len(), columns, "{name}: columns");
    let target = Entry::find(name).unwrap().target.unwrap();
    assert_eq!(all.schema().columns[all.schema().target().unwrap()].name, target);
    assert_eq!(counts(&all, target), expect(classes.iter().copied()), "{name}: classes");
    assert_eq!(missing(&all), expect(lost.iter().copied()), "{name}: missing cells");
}

const GARAVAN_MISSING: [(&str, usize); 7] =
    [("age", 1), ("sex", 150), ("TSH", 369), ("T3", 769), ("TT4", 231), ("T4U", 387), ("FTI", 385)];

#[test]
fn thyroid() {
    check("thyroid", (3772, 3428), 22, &[("1", 166), ("2", 368), ("3", 6666)], &[]);
    let Some(dataset) = load("thyroid") else { return };
    assert_eq!(counts(&dataset.train, "class"), expect([("1", 93), ("2", 191), ("3", 3488)]));
    assert_eq!(dataset.split, "published");
}

#[test]
fn the_garavan_tables() {
    let check = |name, classes: &[(&str, usize)]| {
        check(name, (2800, 972), 28, classes, &GARAVAN_MISSING);
    };
    check(
        "thyroid-allbp",
        &[
            ("negative", 3609),
            ("increased binding protein", 149),
            ("decreased binding protein", 14),
        ],
    );
    check(
        "thyroid-allhyper",
        &[
            ("negative", 3670),
            ("hyperthyroid", 79),
            ("goitre", 12),
            ("T3 toxic", 10),
            ("secondary toxic", 1),
        ],
    );
    check(
        "thyroid-allhypo",
        &[
            ("negative", 3481),
            ("compensated hypothyroid", 194),
            ("primary hypothyroid", 95),
            ("secondary hypothyroid", 2),
        ],
    );
    check(
        "thyroid-allrep",
        &[
            ("negative", 3648),
            ("underreplacement", 52),
            ("replacement therapy", 38),
            ("overreplacement", 34),
        ],
    );
    check("thyroid-dis", &[("negative", 3714), ("discordant", 58)]);
    check("thyroid-sick", &[("negative", 3541), ("sick", 231)]);
}

#[test]
fn hypothyroid_and_sick_euthyroid() {
    let lost = [
        ("age", 446),
        ("sex", 73),
        ("TSH", 468),
        ("T3", 695),
        ("TT4", 249),
        ("T4U", 248),
        ("FTI", 247),
        ("TBG", 2903),
    ];
    let rows = (2214, 949);
    check("thyroid-hypothyroid", rows, 26, &[("negative", 3012), ("hypothyroid", 151)], &lost);
    check(
        "thyroid-sick-euthyroid",
        rows,
        26,
        &[("negative", 2870), ("sick-euthyroid", 293)],
        &lost,
    );
}

#[test]
fn thyroid_0387() {
    let lost = [
        ("sex", 307),
        ("TSH", 842),
        ("T3", 2604),
        ("TT4", 442),
        ("T4U", 809),
        ("FTI", 802),
        ("TBG", 8823),
    ];
    let classes = [
        ("-", 6771),
        ("E-H", 659),
        ("K", 455),
        ("I-J", 388),
        ("L-N", 355),
        ("A-D", 228),
        ("R", 197),
        ("S-T", 85),
        ("O-Q", 34),
    ];
    check("thyroid-0387", (6420, 2752), 30, &classes, &lost);
}

#[test]
fn thyroid_new() {
    check("thyroid-new", (150, 65), 6, &[("1", 150), ("2", 35), ("3", 30)], &[]);
}

#[test]
fn patients() {
    let marital = [("", 380), ("M", 638), ("S", 153)];
    check("patients", (937, 234), 11, &marital, &[("MARITAL", 380), ("ZIP", 543)]);
    let lost = [
        ("DEATHDATE", 1000),
        ("DRIVERS", 213),
        ("PASSPORT", 273),
        ("PREFIX", 244),
        ("SUFFIX", 1159),
        ("MAIDEN", 840),
        ("MARITAL", 380),
        ("ZIP", 543),
    ];
    check("patients-full", (937, 234), 25, &marital, &lost);
    let Some(dataset) = load("patients") else { return };
    let all = whole(&dataset);
    let expenses = all.schema().find("HEALTHCARE_EXPENSES").unwrap();
    let most = all.numbers(expenses).iter().copied().fold(0.0, f64::max);
    assert_eq!(most, 2_145_924.40);
    let zip = all.schema().find("ZIP").unwrap();
    assert!(all.schema().columns[zip].levels().iter().any(|level| level == "01013"));
}

#[test]
fn adult() {
    let lost = [("workclass", 2799), ("occupation", 2809), ("native-country", 857)];
    let classes = [("<=50K", 37155), (">50K", 11687)];
    let start = std::time::Instant::now();
    check("adult", (32561, 16281), 15, &classes, &lost);
    eprintln!("adult: {:?}", start.elapsed());
}

#[test]
fn intrusion() {
    let classes =
        [("dos", 391_458), ("normal", 97_278), ("probe", 4_107), ("r2l", 1_126), ("u2r", 52)];
    let Some(places) = places() else { return };
    let start = std::time::Instant::now();
    let dataset = Entry::find("intrusion").unwrap().load(&places, Seed(1), &mut Silent).unwrap();
    eprintln!("intrusion: {:?}", start.elapsed());
    assert!(start.elapsed().as_secs() < 30);
    let all = whole(&dataset);
    assert_eq!((all.rows(), all.columns().len()), (494_021, 40));
    assert_eq!(counts(&all, "label"), expect(classes));
    assert_eq!(dataset.holdout.rows(), 98_804);
}

#[test]
fn car_nursery_magic() {
    let car = [("unacc", 1210), ("acc", 384), ("good", 69), ("vgood", 65)];
    check("car", (1382, 346), 7, &car, &[]);
    let nursery = [
        ("not_recom", 4320),
        ("priority", 4266),
        ("spec_prior", 4044),
        ("very_recom", 328),
        ("recommend", 2),
    ];
    check("nursery", (10_368, 2_592), 9, &nursery, &[]);
    check("magic", (15_216, 3_804), 11, &[("g", 12_332), ("h", 6_688)], &[]);
}

#[test]
fn a_load_is_decided_by_the_seed() {
    let Some(places) = places() else { return };
    let entry = Entry::find("car").unwrap();
    let load = |seed| entry.load(&places, Seed(seed), &mut Silent).unwrap();
    assert_eq!(load(1).hash, load(1).hash);
    assert_ne!(load(1).split, load(2).split);
    assert_eq!(load(1).with_train_rows(100, Seed(1)).train.rows(), 100);
}

#[test]
fn every_entry_has_a_schema_with_its_target() {
    for entry in CATALOGUE {
        let datasets::Source::Table { schema, .. } = entry.source else { continue };
        let schema = meg_core::Schema::from_toml(schema).unwrap_or_else(|error| {
            panic!("{}: {error}", entry.name);
        });
        let target = schema.target().map(|at| schema.columns[at].name.as_str());
        assert_eq!(target, entry.target, "{}", entry.name);
        assert!(!entry.files.is_empty() && entry.files.iter().all(|file| file.sha256.len() == 64));
    }
}

#[test]
fn networks_have_their_published_sizes() {
    let Some(places) = places() else { return };
    for (name, size) in [
        ("asia", (8, 8, 18)),
        ("alarm", (37, 46, 509)),
        ("child", (20, 25, 230)),
        ("insurance", (27, 52, 1008)),
    ] {
        let network = Entry::find(name).unwrap().network(&places, &mut Silent).unwrap();
        assert_eq!((network.nodes().len(), network.arcs(), network.parameters()), size, "{name}");
    }
}

#[test]
fn the_built_in_asia_is_the_published_one() {
    let Some(places) = places() else { return };
    let path = places.folders.iter().map(|folder| folder.join("bayesnets/asia.bif"));
    let Some(text) = path.into_iter().find_map(|path| std::fs::read_to_string(path).ok()) else {
        eprintln!("skipped: no asia.bif");
        return;
    };
    let read = Network::from_bif("asia.bif", &text).unwrap();
    let built = Network::asia().unwrap();
    let table = built.sample(2_000, &mut Seed(1).stream("test")).unwrap();
    let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
    let (a, b) = (built.log_probability(&table).unwrap(), read.log_probability(&table).unwrap());
    assert!(a.iter().zip(&b).all(|(&a, &b)| close(a, b)));
}

/// Mean log likelihood of rows of the law itself, as in the table of the CTGAN paper, which adds
/// 1e-8 to each probability.
#[test]
fn network_tables_are_as_likely_as_published() {
    let Some(places) = places() else { return };
    for (name, expected) in
        [("asia", -2.24), ("alarm", -10.3), ("child", -12.0), ("insurance", -12.8)]
    {
        let entry = Entry::find(name).unwrap();
        let network = entry.network(&places, &mut Silent).unwrap();
        let dataset = entry.load(&places, Seed(1), &mut Silent).unwrap();
        let logs = network.log_probability(&dataset.holdout).unwrap();
        let mean = logs.iter().map(|log| (log.exp() + 1e-8).ln()).sum::<f64>() / logs.len() as f64;
        assert!((mean - expected).abs() < 0.15, "{name}: {mean}");
    }
}

#[test]
fn simulated_tables_need_no_file_and_are_decided_by_the_seed() {
    let nowhere = Places { folders: vec![], cache: "/nonexistent".into(), download: false };
    for (name, rows) in
        [("grid", 10_000), ("gridr", 10_000), ("ring", 10_000), ("asia", 10_000), ("clinic", 5_000)]
    {
        let entry = Entry::find(name).unwrap();
        let load = |seed| entry.load(&nowhere, Seed(seed), &mut Silent).unwrap();
        let dataset = load(1);
        assert_eq!((dataset.train.rows(), dataset.holdout.rows()), (rows, rows), "{name}");
        assert_eq!(dataset.hash, load(1).hash);
        assert_ne!(dataset.hash, load(2).hash);
        assert_ne!(dataset.train, dataset.holdout);
    }
}
