//! Watchdog keep-alives. The sockets' thread sends one every half of the watchdog timeout, and only while the role's own
//! health check passes: a process that merely exists sends none.
//!
//! If they stop, systemd ends the process with SIGABRT. A thread then prints the state of all threads, to help find the
//! cause, and lets the process abort.

use super::{is_for_another, notify, set};
use crate::common::log_lines;
use crate::common::panics;
use crate::common::signals::received;
use async_signal::{Signal, Signals};
use ribbit_net::tasks;
use smol::Timer;
use std::fs;
use std::future::pending;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Maximum number of threads printed; no role has more.
const THREADS_MAX: usize = 64;

/// Returns the interval between two keep-alives, half of the watchdog timeout; `None` without a watchdog.
fn due_every() -> Option<Duration> {
    if is_for_another("WATCHDOG_PID") {
        return None;
    }
    let allowed = set("WATCHDOG_USEC")?;
    match allowed.parse().map(Duration::from_micros) {
        Ok(allowed) if !allowed.is_zero() && notify::is_heard() => Some(allowed / 2),
        Ok(_) => None,
        Err(_) => {
            log::warn!("WATCHDOG_USEC is not a number: {allowed:?}");
            None
        }
    }
}

/// Sends keep-alives forever, as long as `well` returns `Ok`, the caller's future is polled and the sockets' thread makes
/// progress.
pub(crate) async fn feed(well: impl Fn() -> Result<(), String>) {
    let Some(pause) = due_every() else { return pending().await };
    report_aborts();
    let mut reported = false;
    loop {
        match well() {
            // Spawning proves that the sockets' thread runs tasks.
            Ok(()) => {
                tasks::spawn(async { notify::alive() }).await;
                reported = false;
            }
            Err(why) if !reported => {
                log::error!("no more keep-alives for the watchdog: {why}");
                reported = true;
            }
            Err(_) => {}
        }
        Timer::after(pause).await;
    }
}

/// Starts a thread that reports SIGABRT before it ends this process.
fn report_aborts() {
    let started = Signals::new([Signal::Abort]).and_then(|mut aborts| {
        let wait = move || {
            if smol::future::block_on(received(&mut aborts)).is_some() && !panics::is_ending() {
                print_threads();
                // The signal has its default effect now.
                std::process::abort();
            }
        };
        std::thread::Builder::new().name("abort".into()).spawn(wait)
    });
    if let Err(error) = started {
        log::warn!("aborts will not be reported: {error}");
    }
}

fn print_threads() {
    log_lines::flush();
    eprintln!(
        "ribbit: aborted by SIGABRT, probably by the watchdog because keep-alives were missing: this is a bug, or the machine \
         stood still; no acknowledged write is lost. Threads:"
    );
    match threads() {
        Ok(lines) => lines.iter().for_each(|line| eprintln!("ribbit:   {line}")),
        Err(error) => eprintln!("ribbit:   unknown: {error}"),
    }
}

/// Returns one line per thread: name, state, and the kernel function in which it waits.
fn threads() -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for entry in fs::read_dir("/proc/self/task")?.take(THREADS_MAX) {
        lines.extend(thread(&entry?.path()));
    }
    Ok(lines)
}

/// Returns the line of one thread; `None` if it has just ended.
fn thread(folder: &Path) -> Option<String> {
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let (front, fields) = stat.rsplit_once(") ")?;
    let name = front.split_once('(')?.1;
    let state = fields.split(' ').next()?;
    let function = fs::read_to_string(folder.join("wchan")).unwrap_or_default();
    let function =
        if function.is_empty() || function == "0" { String::new() } else { format!(" in {function}") };
    Some(format!("{name} {state}{function}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_is_listed() {
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let waiting = std::thread::Builder::new().name("a (b) c".into()).spawn(move || gone.recv()).unwrap();
        let listed = || threads().unwrap().iter().any(|line| line.starts_with("a (b) c S"));
        while !listed() {
            std::thread::yield_now();
        }
        drop(go);
        assert!(waiting.join().unwrap().is_err());
    }
}
