//! Requests to stop: SIGTERM, Ctrl-C, and for a child of `up` the end of its parent.
//!
//! A child's standard input is a pipe that is never written to. It reaches its end when the parent ends in any way, so no
//! child outlives `up`, even if `up` is killed with SIGKILL.

use crate::common::failure::{Exit, Failure};
use crate::common::signals::received;
use async_signal::{Signal, Signals};
use smol::future::{or, pending};
use std::io::{self, Read};
use std::time::Duration;

/// Time after a request to stop until the process exits in any case. Longer than `up` waits before it kills a child, so that
/// `up` reports it.
const STOP_MAX: Duration = Duration::from_secs(8);
/// The same for a child whose parent is gone. The other members of its cluster stop at the same moment, so waiting for a
/// quorum is pointless, and no parent is left to kill this process.
const ORPHAN_STOP_MAX: Duration = Duration::from_secs(1);

/// Returns a future that completes once this process has to stop. The process then exits within `STOP_MAX` or
/// `ORPHAN_STOP_MAX` in any case.
///
/// # Errors
/// The signal handlers cannot be installed, or a thread cannot be started.
pub(crate) fn requested(supervised: bool) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut signals = Signals::new([Signal::Term, Signal::Int])?;
    let (tell, told) = smol::channel::bounded::<()>(1);
    if supervised {
        // A blocking read on a thread of its own, which ends with the process.
        std::thread::Builder::new().name("parent".into()).spawn(move || {
            wait_for_end(io::stdin().lock());
            let _ = tell.try_send(());
        })?;
    }
    let parent_is_gone = async move {
        match supervised {
            true => drop(told.recv().await),
            false => pending().await,
        }
        ORPHAN_STOP_MAX
    };
    let told_to_stop = async move {
        received(&mut signals).await;
        STOP_MAX
    };
    Ok(async move { end_within(or(told_to_stop, parent_is_gone).await) })
}

fn wait_for_end(mut input: impl Read) {
    let mut ignored = [0; 64];
    loop {
        match input.read(&mut ignored) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            _ => {}
        }
    }
}

fn end_within(limit: Duration) {
    crate::common::systemd::notify::stopping();
    let watch = move || {
        std::thread::sleep(limit);
        log::error!("still running {limit:?} after the request to stop: exiting now");
        crate::common::log_lines::flush();
        std::process::exit(1);
    };
    if let Err(error) = std::thread::Builder::new().name("stop".into()).spawn(watch) {
        log::warn!("cannot enforce the time limit for stopping: {error}");
    }
}

/// Returns a stream of SIGINT, SIGTERM and SIGHUP, for the interactive commands.
///
/// # Errors
/// `Refused` (1) when the signal handlers cannot be installed.
pub(crate) fn ending_signals() -> Result<Signals, Failure> {
    Signals::new([Signal::Int, Signal::Term, Signal::Hup])
        .map_err(|error| Failure::new(Exit::Refused, format!("cannot wait for signals: {error}")))
}
