//! What a process can tell of itself: how long it has run, and how much memory it has in use.

use ribbit_ui::metrics::Process;
use std::sync::OnceLock;
use std::time::Instant;

static STARTED: OnceLock<Instant> = OnceLock::new();

/// Remembers when this process was started.
pub fn started() {
    STARTED.get_or_init(Instant::now);
}

pub fn now() -> Process {
    let uptime_s = STARTED.get_or_init(Instant::now).elapsed().as_secs();
    Process { uptime_s, memory_bytes: memory_bytes().unwrap_or(0) }
}

/// From the kernel; a file of its own that costs no disk.
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
