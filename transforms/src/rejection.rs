//! Waiting for rows where a model inside may wait for rows, too.

use meg_core::{
    Control, Event, Observer, Phase, Rejection, Result, SampleContext, SampleRequest, Table,
    sample_by_rejection,
};
use std::cell::Cell;

/// Waits for rows that meet the conditions. The inner model may do the same for conditions of its
/// own; the acceptance rate that is told is that of both together.
pub(crate) fn by_rejection(
    request: &SampleRequest,
    ctx: &mut SampleContext<'_>,
    mut draw: impl FnMut(usize, &mut SampleContext<'_>) -> Result<Table>,
) -> Result<Table> {
    let drawn = Cell::new(0);
    let (threads, rng) = (ctx.threads, &mut ctx.rng);
    let mut outer = Outer { observer: ctx.observer, drawn: &drawn };
    sample_by_rejection(request, Rejection::default(), &mut outer, |rows, observer| {
        let mut inner = Inner { observer, drawn: &drawn };
        let mut ctx = SampleContext { rng: rng.clone(), threads, observer: &mut inner };
        let table = draw(rows, &mut ctx);
        *rng = ctx.rng;
        table
    })
}

/// Keeps the inner acceptance, beginnings and ends to itself.
struct Inner<'a> {
    observer: &'a mut dyn Observer,
    drawn: &'a Cell<u64>,
}

impl Observer for Inner<'_> {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Acceptance { drawn, .. } => self.drawn.set(self.drawn.get() + drawn),
            Event::Start { phase: Phase::Sample, .. } | Event::End { phase: Phase::Sample } => {}
            other => self.observer.event(other),
        }
    }

    fn control(&mut self) -> Control {
        self.observer.control()
    }
}

/// Tells of all rows that were drawn, the inner ones included.
struct Outer<'a> {
    observer: &'a mut dyn Observer,
    drawn: &'a Cell<u64>,
}

impl Observer for Outer<'_> {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Acceptance { drawn, kept } => {
                let drawn = (*drawn).max(self.drawn.get());
                self.observer.event(&Event::Acceptance { drawn, kept: *kept });
            }
            other => self.observer.event(other),
        }
    }

    fn control(&mut self) -> Control {
        self.observer.control()
    }
}
