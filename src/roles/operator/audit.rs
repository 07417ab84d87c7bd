//! `ribbit audit`: what operators have done.
//!
//! With `--follow` the log is asked for newer acts once a second, with the position of the last answer, so no server answers
//! with an older state. It ends with exit code 0 on Ctrl-C and when its output is closed.

use super::user::Operator;
use crate::client::arguments::OutputArgs;
use crate::client::session::request_error::RequestError;
use crate::client::verbs::{VerbError, ended, say};
use crate::common::cluster_selection::{ClusterAccess, select_with_key};
use crate::common::failure::Failure;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, ArgMatches, Args};
use ribbit_state::limits::AUDIT_PAGE_MAX;
use ribbit_state::query::OperatorQuery;
use ribbit_state::rows::AuditRow;
use ribbit_state::{LogIndex, Page, Query};
use ribbit_ui::audit;
use smol::Timer;
use smol::future::FutureExt;
use std::time::Duration;

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Number of acts to print, the newest ones
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u16).range(1..=11_000))]
    pub limit: u16,
    /// Go on, and print acts as they are done
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub follow: bool,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of `audit`.
pub(crate) struct AuditOptions {
    cluster: ClusterAccess,
    limit: usize,
    follow: bool,
    json: bool,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Accounts, croaks, reports, registration, announcements, members, backups: each act
is recorded with the name that the operator's program gave, its address, and the
name of the account at that time. The newest 10000 are kept.

Examples:
  ribbit audit
  ribbit audit --limit 1000 --json
    {\"id\":N,\"at\":\"…\",\"age_ms\":N,\"by\":{\"operator\":\"pi@board1\"},\"from\":\"…\",
     \"act\":\"suspend\",\"about\":{\"account\":N,\"username\":\"bob\"},
     \"thing\":null or {\"kind\":\"croak\",\"id\":\"…\"},\"detail\":\"…\",\"refused\":null or N}
  ribbit audit --follow --json | jq .act";

impl AuditArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select_with_key`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<AuditOptions, Failure> {
        let AuditArgs { limit, follow, output } = self;
        let cluster = select_with_key(output.cluster, matches)?;
        Ok(AuditOptions { cluster, limit: limit.into(), follow, json: output.json })
    }
}

/// Interval between two questions for newer acts.
const EVERY: Duration = Duration::from_secs(1);

/// Prints the newest acts, oldest first, and then newer ones until `stop` completes.
///
/// # Errors
/// 1: refused. 3: no server answers.
pub(crate) async fn run(options: &AuditOptions, stop: impl Future<Output = ()>) -> Result<u8, Failure> {
    let operator = Operator::reach(&options.cluster).await?;
    let stopped = async {
        stop.await;
        Ok(())
    };
    ended(show(&operator, options).or(stopped).await)
}

async fn show(operator: &Operator, options: &AuditOptions) -> Result<(), VerbError> {
    let rows = newest(operator, options.limit).await?;
    let mut after = rows.last().map_or(0, |(index, _)| *index);
    print(&rows, options.json)?;
    if !options.follow {
        return Ok(());
    }
    loop {
        let (rows, more) = page(operator.read_on(query(Some(after), None, AUDIT_PAGE_MAX)).await?)?;
        print(&rows, options.json)?;
        after = rows.last().map_or(after, |(index, _)| *index);
        if !more {
            Timer::after(EVERY).await;
        }
    }
}

fn print(rows: &[(LogIndex, AuditRow)], json: bool) -> Result<(), VerbError> {
    rows.iter().try_for_each(|(index, row)| match json {
        true => say(&audit::json(*index, row)),
        false => say(&audit::line(row)),
    })
}

/// Reads the newest acts page by page. Returns them oldest first.
async fn newest(operator: &Operator, limit: usize) -> Result<Vec<(LogIndex, AuditRow)>, RequestError> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let query = query(None, before, (limit - all.len()).min(AUDIT_PAGE_MAX));
        let (rows, more) = page(operator.read(query, true).await?)?;
        before = rows.first().map(|(index, _)| *index);
        all.extend(rows.into_iter().rev());
        if !more || all.len() >= limit {
            all.reverse();
            return Ok(all);
        }
    }
}

fn query(after: Option<LogIndex>, before: Option<LogIndex>, limit: usize) -> Query {
    OperatorQuery::Audit { after, before, limit: u16::try_from(limit).unwrap_or(u16::MAX) }.into()
}

/// Returns the rows of a page, and whether there are more.
fn page(page: Page) -> Result<(Vec<(LogIndex, AuditRow)>, bool), RequestError> {
    match page {
        Page::Audit { rows, more } => Ok((rows, more)),
        _ => Err(RequestError::unexpected()),
    }
}
