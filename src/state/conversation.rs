//! The rules of croaks and of what people do with them.

use super::code::{Code, Denied};
use super::command::{Audience, Reply};
use super::ids::{LogIndex, TokenHash};
use super::lookup::session_owner;
use super::mentions::behind_leading_mention;
use super::rows::{Change, Croak, CroakKind, Croaks, StoredCroak, View};
use super::rule::{ApplyContext, Decision};
use super::text;
use super::visibility::Reader;

/// Posts a croak. A reply begins with the mention of the account that it answers, which does not count against the
/// length. A reply to a croak for followers is for followers, too.
pub(super) fn croak<V: View>(
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
    if let Some(to) = reply_to {
        let Some((parent, parent_author)) = Reader::new(view, author).read(to)? else {
            return Ok(Err(Denied::new(Code::NoSuchCroak)));
        };
        croak.kind = CroakKind::Reply { to };
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
    let put = Change::put::<Croaks>(&context.index, &StoredCroak { record: context.record, croak });
    Ok(Ok((vec![put], Reply::Croaked { croak: context.index })))
}
