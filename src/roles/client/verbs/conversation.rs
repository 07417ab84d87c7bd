//! `reply`, `like`, `share`, `pin`, `thread` and `everyone`.

use super::{VerbContext, VerbError, feed, input, say};
use crate::client::conversation_arguments::{ConversationVerb, ReactionArgs, ReplyArgs};
use crate::client::session::request_error::RequestError;
use crate::client::shared_arguments::{PostArgs, joined};
use ribbit_state::limits::{FEED_PAGE_MAX, REPLIES_PAGE_MAX};
use ribbit_state::query::{FeedCroak, ReactionKind, ThreadCroak};
use ribbit_state::{LogIndex, Page, Query};
use ribbit_ui::{lines, person_json};
use serde_json::json;

/// Indent of a reply to a reply.
const NESTED: &str = "    ";

pub(crate) async fn perform(context: &mut VerbContext, verb: &ConversationVerb) -> Result<(), VerbError> {
    context.require_session()?;
    match verb {
        ConversationVerb::Reply(arguments) => reply(context, arguments).await,
        ConversationVerb::Like(it) => react(context, ReactionKind::Like, "liked", it).await,
        ConversationVerb::Share(it) => react(context, ReactionKind::Share, "shared", it).await,
        ConversationVerb::Pin(it) => pin(context, it).await,
        ConversationVerb::Thread(it) => thread(context, it.croak).await,
        ConversationVerb::Everyone(it) => everyone(context, it.before, it.limit as usize).await,
    }
}

async fn reply(context: &mut VerbContext, arguments: &ReplyArgs) -> Result<(), VerbError> {
    let PostArgs { audience, text } = &arguments.post;
    let text = input::text(joined(&text.text).as_deref())?;
    let (to, id) = (arguments.croak, context.user.reply(arguments.croak, &text, *audience).await?);
    context.print(&format!("replied as croak {id}"), &json!({ "id": id, "reply_to": to }))
}

/// Likes or shares a croak, or takes that back. `field` of the JSON tells which holds now.
async fn react(
    context: &mut VerbContext,
    kind: ReactionKind,
    field: &str,
    arguments: &ReactionArgs,
) -> Result<(), VerbError> {
    let (croak, undo) = (arguments.croak, arguments.undo);
    let words = context.user.react(kind, croak, undo).await?;
    context.print(&words, &json!({ "id": croak, field: !undo }))
}

async fn pin(context: &VerbContext, arguments: &ReactionArgs) -> Result<(), VerbError> {
    let (croak, undo) = (arguments.croak, arguments.undo);
    let words = context.user.pin(croak, undo).await?;
    context.print(&words, &json!({ "id": croak, "pinned": !undo }))
}

/// Shows a croak with the croaks above it and all pages of replies.
async fn thread(context: &mut VerbContext, id: LogIndex) -> Result<(), VerbError> {
    let session = context.user.session().map_err(RequestError::from)?;
    let limit = u16::try_from(REPLIES_PAGE_MAX).unwrap_or(u16::MAX);
    let mut after = None;
    loop {
        let read = context.user.read(Query::Thread { session, id, after, limit }).await?;
        let Page::Thread(page) = read.value else { return Err(RequestError::unexpected().into()) };
        if after.is_none() {
            page.above.iter().try_for_each(|croak| show(context, croak, ""))?;
            show(context, &ThreadCroak::Croak(page.croak), "")?;
        }
        for reply in &page.replies {
            show(context, &reply.croak, "  ")?;
            reply.replies.iter().try_for_each(|croak| show(context, croak, NESTED))?;
            if reply.more && !context.json {
                say(&format!("{NESTED}more: ribbit client thread {}", reply.id))?;
            }
        }
        match page.more {
            Some(more) => after = Some(more),
            None => return Ok(()),
        }
    }
}

fn show(context: &VerbContext, croak: &ThreadCroak, indent: &str) -> Result<(), VerbError> {
    match (croak, context.json) {
        (ThreadCroak::Croak(croak), true) => say(&person_json::croak(croak)),
        (ThreadCroak::Gap, true) => say(&json!({ "id": null }).to_string()),
        (ThreadCroak::Croak(croak), false) => {
            let text = lines::croak(croak, context.style);
            say(&text.lines().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join("\n"))
        }
        (ThreadCroak::Gap, false) => say(&format!("{indent}(a croak that was deleted or is not for you)")),
    }
}

async fn everyone(
    context: &mut VerbContext,
    before: Option<LogIndex>,
    limit: usize,
) -> Result<(), VerbError> {
    let session = context.user.session().map_err(RequestError::from)?;
    let (mut croaks, mut before): (Vec<FeedCroak>, _) = (Vec::new(), before);
    while croaks.len() < limit {
        let page_len = u16::try_from((limit - croaks.len()).min(FEED_PAGE_MAX)).unwrap_or(u16::MAX);
        let read = context.user.read(Query::Everyone { session, before, limit: page_len }).await?;
        let Page::Everyone { croaks: newest_first, older, .. } = read.value else {
            return Err(RequestError::unexpected().into());
        };
        croaks.extend(newest_first);
        match older {
            Some(_) => before = older,
            None => break,
        }
    }
    croaks.reverse();
    feed::show(context, &croaks)
}
