//! The rule of croaks and replies.

pub(crate) mod reactions;
pub(crate) mod removal;

use self::removal::Tally;
use crate::code::{Code, Denied};
use crate::command::{Audience, Reply};
use crate::croaks;
use crate::ids::{AccountId, LogIndex, TokenHash};
use crate::lookup::{profile_of, session_owner};
use crate::notices;
use crate::rows::{
    AccountProfile, Bookkeeping, Change, Croak, CroakKind, Croaks, CroaksBy, NoticeKind, Profiles, Replies,
    StoredCroak, View,
};
use crate::rule::{ApplyContext, Bounds, Decision, checked, or_deny};
use crate::text;
use crate::visibility::Reader;
use crate::visibility::mentions::behind_leading_mention;

/// Posts a croak, for the audience that the account has set if none is given. A reply begins with the mention of the
/// account that it answers, which does not count against the length. A reply to a croak for followers is for followers,
/// too.
pub(crate) fn croak<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    session: TokenHash,
    post: &str,
    reply_to: Option<LogIndex>,
    audience: Option<Audience>,
) -> Result<Decision, V::Error> {
    let author = or_deny!(session_owner(view, session, context.age_ms())?, Denied::new(Code::NotLoggedIn));
    let audience = match audience {
        Some(audience) => audience,
        None => profile_of(view, author)?.audience,
    };
    let mut answers = Vec::new();
    let mut croak =
        Croak { author, audience, kind: CroakKind::Original, wall_ms: context.wall_ms, text: String::new() };
    let mut post = text::croak_text(post);
    // The part that counts against the length.
    let mut counted = post.clone();
    let mut answered = None;
    if let Some(to) = reply_to {
        let (parent, parent_author) =
            or_deny!(Reader::new(view, author).read(to)?, Denied::new(Code::NoSuchCroak));
        croak.kind = CroakKind::Reply { to };
        answered = Some(parent_author.account);
        answers.push(Change::put::<Replies>(&(to, context.index), &()));
        let mut tally = Tally::new(view);
        let counts = tally.of(to, parent_author.account)?;
        counts.replies = counts.replies.saturating_add(1);
        tally.finish(&mut answers);
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
    checked!(text::check_croak(&counted));
    croak.text = post;
    let stored = StoredCroak { record: context.record, croak };
    // The croak comes first: its row has the record of the request.
    let mut changes = vec![Change::put::<Croaks>(&context.index, &stored)];
    changes.extend(answers);
    if let Some(answered) = answered {
        let kind = NoticeKind::Reply { croak: context.index };
        notices::notify(bounds, view, context, &mut changes, (answered, author), kind)?;
    }
    notices::mentioned(bounds, view, context, &mut changes, &stored.croak)?;
    Ok(Ok((changes, Reply::Croaked { croak: context.index })))
}

/// Deletes a croak, of any account if `author` is `None`.
pub(crate) fn remove_croak<V: View>(
    bounds: &Bounds,
    view: &V,
    books: &Bookkeeping,
    croak: LogIndex,
    author: Option<AccountId>,
) -> Result<Decision, V::Error> {
    let found = or_deny!(croaks::find(view, croak)?, Denied::new(Code::NoSuchCroak));
    if author.is_some_and(|author| author != found.author) {
        return Ok(Err(Denied::new(Code::NotYours)));
    }
    if let CroakKind::Share { of } = found.kind {
        return reactions::unshare(bounds, view, books, found.author, of);
    }
    let mut changes = Vec::new();
    let mut tally = Tally::new(view);
    tally.remove(books, &found, &mut changes)?;
    // A deleted account has no profile, so only a croak that is deleted alone can be pinned.
    let profile = profile_of(view, found.author)?;
    if profile.pinned == Some(croak) {
        let profile = AccountProfile { pinned: None, ..profile };
        changes.push(Change::put::<Profiles>(&found.author, &profile));
    }
    tally.finish(&mut changes);
    if croak <= books.indexed_through {
        changes.push(Change::remove::<CroaksBy>(&(found.author, croak)));
    }
    if let Some(removed) = croaks::read(view, croak)? {
        notices::croak_removed(bounds, view, &mut changes, croak, &removed)?;
    }
    Ok(Ok((changes, Reply::Done)))
}
