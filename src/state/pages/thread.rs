//! Queries about conversations: threads, the croaks of everyone, and who likes or shared a croak.
//!
//! ```text
//!   croaks above    found from reply to parent, up to ANCESTORS_MAX
//!   the croak
//!     reply         in the order of time, a page of them
//!       reply       the first NESTED_REPLIES_MAX of each
//! ```
//!
//! A deleted croak leaves a gap for as long as it has replies. A croak that the reader may not see is a gap, too, so that the
//! two cannot be told apart.

use super::shown;
use crate::code::{Code, Denied};
use crate::croaks;
use crate::ids::{AccountId, LogIndex};
use crate::limits::{ANCESTORS_MAX, EVERYONE_ROWS_MAX, NESTED_REPLIES_MAX, REACTIONS_LISTED_MAX};
use crate::lookup::profile_of;
use crate::query::{FeedCroak, Page, Person, ReactionKind, Thread, ThreadCroak, ThreadReply};
use crate::rows::{Audience, CroakCounts, CroakKind, Likes, Order, Replies, Shares, View, get, scan};
use crate::visibility::Reader;

/// Answers `Query::Thread`. The id of a share stands for the croak that it shares.
pub(crate) fn thread<V: View>(
    view: &V,
    me: Person,
    id: LogIndex,
    after: Option<LogIndex>,
    limit: usize,
) -> Result<Result<Page, Denied>, V::Error> {
    let mut reader = Reader::new(view, me.account);
    let Some(mut croak) = shown::entry(&mut reader, id)? else {
        return Ok(Err(Denied::new(Code::NoSuchCroak)));
    };
    croak.share = None;
    let (above, more_above) = ancestors(&mut reader, croak.body.reply_to)?;
    let from = after.map_or(0, |after| after.saturating_add(1));
    let (rows, more) = replies_to(view, croak.id, from, limit)?;
    let more = rows.last().copied().filter(|_| more);
    let mut replies = Vec::with_capacity(rows.len());
    for id in rows {
        replies.extend(reply(&mut reader, id)?);
    }
    let audience = profile_of(view, me.account)?.audience;
    Ok(Ok(Page::Thread(Box::new(Thread { me, above, more_above, croak, replies, more, audience }))))
}

/// Returns the croaks above a reply, the first of the thread first, and whether there are more.
fn ancestors<V: View>(
    reader: &mut Reader<'_, V>,
    reply_to: Option<LogIndex>,
) -> Result<(Vec<ThreadCroak>, bool), V::Error> {
    let (mut above, mut next) = (Vec::new(), reply_to);
    while let Some(id) = next.filter(|_| above.len() < ANCESTORS_MAX) {
        next = parent(reader, id)?;
        above.push(thread_croak(reader, id)?);
    }
    above.reverse();
    Ok((above, next.is_some()))
}

/// Returns the croak that a croak or gap answers.
fn parent<V: View>(reader: &Reader<'_, V>, id: LogIndex) -> Result<Option<LogIndex>, V::Error> {
    if let Some(found) = croaks::find(reader.view(), id)? {
        return Ok(found.kind.reply_to());
    }
    let gap = get::<CroakCounts, V>(reader.view(), &id)?.and_then(|counts| counts.gap);
    Ok(gap.and_then(|gap| gap.reply_to))
}

fn thread_croak<V: View>(reader: &mut Reader<'_, V>, id: LogIndex) -> Result<ThreadCroak, V::Error> {
    Ok(shown::entry(reader, id)?.map_or(ThreadCroak::Gap, ThreadCroak::Croak))
}

/// Returns the ids of up to `limit` replies, and whether there are more.
fn replies_to<V: View>(
    view: &V,
    croak: LogIndex,
    from: LogIndex,
    limit: usize,
) -> Result<(Vec<LogIndex>, bool), V::Error> {
    let (from, to) = ((croak, from), (croak, LogIndex::MAX));
    let rows = scan::<Replies, V>(view, &from, &to, Order::OldestFirst, limit + 1)?;
    let more = rows.len() > limit;
    Ok((rows.into_iter().take(limit).map(|((_, reply), ())| reply).collect(), more))
}

/// Returns a reply with the first replies to it, or `None` if it is a gap without any that the reader may see.
fn reply<V: View>(reader: &mut Reader<'_, V>, id: LogIndex) -> Result<Option<ThreadReply>, V::Error> {
    let croak = thread_croak(reader, id)?;
    let has_replies = match &croak {
        ThreadCroak::Croak(croak) => croak.numbers.replies > 0,
        ThreadCroak::Gap => true,
    };
    let (mut replies, mut more) = (Vec::new(), false);
    if has_replies {
        let (nested, others) = replies_to(reader.view(), id, 0, NESTED_REPLIES_MAX)?;
        more = others;
        for id in nested {
            match thread_croak(reader, id)? {
                // A gap is shown for what hangs below it, which this page does not show.
                ThreadCroak::Gap => {}
                ThreadCroak::Croak(croak) => replies.push(ThreadCroak::Croak(croak)),
            }
        }
    }
    let empty = croak == ThreadCroak::Gap && replies.is_empty();
    Ok((!empty).then_some(ThreadReply { id, croak, replies, more }))
}

/// Answers `Query::Everyone`. Shares are left out: the list has the croaks themselves.
pub(crate) fn everyone<V: View>(
    view: &V,
    me: Person,
    before: LogIndex,
    limit: usize,
) -> Result<Page, V::Error> {
    let audience = profile_of(view, me.account)?.audience;
    let mut reader = Reader::new(view, me.account);
    let mut croaks: Vec<FeedCroak> = Vec::with_capacity(limit);
    let (mut next, mut looked_at) = (before, 0);
    // One croak beyond the page shows whether there is an older page.
    let mut older = None;
    'pages: while looked_at < EVERYONE_ROWS_MAX {
        let wanted = (limit + 1 - croaks.len()).min(EVERYONE_ROWS_MAX - looked_at);
        let rows = croaks::newest_before(view, next, wanted)?;
        let is_last = rows.len() < wanted;
        looked_at += rows.len();
        for (id, croak) in rows {
            next = id;
            if croak.audience != Audience::Everyone || matches!(croak.kind, CroakKind::Share { .. }) {
                continue;
            }
            let Some(author) = reader.author_in_list(id, &croak)? else { continue };
            if croaks.len() == limit {
                older = croaks.last().map(|last| last.id);
                break 'pages;
            }
            croaks.push(shown::shown(&mut reader, id, author, croak, None)?);
        }
        if is_last {
            return Ok(Page::Everyone { me, croaks, older: None, audience });
        }
    }
    Ok(Page::Everyone { me, croaks, older: older.or(Some(next)), audience })
}

/// Answers `Query::Reactions`.
pub(crate) fn reactions<V: View>(
    view: &V,
    me: Person,
    croak: LogIndex,
    kind: ReactionKind,
) -> Result<Result<Page, Denied>, V::Error> {
    let mut reader = Reader::new(view, me.account);
    let Some(croak) = shown::entry(&mut reader, croak)? else {
        return Ok(Err(Denied::new(Code::NoSuchCroak)));
    };
    let (from, to) = ((croak.id, 0), (croak.id, LogIndex::MAX));
    let newest = Order::NewestFirst;
    let rows = match kind {
        ReactionKind::Like => scan::<Likes, V>(view, &from, &to, newest, REACTIONS_LISTED_MAX)?,
        ReactionKind::Share => scan::<Shares, V>(view, &from, &to, newest, REACTIONS_LISTED_MAX)?,
    };
    let accounts: Vec<AccountId> = rows.into_iter().map(|(_, account)| account).collect();
    let mut people = Vec::with_capacity(accounts.len());
    for account in accounts {
        people.extend(reader.person(account)?);
    }
    Ok(Ok(Page::Reactions { me, croak: Box::new(croak), people }))
}
