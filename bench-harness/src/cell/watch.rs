use crate::curves::{Curve, Curves};
use meg_core::{Control, Event, Observer, Phase};

/// Passes everything on and remembers what belongs into the record.
pub(crate) struct Watch<'a> {
    inner: &'a mut dyn Observer,
    pub(super) phase: Phase,
    pub(super) notes: Vec<String>,
    drawn: u64,
    kept: u64,
    curves: Curves,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(inner: &'a mut dyn Observer) -> Self {
        Self {
            inner,
            phase: Phase::Load,
            notes: Vec::new(),
            drawn: 0,
            kept: 0,
            curves: Curves::default(),
        }
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.event(&Event::Start { phase, total: None });
    }

    /// The curves of the training, which are then gone.
    pub(crate) fn curves(&mut self) -> Vec<Curve> {
        std::mem::take(&mut self.curves).finish()
    }

    pub(super) fn acceptance(&self) -> Option<f64> {
        (self.drawn > 0).then(|| self.kept as f64 / self.drawn as f64)
    }
}

impl Observer for Watch<'_> {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { phase, .. } => self.phase = *phase,
            Event::Acceptance { drawn, kept } => {
                self.drawn += drawn;
                self.kept += kept;
            }
            Event::Note { text } => self.notes.push((*text).to_owned()),
            _ => {}
        }
        self.curves.hear(event);
        self.inner.event(event);
    }

    fn control(&mut self) -> Control {
        self.inner.control()
    }
}
