//! The location of every log entry: the batch that contains it, in its segment. Shared with readers.

use super::DbError;
use super::record::{HardState, LogEntry, Position};
use super::segment::{Record, Segment};
use super::terms::Terms;
use ribbit_state::LogIndex;
use ribbit_state::sync::RwLockExt;
use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::{Arc, RwLock};

/// A batch that was read.
#[derive(Debug, Deserialize)]
pub(super) struct Batch {
    pub hard_state: Option<HardState>,
    pub entries: Vec<LogEntry>,
}

/// Location of the entries `first..=last`: the batch at offset `at` of a segment.
#[derive(Debug, Clone)]
pub(super) struct Span {
    first: LogIndex,
    last: LogIndex,
    segment: Arc<Segment>,
    at: u64,
}

/// Locations and terms of all entries, shared with readers.
#[derive(Debug, Default)]
pub(super) struct Spans {
    pub terms: Terms,
    spans: VecDeque<Span>,
}

impl Spans {
    pub(crate) fn behind(floor: Position) -> Spans {
        Spans { terms: Terms::behind(floor), spans: VecDeque::new() }
    }

    pub(crate) fn add(&mut self, entries: &[LogEntry], segment: &Arc<Segment>, at: u64) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        while self.spans.back().is_some_and(|span| span.first >= first.index) {
            self.spans.pop_back();
        }
        if let Some(span) = self.spans.back_mut() {
            span.last = span.last.min(first.index - 1);
        }
        for entry in entries {
            self.terms.push(Position { index: entry.index, term: entry.term });
        }
        self.spans.push_back(Span { first: first.index, last: last.index, segment: segment.clone(), at });
    }

    pub(crate) fn cut(&mut self, floor: Position) {
        self.terms.cut(floor);
        while self.spans.front().is_some_and(|span| span.last <= floor.index) {
            self.spans.pop_front();
        }
        if let Some(span) = self.spans.front_mut() {
            span.first = span.first.max(floor.index + 1);
        }
    }

    pub(crate) fn floor(&self) -> Position {
        self.terms.floor()
    }

    pub(crate) fn last(&self) -> Position {
        self.terms.last()
    }

    pub(crate) fn find(&self, index: LogIndex) -> Option<Span> {
        let at = self.spans.partition_point(|span| span.last < index);
        self.spans.get(at).filter(|span| span.first <= index).cloned()
    }
}

/// Returns the entry at `from` and those after it in the same batch; none if the log has no such entry. Reads and checks the
/// whole batch, concurrently with the writer.
pub(super) fn entries_from(spans: &RwLock<Spans>, from: LogIndex) -> Result<Vec<LogEntry>, DbError> {
    let span = spans.read_locked().find(from);
    let Some(Span { last, segment, at, .. }) = span else { return Ok(Vec::new()) };
    let Some(Record { value: batch, .. }) = segment.read::<Batch>(at)? else {
        // The segment may have been recycled in the meantime; it was then removed from the spans before.
        let is_gone = spans.read_locked().find(from).is_none();
        return if is_gone { Ok(Vec::new()) } else { Err(segment.damaged(at)) };
    };
    Ok(batch.entries.into_iter().filter(|entry| (from..=last).contains(&entry.index)).collect())
}
