//! Survey of a cluster: its members and their state, as the operator's commands and the lock namespace need them.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::failure::{Exit, Failure};
use crate::common::probe;
use ribbit_net::survey::{Survey, survey};
use smol::Timer;
use smol::future::or;
use std::time::{Duration, Instant};

/// Timeout of a whole survey; each request to a member has a shorter one.
const SURVEY_MAX: Duration = Duration::from_secs(5);

/// Surveys the cluster and saves its members' addresses, for the case that all listed coordinators are gone.
pub(crate) async fn surveyed(cluster: &ClusterAccess) -> Survey {
    let survey = survey(&cluster.seeds, &cluster.keys).await;
    if let Some(book) = &cluster.book
        && survey.leader.is_some()
    {
        book.write([survey.answering(), survey.silent()].concat());
    }
    survey
}

/// Time to wait for a leader. A running election is not a failure.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause between two surveys.
const PAUSE: Duration = Duration::from_millis(150);

/// Surveys the cluster, and waits for the end of an election.
pub(crate) async fn settled(cluster: &ClusterAccess) -> Survey {
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

/// Surveys the cluster; at least one member is alive in the result.
///
/// # Errors
/// 3: no member answers.
pub(crate) async fn reached(cluster: &ClusterAccess) -> Result<Survey, Failure> {
    let answered = async { Some(surveyed(cluster).await) };
    let too_late = async {
        Timer::after(SURVEY_MAX).await;
        None
    };
    match or(answered, too_late).await {
        Some(survey) if survey.members.iter().any(|member| member.alive) => Ok(survey),
        _ => {
            let asked = cluster.seeds.join(", ");
            let mut message = format!("no server answers at {asked} (from {})", cluster.found_in);
            for address in &cluster.seeds {
                if probe::is_live(address).await {
                    let words = "is the address of the web pages: pass the address of a backend or balancer instead, \
                                 such as HOST:10001 or HOST:8081";
                    message = format!("{address} (from {}) {words}", cluster.found_in);
                }
            }
            Err(Failure::new(Exit::Unreachable, message))
        }
    }
}
