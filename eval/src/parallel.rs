//! Work in threads, with the same result at any number of them.

use std::sync::atomic::{AtomicUsize, Ordering};

/// `work(0), work(1), ...` in order. The items are dealt out one by one, so uneven ones balance;
/// no result depends on which thread made it.
pub(crate) fn map<T: Send>(
    threads: usize,
    items: usize,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let threads = threads.clamp(1, items.max(1));
    if threads == 1 {
        return (0..items).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let item = next.fetch_add(1, Ordering::Relaxed);
            if item >= items {
                return done;
            }
            done.push((item, work(item)));
        }
    };
    let mut results: Vec<(usize, T)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
        let mut results = take();
        for handle in handles {
            match handle.join() {
                Ok(more) => results.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_unstable_by_key(|(item, _)| *item);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_are_in_order_at_any_number_of_threads() {
        for threads in [0, 1, 2, 5, 100] {
            let squares = super::map(threads, 50, |item| item * item);
            assert!(squares.iter().enumerate().all(|(item, square)| *square == item * item));
        }
        assert!(super::map(4, 0, |item| item).is_empty());
    }
}
