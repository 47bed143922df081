//! Filling missing cells, given the cells that are there.

use crate::ensemble::Scratch;
use crate::fitted::FittedMeg;
use crate::network::Layout;
use crate::sample::pick;
use meg_core::{Column, DataError, Error, Phase, Result, Rng, SampleContext, Table, parallel};
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
pub(crate) fn impute(
    model: &FittedMeg,
    rows: &Table,
    ctx: &mut SampleContext<'_>,
) -> Result<Table> {
    if rows.schema() != model.codec.schema() {
        return Err(Error::Request("the rows have another schema than the model".into()));
    }
    let wanting: Vec<usize> = (0..rows.rows())
        .filter(|&row| rows.columns().iter().any(|column| column.is_missing(row)))
        .collect();
    let mut columns = rows.columns().to_vec();
    let chunks: Vec<&[usize]> = wanting.chunks(CHUNK).collect();
    let mut done = 0;
    for round in chunks.chunks(ROUND) {
        let seeds: Vec<u64> = round.iter().map(|_| ctx.rng.next_u64()).collect();
        let filled = parallel::map(ctx.threads, round.len(), |at| {
            chunk(model, rows, round[at], Rng::seed_from_u64(seeds[at]))
        });
        for (rows, filled) in round.iter().zip(filled) {
            for (column, at, cell) in filled? {
                put(&mut columns[column], rows[at], &cell);
            }
            done += rows.len();
        }
        ctx.observer.step(Phase::Sample, done as u64, &[])?;
    }
    Table::new(rows.schema().clone(), columns)
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

fn chunk(model: &FittedMeg, table: &Table, rows: &[usize], rng: Rng) -> Result<Vec<Filled>> {
    let ensemble = model.ensemble();
    let layout = model.layout();
    let order = &layout.plan.order;
    let mut randomness = Randomness::new(rng);
    let total = rows.len() * CANDIDATES;
    let known: Vec<Vec<Option<u16>>> = order
        .iter()
        .map(|&column| known_codes(model, table, column, rows))
        .collect::<Result<_>>()?;
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
                    own[candidate] = pick(chances, dice[candidate] * rest);
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
                let cell = model.codec.draw(column, 1, &[code], &mut randomness.rng);
                filled.push((column, place, cell));
            }
        }
    }
    Ok(filled)
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

/// The codes of the known cells; `None` is to be filled.
fn known_codes(
    model: &FittedMeg,
    table: &Table,
    column: usize,
    rows: &[usize],
) -> Result<Vec<Option<u16>>> {
    let cells = &table.columns()[column];
    let code = |&row: &usize| {
        if cells.is_missing(row) {
            return Ok(None);
        }
        let unlike = || {
            DataError::new("the training rows hold nothing like this cell")
                .row(row as u64 + 1)
                .column(&table.schema().columns[column].name)
                .value(table.text(row, column).unwrap_or_default())
                .advice("empty the cell, and it is filled too")
        };
        let code = model.codec.code(column, cells, row).ok_or_else(unlike)?;
        Ok(Some(code as u16))
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
