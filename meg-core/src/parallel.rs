//! Spreading independent work over threads without any effect on the result.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};

/// Applies `work` to each position below `count`, on up to `threads` threads, and returns the
/// results in order. The result does not depend on the number of threads.
///
/// # Panics
/// When `work` panics.
pub fn map<R: Send>(threads: usize, count: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    if threads <= 1 || count <= 1 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    let result = work(at);
                    done.lock()
                        .expect("no thread panics while it holds the lock")
                        .push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread panics while it holds the lock");
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// As [`map`], but hands each result to `take` on the calling thread, in order and as soon as those
/// before it are there: word to an observer while the other threads work on.
///
/// # Errors
/// The first error of `take`; positions that nobody has begun then are left out.
///
/// # Panics
/// When `work` panics.
pub fn map_in_order<R: Send, E>(
    threads: usize,
    count: usize,
    work: impl Fn(usize) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    if threads <= 1 || count <= 1 {
        return (0..count).try_for_each(|at| take(work(at)));
    }
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    // Nobody listens any more once `take` has failed.
                    if at >= count || sender.send((at, work(at))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut taken = 0;
        // The channel also closes when a thread panics; leaving the scope passes the panic on.
        for (at, result) in receiver {
            early.insert(at, result);
            while let Some(result) = early.remove(&taken) {
                taken += 1;
                take(result).inspect_err(|_| next.store(count, Ordering::Relaxed))?;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_are_taken_in_order_until_one_is_refused() {
        for threads in [0, 1, 2, 7] {
            let mut taken = Vec::new();
            let end = super::map_in_order(
                threads,
                100,
                |at| at * at,
                |square| {
                    taken.push(square);
                    Ok::<(), ()>(())
                },
            );
            assert_eq!((end, taken), (Ok(()), (0..100).map(|at| at * at).collect()));
            let mut taken = 0;
            let end = super::map_in_order(
                threads,
                100,
                |at| at,
                |at| {
                    taken += 1;
                    if at == 30 { Err("enough") } else { Ok(()) }
                },
            );
            assert_eq!((end, taken), (Err("enough"), 31));
        }
    }

    #[test]
    fn order_does_not_depend_on_threads() {
        let squares: Vec<usize> = (0..100).map(|at| at * at).collect();
        for threads in [0, 1, 2, 7] {
            assert_eq!(super::map(threads, 100, |at| at * at), squares);
        }
    }
}
