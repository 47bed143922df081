//! When the phases of a piece of work began and how long they took, and what a training told.

use bench_harness::curves::{Curve, Curves};
use meg_core::{Control, Event, Observer};
use serde::Serialize;
use std::time::Instant;

/// Passes every event on and notes the time of those that begin and end phases.
pub(crate) struct Stopwatch<'a> {
    observer: &'a mut dyn Observer,
    began: Instant,
    phases: Vec<TimedPhase>,
    curves: Curves,
}

/// One phase, as it is written to JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TimedPhase {
    /// Name.
    phase: &'static str,
    /// Seconds from the start of the work to that of the phase.
    begins: f64,
    /// Seconds from its start to its end, or to its last step where no end was told.
    seconds: f64,
    /// Steps done.
    steps: u64,
}

impl<'a> Stopwatch<'a> {
    /// Starts now.
    pub(crate) fn new(observer: &'a mut dyn Observer) -> Self {
        Self { observer, began: Instant::now(), phases: Vec::new(), curves: Curves::default() }
    }

    /// Seconds so far.
    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The phases in the order in which they began, and the curves of the training.
    pub(crate) fn finish(self) -> (Vec<TimedPhase>, Vec<Curve>) {
        (self.phases, self.curves.finish())
    }

    fn last(&mut self, name: &str) -> Option<&mut TimedPhase> {
        self.phases.iter_mut().rev().find(|phase| phase.phase == name)
    }
}

impl Observer for Stopwatch<'_> {
    fn event(&mut self, event: &Event<'_>) {
        let now = self.seconds();
        match event {
            Event::Start { phase, .. } => {
                let phase = phase.name();
                self.phases.push(TimedPhase { phase, begins: now, seconds: 0.0, steps: 0 });
            }
            Event::Step { phase, done, .. } => {
                if let Some(timed) = self.last(phase.name()) {
                    (timed.seconds, timed.steps) = (now - timed.begins, *done);
                }
            }
            Event::End { phase } => {
                if let Some(timed) = self.last(phase.name()) {
                    timed.seconds = now - timed.begins;
                }
            }
            _ => {}
        }
        self.curves.hear(event);
        self.observer.event(event);
    }

    fn control(&mut self) -> Control {
        self.observer.control()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Phase, Silent};

    #[test]
    fn phases_follow_each_other_and_count_their_steps() {
        let mut silent = Silent;
        let mut watch = Stopwatch::new(&mut silent);
        for (phase, steps) in [(Phase::Encode, 2), (Phase::Train, 3)] {
            watch.event(&Event::Start { phase, total: None });
            (1..=steps).for_each(|done| watch.event(&Event::Step { phase, done, values: &[] }));
            watch.event(&Event::End { phase });
        }
        let seconds = watch.seconds();
        let (phases, curves) = watch.finish();
        assert!(curves.is_empty(), "steps without values have no curve");
        assert_eq!(phases.iter().map(|timed| timed.steps).collect::<Vec<_>>(), [2, 3]);
        assert!(phases[1].begins >= phases[0].begins + phases[0].seconds);
        assert!(phases[1].begins + phases[1].seconds <= seconds);
    }
}
