//! Links to the other members. The member list itself is [`super::member_list`].
//!
//! ```text
//!   replica ──▶ LinkQueues ──▶ queue of each peer ──▶ link task: connect, hello, frames in batches
//!   listener ──▶ incoming link: hello, then frames to the replica
//! ```
//!
//! - There is one outgoing, ordered link per peer. Its queue is bounded and drops messages when full, because the Raft engine
//!   sends them again.
//! - A new incoming link of a peer replaces its old one before the first frame of the new link is read.
//! - A peer is dialled anew when its address changed. All peers are when this machine's address changed.
//! - When the process of a peer ends, its kernel closes its connections and refuses new ones. The Raft task learns of both
//!   together, see [`super::process_ends`].
//! - Addresses are hints. They come from the replicated state, from the peers' own hellos, and from status queries to the
//!   addresses that this node was started with.

use super::hello::{self, HelloRefusal};
use super::member_list::{MemberList, ReplicatedMembers};
use super::{NodeState, coordination, describe};
use super::{process_ends, seeds};
use ribbit_net::backoff::Backoff;
use ribbit_net::channel::{Channel, ChannelWriter};
use ribbit_net::frame::{self, FrameError, Plane};
use ribbit_net::limits::{FRAME_BYTES_MAX, LINK_UNHEARD_MAX, PEER_QUEUE_MAX, PREFACE_DEADLINE, WRITE_BYTES};
use ribbit_net::peer::{self, PeerFrame, PeerHello, PeerTalk, PeerWelcome, StoreReport};
use ribbit_net::protocol::MemberInfo;
use ribbit_net::{handshake, socket, tasks};
use ribbit_replica::{Envelope, RaftMessage, ReplicaFailure, Transport, has_lost_entries};
use ribbit_state::limits::MEMBERS_MAX;
use ribbit_state::{RaftId, Role};
use smol::channel::{Receiver, Sender};
use smol::future::FutureExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// First pause before a peer is dialled again. Doubles up to `REDIAL_MAX`. Short, because the kernel closes the connections
/// of a process that ends one after the other, and the listening socket may be the last.
const REDIAL_MIN: Duration = Duration::from_millis(4);

/// Age of a link above which its peer is dialled again at once when it ends.
const LINK_STEADY: Duration = Duration::from_secs(1);

/// Longest pause before a peer is dialled again.
const REDIAL_MAX: Duration = Duration::from_millis(500);

/// Interval at which the start addresses are queried while a peer is not linked.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// Pause between two batches to a coordinator that does not vote. No write waits for it, so it handles several at once.
const COPY_PAUSE: Duration = Duration::from_millis(4);

/// Minimum interval between two reads of the member list.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A snapshot to be sent.
pub(crate) struct SnapshotJob {
    to: RaftId,
    message: Box<RaftMessage>,
}

/// The replica's transport: puts messages straight into the queues of the links, without a task in between.
struct LinkQueues {
    member_list: Arc<MemberList>,
    snapshots: Sender<SnapshotJob>,
}

impl Transport for LinkQueues {
    fn send(&self, to: RaftId, envelope: Envelope) {
        let queue = self.member_list.table().get(&to).and_then(|peer| peer.queue.clone());
        if let Some(queue) = queue {
            // Dropped when the queue is full: the engine sends it again.
            let _ = queue.try_send(peer::encode(&match envelope {
                Envelope::Raft(message) => PeerFrame::Raft(message),
                Envelope::Forward(requests) => PeerFrame::Talk(PeerTalk::Forward(requests)),
            }));
        }
    }
    fn send_snapshot(&self, to: RaftId, message: RaftMessage) -> bool {
        self.snapshots.try_send(SnapshotJob { to, message: Box::new(message) }).is_ok()
    }
}

/// Returns the replica's transport and the queue of snapshots to be sent.
pub(crate) fn transport(member_list: &Arc<MemberList>) -> (impl Transport + use<>, Receiver<SnapshotJob>) {
    let (snapshots, wanted) = smol::channel::bounded(MEMBERS_MAX);
    (LinkQueues { member_list: member_list.clone(), snapshots }, wanted)
}

/// Keeps a link to every other member and sends the requested snapshots.
pub(crate) async fn run(node: Arc<NodeState>, wanted: Receiver<SnapshotJob>) {
    smol::future::zip(send_snapshots(node.clone(), wanted), find_members(node)).await;
}

async fn send_snapshots(node: Arc<NodeState>, wanted: Receiver<SnapshotJob>) {
    let Some(member) = node.membership.get() else { return };
    while let Ok(SnapshotJob { to, message }) = wanted.recv().await {
        let address = member.member_list.address(to);
        tasks::spawn(super::snapshots::send(node.clone(), to, address, message)).detach();
    }
}

/// Keeps the member list up to date and a link to each member.
async fn find_members(node: Arc<NodeState>) {
    smol::future::zip(keep_links(node.clone()), look_around(node)).await;
}

async fn keep_links(node: Arc<NodeState>) {
    let Some(member) = node.membership.get() else { return };
    let mut links = BTreeMap::new();
    let mut kept = Vec::new();
    loop {
        // Listens before reading, so that no member that joins in between is missed.
        let news = member.member_list.news.listen();
        read_members(&node, &mut links);
        let mut addresses: Vec<String> =
            member.member_list.known().into_iter().map(|info| info.address).collect();
        addresses.push(node.advertised.address());
        if kept != addresses {
            node.seeds.keep(addresses.clone()).await;
            kept = addresses;
        }
        let unlinked: Vec<RaftId> =
            member.member_list.table().keys().copied().filter(|id| !links.contains_key(id)).collect();
        for id in unlinked {
            let (queue, frames) = smol::channel::bounded(PEER_QUEUE_MAX);
            member.member_list.table().entry(id).or_default().queue = Some(queue);
            links.insert(id, tasks::spawn(link(node.clone(), id, frames)));
        }
        let applied = async {
            member.replica.progressed().await;
            // Under load, entries are applied all the time.
            smol::Timer::after(LOOK_AGAIN).await;
        };
        smol::future::or(applied, news).await;
    }
}

/// Reads the members from the replicated state and ends the links to removed members.
fn read_members(node: &NodeState, links: &mut BTreeMap<RaftId, smol::Task<()>>) {
    let (Some(member), Some(replicated)) = (node.membership.get(), ReplicatedMembers::read(node)) else {
        return;
    };
    // Dropping a task ends it.
    links.retain(|id, _| !replicated.has_removed(*id));
    member.member_list.table().retain(|id, _| !replicated.has_removed(*id));
    for (raft_id, row) in replicated.members {
        member.member_list.record_member(&MemberInfo {
            raft_id,
            role: row.role,
            id: row.id,
            address: row.address,
            machine: row.machine,
            pid: 0,
            applied: 0,
            clients: 0,
            rules_level: row.rules_level,
            key: row.key,
            region: row.region,
            ..MemberInfo::default()
        });
    }
}

/// Queries the start addresses while any peer is not linked. While none is, looks in the network, too: all
/// boards may have new addresses.
async fn look_around(node: Arc<NodeState>) {
    let Some(member) = node.membership.get() else { return };
    loop {
        // The table is locked in here only.
        let look = || {
            let table = member.member_list.table();
            let linked = table.values().filter(|peer| peer.linked).count();
            (table.is_empty() || linked < table.len(), !table.is_empty() && linked == 0)
        };
        let (is_missing, is_alone) = look();
        if is_missing {
            let mut addresses = node.options.coordinators.clone();
            if is_alone {
                addresses.extend(seeds::find(&node).await);
            }
            seeds::query_all(&node, addresses, |node, _, answer| {
                let (Ok(status), Some(member)) = (answer, node.membership.get()) else { return };
                if status.history == Some(member.identity.history) {
                    member.member_list.record_own(&status.me);
                    status.others.iter().for_each(|info| member.member_list.record_report(info));
                }
            })
            .await;
        }
        tasks::aligned_pause(LOOK_AROUND).await;
    }
}

/// Keeps the outgoing link to one member for as long as the process lives.
async fn link(node: Arc<NodeState>, to: RaftId, frames: Receiver<Vec<u8>>) {
    let Some(member) = node.membership.get() else { return };
    let mut backoff = Backoff::new(REDIAL_MIN, REDIAL_MAX);
    loop {
        let mut was_steady = false;
        if let Some(address) = member.member_list.address(to) {
            let own = node.advertised.address();
            match dial(&node, to, &address).await {
                Ok(writer) => {
                    log::info!(
                        "linked to {} at {address}",
                        describe(to, member.member_list.info(to).as_ref())
                    );
                    member.member_list.set_linked(to, true);
                    let linked_at = Instant::now();
                    let fed = async { Some(feed(&node, to, &frames, writer).await) };
                    let moved = async {
                        address_changed(&node, to, own).await;
                        None
                    };
                    let ended = fed.or(moved).await;
                    member.member_list.set_linked(to, false);
                    member.member_list.ends().link_ended(to, ended.is_some());
                    was_steady = linked_at.elapsed() > LINK_STEADY;
                    let ended = ended
                        .map_or("the address of one end has changed".to_string(), |error| error.to_string());
                    log::info!(
                        "the link to {} ended: {ended}",
                        describe(to, member.member_list.info(to).as_ref())
                    );
                }
                Err(error) => {
                    if error.is_refused() {
                        process_ends::refused(&node, to);
                    }
                    seeds::not_answered(&address, &error);
                }
            }
        }
        // Queued messages are outdated by now. The engine sends what is needed again.
        while frames.try_recv().is_ok() {}
        if was_steady {
            backoff.reset();
        } else {
            backoff.wait().await;
        }
    }
}

/// Connects to a member and exchanges hellos. Ends the process if the peer knows that this member was removed, or that it
/// had applied more than its log contains.
///
/// # Errors
/// The connection or the handshake fails, or the peer refuses the link.
async fn dial(node: &Arc<NodeState>, to: RaftId, address: &str) -> Result<ChannelWriter, FrameError> {
    let channel = handshake::connect(address, Plane::Peer, &node.options.keys).await?;
    let Channel { mut reader, mut writer } = channel;
    socket::give_up_after(writer.socket(), LINK_UNHEARD_MAX)?;
    let (Some(hello), Some(member)) = (hello::to(node, to), node.membership.get()) else {
        return Err(FrameError::Closed);
    };
    frame::write(&mut writer, &hello).await?;
    match frame::with_timeout(PREFACE_DEADLINE, frame::read(&mut reader, FRAME_BYTES_MAX)).await? {
        PeerWelcome::Welcome { me, others, you_applied } => {
            process_ends::record(member, &me);
            others.iter().for_each(|info| member.member_list.record_report(info));
            let last = member.replica.status().last;
            if has_lost_entries(last, you_applied) {
                let why = format!(
                    "its log ends at {last}, but {} knows that {} had applied {you_applied}: the store is older than \
                     its acknowledged writes",
                    me.name(),
                    node.options.name()
                );
                let _ = node.failed.try_send(ReplicaFailure::Lost(why));
                return Err(FrameError::Closed);
            }
            Ok(writer)
        }
        PeerWelcome::Refused(why) => {
            log::warn!("{address} refused a link: {why}");
            Err(FrameError::Closed)
        }
        PeerWelcome::Removed => {
            let id = member.identity.raft_id;
            let why = format!("it was removed from the cluster (as member {id}, according to {address})");
            let _ = node.failed.try_send(ReplicaFailure::Removed(why));
            Err(FrameError::Closed)
        }
    }
}

/// Completes when the address of either end of this link has changed. Messages on the old connection are lost then, which
/// TCP would notice late.
async fn address_changed(node: &NodeState, to: RaftId, own: String) {
    let Some(member) = node.membership.get() else { return };
    let there = member.member_list.address(to);
    loop {
        // Listens before comparing, so that no change in between is missed.
        let moved = smol::future::or(node.advertised.moved(), member.member_list.moved.listen());
        if node.advertised.address() != own || member.member_list.address(to) != there {
            return;
        }
        moved.await;
    }
}

/// Writes the queued frames in batches, and periodic heartbeats. Returns the error that ended the connection.
async fn feed(node: &NodeState, to: RaftId, frames: &Receiver<Vec<u8>>, writer: ChannelWriter) -> FrameError {
    // The peer never writes on this connection, so anything read, including end of stream, ends the link.
    let end = socket::heard(writer.socket().clone());
    let over = async {
        let _ = end.await;
        FrameError::Closed
    };
    write_frames(node, to, frames, writer).or(over).await
}

/// Returns true if this member is a coordinator that does not vote, so that no write waits for it.
fn is_copy_only(node: &NodeState, id: RaftId) -> bool {
    let Some(member) = node.membership.get() else { return false };
    member.member_list.role(id) == Some(Role::Coordinator) && !member.replica.votes(id)
}

async fn write_frames(
    node: &NodeState,
    to: RaftId,
    frames: &Receiver<Vec<u8>>,
    mut writer: ChannelWriter,
) -> FrameError {
    let mut sent_report = None;
    let mut batch = heartbeat_of(node, to, &mut sent_report);
    let mut due = std::pin::pin!(tasks::aligned_pause(node.options.heartbeat));
    loop {
        if let Err(error) = frame::write_bytes(&mut writer, &batch).await {
            return error;
        }
        batch.clear();
        if is_copy_only(node, to) {
            smol::Timer::after(COPY_PAUSE).await;
        }
        let next = async { frames.recv().await.map_err(|_| FrameError::Closed) };
        let heartbeat = async {
            due.as_mut().await;
            due.set(tasks::aligned_pause(node.options.heartbeat));
            Ok(heartbeat_of(node, to, &mut sent_report))
        };
        match next.or(heartbeat).await {
            Ok(bytes) => batch = bytes,
            Err(error) => return error,
        }
        while batch.len() < WRITE_BYTES
            && let Ok(more) = frames.try_recv()
        {
            batch.extend_from_slice(&more);
        }
    }
}

/// Returns an encoded heartbeat, and this member's store report if they changed since they were last sent on this link.
fn heartbeat_of(node: &NodeState, to: RaftId, sent_report: &mut Option<StoreReport>) -> Vec<u8> {
    let mut bytes = peer::encode(&PeerFrame::Talk(PeerTalk::Heartbeat(node.info())));
    let news = node.store_report(to);
    if sent_report.as_ref() != Some(&news) {
        bytes.extend(peer::encode(&PeerFrame::Talk(PeerTalk::Store(news.clone()))));
        *sent_report = Some(news);
    }
    bytes
}

/// Serves an incoming link: checks the hello, then hands the frames to the replica until the link ends or is replaced.
pub(crate) async fn accept(node: Arc<NodeState>, channel: Channel) {
    let Channel { mut reader, mut writer } = channel;
    let read =
        frame::with_timeout(PREFACE_DEADLINE, frame::read::<PeerHello, _>(&mut reader, FRAME_BYTES_MAX));
    let Ok(hello) = read.await else {
        return;
    };
    let Some(member) = node.membership.get() else {
        // The peer dials the member that was here before. Its address is a place where this node may ask to join.
        if hello.cluster == node.options.cluster {
            node.seeds.record(&hello.from);
        }
        return;
    };
    // From the peer's last heartbeat, before this hello: with it, the peer detects that its store has lost entries.
    let you_applied = member.member_list.info(hello.from.raft_id).map_or(0, |info| info.applied);
    let from = match hello::check(&node, hello) {
        Ok(from) => from,
        Err(why) => {
            log::warn!("refused a link: {why}");
            let answer = match why {
                HelloRefusal::Removed { .. } => PeerWelcome::Removed,
                HelloRefusal::Refused(why) => PeerWelcome::Refused(why),
            };
            let _ = frame::write(&mut writer, &answer).await;
            return;
        }
    };
    let incoming = member.member_list.begin_incoming(from);
    let _open = process_ends::incoming(&node, from, incoming);
    let welcome = PeerWelcome::Welcome { me: node.info(), others: member.member_list.known(), you_applied };
    if frame::write(&mut writer, &welcome).await.is_err() {
        return;
    }
    reader.read_ahead(WRITE_BYTES);
    loop {
        let read = peer::read(&mut reader).await;
        if !member.member_list.is_current(from, incoming) {
            return;
        }
        match read {
            Ok(PeerFrame::Raft(bytes)) => member.replica.receive(from, &bytes),
            Ok(PeerFrame::Talk(PeerTalk::Forward(mut requests))) => {
                // The forwarding member has checked them, but this member's version may have tighter bounds.
                requests.retain(|request| request.check().is_ok());
                member.replica.receive_forwarded(requests);
            }
            Ok(PeerFrame::Talk(PeerTalk::Heartbeat(info))) if info.raft_id == from => {
                member.replica.peer_applied(from, info.applied);
                process_ends::record(member, &info);
            }
            Ok(PeerFrame::Talk(PeerTalk::Heartbeat(_))) => {
                return log::warn!("member {from} sent a heartbeat of another member");
            }
            Ok(PeerFrame::Talk(talk @ (PeerTalk::RenewLease { .. } | PeerTalk::LeaseRenewed { .. }))) => {
                coordination::receive(&node, from, talk);
            }
            Ok(PeerFrame::Talk(PeerTalk::Store(news))) => {
                member.member_list.table().entry(from).or_default().full = news.full;
                member.digest_comparison.receive(from, news.digests);
            }
            Err(FrameError::Closed | FrameError::Io(_)) => return,
            Err(error) => return log::warn!("member {from}: {error}"),
        }
    }
}
