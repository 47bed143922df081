//! Work on many things that do not share anything, on several threads.

use std::sync::Mutex;

/// Applies `work` to each item, with one scratch space per thread. Results do not depend on the
/// number of threads as long as `work` leaves nothing behind in the scratch space.
///
/// # Panics
/// When `work` panics.
pub(crate) fn each<S: Send, T: Send>(
    scratch: &mut [S],
    items: &mut [T],
    work: impl Fn(&mut S, usize, &mut T) + Sync,
) {
    if scratch.len() <= 1 || items.len() <= 1 {
        let scratch = scratch.first_mut().expect("there is a thread");
        items.iter_mut().enumerate().for_each(|(at, item)| work(scratch, at, item));
        return;
    }
    // From the end: later generators see more columns, and long work should start first.
    let queue = Mutex::new(items.iter_mut().enumerate().rev());
    let next = || queue.lock().expect("no thread panics while it holds the lock").next();
    let run = |scratch: &mut S| {
        while let Some((at, item)) = next() {
            work(scratch, at, item);
        }
    };
    let (own, others) = scratch.split_first_mut().expect("there are several threads");
    std::thread::scope(|scope| {
        for scratch in others {
            scope.spawn(|| run(scratch));
        }
        run(own);
    });
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_item_is_worked_on_once() {
        for threads in [1, 2, 5] {
            let mut items: Vec<usize> = vec![0; 100];
            super::each(&mut vec![(); threads], &mut items, |(), at, item| *item += at);
            assert!(items.iter().enumerate().all(|(at, &item)| item == at));
        }
    }
}
