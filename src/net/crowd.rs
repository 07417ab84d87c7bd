//! How many of something are there now from each address, and no more than so many.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of an IPv6 address, what one household has: it may be anybody in it.
const NETWORK_BITS: u128 = !0 << 64;

/// The addresses that are one for whoever counts: an IPv4 address, or a network of 64 bits.
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK_BITS).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// As large as what it counts is numerous: who is gone is not in it.
#[derive(Debug, Clone)]
pub struct Crowd {
    most: usize,
    there: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One that is there; gone when it is dropped.
#[derive(Debug)]
pub struct Presence(Option<(Crowd, IpAddr)>);

impl Crowd {
    pub fn of(most: usize) -> Crowd {
        Crowd { most, there: Arc::default() }
    }

    /// Nothing when there are too many from that address. Who is not `counted` always finds a place.
    pub fn enter(&self, address: IpAddr, counted: bool) -> Option<Presence> {
        if !counted {
            return Some(Presence(None));
        }
        let key = household(address);
        let mut there = self.there();
        let count = there.entry(key).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Presence(Some((self.clone(), key))))
    }

    fn there(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let Some((crowd, key)) = self.0.take() else { return };
        let mut there = crowd.there();
        let left = there.get_mut(&key).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            there.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_places_and_who_leaves_makes_room() {
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
        assert_eq!(crowd.there().len(), 1, "who is gone is forgotten");
    }

    #[test]
    fn a_household_has_one_place_for_all_its_addresses() {
        let of = |text: &str| household(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::5"), of("2001:db8:1:2:9::1"));
        assert_ne!(of("2001:db8:1:2::5"), of("2001:db8:1:3::5"));
    }
}
