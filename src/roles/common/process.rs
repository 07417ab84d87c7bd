//! Uptime, memory usage and disk writes of this process.

use ribbit_ui::metrics::ProcessMetrics;
use std::sync::OnceLock;
use std::time::Instant;

static STARTED: OnceLock<Instant> = OnceLock::new();

/// Records the start time of this process.
pub(crate) fn started() {
    STARTED.get_or_init(Instant::now);
}

/// Returns the current uptime, memory usage and bytes written to disks.
pub(crate) fn now() -> ProcessMetrics {
    let uptime_s = STARTED.get_or_init(Instant::now).elapsed().as_secs();
    let memory_bytes = figure("/proc/self/status", "VmRSS:").map_or(0, |kilobytes| kilobytes * 1_024);
    ProcessMetrics {
        uptime_s,
        memory_bytes,
        written_bytes: figure("/proc/self/io", "write_bytes:").unwrap_or(0),
    }
}

/// Returns the number behind a name in a file of `/proc`, which costs no disk access.
fn figure(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_some_memory() {
        assert!(now().memory_bytes > 100_000);
    }
}
