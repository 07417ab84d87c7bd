//! What must hold.

use ribbit::db::AppliedEntry;
use ribbit::db::{Reader, snapshot};
use ribbit::state::rows::{Croaks, Order, scan};
use ribbit::state::{LogIndex, Outcome, RequestId};
use std::collections::BTreeMap;

/// What has been seen so far, over all nodes.
#[derive(Default)]
pub struct Checker {
    /// What the entry at each index did, on whichever node applied it first.
    applied: BTreeMap<LogIndex, (RequestId, Outcome)>,
    leaders: BTreeMap<u64, usize>,
    digests: BTreeMap<LogIndex, (u64, usize)>,
    acknowledged: Vec<(LogIndex, String)>,
}

impl Checker {
    /// Every node does the same at the same index, again after a restart too.
    pub fn applied(&mut self, node: usize, entry: &AppliedEntry) {
        let now = (entry.id, entry.outcome.clone());
        let first = self.applied.entry(entry.index).or_insert_with(|| now.clone());
        assert_eq!(*first, now, "node {node} did something else at index {}", entry.index);
    }

    /// One leader a term.
    pub fn leads(&mut self, node: usize, term: u64) {
        let first = *self.leaders.entry(term).or_insert(node);
        assert_eq!(first, node, "two leaders in term {term}");
    }

    pub fn acknowledge(&mut self, croak: LogIndex, text: String) {
        self.acknowledged.push((croak, text));
    }

    pub fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Equal state at equal index.
    pub fn digest(&mut self, node: usize, reader: &Reader) {
        let (position, sum) = snapshot::digest(reader).expect("a live store can be read");
        let (first, other) = *self.digests.entry(position.index).or_insert((sum.digest, node));
        assert_eq!(first, sum.digest, "nodes {other} and {node} differ at index {}", position.index);
    }

    /// Nothing acknowledged is missing, nothing is there twice, on this node.
    pub fn croaks(&self, node: usize, reader: &Reader) {
        let view = reader.view().expect("a live store can be read");
        let rows = scan::<Croaks, _>(&view, &0, &LogIndex::MAX, Order::OldestFirst, usize::MAX)
            .expect("a live store can be read");
        let mut by_text: BTreeMap<String, Vec<LogIndex>> = BTreeMap::new();
        for (index, croak) in rows {
            by_text.entry(croak.text).or_default().push(index);
        }
        for (text, indexes) in &by_text {
            assert_eq!(indexes.len(), 1, "node {node} has {text:?} more than once: {indexes:?}");
        }
        for (croak, text) in &self.acknowledged {
            assert_eq!(by_text.get(text), Some(&vec![*croak]), "node {node} lost the acknowledged {text:?}");
        }
    }
}
