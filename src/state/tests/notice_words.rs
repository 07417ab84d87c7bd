//! Words of the golden scripts for notices: commands, queries, pages and rows.

use super::scripts::{Words, first, session};
use crate::command::{Command, NoticeCommand};
use crate::ids::AccountId;
use crate::query::{Page, Query};
use crate::rows::{Key, NoticeBooks, Notices, NoticesFrom, Table, TableId, decode};
use goldenscript::ArgumentConsumer;
use std::error::Error;
use std::fmt::Write as _;

/// Returns the command that a line names, if this module knows it.
pub(super) fn command(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Command>, Box<dyn Error>> {
    Ok(Some(match name {
        "readnotices" => {
            NoticeCommand::Read { session: session(args)?, through: first(args)?.parse()? }.into()
        }
        _ => return Ok(None),
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
        _ => return Ok(None),
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
                writeln!(output, "{} {from} {:?}{mark}{text}", notice.id, notice.kind)?;
            }
            writeln!(output, "older: {older:?}, unread: {unread}")?;
        }
        page => writeln!(output, "{page:?}")?,
    }
    Ok(output)
}

/// Returns the text of a key, if this module knows the table.
pub(super) fn key(table: TableId, key: &[u8]) -> Option<String> {
    Some(match table {
        Notices::ID => {
            let (whose, index) = <(AccountId, u64)>::from_bytes(key)?;
            format!("{} {index}", whose.0)
        }
        NoticesFrom::ID => {
            let (from, to, index) = <(AccountId, AccountId, u64)>::from_bytes(key)?;
            format!("{} {} {index}", from.0, to.0)
        }
        _ => return None,
    })
}

/// Returns the text of a row, if this module knows the table.
pub(super) fn row(table: TableId, row: &[u8]) -> Option<String> {
    Some(match table {
        Notices::ID => {
            let row = decode::<<Notices as Table>::Row>(row)?;
            format!(": from {} {:?}", row.from.0, row.kind)
        }
        NoticesFrom::ID => format!(": {:?}", decode::<<NoticesFrom as Table>::Row>(row)?),
        NoticeBooks::ID => {
            let row = decode::<<NoticeBooks as Table>::Row>(row)?;
            format!(": {}, {} unread, read through {}", row.count, row.unread, row.read_through)
        }
        _ => return None,
    })
}
