use crate::copy::Cells;
use crate::neighbours::{Neighbours, Points};
use meg_core::{
    Artifact, Column, ColumnSpec, Error, FitContext, Fitted, Phase, Rejection, Result, Rng,
    SampleContext, SampleRequest, Synthesizer, Table, out_of_range, parallel, sample_by_rejection,
};
use rand::seq::SliceRandom;
use rand::{Rng as _, RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use transforms::fresh_identifiers;

meg_core::recipe! {
    /// Draws points between a training row and one of its nearest neighbours.
    pub struct Smote {
        /// Neighbours of which one is drawn, 1 to 1000.
        pub neighbours: usize = 5,
        /// Neighbours have the row's own level of the target, where the target is a category.
        pub within_class: bool = true,
        /// Rows of a class among which neighbours are looked for, at least 2; of more a sample is drawn.
        pub pool: usize = 20000,
    }
}

impl Synthesizer for Smote {
    fn check(&self) -> Result<()> {
        if !(1..=1_000).contains(&self.neighbours) {
            return Err(out_of_range("neighbours", self.neighbours, "in 1..=1000"));
        }
        if self.pool < 2 {
            return Err(out_of_range("pool", self.pool, "at least 2"));
        }
        Ok(())
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        train.schema().check_modelable()?;
        if train.rows() == 0 {
            return Err(Error::data("there are no training rows"));
        }
        if u32::try_from(train.rows()).is_err() {
            return Err(Error::data("smote takes at most 4 294 967 295 training rows"));
        }
        let mut rng = ctx.seed.stream("pool");
        let mut pools = Vec::new();
        for rows in classes(train, self.within_class) {
            pools.push(at_most(rows, self.pool, &mut rng));
        }
        Ok(Box::new(FittedSmote::new(train.clone(), self.clone(), pools)))
    }
}

/// A sample of these rows, in their order; all of them when there are no more.
fn at_most(mut rows: Vec<u32>, most: usize, rng: &mut Rng) -> Vec<u32> {
    if rows.len() > most {
        rows.shuffle(rng);
        rows.truncate(most);
        rows.sort_unstable();
    }
    rows
}

#[derive(Debug)]
struct FittedSmote {
    train: Table,
    recipe: Smote,
    /// Rows that may be neighbours, by class.
    pools: Vec<Vec<u32>>,
    points: Points,
    /// A tree for each class.
    trees: Vec<Neighbours>,
    /// The class of each row.
    class: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    recipe: Smote,
    columns: Vec<Cells>,
    pools: Vec<Vec<u32>>,
}

/// Rows that are drawn from one stream of random numbers.
const CHUNK: usize = 1_024;

impl Fitted for FittedSmote {
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let (rng, threads) = (&mut ctx.rng, ctx.threads);
        sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, observer| {
            let mut table = Table::empty(self.train.schema().clone())?;
            while table.rows() < rows {
                let size = (rows - table.rows()).min(64 * CHUNK);
                let seeds: Vec<u64> = (0..size.div_ceil(CHUNK)).map(|_| rng.next_u64()).collect();
                let parts = parallel::map(threads, seeds.len(), |at| {
                    let rows = CHUNK.min(size - at * CHUNK);
                    self.draw(rows, &mut Rng::seed_from_u64(seeds[at]))
                });
                for part in parts {
                    table = table.concat(part?)?;
                }
                observer.step(Phase::Sample, table.rows() as u64, &[])?;
            }
            Ok(table)
        })
    }

    fn save(&self) -> Result<Artifact> {
        let columns = self.train.columns().iter().map(Cells::from).collect();
        let state = State { recipe: self.recipe.clone(), columns, pools: self.pools.clone() };
        Artifact::new(crate::SMOTE.name, self.train.schema(), &state)
    }
}

/// A new row: a place between two rows. Where a cell cannot lie between, it is that of the nearer.
#[derive(Debug, Clone, Copy)]
struct Between {
    first: usize,
    second: usize,
    share: f64,
}

impl Between {
    fn nearer(&self) -> usize {
        if self.share < 0.5 { self.first } else { self.second }
    }
}

impl FittedSmote {
    fn new(train: Table, recipe: Smote, pools: Vec<Vec<u32>>) -> Self {
        let points = Points::of(&train);
        let trees = pools.iter().map(|pool| Neighbours::new(&points, pool.clone())).collect();
        let mut class = vec![0; train.rows()];
        for (at, rows) in classes(&train, recipe.within_class).into_iter().enumerate() {
            rows.into_iter().for_each(|row| class[row as usize] = at as u32);
        }
        Self { train, recipe, pools, points, trees, class }
    }

    fn draw(&self, rows: usize, rng: &mut Rng) -> Result<Table> {
        let between: Vec<Between> = (0..rows)
            .map(|_| {
                let first = rng.random_range(0..self.train.rows());
                let tree = &self.trees[self.class[first] as usize];
                let near = tree.nearest(&self.points, first, self.recipe.neighbours);
                // The only row of its class has no neighbour but itself.
                let second = match near.len() {
                    0 => first,
                    count => near[rng.random_range(0..count)] as usize,
                };
                Between { first, second, share: rng.random() }
            })
            .collect();
        let columns = self.train.iter().map(|(spec, column)| cells(spec, column, &between, rng));
        Table::new(self.train.schema().clone(), columns.collect())
    }
}

fn cells(spec: &ColumnSpec, column: &Column, between: &[Between], rng: &mut Rng) -> Column {
    match column {
        Column::Texts(_) => fresh_identifiers(&spec.name, between.len(), rng),
        Column::Codes(cells) => {
            Column::Codes(between.iter().map(|row| cells[row.nearer()]).collect())
        }
        Column::Numbers(cells) => {
            let number = |row: &Between| {
                let (a, b) = (cells[row.first], cells[row.second]);
                if a.is_nan() || b.is_nan() {
                    return cells[row.nearer()];
                }
                // Snapping may leave the range of the two by rounding, never that of the column.
                let place = a * (1.0 - row.share) + b * row.share;
                spec.snap(place).clamp(a.min(b), a.max(b))
            };
            Column::Numbers(between.iter().map(number).collect())
        }
    }
}

/// The rows of each class, in the order of the levels; all rows are one without a target that is a
/// category.
fn classes(train: &Table, within_class: bool) -> Vec<Vec<u32>> {
    let target = train
        .schema()
        .target()
        .filter(|&at| within_class && train.schema().columns[at].is_category());
    let Some(target) = target else { return vec![(0..train.rows() as u32).collect()] };
    let mut classes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (row, &code) in train.codes(target).iter().enumerate() {
        classes.entry(code).or_default().push(row as u32);
    }
    classes.into_values().collect()
}

/// Rebuilds a saved yardstick; its table and rows are checked.
pub(crate) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let State { recipe, columns, pools } = artifact.state()?;
    recipe.check()?;
    let columns = columns.into_iter().map(Column::from).collect();
    let train = Table::new(artifact.schema.clone(), columns)?;
    train.schema().check_modelable()?;
    let classes = classes(&train, recipe.within_class);
    let belongs = |(pool, class): (&Vec<u32>, &Vec<u32>)| {
        pool.is_sorted_by(|a, b| a < b) && pool.iter().all(|row| class.binary_search(row).is_ok())
    };
    let fits = train.rows() > 0
        && u32::try_from(train.rows()).is_ok()
        && pools.len() == classes.len()
        && pools.iter().zip(&classes).all(belongs);
    if !fits {
        return Err(Error::Artifact("the rows that may be neighbours are damaged".into()));
    }
    Ok(Box::new(FittedSmote::new(train, recipe, pools)))
}
