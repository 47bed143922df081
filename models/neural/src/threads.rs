use meg_core::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;

/// The threads of one training: a pool of its own, or none for a single thread.
///
/// Work that is split here must give the same bytes however it is split, so that the number of
/// threads never shows in a result. Idle threads sleep; they do not spin beside other work.
#[derive(Debug, Clone)]
pub struct Threads {
    pool: Option<Arc<ThreadPool>>,
}

impl Threads {
    /// `count` threads; 0 counts as 1.
    ///
    /// # Errors
    /// [`Error::Request`] when the operating system refuses to start a thread.
    pub fn new(count: usize) -> Result<Self> {
        let refused = |error| {
            Error::Request(format!("{count} threads cannot be started, ask for fewer: {error}"))
        };
        let pool = || ThreadPoolBuilder::new().num_threads(count).build().map_err(refused);
        let pool = (count > 1).then(pool).transpose()?.map(Arc::new);
        Ok(Self { pool })
    }

    /// Number of threads.
    pub fn count(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// Runs both, at the same time where there are threads for it.
    pub fn join<A: Send, B: Send>(
        &self,
        first: impl FnOnce() -> A + Send,
        second: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        match &self.pool {
            None => {
                let first = first();
                (first, second())
            }
            Some(pool) => pool.join(first, second),
        }
    }
}
