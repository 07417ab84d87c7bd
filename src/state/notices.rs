//! The rules of notices: what a person is told about, newest first, and how far they have read.
//!
//! ```text
//!   rule of a croak, like, follow … ──notify──▶ Notices:     (to, index) → from, kind        the list of each person
//!                                              NoticesFrom: (from, to, index) → kind        to find and remove them again
//!                                              NoticeBooks: to → count, unread, read position
//! ```
//!
//! - A command makes at most one notice for a person, so its log index is the notice's id. The first call wins: a rule
//!   calls [`notify`] for a reply before [`mentioned`].
//! - A notice disappears with what it is about: [`withdraw`] for what is undone, [`croak_removed`] for a croak, [`sweep`]
//!   for an account. The unread count is therefore kept, not counted, and agrees with the list. A reader still skips a
//!   notice of an account that is deleted and not swept yet.
//! - The number of notices is bounded, for each person and for each pair. Beyond that the oldest go, so one person cannot
//!   push out the notices of all others.

use super::code::{Code, Denied};
use super::command::{NoticeCommand, Reply};
use super::ids::{AccountId, LogIndex, RoomId};
use super::limits::MENTIONS_NOTIFIED_MAX;
use super::lookup::{account_named, is_live, range_of, session_owner};
use super::query::{NoticeItem, Page, Person};
use super::rows::{
    Change, Croak, Key, Notice, NoticeBook, NoticeBooks, NoticeKind, Notices, NoticesFrom, OPERATORS, Order,
    RoomMessages, Rooms, Table, View, decode, get, scan,
};
use super::rule::{ApplyContext, Bounds, Decision, or_deny};
use super::visibility::Reader;
use super::visibility::blocks::{is_blocked_pair, is_muted};
use super::visibility::mentions::mentions;
use super::visibility::rooms::{RoomAccess, may_read_room};

/// Returns the counts and the read position of a person.
pub(super) fn book<V: View>(view: &V, account: AccountId) -> Result<NoticeBook, V::Error> {
    Ok(get::<NoticeBooks, V>(view, &account)?.unwrap_or_default())
}

/// As [`book`], after these changes of the same command.
fn book_after<V: View>(view: &V, changes: &[Change], account: AccountId) -> Result<NoticeBook, V::Error> {
    let wanted = account.bytes();
    let put = changes.iter().rev().find_map(|change| match change {
        Change::Put { table, key, row } if *table == NoticeBooks::ID && *key == wanted => decode(row),
        _ => None,
    });
    put.map_or_else(|| book(view, account), Ok)
}

/// Tells `to` what `from` has done. Leaves out what one does oneself, what `to` was told already, and whom `to` has muted or
/// either of them has blocked. [`OPERATORS`] may be the sender.
pub(super) fn notify<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    changes: &mut Vec<Change>,
    (to, from): (AccountId, AccountId),
    kind: NoticeKind,
) -> Result<(), V::Error> {
    if to == from || !is_live(view, to)? || has_notice(changes, to, context.index) {
        return Ok(());
    }
    if is_muted(view, to, from)? || is_blocked_pair(view, to, from)? {
        return Ok(());
    }
    let pair = of_pair(bounds, view, from, to)?;
    if pair.iter().any(|(_, told)| *told == kind) {
        return Ok(());
    }
    let mut book = book_after(view, changes, to)?;
    if pair.len() == bounds.notices_per_pair_max {
        remove(changes, &mut book, (to, from), pair[0].0);
    } else if book.count >= bounds.notices_max {
        let (first, last) = range_of(to);
        for (key, notice) in scan::<Notices, V>(view, &first, &last, Order::OldestFirst, 1)? {
            remove(changes, &mut book, (to, notice.from), key.1);
        }
    }
    let notice = Notice { from, wall_ms: context.wall_ms, kind };
    changes.push(Change::put::<Notices>(&(to, context.index), &notice));
    changes.push(Change::put::<NoticesFrom>(&(from, to, context.index), &kind));
    (book.count, book.unread) = (book.count + 1, book.unread + 1);
    changes.push(Change::put::<NoticeBooks>(&to, &book));
    Ok(())
}

/// Tells the people that a new croak mentions, at most `MENTIONS_NOTIFIED_MAX` of them. The croak is the one of this command.
pub(super) fn mentioned<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    changes: &mut Vec<Change>,
    croak: &Croak,
) -> Result<(), V::Error> {
    for account in mentioned_in(view, &croak.text)? {
        let kind = NoticeKind::Mention { croak: context.index };
        notify(bounds, view, context, changes, (account, croak.author), kind)?;
    }
    Ok(())
}

/// Returns the first `MENTIONS_NOTIFIED_MAX` people that a text mentions, each once.
pub(super) fn mentioned_in<V: View>(view: &V, text: &str) -> Result<Vec<AccountId>, V::Error> {
    let mut found = Vec::new();
    // A mention of an unknown name counts, so that a long text costs no more.
    for mention in mentions(text).take(MENTIONS_NOTIFIED_MAX) {
        if let Some((account, _)) = account_named(view, &mention.username)?
            && !found.contains(&account)
        {
            found.push(account);
        }
    }
    Ok(found)
}

/// Removes the notice by which `from` told `to` of something that is now undone.
pub(super) fn withdraw<V: View>(
    bounds: &Bounds,
    view: &V,
    changes: &mut Vec<Change>,
    (to, from): (AccountId, AccountId),
    kind: NoticeKind,
) -> Result<(), V::Error> {
    let pair = of_pair(bounds, view, from, to)?;
    let Some((index, _)) = pair.into_iter().find(|(_, told)| *told == kind) else { return Ok(()) };
    let mut book = book_after(view, changes, to)?;
    remove(changes, &mut book, (to, from), index);
    changes.push(Change::put::<NoticeBooks>(&to, &book));
    Ok(())
}

/// Removes everything that `from` told `to`.
pub(super) fn withdraw_all<V: View>(
    bounds: &Bounds,
    view: &V,
    changes: &mut Vec<Change>,
    (to, from): (AccountId, AccountId),
) -> Result<(), V::Error> {
    let pair = of_pair(bounds, view, from, to)?;
    if pair.is_empty() {
        return Ok(());
    }
    let mut book = book_after(view, changes, to)?;
    for (index, _) in pair {
        remove(changes, &mut book, (to, from), index);
    }
    changes.push(Change::put::<NoticeBooks>(&to, &book));
    Ok(())
}

/// Removes what a deleted croak has told: to those whom it answers or mentions, and to its author about it.
pub(super) fn croak_removed<V: View>(
    bounds: &Bounds,
    view: &V,
    changes: &mut Vec<Change>,
    id: LogIndex,
    croak: &Croak,
) -> Result<(), V::Error> {
    let author = croak.author;
    // A reply begins with the mention of the account that it answers.
    text_removed(view, changes, id, author, &croak.text)?;
    let (first, last) = range_of(author);
    let most = usize::try_from(bounds.notices_max).unwrap_or(usize::MAX);
    let told = scan::<Notices, V>(view, &first, &last, Order::OldestFirst, most)?;
    let mut book = book_after(view, changes, author)?;
    let before = book;
    for ((_, index), notice) in told.into_iter().filter(|(_, notice)| notice.kind.is_done_to(id)) {
        remove(changes, &mut book, (author, notice.from), index);
    }
    if book != before {
        changes.push(Change::put::<NoticeBooks>(&author, &book));
    }
    Ok(())
}

/// Removes what a deleted text has told those whom it mentions.
pub(super) fn text_removed<V: View>(
    view: &V,
    changes: &mut Vec<Change>,
    id: LogIndex,
    author: AccountId,
    text: &str,
) -> Result<(), V::Error> {
    for account in mentioned_in(view, text)? {
        if get::<Notices, V>(view, &(account, id))?.is_some() {
            let mut book = book_after(view, changes, account)?;
            remove(changes, &mut book, (account, author), id);
            changes.push(Change::put::<NoticeBooks>(&account, &book));
        }
    }
    Ok(())
}

/// Returns the notices that `from` made for `to`, oldest first.
fn of_pair<V: View>(
    bounds: &Bounds,
    view: &V,
    from: AccountId,
    to: AccountId,
) -> Result<Vec<(LogIndex, NoticeKind)>, V::Error> {
    let (first, last) = ((from, to, 0), (from, to, u64::MAX));
    let rows = scan::<NoticesFrom, V>(view, &first, &last, Order::OldestFirst, bounds.notices_per_pair_max)?;
    Ok(rows.into_iter().map(|((_, _, index), kind)| (index, kind)).collect())
}

fn has_notice(changes: &[Change], to: AccountId, index: LogIndex) -> bool {
    let wanted = (to, index).bytes();
    changes.iter().any(
        |change| matches!(change, Change::Put { table, key, .. } if *table == Notices::ID && *key == wanted),
    )
}

fn remove(
    changes: &mut Vec<Change>,
    book: &mut NoticeBook,
    (to, from): (AccountId, AccountId),
    index: LogIndex,
) {
    changes.push(Change::remove::<Notices>(&(to, index)));
    changes.push(Change::remove::<NoticesFrom>(&(from, to, index)));
    book.count = book.count.saturating_sub(1);
    if index > book.read_through {
        book.unread = book.unread.saturating_sub(1);
    }
}

pub(super) fn change<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    command: &NoticeCommand,
) -> Result<Decision, V::Error> {
    let (NoticeCommand::Read { session, .. } | NoticeCommand::Remove { session, .. }) = command;
    let me = or_deny!(session_owner(view, *session, context.age_ms())?, Denied::new(Code::NotLoggedIn));
    match command {
        NoticeCommand::Read { through, .. } => read(bounds, view, me, (*through).min(context.index)),
        NoticeCommand::Remove { notice, .. } => remove_own(bounds, view, me, *notice),
    }
}

/// Removes one notice of a person, or all of them.
fn remove_own<V: View>(
    bounds: &Bounds,
    view: &V,
    me: AccountId,
    notice: Option<LogIndex>,
) -> Result<Decision, V::Error> {
    let (first, last) = notice.map_or(range_of(me), |notice| ((me, notice), (me, notice.saturating_add(1))));
    let most = usize::try_from(bounds.notices_max).unwrap_or(usize::MAX);
    let mut changes = Vec::new();
    let mut book = book(view, me)?;
    for ((_, index), notice) in scan::<Notices, V>(view, &first, &last, Order::OldestFirst, most)? {
        remove(&mut changes, &mut book, (me, notice.from), index);
    }
    if !changes.is_empty() {
        changes.push(Change::put::<NoticeBooks>(&me, &book));
    }
    Ok(Ok((changes, Reply::Done)))
}

/// Moves the read position of a person forward.
fn read<V: View>(
    bounds: &Bounds,
    view: &V,
    me: AccountId,
    read_through: LogIndex,
) -> Result<Decision, V::Error> {
    let before = book(view, me)?;
    if read_through <= before.read_through {
        return Ok(Ok((Vec::new(), Reply::Done)));
    }
    let (first, last) = ((me, read_through + 1), (me, u64::MAX));
    let most = usize::try_from(bounds.notices_max).unwrap_or(usize::MAX);
    let newer = view.scan(Notices::ID, &first.bytes(), &last.bytes(), Order::OldestFirst, most)?;
    let unread = u32::try_from(newer.len()).unwrap_or(u32::MAX);
    let after = NoticeBook { unread, read_through, ..before };
    Ok(Ok((vec![Change::put::<NoticeBooks>(&me, &after)], Reply::Done)))
}

/// Removes the notices of a deleted account and those that it made, at most `rows_max` of them. Returns true when none are
/// left.
pub(super) fn sweep<V: View>(
    view: &V,
    gone: AccountId,
    rows_max: usize,
    changes: &mut Vec<Change>,
) -> Result<bool, V::Error> {
    let mut left = rows_max;
    let (first, last) = range_of(gone);
    let own = scan::<Notices, V>(view, &first, &last, Order::OldestFirst, left)?;
    left -= own.len();
    for (key, notice) in own {
        changes.push(Change::remove::<Notices>(&key));
        changes.push(Change::remove::<NoticesFrom>(&(notice.from, gone, key.1)));
    }
    let (first, last) = ((gone, AccountId(0), 0), (gone, AccountId(u64::MAX), u64::MAX));
    let made = scan::<NoticesFrom, V>(view, &first, &last, Order::OldestFirst, left)?;
    left -= made.len();
    for ((_, to, index), _) in made {
        let mut book = book_after(view, changes, to)?;
        remove(changes, &mut book, (to, gone), index);
        changes.push(Change::put::<NoticeBooks>(&to, &book));
    }
    if left > 0 && get::<NoticeBooks, V>(view, &gone)?.is_some() {
        changes.push(Change::remove::<NoticeBooks>(&gone));
    }
    Ok(left > 0)
}

/// Returns a page of a person's notices, newest first.
pub(super) fn list<V: View>(view: &V, me: Person, before: LogIndex, limit: usize) -> Result<Page, V::Error> {
    let book = book(view, me.account)?;
    let mut reader = Reader::new(view, me.account);
    let (mut notices, mut to, wanted) = (Vec::new(), before, limit + 1);
    while notices.len() < wanted {
        let (first, last) = ((me.account, 0), (me.account, to));
        let rows = scan::<Notices, V>(view, &first, &last, Order::NewestFirst, wanted)?;
        let all = rows.len() < wanted;
        for ((_, id), notice) in rows {
            to = id;
            if let Some(Shown { from, text, room }) = shown(view, &mut reader, &notice)? {
                let unread = id > book.read_through;
                notices.push(NoticeItem {
                    id,
                    from,
                    wall_ms: notice.wall_ms,
                    kind: notice.kind,
                    text,
                    room,
                    unread,
                });
            }
        }
        if all {
            break;
        }
    }
    let older = (notices.len() > limit).then(|| notices[limit - 1].id);
    notices.truncate(limit);
    Ok(Page::Notices { me, notices, older, unread: book.unread })
}

/// Content of a notice, besides its kind.
struct Shown {
    from: Option<Person>,
    /// Text of the croak or message that it is about.
    text: Option<String>,
    /// Name of the room that it is about.
    room: Option<String>,
}

/// Returns what a notice shows, or `None` if it is about something that is gone or hidden.
fn shown<V: View>(view: &V, reader: &mut Reader<'_, V>, notice: &Notice) -> Result<Option<Shown>, V::Error> {
    let from = match notice.from {
        OPERATORS => None,
        account => match reader.person(account)? {
            Some(person) => Some(person),
            None => return Ok(None),
        },
    };
    let mut room_name = None;
    let text = match notice.kind.croak() {
        None => match notice.kind {
            NoticeKind::Warning { croak: Some(croak) } => reader.read(croak)?.map(|(croak, _)| croak.text),
            NoticeKind::Invitation { room } => match get::<Rooms, V>(view, &RoomId(room))? {
                Some(room) if !room.closed => {
                    room_name = Some(room.name);
                    None
                }
                _ => return Ok(None),
            },
            NoticeKind::RoomMention { room, message } => {
                let access = match get::<Rooms, V>(view, &room)? {
                    Some(row) => {
                        let access = may_read_room(view, reader.me(), room, &row)?;
                        room_name = access.rank().map(|_| row.name);
                        access
                    }
                    None => RoomAccess::Hidden,
                };
                match access {
                    // The oldest messages go, and those from before the account joined again stay hidden.
                    RoomAccess::Inside { from, .. } if message >= from => {
                        get::<RoomMessages, V>(view, &(room, message))?.map(|message| message.text)
                    }
                    // An account that has left the room still learns of the mention, but not what was said.
                    RoomAccess::Inside { .. } | RoomAccess::Front(_) | RoomAccess::Hidden => None,
                }
            }
            _ => None,
        },
        Some(croak) => match reader.read(croak)? {
            Some((croak, _)) => Some(croak.text),
            None => return Ok(None),
        },
    };
    Ok(Some(Shown { from, text, room: room_name }))
}
