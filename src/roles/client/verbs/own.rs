//! `uncroak`, `profile`, `passwd`, `sessions` and `end-session`: the user's own account.

use super::{Halt, Visit, say, typing};
use crate::client::session::request_error::RequestError;
use ribbit_net::protocol::Ask;
use ribbit_net::secret::new_request_id;
use ribbit_state::text::{check_email, check_name, check_password};
use ribbit_state::{AccountCommand, Code, Denied, Field, LogIndex, Page, Query};
use ribbit_ui::{lines, person_json};
use serde_json::json;

pub async fn take_back(visit: &mut Visit, croak: LogIndex) -> Result<(), Halt> {
    let session = visit.person.session().map_err(RequestError::from)?;
    visit.person.write(AccountCommand::RemoveCroak { session, croak }.into()).await?;
    visit.tell(&format!("deleted croak {croak}"), &json!({ "id": croak, "removed": true }))
}

pub async fn describe(visit: &mut Visit, name: Option<String>, email: Option<String>) -> Result<(), Halt> {
    let session = visit.person.session().map_err(RequestError::from)?;
    if let Some(name) = &name {
        check_name(name).map_err(RequestError::from)?;
    }
    if let Some(email) = &email {
        check_email(email).map_err(RequestError::from)?;
    }
    let json = json!({ "name": name, "email": email });
    visit.person.write(AccountCommand::Describe { session, name, email }.into()).await?;
    visit.tell("saved", &json)
}

pub async fn change_password(visit: &mut Visit) -> Result<(), Halt> {
    let session = visit.person.session().map_err(RequestError::from)?;
    let username = visit.person.username().unwrap_or_default().to_string();
    let old = typing::password(&format!("Current password for @{username}: "))?;
    let new = typing::new_password("New password (at least 8 characters): ")?;
    if check_password(&new.0).is_err() {
        return Err(RequestError::from(Denied::of(Code::InvalidEntry, Field::NewPassword)).into());
    }
    let (id, submitted_at) = (new_request_id(), visit.person.seen_index());
    visit.person.submit(Ask::ChangePassword { id, submitted_at, session, old, new }).await?;
    let words = "password changed; you are logged out everywhere else";
    visit.tell(words, &json!({ "username": username }))
}

pub async fn sessions(visit: &mut Visit) -> Result<(), Halt> {
    let session = visit.person.session().map_err(RequestError::from)?;
    let Page::Sessions(open) = visit.person.read(Query::Sessions { session }).await?.value else {
        return Err(RequestError::undecided_write(ribbit_net::protocol::Why::NotServing).into());
    };
    for one in &open {
        say(&if visit.json { person_json::session(one) } else { lines::session(one, visit.style) })?;
    }
    Ok(())
}

pub async fn end_session(visit: &mut Visit, opened: Option<LogIndex>) -> Result<(), Halt> {
    let session = visit.person.session().map_err(RequestError::from)?;
    let (command, words) = match opened {
        Some(opened) => (AccountCommand::EndSession { session, opened }, format!("ended session {opened}")),
        None => (AccountCommand::EndOtherSessions { session }, "ended all other sessions".to_string()),
    };
    visit.person.write(command.into()).await?;
    visit.tell(&words, &json!({ "opened": opened, "ended": true }))
}
