//! Recent events among the servers, as lines of text for operators.
//!
//! The newest `LINES_MAX` lines are kept in memory; a restart clears them. They are derived from applied commands (leases,
//! and locks under `/clusters`) and from changes of the leader. They contain nothing private: other namespace entries are
//! not reported.

use super::NodeState;
use ribbit_net::protocol::HistoryLine;
use ribbit_replica::event_ring::{EventReader, Lapsed};
use ribbit_replica::wall_ms;
use ribbit_state::cluster::members;
use ribbit_state::command::LeaseEnd;
use ribbit_state::events::{EventKind, LeaseEvent, NodeEvent};
use ribbit_state::sync::MutexExt;
use ribbit_state::{Event, Interest, LogIndex, Owner, RaftId, TreePath};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Maximum number of lines kept.
const LINES_MAX: usize = 64;

/// Minimum interval between two reads of the event ring. Not on every event, because every write applies one.
const LOOK: Duration = Duration::from_millis(100);

/// The recorded lines.
#[derive(Debug, Default)]
pub(crate) struct ServerHistory(VecDeque<HistoryLine>);

impl ServerHistory {
    fn add(&mut self, words: String) {
        if self.0.len() == LINES_MAX {
            self.0.pop_front();
        }
        log::info!("{words}");
        self.0.push_back(HistoryLine { wall_ms: wall_ms(), words });
    }

    /// Returns all lines, the newest last.
    pub(crate) fn lines(&self) -> Vec<HistoryLine> {
        self.0.iter().cloned().collect()
    }
}

/// Records events for as long as the process lives.
pub(crate) async fn record(node: &NodeState) {
    let Some(member) = node.membership.get() else { return };
    let live = member.replica.events();
    // Entries replayed from the log after a start are old events, which are not recorded.
    while !member.replica.status().in_sync {
        smol::Timer::after(LOOK).await;
    }
    let begin = |at: LogIndex| EventReader::begin(live, Interest::Tree(TreePath::root()), at, at);
    let mut follower = begin(live.through());
    let mut leading = LeaderChanges::default();
    loop {
        let progress = member.replica.next_progress();
        if let Some(words) = leading.look(node) {
            member.coordination.history.locked().add(words);
        }
        let batch = match &mut follower {
            Ok(follower) => follower.take(live),
            Err(Lapsed { resume_at }) => Err(Lapsed { resume_at: *resume_at }),
        };
        match batch {
            Ok(batch) => {
                for event in &batch.events {
                    for line in words_of(node, event) {
                        member.coordination.history.locked().add(line);
                    }
                }
                if !batch.more {
                    progress.await;
                    smol::Timer::after(LOOK).await;
                }
            }
            // A snapshot was installed. Events contained in it are not recorded.
            Err(Lapsed { resume_at }) => follower = begin(resume_at),
        }
    }
}

/// The last known leader, and since when there is none.
#[derive(Default)]
struct LeaderChanges {
    leader: Option<RaftId>,
    lost_at: Option<Instant>,
}

impl LeaderChanges {
    fn look(&mut self, node: &NodeState) -> Option<String> {
        let status = node.membership.get()?.replica.status();
        let now = Instant::now();
        match (self.leader, status.leader) {
            (before, after) if before == after => None,
            (_, None) => {
                self.leader = None;
                self.lost_at.get_or_insert(now);
                Some("the cluster has no leader".into())
            }
            (_, Some(leader)) => {
                self.leader = Some(leader);
                let gap = self
                    .lost_at
                    .take()
                    .map(|at| format!(", after {} ms without a leader", at.elapsed().as_millis()));
                Some(format!(
                    "{} leads, term {}{}",
                    name_of(node, leader),
                    status.term,
                    gap.unwrap_or_default()
                ))
            }
        }
    }
}

/// Returns a member's name from the replicated state, or its Raft id if it is not there.
fn name_of(node: &NodeState, id: RaftId) -> String {
    let member = node.membership.get();
    let row = member
        .and_then(|it| it.replica.reader().view().ok())
        .and_then(|view| members::get(&view, id).ok()?);
    row.map_or_else(|| format!("member {id}"), |row| row.name())
}

/// Returns the lines for one event, none if it is not about a member's lease or a master.
fn words_of(node: &NodeState, event: &Event) -> Vec<String> {
    let EventKind::Tree { nodes, lease } = &event.what else { return Vec::new() };
    let mut lines = Vec::new();
    let who = match lease {
        Some((Owner::Member(id), fact)) => {
            let name = name_of(node, *id);
            match fact {
                LeaseEvent::Ended(LeaseEnd::Missed { silence_ms }) => {
                    lines.push(format!("no heartbeat from {name} for {silence_ms} ms: its lease ended"));
                }
                LeaseEvent::Ended(LeaseEnd::Left) => {
                    lines.push(format!("{name} was stopped and ended its lease"));
                }
                LeaseEvent::Began => lines.push(format!("{name} is up")),
            }
            if nodes.iter().any(|node| node.path.name() == "master" && node.what == NodeEvent::Removed) {
                lines.push(format!("{name} is no longer master"));
            }
            Some(name)
        }
        _ => None,
    };
    for change in nodes {
        let names: Vec<&str> = change.path.names().collect();
        if let (["clusters", cluster, "master"], NodeEvent::Acquired { fence }) =
            (names.as_slice(), change.what)
        {
            let master =
                who.clone().or_else(|| master_of(node, &change.path)).unwrap_or_else(|| "a client".into());
            lines.push(format!("{master} is master of region {cluster}, fencing token {fence}"));
        }
    }
    lines
}

/// Returns the name of the member that holds this lock now.
fn master_of(node: &NodeState, path: &TreePath) -> Option<String> {
    let view = node.membership.get()?.replica.reader().view().ok()?;
    match ribbit_state::tree::node(&view, path).ok()??.owner? {
        Owner::Member(id) => Some(name_of(node, id)),
        Owner::Client(_) => None,
    }
}
