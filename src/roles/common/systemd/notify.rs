//! What is said to whoever started this process, a datagram a time, on the socket that NOTIFY_SOCKET names.
//!
//! Nobody waits for a supervisor that does not read: a word that finds no room is lost. READY alone is tried for a while,
//! since without it the start would count as failed. A socket that cannot be reached is told of once.

use super::watchdog;
use ribbit_net::tasks;
use smol::Timer;
use std::future::pending;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// READY is tried so often,
const READY_TRIES: u32 = 50;
/// this far apart.
const READY_PAUSE: Duration = Duration::from_millis(100);
/// While a start takes its time, so much more of it is asked for,
const EXTENSION: Duration = Duration::from_secs(60);
/// this often,
const EXTEND_EVERY: Duration = Duration::from_secs(15);
/// and for no longer than this: two gigabytes are read from the slowest card in less.
const START_MAX: Duration = Duration::from_secs(30 * 60);
/// What is shown is renewed no more often than this.
const STATUS_PAUSE: Duration = Duration::from_secs(5);
/// What is shown is cut there; nobody reads further.
const STATUS_CHARS_MAX: usize = 200;

struct Supervisor {
    socket: UnixDatagram,
    address: SocketAddr,
}

/// Whether somebody listens.
pub fn is_heard() -> bool {
    supervisor().is_some()
}

fn supervisor() -> Option<&'static Supervisor> {
    static SUPERVISOR: OnceLock<Option<Supervisor>> = OnceLock::new();
    let found = SUPERVISOR.get_or_init(|| {
        let name = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())?;
        let opened = address_of(name.as_encoded_bytes()).and_then(|address| {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok(Supervisor { socket, address })
        });
        opened.map_err(|error| log::warn!("nobody is told how this process is: {error}")).ok()
    });
    found.as_ref()
}

/// A path, or with `@` in front a name that is in no folder.
fn address_of(name: &[u8]) -> io::Result<SocketAddr> {
    match name {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(String::from_utf8_lossy(name).as_ref()),
        _ => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "NOTIFY_SOCKET names no socket of this machine"))
        }
    }
}

/// Whether it arrived, or nobody listens anyway.
fn say(words: &str) -> bool {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let Some(Supervisor { socket, address }) = supervisor() else { return true };
    match socket.send_to_addr(words.as_bytes(), address) {
        Ok(_) => true,
        Err(error) => {
            if error.kind() != io::ErrorKind::WouldBlock && !TOLD.swap(true, Ordering::Relaxed) {
                log::warn!("the supervisor's socket: {error}");
            }
            false
        }
    }
}

/// The socket listens, and what is kept can be used.
pub async fn ready() {
    for _ in 0..READY_TRIES {
        if say("READY=1") {
            return;
        }
        Timer::after(READY_PAUSE).await;
    }
    log::warn!("the supervisor does not hear that this process is ready");
}

pub fn stopping() {
    say("STOPPING=1\nSTATUS=stopping");
}

/// A sign of life.
pub(super) fn alive() {
    say("WATCHDOG=1");
}

/// A line for people who look at the unit; what is in it is plain.
pub fn status(words: &str) {
    let plain = words.chars().map(|c| if c.is_control() { ' ' } else { c });
    say(&format!("STATUS={}", plain.take(STATUS_CHARS_MAX).collect::<String>()));
}

/// Shows `words`, for ever: what has changed is said each `STATUS_PAUSE`, and nothing is said twice.
pub async fn keep_status(words: impl Fn() -> String) {
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

/// While it is kept, the supervisor is asked for patience: a start that takes its time is no failed start. It asks from the
/// thread of the sockets, whatever the caller's does meanwhile.
#[must_use = "dropped, it asks no more"]
pub struct Starting(#[allow(dead_code)] Option<smol::Task<()>>);

/// Begins a start that may take long, in these words.
pub fn starting(words: &str) -> Starting {
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

/// What a role without a store says of itself: that it is ready, and then that it lives, as long as the caller's future and
/// the thread of the sockets both go on. Never ends.
pub async fn serving(words: impl Fn() -> String) {
    ready().await;
    smol::future::zip(keep_status(words), watchdog::feed(|| Ok(()))).await;
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
