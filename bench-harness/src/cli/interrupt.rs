//! Ctrl-C: the first one asks, the second one insists.

use meg_core::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};

/// Raised by the first signal; long work looks at it.
pub(crate) static STOP: AtomicBool = AtomicBool::new(false);

/// Begins to listen for signals.
pub(crate) fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            // Asked twice: whoever does not look at the flag has had the chance.
            std::process::exit(6);
        }
    })
    .map_err(|error| Error::Request(format!("signals cannot be listened to: {error}")))
}

/// Whether somebody asked to stop.
pub(crate) fn requested() -> bool {
    STOP.load(Ordering::Relaxed)
}
