//! The servers that a client may ask: those it was given, and those it has learned of since.
//!
//! ```text
//!   [ begin with any of these | also given | learned ]
//! ```
//!
//! What was given stays. What was learned is what the last one who told has said: an address is a hint, and may lead
//! nowhere from here; whoever is behind it is not believed to belong here before it was asked.

use super::limits::ADDRESSES_MAX;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub struct Servers {
    /// Those given, then those learned.
    known: Mutex<Vec<String>>,
    given: usize,
    /// Of those given, how many one may begin with.
    first: usize,
}

impl Servers {
    /// One begins with any of `first`; `also` are asked when those do not answer.
    pub fn new(first: Vec<String>, also: Vec<String>) -> Servers {
        let mut known = first;
        let first = known.len();
        for address in also {
            if !known.contains(&address) {
                known.push(address);
            }
        }
        // Who gave nobody to begin with begins with whom there is.
        let first = if first == 0 { known.len() } else { first };
        Servers { given: known.len(), known: Mutex::new(known), first }
    }

    /// The first from this place on, going round, who is not among these; and its place.
    pub fn next(&self, place: usize, but: &[String]) -> Option<(usize, String)> {
        let known = self.known();
        let places = (0..known.len()).map(|step| (place % known.len() + step) % known.len());
        let mut left = places.filter(|place| !but.contains(&known[*place]));
        left.next().map(|place| (place, known[place].clone()))
    }

    /// The one at this place, going round, and whether it was learned of only.
    pub fn at(&self, place: usize) -> Option<(String, bool)> {
        let known = self.known();
        let place = place.checked_rem(known.len())?;
        Some((known[place].clone(), place >= self.given))
    }

    /// Where to begin, so that many clients spread over the servers.
    pub fn any(&self) -> usize {
        let any = getrandom::u32().unwrap_or(0) as usize;
        any.checked_rem(self.first).unwrap_or(0)
    }

    /// Besides those given there are these.
    pub fn learn(&self, addresses: impl IntoIterator<Item = String>) {
        let mut known = self.known();
        known.truncate(self.given);
        for address in addresses {
            if !address.is_empty() && known.len() < ADDRESSES_MAX && !known.contains(&address) {
                known.push(address);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Vec<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn who_was_learned_of_comes_after_who_was_given_and_makes_place_for_who_is_told_of_next() {
        let servers = Servers::new(words("balancer"), words("one balancer"));
        servers.learn(words("two one three"));
        servers.learn(words("three four"));
        let all: Vec<(String, bool)> = (0..4).filter_map(|place| servers.at(place)).collect();
        let name = |name: &str, learned| (name.to_string(), learned);
        assert_eq!(
            all,
            [name("balancer", false), name("one", false), name("three", true), name("four", true)]
        );
        assert_eq!(servers.at(4), servers.at(0), "going round");
        assert_eq!(servers.next(5, &words("one three")), Some((3, "four".to_string())));
        assert_eq!(servers.next(3, &words("four one")), Some((0, "balancer".to_string())));
        assert_eq!(servers.next(0, &words("balancer one three four")), None);
        assert_eq!(servers.any(), 0, "it begins with the balancer");
        assert_eq!(Servers::default().at(0), None);
    }
}
