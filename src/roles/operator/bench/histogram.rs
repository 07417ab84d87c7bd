//! Histogram of latencies in fixed memory, with two significant digits.

use std::time::Duration;

/// Longest latency in microseconds that is told apart, one day. Longer ones count as this.
const MICROS_MAX: u64 = 24 * 3600 * 1_000_000;
/// Significant decimal digits of a latency, so a percentile is off by at most one percent.
const DIGITS: u8 = 2;

/// A histogram of latencies.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: hdrhistogram::Histogram<u64>,
    /// The longest latency, exactly.
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Histogram {
        let buckets =
            hdrhistogram::Histogram::new_with_max(MICROS_MAX, DIGITS).expect("the bounds are valid");
        Histogram { buckets, max: Duration::ZERO }
    }
}

impl Histogram {
    /// Adds a latency.
    pub(crate) fn record(&mut self, latency: Duration) {
        self.buckets.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(MICROS_MAX));
        self.max = self.max.max(latency);
    }

    /// Returns the number of latencies.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.len()
    }

    /// Returns the longest latency; zero if there is none.
    pub(crate) fn max(&self) -> Duration {
        self.max
    }

    /// Returns the latency that `percent` percent of all latencies do not exceed; zero if there is none.
    pub(crate) fn percentile(&self, percent: u64) -> Duration {
        Duration::from_micros(self.buckets.value_at_quantile(percent as f64 / 100.0)).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_one_percent() {
        let mut values: Vec<u64> = (0..5_000).collect();
        values.extend((13..36).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 12_345]));
        for value in values {
            let mut histogram = Histogram::default();
            histogram.record(Duration::from_micros(value));
            let shown = histogram.percentile(50).as_micros() as u64;
            assert!(shown.abs_diff(value) <= value / 100, "{value}: {shown}");
        }
        let mut histogram = Histogram::default();
        histogram.record(Duration::MAX);
        assert_eq!(histogram.max(), Duration::MAX);
        assert!(histogram.percentile(50) >= Duration::from_micros(MICROS_MAX));
    }

    #[test]
    fn percentiles() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(99), Duration::ZERO);
        for ms in 1..=100 {
            histogram.record(Duration::from_millis(ms));
        }
        let ms = |percent: u64| histogram.percentile(percent).as_secs_f64() * 1e3;
        assert!((50.0..52.0).contains(&ms(50)), "{}", ms(50));
        assert!((99.0..=100.0).contains(&ms(99)), "{}", ms(99));
        assert_eq!(histogram.percentile(100), histogram.max());
        assert_eq!(histogram.count(), 100);
    }
}
