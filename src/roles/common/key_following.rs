//! Following a key rotation without being a member: balancers and gateways have the cluster file and see the status of members.
//!
//! A new key is kept in memory only, because their units have no folder to write to. A later start needs the new cluster file.

use ribbit_net::frame::Plane;
use ribbit_net::keys::Keys;
use ribbit_net::oneshot::{ask_once, ask_status};
use ribbit_net::protocol::{Answer, Ask, NodeStatus};
use ribbit_net::tasks;
use ribbit_state::sync::MutexExt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Time for which the old key stays valid after every member has the new one.
pub(crate) const KEY_OVERLAP: Duration = Duration::from_secs(10);
/// Test hook: replaces [`KEY_OVERLAP`], in milliseconds.
pub(crate) const TEST_KEY_OVERLAP_MS: &str = "KEY_OVERLAP_MS";

/// Time after which a follower uses the new key only: the members have it by then, and still accept the old one.
const PREFER_NEW_AFTER: Duration = Duration::from_secs(4);

/// Interval between two looks of a process that does not watch the members anyway.
const LOOK: Duration = Duration::from_secs(2);

/// Time limit of fetching a key.
const FETCH_MAX: Duration = Duration::from_secs(3);

/// State of a process that follows.
#[derive(Debug, Default)]
pub(crate) struct KeyFollower(Mutex<Following>);

#[derive(Debug, Default)]
struct Following {
    /// Time at which the newest key was taken over.
    taken_at: Option<Instant>,
    /// True once it was reported that this process is too late to follow.
    warned: bool,
}

impl KeyFollower {
    /// Takes over the key of the member at `address`, which has reported `status`, if it is newer.
    pub(crate) async fn follow(&self, keys: &Keys, address: &str, status: &NodeStatus) {
        let Some(ring) = keys.ring() else { return };
        if status.me.key > keys.id() {
            match ask_once(address, Plane::Control, keys, Ask::NewestKey, FETCH_MAX).await {
                Ok(Answer::Key(key)) if keys.ring().as_ref() == Some(&ring) => {
                    let Some(next) = ring.with(&key) else { return };
                    keys.adopt(next);
                    self.0.locked().taken_at = Some(Instant::now());
                    log::warn!(
                        "took over key {} of the cluster from {address}: copy the new cluster file to this machine before the \
                         next start",
                        key.generation
                    );
                }
                Ok(_) => {}
                Err(error) if error.is_stranger() => self.warn(status.me.key.generation),
                Err(error) => log::debug!("cannot fetch the new key of the cluster from {address}: {error}"),
            }
            return;
        }
        let taken_at = self.0.locked().taken_at;
        let is_late = taken_at.is_none_or(|at| at.elapsed() >= PREFER_NEW_AFTER);
        if ring.accepts_old && status.me.key == keys.id() && (is_late || !status.accepts_old_key) {
            keys.adopt(ring.settled());
        }
    }

    /// Reports once that the old key is refused by now.
    fn warn(&self, generation: u32) {
        if !std::mem::replace(&mut self.0.locked().warned, true) {
            log::error!(
                "the cluster uses key {generation} and refuses the one of this process: copy the cluster file from a machine with \
                 that key, and start again"
            );
        }
    }

    /// Follows by asking these servers. Never returns.
    pub(crate) async fn run(&self, keys: &Keys, servers: &[String]) {
        loop {
            tasks::aligned_pause(LOOK).await;
            for address in servers {
                if let Ok(status) = ask_status(address, Plane::Status, keys).await {
                    self.follow(keys, address, &status).await;
                    break;
                }
            }
        }
    }
}
