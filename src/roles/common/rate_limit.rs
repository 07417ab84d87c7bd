//! Rate limits with token buckets. Pure: the caller passes the time.

use std::time::Duration;

/// A token bucket's refill interval and capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Time in which one token is refilled.
    pub every: Duration,
    /// Maximum number of tokens.
    pub burst: u32,
}

/// A token bucket, stored as the time at which it will be full again: microseconds since a start that its owner chooses.
/// A later time means fewer tokens, and so buckets compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TokenBucket {
    full_at_us: u64,
}

impl TokenBucket {
    /// Takes a token. A refusal takes none.
    ///
    /// # Errors
    /// The time until the next token when the bucket is empty.
    pub(crate) fn take(&mut self, rate: Rate, now_us: u64) -> Result<(), Duration> {
        let every_us = micros(rate.every).max(1);
        let full_at_us = self.full_at_us.max(now_us).saturating_add(every_us);
        let wait_us = (full_at_us - now_us).saturating_sub(every_us.saturating_mul(rate.burst.into()));
        if wait_us > 0 {
            return Err(Duration::from_micros(wait_us));
        }
        self.full_at_us = full_at_us;
        Ok(())
    }

    /// Returns the number of tokens that are left at this time.
    pub(crate) fn left(self, rate: Rate, now_us: u64) -> u32 {
        let missing = self.full_at_us.saturating_sub(now_us).div_ceil(micros(rate.every).max(1));
        rate.burst.saturating_sub(u32::try_from(missing).unwrap_or(u32::MAX))
    }
}

/// Returns a time in microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_a_burst_and_then_one_token_per_interval() {
        let rate = Rate { every: Duration::from_secs(2), burst: 3 };
        let second = micros(Duration::from_secs(1));
        let mut bucket = TokenBucket::default();
        let start = 10 * second;
        assert_eq!((0..9).filter(|_| bucket.take(rate, start).is_ok()).count(), 3);
        assert_eq!(bucket.take(rate, start + second), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(rate, start + 2 * second), Ok(()));
        assert_eq!((0..9).filter(|_| bucket.take(rate, start + 1_000 * second).is_ok()).count(), 3);
        assert!(bucket > TokenBucket::default(), "an emptier bucket is greater");
    }
}
