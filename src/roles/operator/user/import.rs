//! `user import` and `user export`: accounts from a table, and a table of accounts.
//!
//! ```text
//!   people.csv ──▶ rows ──▶ checked against the rules and the cluster ──▶ all errors, and nothing is written
//!                                                                    └──▶ CreateWithLink, row by row ──▶ links
//! ```
//!
//! Each row is one command, so an account is there with its rooms and role or not at all. Accounts that exist are left, so an
//! import that was interrupted is repeated. A link is written as soon as its account exists; it is known nowhere else.

use super::link_files::LinkFiles;
use super::links::Link;
use super::{Operator, RESET_PATH};
use crate::client::arguments::OutputArgs;
use crate::client::session::request_error::RequestError;
use crate::client::verbs::{VerbError, say};
use crate::common::cluster_selection::ClusterFlags;
use crate::common::csv;
use crate::common::failure::{Exit, Failure};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use ribbit_net::secret::{new_code, to_hex, token_hash};
use ribbit_state::command::NewPerson;
use ribbit_state::limits::ROOMS_AT_CREATION_MAX;
use ribbit_state::query::{AccountSummary, OperatorQuery};
use ribbit_state::rows::Credential;
use ribbit_state::text::{check_email, check_name, fold_room_name, fold_username};
use ribbit_state::{AccountId, AccountRole, OperatorCommand, Page};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Arguments of `user import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Table in CSV, or - for standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// Check the table and say what would be done, without doing it
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub dry_run: bool,
    /// Write the one-time links to this new file, for its owner only, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub links: Option<PathBuf>,
    /// Write a page to this new file, for its owner only: a card with a QR code for each person, to print and cut apart
    #[arg(long, value_name = "FILE", requires = "pages")]
    pub cards: Option<PathBuf>,
    /// Replace existing files of links
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub force: bool,
    /// Address of the pages, for whole links
    #[arg(long, value_name = "URL")]
    pub pages: Option<String>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Text below the flags in `--help`.
pub(super) const IMPORT_HELP: &str = "\
The first row names the columns, in any order: username is needed; name, email,
room and role may be there. A room must exist; several are separated by spaces.
Everything is checked before anything is done, and every error is shown with its
line. Accounts that exist are left as they are, so an import may be repeated. Each
new account gets a one-time link, as `ribbit user create` makes it.

Examples:
  ribbit user import people.csv --dry-run
  ribbit user import people.csv --links links.csv --pages http://board1:8080
  ribbit user import people.csv --cards cards.html --pages http://board1:8080

  name,username,email,room,role
  Ada L,ada,ada@pond.example,pond,moderator
  Bob,bob,,\"pond reeds\",";

/// Text below the flags in `--help`.
pub(super) const EXPORT_HELP: &str = "\
The table has the columns of `ribbit user import`, without passwords and links.

Examples:
  ribbit user export > people.csv
  ribbit user export --json
    {\"name\":\"…\",\"username\":\"…\",\"email\":\"…\",\"rooms\":[\"…\"],\"role\":\"person\"}";

/// Maximum size of a table, in bytes.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Maximum number of errors that are shown.
const ERRORS_SHOWN_MAX: usize = 100;
/// Columns of a table.
const COLUMNS: [&str; 5] = ["name", "username", "email", "room", "role"];

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct PersonRow {
    line: usize,
    person: NewPerson,
}

/// Error of a line.
type LineError = (usize, String);

impl Operator {
    pub(super) async fn import(&self, arguments: ImportArgs) -> Result<(), VerbError> {
        let ImportArgs { file, dry_run, links, cards, force, pages, cluster: _ } = arguments;
        let shown = file.display().to_string();
        let (people, mut errors) =
            people(&read(&file)?).map_err(|error| refused(&format!("{shown}: {error}")))?;
        let known: BTreeMap<String, AccountSummary> = self
            .accounts("*", false)
            .await?
            .into_iter()
            .map(|account| (account.person.username.clone(), account))
            .collect();
        errors.extend(missing_rooms(&people, &self.room_names(None).await?));
        let waiting = self.waiting_usernames().await?;
        let asked = people.iter().filter(|row| waiting.contains(&row.person.username));
        errors.extend(asked.map(|row| {
            let username = &row.person.username;
            (row.line, format!("username: {username} waits for approval: ribbit user approve {username}"))
        }));
        errors.sort();
        if !errors.is_empty() {
            let lines = errors.iter().take(ERRORS_SHOWN_MAX);
            lines.for_each(|(line, what)| eprintln!("{shown}:{line}: {what}"));
            let words = match errors.len() {
                1 => "1 error".to_string(),
                count => format!("{count} errors"),
            };
            return Err(refused(&format!("{shown} has {words}: nothing was done")));
        }
        let (old, new): (Vec<_>, Vec<_>) =
            people.into_iter().partition(|row| known.contains_key(&row.person.username));
        let old: Vec<&str> = old.iter().map(|row| row.person.username.as_str()).collect();
        let unused = old.iter().filter(|username| known[**username].credential == Credential::Nothing);
        let unused: Vec<&str> = unused.copied().collect();
        if !old.is_empty() {
            eprintln!("{} exist already and are left as they are", accounts(old.len()));
        }
        if !unused.is_empty() {
            eprintln!(
                "the links of {} of them have not been used; if one is lost: ribbit user reset {}",
                unused.len(),
                unused.join(", ")
            );
        }
        if dry_run {
            return say(&format!("{} would be created; nothing was done", accounts(new.len())));
        }
        let mut links = LinkFiles::begin(links.as_deref(), cards.as_deref(), force)?;
        for PersonRow { line, person } in &new {
            let code = new_code();
            let command =
                OperatorCommand::CreateWithLink { person: Box::new(person.clone()), code: token_hash(&code) };
            self.write(command.into()).await.map_err(|error| {
                let Failure { exit, message } = error.into();
                let text = format!(
                    "{shown}:{line}: {message}. The accounts of the lines before it were created; import the table \
                     again for the others"
                );
                Failure::new(exit, text)
            })?;
            let link = Link { path: RESET_PATH, code: to_hex(&code), pages: pages.as_deref(), qr: false };
            links.add(&person.name, &person.username, &link.address())?;
        }
        links.finish()?;
        eprintln!("created {}; each link works once, within 30 days", accounts(new.len()));
        Ok(())
    }

    pub(super) async fn export(&self, output: &OutputArgs) -> Result<(), VerbError> {
        let accounts = self.accounts("*", true).await?;
        if !output.json {
            say(&csv::line(&COLUMNS))?;
        }
        for AccountSummary { person, email, role, .. } in accounts {
            let rooms = self.room_names(Some(person.account)).await?;
            let (name, username) = (&person.name, &person.username);
            let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
            say(&match output.json {
                true => json!({ "name": name, "username": username, "email": email, "rooms": rooms, "role": role.name() })
                    .to_string(),
                false => csv::line(&[name, username, &email, &rooms.join(" "), role.name()]),
            })?;
        }
        Ok(())
    }

    /// Returns the user names for which people have asked, and which no other account can have meanwhile.
    async fn waiting_usernames(&self) -> Result<BTreeSet<String>, RequestError> {
        let (mut all, mut after) = (BTreeSet::new(), None);
        loop {
            let page = self.read_on(OperatorQuery::JoinRequests { after }.into()).await?;
            let Page::JoinRequests { requests, more } = page else {
                return Err(RequestError::unexpected());
            };
            all.extend(requests.into_iter().map(|request| request.username));
            match more {
                Some(_) => after = more,
                None => return Ok(all),
            }
        }
    }

    /// Returns the names of all rooms, or of those that an account is in.
    async fn room_names(&self, of: Option<AccountId>) -> Result<BTreeSet<String>, RequestError> {
        let (mut all, mut after) = (BTreeSet::new(), None);
        loop {
            let Page::RoomNames { names, more } =
                self.read_on(OperatorQuery::RoomNames { of, after }.into()).await?
            else {
                return Err(RequestError::unexpected());
            };
            all.extend(names);
            match more {
                Some(_) => after = more,
                None => return Ok(all),
            }
        }
    }
}

fn accounts(count: usize) -> String {
    if count == 1 { "1 account".to_string() } else { format!("{count} accounts") }
}

fn refused(message: &str) -> VerbError {
    Failure::new(Exit::Refused, message).into()
}

fn read(file: &Path) -> Result<String, VerbError> {
    let mut bytes = Vec::new();
    let read = match file == Path::new("-") {
        true => io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes),
        false => File::open(file).and_then(|it| it.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)),
    };
    let file = file.display();
    match read {
        Err(error) => Err(refused(&format!("cannot read {file}: {error}"))),
        Ok(_) if bytes.len() as u64 > FILE_BYTES_MAX => Err(refused(&format!("{file} is longer than 8 MiB"))),
        Ok(_) => String::from_utf8(bytes)
            .map_err(|_| refused(&format!("{file} is not UTF-8: save it as \"CSV UTF-8\""))),
    }
}

/// Returns the people of a table, and the errors of its lines.
///
/// # Errors
/// The text is no table, or its first row does not name the columns.
fn people(text: &str) -> Result<(Vec<PersonRow>, Vec<LineError>), String> {
    let records = csv::records(text).map_err(|error| error.to_string())?;
    let Some((head, rows)) = records.split_first() else { return Err("the table is empty".to_string()) };
    let columns = columns(&head.fields)?;
    let (mut people, mut errors) = (Vec::new(), Vec::new());
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        if row.fields.len() > head.fields.len() {
            errors.push((row.line, "the row has more fields than the first row".to_string()));
            continue;
        }
        match person(row.line, |column| {
            columns[column].and_then(|at| row.fields.get(at)).map_or("", |it| it.trim())
        }) {
            Ok(found) => {
                let username = &found.person.username;
                if let Some(before) = lines.insert(username.clone(), row.line) {
                    errors.push((row.line, format!("username: {username} is on line {before} already")));
                }
                people.push(found);
            }
            Err(whys) => errors.extend(whys.into_iter().map(|why| (row.line, why))),
        }
    }
    Ok((people, errors))
}

/// Returns the positions of [`COLUMNS`] in the first row.
fn columns(head: &[String]) -> Result<[Option<usize>; COLUMNS.len()], String> {
    let mut found = [None; COLUMNS.len()];
    for (at, title) in head.iter().enumerate() {
        let folded: String = title
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_lowercase())
            .collect();
        let expected = COLUMNS.join(", ");
        let column = COLUMNS.iter().position(|name| *name == folded);
        let column = column.ok_or_else(|| format!("there is no column {title:?}: expected {expected}"))?;
        if found[column].replace(at).is_some() {
            return Err(format!("the column {title:?} is there twice"));
        }
    }
    match found[1] {
        Some(_) => Ok(found),
        None => Err("there is no column username: the first row has to name the columns".to_string()),
    }
}

/// Checks the fields of a row. `field` returns that of a column.
fn person<'a>(line: usize, field: impl Fn(usize) -> &'a str) -> Result<PersonRow, Vec<String>> {
    let [name, username, email, room, role] = [0, 1, 2, 3, 4].map(field);
    let mut errors = Vec::new();
    let folded = fold_username(username);
    let name = if name.is_empty() { folded.clone() } else { check_name(name) };
    let email = if email.is_empty() { Ok(None) } else { check_email(email).map(Some) };
    let rooms: Result<Vec<String>, _> = room.split_whitespace().map(fold_room_name).collect();
    let known = AccountRole::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(role));
    let role_is_known = role.is_empty() || known.is_some();
    if folded.is_err() {
        errors.push(format!("username: {username:?} is none; 1 to 32 of a-z 0-9 _ -"));
    } else if name.is_err() {
        errors.push("name: it has at most 64 characters on one line".to_string());
    }
    if email.is_err() {
        errors.push("email: that is no address".to_string());
    }
    match &rooms {
        Err(_) => errors.push(format!("room: {room:?} has a name that no room can have")),
        Ok(rooms) if rooms.len() > ROOMS_AT_CREATION_MAX => {
            errors.push(format!("room: at most {ROOMS_AT_CREATION_MAX} rooms"));
        }
        Ok(_) => {}
    }
    if !role_is_known {
        errors.push(format!("role: {role:?} is none; person, moderator or admin"));
    }
    match (folded, name, email, rooms) {
        (Ok(username), Ok(name), Ok(email), Ok(rooms)) if errors.is_empty() => {
            let role = known.unwrap_or_default();
            Ok(PersonRow { line, person: NewPerson { username, name, email, rooms, role } })
        }
        _ => Err(errors),
    }
}

/// Returns an error for each room that does not exist.
fn missing_rooms(people: &[PersonRow], known: &BTreeSet<String>) -> Vec<LineError> {
    let missing = people.iter().flat_map(|PersonRow { line, person }| {
        let missing = person.rooms.iter().filter(|room| !known.contains(*room));
        missing.map(|room| (*line, format!("room: there is no room {room}")))
    });
    missing.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_people_in_any_order_of_columns() {
        let text = "Role,User name,E-Mail,NAME,room\r\nadmin, Ada ,a@b,\"Ada, L\",Pond reeds\r\n,@bob,,,\r\n,carl\r\n";
        let (people, errors) = people(text).unwrap();
        assert_eq!(errors, []);
        let ada = NewPerson {
            name: "Ada, L".into(),
            username: "ada".into(),
            email: Some("a@b".into()),
            rooms: vec!["pond".into(), "reeds".into()],
            role: AccountRole::Admin,
        };
        assert_eq!(people[0], PersonRow { line: 2, person: ada });
        let bob = &people[1].person;
        assert_eq!((bob.name.as_str(), &bob.email, bob.role), ("bob", &None, AccountRole::Person));
        assert_eq!((people.len(), people[2].person.username.as_str()), (3, "carl"));
    }

    #[test]
    fn every_error_of_a_table_has_its_line() {
        let text = "username,email,role,room\nada,none,frog,pond\n,a@b,,\nbob,,,\"two\nlines\"\nbob,,,-/-\nx,,,,,\nBob\n";
        let (people, errors) = people(text).unwrap();
        let errors: Vec<String> = errors.iter().map(|(line, what)| format!("{line}: {what}")).collect();
        let wanted = [
            "2: email",
            "2: role",
            "3: username",
            "6: room",
            "7: the row has more",
            "8: username: bob is on line 4",
        ];
        assert_eq!(errors.len(), wanted.len(), "{errors:?}");
        for (error, wanted) in errors.iter().zip(wanted) {
            assert!(error.starts_with(wanted), "{error}: {wanted}");
        }
        let rooms = ["two".to_string()].into();
        assert_eq!(missing_rooms(&people, &rooms), [(4, "room: there is no room lines".to_string())]);
    }

    #[test]
    fn a_table_without_its_columns_is_refused() {
        for (text, words) in [
            ("", "is empty"),
            ("name,email\nada,b", "no column username"),
            ("username,shoe size\nada,7", "no column \"shoe size\""),
            ("username,User-Name\nada,ada", "twice"),
            ("username\n\"ada", "line 2: a quote is not closed"),
        ] {
            let error = people(text).unwrap_err();
            assert!(error.contains(words), "{error}: {words}");
        }
    }
}
