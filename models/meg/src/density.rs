//! How likely given rows are: the sum of the generators' log-probabilities.

use crate::codec::Codes;
use crate::ensemble::Scratch;
use crate::fitted::FittedMeg;
use meg_core::{Error, Result, Table, parallel};

/// Rows that are scored together.
const CHUNK: usize = 1_024;

/// The log-density of each row, in nats: of the probability for categories, atoms and numbers with
/// a step, per unit for numbers without. Minus infinity for a row with a cell unlike all training
/// cells of its column.
pub(crate) fn log_density(model: &FittedMeg, rows: &Table, threads: usize) -> Result<Vec<f64>> {
    if rows.schema() != model.codec.schema() {
        return Err(Error::Request("the rows have another schema than the model".into()));
    }
    let chunks = parallel::map(threads, rows.rows().div_ceil(CHUNK), |at| {
        chunk(model, rows, at * CHUNK, CHUNK.min(rows.rows() - at * CHUNK))
    });
    Ok(chunks.into_iter().flatten().collect())
}

fn chunk(model: &FittedMeg, table: &Table, from: usize, rows: usize) -> Vec<f64> {
    let mut density = vec![0.0; rows];
    let mut codes = Codes { rows, columns: vec![vec![0; rows]; table.columns().len()] };
    let columns = table.columns().iter().enumerate();
    for (column, cells) in columns.filter(|(column, _)| model.codec.size(*column) > 0) {
        let own = codes.columns[column].iter_mut();
        for (row, (density, own)) in density.iter_mut().zip(own).enumerate() {
            match model.codec.code(column, cells, from + row) {
                None => *density = f64::NEG_INFINITY,
                Some(code) => {
                    *own = code as u16;
                    *density += model.codec.log_density(column, cells, from + row, code);
                }
            }
        }
    }
    let ensemble = model.ensemble();
    let layout = model.layout();
    let order = &layout.plan.order;
    let mut scratch = Scratch::default();
    for place in 0..order.len() {
        let made = |at: usize| (at < place).then(|| &*codes.columns[order[at]]);
        let chances = ensemble.chances(place, rows, made, &mut scratch);
        let own = &codes.columns[order[place]];
        for ((density, chances), &code) in
            density.iter_mut().zip(chances.chunks_exact(layout.codes[place])).zip(own)
        {
            *density += f64::from(chances[usize::from(code)].max(f32::MIN_POSITIVE)).ln();
        }
    }
    density
}
