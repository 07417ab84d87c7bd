//! `uncroak`, `profile`, `passwd`, `sessions` and `end-session`: the user's own account.

use super::{VerbContext, VerbError, input, say};
use crate::client::session::request_error::RequestError;
use ribbit_net::protocol::Ask;
use ribbit_net::secret::new_request_id;
use ribbit_state::text::{check_email, check_name, check_password};
use ribbit_state::{AccountCommand, Code, Denied, Field, LogIndex, Page, Query};
use ribbit_ui::{lines, person_json};
use serde_json::json;

/// Deletes one of the user's croaks.
pub(crate) async fn delete_croak(context: &mut VerbContext, croak: LogIndex) -> Result<(), VerbError> {
    let session = context.user.session().map_err(RequestError::from)?;
    context.user.write(AccountCommand::RemoveCroak { session, croak }.into()).await?;
    context.print(&format!("deleted croak {croak}"), &json!({ "id": croak, "removed": true }))
}

/// Changes the display name, the email address or both.
pub(crate) async fn change_profile(
    context: &mut VerbContext,
    name: Option<String>,
    email: Option<String>,
) -> Result<(), VerbError> {
    let session = context.user.session().map_err(RequestError::from)?;
    if let Some(name) = &name {
        check_name(name).map_err(RequestError::from)?;
    }
    if let Some(email) = &email {
        check_email(email).map_err(RequestError::from)?;
    }
    let json = json!({ "name": name, "email": email });
    context.user.write(AccountCommand::Describe { session, name, email }.into()).await?;
    context.print("saved", &json)
}

/// Changes the password, which ends all other sessions.
pub(crate) async fn change_password(context: &mut VerbContext) -> Result<(), VerbError> {
    let session = context.user.session().map_err(RequestError::from)?;
    let username = context.user.username().unwrap_or_default().to_string();
    let old = input::password(&format!("Current password for @{username}: "))?;
    let new = input::new_password("New password (at least 8 characters): ")?;
    if check_password(&new.0).is_err() {
        return Err(RequestError::from(Denied::of(Code::InvalidEntry, Field::NewPassword)).into());
    }
    let (id, submitted_at) = (new_request_id(), context.user.seen_index());
    context.user.submit(Ask::ChangePassword { id, submitted_at, session, old, new }).await?;
    let words = "password changed; you are logged out everywhere else";
    context.print(words, &json!({ "username": username }))
}

/// Lists the open sessions.
pub(crate) async fn sessions(context: &mut VerbContext) -> Result<(), VerbError> {
    let session = context.user.session().map_err(RequestError::from)?;
    let Page::Sessions(open) = context.user.read(Query::Sessions { session }).await?.value else {
        return Err(RequestError::undecided_write(ribbit_net::protocol::UnavailableReason::NotServing).into());
    };
    for one in &open {
        say(&if context.json { person_json::session(one) } else { lines::session(one, context.style) })?;
    }
    Ok(())
}

/// Ends the session opened at `opened`, or without it all other sessions.
pub(crate) async fn end_session(
    context: &mut VerbContext,
    opened: Option<LogIndex>,
) -> Result<(), VerbError> {
    let session = context.user.session().map_err(RequestError::from)?;
    let (command, words) = match opened {
        Some(opened) => (AccountCommand::EndSession { session, opened }, format!("ended session {opened}")),
        None => (AccountCommand::EndOtherSessions { session }, "ended all other sessions".to_string()),
    };
    context.user.write(command.into()).await?;
    context.print(&words, &json!({ "opened": opened, "ended": true }))
}
