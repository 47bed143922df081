//! The yardsticks keep the contract and do what their names say.

use meg_core::conformance::{self, Case};
use meg_core::{
    Artifact, Column, ColumnSpec, Error, FitContext, Role, Schema, Seed, Silent, Table,
};
use rand::Rng as _;
use reference::{COPY, HOLDOUT, INDEPENDENT, SMOTE, UNIFORM};

#[test]
fn copy_conforms() {
    conformance::check(&COPY, Case { keeps_rows: true, ..Case::default() });
}

#[test]
fn independent_conforms() {
    conformance::check(&INDEPENDENT, Case::default());
}

#[test]
fn uniform_conforms() {
    conformance::check(&UNIFORM, Case::default());
}

#[test]
fn smote_conforms() {
    for recipe in ["", "neighbours = 1\npool = 3", "within_class = false"] {
        conformance::check(&SMOTE, Case { recipe, keeps_rows: true, ..Case::default() });
    }
}

#[test]
fn holdout_is_refused_outside_of_a_benchmark() {
    let recipe = (HOLDOUT.recipe)("").unwrap();
    let mut silent = Silent;
    let mut ctx = FitContext::new(Seed(1), &mut silent);
    let error = recipe.synthesizer.fit(&conformance::mixed_table(5, 1), &mut ctx).unwrap_err();
    assert!(matches!(&error, Error::Request(text) if text.contains("meg bench")), "{error}");
}

fn sorted(column: &Column) -> Vec<String> {
    let mut cells: Vec<String> = match column {
        Column::Numbers(cells) => cells.iter().map(f64::to_string).collect(),
        Column::Codes(cells) => cells.iter().map(u32::to_string).collect(),
        Column::Texts(cells) => cells.iter().map(|cell| format!("{cell:?}")).collect(),
    };
    cells.sort();
    cells
}

fn correlation(table: &Table, a: usize, b: usize) -> f64 {
    let (x, y) = (table.numbers(a), table.numbers(b));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(&x, &y)| f(x, y)).sum::<f64>();
    sum(&|x, y| (x - mx) * (y - my))
        / (sum(&|x, _| (x - mx).powi(2)) * sum(&|_, y| (y - my).powi(2))).sqrt()
}

#[test]
fn copy_and_independent_keep_every_column_and_only_copy_keeps_dependence() {
    let train = conformance::mixed_table(2_000, 3);
    let copy = conformance::draw(conformance::fit(&COPY, "", &train, 1).as_ref(), 2_000, 1);
    let shuffled =
        conformance::draw(conformance::fit(&INDEPENDENT, "", &train, 1).as_ref(), 2_000, 1);
    for ((column, copied), alone) in
        train.columns().iter().zip(copy.columns()).zip(shuffled.columns())
    {
        assert_eq!(sorted(column), sorted(copied));
        if !matches!(column, Column::Texts(_)) {
            assert_eq!(sorted(column), sorted(alone));
        }
    }
    let real = correlation(&train, 1, 3);
    assert!(real > 0.4);
    assert!((correlation(&copy, 1, 3) - real).abs() < 1e-9);
    assert!(correlation(&shuffled, 1, 3).abs() < 0.1);
}

#[test]
fn uniform_fills_the_range_evenly() {
    let train = conformance::mixed_table(500, 3);
    let noise = conformance::draw(conformance::fit(&UNIFORM, "", &train, 1).as_ref(), 4_000, 1);
    let ages = noise.numbers(1);
    let (least, most) = (18.0, 89.0);
    let below = ages.iter().filter(|&&age| age < (least + most) / 2.0).count() as f64;
    assert!((below / 4_000.0 - 0.5).abs() < 0.03);
    let missing = noise.numbers(2).iter().filter(|cell| cell.is_nan()).count() as f64 / 4_000.0;
    let real = train.numbers(2).iter().filter(|cell| cell.is_nan()).count() as f64 / 500.0;
    assert!((missing - real).abs() < 0.03);
}

/// Two classes on two lines, each far from the other; the mark says where on the line.
fn lines(rows: usize) -> Table {
    let schema = Schema::new(vec![
        ColumnSpec::number("x", None),
        ColumnSpec::number("y", 3),
        ColumnSpec::number("gap", 0).nullable(),
        ColumnSpec::category("mark", ["low", "high"]),
        ColumnSpec::category("class", ["a", "b"]).role(Role::Target),
    ]);
    let mut rng = Seed(9).stream("lines");
    let mut numbers = vec![Vec::new(); 3];
    let (mut marks, mut classes) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let (class, x) = ((row % 2) as u32, rng.random::<f64>());
        let y = if class == 0 { x } else { 5.0 - x };
        numbers[0].push(x);
        numbers[1].push((y * 1_000.0).round() / 1_000.0);
        numbers[2].push(if x < 0.5 { f64::NAN } else { 7.0 });
        marks.push(u32::from(x > 0.5));
        classes.push(class);
    }
    let mut cells: Vec<Column> = numbers.into_iter().map(Column::Numbers).collect();
    cells.extend([Column::Codes(marks), Column::Codes(classes)]);
    Table::new(schema.unwrap(), cells).unwrap()
}

#[test]
fn smote_stays_between_neighbours_of_a_class() {
    let train = lines(1_000);
    let drawn = conformance::draw(conformance::fit(&SMOTE, "", &train, 1).as_ref(), 4_000, 1);
    let mut new = 0;
    for row in 0..4_000 {
        let (x, y, class) = (drawn.numbers(0)[row], drawn.numbers(1)[row], drawn.codes(4)[row]);
        let line = if class == 0 { x } else { 5.0 - x };
        assert!((y - line).abs() < 2e-3, "({x}, {y}) is off the line of class {class}");
        // Missing and mark come from the same of the two rows, so that they still agree.
        assert_eq!(drawn.numbers(2)[row].is_nan(), drawn.codes(3)[row] == 0);
        new += usize::from(!train.numbers(0).contains(&x));
    }
    assert!(new > 3_900, "{new} of 4000 rows are new");
    // Every class is as frequent as in training, with a standard error of 0.008.
    let share = drawn.codes(4).iter().filter(|&&code| code == 1).count() as f64 / 4_000.0;
    assert!((share - 0.5).abs() < 0.024, "{share}");
}

#[test]
fn smote_keeps_close_to_its_rows() {
    let train = lines(400);
    let nearest = |table: &Table| {
        let gap = |x: f64| {
            train.numbers(0).iter().map(|real| (real - x).abs()).fold(f64::INFINITY, f64::min)
        };
        table.numbers(0).iter().map(|&x| gap(x)).sum::<f64>() / table.rows() as f64
    };
    let of = |entry| {
        let model = conformance::fit(entry, "", &train, 1);
        nearest(&conformance::draw(model.as_ref(), 2_000, 2))
    };
    assert!(of(&SMOTE) < 0.8 * of(&UNIFORM), "{} and {}", of(&SMOTE), of(&UNIFORM));
}

#[test]
fn a_damaged_smote_is_an_error() {
    let artifact = conformance::fit(&SMOTE, "", &lines(40), 1).save().unwrap();
    let load = |damage: &dyn Fn(&mut Artifact)| {
        let mut damaged = artifact.clone();
        damage(&mut damaged);
        assert!(damaged != artifact);
        (SMOTE.load)(&damaged)
    };
    assert!((SMOTE.load)(&artifact).is_ok());
    let error = load(&|artifact| artifact.state["pools"][0][0] = 39.into()).unwrap_err();
    assert!(matches!(error, Error::Artifact(_)), "{error}");
    assert!(load(&|artifact| artifact.state["pools"][0][0] = 4_000.into()).is_err());
    assert!(load(&|artifact| artifact.state["columns"][3]["codes"][0] = 9.into()).is_err());
    assert!(load(&|artifact| artifact.state["recipe"]["pool"] = 0.into()).is_err());
}
