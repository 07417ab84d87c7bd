//! Results of a benchmark: latencies and gaps while it runs, and the figures that are printed at its end.

use super::arguments::BenchOptions;
use crate::operator::bench::histogram::Histogram;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Counters of all clients together. One thread runs all clients, so there is one owner.
pub(super) struct BenchCounters {
    pub latencies: Histogram,
    pub errors: u64,
    pub last_error: Option<String>,
    pub last_answer: Instant,
    pub gap_max: Duration,
}

impl BenchCounters {
    pub(crate) fn new(start: Instant) -> BenchCounters {
        BenchCounters {
            latencies: Histogram::default(),
            errors: 0,
            last_error: None,
            last_answer: start,
            gap_max: Duration::ZERO,
        }
    }

    pub(crate) fn answered(&mut self, asked: Instant, now: Instant) {
        self.latencies.record(now - asked);
        self.end_gap(now);
    }

    pub(crate) fn failed(&mut self, what: String) {
        self.errors += 1;
        self.last_error = Some(what);
    }

    pub(crate) fn end_gap(&mut self, now: Instant) {
        self.gap_max = self.gap_max.max(now.saturating_duration_since(self.last_answer));
        self.last_answer = now;
    }
}

/// Printed results; the fields are those of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct BenchFigures {
    op: &'static str,
    clients: u32,
    seconds: f64,
    /// Number of answered requests.
    total: u64,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// Number of failed attempts; a request may have several and still be answered in the end.
    errors: u64,
    /// Longest time in which no client got an answer.
    gap_max_ms: f64,
    last_error: Option<String>,
    /// Number of pages per listing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<usize>,
}

impl BenchFigures {
    pub(crate) fn new(options: &BenchOptions, tally: &BenchCounters, pages: Option<usize>) -> BenchFigures {
        // Three decimals: microseconds.
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        let seconds = options.time.as_secs_f64();
        let total = tally.latencies.count();
        BenchFigures {
            op: options.op.name(),
            clients: options.clients,
            seconds,
            total,
            per_second: (total as f64 / seconds * 10.0).round() / 10.0,
            p50_ms: ms(tally.latencies.percentile(50)),
            p99_ms: ms(tally.latencies.percentile(99)),
            max_ms: ms(tally.latencies.max()),
            errors: tally.errors,
            gap_max_ms: ms(tally.gap_max),
            last_error: tally.last_error.clone(),
            pages,
        }
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("plain data always serialises")
    }

    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{} with {} clients for {} s\n  answered    {} ({} per second)\n  latency     p50 {} ms, p99 {} ms, \
             max {} ms\n  longest gap {} ms\n  errors      {}",
            self.op,
            self.clients,
            self.seconds,
            self.total,
            self.per_second,
            self.p50_ms,
            self.p99_ms,
            self.max_ms,
            self.gap_max_ms,
            self.errors,
        );
        if let Some(error) = &self.last_error {
            text.push_str(&format!(", last: {error}"));
        }
        if let Some(pages) = self.pages {
            text.push_str(&format!(
                "\n  pages       {pages} per listing, {:.3} ms each",
                self.p50_ms / pages as f64
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::arguments::{BenchOp, BenchServers};
    use super::*;
    use ribbit_net::keys::{Keys, PublicKey};
    use ribbit_state::Consistency;

    #[test]
    fn the_gap_extends_to_the_end() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut tally = BenchCounters::new(start);
        tally.answered(at(5), at(10));
        tally.answered(at(10), at(40));
        tally.end_gap(at(100));
        assert_eq!(tally.gap_max, Duration::from_millis(60));
        assert_eq!(tally.latencies.max(), Duration::from_millis(30));
    }

    #[test]
    fn the_json_has_every_field() {
        let options = BenchOptions {
            cluster: crate::common::cluster_selection::at_servers(
                vec!["a:1".into()],
                Keys::pinned(PublicKey([0; 32])),
            ),
            op: BenchOp::Post,
            clients: 2,
            time: Duration::from_secs(1),
            pause: Duration::ZERO,
            bytes: 64,
            friends: 3,
            sessions: None,
            pages: 1,
            servers: BenchServers::Balancer,
            consistency: Consistency::Session,
            json: true,
        };
        let json = BenchFigures::new(&options, &BenchCounters::new(Instant::now()), None).json();
        for field in ["op", "clients", "seconds", "total", "per_second", "p50_ms", "p99_ms", "max_ms"] {
            assert!(json.contains(&format!("\"{field}\":")), "{json}");
        }
        assert!(json.contains("\"errors\":0,\"gap_max_ms\":0.0,\"last_error\":null"), "{json}");
    }
}
