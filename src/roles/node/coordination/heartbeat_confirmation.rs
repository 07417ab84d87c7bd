//! The leader's answers to heartbeats. An answer extends a lease, so it is sent only after a majority has confirmed, after
//! the heartbeat arrived, that this node still leads.
//!
//! ```text
//!   heartbeat ─▶ waiting ─▶ one read-index round for all waiting ones ─▶ LeaseRenewed to each
//!                          └── not confirmed in time, or another term ──▶ no answer: the holder sends the next heartbeat
//! ```
//!
//! A leader that was cut off, or stopped and resumed, believes for a while that it still leads. If it confirmed leases then,
//! their holders would go on beside the new holders appointed by the next leader. A round that began after the heartbeat
//! arrived proves that the next leader's term begins after it, and that leader grants every lease its full time from then on.

use super::confirmation::ConfirmationRound;
use super::{NodeState, receive};
use event_listener::Event;
use ribbit_net::peer::PeerTalk;
use ribbit_state::RaftId;
use ribbit_state::sync::MutexExt;
use smol::future::or;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Maximum number of heartbeats that wait for a round. Further ones are dropped.
const WAITING_MAX: usize = 1_024;

/// Time limit of one round. A holder has sent its next heartbeat by then.
const ROUND_MAX: Duration = Duration::from_millis(500);

/// Fraction of the lease time (an eighth) during which heartbeats without client renewals are gathered into one round,
/// so that an idle cluster needs few rounds.
const GATHER_DIVISOR: u32 = 8;

/// Heartbeats that the leader has received but not confirmed yet.
#[derive(Default)]
pub(crate) struct HeartbeatConfirmation {
    waiting: Mutex<Vec<PendingHeartbeat>>,
    news: Event,
}

/// An unconfirmed heartbeat.
struct PendingHeartbeat {
    /// Member that sent or relayed it: the answer goes back over its link.
    link: RaftId,
    from: RaftId,
    serial: u64,
    /// A client's renewal waits for the answer.
    urgent: bool,
}

impl HeartbeatConfirmation {
    /// Queues a heartbeat of `from` that arrived on the link of `link`.
    pub(crate) fn add(&self, link: RaftId, from: RaftId, serial: u64, urgent: bool) {
        let mut waiting = self.waiting.locked();
        if waiting.len() < WAITING_MAX {
            waiting.push(PendingHeartbeat { link, from, serial, urgent });
            self.news.notify(usize::MAX);
        }
    }

    fn take(&self) -> Vec<PendingHeartbeat> {
        std::mem::take(&mut *self.waiting.locked())
    }

    /// Waits until a heartbeat is queued, then up to `gather` longer while none of them is urgent.
    async fn due(&self, gather: Duration) {
        self.until(|heartbeats| !heartbeats.is_empty()).await;
        let gathered = async {
            smol::Timer::after(gather).await;
        };
        or(self.until(|heartbeats| heartbeats.iter().any(|heartbeat| heartbeat.urgent)), gathered).await;
    }

    /// Waits until the queued heartbeats satisfy `wanted`.
    async fn until(&self, wanted: impl Fn(&[PendingHeartbeat]) -> bool) {
        loop {
            let news = self.news.listen();
            if wanted(&self.waiting.locked()) {
                return;
            }
            news.await;
        }
    }
}

/// Confirms heartbeats for as long as the process lives.
pub(crate) async fn run(node: Arc<NodeState>) {
    let Some(member) = node.membership.get() else { return };
    let (confirming, gather) = (&member.coordination.confirming, node.options.lease() / GATHER_DIVISOR);
    let lease_ms = u32::try_from(node.options.lease().as_millis()).unwrap_or(u32::MAX);
    let me = member.identity.raft_id;
    loop {
        confirming.due(gather).await;
        let before = member.replica.status();
        let heartbeats = confirming.take();
        let Some(mut round) = ConfirmationRound::begin(before.leads, before.term) else { continue };
        let answer = member.replica.read_index(Instant::now() + ROUND_MAX).await;
        if answer.is_ok() {
            round.prove();
        }
        let after = member.replica.status();
        if !round.confirms(after.leads, after.term) {
            log::debug!("{} heartbeats were not confirmed: {answer:?}", heartbeats.len());
            continue;
        }
        for PendingHeartbeat { link, from, serial, .. } in heartbeats {
            let answer = PeerTalk::LeaseRenewed { serial, to: from, lease_ms };
            if link == me { receive(&node, me, answer) } else { member.member_list.send(link, &answer) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::poll_once;

    #[test]
    fn heartbeats_are_gathered_unless_a_client_waits_and_are_bounded() {
        smol::block_on(async {
            let confirming = HeartbeatConfirmation::default();
            let long = Duration::from_secs(3_600);
            let mut due = Box::pin(confirming.due(long));
            assert!(poll_once(&mut due).await.is_none());
            confirming.add(2, 2, 1, false);
            assert!(poll_once(&mut due).await.is_none(), "still gathering");
            confirming.add(4, 3, 1, true);
            assert!(poll_once(&mut due).await.is_some());
            assert_eq!(confirming.take().len(), 2);
            (0..2 * WAITING_MAX as u64).for_each(|serial| confirming.add(2, 2, serial, false));
            assert_eq!(confirming.take().len(), WAITING_MAX);
        });
    }
}
