//! `ribbit health`: checks the cluster's health, for people and for monitoring by exit code.

use crate::common::failure::{Exit, Failure};
use crate::common::options::{Group, HealthOptions};
use crate::common::output;
use crate::common::survey::surveyed;
use ribbit_net::health::{State, judge, state};
use ribbit_net::survey::Survey;
use smol::Timer;
use std::time::{Duration, Instant};

/// Time to wait for a leader. A running election is not a failure.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause between two surveys.
const PAUSE: Duration = Duration::from_millis(150);

/// Prints the cluster's health.
///
/// # Errors
/// 5: the cluster is degraded. 3: it is down. Both have been printed, so the failure has no message.
pub async fn run(options: &HealthOptions) -> Result<(), Failure> {
    let survey = settled(&options.group).await;
    output::line(&if options.json {
        ribbit_ui::health::json(&survey)
    } else {
        ribbit_ui::health::words(&survey)
    });
    match state(&judge(&survey)) {
        State::Fine => Ok(()),
        State::Degraded => Err(Failure::said(Exit::Degraded)),
        State::Down | State::Unknown => Err(Failure::said(Exit::Unreachable)),
    }
}

/// Surveys the cluster, and waits for the end of an election.
async fn settled(group: &Group) -> Survey {
    let began = Instant::now();
    loop {
        let survey = surveyed(group).await;
        let electing = survey.anyone() && survey.leader.is_none();
        if !electing || began.elapsed() >= ELECTION_TIMEOUT {
            return survey;
        }
        Timer::after(PAUSE).await;
    }
}
