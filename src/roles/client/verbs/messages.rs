//! `post`, `dm` and `inbox`.
//!
//! `inbox` marks messages as delivered and read only after they were written to standard output. Messages that could not be
//! written stay unread.

use super::{VerbContext, VerbError, input, say};
use crate::client::session::queries::UnreadMessage;
use crate::client::shared_arguments::{PostArgs, joined};
use ribbit_state::limits::TALK_PAGE_MAX;
use ribbit_state::query::TalkMessage;
use ribbit_state::query::{Person, TalkPartner};
use ribbit_state::text::fold_username;
use ribbit_state::{AccountId, LogIndex};
use ribbit_ui::{lines, person_json};
use serde_json::json;
use std::collections::BTreeMap;

/// Posts a croak: the given text, or standard input.
pub(crate) async fn post(context: &mut VerbContext, arguments: &PostArgs) -> Result<(), VerbError> {
    context.require_session()?;
    let text = input::text(joined(&arguments.text.text).as_deref())?;
    let id = context.user.post(&text, arguments.audience).await?;
    context.print(&format!("posted croak {id}"), &json!({ "id": id }))
}

/// Sends a direct message: the given text, or standard input.
pub(crate) async fn message(
    context: &mut VerbContext,
    username: &str,
    text: Option<&str>,
) -> Result<(), VerbError> {
    context.require_session()?;
    let text = input::text(text)?;
    let id = context.user.send(username, &text).await?;
    let to = fold_username(username).unwrap_or_default();
    context.print(&format!("sent message {id}: saved"), &json!({ "id": id, "to": to, "fate": "saved" }))
}

/// Shows the unread messages, or with `with` the newest messages of one conversation. Marks them as read unless `keep` is set.
pub(crate) async fn inbox(
    context: &mut VerbContext,
    with: Option<&str>,
    keep: bool,
    limit: usize,
) -> Result<(), VerbError> {
    context.require_session()?;
    match with {
        Some(username) => conversation(context, username, keep, limit).await,
        None => unread(context, keep).await,
    }
}

/// Shows the unread messages of all conversations.
async fn unread(context: &VerbContext, keep: bool) -> Result<(), VerbError> {
    let me = context.user.profile().await?;
    let waiting = context.user.unread_messages().await?;
    if waiting.is_empty() && !context.json {
        return say("no unread messages");
    }
    let mut shown: BTreeMap<AccountId, LogIndex> = BTreeMap::new();
    for UnreadMessage { talk, message } in &waiting {
        show(context, message, talk.with.as_ref(), &me)?;
        shown.insert(talk.with_account, message.id);
    }
    if !keep {
        for (with, through) in shown {
            context.user.mark(with, through, through).await?;
        }
    }
    Ok(())
}

/// Shows the newest `limit` messages of one conversation.
async fn conversation(
    context: &VerbContext,
    username: &str,
    keep: bool,
    limit: usize,
) -> Result<(), VerbError> {
    let (mut messages, mut before) = (Vec::new(), None);
    let page = loop {
        let whom = TalkPartner::Named(username.to_string());
        let mut page =
            context.user.conversation(whom, before, (limit - messages.len()).min(TALK_PAGE_MAX)).await?;
        messages.append(&mut page.messages);
        if page.older.is_none() || messages.len() >= limit {
            break page;
        }
        before = page.older;
    };
    for message in messages.iter().rev() {
        show(context, message, page.with.as_ref(), &page.me)?;
    }
    // Marks are cumulative, so the conversation is marked only if all unread messages were shown.
    let unread = messages.iter().filter(|it| !it.mine && it.id > page.read_through);
    let shown = unread.clone().count();
    if let Some(newest) = unread.map(|it| it.id).max().filter(|_| !keep && shown >= page.waiting as usize) {
        context.user.mark(page.with_account, newest, newest).await?;
    }
    Ok(())
}

fn show(
    context: &VerbContext,
    message: &TalkMessage,
    with: Option<&Person>,
    me: &Person,
) -> Result<(), VerbError> {
    say(&match context.json {
        true => person_json::message(message, with, me),
        false => lines::message(message, with, me, context.style),
    })
}
