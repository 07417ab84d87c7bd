//! Integration with systemd: environment variables, the notification socket and inherited file descriptors. Any service
//! manager with the same protocol works. Without the variables, nothing here has an effect or a cost.
//!
//! ```text
//!   LISTEN_FDS ──▶ sockets::inherited                 a listener that is open already
//!   STATE_DIRECTORY, RUNTIME_DIRECTORY ──▶ here       folders for persistent and temporary files
//!   NOTIFY_SOCKET ◀── notify: READY, STATUS, STOPPING, EXTEND_TIMEOUT_USEC
//!   WATCHDOG_USEC ──▶ watchdog ──▶ notify: WATCHDOG
//! ```
//!
//! `CREDENTIALS_DIRECTORY` is read by `cli`, which locates the cluster file. Only this process may notify the service
//! manager: its children are started without the variables ([`FOR_THIS_PROCESS`]).

pub(crate) mod notify;
pub(crate) mod sockets;
pub(crate) mod watchdog;

use std::path::PathBuf;

/// Variables for this process only; children that inherit them would speak in its name.
pub(crate) const FOR_THIS_PROCESS: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// Returns the value of a variable; `None` if it is unset or empty.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns whether the variable holds another process's pid: the settings that go with it are for a parent process then.
fn is_for_another(pid_variable: &str) -> bool {
    set(pid_variable).is_some_and(|pid| pid != std::process::id().to_string())
}

/// Returns the unit's folder for persistent data, the first of `StateDirectory=`.
pub(crate) fn state_directory() -> Option<PathBuf> {
    first_of(std::env::var_os("STATE_DIRECTORY")?.to_str()?)
}

/// Returns the unit's folder for temporary data, the first of `RuntimeDirectory=`.
pub(crate) fn runtime_directory() -> Option<PathBuf> {
    first_of(std::env::var_os("RUNTIME_DIRECTORY")?.to_str()?)
}

/// Returns the first of several folders, which are separated by colons. systemd sets absolute paths only, so a relative one
/// is ignored.
fn first_of(folders: &str) -> Option<PathBuf> {
    let first = folders.split(':').next().map(PathBuf::from);
    first.filter(|folder| folder.is_absolute())
}

/// Reports for a role without a store that it is ready, then sends keep-alives as long as the caller's future and the
/// sockets' thread both make progress. Never completes.
pub(crate) async fn serving(words: impl Fn() -> String) {
    notify::ready().await;
    smol::future::zip(notify::keep_status(words), watchdog::feed(|| Ok(()))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_counts() {
        assert_eq!(first_of("/var/lib/ribbit:/var/lib/other"), Some(PathBuf::from("/var/lib/ribbit")));
        assert_eq!(first_of(""), None);
        assert_eq!(first_of("ribbit"), None);
    }
}
