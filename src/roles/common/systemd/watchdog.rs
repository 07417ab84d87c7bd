//! Signs of life. They are sent by the thread that all sockets share, each half of the time that the supervisor allows, and
//! only if what the role says of itself is well: a process that merely exists says nothing.
//!
//! A supervisor that misses them ends the process with SIGABRT. Then a thread of its own says which threads stand where, for
//! whoever has to find out why, and lets the process end as it would have.

use super::{is_for_another, notify, set};
use crate::common::log_lines;
use crate::common::panics;
use async_signal::{Signal, Signals};
use ribbit_net::tasks;
use smol::Timer;
use smol::stream::StreamExt;
use std::fs;
use std::future::pending;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Threads that are told of; no role has more.
const THREADS_MAX: usize = 64;

/// How often a sign is due: half of what is allowed. Nothing when nobody waits for one.
fn due_every() -> Option<Duration> {
    if is_for_another("WATCHDOG_PID") {
        return None;
    }
    let allowed = set("WATCHDOG_USEC")?;
    match allowed.parse().map(Duration::from_micros) {
        Ok(allowed) if !allowed.is_zero() && notify::is_heard() => Some(allowed / 2),
        Ok(_) => None,
        Err(_) => {
            log::warn!("WATCHDOG_USEC is no number: {allowed:?}");
            None
        }
    }
}

/// Sends signs of life for ever, as long as `well` finds nothing wrong, the caller's future is polled and the sockets' thread
/// turns.
pub async fn feed(well: impl Fn() -> Result<(), String>) {
    let Some(pause) = due_every() else { return pending().await };
    tell_of_abort();
    let mut told = false;
    loop {
        match well() {
            // Another task has to have had its turn meanwhile.
            Ok(()) => {
                tasks::spawn(async { notify::alive() }).await;
                told = false;
            }
            Err(why) if !told => {
                log::error!("no more signs of life for the watchdog: {why}");
                told = true;
            }
            Err(_) => {}
        }
        Timer::after(pause).await;
    }
}

/// From now on SIGABRT is told of before it ends this process.
fn tell_of_abort() {
    let telling = Signals::new([Signal::Abort]).and_then(|mut aborts| {
        let wait = move || {
            if smol::block_on(aborts.next()).is_some() && !panics::is_ending() {
                say_where_threads_stand();
                // It lets the signal through now.
                std::process::abort();
            }
        };
        std::thread::Builder::new().name("abort".into()).spawn(wait)
    });
    if let Err(error) = telling {
        log::warn!("an abort would not be told of: {error}");
    }
}

fn say_where_threads_stand() {
    log_lines::flush();
    eprintln!(
        "ribbit: ended by SIGABRT, as the watchdog does when there are no signs of life: this is a bug, or a machine that stood \
         still; nothing that was acknowledged is lost. Its threads:"
    );
    match threads() {
        Ok(lines) => lines.iter().for_each(|line| eprintln!("ribbit:   {line}")),
        Err(error) => eprintln!("ribbit:   not known: {error}"),
    }
}

/// `sockets-1 R, 17.2 s on a processor`, and in which function of the kernel one waits.
fn threads() -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for entry in fs::read_dir("/proc/self/task")?.take(THREADS_MAX) {
        lines.extend(thread(&entry?.path()));
    }
    Ok(lines)
}

/// Nothing of one that has just ended.
fn thread(folder: &Path) -> Option<String> {
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let (front, fields) = stat.rsplit_once(") ")?;
    let name = front.split_once('(')?.1;
    let state = fields.split(' ').next()?;
    let place = fs::read_to_string(folder.join("wchan")).unwrap_or_default();
    let place = if place.is_empty() || place == "0" { String::new() } else { format!(" in {place}") };
    Some(format!("{name} {state}{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_is_told_of() {
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let waiting = std::thread::Builder::new().name("a (b) c".into()).spawn(move || gone.recv()).unwrap();
        let told = || threads().unwrap().iter().any(|line| line.starts_with("a (b) c S"));
        while !told() {
            std::thread::yield_now();
        }
        drop(go);
        assert!(waiting.join().unwrap().is_err());
    }
}
