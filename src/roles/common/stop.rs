//! When to stop: on SIGTERM or Ctrl-C, and for a child of `up` when its parent is gone.
//!
//! A child's standard input is a pipe that nobody writes to. It ends when the parent ends, however the parent
//! ended, so no child outlives `up` even if that was killed with -9.

use async_signal::{Signal, Signals};
use smol::future::{or, pending};
use smol::stream::StreamExt;
use std::io::{self, Read};
use std::time::Duration;

/// A role that was told to stop and is still there after this long is ended. Longer than `up` waits before it
/// kills a child, so that it is `up` who tells of it.
const STOP_MAX: Duration = Duration::from_secs(8);
/// The same for a child whose parent is gone: the others of its group end at this moment, too, so there is nothing
/// left that its last answers could wait for, and nobody who would end it.
const ORPHAN_STOP_MAX: Duration = Duration::from_secs(1);

/// Completes once this process has to stop. From then on the process ends within `STOP_MAX` or `ORPHAN_STOP_MAX`,
/// come what may.
///
/// # Errors
/// The signals cannot be taken over, or there is no thread left.
pub fn requested(supervised: bool) -> io::Result<impl Future<Output = ()> + Send + 'static> {
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
        signals.next().await;
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
        log::error!("still not stopped after {limit:?}: ending anyway");
        crate::common::log_lines::flush();
        std::process::exit(1);
    };
    if let Err(error) = std::thread::Builder::new().name("stop".into()).spawn(watch) {
        log::warn!("nobody watches that this process ends in time: {error}");
    }
}
