//! `ribbit upgrade plan|status|finish|hold`: an upgrade of all members to another version.
//!
//! ```text
//!   plan ─▶ each member in turn: install, restart ─▶ finish ─▶ RaiseRules: the version before cannot be started any more
//!                                     ▲      │
//!                                     └──────┘ going back is possible until then
//! ```
//!
//! The members judge once more whether the level may rise ([`crate::node`]); what is refused here names the member.

use super::user::Operator;
use crate::client::session::request_error::RequestError;
use crate::client::verbs::{ended, say};
use crate::common::cluster_selection::{ClusterAccess, ClusterFlags, ReportArgs, select_with_key};
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::common::survey::{reached, settled};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, ArgMatches, Args, Subcommand};
use ribbit_net::survey::Survey;
use ribbit_state::limits::RULES_LEVEL;
use ribbit_state::{Code, Denied, OperatorCommand};
use ribbit_ui::{upgrade, version};
use smol::Timer;
use std::time::{Duration, Instant};

/// Verbs of `upgrade`.
#[derive(Debug, Subcommand)]
pub(crate) enum UpgradeVerb {
    /// Print how to bring every member to the version of this program, step by step
    #[command(after_help = PLAN_HELP)]
    Plan(ClusterFlags),
    /// Show what each member runs, and whether the upgrade is finished
    #[command(after_help = STATUS_HELP)]
    Status(ReportArgs),
    /// Let the cluster use what only the new version understands
    #[command(after_help = FINISH_HELP)]
    Finish(UpgradeFinishArgs),
    /// Undo `finish --auto`: upgrades wait for `ribbit upgrade finish`
    #[command(after_help = HOLD_HELP)]
    Hold(ClusterFlags),
}

/// Arguments of `upgrade finish`.
#[derive(Debug, Args)]
pub(crate) struct UpgradeFinishArgs {
    /// From now on finish upgrades once every member has been in sync for an hour
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub auto: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Options of `upgrade`.
pub(crate) struct UpgradeOptions {
    cluster: ClusterAccess,
    task: UpgradeTask,
}

#[derive(Debug, Clone, Copy)]
enum UpgradeTask {
    Plan,
    Status { json: bool },
    Finish,
    SetAuto(bool),
}

/// Text below the flags in `--help`.
const PLAN_HELP: &str = "\
Example:
  ribbit upgrade plan

Run it with the new version; it changes nothing. Members of both versions work
together. Each can go back until `ribbit upgrade finish`.";

/// Text below the flags in `--help`.
const STATUS_HELP: &str = "\
Examples:
  ribbit upgrade status
  ribbit upgrade status --json";

/// Text below the flags in `--help`.
const HOLD_HELP: &str = "\
Example:
  ribbit upgrade hold";

/// Text below the flags in `--help`.
const FINISH_HELP: &str = "\
Examples:
  ribbit upgrade finish
  ribbit upgrade finish --auto    `ribbit upgrade hold` takes it back

Refused while a member does not answer or runs an earlier version. After it, the
version before ends with exit code 78 on these stores and changes nothing.";

/// Time for the members to record what each of them understands, after a restart.
const FINISH_MAX: Duration = Duration::from_secs(10);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

impl UpgradeVerb {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`ReportArgs::options`]; for `finish` and `hold` as [`select_with_key`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<UpgradeOptions, Failure> {
        let report =
            |cluster, json| ReportArgs { cluster, json }.options(matches).map(|options| options.cluster);
        Ok(match self {
            UpgradeVerb::Plan(cluster) => {
                UpgradeOptions { cluster: report(cluster, false)?, task: UpgradeTask::Plan }
            }
            UpgradeVerb::Status(ReportArgs { cluster, json }) => {
                UpgradeOptions { cluster: report(cluster, json)?, task: UpgradeTask::Status { json } }
            }
            UpgradeVerb::Finish(UpgradeFinishArgs { auto, cluster }) => UpgradeOptions {
                cluster: select_with_key(cluster, matches)?,
                task: if auto { UpgradeTask::SetAuto(true) } else { UpgradeTask::Finish },
            },
            UpgradeVerb::Hold(cluster) => UpgradeOptions {
                cluster: select_with_key(cluster, matches)?,
                task: UpgradeTask::SetAuto(false),
            },
        })
    }
}

/// Prints the plan or the state, or finishes the upgrade.
///
/// # Errors
/// 1: refused, or there is no leader. 3: no member answers.
pub(crate) async fn run(options: &UpgradeOptions) -> Result<u8, Failure> {
    let cluster = &options.cluster;
    let mut survey = reached(cluster).await?;
    if survey.leader.is_none() {
        survey = settled(cluster).await;
    }
    match options.task {
        UpgradeTask::Plan if survey.rules_level > RULES_LEVEL => {
            let text = format!(
                "this program is {} and understands rules levels up to {RULES_LEVEL}, but the cluster uses level {}: run a newer version",
                version::SHORT,
                survey.rules_level
            );
            return Err(Failure::new(Exit::Refused, text));
        }
        UpgradeTask::Plan => {
            output::line(&upgrade::plan(&survey, (version::LONG, RULES_LEVEL)));
        }
        UpgradeTask::Status { json: true } => output::line(&upgrade::json(&survey)),
        UpgradeTask::Status { json: false } => {
            output::line(&upgrade::status(&survey));
        }
        UpgradeTask::Finish => return finish(cluster, &survey).await,
        UpgradeTask::SetAuto(auto) => {
            let operator = Operator::reach(cluster).await?;
            let written = operator.write(OperatorCommand::SetAutoFinish { auto }.into()).await;
            return ended(written.map_err(Into::into).and_then(|_| {
                say(match auto {
                    true => {
                        "Upgrades finish by themselves from now on, once every member has been in sync for an hour. \
                         `ribbit upgrade hold` takes that back."
                    }
                    false => "Upgrades wait for `ribbit upgrade finish`.",
                })
            }));
        }
    }
    Ok(0)
}

async fn finish(cluster: &ClusterAccess, survey: &Survey) -> Result<u8, Failure> {
    if survey.leader.is_none() {
        let text = "there is no leader, so it is not known whether an upgrade is unfinished: `ribbit health` says why";
        return Err(Failure::new(Exit::Refused, text));
    }
    let Some(level) = survey.unfinished_upgrade() else {
        output::line(&upgrade::nothing_to_finish(survey));
        return Ok(0);
    };
    let waits = !survey.older_than(level).is_empty() || survey.appliers().any(|member| !member.alive);
    if waits && let Some((words, fix)) = upgrade::unfinished(survey) {
        return Err(Failure::new(Exit::Refused, format!("{words}: {fix}")));
    }
    let operator = Operator::reach(cluster).await?;
    let began = Instant::now();
    let written = loop {
        match operator.write(OperatorCommand::RaiseRules { level }.into()).await {
            // The rows follow the heartbeats within seconds.
            Err(RequestError::Denied(Denied { code: Code::TooNew | Code::MemberNotHeard, .. }))
                if began.elapsed() < FINISH_MAX =>
            {
                Timer::after(PAUSE).await;
            }
            written => break written,
        }
    };
    ended(written.map_err(Into::into).and_then(|_| {
        say(&format!(
            "The upgrade is finished: the cluster uses rules level {level}. The version before cannot be started on these stores any more."
        ))
    }))
}
