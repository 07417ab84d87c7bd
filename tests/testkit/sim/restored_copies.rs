//! An operator restores an older copy of a member's disk: the member no longer has entries that it acknowledged, and that
//! were committed with its acknowledgement. It must not vote once it was told.
//!
//! ```text
//!   the leader, the member and just enough others for a majority are cut off from the rest ── entries are committed by them
//!     ──▶ the member loses power and gets the copy that was made before ──▶ the leader tells it, and it gives up its place
//!     ──▶ the leader dies, the cuts heal: the rest must not elect a leader that lacks the entries, with the member's vote
//! ```
//!
//! Nothing protects a cluster whose leader dies before the member was told, so no fault is injected until then. Among those that
//! are linked an election needs the vote of all, and the leader has every committed entry, so none of them can lose one.

use super::disk::{Death, SimDisk};
use super::node::Node;
use super::world::{Event, World, trace};
use ribbit_db::{Configuration, Store};
use ribbit_state::LogIndex;

/// Bounds of the time between the copy and its restoration, in virtual milliseconds.
const AGE: (u64, u64) = (300, 1_500);
/// Time within which a leader that leads all the time tells the member, in virtual milliseconds.
const TOLD_WITHIN: u64 = 1_500;
/// Longest duration of the cuts.
const CUT_MAX: u64 = 60_000;
/// Time for which the former leader stays cut off.
const AWAY: u64 = 1_500;

/// A restoration under way.
#[derive(Debug)]
pub struct Restoration {
    node: usize,
    leader: usize,
    /// The leader's process and term at the time of the copy.
    life: u64,
    term: u64,
    configuration: Configuration,
    copy: SimDisk,
    /// Last index in the copy.
    last: LogIndex,
    /// Nodes that are linked with each other and with no others.
    linked: Vec<usize>,
    /// The newest committed entry that the member lost, once the copy is restored.
    lost: Option<(LogIndex, u64)>,
}

impl World {
    /// Copies the disk of a member and cuts off the members that will not have what it acknowledges from now on.
    pub fn copy_disk(&mut self, node: usize) {
        let Some(leader) = self.leader().filter(|leader| *leader != node && self.is_awake(*leader)) else {
            return;
        };
        let undisturbed = self.membership_requests.is_empty()
            && self.nodes.iter().all(|node| !node.drained && !node.locked && !node.damaged);
        if !undisturbed
            || !self.is_awake(node)
            || !self.may_fall_out(node)
            || self.nodes.iter().any(|it| it.unsound)
        {
            return;
        }
        let Some(running) = &self.nodes[leader].running else { return };
        let status = running.core.status();
        let configuration = status.configuration;
        let voters: Vec<usize> =
            configuration.voters.iter().filter_map(|id| self.raft_ids.get(id).copied()).collect();
        let majority = configuration.voters.len() / 2 + 1;
        if configuration.is_joint()
            || !voters.contains(&node)
            || !voters.contains(&leader)
            || voters.len() < 3
        {
            return;
        }
        let mut linked = vec![leader, node];
        let others = voters.iter().filter(|it| !linked.contains(it) && self.is_awake(**it));
        let others: Vec<usize> = others.copied().take(majority - 2).collect();
        linked.extend(others);
        let copy = self.nodes[node].disk.after_power_cut();
        let loaded = Store::open(copy.after_power_cut()).and_then(|store| store.loaded());
        let Ok(loaded) = loaded else { return };
        let vote = (loaded.hard_state.term, loaded.hard_state.vote);
        if linked.len() < majority || vote.0 != status.term || !self.nodes[node].promised.has_vote(vote) {
            return;
        }
        for from in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                match (linked.contains(&from), linked.contains(&to)) {
                    (true, true) => self.network.heal_now(from, to),
                    (false, false) => {}
                    _ => self.network.cut(from, to, self.now + CUT_MAX),
                }
            }
        }
        trace!(self, "the disk of node {node} is copied, {linked:?} are cut off from the others");
        let copy = copy.traced_like(&self.nodes[node].disk);
        let (life, last) = (self.nodes[leader].life, loaded.last.index);
        let term = status.term;
        self.restoration =
            Some(Restoration { node, leader, life, term, configuration, copy, last, linked, lost: None });
        let restored = self.now + self.random.between(AGE.0, AGE.1);
        self.at(restored, Event::Restoration);
    }

    fn is_awake(&self, node: usize) -> bool {
        self.nodes[node].running.is_some() && self.nodes[node].paused_until <= self.now
    }

    /// The next step of a restoration.
    pub fn restoration(&mut self) {
        let Some(restoration) = self.restoration.take() else { return };
        if restoration.lost.is_none() {
            self.restore(restoration);
        } else {
            self.after_restoration(restoration);
        }
    }

    fn leads_still(&self, restoration: &Restoration) -> bool {
        let Restoration { leader, life, term, configuration, .. } = restoration;
        self.nodes[*leader].life == *life
            && self.nodes[*leader].running.as_ref().is_some_and(|running| {
                let status = running.core.status();
                status.leads && status.term == *term && status.configuration.voters == configuration.voters
            })
    }

    /// Restores the copy, if the member has since acknowledged what was committed, and promised nothing else.
    fn restore(&mut self, mut restoration: Restoration) {
        let (node, leader) = (restoration.node, restoration.leader);
        let committed = self.checker.newest();
        let promised = &self.nodes[node].promised;
        let good = self.leads_still(&restoration)
            && !self.is_between(node)
            && self.raft_ids.values().any(|known| *known == node)
            && committed.0 > restoration.last
            && promised.has(committed)
            && promised.vote_term() == Some(restoration.term)
            && self.nodes[leader].promised.has(committed);
        if !good {
            return self.heal_around(&restoration.linked);
        }
        self.falls_out(node);
        self.die(node, Death::PowerCut);
        let store = Store::open(restoration.copy.after_power_cut()).expect("a copy opens");
        let terms = store.loaded().expect("a copy opens").terms;
        self.nodes[node].disk = restoration.copy.clone();
        self.nodes[node].promised.forget_unless(|index, term| terms.at(index) == Some(term));
        self.nodes[node].forgetful = true;
        trace!(
            self,
            "an older copy is restored on node {node}: it ends at {}, not {}", restoration.last, committed.0
        );
        self.faults.restored += 1;
        restoration.lost = Some(committed);
        self.restoration = Some(restoration);
        self.at(self.now + TOLD_WITHIN, Event::Restoration);
    }

    /// Lets the leader die once the member was told, or has the entries again from another leader.
    fn after_restoration(&mut self, restoration: Restoration) {
        let Node { forgetful, promised, running, started, .. } = &self.nodes[restoration.node];
        let was_told = !*forgetful || restoration.lost.is_some_and(|lost| promised.has(lost));
        let had_time =
            running.is_some() && *started + TOLD_WITHIN <= self.now && self.leads_still(&restoration);
        if !was_told && !had_time {
            self.restoration = Some(restoration);
            return self.at(self.now + TOLD_WITHIN / 3, Event::Restoration);
        }
        trace!(self, "node {} was told: {was_told}; the leader dies", restoration.node);
        self.heal_around(&restoration.linked);
        let leader = restoration.leader;
        self.die(leader, Death::PowerCut);
        for other in (0..self.nodes.len()).filter(|other| *other != leader) {
            self.cut(leader, other, self.now + AWAY);
            self.cut(other, leader, self.now + AWAY);
        }
    }

    fn heal_around(&mut self, linked: &[usize]) {
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                if linked.contains(&from) != linked.contains(&to) {
                    self.network.heal_now(from, to);
                }
            }
        }
    }
}
