//! `uncroak`, `profile`, `passwd`, `sessions` and `end-session`: the user's own account.

use super::{VerbContext, VerbError, input, say};
use crate::client::profile_arguments::ProfileArgs;
use crate::client::session::request_error::RequestError;
use ribbit_net::protocol::Ask;
use ribbit_net::secret::new_request_id;
use ribbit_state::text::check_password;
use ribbit_state::{AccountChanges, AccountCommand, Code, Denied, Field, LogIndex, Page, Query};
use ribbit_ui::{lines, person_json};
use serde_json::json;

/// Deletes one of the user's croaks.
pub(crate) async fn delete_croak(context: &mut VerbContext, croak: LogIndex) -> Result<(), VerbError> {
    let session = context.user.session().map_err(RequestError::from)?;
    context.user.write(AccountCommand::RemoveCroak { session, croak }.into()).await?;
    context.print(&format!("deleted croak {croak}"), &json!({ "id": croak, "removed": true }))
}

/// Shows a profile, or changes the user's own.
pub(crate) async fn profile(context: &mut VerbContext, arguments: &ProfileArgs) -> Result<(), VerbError> {
    let changes = arguments.changes();
    if changes == AccountChanges::default() {
        return show_profile(context, arguments.username.as_deref()).await;
    }
    let session = context.user.session().map_err(RequestError::from)?;
    if let Some(denied) = changes.refusals().into_iter().next() {
        return Err(RequestError::from(denied).into());
    }
    let AccountChanges { name, bio, links, avatar, email, audience } = &changes;
    let avatar = avatar.map(|avatar| avatar.to_string());
    let json = json!({
        "name": name, "bio": bio, "links": links, "avatar": avatar, "email": email, "audience": audience,
    });
    context.user.write(AccountCommand::Describe { session, changes }.into()).await?;
    context.print("saved", &json)
}

/// Shows the profile of a user; without a name, the user's own with what only they see.
async fn show_profile(context: &mut VerbContext, username: Option<&str>) -> Result<(), VerbError> {
    context.require_session()?;
    let own = context.user.username().unwrap_or_default().to_string();
    let (profile, pinned) = context.user.profile_of(username.unwrap_or(&own)).await?;
    let account = match username {
        Some(_) => None,
        None => Some(context.user.account().await?),
    };
    say(&match (context.json, &account) {
        (true, _) => person_json::profile(&profile, pinned.as_ref(), account.as_ref()),
        (false, None) => lines::profile(&profile, pinned.as_ref(), context.style),
        (false, Some(account)) => {
            let profile = lines::profile(&profile, pinned.as_ref(), context.style);
            format!("{profile}\n{}", lines::own_settings(account))
        }
    })
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
