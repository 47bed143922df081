//! Filling missing cells, given the cells that are there.

use crate::dice::pick;
use crate::ensemble::Scratch;
use crate::fitted::FittedMeg;
use crate::network::Layout;
use meg_core::{
    Column, ColumnSpec, Error, Phase, Result, Rng, SampleContext, Schema, Table, parallel,
};
use neural::Randomness;
use rand::{Rng as _, RngCore, SeedableRng};

/// Candidates per row.
const CANDIDATES: usize = 64;
/// Rows that are filled together.
const CHUNK: usize = 32;
/// Chunks between two reports of progress.
const ROUND: usize = 64;

/// Fills every missing cell of a column that has other values, by importance resampling (Rubin
/// 1987): candidates are drawn column after column with the known cells in their places; each
/// weighs as much as the generators of the known cells believe it; one of them is kept. Rows
/// without missing cells, and identifiers, stay as they are.
///
/// A known cell that the training rows hold nothing like stays as it is too. In its row the nearest
/// known number stands for an unseen number, and an unseen level is as good as unknown; both are
/// told of.
pub(crate) fn impute(
    model: &FittedMeg,
    rows: &Table,
    ctx: &mut SampleContext<'_>,
) -> Result<Table> {
    if !are_alike(rows.schema(), model.codec.schema()) {
        return Err(Error::Request("the rows have another schema than the model".into()));
    }
    let wanting: Vec<usize> = (0..rows.rows())
        .filter(|&row| rows.columns().iter().any(|column| column.is_missing(row)))
        .collect();
    tell_of_unlike(model, rows, &wanting, ctx);
    let mut columns = rows.columns().to_vec();
    let chunks: Vec<&[usize]> = wanting.chunks(CHUNK).collect();
    let mut done = 0;
    for round in chunks.chunks(ROUND) {
        let seeds: Vec<u64> = round.iter().map(|_| ctx.rng.next_u64()).collect();
        let filled = parallel::map(ctx.threads, round.len(), |at| {
            chunk(model, rows, round[at], Rng::seed_from_u64(seeds[at]))
        });
        for (rows, filled) in round.iter().zip(filled) {
            for (column, at, cell) in filled {
                put(&mut columns[column], rows[at], &cell);
            }
            done += rows.len();
        }
        ctx.observer.step(Phase::Sample, done as u64, &[])?;
    }
    Table::new(rows.schema().clone(), columns)
}

/// Whether these are the same columns, but for whether they may have missing cells.
fn are_alike(rows: &Schema, model: &Schema) -> bool {
    let alike = |(a, b): (&ColumnSpec, &ColumnSpec)| a.name == b.name && a.kind == b.kind;
    rows.columns.len() == model.columns.len()
        && rows.columns.iter().zip(&model.columns).all(alike)
        && rows.constraints == model.constraints
}

/// One sentence for each column with cells unlike all training cells in rows that are filled.
fn tell_of_unlike(model: &FittedMeg, rows: &Table, wanting: &[usize], ctx: &mut SampleContext<'_>) {
    for (column, spec) in rows.schema().columns.iter().enumerate() {
        let cells = &rows.columns()[column];
        let unlike = |row: &&usize| {
            model.codec.size(column) > 0
                && !cells.is_missing(**row)
                && model.codec.code(column, cells, **row).is_none()
        };
        let mut found = wanting.iter().filter(unlike);
        let Some(&first) = found.next() else { continue };
        let stands = match cells {
            Column::Numbers(_) => "the nearest number that they hold stands for it",
            _ => "it tells nothing about the others",
        };
        ctx.observer.note(&format!(
            "{} cells of {:?} are like none of the training rows, first {:?} in row {}: each stays as it is, and where a row is filled {stands}",
            found.count() + 1,
            spec.name,
            rows.text(first, column).unwrap_or_default(),
            first + 1
        ));
    }
}

fn put(column: &mut Column, row: usize, cell: &Column) {
    match (column, cell) {
        (Column::Numbers(cells), Column::Numbers(new)) => cells[row] = new[0],
        (Column::Codes(cells), Column::Codes(new)) => cells[row] = new[0],
        _ => unreachable!("texts are not filled"),
    }
}

/// A filled cell: column, place of its row in the chunk, and the cell alone.
type Filled = (usize, usize, Column);

fn chunk(model: &FittedMeg, table: &Table, rows: &[usize], rng: Rng) -> Vec<Filled> {
    let ensemble = model.ensemble();
    let layout = model.layout();
    let order = &layout.plan.order;
    let mut randomness = Randomness::new(rng);
    let total = rows.len() * CANDIDATES;
    let known: Vec<Vec<Option<u16>>> =
        order.iter().map(|&column| known_codes(model, table, column, rows)).collect();
    let mut codes = first_codes(layout, &known);
    let mut log_weights = vec![0.0f64; total];
    let (mut scratch, mut dice) = (Scratch::default(), vec![0.0; total]);
    for place in 0..order.len() {
        let seen = |at: usize| (at < place || layout.plan.dynamic).then(|| &*codes[at]);
        let chances = ensemble.chances(place, total, seen, &mut scratch);
        randomness.uniforms(&mut dice);
        let missing = model.codec.missing_code(order[place]);
        let mut own = std::mem::take(&mut codes[place]);
        let chances = chances.chunks_exact_mut(layout.codes[place]);
        for (candidate, chances) in chances.enumerate() {
            match known[place][candidate / CANDIDATES] {
                // Dynamic masks show every known cell to all others: nothing is left to weigh.
                Some(_) if layout.plan.dynamic => {}
                Some(code) => {
                    log_weights[candidate] += log(chances[usize::from(code)]);
                }
                None => {
                    if let Some(missing) = missing {
                        chances[missing] = 0.0;
                    }
                    let rest: f32 = chances.iter().sum();
                    if !layout.plan.dynamic {
                        log_weights[candidate] += log(rest);
                    }
                    own[candidate] = pick(chances, f64::from(dice[candidate] * rest)).0;
                }
            }
        }
        codes[place] = own;
    }
    let mut filled = Vec::new();
    for (place, &row) in rows.iter().enumerate() {
        let of_row = place * CANDIDATES..(place + 1) * CANDIDATES;
        let chosen = of_row.start + choose(&log_weights[of_row], &mut randomness.rng);
        for (column, cells) in table.columns().iter().enumerate() {
            if cells.is_missing(row) && has_values(model, column) {
                let code = model.place(column).map_or(0, |place| codes[place][chosen]);
                let cell = model.codec.draw(column, &[code], None, &mut randomness.rng);
                filled.push((column, place, cell));
            }
        }
    }
    filled
}

/// The codes of all candidates to begin with: known cells, and the code of hidden ones for the rest.
fn first_codes(layout: &Layout, known: &[Vec<Option<u16>>]) -> Vec<Vec<u16>> {
    let of = |(known, &hidden): (&Vec<Option<u16>>, &usize)| -> Vec<u16> {
        let candidates = known.iter().flat_map(|known| std::iter::repeat_n(known, CANDIDATES));
        candidates.map(|known| known.unwrap_or(hidden as u16)).collect()
    };
    known.iter().zip(&layout.codes).map(of).collect()
}

fn log(chance: f32) -> f64 {
    f64::from(chance).ln()
}

/// Whether the model knows another value of this column than a missing cell.
fn has_values(model: &FittedMeg, column: usize) -> bool {
    let missing = usize::from(model.codec.missing_code(column).is_some());
    model.codec.size(column) > missing
}

/// The codes of the known cells; `None` where a cell is missing, or tells nothing.
fn known_codes(
    model: &FittedMeg,
    table: &Table,
    column: usize,
    rows: &[usize],
) -> Vec<Option<u16>> {
    let cells = &table.columns()[column];
    let code = |&row: &usize| match cells.is_missing(row) {
        true => None,
        false => model.codec.nearest_code(column, cells, row).map(|code| code as u16),
    };
    rows.iter().map(code).collect()
}

/// One candidate, drawn by its weight.
fn choose(log_weights: &[f64], rng: &mut Rng) -> usize {
    let highest = log_weights.iter().fold(f64::NEG_INFINITY, |most, &x| most.max(x));
    let weights: Vec<f64> = log_weights.iter().map(|x| (x - highest).exp()).collect();
    let mut rest = rng.random::<f64>() * weights.iter().sum::<f64>();
    for (at, weight) in weights.iter().enumerate() {
        if rest < *weight {
            return at;
        }
        rest -= weight;
    }
    weights.len() - 1
}
