//! What a cell tells its parent process, one JSON line each.

use crate::record::Record;
use meg_core::Event;
use serde::{Deserialize, Serialize};

/// An [`Event`] that can travel, or the end of it all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Message {
    /// A phase begins.
    Start {
        /// Name of the phase.
        phase: String,
        /// Steps to come, where known.
        total: Option<u64>,
    },
    /// Some steps are done.
    Step {
        /// Name of the phase.
        phase: String,
        /// Steps done since it began.
        done: u64,
        /// Losses and sizes; `None` is a value that is not finite, which JSON cannot say.
        values: Vec<(String, Option<f64>)>,
    },
    /// A phase is over.
    End {
        /// Name of the phase.
        phase: String,
    },
    /// A rejection loop is over.
    Acceptance {
        /// Rows drawn.
        drawn: u64,
        /// Rows kept.
        kept: u64,
    },
    /// Something worth knowing.
    Note {
        /// One sentence.
        text: String,
    },
    /// The finished cell.
    Record {
        /// Its line of `cells.jsonl`.
        record: Box<Record>,
    },
}

impl Message {
    /// The travelling form; `None` for events of a later version of the vocabulary.
    pub fn of(event: &Event<'_>) -> Option<Self> {
        Some(match event {
            Event::Start { phase, total } => {
                Message::Start { phase: phase.name().into(), total: *total }
            }
            Event::Step { phase, done, values } => {
                let finite = |value: f64| value.is_finite().then_some(value);
                let values = values.iter().map(|&(name, v)| (name.to_owned(), finite(v))).collect();
                Message::Step { phase: phase.name().into(), done: *done, values }
            }
            Event::End { phase } => Message::End { phase: phase.name().into() },
            Event::Acceptance { drawn, kept } => Message::Acceptance { drawn: *drawn, kept: *kept },
            Event::Note { text } => Message::Note { text: (*text).to_owned() },
            _ => return None,
        })
    }

    /// The phase that it speaks of.
    pub fn phase(&self) -> Option<&str> {
        match self {
            Message::Start { phase, .. } | Message::Step { phase, .. } => Some(phase),
            _ => None,
        }
    }
}
