//! Counters for `/metrics`, shared by all threads.

use crate::common::process;
use crate::web::http::response::{self, WebResponse};
use hyper::StatusCode;
use ribbit_net::http::METRICS_TYPE;
use ribbit_ui::metrics::{self, WebMetrics};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

#[derive(Debug, Default)]
pub(in crate::web) struct WebCounters {
    /// Number of open connections.
    pub(in crate::web) open: AtomicUsize,
    turned_away: AtomicU64,
    /// Number of answers by the first digit of their status, from 1.
    answers: [AtomicU64; 5],
    answer_ms: AtomicU64,
}

impl WebCounters {
    pub(in crate::web) fn count(&self, status: StatusCode, took: Duration) {
        if let Some(count) = self.answers.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(0);
        self.answer_ms.fetch_add(took_ms, Ordering::Relaxed);
    }

    pub(in crate::web) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::web) fn show(&self, streams: usize) -> WebResponse {
        let web = WebMetrics {
            open: self.open.load(Ordering::Relaxed) as u64,
            streams: streams as u64,
            turned_away: self.turned_away.load(Ordering::Relaxed),
            answers: self.answers.each_ref().map(|count| count.load(Ordering::Relaxed)),
            answer_ms: self.answer_ms.load(Ordering::Relaxed),
        };
        response::text(StatusCode::OK, METRICS_TYPE, metrics::web(&web, process::now()))
    }
}
