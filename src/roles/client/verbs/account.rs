//! `login`, `logout`, `create`, `reset`, `delete`.
//!
//! One session is stored per cluster. A new log-in first stores the new session and then ends the previous one.

use super::{VerbContext, VerbError, input, usage};
use crate::client::session::invitation_hash;
use crate::client::session::request_error::RequestError;
use crate::common::failure::Failure;
use ribbit_net::protocol::{Ask, NewAccount, Password};
use ribbit_net::secret::{code_hash, new_request_id};
use ribbit_state::text::{check_email, check_name, check_password, fold_username};
use ribbit_state::{Code, Denied, Field};
use serde_json::json;

/// Logs in with a password from the terminal or standard input.
pub(crate) async fn log_in(context: &mut VerbContext, username: &str) -> Result<(), VerbError> {
    let username = fold_username(username).map_err(RequestError::from)?;
    let password = input::password(&format!("Password for @{username}: "))?;
    let account = enter(context, &username, password).await?;
    let words = format!("logged in as @{username}");
    context.print(&words, &json!({ "account": account, "username": username }))
}

/// Sets a new password with the code of a one-time link, and logs in.
pub(crate) async fn reset(context: &mut VerbContext, username: &str) -> Result<(), VerbError> {
    let username = fold_username(username).map_err(RequestError::from)?;
    let typed = input::password(&format!("Code for @{username}: "))?;
    // A whole link is accepted, too.
    let typed = typed.0.rsplit('/').next().unwrap_or_default();
    let code = code_hash(typed).ok_or(RequestError::from(Denied::new(Code::LinkNotValid)))?;
    let password = input::new_password("New password (at least 8 characters): ")?;
    if check_password(&password.0).is_err() {
        return Err(RequestError::from(Denied::of(Code::InvalidEntry, Field::NewPassword)).into());
    }
    let (id, submitted_at) = (new_request_id(), context.user.seen_index());
    context.user.submit(Ask::ResetPassword { id, submitted_at, code, password: password.clone() }).await?;
    let account = enter(context, &username, password).await?;
    let words = format!("password changed; you are logged in as @{username}, and nowhere else");
    context.print(&words, &json!({ "account": account, "username": username }))
}

/// Opens and stores a session, ends the previous one, and returns the account id.
async fn enter(context: &mut VerbContext, username: &str, password: Password) -> Result<u64, VerbError> {
    let before = context.user.clone();
    let account = context.user.log_in(username, password).await?;
    if let Err(failure) = context.user.save_new() {
        // A session that is not stored cannot be used again, so it is closed.
        let _ = context.user.log_out().await;
        return Err(failure.into());
    }
    if let Err(error) = before.log_out().await {
        log::warn!("the previous session is still open: {error}");
    }
    Ok(account.0)
}

/// Ends the session on the servers and removes the stored session.
pub(crate) async fn log_out(context: &mut VerbContext) -> Result<(), VerbError> {
    context.require_session()?;
    let username = context.user.username().unwrap_or_default().to_string();
    context.user.log_out().await?;
    context.user.discard()?;
    context.print(&format!("logged out of @{username}"), &json!({ "username": username }))
}

/// Creates an account and logs in, unless the account waits for approval. Asks on the terminal for missing details.
pub(crate) async fn create(
    context: &mut VerbContext,
    username: &str,
    name: Option<&str>,
    email: Option<&str>,
    invitation: Option<&str>,
) -> Result<(), VerbError> {
    let username = fold_username(username).map_err(RequestError::from)?;
    let invitation = invitation.map(invitation_hash).transpose()?;
    let name = match name {
        Some(name) => name.to_string(),
        None => input::line(&format!("Your name, as others see it [{username}]: "))?.unwrap_or_default(),
    };
    let name = if name.is_empty() { username.clone() } else { name };
    check_name(&name).map_err(RequestError::from)?;
    let email = match email {
        Some(email) => email.to_string(),
        None => input::line("Email: ")?
            .ok_or_else(|| usage("the email address is missing; pass --email ADDRESS"))?,
    };
    check_email(&email).map_err(RequestError::from)?;
    let password = input::new_password("Password (at least 8 characters): ")?;
    check_password(&password.0).map_err(RequestError::from)?;
    let form = NewAccount { name, username: username.clone(), email, password: password.clone(), invitation };
    if !context.user.create(form).await? {
        let words = format!("asked for the account @{username}: you can log in once it is approved");
        return context.print(&words, &json!({ "username": username, "waiting": true }));
    }
    let account = enter(context, &username, password).await.map_err(|halt| match halt {
        VerbError::Failed(Failure { exit, message }) => Failure::new(
            exit,
            format!("the account @{username} was created, but the log-in failed: {message}"),
        )
        .into(),
        other => other,
    })?;
    let words = format!("welcome, @{username}! Your account is ready, and you are logged in");
    context.print(&words, &json!({ "account": account, "username": username }))
}

/// Deletes the account after a check of the password.
pub(crate) async fn delete(context: &mut VerbContext) -> Result<(), VerbError> {
    context.require_session()?;
    let username = context.user.username().unwrap_or_default().to_string();
    let prompt = format!(
        "This deletes @{username} and everything you wrote. It cannot be undone. Password for @{username}: "
    );
    let password = input::password(&prompt)?;
    if password.0.is_empty() {
        return Err(RequestError::from(Denied::of(Code::WrongPassword, Field::Password)).into());
    }
    context.user.delete(password).await?;
    context.user.discard()?;
    context.print(&format!("deleted @{username}"), &json!({ "username": username, "deleted": true }))
}
