//! Assignment of readers to backends, for a limited time. Pure: the caller passes the time.
//!
//! - A reader has at most one assignment. The next query renews or moves it.
//! - Assignments only serve to count a backend's load. A reader without one is answered too.
//! - Assignments by other balancers are not known here.

use super::limits::{READER_LEASE, READERS_MAX};
use ribbit_net::protocol::ReaderId;
use std::collections::BTreeMap;
use std::time::Instant;

/// The assignments of one balancer.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    assignments: BTreeMap<ReaderId, Assignment>,
}

/// One assignment.
#[derive(Debug)]
struct Assignment {
    address: String,
    ends: Instant,
}

impl Readers {
    /// Removes expired assignments.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.assignments.retain(|_, assignment| assignment.ends > now);
    }

    /// Assigns `client` to the backend at `address`, instead of its previous one. Ignored for a new reader if `READERS_MAX`
    /// are assigned.
    pub(crate) fn assign(&mut self, client: ReaderId, address: &str, now: Instant) {
        if self.assignments.len() < READERS_MAX || self.assignments.contains_key(&client) {
            let assignment = Assignment { address: address.to_string(), ends: now + READER_LEASE };
            self.assignments.insert(client, assignment);
        }
    }

    /// Removes an assignment. Returns true if there was one.
    pub(crate) fn remove(&mut self, client: ReaderId) -> bool {
        self.assignments.remove(&client).is_some()
    }

    /// Removes all assignments to a dead backend. Its readers query again.
    pub(crate) fn remove_backend(&mut self, address: &str) {
        self.assignments.retain(|_, assignment| assignment.address != address);
    }

    /// Returns the address of the backend that `client` is assigned to.
    pub(crate) fn backend_of(&self, client: ReaderId) -> Option<&str> {
        self.assignments.get(&client).map(|assignment| assignment.address.as_str())
    }

    /// Returns the number of assignments.
    pub(crate) fn count(&self) -> usize {
        self.assignments.len()
    }

    /// Returns the number of readers per backend address, without the reader `except`.
    pub(crate) fn counts(&self, except: Option<ReaderId>) -> BTreeMap<&str, u32> {
        let mut counts = BTreeMap::new();
        for (_, assignment) in self.assignments.iter().filter(|(client, _)| Some(**client) != except) {
            *counts.entry(assignment.address.as_str()).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(readers: &Readers, address: &str, except: Option<ReaderId>) -> u32 {
        readers.counts(except).get(address).copied().unwrap_or(0)
    }

    #[test]
    fn a_reader_has_one_assignment_until_it_leaves_or_it_expires() {
        let now = Instant::now();
        let mut readers = Readers::default();
        readers.assign(7, "a", now);
        readers.assign(8, "a", now);
        assert_eq!((at(&readers, "a", None), at(&readers, "a", Some(7)), at(&readers, "b", None)), (2, 1, 0));
        readers.assign(7, "b", now + Duration::from_secs(1));
        assert_eq!(
            (at(&readers, "a", None), at(&readers, "b", None), readers.backend_of(7)),
            (1, 1, Some("b"))
        );
        readers.expire(now + READER_LEASE);
        assert_eq!((readers.backend_of(8), readers.backend_of(7)), (None, Some("b")));
        assert!(readers.remove(7) && !readers.remove(7));
        readers.assign(9, "a", now);
        readers.remove_backend("a");
        assert_eq!(readers.backend_of(9), None);
    }

    #[test]
    fn assignments_are_bounded_and_can_be_renewed_when_all_are_taken() {
        let now = Instant::now();
        let mut readers = Readers::default();
        for client in 0..2 * READERS_MAX as ReaderId {
            readers.assign(client, "a", now);
        }
        assert_eq!(at(&readers, "a", None), READERS_MAX as u32);
        readers.assign(0, "b", now);
        assert_eq!(at(&readers, "b", None), 1);
    }
}
