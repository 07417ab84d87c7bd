//! Words of the golden scripts for notices, mutes, blocks and reports: commands, queries, pages and rows.

use super::access_words;
use super::message_words::relation_words;
use super::scripts::{Words, first, session};
use crate::command::{Command, NoticeCommand, OperatorCommand, RelationCommand, ReportSubject, Verdict};
use crate::ids::AccountId;
use crate::query::{OperatorQuery, Page, Person, Query, ReportItem};
use crate::rows::{
    BlockedBy, Blocks, Key, MutedBy, Mutes, NoticeBooks, Notices, NoticesFrom, Reports, Table, TableId,
    decode,
};
use goldenscript::ArgumentConsumer;
use std::error::Error;
use std::fmt::Write as _;

/// Returns the command that a line names, if this module knows it.
pub(super) fn command(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Command>, Box<dyn Error>> {
    Ok(Some(match name {
        "readnotices" => {
            NoticeCommand::Read { session: session(args)?, through: first(args)?.parse()? }.into()
        }
        "removenotice" => {
            NoticeCommand::Remove { session: session(args)?, notice: Some(first(args)?.parse()?) }.into()
        }
        "clearnotices" => NoticeCommand::Remove { session: session(args)?, notice: None }.into(),
        "mute" | "unmute" => {
            let (session, username) = (session(args)?, first(args)?);
            RelationCommand::Mute { session, username, muted: name == "mute" }.into()
        }
        "block" | "unblock" => {
            let (session, username) = (session(args)?, first(args)?);
            RelationCommand::Block { session, username, blocked: name == "block" }.into()
        }
        // `report USER [person=|croak=|message=|room=] WORDS`
        "report" => {
            let session = session(args)?;
            let person = args.lookup("person").map(|arg| arg.value.clone());
            let person = person.map(|username| ReportSubject::Person { username });
            let croak = args.lookup_parse("croak")?.map(|croak| ReportSubject::Croak { croak });
            let message = args.lookup_parse("message")?.map(|message| ReportSubject::Message { message });
            // `room=NAME:ID`
            let room = match args.lookup("room").and_then(|arg| arg.value.split_once(':')) {
                Some((room, id)) => {
                    Some(ReportSubject::RoomMessage { room: room.into(), message: id.parse()? })
                }
                None => None,
            };
            let subject = person.or(croak).or(message).or(room).ok_or("nothing is reported")?;
            let times = args.lookup_parse("times")?.unwrap_or(1);
            RelationCommand::Report { session, subject, words: first(args)?.repeat(times) }.into()
        }
        "decide" => {
            let report = first(args)?.parse()?;
            let verdict = match first(args)?.as_str() {
                "nothing" => Verdict::Nothing,
                "remove" => Verdict::Remove,
                "warn" => Verdict::Warn,
                _ => Verdict::Suspend,
            };
            OperatorCommand::DecideReport { report, verdict }.into()
        }
        name => return access_words::command(name, args),
    }))
}

/// Returns the query that a line names, if this module knows it.
pub(super) fn query(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Query>, Box<dyn Error>> {
    Ok(Some(match name {
        "notices" => Query::Notices {
            session: session(args)?,
            before: args.lookup_parse("before")?,
            limit: args.lookup_parse("limit")?.unwrap_or(10),
        },
        "muted" => {
            Query::Muted { session: session(args)?, after: args.lookup_parse("after")?.map(AccountId) }
        }
        "blocked" => {
            Query::Blocked { session: session(args)?, after: args.lookup_parse("after")?.map(AccountId) }
        }
        "reports" => OperatorQuery::Reports { after: args.lookup_parse("after")? }.into(),
        name => return access_words::query(name, args),
    }))
}

pub(super) fn page(page: &Page) -> Words {
    let mut output = String::new();
    match page {
        Page::Notices { notices, older, unread, .. } => {
            for notice in notices {
                let from = notice.from.as_ref().map_or("operators", |person| &person.username);
                let mark = if notice.unread { " unread" } else { "" };
                let text = notice.text.as_ref().map_or(String::new(), |text| format!(": {text:?}"));
                let room = notice.room.as_ref().map_or(String::new(), |room| format!(" in {room}"));
                writeln!(output, "{} {from} {:?}{mark}{room}{text}", notice.id, notice.kind)?;
            }
            writeln!(output, "older: {older:?}, unread: {unread}")?;
        }
        Page::KeptAway { people, more, .. } => {
            for person in people {
                writeln!(output, "{}", relation_words(person))?;
            }
            writeln!(output, "more: {:?}", more.map(|account| account.0))?;
        }
        Page::Reports { reports, more } => {
            for ReportItem { id, from, about, thing, words, text, .. } in reports {
                let name = |person: &Option<Person>| {
                    person.as_ref().map_or("[deleted]".to_string(), |person| person.username.clone())
                };
                writeln!(output, "{id} {} about {} {thing:?} {text:?}: {words:?}", name(from), name(about))?;
            }
            writeln!(output, "more: {more:?}")?;
        }
        page => writeln!(output, "{page:?}")?,
    }
    Ok(output)
}

/// Returns the text of a key, if this module knows the table.
pub(super) fn key(table: TableId, key: &[u8]) -> Option<String> {
    Some(match table {
        Mutes::ID | MutedBy::ID | Blocks::ID | BlockedBy::ID => {
            let (one, other) = <(AccountId, u64)>::from_bytes(key)?;
            format!("{} {other}", one.0)
        }
        Notices::ID => {
            let (whose, index) = <(AccountId, u64)>::from_bytes(key)?;
            format!("{} {index}", whose.0)
        }
        NoticesFrom::ID => {
            let (from, to, index) = <(AccountId, AccountId, u64)>::from_bytes(key)?;
            format!("{} {} {index}", from.0, to.0)
        }
        table => return access_words::key(table, key),
    })
}

/// Returns the text of a row, if this module knows the table.
pub(super) fn row(table: TableId, row: &[u8]) -> Option<String> {
    Some(match table {
        Notices::ID => {
            let row = decode::<<Notices as Table>::Row>(row)?;
            format!(": from {} {:?}", row.from.0, row.kind)
        }
        Mutes::ID | MutedBy::ID | Blocks::ID | BlockedBy::ID => String::new(),
        Reports::ID => {
            let row = decode::<<Reports as Table>::Row>(row)?;
            format!(
                ": from {} about {} {:?} {:?}: {:?}",
                row.from.0, row.about.0, row.thing, row.text, row.words
            )
        }
        NoticesFrom::ID => format!(": {:?}", decode::<<NoticesFrom as Table>::Row>(row)?),
        NoticeBooks::ID => {
            let row = decode::<<NoticeBooks as Table>::Row>(row)?;
            format!(": {}, {} unread, read through {}", row.count, row.unread, row.read_through)
        }
        table => return access_words::row(table, row),
    })
}
