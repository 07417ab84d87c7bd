//! `login`, `logout`, `create`, `delete`.
//!
//! One session is stored per cluster. A new log-in first stores the new session and then ends the previous one.

use super::{Halt, Visit, typing, usage};
use crate::client::session::request_error::RequestError;
use crate::common::failure::Failure;
use ribbit_net::protocol::{NewAccount, Password};
use ribbit_state::text::{check_email, check_name, check_password, fold_username};
use ribbit_state::{Code, Denied, Field};
use serde_json::json;

pub async fn log_in(visit: &mut Visit, username: &str) -> Result<(), Halt> {
    let username = fold_username(username).map_err(RequestError::from)?;
    let password = typing::password(&format!("Password for @{username}: "))?;
    let account = enter(visit, &username, password).await?;
    let words = format!("logged in as @{username}");
    visit.tell(&words, &json!({ "account": account, "username": username }))
}

/// Opens and stores a session, ends the previous one, and returns the account id.
async fn enter(visit: &mut Visit, username: &str, password: Password) -> Result<u64, Halt> {
    let before = visit.person.clone();
    let account = visit.person.log_in(username, password).await?;
    if let Err(failure) = visit.person.save_new() {
        // A session that is not stored cannot be used again, so it is closed.
        let _ = visit.person.log_out().await;
        return Err(failure.into());
    }
    if let Err(stop) = before.log_out().await {
        log::warn!("the previous session is still open: {stop}");
    }
    Ok(account.0)
}

pub async fn log_out(visit: &mut Visit) -> Result<(), Halt> {
    visit.must_be_logged_in()?;
    let username = visit.person.username().unwrap_or_default().to_string();
    visit.person.log_out().await?;
    visit.person.discard()?;
    visit.tell(&format!("logged out of @{username}"), &json!({ "username": username }))
}

pub async fn create(
    visit: &mut Visit,
    username: &str,
    name: Option<&str>,
    email: Option<&str>,
) -> Result<(), Halt> {
    let username = fold_username(username).map_err(RequestError::from)?;
    let name = match name {
        Some(name) => name.to_string(),
        None => typing::line(&format!("Your name, as others see it [{username}]: "))?.unwrap_or_default(),
    };
    let name = if name.is_empty() { username.clone() } else { name };
    check_name(&name).map_err(RequestError::from)?;
    let email = match email {
        Some(email) => email.to_string(),
        None => typing::line("Email: ")?
            .ok_or_else(|| usage("the email address is missing; pass --email ADDRESS"))?,
    };
    check_email(&email).map_err(RequestError::from)?;
    let password = typing::new_password("Password (at least 8 characters): ")?;
    check_password(&password.0).map_err(RequestError::from)?;
    let form = NewAccount { name, username: username.clone(), email, password: password.clone() };
    visit.person.create(form).await?;
    let account = enter(visit, &username, password).await.map_err(|halt| match halt {
        Halt::Failed(Failure { exit, message }) => Failure::new(
            exit,
            format!("the account @{username} was created, but the log-in failed: {message}"),
        )
        .into(),
        other => other,
    })?;
    let words = format!("welcome, @{username}! Your account is ready, and you are logged in");
    visit.tell(&words, &json!({ "account": account, "username": username }))
}

pub async fn delete(visit: &mut Visit) -> Result<(), Halt> {
    visit.must_be_logged_in()?;
    let username = visit.person.username().unwrap_or_default().to_string();
    let prompt = format!(
        "This deletes @{username} and everything you wrote. It cannot be undone. Password for @{username}: "
    );
    let password = typing::password(&prompt)?;
    if password.0.is_empty() {
        return Err(RequestError::from(Denied::of(Code::WrongPassword, Field::Password)).into());
    }
    visit.person.delete(password).await?;
    visit.person.discard()?;
    visit.tell(&format!("deleted @{username}"), &json!({ "username": username, "deleted": true }))
}
