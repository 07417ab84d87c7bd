//! `ribbit health`: checks the cluster's health, for people and for monitoring by exit code.

use crate::common::cluster_selection::{ClusterAccess, ReportOptions};
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::common::survey::surveyed;
use ribbit_net::health::{Health, overall, problems};
use ribbit_net::survey::Survey;
use smol::Timer;
use std::time::{Duration, Instant};

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit health
  ribbit health --json --server board1:8081
  ribbit health || echo 'check the cluster' | mail club@example.org

Exit codes:
  0  healthy
  5  degraded: a member is missing or behind, a disk is full, or the cluster
     tolerates no further failure
  3  down: no member answers, there is no leader, or no backend serves clients";

/// Time to wait for a leader. A running election is not a failure.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause between two surveys.
const PAUSE: Duration = Duration::from_millis(150);

/// Prints the cluster's health.
///
/// # Errors
/// 5: the cluster is degraded. 3: it is down. Both have been printed, so the failure has no message.
pub(crate) async fn run(options: &ReportOptions) -> Result<(), Failure> {
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

/// Surveys the cluster, and waits for the end of an election.
async fn settled(cluster: &ClusterAccess) -> Survey {
    let began = Instant::now();
    loop {
        let survey = surveyed(cluster).await;
        let electing = survey.has_answers() && survey.leader.is_none();
        if !electing || began.elapsed() >= ELECTION_TIMEOUT {
            return survey;
        }
        Timer::after(PAUSE).await;
    }
}
