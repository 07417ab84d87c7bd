//! Who is at the terminal: the session that is kept, else a log-in, else a new account. Questions wait for their answers:
//! nothing else goes on meanwhile.

use crate::client::session::Person;
use crate::client::session::secret_line::{self, Typed};
use crate::client::session::stop::Stop;
use crate::common::editor::{LineEditor, Read};
use crate::common::failure::{Exit, Failure};
use ribbit_net::protocol::{NewAccount, Password};
use ribbit_state::text::{check_email, check_name, check_password, fold_username};
use ribbit_state::{Code, Denied};
use ribbit_ui::words;

/// Wrong passwords until it is given up.
const TRIES_MAX: u32 = 3;

/// How the session came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It was there: others may use it too.
    Before,
    /// Here, and it is kept for the next time.
    Here,
    /// Here, while somebody else's is kept: it ends with this process.
    Passing,
}

/// Sees to it that somebody is logged in, under the name that was given, if one was.
///
/// # Errors
/// 4: nobody is; 3: nobody answers.
pub async fn log_in(
    person: &mut Person,
    username: Option<&str>,
    editor: Option<&mut LineEditor>,
) -> Result<Opened, Failure> {
    let username =
        username.map(fold_username).transpose().map_err(|denied| Failure::from(Stop::from(denied)))?;
    let mut opened = Opened::Here;
    if let Some(kept) = person.username().map(str::to_string) {
        match person.me().await {
            Ok(_) if username.as_ref().is_none_or(|username| *username == kept) => return Ok(Opened::Before),
            Ok(_) => opened = Opened::Passing,
            // Ended elsewhere, or too old.
            Err(stop) if stop.lacks_session() => person.forget()?,
            Err(stop) => return Err(stop.into()),
        }
    }
    match (username, editor) {
        (Some(username), Some(editor)) => with_password(person, editor, &username).await?,
        (None, Some(editor)) => ask(person, editor).await?,
        (Some(username), None) => {
            let password = first_line()?;
            person.log_in(&username, Password(password)).await?;
        }
        (None, None) => {
            let words = "you are not logged in: `ribbit client login NAME` first, or `-u NAME` with the password as the first line";
            return Err(Failure::new(Exit::NotLoggedIn, words));
        }
    }
    if opened == Opened::Here {
        person.keep_new()?;
    }
    Ok(opened)
}

async fn ask(person: &mut Person, editor: &mut LineEditor) -> Result<(), Failure> {
    println!("Welcome to ribbit.");
    loop {
        let answer = line(editor, "log in (l), or create an account (c)? ")?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "c" | "create" => return create(person, editor, None).await,
            "l" | "login" | "log in" => {
                let username = checked(editor, "user name: ", fold_username)?;
                return with_password(person, editor, &username).await;
            }
            _ => println!("one letter, then Enter; Ctrl-D ends"),
        }
    }
}

/// Logs in with passwords that are asked for.
async fn with_password(person: &mut Person, editor: &mut LineEditor, username: &str) -> Result<(), Failure> {
    for _ in 0..TRIES_MAX {
        let password = secret(editor, &format!("password of @{username}: "))?;
        match person.log_in(username, Password(password)).await {
            Ok(_) => return Ok(()),
            Err(Stop::Denied(Denied { code: Code::NoSuchUser, .. })) => {
                let question = format!("there is no @{username} here yet: create that account? [y/N] ");
                return match line(editor, &question)?.trim() {
                    "y" | "Y" | "yes" => create(person, editor, Some(username.to_string())).await,
                    _ => Err(nobody()),
                };
            }
            Err(stop @ Stop::Denied(Denied { code: Code::WrongPassword, .. })) => println!("{stop}"),
            Err(stop) => return Err(stop.into()),
        }
    }
    Err(nobody())
}

/// Makes an account and logs in to it.
async fn create(
    person: &mut Person,
    editor: &mut LineEditor,
    mut username: Option<String>,
) -> Result<(), Failure> {
    loop {
        let username = match username.take() {
            Some(username) => username,
            None => checked(editor, "user name, by which others find you: ", fold_username)?,
        };
        let name = match line(editor, &format!("your name, as others see it [{username}]: "))? {
            name if name.trim().is_empty() => username.clone(),
            name => match check_name(&name) {
                Ok(name) => name,
                Err(denied) => {
                    println!("{}", words::denied(denied));
                    checked(editor, "your name, as others see it: ", check_name)?
                }
            },
        };
        let email = checked(editor, "email: ", check_email)?;
        let password = new_password(editor)?;
        let form =
            NewAccount { name, username: username.clone(), email, password: Password(password.clone()) };
        match person.create(form).await {
            Ok(_) => {
                println!("welcome, @{username}: your account is there");
                person.log_in(&username, Password(password)).await?;
                return Ok(());
            }
            Err(stop @ Stop::Denied(Denied { code: Code::UsernameTaken, .. })) => {
                println!("{stop}: choose another one");
            }
            Err(stop) => return Err(stop.into()),
        }
    }
}

fn new_password(editor: &mut LineEditor) -> Result<String, Failure> {
    loop {
        let password = secret(editor, "password (8 characters or more): ")?;
        if let Err(denied) = check_password(&password) {
            println!("{}", words::denied(denied));
            continue;
        }
        if secret(editor, "the same once more: ")? == password {
            return Ok(password);
        }
        println!("these were not the same");
    }
}

/// Asks until the answer is valid.
fn checked(
    editor: &mut LineEditor,
    question: &str,
    check: fn(&str) -> Result<String, Denied>,
) -> Result<String, Failure> {
    loop {
        match check(&line(editor, question)?) {
            Ok(answer) => return Ok(answer),
            Err(denied) => println!("{}", words::denied(denied)),
        }
    }
}

fn line(editor: &mut LineEditor, question: &str) -> Result<String, Failure> {
    answer(editor.ask(&question.to_string())?)
}

fn secret(editor: &mut LineEditor, question: &str) -> Result<String, Failure> {
    answer(editor.ask_secret(&question.to_string())?)
}

fn answer(read: Read) -> Result<String, Failure> {
    match read {
        Read::Line(line) => Ok(line),
        Read::Interrupted | Read::Ended => Err(nobody()),
    }
}

/// Of a script, which hands over its password before anything else.
fn first_line() -> Result<String, Failure> {
    match secret_line::ask("") {
        Ok(Typed::Line(line)) => Ok(line),
        Ok(_) => Err(nobody()),
        Err(error) => Err(Failure::new(Exit::Refused, format!("the password cannot be read: {error}"))),
    }
}

fn nobody() -> Failure {
    Failure::new(Exit::NotLoggedIn, "nobody is logged in")
}
