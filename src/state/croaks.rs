//! Stored croaks. Each is one row that also contains the record of its request.
//!
//! The record makes the request idempotent for as long as it is in the deduplication window, without a second row to
//! insert and remove. When a croak is removed during that time, its record becomes a row of [`Requests`].
//!
//! The table of croaks has the largest id of all. A B-tree splits a page in its middle, except where it grows at its very
//! end: there pages are full, whereas those of a growing table with others behind it are half empty.

use super::command::Reply;
use super::ids::{AccountId, LogIndex, RequestId};
use super::rows::{
    Audience, BadRow, Bookkeeping, Change, Croak, CroakKind, Croaks, InlineRecord, Key, Order, RequestRecord,
    Requests, Table, View, body, get, scan,
};

/// The beginning of a [`StoredCroak`]: everything but its time and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CroakHeader {
    pub record: InlineRecord,
    pub author: AccountId,
    pub audience: Audience,
    pub kind: CroakKind,
}

impl CroakHeader {
    /// Decodes the beginning of a stored row. This happens several times for each croak, so the fields of fixed length
    /// are not left to serde, which reads them byte by byte.
    pub fn of(row: &[u8]) -> Option<CroakHeader> {
        let (id, rest) = body(row)?.split_first_chunk()?;
        let (digest, rest) = rest.split_first_chunk()?;
        let ((age_ms, author, audience, kind), _) = postcard::take_from_bytes(rest).ok()?;
        let record =
            InlineRecord { id: u128::from_le_bytes(*id), digest: u64::from_le_bytes(*digest), age_ms };
        Some(CroakHeader { record, author, audience, kind })
    }
}

/// A stored croak without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CroakMeta {
    pub index: LogIndex,
    pub author: AccountId,
    pub kind: CroakKind,
    pub(super) record: InlineRecord,
}

impl CroakMeta {
    fn of(index: LogIndex, row: &[u8]) -> Option<CroakMeta> {
        let CroakHeader { record, author, audience: _, kind } = CroakHeader::of(row)?;
        Some(CroakMeta { index, author, kind, record })
    }

    /// Removes the croak. The record of its request is kept for as long as the deduplication window covers it.
    pub fn remove(&self, books: &Bookkeeping, changes: &mut Vec<Change>) {
        changes.push(Change::remove::<Croaks>(&self.index));
        if self.index > books.expired_through {
            changes.push(Change::put::<Requests>(&self.index, &record_of(self.index, &self.record)));
        }
    }
}

fn record_of(index: LogIndex, record: &InlineRecord) -> RequestRecord {
    let InlineRecord { id, digest, age_ms } = *record;
    RequestRecord { id: RequestId(id), digest, age_ms, outcome: Ok(Reply::Croaked { croak: index }) }
}

/// Returns the croak of this id, with its text.
///
/// # Errors
/// Only the view's.
pub fn read<V: View>(view: &V, index: LogIndex) -> Result<Option<Croak>, V::Error> {
    let key = index.bytes();
    let Some(part) = view.get_projected(Croaks::ID, &key, without_record)? else { return Ok(None) };
    match postcard::from_bytes(&part) {
        Ok(croak) => Ok(Some(croak)),
        Err(_) => Err(BadRow { table: Croaks::ID, key }.into()),
    }
}

/// Projection of [`Croaks`]: the croak without the record of its request.
fn without_record(row: &[u8]) -> Option<Vec<u8>> {
    let rest = body(row)?.get(size_of::<u128>() + size_of::<u64>()..)?;
    let (_, croak) = postcard::take_from_bytes::<u64>(rest).ok()?;
    Some(croak.to_vec())
}

/// Returns the croak of this id, without its text.
///
/// # Errors
/// Only the view's.
pub(crate) fn find<V: View>(view: &V, index: LogIndex) -> Result<Option<CroakMeta>, V::Error> {
    let key = index.bytes();
    view.get(Croaks::ID, &key)?.map(|row| found(key, &row)).transpose()
}

/// Returns the croaks with `from <= id < to`, at most `limit`.
///
/// # Errors
/// Only the view's.
pub fn between<V: View>(
    view: &V,
    from: LogIndex,
    to: LogIndex,
    order: Order,
    limit: usize,
) -> Result<Vec<CroakMeta>, V::Error> {
    let rows = view.scan(Croaks::ID, &from.bytes(), &to.bytes(), order, limit)?;
    rows.into_iter().map(|(key, row)| found(key, &row)).collect()
}

/// Returns the newest croaks before this id, newest first, with their texts.
///
/// # Errors
/// Only the view's.
pub(crate) fn newest_before<V: View>(
    view: &V,
    before: LogIndex,
    limit: usize,
) -> Result<Vec<(LogIndex, Croak)>, V::Error> {
    let rows = scan::<Croaks, V>(view, &0, &before, Order::NewestFirst, limit)?;
    Ok(rows.into_iter().map(|(id, stored)| (id, stored.croak)).collect())
}

fn found<E: From<BadRow>>(key: Vec<u8>, row: &[u8]) -> Result<CroakMeta, E> {
    let one = LogIndex::from_bytes(&key).and_then(|index| CroakMeta::of(index, row));
    one.ok_or_else(|| BadRow { table: Croaks::ID, key }.into())
}

/// Returns the croak that a change puts, and its author.
pub(crate) fn croak_put(change: &Change) -> Option<(LogIndex, AccountId)> {
    let Change::Put { table: Croaks::ID, key, row } = change else { return None };
    let CroakMeta { index, author, .. } = CroakMeta::of(LogIndex::from_bytes(key)?, row)?;
    Some((index, author))
}

/// Returns the record of the request that was applied at this index.
///
/// # Errors
/// Only the view's.
pub fn request_record<V: View>(view: &V, index: LogIndex) -> Result<Option<RequestRecord>, V::Error> {
    if let Some(row) = get::<Requests, V>(view, &index)? {
        return Ok(Some(row));
    }
    Ok(get::<Croaks, V>(view, &index)?.map(|stored| record_of(index, &stored.record)))
}
