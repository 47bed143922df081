//! Progress for people: bars on a terminal, now and then a line elsewhere.

use super::interrupt;
use super::output;
use bench_harness::cell::Job;
use bench_harness::message::Message;
use bench_harness::record::Record;
use bench_harness::run::Watcher;
use bench_harness::units::show_seconds;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use meg_core::{Control, Event, Observer};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Without a terminal, a piece of work speaks this often.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Where progress goes.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    style: Style,
    bars: MultiProgress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Bars,
    Lines,
    Quiet,
}

/// One piece of work with progress; also the observer of work in this process.
#[derive(Debug)]
pub(crate) struct Task {
    progress: Progress,
    title: String,
    bar: Option<ProgressBar>,
    phase: String,
    total: Option<u64>,
    began: Instant,
    spoke: Instant,
    drawn: u64,
    kept: u64,
}

impl Progress {
    /// Of the style that fits stderr.
    pub(crate) fn new(quiet: bool) -> Self {
        let style = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Style::Quiet,
            (false, true) => Style::Bars,
            (false, false) => Style::Lines,
        };
        Self { style, bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()) }
    }

    /// Begins a piece of work.
    pub(crate) fn task(&self, title: &str) -> Task {
        let bar = (self.style == Style::Bars).then(|| {
            let bar = self.bars.add(ProgressBar::no_length());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Task {
            progress: self.clone(),
            title: title.to_owned(),
            bar,
            phase: String::new(),
            total: None,
            began: Instant::now(),
            spoke: Instant::now(),
            drawn: 0,
            kept: 0,
        }
    }

    /// A lasting line, above the bars.
    pub(crate) fn line(&self, text: &str) {
        match self.style {
            Style::Quiet => {}
            Style::Lines => output::complain(text),
            Style::Bars => self.bars.suspend(|| output::complain(text)),
        }
    }
}

impl Task {
    /// Takes note of a message.
    pub(crate) fn hear(&mut self, message: &Message) {
        match message {
            Message::Start { phase, total } => self.enter(phase, *total),
            Message::Step { phase, done, values } => {
                if *phase != self.phase {
                    self.enter(phase, None);
                }
                self.step(*done, values);
            }
            Message::Acceptance { drawn, kept } => {
                self.drawn += drawn;
                self.kept += kept;
            }
            Message::Note { text } => self.progress.line(&format!("{}: {text}", self.title)),
            Message::End { .. } | Message::Record { .. } => {}
        }
    }

    /// Rows drawn and kept by rejection so far.
    pub(crate) fn acceptance(&self) -> Option<(u64, u64)> {
        (self.drawn > 0).then_some((self.drawn, self.kept))
    }

    fn enter(&mut self, phase: &str, total: Option<u64>) {
        phase.clone_into(&mut self.phase);
        self.total = total;
        self.began = Instant::now();
        if let Some(bar) = &self.bar {
            bar.set_style(bar_style(total.is_some()));
            bar.set_prefix(format!("{}: {phase}", self.title));
            bar.set_message("");
            bar.set_length(total.unwrap_or(0));
            bar.reset();
        }
    }

    fn step(&mut self, done: u64, values: &[(String, Option<f64>)]) {
        let values: Vec<String> = values
            .iter()
            .map(|(name, value)| match value {
                Some(value) => format!("{name} {value:.3}"),
                None => format!("{name} NaN"),
            })
            .collect();
        let values = values.join(", ");
        if let Some(bar) = &self.bar {
            if self.total.is_some_and(|total| done > total) {
                bar.set_style(bar_style(false));
                bar.set_message(self.place(done));
            } else {
                bar.set_position(done);
                bar.set_message(values);
            }
        } else if self.spoke.elapsed() >= LINE_INTERVAL {
            self.spoke = Instant::now();
            let comma = if values.is_empty() { "" } else { ", " };
            let line =
                format!("{}: {} {}{comma}{values}", self.title, self.phase, self.place(done));
            self.progress.line(&line);
        }
    }

    fn place(&self, done: u64) -> String {
        match self.total {
            None => done.to_string(),
            // Rows are drawn until enough of them meet the conditions: nobody knows how many.
            Some(total) if done > total => format!("{done} rows drawn for the {total} asked for"),
            Some(total) => {
                let left = total.saturating_sub(done) as f64 / done.max(1) as f64;
                let seconds = self.began.elapsed().as_secs_f64() * left;
                format!("{done}/{total}, {} left", show_seconds(seconds))
            }
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Task {
    fn event(&mut self, event: &Event<'_>) {
        if let Some(message) = Message::of(event) {
            self.hear(&message);
        }
    }

    fn control(&mut self) -> Control {
        if interrupt::requested() { Control::Abort } else { Control::Continue }
    }
}

/// The progress of a benchmark: a task per running cell and a count of all.
#[derive(Debug)]
pub(crate) struct Cells {
    progress: Progress,
    state: Mutex<State>,
    total: usize,
}

#[derive(Debug)]
struct State {
    tasks: HashMap<String, (Task, Instant)>,
    done: usize,
    reused: usize,
}

impl Cells {
    /// For so many cells.
    pub(crate) fn new(progress: Progress, total: usize) -> Self {
        let state = State { tasks: HashMap::new(), done: 0, reused: 0 };
        Self { progress, state: Mutex::new(state), total }
    }

    /// Cells that an earlier run had computed.
    pub(crate) fn reused(&self) -> usize {
        self.with(|state| state.reused)
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watcher for Cells {
    fn started(&self, job: &Job) {
        let task = self.progress.task(&job.title());
        self.with(|state| state.tasks.insert(job.title(), (task, Instant::now())));
    }

    fn heard(&self, job: &Job, message: &Message) {
        self.with(|state| {
            if let Some((task, _)) = state.tasks.get_mut(&job.title()) {
                task.hear(message);
            }
        });
    }

    fn finished(&self, job: &Job, record: &Record, reused: bool) {
        let (done, task) = self.with(|state| {
            state.done += 1;
            state.reused += usize::from(reused);
            (state.done, state.tasks.remove(&job.title()))
        });
        let time = match &task {
            Some((_, began)) => format!(" in {}", show_seconds(began.elapsed().as_secs_f64())),
            None => ", kept from an earlier run".into(),
        };
        drop(task);
        let reason = record.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        let status = record.status.name();
        let total = self.total;
        self.progress.line(&format!("[{done}/{total}] {}: {status}{time}{reason}", job.title()));
    }
}

fn bar_style(known: bool) -> ProgressStyle {
    let template = if known {
        "{prefix} [{bar:24}] {pos}/{len}, {eta} left  {msg}"
    } else {
        "{prefix} {spinner} {elapsed}  {msg}"
    };
    // The templates are constants; a wrong one would show as the plain default.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
