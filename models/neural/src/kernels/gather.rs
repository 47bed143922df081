use super::vectorised;

/// Starts the rows of a linear layer: the bias, plus one row of weights for a one-hot input whose
/// unit is 1. Rows of `out` are `bias.len()` long.
pub fn fill_rows(out: &mut [f32], bias: &[f32], weights: &[f32], units: &[u32]) {
    for (row, cells) in out.chunks_exact_mut(bias.len()).enumerate() {
        cells.copy_from_slice(bias);
        if let Some(&unit) = units.get(row) {
            let at = unit as usize * bias.len();
            add(cells, &weights[at..at + bias.len()], 1.0);
        }
    }
}

/// Adds `factor` times rows of `weights` (of `out.len()` cells) to `out`: a product with a sparse
/// row.
pub fn add_rows(out: &mut [f32], weights: &[f32], units: impl Iterator<Item = (usize, f32)>) {
    let width = out.len();
    for (unit, factor) in units {
        add(out, &weights[unit * width..(unit + 1) * width], factor);
    }
}

/// Adds `factor` times `row` to rows of `gradient`: the transpose of [`add_rows`].
pub fn scatter_rows(gradient: &mut [f32], row: &[f32], units: impl Iterator<Item = (usize, f32)>) {
    let width = row.len();
    for (unit, factor) in units {
        add(&mut gradient[unit * width..(unit + 1) * width], row, factor);
    }
}

vectorised! {
    fn add(out: &mut [f32], row: &[f32], factor: f32) {
        for (cell, &more) in out.iter_mut().zip(row) {
            *cell += factor * more;
        }
    }
}

vectorised! {
    /// Adds the sum of each column of row-major `cells` to `sums`.
    pub fn add_column_sums(sums: &mut [f32], cells: &[f32]) {
        for row in cells.chunks_exact(sums.len()) {
            for (sum, &cell) in sums.iter_mut().zip(row) {
                *sum += cell;
            }
        }
    }
}

vectorised! {
    /// Adds the sum of squares of each column of row-major `cells` to `sums`.
    pub fn add_column_squares(sums: &mut [f32], cells: &[f32]) {
        for row in cells.chunks_exact(sums.len()) {
            for (sum, &cell) in sums.iter_mut().zip(row) {
                *sum += cell * cell;
            }
        }
    }
}

/// Writes the transpose of row-major `cells`, whose rows are `width` long, to `out`.
pub fn transpose(cells: &[f32], width: usize, out: &mut [f32]) {
    // Square blocks, so that reads and writes both stay within few cache lines.
    const SIDE: usize = 16;
    let height = cells.len() / width;
    for top in (0..height).step_by(SIDE) {
        for left in (0..width).step_by(SIDE) {
            for row in top..(top + SIDE).min(height) {
                for column in left..(left + SIDE).min(width) {
                    out[column * height + row] = cells[row * width + column];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transpose_has_rows_for_columns() {
        let (height, width) = (37, 21);
        let cells: Vec<f32> = (0..height * width).map(|at| at as f32).collect();
        let mut out = vec![0.0; cells.len()];
        transpose(&cells, width, &mut out);
        for (at, &cell) in out.iter().enumerate() {
            assert_eq!(cell, cells[at % height * width + at / height]);
        }
    }
}
