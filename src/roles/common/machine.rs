//! Facts about this machine, read from the kernel.

use ribbit_state::sync::MutexExt;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Returns the host name, or an empty string if the machine has none.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_string()
}

/// Returns the boot id, which is the same for all processes on one machine.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or(String::new(), |id| id.trim().to_string())
}

/// Load average of the last minute, read again when the kernel has a new one.
#[derive(Debug, Default)]
pub(crate) struct LoadAverage {
    /// When it was read, and its value in hundredths.
    read: Mutex<Option<(Instant, u32)>>,
}

impl LoadAverage {
    /// Interval at which the kernel computes it.
    const EVERY: Duration = Duration::from_secs(5);

    /// Returns the load average in hundredths, or 0 if the kernel does not tell it.
    pub(crate) fn hundredths(&self) -> u32 {
        let mut read = self.read.locked();
        match *read {
            Some((at, hundredths)) if at.elapsed() < Self::EVERY => hundredths,
            _ => {
                let hundredths = load_hundredths();
                *read = Some((Instant::now(), hundredths));
                hundredths
            }
        }
    }
}

fn load_hundredths() -> u32 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    // "0.52 0.58 …"
    let load = text.split(' ').next().unwrap_or_default();
    load.replace('.', "").parse().unwrap_or_default()
}

/// Returns the wall clock in milliseconds since 1970; 0 if it is set to an earlier time.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}
