//! Rate limits per client address, shared by the pages and the gateway. They are generous, because a school class may share
//! one address; the cluster itself limits each account more strictly.
//!
//! Each class has a token bucket ([`TokenBucket`]). A refusal takes no token. An IPv6 address counts as its /64 network, which is
//! what one household gets.
//!
//! Addresses of this machine are not limited, unless a trusted proxy names the client: a local process could do worse anyway, and a
//! proxy that is not configured as trusted stands for many clients.
//!
//! Not defended against: a client with thousands of addresses. The table drops the address that was idle for longest.

use crate::common::rate_limit::{Rate, TokenBucket, micros};
use ribbit_net::address_limit::address_key;
use ribbit_state::sync::MutexExt;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Maximum number of addresses with rate limits.
const ADDRESSES_MAX: usize = 4096;
/// Rate of password checks per address: a class of thirty logs in at once and mistypes; then thirty a minute.
pub const LOG_INS: Rate = Rate { burst: 60, every: Duration::from_secs(2) };
/// Rate of new accounts per address: a class at once, then ten in ten minutes.
pub const CREATIONS: Rate = Rate { burst: 40, every: Duration::from_secs(60) };
/// Rate of croaks, messages and the like per address: five a second on average.
pub const POSTS: Rate = Rate { burst: 150, every: Duration::from_millis(200) };
/// Rate of read receipts per address.
pub const MARKS: Rate = Rate { burst: 300, every: Duration::from_millis(100) };

/// Class of a limited request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressRateClass {
    /// Everything that checks a password.
    LogIn,
    Creation,
    /// Croaks, messages, follows, settings.
    Post,
    /// Read receipts, which pages send by themselves.
    Mark,
}

const RATE_CLASSES: usize = 4;

impl AddressRateClass {
    fn rate(self) -> Rate {
        match self {
            AddressRateClass::LogIn => LOG_INS,
            AddressRateClass::Creation => CREATIONS,
            AddressRateClass::Post => POSTS,
            AddressRateClass::Mark => MARKS,
        }
    }
}

/// Rest of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLeft {
    /// Maximum number of requests at once.
    pub(crate) limit: u32,
    /// Number of requests that are allowed now.
    pub(crate) left: u32,
    /// Time after which one more is allowed.
    pub(crate) every: Duration,
}

/// Buckets of one address, by class.
type Buckets = [TokenBucket; RATE_CLASSES];

/// Rate limits of all addresses.
#[derive(Debug)]
pub(crate) struct AddressRates {
    /// Start of the buckets' clock.
    began: Instant,
    /// Buckets by address, with the time of the last request.
    known: Mutex<HashMap<IpAddr, (Instant, Buckets)>>,
}

impl Default for AddressRates {
    fn default() -> AddressRates {
        AddressRates { began: Instant::now(), known: Mutex::default() }
    }
}

impl AddressRates {
    /// Takes a token, and returns how many are left.
    ///
    /// # Errors
    /// The time until the next token if there is none.
    pub(crate) fn take(
        &self,
        address: IpAddr,
        class: AddressRateClass,
        now: Instant,
    ) -> Result<RateLeft, Duration> {
        let key = address_key(address);
        let mut known = self.known.locked();
        if known.len() >= ADDRESSES_MAX && !known.contains_key(&key) {
            let quietest = known.iter().min_by_key(|(_, (at, _))| *at).map(|(address, _)| *address);
            quietest.and_then(|address| known.remove(&address));
        }
        let (at, buckets) = known.entry(key).or_insert((now, Buckets::default()));
        *at = now;
        let now_us = micros(now.saturating_duration_since(self.began));
        let (bucket, rate) = (&mut buckets[class as usize], class.rate());
        bucket.take(rate, now_us)?;
        Ok(RateLeft { limit: rate.burst, left: bucket.left(rate, now_us), every: rate.every })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Returns the number of requests that are allowed at this moment.
    fn taken(rates: &AddressRates, from: &str, class: AddressRateClass, now: Instant) -> u32 {
        (0..).find(|_| rates.take(address(from), class, now).is_err()).unwrap()
    }

    #[test]
    fn a_burst_then_one_at_a_time() {
        let (rates, now) = (AddressRates::default(), Instant::now());
        assert_eq!(taken(&rates, "10.0.0.1", AddressRateClass::LogIn, now), LOG_INS.burst);
        let wait = rates.take(address("10.0.0.1"), AddressRateClass::LogIn, now).unwrap_err();
        assert_eq!(wait, LOG_INS.every, "a refusal costs nothing");
        assert_eq!(taken(&rates, "10.0.0.1", AddressRateClass::LogIn, now + wait), 1);
        assert_eq!(
            taken(&rates, "10.0.0.1", AddressRateClass::Creation, now),
            CREATIONS.burst,
            "each class by itself"
        );
        assert_eq!(
            taken(&rates, "10.0.0.2", AddressRateClass::LogIn, now),
            LOG_INS.burst,
            "each address by itself"
        );
        let rested = now + LOG_INS.every * LOG_INS.burst * 2;
        assert_eq!(
            taken(&rates, "10.0.0.1", AddressRateClass::LogIn, rested),
            LOG_INS.burst,
            "and no more than that"
        );
    }

    #[test]
    fn a_household_counts_as_one() {
        let (rates, now) = (AddressRates::default(), Instant::now());
        assert_eq!(taken(&rates, "fd00::1", AddressRateClass::Creation, now), CREATIONS.burst);
        assert_eq!(taken(&rates, "fd00::ffff:1:2:3", AddressRateClass::Creation, now), 0);
        assert_eq!(taken(&rates, "fd00:0:0:1::1", AddressRateClass::Creation, now), CREATIONS.burst);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_who_was_quiet_for_longest() {
        let (rates, start) = (AddressRates::default(), Instant::now());
        let nth = |n: usize| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        let at = |n: usize| start + Duration::from_micros(u64::try_from(n).unwrap());
        taken(&rates, "10.0.0.1", AddressRateClass::Creation, start);
        for n in 0..ADDRESSES_MAX - 2 {
            rates.take(nth(n), AddressRateClass::Creation, at(n)).unwrap();
        }
        let last = at(ADDRESSES_MAX);
        assert_eq!(taken(&rates, "10.0.0.1", AddressRateClass::Creation, last), 0, "still known");
        for n in ADDRESSES_MAX..ADDRESSES_MAX + 50 {
            rates.take(nth(n), AddressRateClass::Creation, last).unwrap();
        }
        assert_eq!(rates.known.locked().len(), ADDRESSES_MAX);
        assert_eq!(taken(&rates, "10.0.0.1", AddressRateClass::Creation, last), 0, "it was looked up lately");
    }
}
