//! Words of the golden scripts for the audit log: its query and its rows.

use super::scripts::first;
use crate::command::{OperatorCommand, Origin, UnreplicatedAct};
use crate::ids::LogIndex;
use crate::query::{OperatorQuery, Page, Query};
use crate::rows::{Actor, AuditLog, AuditRow, RefusedActs, Table, TableId, decode};
use goldenscript::ArgumentConsumer;
use std::error::Error;
use std::fmt::Write as _;

/// Returns the origin of a command: `origin=NAME`.
pub(super) fn origin(args: &mut ArgumentConsumer) -> Option<Box<Origin>> {
    let operator = args.lookup("origin")?.value.clone();
    Some(Box::new(Origin { operator, address: "10.0.0.1".into() }))
}

/// Parses `backup THROUGH ROWS`.
pub(super) fn command(
    name: &str,
    args: &mut ArgumentConsumer,
) -> Result<Option<OperatorCommand>, Box<dyn Error>> {
    Ok(match name {
        "backup" => {
            let act = UnreplicatedAct::Backup { through: first(args)?.parse()?, rows: first(args)?.parse()? };
            Some(OperatorCommand::Record { act })
        }
        _ => None,
    })
}

/// Parses `audit [after=N] [before=N] [limit=N]`.
pub(super) fn query(args: &mut ArgumentConsumer) -> Result<Query, Box<dyn Error>> {
    let (after, before) = (args.lookup_parse("after")?, args.lookup_parse("before")?);
    Ok(OperatorQuery::Audit { after, before, limit: args.lookup_parse("limit")?.unwrap_or(10) }.into())
}

/// Returns the text of a page, if it is one of the audit log.
pub(super) fn page(page: &Page) -> Option<String> {
    let Page::Audit { rows, more } = page else { return None };
    let mut output = String::new();
    for (index, row) in rows {
        writeln!(output, "{index}{}", words(row)).ok()?;
    }
    writeln!(output, "more: {more}").ok()?;
    Some(output)
}

/// Returns the text of a row, if this module knows the table.
pub(super) fn row(table: TableId, row: &[u8]) -> Option<String> {
    [AuditLog::ID, RefusedActs::ID].contains(&table).then(|| decode(row).map(|row| words(&row)))?
}

/// Returns the text of the key of a row, if this module knows the table.
pub(super) fn key(table: TableId, key: &[u8]) -> Option<String> {
    use crate::rows::Key as _;
    [AuditLog::ID, RefusedActs::ID].contains(&table).then(|| Some(LogIndex::from_bytes(key)?.to_string()))?
}

fn words(row: &AuditRow) -> String {
    let AuditRow { number, actor, address, act, person, thing, detail, refused, wall_ms: _, age_ms } = row;
    let actor = match actor {
        Actor::Operator { name } => name,
        Actor::Account { username, .. } => username,
    };
    let person = person.as_ref().map(|it| (it.account.map(|account| account.0), &it.username));
    format!(
        ": no. {number}, {actor:?} at {address:?}: {}, {person:?}, {thing:?}, {detail:?}, refused {refused:?}, age {age_ms}",
        act.name()
    )
}
