//! Tables drawn from a known law, as many rows as a test needs, and stand-ins for synthetic tables.

use meg_core::{Column, ColumnSpec, Rng, Role, Schema, Seed, Table};
use rand::Rng as _;

fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// People with five numbers, one of them missing for some, and five categories, most of them
/// dependent on age.
pub(crate) fn people(rows: usize, purpose: &str) -> Table {
    let mut rng = Seed(11).stream(purpose);
    let rng = &mut rng;
    let levels = |prefix: &str, count: u32| {
        (0..count).map(move |at| format!("{prefix}{at}")).collect::<Vec<_>>()
    };
    let schema = Schema::new(vec![
        ColumnSpec::number("age", 0),
        ColumnSpec::number("income", 2),
        ColumnSpec::number("bmi", 1),
        ColumnSpec::number("score", None),
        ColumnSpec::number("lab", 3).nullable(),
        ColumnSpec::category("city", levels("c", 20)),
        ColumnSpec::category("job", levels("j", 8)),
        ColumnSpec::category("sex", ["f", "m"]),
        ColumnSpec::category("smoker", ["no", "yes"]),
        ColumnSpec::category("target", ["no", "yes"]).role(Role::Target),
    ])
    .expect("the schema is sound");
    let mut numbers = vec![Vec::new(); 5];
    let mut codes = vec![Vec::new(); 5];
    for _ in 0..rows {
        let sex = u32::from(rng.random::<f64>() < 0.48);
        let centre = if rng.random::<f64>() < 0.6 { 35.0 } else { 62.0 };
        let age = (centre + 8.0 * normal(rng)).clamp(17.0, 90.0).round();
        let job = (((age - 17.0) / 10.0 + 1.2 * normal(rng)).round()).clamp(0.0, 7.0);
        let income = (9.5 + 0.01 * age + 0.1 * job + 0.4 * normal(rng)).exp();
        let bmi = 26.0 + 0.05 * (age - 40.0) + 4.0 * normal(rng);
        let smoker = u32::from(rng.random::<f64>() < 1.0 / (1.0 + ((age - 45.0) / 10.0).exp()));
        let score = if smoker == 1 { -2.0 + 0.4 * normal(rng) } else { 3.0 + 0.8 * normal(rng) };
        let lab = 3.0 + 0.5 * f64::from(sex) + 0.1 * bmi + normal(rng);
        let missing = rng.random::<f64>() < if sex == 1 { 0.25 } else { 0.05 };
        let risk = -1.0 + 0.08 * (age - 45.0) + 1.2 * f64::from(smoker) + 0.1 * (bmi - 26.0);
        let target = u32::from(rng.random::<f64>() < 1.0 / (1.0 + (-risk).exp()));
        let round = |value: f64, scale: f64| (value * scale).round() / scale;
        let lab = if missing { f64::NAN } else { round(lab, 1_000.0) };
        for (column, cell) in
            numbers.iter_mut().zip([age, round(income, 100.0), round(bmi, 10.0), score, lab])
        {
            column.push(cell);
        }
        let city = (20.0 * rng.random::<f64>().powi(3)) as u32;
        for (column, code) in codes.iter_mut().zip([city, job as u32, sex, smoker, target]) {
            column.push(code);
        }
    }
    let columns =
        numbers.into_iter().map(Column::Numbers).chain(codes.into_iter().map(Column::Codes));
    Table::new(schema, columns.collect()).expect("the cells obey the schema")
}

/// Each column shuffled on its own.
pub(crate) fn independent(table: &Table) -> Table {
    let columns = (0..table.columns().len()).map(|at| {
        let mut rng = Seed(12).stream(&format!("shuffle {at}"));
        let mut rows: Vec<usize> = (0..table.rows()).collect();
        for front in 0..rows.len().saturating_sub(1) {
            let other = rng.random_range(front..rows.len());
            rows.swap(front, other);
        }
        table.select_rows(&rows).columns()[at].clone()
    });
    Table::new(table.schema().clone(), columns.collect()).expect("the cells obey the schema")
}

/// Numbers blurred by 0.3 of their deviation, a quarter of the category cells taken from elsewhere.
pub(crate) fn noisy(table: &Table) -> Table {
    let mut rng = Seed(13).stream("noise");
    let shuffled = independent(table);
    let columns =
        table.iter().zip(shuffled.columns()).map(|((spec, column), other)| match column {
            Column::Numbers(cells) => {
                let observed: Vec<f64> =
                    cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
                let mean = observed.iter().sum::<f64>() / observed.len() as f64;
                let squares: f64 = observed.iter().map(|cell| (cell - mean).powi(2)).sum();
                let sd = (squares / observed.len() as f64).sqrt();
                let blur = |cell: &f64| spec.snap(cell + 0.3 * sd * normal(&mut rng));
                Column::Numbers(cells.iter().map(blur).collect())
            }
            Column::Codes(codes) => {
                let Column::Codes(other) = other else { panic!("the columns are of one kind") };
                let pick = |(own, other): (&u32, &u32)| {
                    if rng.random::<f64>() < 0.25 { *other } else { *own }
                };
                Column::Codes(codes.iter().zip(other).map(pick).collect())
            }
            other => other.clone(),
        });
    Table::new(table.schema().clone(), columns.collect()).expect("the cells obey the schema")
}

/// Fresh rows, of which the last so many are training rows.
pub(crate) fn planted(train: &Table, fresh: &Table, copies: usize) -> Table {
    let honest: Vec<usize> = (0..fresh.rows() - copies).collect();
    let copied: Vec<usize> =
        (0..copies).map(|copy| copy * (train.rows() / copies.max(1))).collect();
    fresh.select_rows(&honest).concat(train.select_rows(&copied)).expect("the schemas are equal")
}
