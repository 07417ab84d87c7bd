//! `ribbit balancer read`, `write`, `down` and `left`: asks a balancer for a backend, or reports to it.
//!
//! Balancers are asked one after the other until one answers. Balancers do not share reports and assignments.

use crate::common::address;
use crate::common::cluster_selection::ClusterAccess;
use crate::common::cluster_selection::{ReportArgs, select};
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use clap::{ArgMatches, Args, Subcommand};
use ribbit_net::frame::Plane;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::DirectoryAsk;
use ribbit_net::protocol::{Answer, Ask, DirectoryAnswer, DownCheck, UnavailableReason};
use std::time::Duration;

/// Verbs of `balancer`.
#[derive(Debug, Subcommand)]
pub(crate) enum BalancerQuery {
    /// Ask for a backend to read from
    #[command(after_help = READ_HELP)]
    Read(ReadArgs),
    /// Ask for the backends that accept writes, leader first
    #[command(after_help = WRITE_HELP)]
    Write(ReportArgs),
    /// Report that a backend is down; the balancer checks it
    #[command(after_help = DOWN_HELP)]
    Down(DownArgs),
    /// Report that a reader has left
    #[command(after_help = LEFT_HELP)]
    Left(LeftArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    /// Client number from an earlier call: renews its assignment, or moves it to a backend with fewer clients
    #[arg(long, value_name = "N")]
    pub client: Option<u64>,
    #[command(flatten)]
    pub asking: ReportArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// Address of the backend, as printed by the balancer
    #[arg(value_name = "HOST:PORT", value_parser = address::peer)]
    pub address: String,
    #[command(flatten)]
    pub asking: ReportArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeftArgs {
    /// Client number that `read` printed or was given
    #[arg(value_name = "CLIENT")]
    pub client: u64,
    #[command(flatten)]
    pub asking: ReportArgs,
}

/// Options of `balancer read`, `write`, `down` and `left`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectoryOptions {
    pub cluster: ClusterAccess,
    pub ask: DirectoryAsk,
    pub json: bool,
}

/// Text below the flags in `--help`.
pub(crate) const READ_HELP: &str = "\
Examples:
  ribbit balancer read
  ribbit balancer read --client 17 --json --server board1:8081

The assignment lasts for one minute. Ask again to renew it, or end it with
`ribbit balancer left`. Exits 3 if no backend serves clients.";

/// Text below the flags in `--help`.
pub(crate) const WRITE_HELP: &str = "\
Examples:
  ribbit balancer write
  ribbit balancer write --json --server board1:8081

Exits 1 while there is no leader, 3 if no backend serves clients.";

/// Text below the flags in `--help`.
pub(crate) const DOWN_HELP: &str = "\
Examples:
  ribbit balancer down board2:10002

A backend that still answers the balancer stays in use: the report is rejected
and the exit code is 1.";

/// Text below the flags in `--help`.
pub(crate) const LEFT_HELP: &str = "\
Examples:
  ribbit balancer left 17";

impl BalancerQuery {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select`], and 78 if no balancer is known.
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<DirectoryOptions, Failure> {
        let (ask, asking) = match self {
            BalancerQuery::Read(flags) => (DirectoryAsk::Read { client: flags.client }, flags.asking),
            BalancerQuery::Write(flags) => (DirectoryAsk::Write, flags),
            BalancerQuery::Down(flags) => (DirectoryAsk::Down { address: flags.address }, flags.asking),
            BalancerQuery::Left(flags) => (DirectoryAsk::Left { client: flags.client }, flags.asking),
        };
        let cluster = select(asking.cluster, matches)?;
        if cluster.servers.is_empty() {
            let message = format!("{} lists no balancer: pass its address with --server", cluster.found_in);
            return Err(Failure::new(Exit::Configuration, message));
        }
        Ok(DirectoryOptions { cluster, ask, json: asking.json })
    }
}

/// Timeout for the answer of one balancer, which may have to find a backend first.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Asks a balancer and prints its answer.
///
/// # Errors
/// 1: there is no leader, or a report was rejected. 3: no balancer answers, or no backend serves clients.
pub(crate) async fn run(options: &DirectoryOptions) -> Result<(), Failure> {
    let mut nowhere = None;
    for server in &options.cluster.servers {
        match ask_once(
            server,
            Plane::Directory,
            &options.cluster.keys,
            Ask::Directory(options.ask.clone()),
            ANSWER_MAX,
        )
        .await
        {
            Ok(Answer::Directory(directions)) => return tell(options, &directions),
            Ok(Answer::Unavailable(UnavailableReason::NoLeader)) => {
                let message = "the cluster has no leader and accepts no writes at the moment: try again";
                return Err(Failure::new(Exit::Refused, message));
            }
            Ok(Answer::Unavailable(_)) => {
                nowhere = Some("no backend serves clients at the moment: try again".to_string());
            }
            Ok(_) => {
                nowhere = Some(format!("{server} is not a balancer: pass the address of one with --server"));
            }
            Err(error) => log::debug!("{server} does not answer: {error}"),
        }
    }
    let unreachable = || {
        let (asked, found_in) = (options.cluster.servers.join(", "), &options.cluster.found_in);
        format!("no balancer answers at {asked} (from {found_in})")
    };
    Err(Failure::new(Exit::Unreachable, nowhere.unwrap_or_else(unreachable)))
}

fn tell(options: &DirectoryOptions, directions: &DirectoryAnswer) -> Result<(), Failure> {
    let refused = match directions {
        DirectoryAnswer::Down(DownCheck::Answers) => {
            "the backend still answers the balancer and stays in use"
        }
        DirectoryAnswer::Down(DownCheck::Unknown) => "the balancer knows no member with this address",
        _ => "",
    };
    match (options.json, refused) {
        (true, _) => output::line(&ribbit_ui::directory::json(directions)),
        (false, "") => output::line(&ribbit_ui::directory::words(directions)),
        (false, _) => {}
    }
    match refused {
        "" => Ok(()),
        refused => Err(Failure::new(Exit::Refused, refused)),
    }
}
