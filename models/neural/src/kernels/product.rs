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

/// Cells from the first to the last one, both included.
///
/// # Panics
/// When that number, or the stride, is beyond what an offset can be.
fn extent(rows: usize, columns: usize, row_stride: usize) -> usize {
    assert!(isize::try_from(row_stride).is_ok(), "a stride of {row_stride} cells");
    if rows == 0 || columns == 0 {
        return 0;
    }
    let before_last_row = (rows - 1).checked_mul(row_stride);
    before_last_row
        .and_then(|before| before.checked_add(columns))
        .unwrap_or_else(|| panic!("{rows} rows of {columns} cells, {row_stride} apart"))
}

impl<'a> Matrix<'a> {
    /// `rows` rows of `columns` cells, one after the other.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// The first `columns` cells of rows that begin `row_stride` cells apart. Rows that are only
    /// read may overlap.
    ///
    /// # Panics
    /// When the slice is too short.
    pub fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(extent(rows, columns, row_stride) <= data.len(), "the slice is too short");
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
    /// When the slice is too short, or the rows overlap: several threads may write them.
    pub fn strided(data: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(extent(rows, columns, row_stride) <= data.len(), "the slice is too short");
        assert!(columns <= row_stride || rows <= 1, "rows of {columns} cells, {row_stride} apart");
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
    let product = Product {
        rows: out.rows,
        columns: out.columns,
        depth: left.columns,
        out: out.data.as_mut_ptr(),
        out_strides: (out.row_stride as isize, out.column_stride as isize),
        left: left.data.as_ptr(),
        left_strides: (left.row_stride as isize, left.column_stride as isize),
        right: right.data.as_ptr(),
        right_strides: (right.row_stride as isize, right.column_stride as isize),
        keep,
    };
    product.spread(threads);
}

/// A product as addresses and strides (of a row, of a column).
///
/// The constructors of the matrices checked, without overflow, that every cell lies within its
/// slice and that no two cells of `out` are the same; `transposed` only exchanges the names of
/// rows and columns, which keeps both. `out` is borrowed mutably for the whole product, so that it
/// overlaps neither factor. Strides fit an `isize`: those of rows were checked, those of columns
/// are 1.
#[derive(Clone, Copy)]
struct Product {
    rows: usize,
    columns: usize,
    depth: usize,
    out: *mut f32,
    out_strides: (isize, isize),
    left: *const f32,
    left_strides: (isize, isize),
    right: *const f32,
    right_strides: (isize, isize),
    keep: f32,
}

// SAFETY: the factors are only read, and parts of a product that run at once write different cells
// of the result.
#[allow(unsafe_code)]
unsafe impl Send for Product {}

/// Multiply-adds below which a second thread costs more than it takes over.
const WORTH_A_THREAD: usize = 1 << 21;
/// Parts begin at multiples of it: whole vectors and whole register tiles.
const PART: usize = 48;
/// `gemm` sums products of at most 64 x 64 cells in other blocks than larger ones, and those of at
/// most 256 cells in one run. A part must not become so small, or the number of threads would
/// decide the order of the sum: the side that is cut keeps more than 64 cells in each part,
const SHORTEST_PART: usize = 2 * PART;
/// and the other side has enough for more than 256 in all.
const NARROWEST_PART: usize = 4;

impl Product {
    /// Computes the product in parts, each of which is a product of its own: threads then wait for
    /// each other once, and every cell is summed in one order however many there are.
    fn spread(self, threads: usize) {
        let work = self.rows * self.columns * self.depth;
        let (longer, shorter) = (self.rows.max(self.columns), self.rows.min(self.columns));
        let whole = longer < 2 * SHORTEST_PART || shorter < NARROWEST_PART;
        if threads < 2 || work < WORTH_A_THREAD || whole {
            return self.compute();
        }
        // To the nearest multiple, so that the rest keeps at least 96 - 24 cells.
        let share = longer * (threads / 2) / threads;
        let at = ((share + PART / 2) / PART * PART).max(SHORTEST_PART);
        let (first, second) = self.split(at);
        let half = threads / 2;
        rayon::join(move || first.spread(half), move || second.spread(threads - half));
    }

    /// The parts before and from a row, or a column where there are more of them.
    fn split(self, at: usize) -> (Self, Self) {
        let offset = |stride: isize| at as isize * stride;
        if self.rows >= self.columns {
            let second = Self {
                rows: self.rows - at,
                out: self.out.wrapping_offset(offset(self.out_strides.0)),
                left: self.left.wrapping_offset(offset(self.left_strides.0)),
                ..self
            };
            (Self { rows: at, ..self }, second)
        } else {
            let second = Self {
                columns: self.columns - at,
                out: self.out.wrapping_offset(offset(self.out_strides.1)),
                right: self.right.wrapping_offset(offset(self.right_strides.1)),
                ..self
            };
            (Self { columns: at, ..self }, second)
        }
    }

    #[allow(unsafe_code)]
    fn compute(self) {
        // SAFETY: see the type; a part lies within the whole.
        unsafe {
            gemm::gemm(
                self.rows,
                self.columns,
                self.depth,
                self.out,
                self.out_strides.1,
                self.out_strides.0,
                self.keep != 0.0,
                self.left,
                self.left_strides.1,
                self.left_strides.0,
                self.right,
                self.right_strides.1,
                self.right_strides.0,
                self.keep,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(count: usize, salt: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 7 + salt * 13) % 11) as f32 - 5.0).collect()
    }

    /// The sizes at which gemm changes how it sums, at sums too long for one of its blocks.
    #[test]
    fn no_number_of_threads_changes_a_bit() {
        let mut rng = meg_core::Seed(1).stream("cells");
        let mut cells = |count: usize| -> Vec<f32> {
            (0..count).map(|_| rand::Rng::random_range(&mut rng, -1.0..1.0)).collect()
        };
        let sizes = [
            (50, 1560, 256),
            (64, 1100, 192),
            (194, 1100, 40),
            (60, 640, 500),
            (700, 3000, 3),
            (200, 700, 200),
            (4, 5500, 193),
        ];
        for (m, k, n) in sizes {
            let (a, b) = (cells(m * k), cells(k * n));
            let lefts = [Matrix::new(&a, m, k), Matrix::new(&a, k, m).transposed()];
            let rights = [Matrix::new(&b, k, n), Matrix::new(&b, n, k).transposed()];
            for (layout, (left, right)) in
                lefts.iter().flat_map(|left| rights.map(|right| (*left, right))).enumerate()
            {
                let run = |threads: usize, turned: bool| {
                    let mut out = vec![0.0; m * n];
                    let mut whole = match turned {
                        false => MatrixMut::new(&mut out, m, n),
                        true => MatrixMut::new(&mut out, n, m).transposed(),
                    };
                    multiply(&mut whole, 0.0, left, right, threads);
                    out
                };
                for turned in [false, true] {
                    let one = run(1, turned);
                    for threads in [2, 3, 4, 5, 7, 8, 16] {
                        let same = one == run(threads, turned);
                        assert!(same, "{m}x{k}x{n}, layout {layout}, {threads} threads");
                    }
                }
            }
        }
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

    /// Cells whose products round.
    fn broken(count: usize, salt: usize) -> Vec<f32> {
        let add = |(at, cell): (usize, f32)| cell * 0.1 + (at % 97) as f32 * 1e-3;
        cells(count, salt).into_iter().enumerate().map(add).collect()
    }

    /// A matrix in cells that it is given.
    type View = fn(&mut [f32]) -> MatrixMut<'_>;

    /// Every form that the models use: plain, transposed factors, a transposed result, strides.
    #[test]
    fn threads_do_not_change_a_single_bit_of_large_products() {
        let (m, k, n) = (500, 640, 157);
        let (a, b) = (broken(m * (k + 5), 3), broken(k * n, 4));
        let lefts = [
            ("plain left", Matrix::new(&a[..m * k], m, k)),
            ("transposed left", Matrix::new(&a[..m * k], k, m).transposed()),
            ("strided left", Matrix::strided(&a, m, k, k + 5)),
        ];
        let rights = [
            ("plain right", Matrix::new(&b, k, n)),
            ("transposed right", Matrix::new(&b, n, k).transposed()),
        ];
        let outs: [(&str, View); 3] = [
            ("plain", |cells| MatrixMut::new(&mut cells[..500 * 157], 500, 157)),
            ("transposed", |cells| MatrixMut::new(&mut cells[..500 * 157], 157, 500).transposed()),
            ("strided", |cells| MatrixMut::strided(cells, 500, 157, 160)),
        ];
        for (left_name, left) in lefts {
            for (right_name, right) in rights {
                for (out_name, out) in outs {
                    let run = |threads| {
                        let mut cells = broken(m * 160, 5);
                        multiply(&mut out(&mut cells), 1.0, left, right, threads);
                        cells.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
                    };
                    let one = run(1);
                    for threads in [2, 3, 8] {
                        let same = one == run(threads);
                        assert!(same, "{left_name}, {right_name}, {out_name}: {threads} threads");
                    }
                }
            }
        }
    }

    fn panics(build: impl FnOnce() + std::panic::UnwindSafe) -> bool {
        std::panic::catch_unwind(build).is_err()
    }

    #[test]
    fn matrices_that_would_leave_their_slice_or_overlap_are_refused() {
        let refused = |rows: usize, columns: usize, stride: usize| {
            let mut cells = [0.0; 12];
            let data = cells;
            let read =
                panics(|| assert!(Matrix::strided(&data, rows, columns, stride).rows == rows));
            let written = panics(move || {
                assert!(MatrixMut::strided(&mut cells, rows, columns, stride).rows == rows);
            });
            (read, written)
        };
        assert_eq!(refused(3, 4, 4), (false, false));
        assert_eq!(refused(2, 3, 9), (false, false));
        assert_eq!(refused(3, 4, 5), (true, true), "beyond the end");
        assert_eq!(refused(3, 4, 3), (false, true), "overlapping rows can only be read");
        assert_eq!(refused(9, 1, 0), (false, true), "one row again and again");
        assert_eq!(refused(1, 4, 0), (false, false), "one row has no stride");
        assert_eq!(refused(0, usize::MAX, 4), (false, false), "no rows");
        assert_eq!(refused(usize::MAX, 2, 2), (true, true), "wraps around");
        assert_eq!(refused(2, usize::MAX, 1), (true, true), "wraps around");
        assert_eq!(refused(1, 1, usize::MAX), (true, true), "no offset is so large");
    }
}
