//! `ribbit status` and `ribbit members`: surveys the cluster and prints the result.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::cluster_selection::{ReportArgs, select};
use crate::common::failure::Failure;
use crate::common::output;
use crate::common::survey::reached;
use crate::locks::namespace::{Namespace, floating_folder};
use clap::ArgMatches;
use ribbit_net::survey::Survey;
use ribbit_state::rows::NodeKind;
use ribbit_ui::plain;
use ribbit_ui::status::Floating;
use std::time::Duration;

/// Options of `status` and `members`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusOptions {
    pub cluster: ClusterAccess,
    /// Show all details of each member, as `members` does.
    pub detailed: bool,
    pub json: bool,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit status
  ribbit status --json --server board1:10001
  ribbit status --cluster-file frogs.ribbit

Exits 0 if a member answers, 3 if none does.";

/// Text below the flags in `--help`.
pub(crate) const MEMBERS_HELP: &str = "\
Examples:
  ribbit members
  ribbit members --json --data-dir ribbit-data

A voter counts towards the quorum. A learner replicates all data but does not
vote. A Raft id identifies one lifetime of a member: a member that returns with
an empty store gets a new id.";

impl StatusOptions {
    /// Returns the options; `detailed` for `members`.
    ///
    /// # Errors
    /// As [`select`].
    pub(crate) fn new(
        arguments: ReportArgs,
        detailed: bool,
        matches: &ArgMatches,
    ) -> Result<StatusOptions, Failure> {
        Ok(StatusOptions { cluster: select(arguments.cluster, matches)?, detailed, json: arguments.json })
    }
}

/// Timeout for reading the holders of floating addresses, so that the status is not delayed by them.
const GLANCE_MAX: Duration = Duration::from_millis(500);

/// Prints the status of the cluster, or the details of its members.
///
/// # Errors
/// 3: no member answers.
pub(crate) async fn run(options: &StatusOptions) -> Result<(), Failure> {
    let survey = reached(&options.cluster).await?;
    let floating = match options.detailed {
        true => Vec::new(), // `members` does not show them.
        false => floating(&survey, &options.cluster).await,
    };
    output::line(&match (options.detailed, options.json) {
        (false, false) => ribbit_ui::status::table(&survey, &floating),
        (false, true) => ribbit_ui::status::json(&survey, &floating),
        (true, false) => ribbit_ui::status::members_table(&survey),
        (true, true) => ribbit_ui::status::members_json(&survey),
    });
    Ok(())
}

/// Returns the holders of floating addresses as a member in sync knows them. Needs the cluster key; empty without it.
async fn floating(survey: &Survey, cluster: &ClusterAccess) -> Vec<Floating> {
    let in_touch = survey.members.iter().filter(|member| member.alive && member.in_sync);
    let servers: Vec<String> = in_touch.map(|member| member.info.address.clone()).collect();
    if cluster.keys.cluster().is_none() || servers.is_empty() {
        return Vec::new();
    }
    let namespace = Namespace::with_members(move || servers.clone(), &cluster.keys, &cluster.found_in);
    match namespace.list_stale(&floating_folder(), 1, GLANCE_MAX).await {
        Ok(found) => {
            let old = found.old;
            let locks = found.entries.into_iter().filter(|entry| entry.node.kind == NodeKind::Lock);
            let holder = |content: &[u8]| plain::line(&String::from_utf8_lossy(content));
            locks
                .map(|it| Floating {
                    address: plain::line(it.path.name()),
                    holder: holder(&it.node.content),
                    old,
                })
                .collect()
        }
        Err(unreachable) => {
            log::debug!("cannot read the holders of floating addresses: {unreachable}");
            Vec::new()
        }
    }
}
