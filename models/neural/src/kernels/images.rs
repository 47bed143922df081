//! Convolutions over square images whose channels lie side by side (batch x side x side x
//! channels), as matrix products: each place of the kernel becomes a row of the cells below it.
//!
//! A weight is (kernel * kernel * channels of the image) x (channels of the places).

use super::{Matrix, MatrixMut, multiply, vectorised};

/// How the places of a kernel lie on an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageGeometry {
    /// Cells from one side of the image to the other.
    pub side: usize,
    /// Channels of the image.
    pub channels: usize,
    /// Places of the kernel along a side.
    pub places: usize,
    /// Channels of a place.
    pub outputs: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Cells from one place of the kernel to the next.
    pub stride: usize,
    /// Zeros before the image; those behind follow from the rest.
    pub before: usize,
}

/// Cells of gathered rows that are worked on at a time: they stay in the second cache, and no batch
/// needs more memory than that. Fixed, so that sums do not depend on the threads.
const BLOCK: usize = 1 << 18;

impl ImageGeometry {
    /// Cells of one image.
    pub fn image(&self) -> usize {
        self.side * self.side * self.channels
    }

    /// Cells of the places of one image.
    pub fn placed(&self) -> usize {
        self.places * self.places * self.outputs
    }

    /// Cells below one place of the kernel, and rows of the weight.
    pub fn depth(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }

    /// Images whose gathered rows are made at a time.
    fn block(&self) -> usize {
        (BLOCK / (self.places * self.places * self.depth())).max(1)
    }

    /// Whether the one place is the whole image, which is its own gathered row then.
    fn is_whole(&self) -> bool {
        self.places == 1 && self.before == 0 && self.kernel == self.side
    }

    /// For each row of the kernel at a place: the range of cells of the image below it and where
    /// they begin within the gathered row. Rows outside of the image have none.
    fn runs(&self, down: usize, right: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let Self { side, channels, kernel, stride, before, .. } = *self;
        let left = right * stride;
        // Columns of the kernel that lie on the image.
        let first = before.saturating_sub(left);
        let last = (side + before).saturating_sub(left).min(kernel);
        (0..kernel).filter_map(move |row| {
            let y = (down * stride + row).checked_sub(before).filter(|&y| y < side)?;
            let width = last.checked_sub(first).filter(|&width| width > 0)?;
            let from = (y * side + left + first - before) * channels;
            Some((from, (row * kernel + first) * channels, width * channels))
        })
    }
}

/// The convolution of images: `out` (batch x places x places x outputs) is overwritten.
///
/// # Panics
/// When the sizes disagree.
pub fn convolve(
    geometry: &ImageGeometry,
    images: &[f32],
    weight: &[f32],
    out: &mut [f32],
    threads: usize,
) {
    let work = |images: &[f32], out: &mut [f32], gathered: &mut Vec<f32>| {
        let rows = out.len() / geometry.outputs;
        let rows_below = gather(geometry, images, gathered);
        multiply(
            &mut MatrixMut::new(out, rows, geometry.outputs),
            0.0,
            Matrix::new(rows_below, rows, geometry.depth()),
            Matrix::new(weight, geometry.depth(), geometry.outputs),
            1,
        );
    };
    let (image, placed) = (geometry.image(), geometry.placed());
    in_blocks(geometry.block(), (images, image), (out, placed), threads, &work);
}

/// What the convolution does to gradients, which is the transposed convolution: from places to
/// `images`, which are overwritten.
///
/// # Panics
/// When the sizes disagree.
pub fn convolve_back(
    geometry: &ImageGeometry,
    placed: &[f32],
    weight: &[f32],
    images: &mut [f32],
    threads: usize,
) {
    let work = |placed: &[f32], images: &mut [f32], gathered: &mut Vec<f32>| {
        let rows = placed.len() / geometry.outputs;
        let whole = geometry.is_whole();
        if !whole {
            gathered.resize(rows * geometry.depth(), 0.0);
        }
        let below = if whole { &mut *images } else { &mut gathered[..] };
        multiply(
            &mut MatrixMut::new(below, rows, geometry.depth()),
            0.0,
            Matrix::new(placed, rows, geometry.outputs),
            Matrix::new(weight, geometry.depth(), geometry.outputs).transposed(),
            1,
        );
        if !whole {
            scatter(geometry, gathered, images);
        }
    };
    let (image, row) = (geometry.image(), geometry.placed());
    in_blocks(geometry.block(), (placed, row), (images, image), threads, &work);
}

/// The gradient of the weight from images and the gradient of their places; `gradient` is
/// overwritten.
///
/// # Panics
/// When the sizes disagree.
pub fn weight_gradient(
    geometry: &ImageGeometry,
    images: &[f32],
    placed: &[f32],
    gradient: &mut [f32],
    threads: usize,
) {
    gradient.fill(0.0);
    let mut gathered = Vec::new();
    let block = geometry.block();
    let blocks = images.chunks(block * geometry.image());
    for (images, placed) in blocks.zip(placed.chunks(block * geometry.placed())) {
        let rows = placed.len() / geometry.outputs;
        let below = gather(geometry, images, &mut gathered);
        multiply(
            &mut MatrixMut::new(gradient, geometry.depth(), geometry.outputs),
            1.0,
            Matrix::new(below, rows, geometry.depth()).transposed(),
            Matrix::new(placed, rows, geometry.outputs),
            threads,
        );
    }
}

/// Runs the work on blocks of so many images, on up to `threads` threads. The blocks do not depend
/// on the threads, and each is written by one.
fn in_blocks(
    block: usize,
    (from, from_cells): (&[f32], usize),
    (to, to_cells): (&mut [f32], usize),
    threads: usize,
    work: &(impl Fn(&[f32], &mut [f32], &mut Vec<f32>) + Sync),
) {
    let images = to.len() / to_cells;
    assert!(
        from.len() == images * from_cells && to.len() == images * to_cells,
        "{} and {} cells are no batch of {from_cells} and {to_cells} each",
        from.len(),
        to.len()
    );
    // Small batches are halved, so that there is something for a second thread.
    let block = block.min(images.div_ceil(2).next_multiple_of(8));
    share_blocks((from, block * from_cells), (to, block * to_cells), threads, work);
}

/// The same with the cells of a block in place of those of an image.
fn share_blocks(
    (from, from_block): (&[f32], usize),
    (to, to_block): (&mut [f32], usize),
    threads: usize,
    work: &(impl Fn(&[f32], &mut [f32], &mut Vec<f32>) + Sync),
) {
    let blocks = to.len().div_ceil(to_block);
    if threads > 1 && blocks > 1 {
        let at = blocks / 2;
        let (one, other) = from.split_at(at * from_block);
        let (first, second) = to.split_at_mut(at * to_block);
        let half = threads / 2;
        rayon::join(
            || share_blocks((one, from_block), (first, to_block), half, work),
            || share_blocks((other, from_block), (second, to_block), threads - half, work),
        );
        return;
    }
    let mut gathered = Vec::new();
    for (from, to) in from.chunks(from_block).zip(to.chunks_mut(to_block)) {
        work(from, to, &mut gathered);
    }
}

/// One row of the cells below each place of each image; cells outside of it are 0.
fn gather<'a>(
    geometry: &ImageGeometry,
    images: &'a [f32],
    gathered: &'a mut Vec<f32>,
) -> &'a [f32] {
    if geometry.is_whole() {
        return images;
    }
    let (places, depth) = (geometry.places, geometry.depth());
    gathered.clear();
    gathered.resize(images.len() / geometry.image() * places * places * depth, 0.0);
    let rows = gathered.chunks_exact_mut(places * places * depth);
    for (image, rows) in images.chunks_exact(geometry.image()).zip(rows) {
        for (place, row) in rows.chunks_exact_mut(depth).enumerate() {
            for (from, to, cells) in geometry.runs(place / places, place % places) {
                row[to..to + cells].copy_from_slice(&image[from..from + cells]);
            }
        }
    }
    gathered
}

/// Adds each gathered row to the cells below its place: the transpose of [`gather`].
fn scatter(geometry: &ImageGeometry, gathered: &[f32], images: &mut [f32]) {
    let (places, depth) = (geometry.places, geometry.depth());
    images.fill(0.0);
    let rows = gathered.chunks_exact(places * places * depth);
    for (image, rows) in images.chunks_exact_mut(geometry.image()).zip(rows) {
        for (place, row) in rows.chunks_exact(depth).enumerate() {
            for (to, from, cells) in geometry.runs(place / places, place % places) {
                add(&mut image[to..to + cells], &row[from..from + cells]);
            }
        }
    }
}

vectorised! {
    fn add(sums: &mut [f32], cells: &[f32]) {
        for (sum, &cell) in sums.iter_mut().zip(cells) {
            *sum += cell;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kernels of both implementations of table-GAN, remainders and paddings among them.
    const CASES: [ImageGeometry; 5] = [
        geometry(8, 4, 4, 2, 1),
        geometry(5, 3, 5, 2, 2),
        geometry(4, 2, 5, 2, 1),
        geometry(3, 1, 3, 1, 0),
        geometry(1, 1, 1, 1, 0),
    ];

    const fn geometry(
        side: usize,
        places: usize,
        kernel: usize,
        stride: usize,
        before: usize,
    ) -> ImageGeometry {
        ImageGeometry { side, channels: 3, places, outputs: 5, kernel, stride, before }
    }

    /// Small whole numbers, so that sums are exact in any order.
    fn whole(count: usize, salt: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 7 + salt * 5) % 11) as f32 - 5.0).collect()
    }

    /// Each pair of an image's cell and a place's cell with the cell of the weight between them.
    fn pairs(g: &ImageGeometry) -> Vec<(usize, usize, usize)> {
        let mut pairs = Vec::new();
        for (place, y, x) in (0..g.places * g.places)
            .flat_map(|place| (0..g.side * g.side).map(move |at| (place, at / g.side, at % g.side)))
        {
            let (down, right) = (place / g.places * g.stride, place % g.places * g.stride);
            let (Some(row), Some(column)) =
                ((y + g.before).checked_sub(down), (x + g.before).checked_sub(right))
            else {
                continue;
            };
            if row >= g.kernel || column >= g.kernel {
                continue;
            }
            for (channel, output) in
                (0..g.channels).flat_map(|c| (0..g.outputs).map(move |o| (c, o)))
            {
                let below = (row * g.kernel + column) * g.channels + channel;
                let image = (y * g.side + x) * g.channels + channel;
                pairs.push((image, below * g.outputs + output, place * g.outputs + output));
            }
        }
        pairs
    }

    #[test]
    fn all_three_products_are_their_sums() {
        for g in CASES {
            let (batch, pairs) = (7, pairs(&g));
            let images = whole(batch * g.image(), 1);
            let weight = whole(g.depth() * g.outputs, 2);
            let placed = whole(batch * g.placed(), 3);
            let mut exact = [vec![0.0; placed.len()], vec![0.0; images.len()], weight.clone()];
            exact[2].fill(0.0);
            for row in 0..batch {
                for &(image, between, place) in &pairs {
                    let (image, place) = (row * g.image() + image, row * g.placed() + place);
                    exact[0][place] += images[image] * weight[between];
                    exact[1][image] += placed[place] * weight[between];
                    exact[2][between] += images[image] * placed[place];
                }
            }
            for threads in [1, 2, 3] {
                let mut ours = exact.clone().map(|cells| vec![f32::NAN; cells.len()]);
                convolve(&g, &images, &weight, &mut ours[0], threads);
                convolve_back(&g, &placed, &weight, &mut ours[1], threads);
                weight_gradient(&g, &images, &placed, &mut ours[2], threads);
                assert_eq!(ours, exact, "{g:?} on {threads} threads");
            }
        }
    }

    #[test]
    fn threads_change_no_bit_of_a_large_batch() {
        let g = ImageGeometry { channels: 32, outputs: 48, ..geometry(8, 4, 4, 2, 1) };
        let broken = |count, salt| {
            let shift = |(at, x): (usize, f32)| 0.1 * x + (at % 97) as f32 * 1e-3;
            whole(count, salt).into_iter().enumerate().map(shift).collect::<Vec<f32>>()
        };
        let batch = 203;
        let images = broken(batch * g.image(), 1);
        let weight = broken(g.depth() * g.outputs, 2);
        let placed = broken(batch * g.placed(), 3);
        let run = |threads| {
            let mut out = [placed.clone(), images.clone(), weight.clone()];
            convolve(&g, &images, &weight, &mut out[0], threads);
            convolve_back(&g, &placed, &weight, &mut out[1], threads);
            weight_gradient(&g, &images, &placed, &mut out[2], threads);
            out.concat().into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let one = run(1);
        for threads in [2, 3, 8] {
            assert!(one == run(threads), "{threads} threads");
        }
    }
}
