//! Liveness of the servers: heartbeats, leases and one master per region.
//!
//! ```text
//!   every member ── RenewLease, four per lease time ──▶ leader ──▶ judge ──▶ commands: Register, End, Appoint
//!                └────────▶ coordinators ── relayed ─────┘  └──▶ LeaseRenewed: extends the lease, from the sending on
//! ```
//!
//! The modules here call a `RenewLease` message a heartbeat, because the leader also judges liveness by it. Heartbeats are
//! kept in memory only, and an idle cluster writes nothing. Their consequences are commands in the log, so
//! every member knows them. A leader that was itself stopped or starved for longer than `STALL` does not count that time as
//! silence of the others: it starts all lease times anew.
//!
//! - [`judge`]: the leader's decisions, pure
//! - [`heartbeat_confirmation`]: the leader's answers to heartbeats, after a majority has confirmed its leadership;
//!   [`confirmation`]: when they may be sent, pure
//! - [`renewals`]: the lease holder's side, pure
//! - [`history`]: recent events as lines of text
//! - [`server_choice`]: choice of the server for a client

pub mod confirmation;
mod heartbeat_confirmation;
pub(super) mod history;
pub mod judge;
pub mod renewals;
pub(super) mod server_choice;

use super::NodeState;
use super::request::store_unreadable;
use heartbeat_confirmation::HeartbeatConfirmation;
use history::ServerHistory;
use judge::{Facts, Judge};
use renewals::Renewals;
use ribbit_db::DbError;
use ribbit_net::peer::PeerTalk;
use ribbit_net::protocol::{Answer, LeaseStatus, Master, UnavailableReason};
use ribbit_net::secret::new_request_id;
use ribbit_net::tasks;
use ribbit_state::cluster::leases;
use ribbit_state::cluster::members;
use ribbit_state::command::Origin;
use ribbit_state::rows::{Lease, Member as MemberRow};
use ribbit_state::sync::MutexExt;
use ribbit_state::{
    Code, Command, Denied, LeaseCommand, LogIndex, Outcome, Owner, RaftId, Request, Role, TokenHash, lookup,
    tree,
};
use smol::future::FutureExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Minimum interval between two judging rounds.
const LOOK: Duration = Duration::from_millis(100);

/// Maximum interval between two judging rounds, while nothing changes.
const LOOK_SETTLED: Duration = Duration::from_secs(1);

/// Time by which a round may be late. Beyond it this node itself was stopped. Missed heartbeats are not counted then.
const STALL: Duration = Duration::from_millis(600);

/// Time limit of a command. An undecided one is judged anew.
const DECIDE: Duration = Duration::from_secs(1);

/// Time limit for ending the own lease at shutdown.
const LEAVE: Duration = Duration::from_millis(150);

/// Time that a leader must have led before another master of its region steps down in its favour.
const STEADY: Duration = Duration::from_secs(5);

/// Liveness state of one member.
#[derive(Default)]
pub(crate) struct CoordinationState {
    judge: Mutex<Judge>,
    renewals: Mutex<Renewals>,
    confirming: HeartbeatConfirmation,
    /// Notified when the leader hears a process that it has not heard before.
    arrived: event_listener::Event,
    /// Notified when the leader has confirmed a heartbeat of this node.
    confirmed: event_listener::Event,
    /// Notified when a client's renewal waits for the next heartbeat.
    renewal_waits: event_listener::Event,
    /// Last read of the replicated state.
    view: Mutex<Arc<LeaseView>>,
    pub(crate) history: Mutex<ServerHistory>,
}

impl CoordinationState {
    /// Returns active members and masters for the status query.
    pub(crate) fn status(&self) -> LeaseStatus {
        let view = self.view.locked().clone();
        let member = |owner: &Owner| match owner {
            Owner::Member(raft_id) => Some(*raft_id),
            Owner::Client(_) => None,
        };
        let active = view.leases.iter().filter(|(_, lease)| lease.active);
        let masters = view.masters.iter().filter_map(|(region, owner, fence)| {
            Some(Master { region: *region, raft_id: member(owner.as_ref()?)?, fence: *fence })
        });
        LeaseStatus {
            holds: self.renewals.locked().holds(Instant::now()),
            active: active.filter_map(|(owner, _)| member(owner)).collect(),
            masters: masters.collect(),
        }
    }
}

/// Sends heartbeats, judges, confirms and records history for as long as the process lives.
pub(crate) async fn run(node: Arc<NodeState>) {
    // These wait for no disk, so they run beside the links.
    let _sending = tasks::spawn(send_heartbeats(node.clone()));
    let _confirming = tasks::spawn(heartbeat_confirmation::run(node.clone()));
    smol::future::zip(judge(&node), history::record(&node)).await;
}

/// Sends heartbeats of this node and of the clients that renew their leases here.
///
/// The next heartbeat follows an eighth of the lease time after the confirmation of the last one, and a quarter after the
/// last one itself at the latest. The leader confirms those of all members together, so all members fall into step, and the
/// leader needs two rounds a second for all of them.
async fn send_heartbeats(node: Arc<NodeState>) {
    let Some(member) = node.membership.get() else { return };
    let lease = node.options.lease();
    loop {
        let renewal_waits = member.coordination.renewal_waits.listen();
        let confirmed = member.coordination.confirmed.listen();
        let (serial, clients) = member.coordination.renewals.locked().next(Instant::now());
        let from = member.identity.raft_id;
        // Through coordinators as well, unless the way to the leader has just worked.
        let direct = clients.is_empty() && member.coordination.renewals.locked().are_fresh(Instant::now());
        let alive = PeerTalk::RenewLease { serial, from, incarnation: node.incarnation, clients };
        if member.replica.status().leads {
            receive(&node, from, alive);
        } else {
            let leader = member.replica.status().leader;
            let mut to = if direct { Vec::new() } else { member.member_list.coordinators() };
            to.extend(leader);
            to.sort_unstable();
            to.dedup();
            to.iter().for_each(|to| member.member_list.send(*to, &alive));
        }
        let late = async {
            smol::Timer::after(lease / 4).await;
        };
        let soon = async {
            confirmed.await;
            smol::Timer::after(lease / 8).await;
        };
        late.or(soon).or(renewal_waits).await;
    }
}

/// Handles a message that came on the link of the member `link`, or from this node itself.
pub(crate) fn receive(node: &NodeState, link: RaftId, talk: PeerTalk) {
    let Some(member) = node.membership.get() else { return };
    let me = member.identity.raft_id;
    let status = member.replica.status();
    match talk {
        PeerTalk::RenewLease { from, .. } if status.leads && link == from && node.deaf_to == Some(from) => {}
        PeerTalk::RenewLease { serial, from, incarnation, clients } if status.leads => {
            let now = Instant::now();
            let mut judge = member.coordination.judge.locked();
            let arrived = judge.hear(Owner::Member(from), incarnation, now);
            for client in &clients {
                judge.hear(Owner::Client(*client), 0, now);
            }
            drop(judge);
            if arrived {
                member.coordination.arrived.notify(usize::MAX);
            }
            member.coordination.confirming.add(link, from, serial, !clients.is_empty());
        }
        // Relayed once, and only by coordinators.
        PeerTalk::RenewLease { from, .. } if node.options.role == Role::Coordinator && link == from => {
            if let Some(leader) = status.leader {
                member.member_list.send(leader, &talk);
            }
        }
        PeerTalk::LeaseRenewed { serial, to, lease_ms } if to == me => {
            member.coordination.renewals.locked().confirm(serial, lease_ms);
            member.coordination.confirmed.notify(usize::MAX);
        }
        PeerTalk::LeaseRenewed { to, .. } if status.leader == Some(link) => {
            member.member_list.send(to, &talk);
        }
        // Neither for this node nor to be relayed by it.
        PeerTalk::RenewLease { .. } | PeerTalk::LeaseRenewed { .. } => {}
        // Handled by the link.
        PeerTalk::Forward(_) | PeerTalk::Heartbeat(_) | PeerTalk::Store(_) => {}
    }
}

/// Renews a client's lease: answers once the leader has confirmed the next heartbeat, which includes this client.
pub(crate) async fn renew(node: &NodeState, token: TokenHash, deadline: Instant) -> Answer {
    let Some(member) = node.membership.get() else {
        return Answer::Unavailable(UnavailableReason::NotServing);
    };
    let reader = member.replica.reader();
    let look = || reader.view().and_then(|view| lookup::client_of(&view, token));
    let mut known = look();
    if matches!(known, Ok(None)) {
        // The lease may have begun beyond this node's applied index.
        let Ok(index) = member.replica.read_index(deadline).await else {
            return Answer::Unavailable(UnavailableReason::NoLeader);
        };
        if !member.replica.wait_applied(index, deadline).await {
            return Answer::Unavailable(UnavailableReason::Behind);
        }
        known = look();
    }
    let (opened, lease_ms) = match known {
        Ok(Some((Owner::Client(opened), lease))) => (opened, lease.lease_ms),
        Ok(_) => return Answer::Refused(Denied::new(Code::LeaseOver)),
        Err(error) => return store_unreadable(&error),
    };
    let (tell, told) = smol::channel::bounded(1);
    if !member.coordination.renewals.locked().renew(opened, tell) {
        return Answer::Unavailable(UnavailableReason::Busy);
    }
    member.coordination.renewal_waits.notify(usize::MAX);
    let late = async {
        smol::Timer::at(deadline).await;
        None
    };
    match async { told.recv().await.ok() }.or(late).await {
        Some(group_ms) => Answer::Renewed { lease_ms: lease_ms.unwrap_or(group_ms) },
        None => Answer::Unavailable(UnavailableReason::NoLeader),
    }
}

/// Members, leases and masters of the replicated state.
#[derive(Default)]
struct LeaseView {
    /// Applied index of the read.
    at: LogIndex,
    members: Vec<(RaftId, MemberRow)>,
    leases: Vec<(Owner, Lease)>,
    /// Regions that have a master lock, with its owner and fencing token.
    masters: Vec<(u32, Option<Owner>, LogIndex)>,
}

impl LeaseView {
    fn read(node: &NodeState) -> Result<LeaseView, DbError> {
        let member = node.membership.get().expect("only called after the node has become a member");
        let (at, view) = member.replica.reader().view_at()?;
        let members = members::all(&view)?;
        let mut leases: Vec<(Owner, Lease)> = Vec::new();
        loop {
            let page = leases::page(&view, leases.last().map(|(owner, _)| *owner))?;
            if page.is_empty() {
                break;
            }
            leases.extend(page);
        }
        let mut masters = Vec::new();
        let mut regions: Vec<u32> = members.iter().map(|(_, row)| row.region).collect();
        regions.sort_unstable();
        regions.dedup();
        for region in regions {
            if let Some(node) = tree::node(&view, &leases::master_path(region))? {
                masters.push((region, node.owner, node.fence.unwrap_or_default()));
            }
        }
        Ok(LeaseView { at, members, leases, masters })
    }

    fn lease_of(&self, owner: Owner) -> Option<&Lease> {
        self.leases.iter().find(|(known, _)| *known == owner).map(|(_, lease)| lease)
    }
}

/// Runs the judging rounds. The leader decides about leases; any other member steps down as master when it should.
async fn judge(node: &NodeState) {
    let Some(member) = node.membership.get() else { return };
    let mut view: Option<Arc<LeaseView>> = None;
    // Time at which the next round begins at the latest.
    let mut planned = Instant::now();
    let mut tenure = LeaderTenure::default();
    // Number of regions from the options, until the cluster has it.
    let mut regions = node.options.clusters;
    loop {
        let now = Instant::now();
        let stalled = now.saturating_duration_since(planned) > STALL;
        // Taken before the looks, so that no change in between is missed.
        let progress = member.replica.next_progress();
        let arrived = member.coordination.arrived.listen();
        let status = member.replica.status();
        if view.as_ref().is_none_or(|view| view.at != member.replica.reader().applied()) {
            match LeaseView::read(node) {
                Ok(read) => *member.coordination.view.locked() = view.insert(Arc::new(read)).clone(),
                // The store's writer meets the same error and ends the process.
                Err(error) => log::error!("cannot read members and leases: {error}"),
            }
        }
        let Some(current) = view.as_deref() else {
            planned = now + LOOK;
            smol::Timer::after(LOOK).await;
            continue;
        };
        let leader = status.leader.filter(|_| status.in_sync);
        tenure.look(leader, now);
        let command = match status.leads {
            true => verdict(node, current, status.term, stalled, now),
            false => {
                member.coordination.judge.locked().follow();
                stepping_down(node, current, &tenure, now)
            }
        };
        let command = command.or_else(|| {
            let regions = regions.filter(|_| leader.is_some())?;
            Some(LeaseCommand::SetRegions { regions })
        });
        let Some(command) = command else {
            let pause = pause_until_judging(node, current, status.leads, Instant::now());
            planned = Instant::now() + pause;
            // Time limits are rounded up, so that other periodic work of this process happens with them.
            let due = async {
                if pause == LOOK_SETTLED {
                    tasks::aligned_pause(pause).await;
                } else {
                    smol::Timer::after(pause).await;
                }
            };
            let changed = async {
                progress.or(arrived).await;
                smol::Timer::after(LOOK).await;
            };
            due.or(changed).await;
            continue;
        };
        let sets_regions = matches!(command, LeaseCommand::SetRegions { .. });
        let decided = propose(node, command, DECIDE).await;
        if sets_regions && decided.is_some() {
            regions = None;
        }
        // The time spent on the command does not count as a stall.
        planned = Instant::now();
        if !matches!(decided, Some(Ok(_))) {
            planned += LOOK;
            smol::Timer::after(LOOK).await;
        }
    }
}

/// Returns the time until the next judging round, unless something changes before.
fn pause_until_judging(node: &NodeState, known: &LeaseView, leads: bool, now: Instant) -> Duration {
    let Some(member) = node.membership.get().filter(|_| leads) else { return LOOK_SETTLED };
    let masters: Vec<u32> = known.masters.iter().map(|(region, ..)| *region).collect();
    let me = member.identity.raft_id;
    let facts = Facts { members: &known.members, leases: &known.leases, masters: &masters, infos: &[], me };
    let until = member.coordination.judge.locked().settled_until(&facts, node.options.lease());
    let left = until.map_or(LOOK, |at| at.saturating_duration_since(now) + Duration::from_millis(1));
    left.clamp(LOOK, LOOK_SETTLED)
}

/// Returns the leader's next command about leases, or `None` if there is nothing to do.
fn verdict(
    node: &NodeState,
    known: &LeaseView,
    term: u64,
    stalled: bool,
    now: Instant,
) -> Option<LeaseCommand> {
    let member = node.membership.get()?;
    let mut infos = member.member_list.known();
    infos.push(node.info());
    let masters: Vec<u32> = known.masters.iter().map(|(region, ..)| *region).collect();
    let me = member.identity.raft_id;
    let facts =
        Facts { members: &known.members, leases: &known.leases, masters: &masters, infos: &infos, me };
    let lease = node.options.lease();
    let mut judge = member.coordination.judge.locked();
    if stalled {
        judge.follow();
    }
    judge.lead(term, now);
    judge.hear(Owner::Member(me), node.incarnation, now);
    judge.tidy(&known.leases, now, lease);
    judge.verdict(&facts, now, lease)
}

/// The current leader and the time at which this node first saw it.
#[derive(Default)]
struct LeaderTenure(Option<(RaftId, Instant)>);

impl LeaderTenure {
    fn look(&mut self, leader: Option<RaftId>, now: Instant) {
        match (self.0, leader) {
            (Some((known, _)), Some(leader)) if known == leader => {}
            (_, leader) => self.0 = leader.map(|leader| (leader, now)),
        }
    }
}

/// Returns a command by which this node steps down as master. The leader is the preferred master of its region, so another
/// master gives way once the leader is active there and has led for `STEADY`.
fn stepping_down(
    node: &NodeState,
    known: &LeaseView,
    tenure: &LeaderTenure,
    now: Instant,
) -> Option<LeaseCommand> {
    let me = node.membership.get()?.identity.raft_id;
    let (leader, since) = tenure.0?;
    let of = |id: RaftId| known.members.iter().find(|(raft_id, _)| *raft_id == id).map(|(_, row)| row);
    let (mine, its) = (of(me)?, of(leader)?);
    let (_, _, fence) = known
        .masters
        .iter()
        .find(|(region, owner, _)| *region == mine.region && *owner == Some(Owner::Member(me)))?;
    let can_take = its.role == Role::Backend
        && its.region == mine.region
        && known.lease_of(Owner::Member(leader)).is_some_and(|lease| lease.active)
        && now.duration_since(since) > STEADY;
    can_take.then_some(LeaseCommand::StepDown { raft_id: me, fence: *fence })
}

/// Ends this node's own lease at shutdown, so that others do not have to wait for its expiry.
pub(crate) async fn leave(node: &NodeState) {
    let Some(member) = node.membership.get() else { return };
    let Ok(known) = LeaseView::read(node) else { return };
    let owner = Owner::Member(member.identity.raft_id);
    let Some(lease) = known.lease_of(owner).filter(|lease| lease.active) else { return };
    let command =
        LeaseCommand::End { owner, version: lease.version, why: ribbit_state::command::LeaseEnd::Left };
    propose(node, command, LEAVE).await;
}

/// Submits a command about leases. Returns its outcome, or `None` if it was not decided in time.
async fn propose(node: &NodeState, command: LeaseCommand, limit: Duration) -> Option<Outcome> {
    let member = node.membership.get()?;
    log::debug!("{command:?}");
    let submitted_at = member.replica.reader().applied();
    let command = Command::Lease(command);
    // The flag of a coordinator, which an operator has set.
    let origin = || Box::new(Origin { operator: node.options.name(), address: String::new() });
    let origin = command.is_audited().then(origin);
    let request = Request { id: new_request_id(), submitted_at, origin, command };
    match member.replica.submit(request, Instant::now() + limit).await {
        Ok((_, outcome)) => {
            if let Err(denied) = &outcome {
                log::debug!("refused: {denied}");
            }
            Some(outcome)
        }
        Err(why) => {
            log::debug!("not decided: {why:?}");
            None
        }
    }
}
