use super::{math, vectorised};

vectorised! {
    /// How close the rows of a batch lie to each other in each of several projections (minibatch
    /// discrimination, Salimans et al. 2016, section 3.2): `pairs` gets `exp(-|M_i - M_j|_1)` for
    /// each kernel and pair of rows (kernels x rows x rows), `sums` its sum over all rows, the row
    /// itself included (kernels x rows). `projected` holds the projections turned: for each kernel
    /// and dimension the cells of all rows.
    pub fn closeness(projected: &[f32], rows: usize, dimensions: usize, pairs: &mut [f32], sums: &mut [f32]) {
        let kernels = projected.chunks_exact(dimensions * rows);
        let results = pairs.chunks_exact_mut(rows * rows).zip(sums.chunks_exact_mut(rows));
        for (kernel, (pairs, sums)) in kernels.zip(results) {
            sums.fill(0.0);
            for (row, pairs) in pairs.chunks_exact_mut(rows).enumerate() {
                pairs.fill(0.0);
                for cells in kernel.chunks_exact(rows) {
                    let own = cells[row];
                    for (distance, &cell) in pairs.iter_mut().zip(cells) {
                        *distance += (cell - own).abs();
                    }
                }
                for (pair, sum) in pairs.iter_mut().zip(&mut *sums) {
                    *pair = math::exp(-*pair);
                    *sum += *pair;
                }
            }
        }
    }
}

vectorised! {
    /// The gradient of the projections from that of the sums of [`closeness`], in `out`. Rows that
    /// are alike send nothing.
    pub fn closeness_backward(projected: &[f32], rows: usize, dimensions: usize, pairs: &[f32], gradient: &[f32], out: &mut [f32]) {
        let kernels = projected.chunks_exact(dimensions * rows).zip(out.chunks_exact_mut(dimensions * rows));
        let results = pairs.chunks_exact(rows * rows).zip(gradient.chunks_exact(rows));
        for ((kernel, out), (pairs, gradient)) in kernels.zip(results) {
            out.fill(0.0);
            for (row, pairs) in pairs.chunks_exact(rows).enumerate() {
                let sent = gradient[row];
                for (cells, out) in kernel.chunks_exact(rows).zip(out.chunks_exact_mut(rows)) {
                    let own = cells[row];
                    for (((out, &cell), &pair), &gradient) in
                        out.iter_mut().zip(cells).zip(pairs).zip(gradient)
                    {
                        // Each pair counts in the sums of both of its rows. Away from each other
                        // they are less close.
                        let side = f32::from(u8::from(cell > own)) - f32::from(u8::from(cell < own));
                        *out -= (gradient + sent) * pair * side;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 6;
    const KERNELS: usize = 2;
    const DIMENSIONS: usize = 3;

    fn projected() -> Vec<f32> {
        let cell = |at: usize| ((at * 37) % 41) as f32 / 20.0 - 1.0;
        (0..KERNELS * DIMENSIONS * ROWS).map(cell).collect()
    }

    fn plain(projected: &[f64], kernel: usize, row: usize) -> f64 {
        let cell = |dimension: usize, row: usize| {
            projected[(kernel * DIMENSIONS + dimension) * ROWS + row]
        };
        let distance = |other: usize| -> f64 {
            (0..DIMENSIONS).map(|at| (cell(at, row) - cell(at, other)).abs()).sum()
        };
        (0..ROWS).map(|other| (-distance(other)).exp()).sum()
    }

    #[test]
    fn sums_and_gradients_are_those_of_the_formula() {
        let cells = projected();
        let exact: Vec<f64> = cells.iter().map(|&x| f64::from(x)).collect();
        let (mut pairs, mut sums) = (vec![0.0; KERNELS * ROWS * ROWS], vec![0.0; KERNELS * ROWS]);
        closeness(&cells, ROWS, DIMENSIONS, &mut pairs, &mut sums);
        let weight = |at: usize| ((at * 5) % 7) as f64 - 3.0;
        let loss = |cells: &[f64]| -> f64 {
            (0..KERNELS * ROWS).map(|at| weight(at) * plain(cells, at / ROWS, at % ROWS)).sum()
        };
        for (at, &sum) in sums.iter().enumerate() {
            assert!((f64::from(sum) - plain(&exact, at / ROWS, at % ROWS)).abs() < 1e-5);
        }
        let gradient: Vec<f32> = (0..KERNELS * ROWS).map(|at| weight(at) as f32).collect();
        let mut out = vec![f32::NAN; cells.len()];
        closeness_backward(&cells, ROWS, DIMENSIONS, &pairs, &gradient, &mut out);
        for (at, &ours) in out.iter().enumerate() {
            let moved = |by: f64| {
                let mut cells = exact.clone();
                cells[at] += by;
                loss(&cells)
            };
            let exact = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((f64::from(ours) - exact).abs() < 1e-5, "cell {at}: {ours} {exact}");
        }
    }

    #[test]
    fn rows_that_are_alike_are_as_close_as_can_be_and_send_nothing() {
        let cells = vec![0.7; KERNELS * DIMENSIONS * ROWS];
        let (mut pairs, mut sums) = (vec![0.0; KERNELS * ROWS * ROWS], vec![0.0; KERNELS * ROWS]);
        closeness(&cells, ROWS, DIMENSIONS, &mut pairs, &mut sums);
        assert_eq!(sums, [ROWS as f32; KERNELS * ROWS]);
        let mut out = vec![f32::NAN; cells.len()];
        closeness_backward(&cells, ROWS, DIMENSIONS, &pairs, &[1.0; KERNELS * ROWS], &mut out);
        assert!(out.iter().all(|&cell| cell == 0.0));
    }
}
