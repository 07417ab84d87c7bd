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
    Bookkeeping, Change, Croak, Croaks, Key, Order, Post, Posts, Remembered, Requests, Table, View,
    decode_start, get, scan,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct PostStart {
    pub marks: Marks,
    pub author: AccountId,
}

/// A croak, wherever it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub index: LogIndex,
    pub croak: Croak,
    /// Of a post.
    marks: Option<Marks>,
}

impl Found {
    fn in_croaks((index, croak): (LogIndex, Croak)) -> Found {
        Found { index, croak, marks: None }
    }
    fn in_posts((index, post): (LogIndex, Post)) -> Found {
        Found { index, croak: post.croak, marks: Some(post.marks) }
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

/// The croak of this id.
///
/// # Errors
/// Only the view's.
pub fn find<V: View>(view: &V, index: LogIndex) -> Result<Option<Found>, V::Error> {
    if let Some(post) = get::<Posts, V>(view, &index)? {
        return Ok(Some(Found::in_posts((index, post))));
    }
    Ok(get::<Croaks, V>(view, &index)?.map(|croak| Found::in_croaks((index, croak))))
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
    let old = |limit| scan::<Croaks, V>(view, &from, &to, order, limit);
    let new = |limit| scan::<Posts, V>(view, &from, &to, order, limit);
    let mut found: Vec<Found>;
    match order {
        Order::OldestFirst => {
            found = old(limit)?.into_iter().map(Found::in_croaks).collect();
            if found.len() < limit {
                found.extend(new(limit - found.len())?.into_iter().map(Found::in_posts));
            }
        }
        Order::NewestFirst => {
            found = new(limit)?.into_iter().map(Found::in_posts).collect();
            if found.len() < limit {
                found.extend(old(limit - found.len())?.into_iter().map(Found::in_croaks));
            }
        }
    }
    Ok(found)
}

/// The croak that a change puts, and its author.
pub fn put_by(change: &Change) -> Option<(LogIndex, AccountId)> {
    let Change::Put { table, key, row } = change else { return None };
    let author = match *table {
        Posts::ID => decode_start::<PostStart>(row)?.author,
        // A croak of rules level 1 begins with it.
        Croaks::ID => decode_start::<AccountId>(row)?,
        _ => return None,
    };
    Some((LogIndex::from_bytes(key)?, author))
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
