//! All cells of a plan, several at a time.

use crate::cell::Job;
use crate::child;
use crate::message::Message;
use crate::record::Record;
use crate::store::{Planned, Store};
use meg_core::Result;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Hears what becomes of the cells; called from several threads.
pub trait Watcher: Sync {
    /// A cell begins.
    fn started(&self, job: &Job) {
        let _ = job;
    }

    /// A cell has something to tell.
    fn heard(&self, job: &Job, message: &Message) {
        let _ = (job, message);
    }

    /// A cell is over; `reused` when an earlier run had computed it.
    fn finished(&self, job: &Job, record: &Record, reused: bool) {
        let _ = (job, record, reused);
    }
}

/// How to run.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// The program that computes cells.
    pub program: &'a Path,
    /// Cells at the same time.
    pub parallel: usize,
    /// Time limit per cell.
    pub timeout: Option<Duration>,
    /// Raised from outside to end the run.
    pub stop: &'a AtomicBool,
}

/// The cells of a plan, in its order.
pub fn planned(jobs: &[Job]) -> Vec<Planned> {
    jobs.iter()
        .map(|job| Planned {
            key: job.key(),
            dataset: job.dataset.clone(),
            model: job.label.clone(),
            seed: job.seed,
        })
        .collect()
}

/// Computes every cell that the store does not have yet, and closes the store. Returns all
/// records of the folder, in plan order.
///
/// # Errors
/// When the store cannot be written. Failed cells are records, not errors.
pub fn run(
    jobs: &[Job],
    store: Store,
    settings: Settings<'_>,
    watcher: &dyn Watcher,
) -> Result<Vec<Record>> {
    let plan = planned(jobs);
    let work = Work {
        jobs,
        plan: &plan,
        settings,
        watcher,
        order: order(jobs),
        next: AtomicUsize::new(0),
        store: Mutex::new(store),
        broken: Mutex::new(None),
    };
    std::thread::scope(|scope| {
        for _ in 0..settings.parallel.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| work.take_cells());
        }
    });
    let broken = work.broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    let records = work.store.into_inner().unwrap_or_else(PoisonError::into_inner).close(&plan);
    match broken {
        Some(error) => Err(error),
        None => records,
    }
}

/// Yardsticks, which take moments, begin before models that train: whoever interrupts a long run
/// has something to compare the rest with. Otherwise the order of the plan. A model without a
/// setting has nothing to train by, and that is all that can be known here of how long a cell takes.
fn order(jobs: &[Job]) -> Vec<usize> {
    let is_yardstick = |job: &Job| job.recipe.as_object().is_none_or(serde_json::Map::is_empty);
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    // The sort is stable.
    order.sort_by_key(|&at| !is_yardstick(&jobs[at]));
    order
}

struct Work<'a> {
    jobs: &'a [Job],
    plan: &'a [Planned],
    /// Places in `jobs`, in the order in which cells begin.
    order: Vec<usize>,
    settings: Settings<'a>,
    watcher: &'a dyn Watcher,
    next: AtomicUsize,
    store: Mutex<Store>,
    broken: Mutex<Option<meg_core::Error>>,
}

impl Work<'_> {
    fn take_cells(&self) {
        while !self.over() {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(&at) = self.order.get(turn) else { return };
            self.cell(&self.jobs[at], &self.plan[at].key);
        }
    }

    fn cell(&self, job: &Job, key: &str) {
        if let Some(record) = self.reusable(job, key) {
            self.watcher.finished(job, &record, true);
            return;
        }
        self.watcher.started(job);
        let Settings { program, timeout, stop, .. } = self.settings;
        let mut hear = |message: &Message| self.watcher.heard(job, message);
        let Some(record) = child::compute(program, job, timeout, stop, &mut hear) else { return };
        self.watcher.finished(job, &record, false);
        if let Err(error) = self.store().append(record) {
            *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }

    fn reusable(&self, job: &Job, key: &str) -> Option<Record> {
        // A sample that was asked for and is not there needs the cell again.
        if job.sample_file.as_ref().is_some_and(|file| !file.exists()) {
            return None;
        }
        self.store().finished(key).cloned()
    }

    fn over(&self) -> bool {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        broken || self.settings.stop.load(Ordering::Relaxed)
    }

    // A panic in another worker leaves the store whole: a record is pushed after it is written.
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::fake::job;

    #[test]
    fn models_without_settings_begin_first_and_the_plan_decides_the_rest() {
        let with = |dataset: &str, recipe: serde_json::Value| Job {
            dataset: dataset.into(),
            recipe,
            ..job()
        };
        let (yardstick, neural) = (serde_json::json!({}), serde_json::json!({"epochs": 3}));
        let jobs = [
            with("a", yardstick.clone()),
            with("a", neural.clone()),
            with("b", yardstick),
            with("b", neural),
        ];
        assert_eq!(order(&jobs), [0, 2, 1, 3]);
    }
}
