//! Queries about direct messages and unread counts.

use super::{feed, rooms};
use crate::caches::timelines::Caches;
use crate::code::{Code, Denied, Field};
use crate::croaks;
use crate::ids::{AccountId, LogIndex};
use crate::limits::{UNREAD_CROAKS_MAX, WAITING_MAX};
use crate::lookup::{is_live, named, person};
use crate::messages::{mailbox, mark_of};
use crate::notices;
use crate::query::{
    DeliveryStatus, Page, Person, Talk, TalkMessage, TalkPartner, TalkSummary, Unread, WaitingMessage,
};
use crate::rows::{
    BadRow, CroakKind, Friends, Key, Message, Messages, Order, Table, TalkOf, TalksByAge, View, Waiting, get,
    scan,
};
use crate::visibility::blocks::check_contact;
use std::collections::BTreeMap;

/// Counts what the person has not read yet.
pub(crate) fn unread<V: View>(view: &V, caches: Caches<'_>, me: &Person) -> Result<Unread, V::Error> {
    let mailbox = mailbox(view, me.account)?;
    let through = mailbox.feed_read_through;
    let heard = feed::authors(view, caches, me.account)?;
    let new = caches.ring.before(LogIndex::MAX).take_while(|(croak, _)| *croak > through);
    let of_others = new.filter(|(_, author)| *author != me.account && heard.contains(*author));
    let mut since: BTreeMap<AccountId, LogIndex> = BTreeMap::new();
    let mut croaks = 0;
    for (croak, author) in of_others {
        let since = match since.get(&author) {
            Some(since) => *since,
            None => {
                let row = get::<Friends, V>(view, &(me.account, author.0))?;
                *since.entry(author).or_insert(row.unwrap_or_default())
            }
        };
        // Written before the reader followed the author.
        if croak < since {
            continue;
        }
        // Croaks in the ring may have been deleted. The reader follows the authors, so all others are visible. A share is
        // no new croak.
        if croaks::find(view, croak)?.is_some_and(|found| !matches!(found.kind, CroakKind::Share { .. })) {
            croaks += 1;
        }
        if croaks == UNREAD_CROAKS_MAX {
            break;
        }
    }
    let notices = notices::book(view, me.account)?.unread;
    let rooms = rooms::unread_of(view, me.account)?;
    Ok(Unread { messages: mailbox.waiting, croaks, feed_read_through: through, notices, rooms })
}

pub(crate) fn list<V: View>(view: &V, me: Person, before: LogIndex, limit: usize) -> Result<Page, V::Error> {
    let (from, to) = ((me.account, 0), (me.account, before));
    let mut rows = scan::<TalksByAge, V>(view, &from, &to, Order::NewestFirst, limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let older = rows.last().filter(|_| more).map(|((_, newest), _)| *newest);
    let mut talks = Vec::with_capacity(rows.len());
    for ((_, newest), with_account) in rows {
        let waiting = mark_of(view, me.account, with_account)?.unwrap_or_default().waiting;
        let newest = shown(view, &me, newest, stored(view, newest)?)?;
        talks.push(TalkSummary { with: person(view, with_account)?, with_account, newest, waiting });
    }
    Ok(Page::Talks { me, talks, older })
}

pub(crate) fn talk<V: View>(
    view: &V,
    me: Person,
    with: &TalkPartner,
    before: LogIndex,
    limit: usize,
) -> Result<Result<Page, Denied>, V::Error> {
    let no_such = Err(Denied::of(Code::NoSuchUser, Field::Username));
    let with_account = match with {
        TalkPartner::Account(account) => *account,
        TalkPartner::Named(username) => {
            let Ok((account, _)) = named(view, username)? else { return Ok(no_such) };
            account
        }
    };
    let with = person(view, with_account)?;
    let mark = mark_of(view, me.account, with_account)?;
    // An account that never existed, or was deleted before the first message.
    if with.is_none() && mark.is_none() {
        return Ok(no_such);
    }
    if mark.is_none()
        && let Err(denied) = check_contact(view, me.account, with_account)?
    {
        return Ok(Err(denied));
    }
    let mark = mark.unwrap_or_default();
    let (from, to) = ((me.account, with_account, 0), (me.account, with_account, before));
    let mut rows = scan::<TalkOf, V>(view, &from, &to, Order::NewestFirst, limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let older = rows.last().filter(|_| more).map(|((_, _, id), ())| *id);
    let mut messages = Vec::with_capacity(rows.len());
    for ((_, _, id), ()) in rows {
        messages.push(shown(view, &me, id, stored(view, id)?)?);
    }
    let (waiting, read_through) = (mark.waiting, mark.read_through);
    Ok(Ok(Page::Talk(Talk { me, with, with_account, messages, older, waiting, read_through })))
}

pub(crate) fn message<V: View>(
    view: &V,
    me: &Person,
    id: LogIndex,
) -> Result<Result<Page, Denied>, V::Error> {
    let no_such = Err(Denied::new(Code::NoSuchMessage));
    let Some(message) = get::<Messages, V>(view, &id)? else { return Ok(no_such) };
    let with_account = match me.account {
        sender if sender == message.from => message.to,
        recipient if recipient == message.to => message.from,
        _ => return Ok(no_such),
    };
    let with = person(view, with_account)?;
    let message = shown(view, me, id, message)?;
    Ok(Ok(Page::Message { with, with_account, message }))
}

/// Returns the unread messages behind `after`, oldest first. All of them are looked at: `WAITING_MAX` bounds their number.
pub(crate) fn waiting<V: View>(
    view: &V,
    me: Person,
    after: Option<LogIndex>,
    limit: usize,
) -> Result<Page, V::Error> {
    let (from, to) = ((me.account, AccountId(0), 0), (me.account, AccountId(u64::MAX), u64::MAX));
    let most = usize::try_from(WAITING_MAX).unwrap_or(usize::MAX);
    let mut rows = scan::<Waiting, V>(view, &from, &to, Order::OldestFirst, most)?;
    rows.retain(|((_, _, id), _)| *id > after.unwrap_or(0));
    rows.sort_unstable_by_key(|((_, _, id), _)| *id);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut messages = Vec::with_capacity(rows.len());
    for ((_, from, id), username) in rows {
        let Message { wall_ms, text, .. } = stored(view, id)?;
        let deleted = !is_live(view, from)?;
        messages.push(WaitingMessage { id, from, username, deleted, wall_ms, text });
    }
    Ok(Page::Waiting { me, messages, more })
}

/// Returns a message of a talk. Its row exists for as long as a talk contains it.
fn stored<V: View>(view: &V, id: LogIndex) -> Result<Message, V::Error> {
    let bad = || BadRow { table: Messages::ID, key: id.bytes() }.into();
    get::<Messages, V>(view, &id)?.ok_or_else(bad)
}

fn shown<V: View>(view: &V, me: &Person, id: LogIndex, message: Message) -> Result<TalkMessage, V::Error> {
    let mark = mark_of(view, message.to, message.from)?.unwrap_or_default();
    let status = match id {
        read if read <= mark.read_through => DeliveryStatus::Read,
        delivered if delivered <= mark.delivered_through => DeliveryStatus::Delivered,
        _ => DeliveryStatus::Saved,
    };
    let Message { from, wall_ms, text, .. } = message;
    Ok(TalkMessage { id, mine: from == me.account, wall_ms, text, status })
}
