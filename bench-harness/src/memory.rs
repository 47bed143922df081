//! Peak memory of this process, per phase.

/// Forgets the peak so far, so that the next [`peak`] speaks of what follows. False where the
/// system offers no such thing; peaks are then unknown, because a peak that may belong to an
/// earlier phase is worse than none.
pub fn reset() -> bool {
    cfg!(target_os = "linux") && std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Largest resident memory in bytes since the last [`reset`].
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Runs a piece of work and measures the peak meanwhile.
pub fn measured<T>(work: impl FnOnce() -> T) -> (T, Option<u64>) {
    let known = reset();
    let value = work();
    (value, if known { peak() } else { None })
}

/// Forbids this process more than so many bytes of data, so that a greedy cell fails instead of
/// the machine. What counts is memory of its own that it may write to (heap, stacks of threads),
/// touched or not; address space that is only reserved and files mapped for reading do not, nor
/// does memory of a device. Linux alone counts mapped memory; other Unix systems may count less.
///
/// # Errors
/// When the system refuses the limit.
#[cfg(unix)]
pub fn limit(bytes: u64) -> std::io::Result<()> {
    rlimit::Resource::DATA.set(bytes, bytes)
}

/// Where there are no such limits, none is set.
///
/// # Errors
/// Always: the limit cannot be kept here.
#[cfg(not(unix))]
pub fn limit(_bytes: u64) -> std::io::Result<()> {
    Err(std::io::Error::other("memory limits need a Unix system"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn peak_sees_an_allocation() {
        let (_, small) = measured(|| ());
        let (_, large) = measured(|| std::hint::black_box(vec![1u8; 64 << 20]).len());
        let (Some(small), Some(large)) = (small, large) else { return };
        assert!(large >= small + (32 << 20), "{small} then {large}");
    }
}
