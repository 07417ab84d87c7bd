//! Uptime and memory usage of this process.

use ribbit_ui::metrics::ProcessMetrics;
use std::sync::OnceLock;
use std::time::Instant;

static STARTED: OnceLock<Instant> = OnceLock::new();

/// Records the start time of this process.
pub(crate) fn started() {
    STARTED.get_or_init(Instant::now);
}

/// Returns the current uptime and memory usage.
pub(crate) fn now() -> ProcessMetrics {
    let uptime_s = STARTED.get_or_init(Instant::now).elapsed().as_secs();
    ProcessMetrics { uptime_s, memory_bytes: memory_bytes().unwrap_or(0) }
}

/// Returns the resident set size from `/proc`, which costs no disk access.
fn memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_some_memory() {
        assert!(now().memory_bytes > 100_000);
    }
}
