//! The servers that a client knows: the configured ones, and those that it has learned since.
//!
//! ```text
//!   [ first choice, any of these | configured as well | learned ]
//! ```
//!
//! The configured addresses stay. The learned addresses are those that the last server has named. A learned address is only
//! a hint: it may not be reachable from here, and its server is verified before it is used.

use super::limits::ADDRESSES_MAX;
use ribbit_state::sync::MutexExt;
use std::sync::{Mutex, MutexGuard};

/// Addresses of servers, each HOST:PORT, in the order in which they are tried.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    /// The configured addresses, then the learned ones.
    known: Mutex<Vec<String>>,
    /// Number of configured addresses.
    configured: usize,
    /// Number of configured addresses with which a client may begin.
    first: usize,
}

impl Servers {
    /// Creates a list of configured addresses. A client begins with any of `first`, and uses `also` when those do not
    /// answer. If `first` is empty, it begins with any of `also`.
    pub(crate) fn new(first: Vec<String>, also: Vec<String>) -> Servers {
        let mut known = first;
        let first = known.len();
        for address in also {
            if !known.contains(&address) {
                known.push(address);
            }
        }
        let first = if first == 0 { known.len() } else { first };
        Servers { configured: known.len(), known: Mutex::new(known), first }
    }

    /// Returns the first address that is not in `except`, cyclically from this position on, and its position.
    pub(crate) fn next(&self, position: usize, except: &[String]) -> Option<(usize, String)> {
        let known = self.known();
        let positions = (0..known.len()).map(|step| (position % known.len() + step) % known.len());
        let mut left = positions.filter(|position| !except.contains(&known[*position]));
        left.next().map(|position| (position, known[position].clone()))
    }

    /// Returns the address at this position, counted cyclically, and true if it was learned.
    pub(crate) fn get(&self, position: usize) -> Option<(String, bool)> {
        let known = self.known();
        let position = position.checked_rem(known.len())?;
        Some((known[position].clone(), position >= self.configured))
    }

    /// Returns a random position to begin, so that clients spread over the servers.
    pub(crate) fn random_start(&self) -> usize {
        let any = getrandom::u32().unwrap_or(0) as usize;
        any.checked_rem(self.first).unwrap_or(0)
    }

    /// Replaces the learned addresses.
    pub(crate) fn learn(&self, addresses: impl IntoIterator<Item = String>) {
        let mut known = self.known();
        known.truncate(self.configured);
        for address in addresses {
            if !address.is_empty() && known.len() < ADDRESSES_MAX && !known.contains(&address) {
                known.push(address);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Vec<String>> {
        self.known.locked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn learned_addresses_follow_the_configured_ones_and_are_replaced() {
        let servers = Servers::new(words("balancer"), words("one balancer"));
        servers.learn(words("two one three"));
        servers.learn(words("three four"));
        let all: Vec<(String, bool)> = (0..4).filter_map(|position| servers.get(position)).collect();
        let name = |name: &str, learned| (name.to_string(), learned);
        assert_eq!(
            all,
            [name("balancer", false), name("one", false), name("three", true), name("four", true)]
        );
        assert_eq!(servers.get(4), servers.get(0), "positions are cyclic");
        assert_eq!(servers.next(5, &words("one three")), Some((3, "four".to_string())));
        assert_eq!(servers.next(3, &words("four one")), Some((0, "balancer".to_string())));
        assert_eq!(servers.next(0, &words("balancer one three four")), None);
        assert_eq!(servers.random_start(), 0, "it begins with the balancer");
        assert_eq!(Servers::default().get(0), None);
    }
}
