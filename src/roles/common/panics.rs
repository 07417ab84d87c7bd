//! Panic hooks. A panic is a bug and aborts the process at once, in whichever thread it happens: the remaining threads would
//! go on answering with the state of that moment. The service manager or `up` restarts the process, and the cluster goes on
//! meanwhile.
//!
//! One kind of panic is not a bug of ribbit: redb trusts the pages that it reads, and a store may be damaged. A member that
//! reads such a page marks its store, so that the next start comes back without it ([`crate::node`], lost stores) instead
//! of reading it again.

use crate::common::failure::{Exit, Failure};
use crate::common::log_lines;
use ribbit_db::{self, DbError};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a panic has been reported; an abort needs no further report then.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Installs a hook that reports a panic and aborts the process.
pub(crate) fn end_the_process() {
    let say = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        log_lines::flush();
        say(what);
        ENDING.store(true, Ordering::Release);
        eprintln!("ribbit: this is a bug in ribbit, and the process aborts; no acknowledged write is lost");
        std::process::abort();
    }));
}

/// Returns whether this process is aborting because of a panic.
pub(crate) fn is_ending() -> bool {
    ENDING.load(Ordering::Acquire)
}

/// Installs a hook for panics within redb or while a store is read: the process prints the failure that `damaged` makes of
/// the panic's message, and exits with code 1.
pub(crate) fn on_damage(damaged: impl Fn(&str) -> Failure + Send + Sync + 'static) {
    let otherwise = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        if !ribbit_db::is_damage(what) {
            return otherwise(what);
        }
        let why = DbError::Damaged(format!("using it panicked: {what}").replace('\n', " "));
        let Failure { message, .. } = damaged(&why.to_string());
        log_lines::flush();
        eprintln!("ribbit: {message}");
        std::process::exit(Exit::Refused as i32);
    }));
}
