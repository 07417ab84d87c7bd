//! Rate limits per client address. They are generous, because a school class may share one address; the cluster itself limits each
//! account more strictly.
//!
//! Each class has a token bucket ([`TokenBucket`]). A refusal takes no token. An IPv6 address counts as its /64 network, which is
//! what one household gets.
//!
//! Addresses of this machine are not limited, unless a trusted proxy names the client: a local process could do worse anyway, and a
//! proxy that is not configured as trusted stands for many clients.
//!
//! Not defended against: a client with thousands of addresses. The table drops the address that was idle for longest.

use super::limits::{ADDRESSES_MAX, CREATIONS, LOG_INS, MARKS, POSTS};
use crate::common::rate_limit::{Rate, TokenBucket, micros};
use ribbit_net::address_limit::address_key;
use ribbit_state::sync::MutexExt;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Class of a limited request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WebRateClass {
    /// Everything that checks a password.
    LogIn,
    Creation,
    /// Croaks, messages, follows, settings.
    Post,
    /// Read receipts, which pages send by themselves.
    Mark,
}

const RATE_CLASSES: usize = 4;

impl WebRateClass {
    fn rate(self) -> Rate {
        match self {
            WebRateClass::LogIn => LOG_INS,
            WebRateClass::Creation => CREATIONS,
            WebRateClass::Post => POSTS,
            WebRateClass::Mark => MARKS,
        }
    }
}

/// Buckets of one address, by class.
type Buckets = [TokenBucket; RATE_CLASSES];

/// Rate limits of all addresses.
#[derive(Debug)]
pub(super) struct RateLimiter {
    /// Start of the buckets' clock.
    began: Instant,
    /// Buckets by address, with the time of the last request.
    known: Mutex<HashMap<IpAddr, (Instant, Buckets)>>,
}

impl Default for RateLimiter {
    fn default() -> RateLimiter {
        RateLimiter { began: Instant::now(), known: Mutex::default() }
    }
}

impl RateLimiter {
    /// Takes a token.
    ///
    /// # Errors
    /// The time until the next token if there is none.
    pub(super) fn take(&self, address: IpAddr, class: WebRateClass, now: Instant) -> Result<(), Duration> {
        let key = address_key(address);
        let mut known = self.known.locked();
        if known.len() >= ADDRESSES_MAX && !known.contains_key(&key) {
            let quietest = known.iter().min_by_key(|(_, (at, _))| *at).map(|(address, _)| *address);
            quietest.and_then(|address| known.remove(&address));
        }
        let (at, buckets) = known.entry(key).or_insert((now, Buckets::default()));
        *at = now;
        let now_us = micros(now.saturating_duration_since(self.began));
        buckets[class as usize].take(class.rate(), now_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Returns the number of requests that are allowed at this moment.
    fn taken(rate_limiter: &RateLimiter, from: &str, class: WebRateClass, now: Instant) -> u32 {
        (0..).find(|_| rate_limiter.take(address(from), class, now).is_err()).unwrap()
    }

    #[test]
    fn a_burst_then_one_at_a_time() {
        let (rate_limiter, now) = (RateLimiter::default(), Instant::now());
        assert_eq!(taken(&rate_limiter, "10.0.0.1", WebRateClass::LogIn, now), LOG_INS.burst);
        let wait = rate_limiter.take(address("10.0.0.1"), WebRateClass::LogIn, now).unwrap_err();
        assert_eq!(wait, LOG_INS.every, "a refusal costs nothing");
        assert_eq!(taken(&rate_limiter, "10.0.0.1", WebRateClass::LogIn, now + wait), 1);
        assert_eq!(
            taken(&rate_limiter, "10.0.0.1", WebRateClass::Creation, now),
            CREATIONS.burst,
            "each class by itself"
        );
        assert_eq!(
            taken(&rate_limiter, "10.0.0.2", WebRateClass::LogIn, now),
            LOG_INS.burst,
            "each address by itself"
        );
        let rested = now + LOG_INS.every * LOG_INS.burst * 2;
        assert_eq!(
            taken(&rate_limiter, "10.0.0.1", WebRateClass::LogIn, rested),
            LOG_INS.burst,
            "and no more than that"
        );
    }

    #[test]
    fn a_household_counts_as_one() {
        let (rate_limiter, now) = (RateLimiter::default(), Instant::now());
        assert_eq!(taken(&rate_limiter, "fd00::1", WebRateClass::Creation, now), CREATIONS.burst);
        assert_eq!(taken(&rate_limiter, "fd00::ffff:1:2:3", WebRateClass::Creation, now), 0);
        assert_eq!(taken(&rate_limiter, "fd00:0:0:1::1", WebRateClass::Creation, now), CREATIONS.burst);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_who_was_quiet_for_longest() {
        let (rate_limiter, start) = (RateLimiter::default(), Instant::now());
        let nth = |n: usize| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        let at = |n: usize| start + Duration::from_micros(u64::try_from(n).unwrap());
        taken(&rate_limiter, "10.0.0.1", WebRateClass::Creation, start);
        for n in 0..ADDRESSES_MAX - 2 {
            rate_limiter.take(nth(n), WebRateClass::Creation, at(n)).unwrap();
        }
        let last = at(ADDRESSES_MAX);
        assert_eq!(taken(&rate_limiter, "10.0.0.1", WebRateClass::Creation, last), 0, "still known");
        for n in ADDRESSES_MAX..ADDRESSES_MAX + 50 {
            rate_limiter.take(nth(n), WebRateClass::Creation, last).unwrap();
        }
        assert_eq!(rate_limiter.known.locked().len(), ADDRESSES_MAX);
        assert_eq!(
            taken(&rate_limiter, "10.0.0.1", WebRateClass::Creation, last),
            0,
            "it was looked up lately"
        );
    }
}
