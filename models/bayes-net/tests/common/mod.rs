//! Tables of known laws, and shares of rows.

use meg_core::{Column, ColumnSpec, Fitted, Observer, Rng, Role, SampleContext, SampleRequest};
use meg_core::{Event, Schema, Seed, Table};
use rand::Rng as _;

/// A law of category columns: each with its parent and, for each state of that, the probabilities
/// of its own states. Parents come before children.
pub(crate) struct Tree(pub(crate) Vec<(Option<usize>, Vec<Vec<f64>>)>);

impl Tree {
    /// A tree of columns of 2 to 4 states, each of which depends strongly on its parent.
    pub(crate) fn strong(columns: usize, seed: u64) -> Self {
        let mut rng = Seed(seed).stream("tree");
        let mut nodes: Vec<(Option<usize>, Vec<Vec<f64>>)> = Vec::new();
        for at in 0..columns {
            let states = rng.random_range(2..5usize);
            let parent = (at > 0).then(|| rng.random_range(0..at));
            let rows = parent.map_or(1, |parent| nodes[parent].1[0].len());
            let row = |row: usize| {
                // One state is likely and another for each state of the parent.
                let rest = 0.3 / (states - 1) as f64;
                (0..states).map(|state| if state == row % states { 0.7 } else { rest }).collect()
            };
            nodes.push((parent, (0..rows).map(row).collect()));
        }
        Self(nodes)
    }

    pub(crate) fn sample(&self, rows: usize, seed: u64) -> Table {
        let mut rng = Seed(seed).stream("rows");
        let mut columns = vec![Vec::with_capacity(rows); self.0.len()];
        for row in 0..rows {
            for (at, (parent, table)) in self.0.iter().enumerate() {
                let given = parent.map_or(0, |parent| columns[parent][row] as usize);
                columns[at].push(draw(&table[given], &mut rng));
            }
        }
        let spec = |(at, (_, table)): (usize, &(Option<usize>, Vec<Vec<f64>>))| {
            ColumnSpec::category(format!("c{at}"), (0..table[0].len()).map(|s| format!("s{s}")))
        };
        let schema = Schema::new(self.0.iter().enumerate().map(spec).collect()).unwrap();
        Table::new(schema, columns.into_iter().map(Column::Codes).collect()).unwrap()
    }
}

pub(crate) fn draw(probabilities: &[f64], rng: &mut Rng) -> u32 {
    let mut left: f64 = rng.random();
    for (state, probability) in probabilities.iter().enumerate() {
        left -= probability;
        if left < 0.0 {
            return state as u32;
        }
    }
    probabilities.len() as u32 - 1
}

/// A table of categories with these states; the last column is the target.
pub(crate) fn categories(columns: Vec<Vec<u32>>) -> Table {
    let last = columns.len() - 1;
    let spec = |(at, cells): (usize, &Vec<u32>)| {
        let states = cells.iter().max().map_or(1, |most| most + 1);
        let spec = ColumnSpec::category(format!("c{at}"), (0..states).map(|s| format!("s{s}")));
        if at == last { spec.role(Role::Target) } else { spec }
    };
    let schema = Schema::new(columns.iter().enumerate().map(spec).collect()).unwrap();
    Table::new(schema, columns.into_iter().map(Column::Codes).collect()).unwrap()
}

/// Parents of each node as the saved model has them.
pub(crate) fn parents(model: &dyn Fitted) -> Vec<Vec<usize>> {
    let state = model.save().unwrap().state;
    let nodes = state["network"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| serde_json::from_value(node["parents"].clone()).unwrap()).collect()
}

/// Rows of a table that meet a test, and of these the rows that meet another.
pub(crate) fn share(
    table: &Table,
    given: impl Fn(usize) -> bool,
    of: impl Fn(usize) -> bool,
) -> (f64, f64) {
    let rows: Vec<usize> = (0..table.rows()).filter(|&row| given(row)).collect();
    let met = rows.iter().filter(|&&row| of(row)).count() as f64;
    (met / rows.len() as f64, rows.len() as f64)
}

/// Hears how many rows were drawn and kept.
#[derive(Debug, Default)]
pub(crate) struct Acceptance {
    pub(crate) drawn: u64,
    pub(crate) kept: u64,
}

impl Observer for Acceptance {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Acceptance { drawn, kept } = event {
            self.drawn += drawn;
            self.kept += kept;
        }
    }
}

/// Draws with conditions.
pub(crate) fn draw_given(
    model: &dyn Fitted,
    schema: &Schema,
    rows: usize,
    conditions: &[(&str, &str)],
) -> (meg_core::Result<Table>, Acceptance) {
    let request = conditions.iter().fold(SampleRequest::rows(rows), |request, (column, value)| {
        request.with(schema, column, value).unwrap()
    });
    let mut heard = Acceptance::default();
    let rng = Seed(5).stream("sample");
    let mut ctx = SampleContext { rng, threads: 2, observer: &mut heard };
    let table = model.sample(&request, &mut ctx);
    (table, heard)
}
