//! The rules of likes and shares.
//!
//! ```text
//!   Like  ──▶ Likes: by croak, in order of time      LikedBy:  by account      CroakCounts
//!   Share ──▶ Shares: by croak, in order of time     SharedBy: by account      CroakCounts
//!             Croaks: a croak of the sharer without a text, so feeds and timelines merge it like any other
//! ```
//!
//! Both are set or not set: doing it twice changes nothing, and neither does undoing what is not there.

use super::removal::{self, Tally};
use crate::code::{Code, Denied};
use crate::command::{ConversationCommand, Reply};
use crate::croaks;
use crate::ids::{AccountId, LogIndex, TokenHash};
use crate::lookup::session_owner;
use crate::notices;
use crate::rows::{
    Audience, Bookkeeping, Change, Croak, CroakKind, Croaks, CroaksBy, LikedBy, Likes, NoticeKind, SharedBy,
    Shares, StoredCroak, View, get,
};
use crate::rule::{ApplyContext, Bounds, Decision, or_deny};
use crate::visibility::Reader;

pub(crate) fn change<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    books: &Bookkeeping,
    command: &ConversationCommand,
) -> Result<Decision, V::Error> {
    let owner = |session: TokenHash| session_owner(view, session, context.age_ms());
    let not_logged_in = Ok(Err(Denied::new(Code::NotLoggedIn)));
    match *command {
        ConversationCommand::Like { session, croak } => match owner(session)? {
            Some(me) => like(bounds, view, context, me, croak),
            None => not_logged_in,
        },
        ConversationCommand::Unlike { session, croak } => match owner(session)? {
            Some(me) => unlike(bounds, view, me, croak),
            None => not_logged_in,
        },
        ConversationCommand::Share { session, croak } => match owner(session)? {
            Some(me) => share(bounds, view, context, me, croak),
            None => not_logged_in,
        },
        ConversationCommand::Unshare { session, croak } => match owner(session)? {
            Some(me) => unshare(bounds, view, books, me, croak),
            None => not_logged_in,
        },
        ConversationCommand::SweepCroak { croak } => removal::sweep(bounds, view, books, croak),
    }
}

fn like<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    me: AccountId,
    croak: LogIndex,
) -> Result<Decision, V::Error> {
    let (_, author) = or_deny!(Reader::new(view, me).read(croak)?, Denied::new(Code::NoSuchCroak));
    if get::<LikedBy, V>(view, &(me, croak))?.is_some() {
        return Ok(Ok((Vec::new(), Reply::Done)));
    }
    let mut changes = vec![
        Change::put::<LikedBy>(&(me, croak), &context.index),
        Change::put::<Likes>(&(croak, context.index), &me),
    ];
    let mut tally = Tally::new(view);
    let counts = tally.of(croak, author.account)?;
    counts.likes = counts.likes.saturating_add(1);
    tally.finish(&mut changes);
    let kind = NoticeKind::Like { croak };
    notices::notify(bounds, view, context, &mut changes, (author.account, me), kind)?;
    Ok(Ok((changes, Reply::Done)))
}

/// Takes a like back, also from a croak that the account sees no longer.
fn unlike<V: View>(bounds: &Bounds, view: &V, me: AccountId, croak: LogIndex) -> Result<Decision, V::Error> {
    let mut changes = Vec::new();
    if let Some(like) = get::<LikedBy, V>(view, &(me, croak))? {
        let mut tally = Tally::new(view);
        tally.remove_like(me, croak, like, &mut changes)?;
        tally.finish(&mut changes);
        withdraw(bounds, view, &mut changes, me, NoticeKind::Like { croak })?;
    }
    Ok(Ok((changes, Reply::Done)))
}

fn share<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    me: AccountId,
    croak: LogIndex,
) -> Result<Decision, V::Error> {
    let (found, author) = or_deny!(Reader::new(view, me).read(croak)?, Denied::new(Code::NoSuchCroak));
    if author.account == me || found.audience != Audience::Everyone {
        return Ok(Err(Denied::new(Code::NotShareable)));
    }
    if let Some(share) = get::<SharedBy, V>(view, &(me, croak))? {
        return Ok(Ok((Vec::new(), Reply::Croaked { croak: share })));
    }
    let share = context.index;
    let row = Croak {
        author: me,
        audience: Audience::Everyone,
        kind: CroakKind::Share { of: croak },
        wall_ms: context.wall_ms,
        text: String::new(),
    };
    let mut changes = vec![
        Change::put::<Croaks>(&share, &StoredCroak { record: context.record, croak: row }),
        Change::put::<Shares>(&(croak, share), &me),
        Change::put::<SharedBy>(&(me, croak), &share),
    ];
    let mut tally = Tally::new(view);
    let counts = tally.of(croak, author.account)?;
    counts.shares = counts.shares.saturating_add(1);
    tally.finish(&mut changes);
    let kind = NoticeKind::Share { croak };
    notices::notify(bounds, view, context, &mut changes, (author.account, me), kind)?;
    Ok(Ok((changes, Reply::Croaked { croak: share })))
}

/// Takes a share back.
pub(crate) fn unshare<V: View>(
    bounds: &Bounds,
    view: &V,
    books: &Bookkeeping,
    me: AccountId,
    croak: LogIndex,
) -> Result<Decision, V::Error> {
    let mut changes = Vec::new();
    if let Some(share) = get::<SharedBy, V>(view, &(me, croak))?
        && let Some(found) = croaks::find(view, share)?
    {
        let mut tally = Tally::new(view);
        tally.remove(books, &found, &mut changes)?;
        tally.finish(&mut changes);
        if share <= books.indexed_through {
            changes.push(Change::remove::<CroaksBy>(&(me, share)));
        }
        withdraw(bounds, view, &mut changes, me, NoticeKind::Share { croak })?;
    }
    Ok(Ok((changes, Reply::Done)))
}

/// Removes the notice by which the author of a croak was told of a like or share.
fn withdraw<V: View>(
    bounds: &Bounds,
    view: &V,
    changes: &mut Vec<Change>,
    me: AccountId,
    kind: NoticeKind,
) -> Result<(), V::Error> {
    let Some(croak) = kind.croak() else { return Ok(()) };
    match croaks::find(view, croak)? {
        Some(found) => notices::withdraw(bounds, view, changes, (found.author, me), kind),
        // The notice went with the croak.
        None => Ok(()),
    }
}
