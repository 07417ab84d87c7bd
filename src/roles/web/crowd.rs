//! How many of something are there now from each address, and no more than so many.

use super::pace::household;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

/// As large as what it counts is numerous: who is gone is not in it.
#[derive(Debug, Clone)]
pub struct Crowd {
    most: usize,
    there: Rc<RefCell<HashMap<IpAddr, usize>>>,
}

/// One that is there; gone when it is dropped.
#[derive(Debug)]
pub struct Presence(Option<(Crowd, IpAddr)>);

impl Crowd {
    pub fn of(most: usize) -> Crowd {
        Crowd { most, there: Rc::default() }
    }

    /// Nothing when there are too many from that address. Who is not `counted` always finds a place.
    pub fn enter(&self, address: IpAddr, counted: bool) -> Option<Presence> {
        if !counted {
            return Some(Presence(None));
        }
        let key = household(address);
        let mut there = self.there.borrow_mut();
        let count = there.entry(key).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Presence(Some((self.clone(), key))))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let Some((crowd, key)) = self.0.take() else { return };
        let mut there = crowd.there.borrow_mut();
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
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let first = crowd.enter(one, true).unwrap();
        let _second = crowd.enter(one, true).unwrap();
        assert!(crowd.enter(one, true).is_none());
        assert!(crowd.enter(one, false).is_some());
        drop(crowd.enter(other, true).unwrap());
        drop(first);
        assert!(crowd.enter(one, true).is_some());
        assert_eq!(crowd.there.borrow().len(), 1, "who is gone is forgotten");
    }
}
