//! This node's side of leases: its own and those of the clients that talk to it.
//!
//! ```text
//!   own beat, clients' renewals ─▶ Alive { serial } ─▶ leader, and coordinators, who pass it on
//!                                  Heard { serial } ◀─ leader      counts from when that serial was sent
//! ```
//!
//! A holder counts its lease from when it sent the last beat that was heard, and stops at half of it; the leader
//! lets go after all of it. Pure: times come in.

use crate::state::LogIndex;
use smol::channel::Sender;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Clients that wait for one beat at most; further ones are told that too much is going on.
const WAITING_MAX: usize = 4 * crate::state::limits::CLIENT_LEASES_MAX as usize;
/// Beats that are on their way at most; older ones are as good as lost.
const SENT_MAX: usize = 64;

#[derive(Debug, Default)]
pub struct Renewals {
    serial: u64,
    sent: BTreeMap<u64, Sent>,
    /// Clients that want to be told, and are in no beat yet.
    waiting: Vec<(LogIndex, Sender<u32>)>,
    /// When the newest beat that was heard left, and how long that is good for.
    heard: Option<(Instant, Duration)>,
}

#[derive(Debug)]
struct Sent {
    at: Instant,
    clients: Vec<Sender<u32>>,
}

impl Renewals {
    /// A client renews. It is told the length of the lease once the leader has heard, by way of `tell`; `false` when
    /// there is no place.
    pub fn renew(&mut self, client: LogIndex, tell: Sender<u32>) -> bool {
        let has_room = self.waiting.len() < WAITING_MAX;
        if has_room {
            self.waiting.push((client, tell));
        }
        has_room
    }

    /// The next beat: its number, and the clients in it.
    pub fn next(&mut self, now: Instant) -> (u64, Vec<LogIndex>) {
        self.serial += 1;
        let waiting = std::mem::take(&mut self.waiting);
        let clients: BTreeSet<LogIndex> = waiting.iter().map(|(client, _)| *client).collect();
        let tell = waiting.into_iter().map(|(_, tell)| tell).collect();
        self.sent.insert(self.serial, Sent { at: now, clients: tell });
        while self.sent.len() > SENT_MAX {
            self.sent.pop_first();
        }
        (self.serial, clients.into_iter().collect())
    }

    /// The leader has heard this beat.
    pub fn heard(&mut self, serial: u64, lease_ms: u32) {
        let Some(sent) = self.sent.remove(&serial) else { return };
        let lease = Duration::from_millis(lease_ms.into());
        if self.heard.is_none_or(|(at, _)| at < sent.at) {
            self.heard = Some((sent.at, lease));
        }
        for client in sent.clients {
            // Whoever waited may have given up.
            let _ = client.try_send(lease_ms);
        }
    }

    /// Whether what this node holds is surely its own still.
    pub fn holds(&self, now: Instant) -> bool {
        self.heard.is_some_and(|(at, lease)| now.saturating_duration_since(at) < lease / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_counts_from_when_its_beat_was_sent_and_half_of_it_is_good() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut renewals = Renewals::default();
        assert!(!renewals.holds(start));
        let (first, _) = renewals.next(at(0));
        let (second, _) = renewals.next(at(500));
        renewals.heard(second, 2_000);
        renewals.heard(first, 2_000);
        assert!(renewals.holds(at(1_499)) && !renewals.holds(at(1_500)));
        renewals.heard(second, 2_000);
        renewals.heard(77, 2_000);
        assert!(!renewals.holds(at(1_500)));
    }

    #[test]
    fn clients_are_told_once_the_beat_they_were_in_is_heard() {
        let mut renewals = Renewals::default();
        let (tell, told) = smol::channel::bounded(1);
        assert!(renewals.renew(7, tell.clone()) && renewals.renew(7, tell));
        let (serial, clients) = renewals.next(Instant::now());
        assert_eq!(clients, [7]);
        assert_eq!(renewals.next(Instant::now()).1, [0; 0]);
        assert!(told.is_empty());
        renewals.heard(serial, 2_000);
        assert_eq!(told.try_recv(), Ok(2_000));
    }
}
