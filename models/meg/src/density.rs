//! How likely given rows are: the sum of the generators' log-probabilities.

use crate::codec::Codes;
use crate::fitted::FittedMeg;
use crate::network::{Activations, forward};
use meg_core::{Error, Result, Table, parallel};
use neural::kernels::softmax_rows;

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
    let layout = &model.layout;
    let mut activations = Activations::default();
    let mut normalisers = vec![0.0; rows];
    for (at, shape) in layout.shapes.iter().enumerate() {
        let tables: Vec<&[f32]> =
            layout.parents[at].iter().map(|&at| &*model.weights.embeddings[at]).collect();
        let context: Vec<&[u16]> =
            layout.masks[at].context.iter().map(|&column| &*codes.columns[column]).collect();
        let weights = &model.weights.generators[at];
        forward(shape, weights, &tables, &context, rows, None, &mut activations);
        let own = &codes.columns[layout.masks[at].output];
        let logits = activations.logits.chunks_exact(shape.codes).zip(own);
        for (density, (logits, &code)) in density.iter_mut().zip(logits) {
            *density += f64::from(logits[usize::from(code)]);
        }
        softmax_rows(&mut activations.logits, shape.codes, 1.0, &mut normalisers);
        for (density, &normaliser) in density.iter_mut().zip(&normalisers) {
            *density -= f64::from(normaliser);
        }
    }
    density
}
