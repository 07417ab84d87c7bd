//! Invariants that hold at every moment. Those of the whole run are in `history`.

use super::history::{Asked, Done, History, Kind};
use ribbit_db::snapshot::{self, Chunk, SnapshotReader};
use ribbit_db::{AppliedEntry, EntryKind, LogEntry, Reader, record};
use ribbit_state::command::Proposal;
use ribbit_state::{LogIndex, Outcome, RequestId};
use std::collections::BTreeMap;

/// Observations so far, over all nodes.
#[derive(Default)]
pub struct Checker {
    /// The log as it was first committed, on whichever node.
    pub log: BTreeMap<LogIndex, LogEntry>,
    /// Outcome of the command at each index, as first applied.
    pub outcomes: BTreeMap<LogIndex, Outcome>,
    first_index: BTreeMap<RequestId, LogIndex>,
    leaders: BTreeMap<u64, usize>,
    digests: BTreeMap<LogIndex, (u64, usize)>,
    /// The digests that stores keep of themselves.
    kept: BTreeMap<LogIndex, (u64, usize)>,
    /// The highest index that anything finished so far has told of.
    told: LogIndex,
    pub history: History,
}

impl Checker {
    /// The log is the same on every node.
    pub fn committed(&mut self, node: usize, entry: &LogEntry) {
        if let Some(first) = self.log.get(&entry.index) {
            assert_eq!(first, entry, "node {node} has another entry at index {}", entry.index);
            return;
        }
        if entry.kind == EntryKind::Normal && !entry.data.is_empty() {
            let proposal: Proposal = postcard::from_bytes(&entry.data).expect("an entry holds a command");
            self.first_index.entry(proposal.request.id).or_insert(entry.index);
        }
        self.log.insert(entry.index, entry.clone());
    }

    /// Every node does the same at the same index, again after a restart too.
    pub fn applied(&mut self, node: usize, entry: &AppliedEntry, kept: Option<u64>) {
        let first = self.outcomes.entry(entry.index).or_insert_with(|| entry.outcome.clone());
        assert_eq!(*first, entry.outcome, "node {node} answered something else at index {}", entry.index);
        if let Some(digest) = kept {
            let (first, other) = *self.kept.entry(entry.index).or_insert((digest, node));
            assert_eq!(first, digest, "nodes {other} and {node} keep other digests at {}", entry.index);
        }
    }

    /// Checks that each term has at most one leader.
    pub fn leads(&mut self, node: usize, term: u64) {
        let first = *self.leaders.entry(term).or_insert(node);
        assert_eq!(first, node, "two leaders in term {term}");
    }

    /// Equal state at equal index.
    pub fn digest(&mut self, node: usize, reader: &Reader) {
        let (position, sum) = snapshot::digest(reader).expect("a live store can be read");
        let (first, other) = *self.digests.entry(position.index).or_insert((sum.digest, node));
        assert_eq!(first, sum.digest, "nodes {other} and {node} differ at index {}", position.index);
    }

    /// Returns the indexes that an operation which starts now must not fall behind.
    pub fn ask(&self, seen: LogIndex) -> Asked {
        Asked { told: self.told, seen }
    }

    /// Something that a client asked is answered.
    pub fn done(&mut self, done: Done) {
        let Done { client, asked, index, kind, .. } = &done;
        match kind {
            Kind::Write { request } => {
                let first = self.first_index.get(request).expect("an answered write is in the log");
                assert!(
                    *first > asked.told,
                    "a write of client {client} went to {first}, but {} had been told before it was asked",
                    asked.told
                );
            }
            Kind::Read { linearizable, .. } => {
                let least = if *linearizable { asked.told.max(asked.seen) } else { asked.seen };
                let how = if *linearizable { "linearizable" } else { "session" };
                assert!(
                    *index >= least,
                    "a {how} read of client {client} shows index {index}, but {least} was known when it was asked"
                );
            }
        }
        self.told = self.told.max(*index);
        self.history.push(done);
    }

    /// Returns the index at which a request took effect. A repeated request is in the log again.
    pub fn first_index(&self, request: RequestId) -> LogIndex {
        self.first_index.get(&request).copied().unwrap_or(0)
    }

    /// Returns index and term of the newest entry that was committed anywhere.
    pub fn newest(&self) -> (LogIndex, u64) {
        self.log.last_key_value().map_or((0, 0), |(index, entry)| (*index, entry.term))
    }

    /// The highest index committed anywhere.
    pub fn last(&self) -> LogIndex {
        self.log.last_key_value().map_or(0, |(index, _)| *index)
    }
}

/// All rows of a store, as the rules know them: stored key, row.
pub fn rows(reader: &Reader) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut snapshot = SnapshotReader::new(reader).expect("a live store can be read");
    let mut rows = BTreeMap::new();
    while let Some(chunk) = snapshot.next_chunk().expect("a live store can be read") {
        let chunk: Chunk = chunk;
        for (key, value) in chunk {
            let row = record::unseal(&key, &value).expect("a live store is whole").to_vec();
            rows.insert(key, row);
        }
    }
    rows
}
