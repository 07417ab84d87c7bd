//! Messages that clients send, each once.
//!
//! A client whose call has failed repeats it through another gateway, although it may have been carried out. So a message that was
//! sent a moment ago through another gateway is the same one. A repeat through the same gateway is meant: it knows what it has sent.

use crate::gateway::operations::GatewayOperations;
use crate::operations::{Refusal, Session};
use ribbit_state::LogIndex;
use ribbit_state::limits::REPEATED_SEND_MS;
use ribbit_state::sync::MutexExt;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Time for which a gateway knows what it has sent: longer than what the rules look back.
const KNOWN: Duration = Duration::from_millis(4 * REPEATED_SEND_MS);
/// Maximum number of messages that are known. Beyond it the oldest is forgotten.
const KNOWN_MAX: usize = 4_096;

/// Messages that this gateway has sent lately, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Sends(Mutex<VecDeque<Sent>>);

#[derive(Debug)]
struct Sent {
    at: Instant,
    from: String,
    to: String,
    text: String,
    id: LogIndex,
}

impl Sends {
    pub(super) async fn send(
        &self,
        operations: &GatewayOperations,
        address: IpAddr,
        session: &Session,
        to: &str,
        text: &str,
    ) -> Result<(), Refusal> {
        let to = to.trim();
        let known = self.known(&session.username, to, text, Instant::now());
        let id = operations.send_again(address, session, to, text, known).await?;
        self.record(Sent {
            at: Instant::now(),
            from: session.username.clone(),
            to: to.to_string(),
            text: text.to_string(),
            id,
        });
        Ok(())
    }

    /// Returns the newest such message that this gateway has sent, or 0.
    fn known(&self, from: &str, to: &str, text: &str, now: Instant) -> LogIndex {
        let sent = self.0.locked();
        let is_same = |sent: &&Sent| sent.from == from && sent.to == to && sent.text == text;
        let lately = sent.iter().rev().take_while(|sent| now.duration_since(sent.at) < KNOWN);
        lately.filter(is_same).map(|sent| sent.id).max().unwrap_or(0)
    }

    fn record(&self, new: Sent) {
        let mut sent = self.0.locked();
        let is_old = |sent: &Sent| new.at.duration_since(sent.at) >= KNOWN;
        while sent.front().is_some_and(is_old) || sent.len() >= KNOWN_MAX {
            sent.pop_front();
        }
        sent.push_back(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_lately_is_known() {
        let (sends, start) = (Sends::default(), Instant::now());
        let sent = |id, text: &str, at| Sent {
            at,
            from: "ada".to_string(),
            to: "bob".to_string(),
            text: text.to_string(),
            id,
        };
        sends.record(sent(7, "hi", start));
        sends.record(sent(9, "hi", start));
        assert_eq!(sends.known("ada", "bob", "hi", start), 9);
        assert_eq!(sends.known("ada", "bob", "ho", start), 0);
        assert_eq!(sends.known("bob", "ada", "hi", start), 0);
        assert_eq!(sends.known("ada", "bob", "hi", start + KNOWN), 0, "no longer");
        sends.record(sent(20, "ho", start + KNOWN));
        assert_eq!(sends.0.locked().len(), 1);
        for id in 0..2 * KNOWN_MAX as u64 {
            sends.record(sent(id, "ho", start + KNOWN));
        }
        assert_eq!(sends.0.locked().len(), KNOWN_MAX);
    }
}
