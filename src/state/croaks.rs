//! Where croaks lie: in two tables that read as one.
//!
//! ```text
//!   Croaks   of rules level 1: each with the record of its request in a row of its own, in Requests
//!   Posts    since rules level 2: the record is part of the croak; all of them newer than all of Croaks
//! ```
//!
//! A post carries what makes its request happen once for as long as it lives, so that a croak is one row: one insert,
//! and nothing to remove when the request is forgotten. A post that is removed while its request is remembered leaves
//! the record behind, as a row of [`Requests`].
//!
//! Posts are the last of all tables. A B-tree splits a page in its middle, except where it grows at its very end: so
//! their pages are full, and those of a table that others follow are half empty.

use super::command::Reply;
use super::ids::{AccountId, LogIndex, RequestId};
use super::rows::{
    BadRow, Bookkeeping, Change, Croak, Croaks, Key, Order, Posts, Remembered, Requests, Table, TableId,
    View, body, decode_start, get,
};
use serde::{Deserialize, Serialize};

/// What makes a post's request happen once: [`Remembered`] without the outcome, which the post itself is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// A `RequestId`: random, so that fixed lengths are the shortest.
    #[serde(with = "postcard::fixint::le")]
    pub id: u128,
    /// Of the command.
    #[serde(with = "postcard::fixint::le")]
    pub digest: u64,
    /// The cluster's age when it was applied.
    pub age_ms: u64,
}

/// How a [`Post`] begins: what is read of it without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostStart {
    pub marks: Marks,
    pub author: AccountId,
}

impl PostStart {
    /// Of a stored row. Each croak's is read several times on its way, so the fixed lengths are not left to serde, which
    /// takes them byte by byte.
    pub fn of(row: &[u8]) -> Option<PostStart> {
        let (id, rest) = body(row)?.split_first_chunk()?;
        let (digest, rest) = rest.split_first_chunk()?;
        let ((age_ms, author), _) = postcard::take_from_bytes(rest).ok()?;
        let marks = Marks { id: u128::from_le_bytes(*id), digest: u64::from_le_bytes(*digest), age_ms };
        Some(PostStart { marks, author })
    }
}

/// A croak, wherever it lies, without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub index: LogIndex,
    pub author: AccountId,
    /// Of a post.
    marks: Option<Marks>,
}

impl Found {
    fn in_croaks(index: LogIndex, row: &[u8]) -> Option<Found> {
        // A croak of rules level 1 begins with its author.
        Some(Found { index, author: decode_start(row)?, marks: None })
    }
    fn in_posts(index: LogIndex, row: &[u8]) -> Option<Found> {
        let PostStart { marks, author } = PostStart::of(row)?;
        Some(Found { index, author, marks: Some(marks) })
    }

    /// Removes it. What its request did stays known for as long as the request is remembered.
    pub fn remove(&self, books: &Bookkeeping, changes: &mut Vec<Change>) {
        let Some(marks) = &self.marks else { return changes.push(Change::remove::<Croaks>(&self.index)) };
        changes.push(Change::remove::<Posts>(&self.index));
        if self.index > books.forgotten_through {
            changes.push(Change::put::<Requests>(&self.index, &remembered(self.index, marks)));
        }
    }
}

fn remembered(index: LogIndex, marks: &Marks) -> Remembered {
    let Marks { id, digest, age_ms } = *marks;
    Remembered { id: RequestId(id), digest, age_ms, outcome: Ok(Reply::Croaked { croak: index }) }
}

/// The croak of this id, with its text.
///
/// # Errors
/// Only the view's.
pub fn read<V: View>(view: &V, index: LogIndex) -> Result<Option<Croak>, V::Error> {
    if let Some(post) = get::<Posts, V>(view, &index)? {
        return Ok(Some(post.croak));
    }
    get::<Croaks, V>(view, &index)
}

/// Where the croak of this id lies.
///
/// # Errors
/// Only the view's.
pub fn find<V: View>(view: &V, index: LogIndex) -> Result<Option<Found>, V::Error> {
    let key = index.bytes();
    for (table, reads) in [NEW, OLD] {
        if let Some(row) = view.get(table, &key)? {
            return found((table, reads), key, &row).map(Some);
        }
    }
    Ok(None)
}

/// Croaks with `from <= id < to`, at most `limit`.
///
/// # Errors
/// Only the view's.
pub fn between<V: View>(
    view: &V,
    from: LogIndex,
    to: LogIndex,
    order: Order,
    limit: usize,
) -> Result<Vec<Found>, V::Error> {
    let tables = match order {
        Order::OldestFirst => [OLD, NEW],
        Order::NewestFirst => [NEW, OLD],
    };
    let (from, to) = (from.bytes(), to.bytes());
    let mut all = Vec::new();
    for table in tables {
        for (key, row) in view.scan(table.0, &from, &to, order, limit - all.len())? {
            all.push(found(table, key, &row)?);
        }
    }
    Ok(all)
}

/// A table, and how its rows are read.
type Reads = (TableId, fn(LogIndex, &[u8]) -> Option<Found>);
const OLD: Reads = (Croaks::ID, Found::in_croaks);
const NEW: Reads = (Posts::ID, Found::in_posts);

fn found<E: From<BadRow>>((table, reads): Reads, key: Vec<u8>, row: &[u8]) -> Result<Found, E> {
    let one = LogIndex::from_bytes(&key).and_then(|index| reads(index, row));
    one.ok_or_else(|| BadRow { table, key }.into())
}

/// The croak that a change puts, and its author.
pub fn put_by(change: &Change) -> Option<(LogIndex, AccountId)> {
    let Change::Put { table, key, row } = change else { return None };
    let (_, reads) = [NEW, OLD].into_iter().find(|(id, _)| id == table)?;
    let Found { index, author, .. } = reads(LogIndex::from_bytes(key)?, row)?;
    Some((index, author))
}

/// What is remembered of the request that was applied at this index.
///
/// # Errors
/// Only the view's.
pub fn remembered_at<V: View>(view: &V, index: LogIndex) -> Result<Option<Remembered>, V::Error> {
    if let Some(row) = get::<Requests, V>(view, &index)? {
        return Ok(Some(row));
    }
    Ok(get::<Posts, V>(view, &index)?.map(|post| remembered(index, &post.marks)))
}
