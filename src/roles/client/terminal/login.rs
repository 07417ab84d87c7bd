//! Log-in at the start of the terminal client: the stored session, otherwise a log-in, otherwise a new account. Nothing else
//! runs while a question waits for its answer.

use crate::client::session::request_error::RequestError;
use crate::client::session::{UserSession, invitation_hash};
use crate::common::editor::{LineEditor, LineInput};
use crate::common::failure::{Exit, Failure};
use crate::common::secret_input::{self, SecretInput};
use ribbit_net::protocol::{NewAccount, Password};
use ribbit_state::text::{check_email, check_name, check_password, fold_username};
use ribbit_state::{Code, Denied};
use ribbit_ui::words;

/// Number of password attempts before the client exits.
const TRIES_MAX: u32 = 3;

/// Origin of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionOrigin {
    /// Stored by an earlier process; other processes may use it too.
    Stored,
    /// Opened here and stored for the next process.
    New,
    /// Opened here while the session of another user is stored; it ends with this process.
    Temporary,
}

/// Logs in, under `username` if it is given.
///
/// # Errors
/// - `NotLoggedIn` (4) when the user cancels, or a script has no session and gives no user name.
/// - `Unreachable` (3) when no server answers.
/// - `Refused` (1) when the password is wrong in a script, or the session cannot be stored.
pub(crate) async fn log_in(
    user: &mut UserSession,
    username: Option<&str>,
    editor: Option<&mut LineEditor>,
) -> Result<SessionOrigin, Failure> {
    let username = username
        .map(fold_username)
        .transpose()
        .map_err(|denied| Failure::from(RequestError::from(denied)))?;
    let mut origin = SessionOrigin::New;
    if let Some(stored) = user.username().map(str::to_string) {
        match user.profile().await {
            Ok(_) if username.as_ref().is_none_or(|username| *username == stored) => {
                return Ok(SessionOrigin::Stored);
            }
            Ok(_) => origin = SessionOrigin::Temporary,
            // The stored session has expired or was ended elsewhere.
            Err(error) if error.lacks_session() => user.discard()?,
            Err(error) => return Err(error.into()),
        }
    }
    match (username, editor) {
        (Some(username), Some(editor)) => with_password(user, editor, &username).await?,
        (None, Some(editor)) => ask(user, editor).await?,
        (Some(username), None) => {
            let password = first_line()?;
            user.log_in(&username, Password(password)).await?;
        }
        (None, None) => {
            let words = "you are not logged in; run `ribbit client login NAME` first, or use `-u NAME` with the password as the first input line";
            return Err(Failure::new(Exit::NotLoggedIn, words));
        }
    }
    if origin == SessionOrigin::New {
        user.save_new()?;
    }
    Ok(origin)
}

async fn ask(user: &mut UserSession, editor: &mut LineEditor) -> Result<(), Failure> {
    println!("Welcome to ribbit!");
    loop {
        let answer = line(editor, "log in (l) or create an account (c)? ")?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "c" | "create" => return create(user, editor, None).await,
            "l" | "login" | "log in" => {
                let username = checked(editor, "user name: ", fold_username)?;
                return with_password(user, editor, &username).await;
            }
            _ => println!("type l or c, then press Enter (Ctrl-D quits)"),
        }
    }
}

/// Asks for the password and logs in.
async fn with_password(
    user: &mut UserSession,
    editor: &mut LineEditor,
    username: &str,
) -> Result<(), Failure> {
    for _ in 0..TRIES_MAX {
        let password = secret(editor, &format!("password for @{username}: "))?;
        match user.log_in(username, Password(password)).await {
            Ok(_) => return Ok(()),
            Err(RequestError::Denied(Denied { code: Code::NoSuchUser, .. })) => {
                let question = format!("there is no account @{username} yet. Create it? [y/N] ");
                return match line(editor, &question)?.trim() {
                    "y" | "Y" | "yes" => create(user, editor, Some(username.to_string())).await,
                    _ => Err(not_logged_in()),
                };
            }
            Err(error @ RequestError::Denied(Denied { code: Code::WrongPassword, .. })) => {
                println!("{error}");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(not_logged_in())
}

/// Asks for the details of a new account, creates it and logs in.
async fn create(
    user: &mut UserSession,
    editor: &mut LineEditor,
    mut username: Option<String>,
) -> Result<(), Failure> {
    let mut invitation = None;
    loop {
        let username = match username.take() {
            Some(username) => username,
            None => checked(editor, "user name (others find you by it): ", fold_username)?,
        };
        let name = match line(editor, &format!("your name, as others see it [{username}]: "))? {
            name if name.trim().is_empty() => username.clone(),
            name => match check_name(&name) {
                Ok(name) => name,
                Err(denied) => {
                    println!("{}", hint(denied));
                    checked(editor, "your name, as others see it: ", check_name)?
                }
            },
        };
        let email = checked(editor, "email: ", check_email)?;
        let password = new_password(editor)?;
        let form = NewAccount {
            name,
            username: username.clone(),
            email,
            password: Password(password.clone()),
            invitation,
        };
        match user.create(form).await {
            Ok(true) => {
                println!("welcome, @{username}! Your account is ready.");
                user.log_in(&username, Password(password)).await?;
                return Ok(());
            }
            Ok(false) => {
                println!("@{username}, your account is waiting for approval. Log in once it is approved.");
                return Err(not_logged_in());
            }
            Err(error @ RequestError::Denied(Denied { code: Code::InvitationNeeded, .. })) => {
                println!("{error}");
                let code = line(editor, "code or link of your invitation: ")?;
                match invitation_hash(&code) {
                    Ok(code) => invitation = Some(code),
                    Err(error) => println!("{error}"),
                }
            }
            Err(error @ RequestError::Denied(Denied { code: Code::UsernameTaken, .. })) => {
                println!("{error}: please choose another one");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn new_password(editor: &mut LineEditor) -> Result<String, Failure> {
    loop {
        let password = secret(editor, "password (at least 8 characters): ")?;
        if let Err(denied) = check_password(&password) {
            println!("{}", hint(denied));
            continue;
        }
        if secret(editor, "repeat the password: ")? == password {
            return Ok(password);
        }
        println!("the two passwords do not match");
    }
}

/// Repeats the question until the answer is valid.
fn checked(
    editor: &mut LineEditor,
    question: &str,
    check: fn(&str) -> Result<String, Denied>,
) -> Result<String, Failure> {
    loop {
        match check(&line(editor, question)?) {
            Ok(answer) => return Ok(answer),
            Err(denied) => println!("{}", hint(denied)),
        }
    }
}

fn line(editor: &mut LineEditor, question: &str) -> Result<String, Failure> {
    answer(editor.ask(&question.to_string())?)
}

fn secret(editor: &mut LineEditor, question: &str) -> Result<String, Failure> {
    answer(editor.ask_secret(&question.to_string())?)
}

fn answer(read: LineInput) -> Result<String, Failure> {
    match read {
        LineInput::Line(line) => Ok(line),
        LineInput::Interrupted | LineInput::Ended => Err(not_logged_in()),
    }
}

/// Reads the password of a script, which is the first line of standard input.
fn first_line() -> Result<String, Failure> {
    match secret_input::ask("") {
        Ok(SecretInput::Line(line)) => Ok(line),
        Ok(_) => Err(not_logged_in()),
        Err(error) => Err(Failure::new(Exit::Refused, format!("the password cannot be read: {error}"))),
    }
}

/// Returns what to enter instead of an invalid answer. The prompt names the field, so the hint does not.
fn hint(denied: Denied) -> String {
    match denied {
        Denied { code: Code::InvalidEntry, field: Some(field) } => words::invalid(field),
        _ => words::denied(denied),
    }
}

fn not_logged_in() -> Failure {
    Failure::new(Exit::NotLoggedIn, "you are not logged in")
}
