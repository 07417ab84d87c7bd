//! A leader's answers to beats: sent once a majority has confirmed, after the beat came, that it still leads.
//!
//! ```text
//!   beat ─▶ waiting ─▶ one round of the read index for all that wait ─▶ Heard to each
//!                          └── not confirmed in time, or another term by now ──▶ no answer: the holder asks again
//! ```
//!
//! A leader that was cut off, or stopped and woken up, believes for a while that it leads. Were it to confirm leases
//! meanwhile, their holders would go on beside those whom the next leader gave them to. A round that began behind the beat
//! proves that the next leader begins behind it too, and that one grants every lease its full time from then on.

use super::{Node, heard, locked};
use crate::net::peer::PeerTalk;
use crate::state::RaftId;
use event_listener::Event;
use smol::future::or;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Beats that wait for a round at most; further ones are as good as lost.
const WAITING_MAX: usize = 1_024;
/// Time limit of one round: a holder has asked again by then.
const ROUND_MAX: Duration = Duration::from_millis(500);
/// Beats in which no client waits gather for this part of a lease, so that an idle cluster needs few rounds.
const GATHER_DIVISOR: u32 = 20;

/// Beats that the leader has heard and not confirmed yet.
#[derive(Default)]
pub struct Confirming {
    waiting: Mutex<Vec<Beat>>,
    news: Event,
}

struct Beat {
    /// The member on whose link it came.
    link: RaftId,
    from: RaftId,
    serial: u64,
    /// A client waits for the answer.
    urgent: bool,
}

impl Confirming {
    /// Takes a beat of `from` in that came on the link of `link`.
    pub fn add(&self, link: RaftId, from: RaftId, serial: u64, urgent: bool) {
        let mut waiting = locked(&self.waiting);
        if waiting.len() < WAITING_MAX {
            waiting.push(Beat { link, from, serial, urgent });
            self.news.notify(usize::MAX);
        }
    }

    fn take(&self) -> Vec<Beat> {
        std::mem::take(&mut *locked(&self.waiting))
    }

    /// Waits until a beat wants an answer; for `gather` longer while none of them is urgent.
    async fn due(&self, gather: Duration) {
        self.until(|beats| !beats.is_empty()).await;
        let gathered = async {
            smol::Timer::after(gather).await;
        };
        or(self.until(|beats| beats.iter().any(|beat| beat.urgent)), gathered).await;
    }

    async fn until(&self, wanted: impl Fn(&[Beat]) -> bool) {
        loop {
            let news = self.news.listen();
            if wanted(&locked(&self.waiting)) {
                return;
            }
            news.await;
        }
    }
}

/// Confirms beats for as long as this process lives.
pub async fn run(node: &Node) {
    let Some(member) = node.member.get() else { return };
    let (confirming, gather) = (&member.coordination.confirming, node.options.lease() / GATHER_DIVISOR);
    let lease_ms = u32::try_from(node.options.lease().as_millis()).unwrap_or(u32::MAX);
    let me = member.identity.raft_id;
    loop {
        confirming.due(gather).await;
        let before = member.replica.status();
        let beats = confirming.take();
        if !before.leads {
            continue;
        }
        let confirmed = member.replica.read_index(Instant::now() + ROUND_MAX).await;
        let after = member.replica.status();
        // In another term it was another leader that answered.
        if confirmed.is_err() || !after.leads || after.term != before.term {
            log::debug!("{} beats are not confirmed: {confirmed:?}", beats.len());
            continue;
        }
        for Beat { link, from, serial, .. } in beats {
            let answer = PeerTalk::Heard { serial, to: from, lease_ms };
            if link == me { heard(node, me, answer) } else { member.peers.say(link, &answer) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::poll_once;

    #[test]
    fn beats_gather_unless_a_client_waits_and_their_number_is_bounded() {
        smol::block_on(async {
            let confirming = Confirming::default();
            let long = Duration::from_secs(3_600);
            let mut due = Box::pin(confirming.due(long));
            assert!(poll_once(&mut due).await.is_none());
            confirming.add(2, 2, 1, false);
            assert!(poll_once(&mut due).await.is_none(), "more may come");
            confirming.add(4, 3, 1, true);
            assert!(poll_once(&mut due).await.is_some());
            assert_eq!(confirming.take().len(), 2);
            (0..2 * WAITING_MAX as u64).for_each(|serial| confirming.add(2, 2, serial, false));
            assert_eq!(confirming.take().len(), WAITING_MAX);
        });
    }
}
