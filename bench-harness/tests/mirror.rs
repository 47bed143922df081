//! Columns that say whether another is missing: no model draws a row in which they are wrong, with
//! conditions and after a way through a file too.

use bench_harness::{MODELS, registry};
use datasets::{Places, select};
use meg_core::{
    Artifact, Column, ColumnSpec, Error, FitContext, Fitted, MISSING, Role, SampleContext,
    SampleRequest, Schema, Seed, Silent, Table,
};
use rand::Rng as _;
use transforms::MirrorFlags;

/// Settings under which training takes no time; what is tested holds at any quality.
fn quick(model: &str) -> toml::Table {
    let text = match model {
        "ctgan" => "epochs = 1\nmin_updates = 20\nbatch_size = 100",
        "tvae" => "epochs = 2",
        "table-gan" => "epochs = 2\nmin_updates = 20\nchannels = 4",
        "tgan" => "steps_per_epoch = 20\nlstm_dim = 12\nfeature_dim = 10\ndiscriminator_dim = [16]",
        "vanilla-gan" => "steps = 20\nlayers_dim = 16",
        "meg-classic" => "epochs = 20",
        "meg" => "max_steps = 20",
        "priv-bayes" => "epsilon = 1000.0",
        _ => "",
    };
    text.parse().unwrap()
}

fn fit(model: &str, settings: toml::Table, train: &Table) -> Box<dyn Fitted> {
    let choice = registry::choose(model, &settings).unwrap();
    choice.recipe.synthesizer.fit(train, &mut FitContext::new(Seed(1), &mut Silent)).unwrap()
}

fn sample(fitted: &dyn Fitted, request: &SampleRequest) -> Result<Table, Error> {
    let rng = Seed(2).stream("sample");
    fitted.sample(request, &mut SampleContext { rng, threads: 1, observer: &mut Silent })
}

/// A flag before its column, one after, a column without a flag, and the target.
fn table(rows: usize) -> Table {
    let schema = Schema::new(vec![
        ColumnSpec::category("TSH measured", ["f", "t"]),
        ColumnSpec::number("TSH", 1).nullable(),
        ColumnSpec::category("T3", ["low", "high"]).nullable(),
        ColumnSpec::category("T3 missing", ["yes", "no"]),
        ColumnSpec::number("age", 0).nullable(),
        ColumnSpec::category("sick", ["f", "t"]).role(Role::Target),
    ]);
    let mut rng = Seed(3).stream("rows");
    let draw = |share: f64, rng: &mut meg_core::Rng| -> Vec<bool> {
        (0..rows).map(|_| rng.random_bool(share)).collect()
    };
    let (no_tsh, no_t3) = (draw(0.3, &mut rng), draw(0.1, &mut rng));
    let number = |missing: &bool| if *missing { f64::NAN } else { 1.5 };
    let columns = vec![
        Column::Codes(no_tsh.iter().map(|missing| u32::from(!missing)).collect()),
        Column::Numbers(no_tsh.iter().map(number).collect()),
        Column::Codes(no_t3.iter().map(|missing| if *missing { MISSING } else { 1 }).collect()),
        Column::Codes(no_t3.iter().map(|missing| u32::from(!missing)).collect()),
        Column::Numbers((0..rows).map(|row| [f64::NAN, 30.0, 55.0][row % 3]).collect()),
        Column::Codes(draw(0.2, &mut rng).into_iter().map(u32::from).collect()),
    ];
    Table::new(schema.unwrap(), columns).unwrap()
}

/// Rows in which a flag says what is not so, counted by hand.
fn wrong(table: &Table) -> usize {
    let rows = 0..table.rows();
    let broken = |row: &usize| {
        (table.codes(0)[*row] == 1) == table.columns()[1].is_missing(*row)
            || (table.codes(3)[*row] == 0) != table.columns()[2].is_missing(*row)
    };
    rows.filter(broken).count()
}

#[test]
fn every_model_but_the_private_ones_keeps_them() {
    let train = table(400);
    assert_eq!(wrong(&train), 0);
    for model in MODELS.iter().filter(|model| model.name != "holdout") {
        let fitted = fit(model.name, quick(model.name), &train);
        let drawn = sample(fitted.as_ref(), &SampleRequest::rows(500)).unwrap();
        assert!(drawn.schema() == train.schema(), "{}", model.name);
        let missing = (0..500).filter(|&row| drawn.columns()[1].is_missing(row)).count();
        match model.name {
            // Looking for flags is a look at the rows that no budget pays for.
            "priv-bayes" => assert!(wrong(&drawn) <= 500),
            name => assert_eq!(wrong(&drawn), 0, "{name}: {missing} are missing"),
        }
    }
}

#[test]
fn without_the_wrapper_independent_columns_contradict_each_other() {
    let train = table(400);
    let recipe = (MODELS.iter().find(|model| model.name == "independent").unwrap().recipe)("");
    let mut silent = Silent;
    let fitted =
        recipe.unwrap().synthesizer.fit(&train, &mut FitContext::new(Seed(1), &mut silent));
    let drawn = sample(fitted.unwrap().as_ref(), &SampleRequest::rows(500)).unwrap();
    assert!(wrong(&drawn) > 150, "{}", wrong(&drawn));
}

#[test]
fn conditions_on_flags_are_met_or_refused() {
    let train = table(400);
    let fitted = fit("independent", toml::Table::new(), &train);
    let request = |conditions: &[(&str, &str)]| {
        conditions.iter().fold(SampleRequest::rows(80), |request, (column, value)| {
            request.with(train.schema(), column, value).unwrap()
        })
    };
    for conditions in [
        &[("TSH measured", "t")][..],
        &[("TSH measured", "f"), ("sick", "t")],
        &[("TSH measured", "t"), ("T3 missing", "yes"), ("age", "30")],
        &[("TSH", ""), ("TSH measured", "f")],
        &[("T3 missing", "no"), ("T3", "high")],
    ] {
        let request = request(conditions);
        let drawn = sample(fitted.as_ref(), &request).unwrap();
        assert_eq!((drawn.rows(), wrong(&drawn)), (80, 0), "{conditions:?}");
        let met = |row| request.conditions.iter().all(|condition| condition.holds(&drawn, row));
        assert!((0..80).all(met), "{conditions:?}");
    }
    for conditions in
        [[("TSH measured", "t"), ("TSH", "")], [("T3 missing", "yes"), ("T3", "high")]]
    {
        let error = sample(fitted.as_ref(), &request(&conditions)).unwrap_err();
        assert!(
            matches!(&error, Error::Request(text) if text.contains("no row can meet it")),
            "{error}"
        );
    }
}

#[test]
fn a_saved_model_draws_the_same_rows_and_a_damaged_one_is_refused() {
    let train = table(300);
    let open: toml::Table = "round = false".parse().unwrap();
    let mut ctgan = quick("ctgan");
    ctgan.extend(open);
    for (model, settings) in [("independent", toml::Table::new()), ("ctgan", ctgan)] {
        let fitted = fit(model, settings, &train);
        let (json, tensors) = fitted.save().unwrap().to_bytes().unwrap();
        let artifact = Artifact::from_bytes(&json, &tensors).unwrap();
        let loaded = registry::load(&artifact).unwrap();
        let request = SampleRequest::rows(200).with(train.schema(), "TSH measured", "t").unwrap();
        let [first, second] =
            [&fitted, &loaded].map(|fitted| sample(fitted.as_ref(), &request).unwrap());
        assert!(first == second && wrong(&first) == 0, "{model}");
        assert!(loaded.save().unwrap().to_bytes().unwrap() == (json, tensors), "{model}");
        for (key, value) in [("flag", "sick"), ("of", "age measured"), ("present", "maybe")] {
            let mut damaged = artifact.clone();
            damaged.state["mirror_flags"]["flags"][0][key] = value.into();
            let error = registry::load(&damaged).unwrap_err();
            assert!(matches!(error, Error::Artifact(_)), "{model}: {error}");
        }
    }
}

#[test]
fn densities_of_rows_that_contradict_themselves_are_zero() {
    let train = table(300);
    let fitted = fit("meg", quick("meg"), &train);
    let densities = fitted.log_density(&train, 1).unwrap().unwrap();
    assert!(densities.iter().all(|density| density.is_finite()));
    let mut columns = train.columns().to_vec();
    columns[0] = Column::Codes(train.codes(0).iter().map(|code| 1 - code).collect());
    let broken = Table::new(train.schema().clone(), columns).unwrap();
    let densities = fitted.log_density(&broken, 1).unwrap().unwrap();
    assert!(densities.iter().all(|density| *density == f64::NEG_INFINITY));
    let rng = Seed(2).stream("impute");
    let mut ctx = SampleContext { rng, threads: 1, observer: &mut Silent };
    let filled = fitted.impute(&train, &mut ctx).unwrap().unwrap();
    assert!((0..filled.rows()).all(|row| !filled.columns()[1].is_missing(row)));
    assert_eq!(filled.codes(0), train.codes(0), "they tell of the cell before");
}

/// The real table, where it is at hand: five flags, and no drawn row contradicts one.
#[test]
fn the_flags_of_a_thyroid_table_are_right_in_every_drawn_row() {
    let places = Places { download: false, ..Places::from_environment(None) };
    let tables = select(&["thyroid-sick".into()]).unwrap().tables;
    let Ok(dataset) = tables[0].load(&places, Seed(1), &mut Silent) else {
        eprintln!("skipped: thyroid-sick is not in a folder of MEG_DATA");
        return;
    };
    let train = dataset.train;
    let flags = MirrorFlags::find_for_models(&train);
    let names: Vec<&str> = flags.flags().iter().map(|flag| flag.flag.as_str()).collect();
    assert_eq!(names, ["TSH", "T3", "TT4", "T4U", "FTI"].map(|of| format!("{of} measured")));
    for model in ["independent", "ctgan"] {
        let fitted = fit(model, quick(model), &train);
        let drawn = sample(fitted.as_ref(), &SampleRequest::rows(3_000)).unwrap();
        let at = |name: &str| train.schema().find(name).unwrap();
        for flag in flags.flags() {
            let (says, of) = (at(&flag.flag), at(&flag.of));
            let wrong = |row: &usize| {
                let right = match drawn.columns()[of].is_missing(*row) {
                    true => &flag.missing,
                    false => &flag.present,
                };
                drawn.text(*row, says).as_ref() != Some(right)
            };
            assert_eq!((0..drawn.rows()).filter(wrong).count(), 0, "{model}: {}", flag.flag);
        }
    }
}

/// Further training leaves the flags of the first one out, and names a row in which one is wrong.
#[test]
fn a_saved_model_keeps_them_when_it_is_trained_further() {
    let train = table(300);
    let base = fit("meg-classic", quick("meg-classic"), &train).save().unwrap();
    let choice = registry::choose_saved(&base, &toml::Table::new()).unwrap();
    let further = |rows: &Table| {
        let mut silent = Silent;
        let mut ctx = FitContext::new(Seed(1), &mut silent);
        choice.recipe.synthesizer.fit_further(&base, rows, &mut ctx)
    };
    let saved = further(&train).unwrap().save().unwrap();
    assert!(saved.tensors != base.tensors && saved.schema == base.schema);
    let loaded = registry::load(&saved).unwrap();
    assert_eq!(wrong(&sample(loaded.as_ref(), &SampleRequest::rows(200)).unwrap()), 0);
    let mut columns = train.columns().to_vec();
    if let Column::Codes(flags) = &mut columns[0] {
        flags[6] = 1 - flags[6];
    }
    let rows = Table::new(train.schema().clone(), columns).unwrap();
    let text = further(&rows).unwrap_err().to_string();
    assert!(text.contains("row 7") && text.contains("TSH measured"), "{text}");
}
