use meg_core::{Error, Result};
use std::panic::resume_unwind;
use std::thread::{Builder, scope};

/// Stack of the threads of [`on_deep_stack`]. Pages that are never touched cost nothing.
pub const DEEP_STACK_BYTES: usize = 64 << 20;

/// Runs work on a thread of its own with a stack of [`DEEP_STACK_BYTES`], and waits for it.
///
/// candle walks its graph by recursion, backwards and when it is dropped: some 16 000 operations
/// in a row overflow the 2 MiB of an ordinary thread, which ends the process. Starting a thread
/// costs some 20 microseconds; an update through candle costs thousands. What the work returns must
/// not hold the graph, or the graph is dropped on the caller's stack.
///
/// # Errors
/// [`Error::Tensor`] when the system gives no such thread.
///
/// # Panics
/// When the work panics.
pub fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    scope(|threads| {
        let thread = Builder::new().name("training".into()).stack_size(DEEP_STACK_BYTES);
        let running = thread.spawn_scoped(threads, work).map_err(|error| {
            Error::Tensor(format!(
                "no thread with a stack of {} MiB could be started: {error}",
                DEEP_STACK_BYTES >> 20
            ))
        })?;
        Ok(running.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// A chain of additions as deep as a long recurrent network's: its gradient is exact, and far
    /// beyond what the test's own thread could walk.
    #[test]
    fn a_graph_of_40_000_operations_is_walked() {
        let gradient = on_deep_stack(|| -> candle_core::Result<f32> {
            let weight = Var::new(2f32, &Device::Cpu)?;
            let mut sum = weight.as_tensor().clone();
            for _ in 0..40_000 {
                sum = (sum + 1.0)?;
            }
            let square = sum.sqr()?;
            let store = square.backward()?;
            store.get(&weight).expect("the weight takes part").to_scalar()
        });
        assert_eq!(gradient.unwrap().unwrap(), 2.0 * 40_002.0);
    }

    #[test]
    fn a_panic_of_the_work_is_the_callers() {
        let caught = std::panic::catch_unwind(|| on_deep_stack(|| panic!("the work's words")));
        let words = caught.unwrap_err();
        assert_eq!(words.downcast_ref::<&str>(), Some(&"the work's words"));
    }
}
