//! Lets the search index cover the store's croaks, on a thread of low priority that runs while there is something to do. It
//! starts with the first search, so that a node without searches pays nothing.

use super::low_priority;
use ribbit_db::Reader;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// True while the thread runs.
#[derive(Debug, Default)]
pub(super) struct SearchCoverage(Arc<AtomicBool>);

impl SearchCoverage {
    /// Starts the thread if it has something to do and is not running. Without a thread, searches look at more rows.
    pub(super) fn begin(&self, reader: &Reader) {
        if !reader.search_wants_more() || self.0.swap(true, Ordering::AcqRel) {
            return;
        }
        let (running, reader) = (self.0.clone(), reader.clone());
        let started = low_priority::spawn("search".to_string(), move || {
            loop {
                match reader.extend_search() {
                    Ok(true) => {}
                    Ok(false) => break,
                    // The writer meets the same error and ends the process.
                    Err(error) => {
                        log::error!("cannot read the store: {error}");
                        break;
                    }
                }
            }
            running.store(false, Ordering::Release);
        });
        if let Err(error) = started {
            log::warn!("cannot start a thread for the search index: {error}");
            self.0.store(false, Ordering::Release);
        }
    }
}
