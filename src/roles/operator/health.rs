//! `ribbit health`: checks the cluster's health, for people and for monitoring by exit code. With `--notify` it stays, see
//! [`super::notify`].

use super::notify::{self, NotifyOptions};
use crate::common::cluster_selection::{ReportArgs, ReportOptions};
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::common::survey::settled;
use crate::common::values;
use clap::{ArgMatches, Args};
use ribbit_net::health::{Health, overall, problems};
use std::ffi::OsString;
use std::time::Duration;

/// Arguments of `health`.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Stay, and run this program when the health changes, and at the start if it is not good
    #[arg(long, value_name = "PROGRAM")]
    pub notify: Option<OsString>,
    /// Time between two looks
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::every)]
    pub every: Duration,
    #[command(flatten)]
    pub report: ReportArgs,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARG", requires = "notify")]
    pub arguments: Vec<OsString>,
}

/// Options of `health`.
pub(crate) struct HealthOptions {
    pub report: ReportOptions,
    /// Set to stay and notify.
    pub notify: Option<NotifyOptions>,
}

impl HealthArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`ReportArgs::options`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<HealthOptions, Failure> {
        let HealthArgs { notify, every, report, arguments } = self;
        let program = |notify| std::iter::once(notify).chain(arguments).collect();
        let notify = notify.map(|notify| NotifyOptions { program: program(notify), every });
        Ok(HealthOptions { report: report.options(matches)?, notify })
    }
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit health
  ribbit health --json --server board1:8081
  ribbit health || echo 'check the cluster' | mail club@example.org
  ribbit health --notify mail -- -s 'the pond' club@example.org
  ribbit health --notify ./tell --every 10s

With --notify the program gets one line about the health on standard input, and
RIBBIT_HEALTH_STATE (fine, degraded, down or unknown), RIBBIT_HEALTH_BEFORE and
RIBBIT_HEALTH_TROUBLES (one a line) in its environment. No shell is involved. A
change is reported once, when it has been seen twice. The program may run for a
minute; there are never two.

Exit codes:
  0  healthy
  5  degraded: a member is missing or behind, a disk is full, or the cluster
     tolerates no further failure
  3  down: no member answers, there is no leader, or no backend serves clients";

/// Prints the cluster's health; with `--notify`, each change of it, until `stop` completes.
///
/// # Errors
/// 5: the cluster is degraded. 3: it is down. Both have been printed, so the failure has no message.
pub(crate) async fn run(options: &HealthOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let HealthOptions { report: options, notify } = options;
    if let Some(notify) = notify {
        notify::run(&options.cluster, notify, options.json, stop).await;
        return Ok(());
    }
    let survey = settled(&options.cluster).await;
    output::line(&if options.json {
        ribbit_ui::health::json(&survey)
    } else {
        ribbit_ui::health::words(&survey)
    });
    match overall(&problems(&survey)) {
        Health::Fine => Ok(()),
        Health::Degraded => Err(Failure::said(Exit::Degraded)),
        Health::Down | Health::Unknown => Err(Failure::said(Exit::Unreachable)),
    }
}
