//! Removing croaks with everything that belongs to them, and the counts of croaks.
//!
//! ```text
//!   a share          the croak's count and the two rows of the share go with it
//!   a reply          goes from its parent's replies, unless it has replies itself: then it stays there as a gap
//!   likes, shares    are swept in steps, announced in CroakSweeps
//! ```

use crate::command::Reply;
use crate::croaks::{self, CroakMeta};
use crate::ids::{AccountId, LogIndex};
use crate::limits::ANCESTORS_MAX;
use crate::rows::{
    Bookkeeping, Change, Counts, CroakCounts, CroakKind, CroakSweeps, CroaksBy, Gap, LikedBy, Likes, Order,
    Replies, SharedBy, Shares, View, get, scan,
};
use crate::rule::{Bounds, Decision};
use std::collections::BTreeMap;

/// Counts that one command changes. Several changes of one row are put once.
pub(crate) struct Tally<'a, V> {
    view: &'a V,
    counts: BTreeMap<LogIndex, Counts>,
}

impl<'a, V: View> Tally<'a, V> {
    pub(crate) fn new(view: &'a V) -> Tally<'a, V> {
        Tally { view, counts: BTreeMap::new() }
    }

    /// Returns the counts of a croak by `author`, to be changed.
    pub(crate) fn of(&mut self, croak: LogIndex, author: AccountId) -> Result<&mut Counts, V::Error> {
        let none = Counts { author, replies: 0, likes: 0, shares: 0, gap: None };
        let stored = match self.counts.contains_key(&croak) {
            true => None,
            false => get::<CroakCounts, V>(self.view, &croak)?,
        };
        Ok(self.counts.entry(croak).or_insert(stored.unwrap_or(none)))
    }

    /// Returns the counts of a croak if it has any.
    fn known(&mut self, croak: LogIndex) -> Result<Option<&mut Counts>, V::Error> {
        if !self.counts.contains_key(&croak)
            && let Some(stored) = get::<CroakCounts, V>(self.view, &croak)?
        {
            self.counts.insert(croak, stored);
        }
        Ok(self.counts.get_mut(&croak))
    }

    /// Removes a croak or share. Its row in the index by author is left to the caller.
    pub(crate) fn remove(
        &mut self,
        books: &Bookkeeping,
        found: &CroakMeta,
        changes: &mut Vec<Change>,
    ) -> Result<(), V::Error> {
        found.remove(books, changes);
        let croak = found.index;
        if let CroakKind::Share { of } = found.kind {
            changes.push(Change::remove::<Shares>(&(of, croak)));
            changes.push(Change::remove::<SharedBy>(&(found.author, of)));
            if let Some(counts) = self.known(of)? {
                counts.shares = counts.shares.saturating_sub(1);
            }
            return Ok(());
        }
        let reply_to = found.kind.reply_to();
        if let Some(counts) = self.known(croak)? {
            if counts.likes > 0 || counts.shares > 0 {
                changes.push(Change::put::<CroakSweeps>(&croak, &()));
            }
            *counts = Counts { likes: 0, shares: 0, gap: Some(Gap { reply_to }), ..*counts };
            if counts.replies > 0 {
                return Ok(());
            }
        }
        self.remove_from_thread(croak, reply_to, changes)
    }

    /// Removes a deleted croak without replies from the replies of its parent, and a parent that was a gap for it alone
    /// from its own, up to a bounded number.
    fn remove_from_thread(
        &mut self,
        croak: LogIndex,
        reply_to: Option<LogIndex>,
        changes: &mut Vec<Change>,
    ) -> Result<(), V::Error> {
        let (mut reply, mut parent) = (croak, reply_to);
        for _ in 0..ANCESTORS_MAX {
            let Some(above) = parent else { break };
            changes.push(Change::remove::<Replies>(&(above, reply)));
            let Some(counts) = self.known(above)? else { break };
            counts.replies = counts.replies.saturating_sub(1);
            match counts.gap {
                Some(gap) if counts.replies == 0 => (reply, parent) = (above, gap.reply_to),
                _ => break,
            }
        }
        Ok(())
    }

    /// Removes the like of an account.
    pub(crate) fn remove_like(
        &mut self,
        account: AccountId,
        croak: LogIndex,
        like: LogIndex,
        changes: &mut Vec<Change>,
    ) -> Result<(), V::Error> {
        changes.push(Change::remove::<LikedBy>(&(account, croak)));
        changes.push(Change::remove::<Likes>(&(croak, like)));
        if let Some(counts) = self.known(croak)? {
            counts.likes = counts.likes.saturating_sub(1);
        }
        Ok(())
    }

    /// Adds the changed counts to the changes. The counts of a deleted croak without replies go.
    pub(crate) fn finish(self, changes: &mut Vec<Change>) {
        changes.extend(self.counts.iter().map(|(croak, counts)| match counts {
            Counts { replies: 0, gap: Some(_), .. } => Change::remove::<CroakCounts>(croak),
            counts => Change::put::<CroakCounts>(croak, counts),
        }));
    }
}

/// Removes some of the likes and shares of a deleted croak; the last step also removes its entry in `CroakSweeps`.
pub(crate) fn sweep<V: View>(
    bounds: &Bounds,
    view: &V,
    books: &Bookkeeping,
    croak: LogIndex,
) -> Result<Decision, V::Error> {
    if get::<CroakSweeps, V>(view, &croak)?.is_none() {
        return Ok(Ok((Vec::new(), Reply::Stepped { more: false })));
    }
    let (from, to) = ((croak, 0), (croak, LogIndex::MAX));
    let rows_max = bounds.sweep_step / 2;
    let mut changes = Vec::new();
    for ((_, like), account) in scan::<Likes, V>(view, &from, &to, Order::OldestFirst, rows_max)? {
        changes.push(Change::remove::<Likes>(&(croak, like)));
        changes.push(Change::remove::<LikedBy>(&(account, croak)));
    }
    // A share has up to five rows.
    let left = (bounds.sweep_step.saturating_sub(changes.len())).div_ceil(5);
    let shares = scan::<Shares, V>(view, &from, &to, Order::OldestFirst, left)?;
    let more = changes.len() >= 2 * rows_max || shares.len() == left;
    for ((_, share), account) in shares {
        changes.push(Change::remove::<Shares>(&(croak, share)));
        changes.push(Change::remove::<SharedBy>(&(account, croak)));
        if let Some(found) = croaks::find(view, share)? {
            found.remove(books, &mut changes);
            if share <= books.indexed_through {
                changes.push(Change::remove::<CroaksBy>(&(account, share)));
            }
        }
    }
    if !more {
        changes.push(Change::remove::<CroakSweeps>(&croak));
    }
    Ok(Ok((changes, Reply::Stepped { more })))
}
