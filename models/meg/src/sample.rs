//! Drawing rows, column after column.

use crate::dice::{Dice, expected_codes, pick};
use crate::ensemble::{Ensemble, Scratch};
use crate::fitted::FittedMeg;
use meg_core::{
    Column, ConditionValue, Error, Event, Phase, Rejection, Result, Rng, SampleContext,
    SampleRequest, Table, parallel,
};
use neural::Randomness;
use rand::{RngCore, SeedableRng};

/// Rows that are drawn together.
const CHUNK: usize = 2_048;
/// Chunks between two reports of progress.
const ROUND: usize = 64;

/// What the conditions mean for the codes.
struct Fixed {
    /// By place, the code that its column must have.
    codes: Vec<Option<u16>>,
    /// Columns and the cells that they hold in every row.
    cells: Vec<(usize, ConditionValue)>,
}

/// Draws rows that meet the conditions exactly.
///
/// A conditioned column is not drawn but set. Where all columns made before it are set too, that is
/// all there is to do; else a row is kept with the probability that its generator gives to the set
/// code, which is what drawing rows and throwing away those of other codes comes to.
pub(crate) fn sample(
    model: &FittedMeg,
    request: &SampleRequest,
    ctx: &mut SampleContext<'_>,
) -> Result<Table> {
    let fixed = fixed(model, request)?;
    let bound = Rejection::default();
    let limit = bound.draws_per_row.saturating_mul(request.rows.max(bound.batch));
    ctx.observer.event(&Event::Start { phase: Phase::Sample, total: Some(request.rows as u64) });
    let mut columns: Vec<Column> = empty(model);
    // More rows may meet the conditions than are kept of the last round.
    let (mut drawn, mut met, mut kept) = (0usize, 0usize, 0usize);
    while kept < request.rows {
        if drawn >= limit {
            return Err(Error::Rejected(format!(
                "the conditions were met by {kept} of {drawn} drawn rows, {} were asked for; relax a condition or ask for fewer rows",
                request.rows
            )));
        }
        let missing = request.rows - kept;
        let wanted = if kept == 0 { missing.max(drawn) } else { (missing * drawn).div_ceil(kept) };
        // A fifth more saves a round, but only where rows are lost at all.
        let wanted = if kept < drawn { wanted + wanted / 5 + 64 } else { wanted };
        let wanted = wanted.min(limit - drawn).min(CHUNK * ROUND);
        let seeds: Vec<u64> = (0..wanted.div_ceil(CHUNK)).map(|_| ctx.rng.next_u64()).collect();
        let chunks = parallel::map(ctx.threads, seeds.len(), |at| {
            let rows = CHUNK.min(wanted - at * CHUNK);
            chunk(model, &fixed, rows, Rng::seed_from_u64(seeds[at]))
        });
        drawn += wanted;
        for (chunk, rows) in chunks {
            met += rows;
            let rows = rows.min(request.rows - kept);
            if kept == 0 && rows > 0 {
                columns.iter_mut().for_each(|column| make_room(column, request.rows));
            }
            kept += rows;
            columns.iter_mut().zip(chunk).for_each(|(column, more)| append(column, more, rows));
        }
        ctx.observer.step(Phase::Sample, kept as u64, &[])?;
    }
    if !request.conditions.is_empty() {
        ctx.observer.event(&Event::Acceptance { drawn: drawn as u64, kept: met as u64 });
    }
    ctx.observer.event(&Event::End { phase: Phase::Sample });
    Table::new(model.codec.schema().clone(), columns)
}

fn fixed(model: &FittedMeg, request: &SampleRequest) -> Result<Fixed> {
    let mut codes = vec![None; model.layout().plan.order.len()];
    let mut cells = Vec::new();
    for condition in &request.conditions {
        let column = condition.column;
        let spec = &model.codec.schema().columns[column];
        let fail =
            |problem: String| Error::Rejected(format!("condition on {:?}: {problem}", spec.name));
        let cell = one_cell(condition.value, spec.is_category());
        let code = model.codec.code(column, &cell, 0).ok_or_else(|| {
            fail(format!("the training rows hold nothing like {}", shown(spec, condition.value)))
        })?;
        if let ConditionValue::Number(number) = condition.value
            && !spec.holds(number)
        {
            return Err(fail(format!("{number} has more digits than the column holds")));
        }
        if let Some(place) = model.place(column) {
            codes[place] = Some(code as u16);
        }
        cells.push((column, condition.value));
    }
    Ok(Fixed { codes, cells })
}

fn one_cell(value: ConditionValue, category: bool) -> Column {
    match value {
        ConditionValue::Level(code) => Column::Codes(vec![code]),
        ConditionValue::Number(number) => Column::Numbers(vec![number]),
        ConditionValue::Missing if category => Column::Codes(vec![meg_core::MISSING]),
        ConditionValue::Missing => Column::Numbers(vec![f64::NAN]),
    }
}

fn shown(spec: &meg_core::ColumnSpec, value: ConditionValue) -> String {
    match value {
        ConditionValue::Level(code) => format!("{:?}", spec.levels().get(code as usize)),
        ConditionValue::Number(number) => format!("the number {number}"),
        ConditionValue::Missing => "a missing cell".into(),
    }
}

fn empty(model: &FittedMeg) -> Vec<Column> {
    model
        .codec
        .schema()
        .columns
        .iter()
        .map(|spec| {
            if spec.is_numeric() {
                Column::Numbers(Vec::new())
            } else if spec.is_category() {
                Column::Codes(Vec::new())
            } else {
                Column::Texts(Vec::new())
            }
        })
        .collect()
}

/// Room for all rows at once: columns that grow by doubling take up to twice as much. Where there is
/// not so much memory, they grow as far as it goes.
fn make_room(column: &mut Column, rows: usize) {
    let _ = match column {
        Column::Numbers(cells) => cells.try_reserve_exact(rows),
        Column::Codes(cells) => cells.try_reserve_exact(rows),
        Column::Texts(cells) => cells.try_reserve_exact(rows),
    };
}

fn append(column: &mut Column, more: Column, rows: usize) {
    match (column, more) {
        (Column::Numbers(cells), Column::Numbers(more)) => cells.extend(&more[..rows]),
        (Column::Codes(cells), Column::Codes(more)) => cells.extend(&more[..rows]),
        (Column::Texts(cells), Column::Texts(more)) => cells.extend(more.into_iter().take(rows)),
        _ => unreachable!("chunks have the columns of the schema"),
    }
}

/// Draws a chunk and decodes what is kept of it; returns the columns and their number of rows.
fn chunk(model: &FittedMeg, fixed: &Fixed, rows: usize, rng: Rng) -> (Vec<Column>, usize) {
    // How many rows of an even chunk meet a condition depends on what the others are, so that the
    // first one that does would not be drawn by the law of the model.
    let even = model.recipe.even_draws && fixed.cells.is_empty();
    let mut randomness = Randomness::new(rng);
    let mut dice = Dice { randomness: &mut randomness, even };
    let drawn = draw_codes(&model.ensemble(), &fixed.codes, rows, &mut dice);
    let rows = drawn.first().map_or(rows, |column| column.codes.len());
    let schema = model.codec.schema();
    let columns = (0..schema.columns.len()).map(|column| {
        if let Some((_, value)) = fixed.cells.iter().find(|(at, _)| *at == column) {
            return repeated(*value, schema.columns[column].is_category(), rows);
        }
        match model.place(column) {
            Some(place) => {
                let Drawn { codes, within } = &drawn[place];
                let within = dice.even.then_some(&within[..]);
                model.codec.draw(column, codes, within, &mut dice.randomness.rng)
            }
            None => {
                let within = dice.even.then(|| dice.throw_alike(rows));
                let codes = vec![0; rows];
                model.codec.draw(column, &codes, within.as_deref(), &mut dice.randomness.rng)
            }
        }
    });
    (columns.collect(), rows)
}

fn repeated(value: ConditionValue, category: bool, rows: usize) -> Column {
    match one_cell(value, category) {
        Column::Numbers(cell) => Column::Numbers(vec![cell[0]; rows]),
        Column::Codes(cell) => Column::Codes(vec![cell[0]; rows]),
        Column::Texts(_) => unreachable!("texts have no conditions"),
    }
}

/// What is drawn of one column, row by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Drawn {
    pub codes: Vec<u16>,
    /// Where the cell lies among those of its code, in [0, 1); empty where dice are not even.
    pub within: Vec<f64>,
}

impl Drawn {
    fn alone(codes: Vec<u16>) -> Self {
        Self { codes, within: Vec::new() }
    }
}

/// What each column is drawn as, by place, for the rows that are kept. Dice are even only where no
/// code is set.
pub(crate) fn draw_codes(
    ensemble: &Ensemble<'_>,
    fixed: &[Option<u16>],
    mut rows: usize,
    dice: &mut Dice<'_>,
) -> Vec<Drawn> {
    let layout = ensemble.layout();
    let mut drawn: Vec<Drawn> = vec![Drawn::default(); fixed.len()];
    let mut made = vec![false; fixed.len()];
    let mut scratch = Scratch::default();
    for place in making_order(fixed, layout.plan.dynamic) {
        // Set cells that nothing was drawn before need no generator.
        let by_chance = |at: usize| made[at] && fixed[at].is_none();
        if let Some(code) = fixed[place]
            && !(0..fixed.len()).any(by_chance)
        {
            drawn[place] = Drawn::alone(vec![code; rows]);
            made[place] = true;
            continue;
        }
        let seen = |at: usize| made[at].then(|| &*drawn[at].codes);
        let chances = &*ensemble.chances(place, rows, seen, &mut scratch);
        let codes = layout.codes[place];
        let chances_of_rows = chances.chunks_exact(codes);
        match fixed[place] {
            None => {
                let thrown = dice.throw(rows, || expected_codes(chances, codes));
                let picked = chances_of_rows.zip(thrown).map(|(chances, die)| pick(chances, die));
                drawn[place] = if dice.even {
                    let (codes, within) = picked.unzip();
                    Drawn { codes, within }
                } else {
                    Drawn::alone(picked.map(|(code, _)| code).collect())
                };
            }
            Some(code) => {
                let meets =
                    |(chances, die): (&[f32], f64)| die < f64::from(chances[usize::from(code)]);
                let thrown = dice.throw_independent(rows);
                let keep: Vec<bool> = chances_of_rows.zip(thrown).map(meets).collect();
                for column in drawn.iter_mut().filter(|column| !column.codes.is_empty()) {
                    let mut kept = keep.iter();
                    column.codes.retain(|_| *kept.next().expect("one decision per row"));
                }
                rows = keep.iter().filter(|&&kept| kept).count();
                drawn[place] = Drawn::alone(vec![code; rows]);
            }
        }
        made[place] = true;
    }
    drawn
}

/// The places in the order of the columns; where masks are dynamic any order will do, and set
/// cells come first, so that no row is lost.
fn making_order(fixed: &[Option<u16>], dynamic: bool) -> Vec<usize> {
    let mut places: Vec<usize> = (0..fixed.len()).collect();
    if dynamic {
        places.sort_by_key(|&place| fixed[place].is_none());
    }
    places
}
