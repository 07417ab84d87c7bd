//! An in-memory store over a plain map: the reference that the real store is compared with, and the store that the
//! rules' own tests run on.
//!
//! Test support. It is always compiled because the simulator and the tests in tests/ use it too.

use super::answer::answer;
use super::apply::{Applied, apply_within};
use super::caches::ring::{Ring, RingChange};
use super::caches::search_index::SearchIndex;
use super::caches::timelines::{Caches, Timelines};
use super::code::Denied;
use super::command::{Outcome, Proposal};
use super::croaks;
use super::dedup::{DedupWindow, WriteView};
use super::ids::LogIndex;
use super::query::{Page, Query};
use super::rows::{BadRow, Change, Order, RawRow, TableId, View};
use super::rule::Bounds;
use std::collections::BTreeMap;

/// Rows by table and key, with the deduplication window and the ring kept in step.
#[derive(Debug, Clone, Default)]
pub struct Model {
    rows: BTreeMap<(TableId, Vec<u8>), Vec<u8>>,
    dedup: DedupWindow,
    ring: Ring,
    timelines: Timelines,
    search: SearchIndex,
    /// Index of the newest entry.
    applied: LogIndex,
    bounds: Bounds,
}

impl Model {
    pub fn new() -> Model {
        Model::default()
    }

    /// Returns a model under `bounds` instead of the production ones, with a ring of `ring` croaks.
    #[cfg(test)]
    pub(crate) fn within(bounds: Bounds, ring: usize) -> Model {
        Model { bounds, ring: Ring::with_capacity(ring), ..Model::default() }
    }

    /// Returns what applying `proposal` at `index` would do, without changing anything.
    ///
    /// # Panics
    /// When a row that the rules wrote cannot be read.
    pub fn decide(&self, index: LogIndex, proposal: &Proposal) -> Applied {
        apply_within(&self.bounds, self, index, proposal).expect("the model holds what the rules wrote")
    }

    /// Carries out the changes of the log entry at `index` in their order.
    pub fn commit(&mut self, index: LogIndex, changes: &[Change]) {
        self.applied = index;
        for change in changes {
            self.dedup.note(change);
            RingChange::of(index, change).into_iter().for_each(|news| self.ring.follow(news));
            match change.clone() {
                Change::Put { table, key, row } => self.rows.insert((table, key), row),
                Change::Remove { table, key } => self.rows.remove(&(table, key)),
            };
        }
    }

    /// Applies the command of the log entry at `index`.
    ///
    /// # Panics
    /// As [`Model::decide`].
    pub fn apply(&mut self, index: LogIndex, proposal: &Proposal) -> Outcome {
        let applied = self.decide(index, proposal);
        self.commit(index, &applied.changes);
        applied.outcome
    }

    /// Answers a query.
    ///
    /// # Errors
    /// The query's refusal.
    ///
    /// # Panics
    /// As [`Model::decide`].
    pub fn answer(&self, query: &Query) -> Result<Page, Denied> {
        let caches = Caches {
            ring: self.ring.seen_at(self.applied),
            timelines: &self.timelines,
            search: &self.search,
        };
        answer(self, caches, query).expect("the model holds what the rules wrote")
    }

    /// Iterates over every (table, key, row) in the order of tables and keys.
    pub fn rows(&self) -> impl Iterator<Item = (TableId, &[u8], &[u8])> {
        self.rows.iter().map(|((table, key), row)| (*table, key.as_slice(), row.as_slice()))
    }

    /// Lets the search index cover all croaks that it may.
    #[cfg(test)]
    pub(crate) fn extend_search(&self) {
        while self.search.extend(self, self.applied).expect("the model holds what the rules wrote") {}
    }

    /// Returns the number of requests in the deduplication window.
    pub fn window_len(&self) -> usize {
        self.dedup.len()
    }

    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Drops everything kept in memory and rebuilds it from the rows, as a store does when it is opened.
    ///
    /// # Panics
    /// As [`Model::decide`].
    pub fn reopen(&mut self) {
        let readable = "the model holds what the rules wrote";
        self.dedup = DedupWindow::load(self).expect(readable);
        let found = croaks::between(self, 0, LogIndex::MAX, Order::OldestFirst, usize::MAX).expect(readable);
        self.ring = Ring::with_capacity(self.ring.capacity());
        for croaks::CroakMeta { index, author, .. } in found {
            self.ring.push(index, author);
        }
        self.timelines.clear();
        self.search.clear();
        self.ring.trim(self.dedup.books().indexed_through);
    }
}

impl View for Model {
    type Error = BadRow;

    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, BadRow> {
        Ok(self.rows.get(&(table, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        table: TableId,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<RawRow>, BadRow> {
        if from >= to {
            return Ok(Vec::new());
        }
        let range = self.rows.range((table, from.to_vec())..(table, to.to_vec()));
        let raw = |((_, key), row): (&(TableId, Vec<u8>), &Vec<u8>)| (key.clone(), row.clone());
        Ok(match order {
            Order::OldestFirst => range.take(limit).map(raw).collect(),
            Order::NewestFirst => range.rev().take(limit).map(raw).collect(),
        })
    }

    fn age_ms(&self) -> u64 {
        self.dedup.age_ms()
    }
}

impl WriteView for Model {
    fn dedup_window(&self) -> &DedupWindow {
        &self.dedup
    }
}
