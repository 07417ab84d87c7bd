//! The newest croaks' (id, author) pairs, in memory: a feed page filters them by whom one follows, so nothing
//! is fanned out when somebody croaks and no index is written per croak.
//!
//! Older croaks are found through `CroaksBy`, which the group writes in bulk (`Command::IndexCroaks`) while
//! they are still in the ring: every croak is in the ring, in the index, or in both.

use super::ids::{AccountId, LogIndex};
use super::limits::RING_CROAKS;
use std::collections::VecDeque;

/// Oldest first. 16 bytes a croak: 1 MiB when full.
#[derive(Debug, Default)]
pub struct Ring {
    croaks: VecDeque<(LogIndex, AccountId)>,
}

impl Ring {
    /// Enters a croak newer than all in the ring.
    pub fn push(&mut self, croak: LogIndex, author: AccountId) {
        debug_assert!(self.croaks.back().is_none_or(|(newest, _)| *newest < croak));
        self.croaks.push_back((croak, author));
    }

    /// Drops the oldest down to `RING_CROAKS`, but only croaks that are indexed by author.
    pub fn settle(&mut self, indexed_through: LogIndex) {
        while self.croaks.len() > RING_CROAKS && self.oldest().is_some_and(|croak| croak <= indexed_through) {
            self.croaks.pop_front();
        }
    }

    pub fn len(&self) -> usize {
        self.croaks.len()
    }
    pub fn is_empty(&self) -> bool {
        self.croaks.is_empty()
    }

    /// Croaks before `before`, newest first.
    pub fn before(&self, before: LogIndex) -> impl Iterator<Item = (LogIndex, AccountId)> + '_ {
        let end = self.croaks.partition_point(|(croak, _)| *croak < before);
        self.croaks.range(..end).rev().copied()
    }

    /// The oldest croak here; everything older is in the index.
    pub fn oldest(&self) -> Option<LogIndex> {
        self.croaks.front().map(|(croak, _)| *croak)
    }
}
