//! The lease holder's side: this node's own lease and those of the clients connected to it. Pure: takes times.
//!
//! ```text
//!   heartbeat, clients' renewals ─▶ RenewLease { serial } ─▶ leader, and coordinators, which relay it
//!                                   LeaseRenewed { serial } ◀─ leader      extends the lease from when that serial was sent
//! ```
//!
//! A holder counts its lease from the time at which it sent the last confirmed heartbeat, and considers it lost after half of
//! the lease time. The leader ends it after the whole lease time.

use ribbit_state::LogIndex;
use smol::channel::Sender;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Maximum number of clients that wait for one heartbeat. Further ones are refused as busy.
const WAITING_MAX: usize = 4 * ribbit_state::limits::CLIENT_LEASES_MAX as usize;

/// Maximum number of unconfirmed heartbeats. Older ones count as lost.
const SENT_MAX: usize = 64;

/// Unconfirmed heartbeats and waiting clients of this node.
#[derive(Debug, Default)]
pub struct Renewals {
    /// Number of the last heartbeat.
    serial: u64,
    sent: BTreeMap<u64, SentHeartbeat>,
    /// Clients that renew and are not in a heartbeat yet, with the channel for the confirmed lease time in milliseconds.
    waiting: Vec<(LogIndex, Sender<u32>)>,
    /// Send time of the newest confirmed heartbeat, and the lease time from then on.
    confirmed: Option<(Instant, Duration)>,
}

/// An unconfirmed heartbeat.
#[derive(Debug)]
struct SentHeartbeat {
    at: Instant,
    clients: Vec<Sender<u32>>,
}

impl Renewals {
    /// Queues a client's renewal for the next heartbeat. `tell` receives the lease time in milliseconds once the leader has
    /// confirmed it. Returns false if too many clients wait.
    pub fn renew(&mut self, client: LogIndex, tell: Sender<u32>) -> bool {
        let has_room = self.waiting.len() < WAITING_MAX;
        if has_room {
            self.waiting.push((client, tell));
        }
        has_room
    }

    /// Returns the number of the next heartbeat and the clients in it.
    pub fn next(&mut self, now: Instant) -> (u64, Vec<LogIndex>) {
        self.serial += 1;
        let waiting = std::mem::take(&mut self.waiting);
        let clients: BTreeSet<LogIndex> = waiting.iter().map(|(client, _)| *client).collect();
        let tell = waiting.into_iter().map(|(_, tell)| tell).collect();
        self.sent.insert(self.serial, SentHeartbeat { at: now, clients: tell });
        while self.sent.len() > SENT_MAX {
            self.sent.pop_first();
        }
        (self.serial, clients.into_iter().collect())
    }

    /// Records that the leader has confirmed a heartbeat.
    pub fn confirm(&mut self, serial: u64, lease_ms: u32) {
        let Some(sent) = self.sent.remove(&serial) else { return };
        let lease = Duration::from_millis(lease_ms.into());
        if self.confirmed.is_none_or(|(at, _)| at < sent.at) {
            self.confirmed = Some((sent.at, lease));
        }
        for client in sent.clients {
            // The waiting request may have been dropped.
            let _ = client.try_send(lease_ms);
        }
    }

    /// Returns true if the heartbeat before the last one was confirmed, or the last one, so that the next one need not be
    /// relayed.
    pub fn are_fresh(&self, now: Instant) -> bool {
        self.confirmed.is_some_and(|(at, lease)| now.saturating_duration_since(at) < lease * 3 / 8)
    }

    /// Returns true while this node's lease is certainly valid.
    pub fn holds(&self, now: Instant) -> bool {
        self.confirmed.is_some_and(|(at, lease)| now.saturating_duration_since(at) < lease / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_counts_from_the_sending_of_its_heartbeat_and_is_valid_for_half_its_time() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut renewals = Renewals::default();
        assert!(!renewals.holds(start));
        let (first, _) = renewals.next(at(0));
        let (second, _) = renewals.next(at(500));
        renewals.confirm(second, 2_000);
        renewals.confirm(first, 2_000);
        assert!(renewals.holds(at(1_499)) && !renewals.holds(at(1_500)));
        renewals.confirm(second, 2_000);
        renewals.confirm(77, 2_000);
        assert!(!renewals.holds(at(1_500)));
    }

    #[test]
    fn clients_are_answered_once_their_heartbeat_is_confirmed() {
        let mut renewals = Renewals::default();
        let (tell, told) = smol::channel::bounded(1);
        assert!(renewals.renew(7, tell.clone()) && renewals.renew(7, tell));
        let (serial, clients) = renewals.next(Instant::now());
        assert_eq!(clients, [7]);
        assert_eq!(renewals.next(Instant::now()).1, [0; 0]);
        assert!(told.is_empty());
        renewals.confirm(serial, 2_000);
        assert_eq!(told.try_recv(), Ok(2_000));
    }
}
