//! `ribbit status` and `ribbit members`: surveys the cluster and prints the result.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::cluster_selection::{ReportArgs, select};
use crate::common::failure::Failure;
use crate::common::output;
use crate::common::survey::reached;
use crate::locks::namespace::{Namespace, floating_folder, gateways_folder};
use clap::ArgMatches;
use ribbit_net::survey::Survey;
use ribbit_state::TreePath;
use ribbit_state::rows::{NodeKind, TreeNode};
use ribbit_ui::plain;
use ribbit_ui::status::{Floating, Gateway};
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

/// Timeout for reading a folder of the lock namespace, so that the status is not delayed by them.
const GLANCE_MAX: Duration = Duration::from_millis(500);

/// Prints the status of the cluster, or the details of its members.
///
/// # Errors
/// 3: no member answers.
pub(crate) async fn run(options: &StatusOptions) -> Result<(), Failure> {
    let survey = reached(&options.cluster).await?;
    let glance = match options.detailed {
        true => None, // `members` does not show them.
        false => NamespaceGlance::new(&survey, &options.cluster),
    };
    let (floating, gateways) = match &glance {
        Some(glance) => (glance.floating().await, glance.gateways().await),
        None => Default::default(),
    };
    output::line(&match (options.detailed, options.json) {
        (false, false) => ribbit_ui::status::table(&survey, &floating, &gateways),
        (false, true) => ribbit_ui::status::json(&survey, &floating, &gateways),
        (true, false) => ribbit_ui::status::members_table(&survey),
        (true, true) => ribbit_ui::status::members_json(&survey),
    });
    Ok(())
}

/// A look at the lock namespace as a member in sync knows it.
struct NamespaceGlance(Namespace);

impl NamespaceGlance {
    /// Returns `None` without the cluster key, or without a member in sync.
    fn new(survey: &Survey, cluster: &ClusterAccess) -> Option<NamespaceGlance> {
        let in_touch = survey.members.iter().filter(|member| member.alive && member.in_sync);
        let servers: Vec<String> = in_touch.map(|member| member.info.address.clone()).collect();
        if cluster.keys.cluster().is_none() || servers.is_empty() {
            return None;
        }
        let servers = move || servers.clone();
        Some(NamespaceGlance(Namespace::with_members(servers, &cluster.keys, &cluster.found_in)))
    }

    /// Returns the holders of floating addresses.
    async fn floating(&self) -> Vec<Floating> {
        let (nodes, old) = self.nodes(&floating_folder()).await;
        let locks = nodes.into_iter().filter(|(_, node)| node.kind == NodeKind::Lock);
        locks.map(|(address, node)| Floating { address, holder: text(&node), old }).collect()
    }

    /// Returns the running gateways. Each has a file under its lease.
    async fn gateways(&self) -> Vec<Gateway> {
        let (nodes, old) = self.nodes(&gateways_folder()).await;
        let files = nodes.into_iter().filter(|(_, node)| node.owner.is_some());
        files.map(|(name, node)| Gateway { name, serves: text(&node), old }).collect()
    }

    /// Returns the nodes in a folder with their names, and true if they may be out of date.
    async fn nodes(&self, folder: &TreePath) -> (Vec<(String, TreeNode)>, bool) {
        match self.0.list_stale(folder, 1, GLANCE_MAX).await {
            Ok(found) => {
                let inside = found.entries.into_iter().filter(|entry| entry.path != *folder);
                (inside.map(|entry| (plain::line(entry.path.name()), entry.node)).collect(), found.old)
            }
            Err(unreachable) => {
                log::debug!("cannot read {}: {unreachable}", folder.as_str());
                Default::default()
            }
        }
    }
}

/// Returns the content of a node as a line of text.
fn text(node: &TreeNode) -> String {
    plain::line(&String::from_utf8_lossy(&node.content))
}
