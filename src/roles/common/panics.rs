//! A panic is a bug, and ends its process at once, wherever it happens: half a process would go on answering with the state
//! of that moment. Whoever started it starts it again; the group goes on meanwhile.
//!
//! One panic is none of ours: redb trusts the pages that it reads, and what it has noted of them, and a store may be
//! damaged. A member that meets such a page marks its store, so that the next start comes back without it
//! ([`crate::node`], lost stores) instead of meeting it again.

use crate::common::failure::{Exit, Failure};
use crate::common::log_lines;
use ribbit_db::{self, DbError};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

/// A panic has been told of: nothing else needs to be.
static ENDING: AtomicBool = AtomicBool::new(false);

/// From now on a panic ends the process, after words for whoever has to look.
pub fn end_the_process() {
    let say = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        log_lines::flush();
        say(what);
        ENDING.store(true, Ordering::Release);
        eprintln!(
            "ribbit: this is a bug, and this process ends with it; nothing that was acknowledged is lost"
        );
        std::process::abort();
    }));
}

/// Whether this process ends with a panic.
pub fn is_ending() -> bool {
    ENDING.load(Ordering::Acquire)
}

/// From now on a panic while a store is read, or within redb, ends the process with what `damaged` makes of the words.
pub fn on_damage(damaged: impl Fn(&str) -> Failure + Send + Sync + 'static) {
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
