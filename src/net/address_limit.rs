//! Limits on the number of concurrent connections (or other things) from one address, or of another key.

use ribbit_state::sync::MutexExt;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

/// Mask of the network part of an IPv6 address. A household has a network of 64 bits and uses all of its addresses.
const NETWORK_BITS: u128 = !0 << 64;

/// Returns the key under which an address is counted: an IPv4 address itself, or the 64-bit network of an IPv6 address.
pub fn address_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK_BITS).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Counter of things by a key. Keys without a thing take no memory.
#[derive(Debug)]
pub struct KeyedLimit<K> {
    /// Maximum count of a key.
    max: usize,
    counts: Arc<Mutex<HashMap<K, usize>>>,
}

/// Guard of one counted thing. Dropping it releases its share of the limit.
#[derive(Debug)]
pub struct KeyedSlot<K: Eq + Hash> {
    counts: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Copy + Eq + Hash> KeyedLimit<K> {
    /// Creates a counter that allows `max` things per key.
    pub fn new(max: usize) -> KeyedLimit<K> {
        KeyedLimit { max, counts: Arc::default() }
    }

    /// Counts a thing, or returns `None` when its key has reached the limit.
    pub fn take(&self, key: K) -> Option<KeyedSlot<K>> {
        let mut counts = self.counts.locked();
        let count = counts.entry(key).or_insert(0);
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(KeyedSlot { counts: self.counts.clone(), key })
    }
}

impl<K: Eq + Hash> Drop for KeyedSlot<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.locked();
        let left = counts.get_mut(&self.key).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            counts.remove(&self.key);
        }
    }
}

/// Counter of connections by address.
#[derive(Debug)]
pub struct AddressLimit(KeyedLimit<IpAddr>);

/// Guard of one connection, which may not be counted.
#[derive(Debug)]
pub struct AddressSlot(#[expect(dead_code, reason = "held, not read")] Option<KeyedSlot<IpAddr>>);

impl AddressLimit {
    /// Creates a counter that allows `max` connections per address.
    pub fn new(max: usize) -> AddressLimit {
        AddressLimit(KeyedLimit::new(max))
    }

    /// Counts a connection, or returns `None` when its address has reached the limit. Without `counted`, the connection is
    /// allowed and not counted.
    pub fn enter(&self, address: IpAddr, counted: bool) -> Option<AddressSlot> {
        if !counted {
            return Some(AddressSlot(None));
        }
        self.0.take(address_key(address)).map(|slot| AddressSlot(Some(slot)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_limit_and_closed_connections_do_not_count() {
        let limit = AddressLimit::new(2);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (one, other) = (address("10.0.0.1"), address("10.0.0.2"));
        let first = limit.enter(one, true).unwrap();
        let _second = limit.enter(address("::ffff:10.0.0.1"), true).unwrap();
        assert!(limit.enter(one, true).is_none());
        assert!(limit.enter(one, false).is_some());
        drop(limit.enter(other, true).unwrap());
        drop(first);
        assert!(limit.enter(one, true).is_some());
        assert_eq!(limit.0.counts.locked().len(), 1, "an address without a connection is removed");
    }

    #[test]
    fn the_addresses_of_an_ipv6_network_count_together() {
        let of = |text: &str| address_key(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::5"), of("2001:db8:1:2:9::1"));
        assert_ne!(of("2001:db8:1:2::5"), of("2001:db8:1:3::5"));
    }
}
