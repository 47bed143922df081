//! Stand-ins for a synthetic table of the clinic.

use meg_core::{Column, ColumnKind, ColumnSpec, Constraint, Rng, Role, Schema, Seed, Table};
use rand::Rng as _;

/// Fresh patients; the purpose makes them others.
pub(crate) fn patients(rows: usize, purpose: &str) -> Table {
    datasets::clinic(rows, &mut Seed(21).stream(purpose)).expect("the clinic draws")
}

/// Another column is the target, and the former target an ordinary column.
pub(crate) fn with_target(table: &Table, target: &str) -> Table {
    with_roles(table, |name| if name == target { Role::Target } else { Role::Feature })
}

/// These columns are sensitive, and all others ordinary ones.
pub(crate) fn with_sensitive(table: &Table, names: &[&str]) -> Table {
    with_roles(table, |name| match names.contains(&name) {
        true => Role::Sensitive,
        false => Role::Feature,
    })
}

fn with_roles(table: &Table, role: impl Fn(&str) -> Role) -> Table {
    let columns = table.schema().columns.iter().map(|spec| spec.clone().role(role(&spec.name)));
    let schema = Schema::new(columns.collect()).expect("roles do not spoil a schema");
    Table::new(schema, table.columns().to_vec()).expect("the cells are the same")
}

/// Each column shuffled on its own.
pub(crate) fn independent(table: &Table) -> Table {
    let columns = (0..table.columns().len()).map(|at| {
        let mut rng = Seed(22).stream(&format!("shuffle {at}"));
        let mut rows: Vec<usize> = (0..table.rows()).collect();
        for front in 0..rows.len().saturating_sub(1) {
            let other = rng.random_range(front..rows.len());
            rows.swap(front, other);
        }
        table.select_rows(&rows).columns()[at].clone()
    });
    let columns = columns.collect();
    Table::new(table.schema().clone(), columns).expect("the cells obey the schema")
}

/// Numbers blurred by 0.3 of their deviation, a quarter of the category cells taken from elsewhere.
pub(crate) fn noisy(table: &Table) -> Table {
    let mut rng = Seed(23).stream("noise");
    let shuffled = independent(table);
    let cells = table.iter().zip(shuffled.columns());
    let columns = cells.map(|((spec, column), other)| match (column, other) {
        (Column::Numbers(cells), _) => {
            let scale = 0.3 * deviation(cells);
            let mut blur = |cell: &f64| match cell.is_nan() {
                true => f64::NAN,
                // No patient has a negative cost.
                false => spec.snap((cell + scale * normal(&mut rng)).max(0.0)),
            };
            Column::Numbers(cells.iter().map(&mut blur).collect())
        }
        (Column::Codes(codes), Column::Codes(other)) => {
            let mut pick = |(own, other): (&u32, &u32)| match rng.random::<f64>() < 0.25 {
                true => *other,
                false => *own,
            };
            Column::Codes(codes.iter().zip(other).map(&mut pick).collect())
        }
        (other, _) => other.clone(),
    });
    let columns = columns.collect();
    Table::new(table.schema().clone(), columns).expect("the cells obey the schema")
}

/// Cells drawn evenly over each column's range or levels, missing where they were.
pub(crate) fn uniform(table: &Table) -> Table {
    let mut rng = Seed(24).stream("uniform");
    let columns = table.iter().map(|(spec, column)| match column {
        Column::Numbers(cells) => {
            let least = cells.iter().copied().fold(f64::INFINITY, f64::min);
            let most = cells.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mut draw = |cell: &f64| match cell.is_nan() {
                true => f64::NAN,
                false => spec.snap(rng.random_range(least..=most)),
            };
            Column::Numbers(cells.iter().map(&mut draw).collect())
        }
        _ => {
            let levels = spec.levels().len() as u32;
            Column::Codes((0..table.rows()).map(|_| rng.random_range(0..levels)).collect())
        }
    });
    let columns = columns.collect();
    Table::new(table.schema().clone(), columns).expect("the cells obey the schema")
}

/// Fresh rows, of which the last so many are training rows.
pub(crate) fn planted(train: &Table, fresh: &Table, copies: usize) -> Table {
    let honest: Vec<usize> = (0..fresh.rows() - copies).collect();
    let copied: Vec<usize> = (0..copies).map(|copy| copy * (train.rows() / copies)).collect();
    fresh.select_rows(&honest).concat(train.select_rows(&copied)).expect("the schemas are equal")
}

/// The same with a marker for everybody and all from one region.
pub(crate) fn measured(table: &Table) -> Table {
    let mut columns = table.columns().to_vec();
    let at = |name: &str| table.schema().find(name).expect("the clinic has it");
    let marker = table.numbers(at("marker"));
    let filled = marker.iter().map(|cell| if cell.is_nan() { 5.0 } else { *cell });
    columns[at("marker")] = Column::Numbers(filled.collect());
    columns[at("region")] = Column::Codes(vec![0; table.rows()]);
    Table::new(table.schema().clone(), columns).expect("the cells obey the schema")
}

/// The table with a number for each patient, a wing that the ward decides, and a constraint: wards occur
/// with stages as they do in the training rows.
pub(crate) fn with_rules(table: &Table, purpose: &str) -> Table {
    let mut columns = table.columns().to_vec();
    let mut schema = (**table.schema()).clone();
    let patient = (0..table.rows()).map(|row| Some(format!("{purpose} {row}")));
    columns.push(Column::Texts(patient.collect()));
    schema.columns.push(ColumnSpec::new("patient", ColumnKind::Identifier));
    let ward = table.codes(schema.find("ward").expect("the clinic has wards"));
    columns.push(Column::Codes(ward.iter().map(|ward| ward % 2).collect()));
    schema.columns.push(ColumnSpec::category("wing", ["east", "west"]));
    let together = ["stage", "ward"].map(str::to_owned).to_vec();
    schema.constraints.push(Constraint::Combinations { columns: together });
    Table::new(schema, columns).expect("the cells obey the schema")
}

fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

fn deviation(cells: &[f64]) -> f64 {
    let observed: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
    let mean = observed.iter().sum::<f64>() / observed.len() as f64;
    let squares: f64 = observed.iter().map(|cell| (cell - mean).powi(2)).sum();
    (squares / observed.len() as f64).sqrt()
}
