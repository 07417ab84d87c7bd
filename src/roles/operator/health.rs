//! `ribbit health`: is the group well? For people, and for whoever watches it by exit code.

use crate::common::failure::{Exit, Failure};
use crate::common::options::{Group, HealthOptions};
use crate::common::output;
use crate::operator::status::surveyed;
use ribbit_net::health::{State, judge, state};
use ribbit_net::survey::Survey;
use smol::Timer;
use std::time::{Duration, Instant};

/// An election is no failure: without a leader it is looked again for this long.
const ELECTION_PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(150);

/// # Errors
/// 5: it works, but not as it should; 3: it is down. Everything is said by then.
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

async fn settled(group: &Group) -> Survey {
    let began = Instant::now();
    loop {
        let survey = surveyed(group).await;
        let electing = survey.anyone() && survey.leader.is_none();
        if !electing || began.elapsed() >= ELECTION_PATIENCE {
            return survey;
        }
        Timer::after(PAUSE).await;
    }
}
