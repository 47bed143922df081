//! The number of threads of plain tensor expressions. candle reads it from the environment, once
//! per process, and has a pool of its own that spins while it waits.

use meg_core::{Error, Result};
use std::process::Command;

/// The variables: of the pool that spins, and of matrix products.
const VARIABLES: [&str; 2] = ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"];

/// Makes candle use this many threads: where the environment says otherwise, the program starts
/// anew in this process with the environment set. (A running process cannot change its environment
/// safely.) Call it before any work.
pub(crate) fn obey(threads: usize) -> Result<()> {
    let wanted = threads.to_string();
    let is_set = |name: &&str| std::env::var(name).is_ok_and(|value| value == wanted);
    if VARIABLES.iter().all(is_set) {
        return Ok(());
    }
    let failed = |error: std::io::Error| {
        Error::Request(format!(
            "the number of threads could not be set: {error}\n  help: set {}={wanted} and {}={wanted} in the environment",
            VARIABLES[0], VARIABLES[1]
        ))
    };
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(std::env::args_os().skip(1));
    command.envs(VARIABLES.map(|name| (name, wanted.clone())));
    Err(failed(replace(command)))
}

#[cfg(unix)]
fn replace(mut command: Command) -> std::io::Error {
    use std::os::unix::process::CommandExt;
    command.exec()
}

#[cfg(not(unix))]
fn replace(_command: Command) -> std::io::Error {
    std::io::Error::from(std::io::ErrorKind::Unsupported)
}
