//! Recognises copies of one write.
//!
//! The client sends a write to every port that the balancer listed, at once and with the same bytes, and reads one of the
//! answers. Copies must be carried out once and get the same answer. A person may well post the same text twice: the second
//! post comes on a port that has brought the first one already, or later.

use super::codec::Answer;
use ribbit_net::secret::token_hash;
use ribbit_state::TokenHash;
use ribbit_state::sync::MutexExt;
use smol::lock::OnceCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Time within which the copies of one write arrive.
pub(super) const COPIES_WITHIN: Duration = Duration::from_secs(2);
/// Maximum number of writes whose copies are recognised at once. Beyond it the oldest is dropped.
const WRITES_MAX: usize = 1_024;

/// Answer that the copies of a write share.
pub(super) type SharedAnswer = Arc<OnceCell<Answer>>;

/// Writes whose copies may still arrive, by address and hash of their bytes.
#[derive(Debug, Default)]
pub(super) struct Copies(Mutex<HashMap<(IpAddr, TokenHash), Write>>);

#[derive(Debug)]
struct Write {
    first_at: Instant,
    /// Listeners that have brought it, one bit each.
    listeners: u32,
    answer: SharedAnswer,
}

impl Copies {
    /// Returns the answer of a write that arrived at `listener`: that of its first copy, or a new one.
    pub(super) fn answer(&self, from: IpAddr, bytes: &[u8], listener: usize, now: Instant) -> SharedAnswer {
        let bit = 1 << listener;
        let mut writes = self.0.locked();
        writes.retain(|_, write| now.saturating_duration_since(write.first_at) < COPIES_WITHIN);
        let key = (from, token_hash(bytes));
        if let Some(write) = writes.get_mut(&key).filter(|write| write.listeners & bit == 0) {
            write.listeners |= bit;
            return write.answer.clone();
        }
        if writes.len() >= WRITES_MAX
            && let Some(oldest) = writes.iter().min_by_key(|(_, write)| write.first_at).map(|(key, _)| *key)
        {
            writes.remove(&oldest);
        }
        let answer = SharedAnswer::default();
        writes.insert(key, Write { first_at: now, listeners: bit, answer: answer.clone() });
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_an_answer_and_repeated_posts_do_not() {
        let (copies, start) = (Copies::default(), Instant::now());
        let at = |listener, ms| {
            let now = start + Duration::from_millis(ms);
            copies.answer(IpAddr::from([127, 0, 0, 1]), b"post,hi,ada", listener, now)
        };
        let first = at(1, 0);
        assert!(Arc::ptr_eq(&first, &at(2, 1)) && Arc::ptr_eq(&first, &at(3, 1)));
        let second = at(1, 500);
        assert!(!Arc::ptr_eq(&first, &second), "the port has brought it already");
        assert!(Arc::ptr_eq(&second, &at(3, 501)));
        assert!(!Arc::ptr_eq(&second, &at(2, 2_500)), "too late for a copy");
        let other = copies.answer(IpAddr::from([127, 0, 0, 1]), b"post,ho,ada", 2, start);
        assert!(!Arc::ptr_eq(&second, &other), "another text");
    }
}
