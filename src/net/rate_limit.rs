//! Rate limits by token buckets.
//!
//! A bucket is stored as one number: the time at which it will be full again. So a bucket that is full needs no update, and
//! a table of thousands of buckets is small. Not here: which bucket counts for a request.

use std::time::Duration;

/// Rate of a token bucket: up to `burst` tokens at once, and one more in every interval `every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Time in which one token is refilled.
    pub every: Duration,
    /// Maximum number of tokens.
    pub burst: u32,
}

impl RateLimit {
    /// Takes a token from the bucket that will be full at `full_at_us`, and returns the time at which it will be full then.
    /// Times are in microseconds from an origin of the caller; 0 stands for a bucket that was never used.
    ///
    /// # Errors
    /// The time until the next token when the bucket is empty. The bucket stays as it is.
    pub fn take(&self, full_at_us: u64, now_us: u64) -> Result<u64, Duration> {
        let every_us = u64::try_from(self.every.as_micros()).unwrap_or(u64::MAX).max(1);
        let full_at_us = full_at_us.max(now_us).saturating_add(every_us);
        let excess_us = (full_at_us - now_us).saturating_sub(every_us.saturating_mul(self.burst.into()));
        if excess_us == 0 { Ok(full_at_us) } else { Err(Duration::from_micros(excess_us)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    #[test]
    fn a_burst_is_admitted_and_then_one_per_interval() {
        let limit = RateLimit { every: Duration::from_secs(10), burst: 3 };
        let mut full_at_us = 0;
        for _ in 0..3 {
            full_at_us = limit.take(full_at_us, 0).unwrap();
        }
        assert_eq!(limit.take(full_at_us, 0), Err(Duration::from_secs(10)));
        assert_eq!(limit.take(full_at_us, 4 * SECOND_US), Err(Duration::from_secs(6)));
        full_at_us = limit.take(full_at_us, 10 * SECOND_US).unwrap();
        assert!(limit.take(full_at_us, 10 * SECOND_US).is_err());
        // After a long rest there are no more tokens than a burst.
        let now_us = 1_000 * SECOND_US;
        let taken = (0..10).take_while(|_| match limit.take(full_at_us, now_us) {
            Ok(later) => {
                full_at_us = later;
                true
            }
            Err(_) => false,
        });
        assert_eq!(taken.count(), 3);
    }
}
