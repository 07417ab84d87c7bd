//! Limits on the number of concurrent connections (or other things) from one address.

use ribbit_state::sync::MutexExt;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

/// Mask of the network part of an IPv6 address. A household has a network of 64 bits and uses all of its addresses.
const NETWORK_BITS: u128 = !0 << 64;

/// Returns the key under which an address is counted: an IPv4 address itself, or the 64-bit network of an IPv6 address.
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK_BITS).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Counter of connections by address. Addresses without a connection take no memory.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// Maximum count of an address.
    most: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// Guard of one counted connection. Dropping it releases the connection's share of the limit.
#[derive(Debug)]
pub struct Presence(Option<(Crowd, IpAddr)>);

impl Crowd {
    /// Creates a counter that allows `most` connections per address.
    pub fn of(most: usize) -> Crowd {
        Crowd { most, counts: Arc::default() }
    }

    /// Counts a connection, or returns `None` when its address has reached the limit. Without `counted`, the connection is
    /// allowed and not counted.
    pub fn enter(&self, address: IpAddr, counted: bool) -> Option<Presence> {
        if !counted {
            return Some(Presence(None));
        }
        let key = household(address);
        let mut counts = self.counts();
        let count = counts.entry(key).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Presence(Some((self.clone(), key))))
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.locked()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let Some((crowd, key)) = self.0.take() else { return };
        let mut counts = crowd.counts();
        let left = counts.get_mut(&key).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_limit_and_closed_connections_do_not_count() {
        let crowd = Crowd::of(2);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (one, other) = (address("10.0.0.1"), address("10.0.0.2"));
        let first = crowd.enter(one, true).unwrap();
        let _second = crowd.enter(address("::ffff:10.0.0.1"), true).unwrap();
        assert!(crowd.enter(one, true).is_none());
        assert!(crowd.enter(one, false).is_some());
        drop(crowd.enter(other, true).unwrap());
        drop(first);
        assert!(crowd.enter(one, true).is_some());
        assert_eq!(crowd.counts().len(), 1, "an address without a connection is removed");
    }

    #[test]
    fn the_addresses_of_an_ipv6_network_count_together() {
        let of = |text: &str| household(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::5"), of("2001:db8:1:2:9::1"));
        assert_ne!(of("2001:db8:1:2::5"), of("2001:db8:1:3::5"));
    }
}
