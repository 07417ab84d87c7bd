//! Scrub: a slow check of everything that is stored. redb checks its pages when it repairs a file, not when it reads it.
//! The scrub detects a decaying storage card while other members still have the data.
//!
//! ```text
//!   rows, a range at a time ─▶ compare their sum with the digest ─▶ log, a range at a time ─▶ meta ─▶ end of the pass
//! ```
//!
//! Rows change during a pass. The sum is that of the rows up to a key, and the writer updates it for changes to rows up to
//! that key. A range is therefore read while the writer waits, and ranges are short. At the end the sum must equal the
//! digest that applying maintains, so that a row with a correct checksum but a wrong content is detected, too.
//!
//! Cached pages are read from the cache: a page in constant use is checked when it is next read from the disk.

use super::DbError;
use super::digest::{stored, weight};
use super::limits::SCRUB_CHUNK_BYTES;
use super::meta::read_position;
use super::record::unseal;
use super::spans::{Spans, entries_from};
use super::tables::{META, ROWS, StoredKey};
use redb::{Database, ReadableDatabase, ReadableTable};
use ribbit_state::LogIndex;
use ribbit_state::sync::RwLockExt;
use std::ops::Bound;
use std::sync::RwLock;

/// Progress of a pass.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    phase: ScrubPhase,
    rows: u64,
    entries: u64,
}

#[derive(Debug)]
enum ScrubPhase {
    /// All rows up to and including this key were read; `sum` is the sum of their weights.
    Rows { through: Option<Vec<u8>>, sum: u64 },
    /// All rows, and all log entries before this one, were read.
    Log(LogIndex),
}

impl Default for ScrubPhase {
    fn default() -> ScrubPhase {
        ScrubPhase::Rows { through: None, sum: 0 }
    }
}

/// Amount that a complete pass has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubPass {
    pub rows: u64,
    pub entries: u64,
}

impl Scrub {
    /// Follows the writer's change of a row, whose weight grows by `difference`, wrapping.
    pub(crate) fn changed(&mut self, key: &StoredKey, difference: u64) {
        if let ScrubPhase::Rows { through: Some(through), sum } = &mut self.phase
            && key.as_slice() <= through.as_slice()
        {
            *sum = sum.wrapping_add(difference);
        }
    }

    /// Reads the next range.
    pub(crate) fn step(
        &mut self,
        database: &Database,
        log: &RwLock<Spans>,
    ) -> Result<Option<ScrubPass>, DbError> {
        let transaction = database.begin_read()?;
        let meta = transaction.open_table(META)?;
        let mut bytes = 0;
        match &mut self.phase {
            ScrubPhase::Rows { through, sum } => {
                let rows = transaction.open_table(ROWS)?;
                let from = through.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                for row in rows.range::<&[u8]>((from, Bound::Unbounded))? {
                    let (key, value) = row?;
                    unseal(key.value(), value.value())?;
                    *sum = sum.wrapping_add(weight(value.value()));
                    let key = key.value();
                    bytes += key.len() + value.value().len();
                    self.rows += 1;
                    if bytes >= SCRUB_CHUNK_BYTES {
                        *through = Some(key.to_vec());
                        return Ok(None);
                    }
                }
                let (applied, _) = read_position(&meta)?;
                if stored(&meta, applied)? != *sum {
                    return Err(DbError::Damaged("the rows do not match their digest".into()));
                }
                self.phase = ScrubPhase::Log(0);
            }
            ScrubPhase::Log(from) => {
                while let Some(first) = next_entry(log, *from) {
                    *from = first;
                    let batch = entries_from(log, *from)?;
                    bytes += batch.iter().map(|entry| entry.data.len()).sum::<usize>();
                    self.entries += batch.len() as u64;
                    *from += batch.len().max(1) as u64;
                    if bytes >= SCRUB_CHUNK_BYTES {
                        return Ok(None);
                    }
                }
                for record in meta.iter()? {
                    let (name, value) = record?;
                    unseal(name.value(), value.value())?;
                }
                let Scrub { rows, entries, .. } = std::mem::take(self);
                return Ok(Some(ScrubPass { rows, entries }));
            }
        }
        Ok(None)
    }
}

/// Returns the first entry from here on that the log still has.
fn next_entry(log: &RwLock<Spans>, from: LogIndex) -> Option<LogIndex> {
    let spans = log.read_locked();
    let first = from.max(spans.floor().index + 1);
    (first <= spans.last().index).then_some(first)
}
