//! Requests that carry a password.

use super::{RequestTable, SESSION, TOKEN, denied, id, is_username, password};
use ribbit_net::frame::Plane;
use ribbit_net::protocol::{Ask, NewAccount};
use ribbit_state::limits::{EMAIL_CHARS_MAX, NAME_CHARS_MAX, PASSWORD_CHARS_MAX, USERNAME_CHARS_MAX};
use ribbit_state::{Code, Denied, Field, text};

/// Adds the requests that carry a password.
pub(super) fn asks_with_passwords(table: &mut RequestTable) {
    let (session, submitted_at) = (SESSION, 0);
    let invalid = |field| Denied::of(Code::InvalidEntry, field);
    let fine = || password("long enough");
    let no_such = denied(Code::NoSuchUser, Field::Username);
    table.text(Plane::Client, USERNAME_CHARS_MAX, is_username, no_such, |username| Ask::LogIn {
        id: id(),
        submitted_at,
        username,
        password: fine(),
        token: TOKEN,
        device: String::new(),
        app: None,
    });
    table.text(Plane::Control, USERNAME_CHARS_MAX, is_username, no_such, |username| Ask::SetPassword {
        id: id(),
        submitted_at,
        username,
        password: fine(),
    });
    let form = |name: &str, username: &str, email: &str, typed: &str| {
        let (name, username, email) = (name.to_string(), username.to_string(), email.to_string());
        let form = NewAccount { name, username, email, password: password(typed), invitation: Some(TOKEN) };
        Ask::CreateAccount { id: id(), submitted_at, form }
    };
    let (is_name, is_email) =
        (|text: &str| text::check_name(text).is_ok(), |text: &str| text::check_email(text).is_ok());
    table.text(Plane::Client, 4 * NAME_CHARS_MAX, is_name, invalid(Field::Name), |text| {
        form(&text, "eve", "a@b", "long enough")
    });
    table.text(Plane::Client, USERNAME_CHARS_MAX, is_username, invalid(Field::Username), |text| {
        form("n", &text, "a@b", "long enough")
    });
    table.text(Plane::Client, EMAIL_CHARS_MAX, is_email, invalid(Field::Email), |text| {
        form("n", "eve", &text, "long enough")
    });
    let is_new = |text: &str| text::check_password(text).is_ok();
    table.text(Plane::Client, 4 * PASSWORD_CHARS_MAX, is_new, invalid(Field::Password), |text| {
        form("n", "eve", "a@b", &text)
    });
    table.text(Plane::Control, 4 * PASSWORD_CHARS_MAX, is_new, invalid(Field::Password), |text| {
        Ask::SetPassword { id: id(), submitted_at, username: "unknown".into(), password: password(&text) }
    });
    table.text(Plane::Client, 4 * PASSWORD_CHARS_MAX, is_new, invalid(Field::NewPassword), |text| {
        Ask::ChangePassword { id: id(), submitted_at, session, old: fine(), new: password(&text) }
    });
    table.text(Plane::Client, 4 * PASSWORD_CHARS_MAX, is_new, invalid(Field::NewPassword), |text| {
        Ask::ResetPassword { id: id(), submitted_at, code: TOKEN, password: password(&text) }
    });
    let (wrong, may_be) =
        (denied(Code::WrongPassword, Field::Password), |text: &str| text.len() <= 4 * PASSWORD_CHARS_MAX);
    table.text(Plane::Client, 4 * PASSWORD_CHARS_MAX, may_be, wrong, |text| Ask::ChangePassword {
        id: id(),
        submitted_at,
        session,
        old: password(&text),
        new: fine(),
    });
    table.text(Plane::Client, 4 * PASSWORD_CHARS_MAX, may_be, wrong, |text| Ask::DeleteAccount {
        id: id(),
        submitted_at,
        session,
        password: password(&text),
    });
    table.text(Plane::Client, 4 * PASSWORD_CHARS_MAX, may_be, wrong, |text| Ask::Confirm {
        id: id(),
        submitted_at,
        session,
        password: password(&text),
    });
    table.text(Plane::Client, 4 * PASSWORD_CHARS_MAX, may_be, wrong, |text| Ask::LogIn {
        id: id(),
        submitted_at,
        username: "unknown".into(),
        password: password(&text),
        token: TOKEN,
        device: String::new(),
        app: None,
    });
}
