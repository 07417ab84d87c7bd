//! The rules of croaks and of what people do with them.

use super::code::{Code, Denied};
use super::command::{Audience, Reply};
use super::ids::{AccountId, LogIndex, TokenHash};
use super::lookup::session_owner;
use super::mentions::behind_leading_mention;
use super::rows::{Bookkeeping, Change, Croak, CroakKind, Croaks, CroaksBy, NoticeKind, StoredCroak, View};
use super::rule::{ApplyContext, Bounds, Decision};
use super::visibility::Reader;
use super::{croaks, notices, text};

/// Posts a croak. A reply begins with the mention of the account that it answers, which does not count against the
/// length. A reply to a croak for followers is for followers, too.
pub(super) fn croak<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    session: TokenHash,
    post: &str,
    reply_to: Option<LogIndex>,
    audience: Audience,
) -> Result<Decision, V::Error> {
    let Some(author) = session_owner(view, session, context.age_ms())? else {
        return Ok(Err(Denied::new(Code::NotLoggedIn)));
    };
    let mut croak =
        Croak { author, audience, kind: CroakKind::Original, wall_ms: context.wall_ms, text: String::new() };
    let mut post = text::croak_text(post);
    // The part that counts against the length.
    let mut counted = post.clone();
    let mut answered = None;
    if let Some(to) = reply_to {
        let Some((parent, parent_author)) = Reader::new(view, author).read(to)? else {
            return Ok(Err(Denied::new(Code::NoSuchCroak)));
        };
        croak.kind = CroakKind::Reply { to };
        answered = Some(parent_author.account);
        if parent.audience == Audience::Followers {
            croak.audience = Audience::Followers;
        }
        if parent_author.account != author {
            let username = parent_author.username;
            match behind_leading_mention(&post, &username) {
                Some(rest) => counted = rest.to_string(),
                None => post = format!("@{username} {post}"),
            }
        }
    }
    if let Err(denied) = text::check_croak(&counted) {
        return Ok(Err(denied));
    }
    croak.text = post;
    let stored = StoredCroak { record: context.record, croak };
    let mut changes = vec![Change::put::<Croaks>(&context.index, &stored)];
    if let Some(answered) = answered {
        let kind = NoticeKind::Reply { croak: context.index };
        notices::notify(bounds, view, context, &mut changes, (answered, author), kind)?;
    }
    notices::mentioned(bounds, view, context, &mut changes, &stored.croak)?;
    Ok(Ok((changes, Reply::Croaked { croak: context.index })))
}

/// Deletes a croak, of any account if `author` is `None`.
pub(super) fn remove_croak<V: View>(
    bounds: &Bounds,
    view: &V,
    books: &Bookkeeping,
    croak: LogIndex,
    author: Option<AccountId>,
) -> Result<Decision, V::Error> {
    let Some(found) = croaks::find(view, croak)? else {
        return Ok(Err(Denied::new(Code::NoSuchCroak)));
    };
    if author.is_some_and(|author| author != found.author) {
        return Ok(Err(Denied::new(Code::NotYours)));
    }
    let mut changes = Vec::new();
    found.remove(books, &mut changes);
    if croak <= books.indexed_through {
        changes.push(Change::remove::<CroaksBy>(&(found.author, croak)));
    }
    if let Some(removed) = croaks::read(view, croak)? {
        notices::croak_removed(bounds, view, &mut changes, croak, &removed)?;
    }
    Ok(Ok((changes, Reply::Done)))
}
