//! Leases on the members' side, as in `roles/node/coordination`: heartbeats, the leader's answers to them, and its decisions.
//! The decisions, the holder's side and the proof of leadership are the product's own modules.
//!
//! ```text
//!   member ── RenewLease ──▶ leader ── one read index for all that wait ──▶ LeaseRenewed ──▶ extends the lease
//!        └──▶ coordinators, which relay          judge, every 100 ms ──▶ Register, End, Appoint
//! ```

use super::network::Body;
use super::node::Running;
use super::world::{Event, World, trace};
use ribbit_db::Reader;
use ribbit_net::peer::PeerTalk;
use ribbit_net::protocol::MemberInfo;
use ribbit_replica::{Input, ReadId};
use ribbit_roles::confirmation::ConfirmationRound;
use ribbit_roles::judge::{Facts, Judge};
use ribbit_roles::renewals::Renewals;
use ribbit_state::cluster::{leases, members};
use ribbit_state::limits::RULES_LEVEL;
use ribbit_state::rows::{Lease, Leases, Member, get};
use ribbit_state::{
    Command, HOME_REGION, LeaseCommand, LogIndex, Owner, RaftId, Request, RequestId, Role, tree,
};
use smol::channel::{Receiver, bounded};
use std::time::{Duration, Instant};

/// Default lease time.
const LEASE: Duration = Duration::from_secs(2);
/// Interval between two heartbeats of a member, in virtual milliseconds.
const HEARTBEAT: u64 = 500;
/// Time during which the leader gathers heartbeats in which no client waits, in virtual milliseconds.
const GATHER: u64 = 250;
/// Interval at which the leader judges, in virtual milliseconds.
const JUDGE: u64 = 100;
/// Time by which a round of the judge may be late (`STALL` of the product).
const STALL: Duration = Duration::from_millis(600);
/// Time limit of a read-index round, and of a command about leases, in ticks.
const ROUND_TICKS: u64 = 100;
const DECIDE_TICKS: u64 = 200;
/// The same time, in virtual milliseconds.
const DECIDE: u64 = 1_000;
/// Time that a leader must have led before another master steps down in its favour.
const STEADY: Duration = Duration::from_secs(5);

const READABLE: &str = "a live store can be read";

/// A heartbeat that the leader has not confirmed.
#[derive(Debug, Clone, Copy)]
struct PendingHeartbeat {
    /// The node that sent or relayed it.
    link: usize,
    from: RaftId,
    serial: u64,
}

/// Liveness state of one process.
#[derive(Default)]
pub struct Coordination {
    judge: Judge,
    renewals: Renewals,
    waiting: Vec<PendingHeartbeat>,
    /// Round under way, and its heartbeats.
    round: Option<(ReadId, ConfirmationRound, Vec<PendingHeartbeat>)>,
    /// Renewals of clients that wait: client, number of its attempt.
    renewing: Vec<(usize, u64, Receiver<u32>)>,
    /// Time at which the next round of the judge is due.
    planned: Option<Instant>,
    /// Undecided command about leases, and when it was proposed.
    proposed: Option<(RequestId, u64)>,
    /// The leader, and since when.
    tenure: Option<(RaftId, Instant)>,
}

/// Members, leases and the master of the home region in a store.
struct LeaseView {
    members: Vec<(RaftId, Member)>,
    leases: Vec<(Owner, Lease)>,
    master: Option<(Option<Owner>, LogIndex)>,
}

impl LeaseView {
    fn read(reader: &Reader) -> LeaseView {
        let view = reader.view().expect(READABLE);
        let members = members::all(&view).expect(READABLE);
        let leases = leases::page(&view, None).expect(READABLE);
        let master = tree::node(&view, &leases::master_path(HOME_REGION)).expect(READABLE);
        let master = master.map(|node| (node.owner, node.fence.unwrap_or_default()));
        LeaseView { members, leases, master }
    }
}

impl World {
    /// Begins the periodic work of a process.
    pub fn begin_coordination(&mut self, node: usize) {
        let life = self.nodes[node].life;
        self.at(self.now, Event::Heartbeat { node, life, periodic: true });
        self.at(self.now + JUDGE, Event::Judge { node, life });
    }

    /// Sends a heartbeat of a process, with the clients that wait for it.
    pub fn heartbeat(&mut self, node: usize, life: u64, periodic: bool) {
        if self.nodes[node].life != life || self.nodes[node].running.is_none() {
            return;
        }
        if periodic {
            self.at(self.now + HEARTBEAT, Event::Heartbeat { node, life, periodic });
        }
        let now = self.own_time(node);
        let from = self.raft_id(node);
        let coordinators = self.raft_ids.iter().filter(|(_, at)| self.nodes[**at].role == Role::Coordinator);
        let coordinators: Vec<usize> = coordinators.map(|(_, at)| *at).collect();
        let Some(running) = &mut self.nodes[node].running else { return };
        let Running { core, coordination, .. } = running;
        let (serial, clients) = coordination.renewals.next(now);
        let direct = clients.is_empty() && coordination.renewals.are_fresh(now);
        let status = core.status();
        let talk = PeerTalk::RenewLease { serial, from, incarnation: life, clients };
        if status.leads {
            return self.hear_of_lease(node, node, talk);
        }
        let mut to = if direct { Vec::new() } else { coordinators };
        to.extend(status.leader.and_then(|leader| self.raft_ids.get(&leader)));
        to.sort_unstable();
        to.dedup();
        to.into_iter().filter(|to| *to != node).for_each(|to| self.talk(node, to, talk.clone()));
    }

    /// Handles a message about leases that came from the node `link`.
    pub fn hear_of_lease(&mut self, node: usize, link: usize, talk: PeerTalk) {
        let now = self.own_time(node);
        let (me, link_id, role) = (self.raft_id(node), self.raft_id(link), self.nodes[node].role);
        let Some(Running { core, coordination, .. }) = &mut self.nodes[node].running else { return };
        let status = core.status();
        match &talk {
            PeerTalk::RenewLease { serial, from, incarnation, clients } if status.leads => {
                coordination.judge.hear(Owner::Member(*from), *incarnation, now);
                for client in clients {
                    coordination.judge.hear(Owner::Client(*client), 0, now);
                }
                coordination.waiting.push(PendingHeartbeat { link, from: *from, serial: *serial });
                let gathers = if clients.is_empty() { GATHER } else { 0 };
                let life = self.nodes[node].life;
                self.at(self.now + gathers, Event::ConfirmLeases { node, life });
            }
            PeerTalk::RenewLease { from, .. } if role == Role::Coordinator && link_id == *from => {
                if let Some(&leader) = status.leader.and_then(|leader| self.raft_ids.get(&leader)) {
                    self.talk(node, leader, talk);
                }
            }
            PeerTalk::LeaseRenewed { serial, to, lease_ms } if *to == me => {
                coordination.renewals.confirm(*serial, *lease_ms);
                let renewed = coordination.renewing.extract_if(.., |(.., told)| told.try_recv().is_ok());
                let renewed: Vec<(usize, u64)> =
                    renewed.map(|(client, attempt, _)| (client, attempt)).collect();
                renewed.into_iter().for_each(|(client, attempt)| self.lease_renewed(client, attempt));
            }
            PeerTalk::LeaseRenewed { to, .. } if status.leader == Some(link_id) => {
                if let Some(&to) = self.raft_ids.get(to) {
                    self.talk(node, to, talk);
                }
            }
            _ => {}
        }
    }

    fn talk(&mut self, from: usize, to: usize, talk: PeerTalk) {
        if !self.loses(from, to) {
            let arrives = self.arrival(from, to);
            self.at(arrives, Event::Deliver { from, to, body: Body::Talk(talk) });
        }
    }

    /// Begins a round for the heartbeats that wait, unless one is under way.
    pub fn confirm_leases(&mut self, node: usize, life: u64) {
        if self.nodes[node].life != life {
            return;
        }
        let Some(running) = &mut self.nodes[node].running else { return };
        let status = running.core.status();
        let coordination = &mut running.coordination;
        if coordination.round.is_some() || coordination.waiting.is_empty() {
            return;
        }
        let heartbeats = std::mem::take(&mut coordination.waiting);
        let Some(round) = ConfirmationRound::begin(status.leads, status.term) else { return };
        if round.confirms(status.leads, status.term) {
            return self.answer_heartbeats(node, heartbeats);
        }
        running.next_read += 1;
        let id = running.next_read;
        coordination.round = Some((id, round, heartbeats));
        self.feed(node, Input::ReadIndex { id, ticks: ROUND_TICKS });
    }

    /// Ends the round that waits for this read index, if one does.
    pub fn leases_confirmed(&mut self, node: usize, id: ReadId, proved: bool) {
        let life = self.nodes[node].life;
        let Some(running) = &mut self.nodes[node].running else { return };
        let coordination = &mut running.coordination;
        if coordination.round.as_ref().is_none_or(|(known, ..)| *known != id) {
            return;
        }
        let Some((_, mut round, heartbeats)) = coordination.round.take() else { return };
        if proved {
            round.prove();
        }
        let status = running.core.status();
        if !coordination.waiting.is_empty() {
            self.at(self.now, Event::ConfirmLeases { node, life });
        }
        if round.confirms(status.leads, status.term) {
            self.answer_heartbeats(node, heartbeats);
        }
    }

    fn answer_heartbeats(&mut self, node: usize, heartbeats: Vec<PendingHeartbeat>) {
        for PendingHeartbeat { link, from, serial } in heartbeats {
            let talk = PeerTalk::LeaseRenewed { serial, to: from, lease_ms: LEASE.as_millis() as u32 };
            if link == node { self.hear_of_lease(node, node, talk) } else { self.talk(node, link, talk) }
        }
    }

    /// Takes a client's renewal: it goes with the next heartbeat. Answers false if the lease is over.
    pub fn renew(&mut self, node: usize, client: usize, attempt: u64, opened: LogIndex) -> bool {
        let life = self.nodes[node].life;
        let Some(running) = &mut self.nodes[node].running else { return true };
        let reader = running.writer.store().reader();
        let view = reader.view().expect(READABLE);
        let known = get::<Leases, _>(&view, &Owner::Client(opened));
        if known.expect(READABLE).is_none() {
            // A node that is behind asks for a read index first; here, the client asks another node.
            return reader.applied() < opened;
        }
        let (tell, told) = bounded(1);
        if running.coordination.renewals.renew(opened, tell) {
            running.coordination.renewing.push((client, attempt, told));
            self.at(self.now, Event::Heartbeat { node, life, periodic: false });
        }
        true
    }

    /// A round of the judge: the leader decides about leases, another master steps down where it should.
    pub fn judge(&mut self, node: usize, life: u64) {
        if self.nodes[node].life != life || self.nodes[node].running.is_none() {
            return;
        }
        self.at(self.now + JUDGE, Event::Judge { node, life });
        let now = self.own_time(node);
        let infos = self.infos(node);
        let (me, virtual_now) = (self.raft_id(node), self.now);
        let Some(Running { core, coordination, writer, .. }) = &mut self.nodes[node].running else { return };
        let status = core.status();
        let planned = coordination.planned.replace(now + Duration::from_millis(JUDGE));
        let stalled = planned.is_some_and(|planned| now.saturating_duration_since(planned) > STALL);
        let leader = status.leader.filter(|_| status.in_sync);
        if coordination.tenure.map(|(known, _)| known) != leader {
            coordination.tenure = leader.map(|leader| (leader, now));
        }
        let steady = coordination.tenure.is_some_and(|(_, since)| now.duration_since(since) > STEADY);
        if stalled || !status.leads {
            coordination.judge.follow();
        }
        if coordination.proposed.is_some_and(|(_, at)| virtual_now < at + DECIDE) || !(status.leads || steady)
        {
            return;
        }
        let reader = writer.store().reader();
        let known = LeaseView::read(&reader);
        let command = if status.leads {
            let masters: Vec<u32> = known.master.iter().map(|_| HOME_REGION).collect();
            let facts = Facts {
                members: &known.members,
                leases: &known.leases,
                masters: &masters,
                infos: &infos,
                me,
            };
            let judge = &mut coordination.judge;
            judge.lead(status.term, now);
            judge.hear(Owner::Member(me), life, now);
            judge.tidy(&known.leases, now, LEASE);
            judge.verdict(&facts, now, LEASE)
        } else {
            stepping_down(&known, me, leader)
        };
        let Some(command) = command else { return };
        let id = self.fresh_id();
        trace!(self, "node {node} proposes {command:?}");
        if let Some(running) = &mut self.nodes[node].running {
            running.coordination.proposed = Some((id, virtual_now));
        }
        let request =
            Request { id, submitted_at: reader.applied(), origin: None, command: Command::Lease(command) };
        self.feed(node, Input::Request { request, ticks: DECIDE_TICKS });
    }

    /// Records that a command about leases is decided: the next round may propose another.
    pub fn lease_command_decided(&mut self, node: usize, id: RequestId) {
        let Some(running) = &mut self.nodes[node].running else { return };
        running.coordination.proposed.take_if(|(proposed, _)| *proposed == id);
    }

    /// Returns what this node knows of itself and of the members that it hears.
    fn infos(&self, node: usize) -> Vec<MemberInfo> {
        let heard = (0..self.nodes.len()).filter(|other| !self.network.is_cut(*other, node));
        let infos = heard.filter_map(|other| {
            let status = self.nodes[other].running.as_ref()?.core.status();
            let member = self.member(other);
            Some(MemberInfo {
                raft_id: self.raft_id(other),
                role: member.role,
                id: member.id,
                address: member.address,
                applied: status.applied,
                rules_level: RULES_LEVEL,
                region: HOME_REGION,
                in_sync: status.in_sync,
                incarnation: self.nodes[other].life,
                ..MemberInfo::default()
            })
        });
        infos.collect()
    }
}

/// Returns the command by which this node steps down as master in favour of a leader that has led for a while.
fn stepping_down(known: &LeaseView, me: RaftId, leader: Option<RaftId>) -> Option<LeaseCommand> {
    let leader = leader.filter(|leader| *leader != me)?;
    let (_, fence) = known.master.filter(|(owner, _)| *owner == Some(Owner::Member(me)))?;
    let serves = known.members.iter().any(|(id, row)| *id == leader && row.role == Role::Backend);
    let active = known.leases.iter().any(|(owner, row)| *owner == Owner::Member(leader) && row.active);
    (serves && active).then_some(LeaseCommand::StepDown { raft_id: me, fence })
}
