use super::decode::DecodedRows;
use super::{Encoded, TableEncoder};
use meg_core::{Chunks, Observer, Result, Rng, Seed, Table};

/// Rows that a model draws together.
const CHUNK: usize = 500;

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
        let chunk = |rows, mut rng| {
            let mut encoded = self.blank(rows);
            if encoded.width > 0 {
                rng = fill(&mut encoded, rng)?;
            }
            self.decode_cells(&encoded, &mut rng)
        };
        let mut decoded = DecodedRows::new(self);
        let chunks = Chunks { rows, size: CHUNK, threads, seed };
        chunks.draw(observer, chunk, |cells| decoded.push(cells))?;
        decoded.into_table()
    }
}
