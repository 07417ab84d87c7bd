//! What happened lately among the servers, and why: for the people who look after them.
//!
//! Lines in memory, the newest `LINES_MAX`; after a start they begin anew. They come from what is applied (leases and
//! locks under `/clusters`) and from who leads. Nothing private: what people keep in the namespace is not told.

use super::{Node, locked};
use crate::net::protocol::HistoryLine;
use crate::replica::live::{Follower, Lapsed};
use crate::replica::wall_ms;
use crate::state::events::{Happening, LeaseFact, NodeFact};
use crate::state::leases::Ending;
use crate::state::{Event, Interest, LogIndex, Owner, RaftId, TreePath, members};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Lines that are kept.
const LINES_MAX: usize = 64;
/// What happened is looked at this often: nobody waits for it, and something is applied with every write.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub struct History(VecDeque<HistoryLine>);

impl History {
    fn add(&mut self, words: String) {
        if self.0.len() == LINES_MAX {
            self.0.pop_front();
        }
        log::info!("{words}");
        self.0.push_back(HistoryLine { wall_ms: wall_ms(), words });
    }

    /// The newest last.
    pub fn lines(&self) -> Vec<HistoryLine> {
        self.0.iter().cloned().collect()
    }
}

/// Writes down what happens for as long as this process lives.
pub async fn record(node: &Node) {
    let Some(member) = node.member.get() else { return };
    let live = member.replica.live();
    // What is applied again from the log after a start happened earlier.
    while !member.replica.status().in_sync {
        smol::Timer::after(LOOK).await;
    }
    let begin = |at: LogIndex| Follower::begin(live, Interest::Tree(TreePath::root()), at, at);
    let mut follower = begin(live.through());
    let mut leading = Leading::default();
    loop {
        if let Some(words) = leading.look(node) {
            locked(&member.coordination.history).add(words);
        }
        let batch = match &mut follower {
            Ok(follower) => follower.take(live),
            Err(Lapsed { resume_at }) => Err(Lapsed { resume_at: *resume_at }),
        };
        match batch {
            Ok(batch) => {
                for event in &batch.events {
                    for line in words_of(node, event) {
                        locked(&member.coordination.history).add(line);
                    }
                }
                if !batch.more {
                    smol::Timer::after(LOOK).await;
                }
            }
            // A snapshot came between: what was in it is not told here.
            Err(Lapsed { resume_at }) => follower = begin(resume_at),
        }
    }
}

/// Who leads, and how long nobody did.
#[derive(Default)]
struct Leading {
    leader: Option<RaftId>,
    lost_at: Option<Instant>,
}

impl Leading {
    fn look(&mut self, node: &Node) -> Option<String> {
        let status = node.member.get()?.replica.status();
        let now = Instant::now();
        match (self.leader, status.leader) {
            (before, after) if before == after => None,
            (_, None) => {
                self.leader = None;
                self.lost_at.get_or_insert(now);
                Some("nobody leads".into())
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

fn name_of(node: &Node, id: RaftId) -> String {
    let member = node.member.get();
    let row = member
        .and_then(|it| it.replica.reader().view().ok())
        .and_then(|view| members::get(&view, id).ok()?);
    row.map_or_else(|| format!("member {id}"), |row| row.name())
}

fn words_of(node: &Node, event: &Event) -> Vec<String> {
    let Happening::Tree { nodes, lease } = &event.what else { return Vec::new() };
    let mut lines = Vec::new();
    let who = match lease {
        Some((Owner::Member(id), fact)) => {
            let name = name_of(node, *id);
            match fact {
                LeaseFact::Ended(Ending::Missed { silence_ms }) => {
                    lines.push(format!("{name} was not heard for {silence_ms} ms: its lease ended"));
                }
                LeaseFact::Ended(Ending::Left) => {
                    lines.push(format!("{name} stopped and let go of its lease"));
                }
                LeaseFact::Began => lines.push(format!("{name} is there")),
            }
            if nodes.iter().any(|node| node.path.name() == "master" && node.what == NodeFact::Removed) {
                lines.push(format!("{name} is master no more"));
            }
            Some(name)
        }
        _ => None,
    };
    for change in nodes {
        let names: Vec<&str> = change.path.names().collect();
        if let (["clusters", cluster, "master"], NodeFact::Acquired { fence }) =
            (names.as_slice(), change.what)
        {
            let master =
                who.clone().or_else(|| master_of(node, &change.path)).unwrap_or_else(|| "somebody".into());
            lines.push(format!("{master} is master of cluster {cluster}, fence {fence}"));
        }
    }
    lines
}

/// Who holds this lock now.
fn master_of(node: &Node, path: &TreePath) -> Option<String> {
    let view = node.member.get()?.replica.reader().view().ok()?;
    match crate::state::namespace::node(&view, path).ok()??.owner? {
        Owner::Member(id) => Some(name_of(node, id)),
        Owner::Client(_) => None,
    }
}
