//! Notifications to the service manager: one datagram each, on the socket that `NOTIFY_SOCKET` names.
//!
//! Sending never blocks: a notification is dropped if the socket's buffer is full. Only READY is retried for a while,
//! because without it the start would count as failed. An unreachable socket is logged once.

use ribbit_net::tasks;
use smol::Timer;
use std::future::pending;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Number of attempts to send READY.
const READY_TRIES: u32 = 50;
/// Pause between two attempts to send READY.
const READY_PAUSE: Duration = Duration::from_millis(100);
/// Time by which a long start extends its timeout.
const EXTENSION: Duration = Duration::from_secs(60);
/// Interval between two extensions of the start timeout.
const EXTEND_EVERY: Duration = Duration::from_secs(15);
/// Time after which the start timeout is no longer extended. Reading two gigabytes from the slowest SD card takes less.
const START_MAX: Duration = Duration::from_secs(30 * 60);
/// Minimum time between two updates of the status line.
const STATUS_PAUSE: Duration = Duration::from_secs(5);
/// Maximum length of the status line, in characters.
const STATUS_CHARS_MAX: usize = 200;

/// Connection to the service manager.
struct NotifySocket {
    socket: UnixDatagram,
    address: SocketAddr,
}

/// Returns whether a service manager listens.
pub(crate) fn is_heard() -> bool {
    notify_socket().is_some()
}

fn notify_socket() -> Option<&'static NotifySocket> {
    static NOTIFY_SOCKET: OnceLock<Option<NotifySocket>> = OnceLock::new();
    let found = NOTIFY_SOCKET.get_or_init(|| {
        let name = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())?;
        let opened = address_of(name.as_encoded_bytes()).and_then(|address| {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok(NotifySocket { socket, address })
        });
        opened.map_err(|error| log::warn!("cannot notify the service manager: {error}")).ok()
    });
    found.as_ref()
}

/// Parses a socket address: a path, or `@` and a name in the abstract namespace.
fn address_of(name: &[u8]) -> io::Result<SocketAddr> {
    match name {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(String::from_utf8_lossy(name).as_ref()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "NOTIFY_SOCKET is neither a path nor an abstract socket",
        )),
    }
}

/// Sends a notification. Returns true if it was sent or there is no service manager.
fn say(words: &str) -> bool {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let Some(NotifySocket { socket, address }) = notify_socket() else { return true };
    match socket.send_to_addr(words.as_bytes(), address) {
        Ok(_) => true,
        Err(error) => {
            if error.kind() != io::ErrorKind::WouldBlock && !TOLD.swap(true, Ordering::Relaxed) {
                log::warn!("cannot notify the service manager: {error}");
            }
            false
        }
    }
}

/// Reports that this process listens and its data can be used.
pub(crate) async fn ready() {
    for _ in 0..READY_TRIES {
        if say("READY=1") {
            return;
        }
        Timer::after(READY_PAUSE).await;
    }
    log::warn!("could not tell the service manager that this process is ready");
}

/// Reports that this process is stopping.
pub(crate) fn stopping() {
    say("STOPPING=1\nSTATUS=stopping");
}

/// Sends a watchdog keep-alive.
pub(super) fn alive() {
    say("WATCHDOG=1");
}

/// Sets the status line that `systemctl status` shows; control characters are replaced.
pub(crate) fn status(words: &str) {
    let plain = words.chars().map(|c| if c.is_control() { ' ' } else { c });
    say(&format!("STATUS={}", plain.take(STATUS_CHARS_MAX).collect::<String>()));
}

/// Keeps the status line at `words` forever: checks each `STATUS_PAUSE` and sends changes only.
pub(crate) async fn keep_status(words: impl Fn() -> String) {
    if !is_heard() {
        return pending().await;
    }
    let mut said = String::new();
    loop {
        let now = words();
        if now != said {
            status(&now);
            said = now;
        }
        Timer::after(STATUS_PAUSE).await;
    }
}

/// Guard of a long start. While it exists, it extends the service manager's start timeout, from the sockets' thread, so the
/// caller's thread may block.
#[must_use = "the timeout is no longer extended once this is dropped"]
pub(crate) struct Starting(#[allow(dead_code)] Option<smol::Task<()>>);

/// Begins a start that may take long, with this status line.
pub(crate) fn starting(words: &str) -> Starting {
    if !is_heard() {
        return Starting(None);
    }
    status(words);
    let began = Instant::now();
    Starting(Some(tasks::spawn(async move {
        while began.elapsed() < START_MAX {
            say(&format!("EXTEND_TIMEOUT_USEC={}", EXTENSION.as_micros()));
            Timer::after(EXTEND_EVERY).await;
        }
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_a_path_or_a_name() {
        assert!(address_of(b"/run/systemd/notify").unwrap().as_pathname().is_some());
        assert_eq!(address_of(b"@ribbit").unwrap().as_abstract_name(), Some(b"ribbit".as_slice()));
        assert!(address_of(b"vsock:2:1234").is_err());
        assert!(address_of(&[b'/'; 200]).is_err(), "longer than any socket's");
    }
}
