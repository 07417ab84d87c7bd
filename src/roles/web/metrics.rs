//! Counters for `/metrics`. The web role has one thread, so plain cells are enough.

use super::response::{self, WebResponse};
use crate::common::process;
use hyper::StatusCode;
use ribbit_net::http::METRICS_TYPE;
use ribbit_ui::metrics::{self, WebMetrics};
use std::cell::Cell;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct WebCounters {
    /// Number of open connections.
    pub(super) open: Cell<usize>,
    turned_away: Cell<u64>,
    /// Number of answers by the first digit of their status, from 1.
    answers: [Cell<u64>; 5],
    answer_ms: Cell<u64>,
}

impl WebCounters {
    pub(super) fn count(&self, status: StatusCode, took: Duration) {
        if let Some(count) = self.answers.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
            count.set(count.get() + 1);
        }
        self.answer_ms.set(self.answer_ms.get() + u64::try_from(took.as_millis()).unwrap_or(0));
    }

    pub(super) fn turned_away(&self) {
        self.turned_away.set(self.turned_away.get() + 1);
    }

    pub(super) fn show(&self, streams: usize) -> WebResponse {
        let web = WebMetrics {
            open: self.open.get() as u64,
            streams: streams as u64,
            turned_away: self.turned_away.get(),
            answers: self.answers.each_ref().map(Cell::get),
            answer_ms: self.answer_ms.get(),
        };
        response::text(StatusCode::OK, METRICS_TYPE, metrics::web(&web, process::now()))
    }
}
