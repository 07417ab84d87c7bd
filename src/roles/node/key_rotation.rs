//! Key rotation at a member: it takes over a new key of the cluster, keeps it in a file of its own, and refuses the old key once every
//! member has the new one.
//!
//! ```text
//!   key rotate ──TakeKey──▶ members that answer ── heartbeats say which key each has ──▶ the others fetch it: NewestKey
//!                             │                                 └──▶ leader: DescribeMember, a row of the replicated state
//!                             ▼                                            └─ every row has it, KEY_OVERLAP later: RaiseKey
//!                     backend-2.key: old accepted ──────────────────────────── applied ──▶ backend-2.key: old refused
//! ```
//!
//! - The key itself is never in the log, in a row, a snapshot or a backup. It travels on the control plane, under the old key.
//! - The file is replaced as a whole and synced before the key is used. A crash leaves the old ring or the new one.
//! - A member that was away fetches the key when it is back: until it has it, or is removed, the old one authenticates it.
//! - When the old key ends, connections that it has authenticated are closed.

use super::NodeState;
use super::upgrade::Lasting;
use crate::common::cluster_file::ClusterFile;
use crate::common::failure::{Exit, Failure};
use crate::node::arguments::NodeOptions;
use ribbit_db::Reader;
use ribbit_net::frame::Plane;
use ribbit_net::key_ring::{ClusterKey, KeyRing};
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask, UnavailableReason};
use ribbit_net::tasks;
use ribbit_state::rows::{Member, books};
use ribbit_state::{Code, Denied, KeyId, RaftId};
use smol::lock::Mutex;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Interval between two looks at the keys of the other members.
const LOOK: Duration = Duration::from_millis(500);

/// Time limit of fetching a key.
const FETCH_MAX: Duration = Duration::from_secs(3);

/// The file of this member's keys. The lock is held while it is replaced.
#[derive(Default)]
pub(crate) struct KeyStore(Mutex<()>);

/// Checks that this member has the key that the others have, as far as its store knows.
///
/// # Errors
/// `Configuration` when the cluster has refused this member's key since.
pub(crate) fn check(options: &NodeOptions, reader: &Reader) -> Result<(), Failure> {
    let wanted = reader.view().and_then(|view| books(&view));
    let wanted = wanted.map_err(|error| Failure::new(Exit::Refused, error.to_string()))?.key;
    if options.keys.id().generation >= wanted.generation {
        return Ok(());
    }
    let text = format!(
        "{} has key {} of the cluster, which uses key {} by now: copy the cluster file from a machine with that key",
        options.name(),
        options.keys.id().generation,
        wanted.generation
    );
    Err(Failure::new(Exit::Configuration, text))
}

/// Answers a request for the newest key of this member.
pub(super) fn newest(node: &NodeState) -> Answer {
    match node.options.keys.ring() {
        Some(ring) => Answer::Key(ring.newest),
        None => Answer::Unavailable(UnavailableReason::NotServing),
    }
}

/// Takes over a new key and answers with the newest one.
pub(super) async fn take(node: &Arc<NodeState>, key: ClusterKey) -> Answer {
    let _writing = node.keys.0.lock().await;
    let Some(ring) = node.options.keys.ring() else {
        return Answer::Unavailable(UnavailableReason::NotServing);
    };
    if ring.newest == key {
        return Answer::Key(key);
    }
    let Some(next) = ring.with(&key) else { return Answer::Refused(Denied::new(Code::OtherRotation)) };
    match store(node, next).await {
        Ok(()) => {
            log::warn!("took over key {} of the cluster", key.generation);
            Answer::Key(key)
        }
        Err(error) => {
            log::error!("cannot store key {} of the cluster: {error}", key.generation);
            Answer::Unavailable(UnavailableReason::NotServing)
        }
    }
}

/// Writes this ring to this member's file and uses it from then on.
async fn store(node: &NodeState, ring: KeyRing) -> io::Result<()> {
    let options = &node.options;
    let path = ClusterFile::path_of_member(&options.data_dir, options.member_name());
    let file = ClusterFile {
        name: String::new(),
        cluster: options.cluster,
        ring: ring.clone(),
        coordinators: options.coordinators.clone(),
    };
    smol::unblock(move || file.replace(&path)).await?;
    options.keys.adopt(ring);
    Ok(())
}

/// Fetches new keys that other members have, and refuses the old one once the cluster does.
pub(crate) async fn run(node: Arc<NodeState>) {
    let Some(member) = node.membership.get() else { return };
    let mut warned = false;
    loop {
        // Before a newer key: a ring takes one over only after the end of its own rotation.
        if node.options.keys.ring().is_some_and(|ring| ring.accepts_old) {
            match settle(&node).await {
                Ok(()) => warned = false,
                Err(why) if !warned => {
                    log::error!("cannot store that the old key is refused: {why}");
                    warned = true;
                }
                Err(_) => {}
            }
        }
        let own = node.options.keys.id();
        let newer = member.member_list.known().into_iter().find(|info| info.pid != 0 && info.key > own);
        if let Some(info) = newer
            && let Err(why) = fetch(&node, &info.address).await
        {
            log::debug!(
                "cannot fetch key {} of the cluster from {}: {why}",
                info.key.generation,
                info.name()
            );
        }
        tasks::aligned_pause(LOOK).await;
    }
}

/// Fetches the newest key of the member at this address and takes it over.
///
/// # Errors
/// The reason, for the log.
async fn fetch(node: &Arc<NodeState>, address: &str) -> Result<(), String> {
    let keys = &node.options.keys;
    match ask_once(address, Plane::Control, keys, Ask::NewestKey, FETCH_MAX).await {
        Ok(Answer::Key(key)) => match take(node, key).await {
            Answer::Key(_) => Ok(()),
            Answer::Refused(denied) => Err(denied.to_string()),
            _ => Err("the key was not taken".into()),
        },
        Ok(Answer::Refused(denied)) => Err(denied.to_string()),
        Ok(_) => Err("an unexpected answer".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Refuses the old key if the replicated state does.
///
/// # Errors
/// The state cannot be read, or the file cannot be written.
async fn settle(node: &NodeState) -> Result<(), String> {
    let Some(member) = node.membership.get() else { return Ok(()) };
    let view = member.replica.reader().view().map_err(|error| error.to_string())?;
    let wanted = books(&view).map_err(|error| error.to_string())?.key;
    drop(view);
    let _writing = node.keys.0.lock().await;
    let Some(ring) = node.options.keys.ring().filter(|ring| ring.accepts_old) else { return Ok(()) };
    if ring.newest.id() == wanted {
        store(node, ring.settled()).await.map_err(|error| error.to_string())?;
        log::warn!(
            "every member has key {} of the cluster: the old one is refused from now on",
            wanted.generation
        );
    }
    Ok(())
}

/// Time since every member has a new key, as the leader sees it.
pub(super) struct KeyOverlap(Lasting<KeyId>);

impl KeyOverlap {
    /// `overlap`: the time for which both keys stay valid, so that balancers and gateways can follow.
    pub(super) fn new(overlap: Duration) -> KeyOverlap {
        KeyOverlap(Lasting::new(overlap))
    }

    /// Returns the key before which all keys can be refused: every member has had it for the whole overlap. `current` is the key
    /// that the cluster requires now.
    pub(super) fn ends(&mut self, current: KeyId, rows: &[(RaftId, Member)], now: Instant) -> Option<KeyId> {
        let key = rows.first()?.1.key;
        let has_all = key.generation > current.generation && rows.iter().all(|(_, row)| row.key == key);
        self.0.lasted(has_all.then_some(key), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::Role;
    use ribbit_state::rows::Standing;

    fn member(raft_id: RaftId, key: KeyId) -> (RaftId, Member) {
        let (address, machine) = (String::new(), String::new());
        let id = u32::try_from(raft_id).unwrap();
        let standing = Standing::Wanted;
        (
            raft_id,
            Member { role: Role::Backend, id, address, machine, rules_level: 1, standing, region: 1, key },
        )
    }

    #[test]
    fn the_old_key_ends_a_while_after_every_member_has_the_new_one() {
        let second = Duration::from_secs(1);
        let (old, new, other) = (
            KeyId { generation: 1, tag: 5 },
            KeyId { generation: 2, tag: 7 },
            KeyId { generation: 2, tag: 9 },
        );
        let mut overlap = KeyOverlap::new(10 * second);
        let begin = Instant::now();
        let mut at = |seconds: u32, keys: [KeyId; 2]| {
            overlap.ends(old, &[member(1, keys[0]), member(2, keys[1])], begin + seconds * second)
        };
        assert_eq!(at(0, [old, old]), None);
        assert_eq!(at(1, [new, old]), None);
        assert_eq!(at(60, [new, old]), None, "one member is away");
        assert_eq!(at(61, [new, new]), None);
        assert_eq!(at(70, [new, new]), None);
        assert_eq!(at(71, [new, new]), Some(new));
        assert_eq!(at(72, [new, other]), None, "two rotations began at once");
        assert_eq!(at(73, [other, other]), None);
        assert_eq!(at(83, [other, other]), Some(other));
        assert_eq!(at(84, [old, old]), None, "nothing to end");
    }
}
