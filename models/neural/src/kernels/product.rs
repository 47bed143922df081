use gemm::Parallelism;

/// A matrix inside a slice, with strides.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// A matrix inside a mutable slice, with strides.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

fn last(rows: usize, columns: usize, row_stride: usize, column_stride: usize) -> usize {
    if rows == 0 || columns == 0 {
        0
    } else {
        (rows - 1) * row_stride + (columns - 1) * column_stride + 1
    }
}

impl<'a> Matrix<'a> {
    /// `rows` rows of `columns` cells, one after the other.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// The first `columns` cells of rows that begin `row_stride` cells apart.
    ///
    /// # Panics
    /// When the slice is too short.
    pub fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(last(rows, columns, row_stride, 1) <= data.len(), "the slice is too short");
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transposed matrix; nothing is copied.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

impl<'a> MatrixMut<'a> {
    /// `rows` rows of `columns` cells, one after the other.
    pub fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// The first `columns` cells of rows that begin `row_stride` cells apart.
    ///
    /// # Panics
    /// When the slice is too short.
    pub fn strided(data: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(last(rows, columns, row_stride, 1) <= data.len(), "the slice is too short");
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transposed matrix; nothing is copied. Where the right factor is a transposed matrix, a
    /// product into a transposed result is the faster one: no factor has to be turned.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// `out = keep * out + left * right`; with `keep` 0 the old cells are not read.
///
/// # Panics
/// When the sizes do not fit.
#[allow(unsafe_code)]
pub fn multiply(
    out: &mut MatrixMut<'_>,
    keep: f32,
    left: Matrix<'_>,
    right: Matrix<'_>,
    threads: usize,
) {
    assert!(
        left.columns == right.rows && out.rows == left.rows && out.columns == right.columns,
        "a product of {}x{} and {}x{} into {}x{}",
        left.rows,
        left.columns,
        right.rows,
        right.columns,
        out.rows,
        out.columns
    );
    if out.rows == 0 || out.columns == 0 {
        return;
    }
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    // SAFETY: the constructors checked that every cell of the three matrices lies within its
    // slice, and `out` is borrowed mutably, so that it overlaps neither factor.
    unsafe {
        gemm::gemm(
            out.rows,
            out.columns,
            left.columns,
            out.data.as_mut_ptr(),
            out.column_stride as isize,
            out.row_stride as isize,
            keep != 0.0,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            keep,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(count: usize, salt: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 7 + salt * 13) % 11) as f32 - 5.0).collect()
    }

    #[test]
    fn products_with_strides_and_transposes_are_right_and_do_not_depend_on_threads() {
        let (m, k, n) = (37, 300, 65);
        let (a, b) = (cells(m * (k + 3), 1), cells(n * k, 2));
        let left = Matrix::strided(&a, m, k, k + 3);
        let right = Matrix::new(&b, n, k).transposed();
        let run = |threads| {
            let mut out = vec![1.0; m * n];
            multiply(&mut MatrixMut::new(&mut out, m, n), 1.0, left, right, threads);
            out
        };
        let one = run(1);
        for row in 0..m {
            for column in 0..n {
                let exact: f32 = (0..k).map(|at| a[row * (k + 3) + at] * b[column * k + at]).sum();
                assert_eq!(one[row * n + column], exact + 1.0);
            }
        }
        assert_eq!(one, run(2));
        let mut turned = vec![0.0; m * n];
        multiply(&mut MatrixMut::new(&mut turned, n, m).transposed(), 0.0, left, right, 1);
        for (at, cell) in one.iter().enumerate() {
            assert_eq!(turned[at % n * m + at / n], cell - 1.0);
        }
    }

    #[test]
    fn threads_do_not_change_a_single_bit_of_large_products() {
        let (m, k, n) = (500, 640, 157);
        let scale = |cells: Vec<f32>| {
            cells
                .iter()
                .enumerate()
                .map(|(i, x)| x * 0.1 + (i % 97) as f32 * 1e-3)
                .collect::<Vec<_>>()
        };
        let (a, b) = (scale(cells(m * k, 3)), scale(cells(k * n, 4)));
        let run = |threads| {
            let mut out = vec![0.0; m * n];
            multiply(
                &mut MatrixMut::new(&mut out, m, n),
                0.0,
                Matrix::new(&a, m, k),
                Matrix::new(&b, k, n),
                threads,
            );
            out.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        let one = run(1);
        for threads in [2, 3, 8] {
            assert!(one == run(threads), "{threads} threads");
        }
    }
}
