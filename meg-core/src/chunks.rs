use crate::{Observer, Phase, Result, Rng, Seed, parallel};

/// Chunks between two words to the observer, for each thread.
const CHUNKS_PER_THREAD: usize = 8;

/// Rows that a model draws chunk by chunk.
///
/// Each chunk has a random stream that follows from `seed` and its position, so that rows do not
/// depend on how many threads share the chunks.
#[derive(Debug, Clone, Copy)]
pub struct Chunks {
    /// Rows in all.
    pub rows: usize,
    /// Rows of a chunk; the last one may have fewer.
    pub size: usize,
    /// Threads that share the chunks.
    pub threads: usize,
    /// Where the streams come from.
    pub seed: Seed,
}

impl Chunks {
    /// Hands what `draw` makes of each chunk (its rows and its stream) to `keep`, in order, and
    /// tells the observer how many rows are done.
    ///
    /// # Errors
    /// The first one of `draw`, and an interrupt by the observer.
    pub fn draw<T: Send>(
        self,
        observer: &mut dyn Observer,
        draw: impl Fn(usize, Rng) -> Result<T> + Sync,
        mut keep: impl FnMut(T),
    ) -> Result<()> {
        let chunks = self.rows.div_ceil(self.size);
        let together = self.threads.max(1) * CHUNKS_PER_THREAD;
        for first in (0..chunks).step_by(together) {
            let count = together.min(chunks - first);
            let drawn = parallel::map(self.threads, count, |ahead| {
                let at = first + ahead;
                let rows = self.size.min(self.rows - at * self.size);
                draw(rows, self.seed.stream(&format!("chunk/{at}")))
            });
            for part in drawn {
                keep(part?);
            }
            let done = self.rows.min((first + count) * self.size);
            observer.step(Phase::Sample, done as u64, &[])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Control, Error, Event, Silent};
    use rand::RngCore;

    fn drawn(rows: usize, threads: usize) -> Vec<u64> {
        let chunks = Chunks { rows, size: 3, threads, seed: Seed(1) };
        let mut kept = Vec::new();
        let draw = |rows, mut rng: Rng| Ok((0..rows).map(|_| rng.next_u64()).collect::<Vec<_>>());
        chunks.draw(&mut Silent, draw, |part| kept.extend(part)).unwrap();
        kept
    }

    #[test]
    fn threads_change_nothing_and_chunks_differ() {
        for rows in [0, 1, 3, 100] {
            let one = drawn(rows, 1);
            assert_eq!(one.len(), rows);
            assert_eq!(one, drawn(rows, 4));
        }
        let many = drawn(100, 2);
        assert_ne!(many[..3], many[3..6]);
    }

    #[test]
    fn an_error_and_an_interrupt_end_it() {
        struct Impatient(u64);
        impl Observer for Impatient {
            fn event(&mut self, event: &Event<'_>) {
                if let Event::Step { done, .. } = event {
                    self.0 = *done;
                }
            }
            fn control(&mut self) -> Control {
                Control::Abort
            }
        }
        let chunks = Chunks { rows: 100, size: 3, threads: 1, seed: Seed(1) };
        let mut observer = Impatient(0);
        let ended = chunks.draw(&mut observer, |_, _| Ok(()), |()| {});
        assert!(matches!(ended, Err(Error::Interrupted)));
        assert_eq!(observer.0, 24);
        let failing = |rows, _| if rows < 3 { Err(Error::data("short")) } else { Ok(()) };
        let ended = chunks.draw(&mut Silent, failing, |()| {});
        assert!(ended.unwrap_err().to_string().contains("short"));
    }
}
