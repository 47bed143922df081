use super::decode::DecodedRows;
use super::{Encoded, TableEncoder};
use meg_core::{Observer, Phase, Result, Rng, Seed, Table, parallel};

/// Rows that a model draws together.
const CHUNK: usize = 500;
/// Chunks between two words to the observer, for each thread.
const CHUNKS_PER_THREAD: usize = 8;

impl TableEncoder {
    /// Rows that [`TableEncoder::draw`] asks for at once, at most.
    pub const CHUNK: usize = CHUNK;

    /// A table of rows that a model draws in its encoded form, at most [`TableEncoder::CHUNK`] at
    /// once: `fill` gets blank rows and the random stream of their chunk, and gives the stream back
    /// for decoding. The stream follows from `seed` and the chunk's position, so that rows do not
    /// depend on how many threads share the chunks. A table without units is decoded unfilled.
    ///
    /// # Errors
    /// Those of `fill`, an interrupt by the observer, and a data error when a cell breaks a rule
    /// of the schema.
    pub fn draw(
        &self,
        rows: usize,
        seed: Seed,
        threads: usize,
        observer: &mut dyn Observer,
        fill: impl Fn(&mut Encoded, Rng) -> Result<Rng> + Sync,
    ) -> Result<Table> {
        let chunk = |at: usize| {
            let mut rng = seed.stream(&format!("chunk/{at}"));
            let mut encoded = self.blank(CHUNK.min(rows - at * CHUNK));
            if encoded.width > 0 {
                rng = fill(&mut encoded, rng)?;
            }
            self.decode_cells(&encoded, &mut rng)
        };
        let mut decoded = DecodedRows::new(self);
        while decoded.rows() < rows {
            let first = decoded.rows() / CHUNK;
            let chunks = (rows.div_ceil(CHUNK) - first).min(threads.max(1) * CHUNKS_PER_THREAD);
            for cells in parallel::map(threads, chunks, |ahead| chunk(first + ahead)) {
                decoded.push(cells?);
            }
            observer.step(Phase::Sample, decoded.rows() as u64, &[])?;
        }
        decoded.into_table()
    }
}
