//! `ribbit status` and `ribbit members`: asks the group how it is, and shows it.

use super::failure::{Exit, Failure};
use super::options::{Group, StatusOptions};
use super::output;
use crate::net::survey::{Survey, survey};
use crate::ui;
use smol::Timer;
use smol::future::or;
use std::time::Duration;

/// A survey asks with a limit of its own a member; this bounds all of it.
const SURVEY_MAX: Duration = Duration::from_secs(5);

/// # Errors
/// 3: nobody answers.
pub async fn run(options: &StatusOptions) -> Result<(), Failure> {
    let survey = reached(&options.group).await?;
    output::line(&match (options.detailed, options.json) {
        (false, false) => ui::status::table(&survey),
        (false, true) => ui::status::json(&survey),
        (true, false) => ui::status::members_table(&survey),
        (true, true) => ui::status::members_json(&survey),
    });
    Ok(())
}

/// A survey of a group of which somebody is alive.
///
/// # Errors
/// 3: nobody answers.
pub async fn reached(group: &Group) -> Result<Survey, Failure> {
    let answered = async { Some(survey(&group.seeds, &group.keys).await) };
    let too_late = async {
        Timer::after(SURVEY_MAX).await;
        None
    };
    match or(answered, too_late).await {
        Some(survey) if survey.members.iter().any(|member| member.alive) => Ok(survey),
        _ => {
            let asked = group.seeds.join(", ");
            let message = format!("nobody answers at {asked} (from {})", group.found_in);
            Err(Failure::new(Exit::Unreachable, message))
        }
    }
}
