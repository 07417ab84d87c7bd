//! Facts about this machine, read from the kernel.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the host name, or an empty string if the machine has none.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_string()
}

/// Returns the boot id, which is the same for all processes on one machine.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or(String::new(), |id| id.trim().to_string())
}

/// Returns the load average of the last minute, in hundredths.
pub(crate) fn load_hundredths() -> u32 {
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
