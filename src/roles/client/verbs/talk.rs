//! `post`, `dm` and `inbox`.
//!
//! `inbox` marks messages as delivered and read only after they were written to standard output. Messages that could not be
//! written stay unread.

use super::{Halt, Visit, say, typing};
use crate::client::session::queries::UnreadMessage;
use ribbit_state::limits::TALK_PAGE_MAX;
use ribbit_state::query::{Person, TalkPartner};
use ribbit_state::talks::TalkMessage;
use ribbit_state::text::fold_username;
use ribbit_state::{AccountId, LogIndex};
use ribbit_ui::{lines, person_json};
use serde_json::json;
use std::collections::BTreeMap;

pub async fn post(visit: &mut Visit, text: Option<&str>) -> Result<(), Halt> {
    visit.must_be_logged_in()?;
    let text = typing::text(text)?;
    let id = visit.person.post(&text).await?;
    visit.tell(&format!("posted croak {id}"), &json!({ "id": id }))
}

pub async fn message(visit: &mut Visit, username: &str, text: Option<&str>) -> Result<(), Halt> {
    visit.must_be_logged_in()?;
    let text = typing::text(text)?;
    let id = visit.person.send(username, &text).await?;
    let to = fold_username(username).unwrap_or_default();
    visit.tell(&format!("sent message {id}: saved"), &json!({ "id": id, "to": to, "fate": "saved" }))
}

pub async fn inbox(visit: &mut Visit, with: Option<&str>, keep: bool, limit: usize) -> Result<(), Halt> {
    visit.must_be_logged_in()?;
    match with {
        Some(username) => talk(visit, username, keep, limit).await,
        None => unread(visit, keep).await,
    }
}

/// Shows the unread messages of all conversations.
async fn unread(visit: &Visit, keep: bool) -> Result<(), Halt> {
    let me = visit.person.profile().await?;
    let waiting = visit.person.unread_messages().await?;
    if waiting.is_empty() && !visit.json {
        return say("no unread messages");
    }
    let mut shown: BTreeMap<AccountId, LogIndex> = BTreeMap::new();
    for UnreadMessage { talk, message } in &waiting {
        show(visit, message, talk.with.as_ref(), &me)?;
        shown.insert(talk.with_account, message.id);
    }
    if !keep {
        for (with, through) in shown {
            visit.person.mark(with, through, through).await?;
        }
    }
    Ok(())
}

/// Shows the newest `limit` messages of one conversation.
async fn talk(visit: &Visit, username: &str, keep: bool, limit: usize) -> Result<(), Halt> {
    let (mut messages, mut before) = (Vec::new(), None);
    let page = loop {
        let whom = TalkPartner::Named(username.to_string());
        let mut page =
            visit.person.conversation(whom, before, (limit - messages.len()).min(TALK_PAGE_MAX)).await?;
        messages.append(&mut page.messages);
        if page.older.is_none() || messages.len() >= limit {
            break page;
        }
        before = page.older;
    };
    for message in messages.iter().rev() {
        show(visit, message, page.with.as_ref(), &page.me)?;
    }
    // Marks are cumulative, so the conversation is marked only if all unread messages were shown.
    let unread = messages.iter().filter(|it| !it.mine && it.id > page.read_through);
    let shown = unread.clone().count();
    if let Some(newest) = unread.map(|it| it.id).max().filter(|_| !keep && shown >= page.waiting as usize) {
        visit.person.mark(page.with_account, newest, newest).await?;
    }
    Ok(())
}

fn show(visit: &Visit, message: &TalkMessage, with: Option<&Person>, me: &Person) -> Result<(), Halt> {
    say(&match visit.json {
        true => person_json::message(message, with, me),
        false => lines::message(message, with, me, visit.style),
    })
}
