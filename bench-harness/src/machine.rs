//! What the numbers were measured on.

use serde::{Deserialize, Serialize};

/// The machine of a run, as far as the system tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system.
    pub os: String,
    /// Processor family.
    pub arch: String,
    /// Name of the processor.
    pub processor: Option<String>,
    /// Threads that run at the same time.
    pub cores: usize,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
}

/// Threads that run at the same time, at least 1.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        let kilobytes = first_number("/proc/meminfo", "MemTotal");
        Self {
            os: std::env::consts::OS.into(),
            arch: std::env::consts::ARCH.into(),
            processor: field("/proc/cpuinfo", "model name"),
            cores: cores(),
            memory_bytes: kilobytes.map(|kilobytes| kilobytes * 1024),
        }
    }
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn first_number(file: &str, name: &str) -> Option<u64> {
    field(file, name)?.split_whitespace().next()?.parse().ok()
}
