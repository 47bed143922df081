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

    /// Small whole numbers, so that sums are exact in any order.
    fn whole(count: usize, salt: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 7 + salt * 5) % 11) as f32 - 5.0).collect()
    }

    const WIDTH: usize = 19;
    const UNITS: usize = 6;

    #[test]
    fn filled_rows_are_the_product_with_one_hot_rows() {
        let (bias, weights) = (whole(WIDTH, 1), whole(UNITS * WIDTH, 2));
        let units = [4, 0, 5];
        let mut out = vec![f32::NAN; 3 * WIDTH];
        fill_rows(&mut out, &bias, &weights, &units);
        let mut bare = vec![f32::NAN; 3 * WIDTH];
        fill_rows(&mut bare, &bias, &[], &[]);
        for row in 0..3 {
            for at in 0..WIDTH {
                let one_hot = |unit: usize| f32::from(u8::from(unit == units[row] as usize));
                let product: f32 =
                    (0..UNITS).map(|unit| one_hot(unit) * weights[unit * WIDTH + at]).sum();
                assert_eq!(out[row * WIDTH + at], bias[at] + product);
                assert_eq!(bare[row * WIDTH + at], bias[at], "no one-hot part");
            }
        }
    }

    /// A sparse row, one unit of it given twice.
    const SPARSE: [(usize, f32); 4] = [(5, 2.0), (1, -3.0), (5, 1.0), (0, 4.0)];

    #[test]
    fn added_rows_are_the_product_with_the_sparse_row() {
        let (before, weights) = (whole(WIDTH, 3), whole(UNITS * WIDTH, 4));
        let mut out = before.clone();
        add_rows(&mut out, &weights, SPARSE.into_iter());
        for at in 0..WIDTH {
            let product: f32 =
                SPARSE.iter().map(|&(unit, factor)| factor * weights[unit * WIDTH + at]).sum();
            assert_eq!(out[at], before[at] + product);
        }
    }

    #[test]
    fn scattered_rows_are_the_outer_product_with_the_sparse_row() {
        let (before, row) = (whole(UNITS * WIDTH, 5), whole(WIDTH, 6));
        let mut gradient = before.clone();
        scatter_rows(&mut gradient, &row, SPARSE.into_iter());
        for unit in 0..UNITS {
            let of_unit = SPARSE.iter().filter(|&&(known, _)| known == unit);
            let factor: f32 = of_unit.map(|&(_, factor)| factor).sum();
            for at in 0..WIDTH {
                let exact = before[unit * WIDTH + at] + factor * row[at];
                assert_eq!(gradient[unit * WIDTH + at], exact);
            }
        }
    }

    #[test]
    fn column_sums_and_squares_add_to_what_is_there() {
        let (before, cells) = (whole(WIDTH, 7), whole(9 * WIDTH, 8));
        let (mut sums, mut squares) = (before.clone(), before.clone());
        add_column_sums(&mut sums, &cells);
        add_column_squares(&mut squares, &cells);
        for at in 0..WIDTH {
            let column = || cells.iter().skip(at).step_by(WIDTH);
            assert_eq!(sums[at], before[at] + column().sum::<f32>());
            assert_eq!(squares[at], before[at] + column().map(|cell| cell * cell).sum::<f32>());
        }
    }
}
