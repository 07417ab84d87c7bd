//! Histogram of latencies in fixed memory: 32 buckets per power of two, so a percentile is off by at most one part in 32.
//! The idea is that of HdrHistogram.

use std::time::Duration;

/// Number of bits after the leading one that select a bucket.
const STEP_BITS: u32 = 5;
/// Buckets per power of two.
const STEPS: u64 = 1 << STEP_BITS;
/// Powers of two covered: one microsecond to about 19 hours. Longer latencies count as the longest.
const DOUBLINGS: usize = 32;

/// A histogram of latencies.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Box<[u64; DOUBLINGS * STEPS as usize]>,
    count: u64,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: Box::new([0; DOUBLINGS * STEPS as usize]), count: 0, max: Duration::ZERO }
    }
}

impl Histogram {
    /// Adds a latency.
    pub(crate) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(micros)] += 1;
        self.count += 1;
        self.max = self.max.max(latency);
    }

    /// Returns the number of latencies.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the longest latency; zero if there is none.
    pub(crate) fn max(&self) -> Duration {
        self.max
    }

    /// Returns the latency that `percent` percent of all latencies do not exceed; zero if there is none.
    pub(crate) fn percentile(&self, percent: u64) -> Duration {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(upper_edge(bucket)).min(self.max);
            }
        }
        Duration::ZERO
    }
}

/// Returns the bucket of a value. Each value below 32 has its own; above, the leading bit and the next five select it.
fn bucket_of(micros: u64) -> usize {
    if micros < STEPS {
        return micros as usize;
    }
    let shift = u64::from(micros.ilog2() - STEP_BITS);
    let bucket = shift * STEPS + (micros >> shift);
    (bucket as usize).min(DOUBLINGS * STEPS as usize - 1)
}

/// Returns the largest value of a bucket.
fn upper_edge(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    let lower = (STEPS + bucket % STEPS) << shift;
    lower + (1 << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_its_bucket_and_within_a_thirty_second() {
        let mut values: Vec<u64> = (0..5_000).collect();
        values.extend((13..36).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 12_345]));
        for value in values {
            let edge = upper_edge(bucket_of(value));
            assert!(edge >= value && edge - value <= value / 32, "{value}: {edge}");
        }
        assert_eq!(bucket_of(u64::MAX), DOUBLINGS * STEPS as usize - 1);
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
