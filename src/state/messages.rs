//! The rules of direct messages and of read positions.
//!
//! ```text
//!   Send ──▶ Messages: the text, once
//!            TalkOf:   an entry in the talk of each of the two
//!            Waiting:  an entry for the recipient, until Mark reports that the message was read
//! ```
//!
//! - A message is saved once its command is applied, delivered once the recipient's client reports that it was
//!   displayed, and read once that client says so. The sender sees this from the recipient's [`TalkState`] alone.
//! - The number of unread messages is bounded, per recipient and per talk. Beyond that sending is refused; a message that
//!   was accepted is never dropped.
//! - Each of the two has their own talk. When an account is deleted its talks are removed step by step ([`sweep`]). The
//!   other account keeps its talk, with a deleted partner. A text is removed with the last talk that contains it.
//! - A read position only rises, and never beyond the newest message.

use super::code::{Code, Denied, Field};
use super::command::{MessageCommand, Reply};
use super::ids::{AccountId, LogIndex, TokenHash};
use super::limits::{REPEATED_SEND_COMPARED, REPEATED_SEND_MS};
use super::lookup::{me_and, person, session_owner};
use super::rows::{
    Change, Mailbox, Mailboxes, Message, Messages, Order, TalkMarks, TalkOf, TalkState, TalksByAge, View,
    Waiting, get, scan,
};
use super::rule::{ApplyContext, Bounds, Decision, checked, or_deny};
use super::text;
use super::visibility::blocks::check_contact;

const NOT_LOGGED_IN: Denied = Denied::new(Code::NotLoggedIn);

/// Returns the read position of `reader` in the talk with `with`, or `None` if they never talked.
pub(crate) fn mark_of<V: View>(
    view: &V,
    reader: AccountId,
    with: AccountId,
) -> Result<Option<TalkState>, V::Error> {
    get::<TalkMarks, V>(view, &(reader, with.0))
}

/// Returns the number of unread messages of an account, and the position up to which it read its feed.
pub(crate) fn mailbox<V: View>(view: &V, reader: AccountId) -> Result<Mailbox, V::Error> {
    Ok(get::<Mailboxes, V>(view, &reader)?.unwrap_or_default())
}

pub(super) fn change<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    command: &MessageCommand,
) -> Result<Decision, V::Error> {
    match command {
        MessageCommand::Send { session, username, text } => {
            send(bounds, view, context, *session, username, text, None)
        }
        MessageCommand::SendAgain { session, username, text, known } => {
            send(bounds, view, context, *session, username, text, Some(*known))
        }
        MessageCommand::Mark { session, with, delivered_through, read_through } => {
            let me = or_deny!(session_owner(view, *session, context.age_ms())?, NOT_LOGGED_IN);
            mark(bounds, view, me, *with, *delivered_through, *read_through)
        }
        MessageCommand::ReadFeed { session, through } => {
            let me = or_deny!(session_owner(view, *session, context.age_ms())?, NOT_LOGGED_IN);
            read_feed(view, me, (*through).min(context.index))
        }
    }
}

fn send<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    session: TokenHash,
    username: &str,
    text: &str,
    known: Option<LogIndex>,
) -> Result<Decision, V::Error> {
    let (me, other) = checked!(me_and(view, context, session, username)?);
    if other == me {
        return Ok(Err(Denied::of(Code::Yourself, Field::Username)));
    }
    checked!(check_contact(view, me, other)?);
    checked!(text::check_message(text));
    let text = text::croak_text(text);
    if let Some(known) = known
        && let Some(message) = sent_lately(view, context, (me, other), &text, known)?
    {
        return Ok(Ok((Vec::new(), Reply::Sent { message })));
    }
    let mut theirs = mark_of(view, other, me)?.unwrap_or_default();
    let mut mailbox = mailbox(view, other)?;
    if theirs.waiting >= bounds.waiting_per_talk_max || mailbox.waiting >= bounds.waiting_max {
        return Ok(Err(Denied::new(Code::MailboxFull)));
    }
    let sender = person(view, me)?.map_or(String::new(), |me| me.username);
    theirs.waiting += 1;
    mailbox.waiting += 1;
    let index = context.index;
    let message = Message { from: me, to: other, wall_ms: context.wall_ms, text };
    let mut changes = vec![Change::put::<Messages>(&index, &message)];
    enter(&mut changes, (other, me), index, theirs);
    enter(&mut changes, (me, other), index, mark_of(view, me, other)?.unwrap_or_default());
    changes.push(Change::put::<Waiting>(&(other, me, index), &sender));
    changes.push(Change::put::<Mailboxes>(&other, &mailbox));
    Ok(Ok((changes, Reply::Sent { message: index })))
}

/// Returns the message with this text that `me` sent after `known` and within `REPEATED_SEND_MS`, if there is one.
fn sent_lately<V: View>(
    view: &V,
    context: ApplyContext,
    (me, other): (AccountId, AccountId),
    text: &str,
    known: LogIndex,
) -> Result<Option<LogIndex>, V::Error> {
    let (from, to) = ((me, other, known.saturating_add(1)), (me, other, LogIndex::MAX));
    for ((_, _, id), ()) in scan::<TalkOf, V>(view, &from, &to, Order::NewestFirst, REPEATED_SEND_COMPARED)? {
        if let Some(message) = get::<Messages, V>(view, &id)?
            && message.from == me
            && message.text == text
            && message.wall_ms.abs_diff(context.wall_ms) < REPEATED_SEND_MS
        {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Adds a message to the talk of one of the two and moves the talk to the top of their list.
fn enter(
    changes: &mut Vec<Change>,
    (reader, with): (AccountId, AccountId),
    index: LogIndex,
    before: TalkState,
) {
    if before.newest > 0 {
        changes.push(Change::remove::<TalksByAge>(&(reader, before.newest)));
    }
    changes.push(Change::put::<TalksByAge>(&(reader, index), &with));
    changes.push(Change::put::<TalkMarks>(&(reader, with.0), &TalkState { newest: index, ..before }));
    changes.push(Change::put::<TalkOf>(&(reader, with, index), &()));
}

fn mark<V: View>(
    bounds: &Bounds,
    view: &V,
    me: AccountId,
    with: AccountId,
    delivered_through: LogIndex,
    read_through: LogIndex,
) -> Result<Decision, V::Error> {
    let Some(before) = mark_of(view, me, with)? else {
        return Ok(Err(Denied::of(Code::NoSuchUser, Field::Username)));
    };
    let read_through = read_through.min(before.newest).max(before.read_through);
    let delivered_through =
        delivered_through.min(before.newest).max(before.delivered_through).max(read_through);
    let mut changes = Vec::new();
    let (from, to) = ((me, with, 0), (me, with, read_through + 1));
    let limit = usize::try_from(bounds.waiting_per_talk_max).unwrap_or(usize::MAX);
    for (key, _) in scan::<Waiting, V>(view, &from, &to, Order::OldestFirst, limit)? {
        changes.push(Change::remove::<Waiting>(&key));
    }
    let read = u32::try_from(changes.len()).unwrap_or(u32::MAX);
    if read > 0 {
        let mailbox = mailbox(view, me)?;
        let waiting = mailbox.waiting.saturating_sub(read);
        changes.push(Change::put::<Mailboxes>(&me, &Mailbox { waiting, ..mailbox }));
    }
    let waiting = before.waiting.saturating_sub(read);
    let after = TalkState { waiting, delivered_through, read_through, ..before };
    if after != before {
        changes.push(Change::put::<TalkMarks>(&(me, with.0), &after));
    }
    Ok(Ok((changes, Reply::Done)))
}

fn read_feed<V: View>(view: &V, me: AccountId, through: LogIndex) -> Result<Decision, V::Error> {
    let before = mailbox(view, me)?;
    if through <= before.feed_read_through {
        return Ok(Ok((Vec::new(), Reply::Done)));
    }
    let after = Mailbox { feed_read_through: through, ..before };
    Ok(Ok((vec![Change::put::<Mailboxes>(&me, &after)], Reply::Done)))
}

/// Removes the message rows of a deleted account, at most `rows_max` of its own rows. Returns true when none are left.
/// The mailbox goes last, so a step that removes it completes the sweep.
pub(super) fn sweep<V: View>(
    view: &V,
    gone: AccountId,
    rows_max: usize,
    changes: &mut Vec<Change>,
) -> Result<bool, V::Error> {
    let mut left = rows_max;
    let (from, to) = ((gone, AccountId(0), 0), (gone, AccountId(u64::MAX), u64::MAX));
    let waiting = scan::<Waiting, V>(view, &from, &to, Order::OldestFirst, left)?;
    left -= waiting.len();
    changes.extend(waiting.iter().map(|(key, _)| Change::remove::<Waiting>(key)));
    let talks = scan::<TalkOf, V>(view, &from, &to, Order::OldestFirst, left)?;
    left -= talks.len();
    for (key @ (_, other, message), ()) in talks {
        changes.push(Change::remove::<TalkOf>(&key));
        if get::<TalkOf, V>(view, &(other, gone, message))?.is_none() {
            changes.push(Change::remove::<Messages>(&message));
        }
    }
    let (from, to) = ((gone, 0), (gone, u64::MAX));
    let record = scan::<TalkMarks, V>(view, &from, &to, Order::OldestFirst, left)?;
    left -= record.len();
    for (key, mark) in record {
        changes.push(Change::remove::<TalkMarks>(&key));
        changes.push(Change::remove::<TalksByAge>(&(gone, mark.newest)));
    }
    if left > 0 && get::<Mailboxes, V>(view, &gone)?.is_some() {
        changes.push(Change::remove::<Mailboxes>(&gone));
    }
    Ok(left > 0)
}
