//! What systemd tells a unit's process, and hears from it: by variables, a datagram socket and descriptors that are open
//! from the beginning. Another supervisor that speaks the same will do. Without the variables all of it does nothing, and
//! costs nothing.
//!
//! ```text
//!   LISTEN_FDS ──▶ sockets::inherited          a listener that is open already
//!   STATE_DIRECTORY, RUNTIME_DIRECTORY ──▶ here       where what is kept goes, and what is not
//!   NOTIFY_SOCKET ◀── notify: READY, STATUS, STOPPING, EXTEND_TIMEOUT_USEC
//!   WATCHDOG_USEC ──▶ watchdog ──▶ notify: WATCHDOG
//! ```
//!
//! CREDENTIALS_DIRECTORY is read where the cluster file is looked for (`cli`). Who may say anything here is this process
//! alone: its children are started without the variables ([`FOR_THIS_PROCESS`]).

pub mod notify;
pub mod sockets;
pub mod watchdog;

use std::path::PathBuf;

/// What is meant for one process: children would speak in its name.
pub const FOR_THIS_PROCESS: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// A variable that says something.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether what this variable goes with is meant for another process: the one that started this one.
fn is_for_another(pid_variable: &str) -> bool {
    set(pid_variable).is_some_and(|pid| pid != std::process::id().to_string())
}

/// The folder that a unit keeps things in, if it has one: the first of StateDirectory=.
pub fn state_directory() -> Option<PathBuf> {
    first_of(std::env::var_os("STATE_DIRECTORY")?.to_str()?)
}

/// The folder for what goes with the unit: the first of RuntimeDirectory=.
pub fn runtime_directory() -> Option<PathBuf> {
    first_of(std::env::var_os("RUNTIME_DIRECTORY")?.to_str()?)
}

/// Several are told apart by colons. A path that is not absolute is somebody else's idea of the variable.
fn first_of(folders: &str) -> Option<PathBuf> {
    let first = folders.split(':').next().map(PathBuf::from);
    first.filter(|folder| folder.is_absolute())
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
