use crate::{Error, Result};
use std::fmt;

/// Hears everything a long piece of work has to tell, and may ask it to end.
///
/// All methods have defaults, so a new event breaks nobody. Progress bars, event logs and tests
/// are fed by the same events.
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: &Event<'_>) {
        let _ = event;
    }

    /// Asked once per step of a long loop.
    fn control(&mut self) -> Control {
        Control::Continue
    }
}

impl dyn Observer + '_ {
    /// Reports one step and asks whether to go on: `Ok(true)` to go on, `Ok(false)` to finish
    /// with what there is.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the work is to be abandoned.
    pub fn step(
        &mut self,
        phase: Phase,
        done: u64,
        values: &[(&'static str, f64)],
    ) -> Result<bool> {
        self.event(&Event::Step { phase, done, values });
        match self.control() {
            Control::Continue => Ok(true),
            Control::Finish => Ok(false),
            Control::Abort => Err(Error::Interrupted),
        }
    }

    /// Tells the reader something worth knowing that is not an error.
    pub fn note(&mut self, text: &str) {
        self.event(&Event::Note { text });
    }
}

/// What an [`Observer`] wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Stop here and keep what was learned so far: the fit succeeds.
    Finish,
    /// Abandon the work: the fit returns [`Error::Interrupted`].
    Abort,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A phase begins, with its number of steps where that is known.
    Start {
        /// The phase.
        phase: Phase,
        /// Steps to come.
        total: Option<u64>,
    },
    /// Some steps of a phase are done.
    Step {
        /// The phase.
        phase: Phase,
        /// Steps done since the phase began.
        done: u64,
        /// Named values of this step (losses, sizes).
        values: &'a [(&'static str, f64)],
    },
    /// A phase is over.
    End {
        /// The phase.
        phase: Phase,
    },
    /// A rejection loop is over.
    Acceptance {
        /// Rows drawn.
        drawn: u64,
        /// Rows that met the conditions.
        kept: u64,
    },
    /// Something worth knowing that is not an error.
    Note {
        /// One sentence.
        text: &'a str,
    },
}

/// The phases of the work, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Finding and reading data.
    Load,
    /// Fitting transforms and encoding.
    Encode,
    /// Optimisation.
    Train,
    /// Drawing rows.
    Sample,
    /// Computing metrics.
    Evaluate,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Phase; 5] =
        [Phase::Load, Phase::Encode, Phase::Train, Phase::Sample, Phase::Evaluate];

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Load => "load",
            Phase::Encode => "encode",
            Phase::Train => "train",
            Phase::Sample => "sample",
            Phase::Evaluate => "evaluate",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An observer that hears nothing and never interferes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
