//! `ribbit status` and `ribbit members`: asks the group how it is, and shows it.

use crate::common::failure::{Exit, Failure};
use crate::common::options::{Group, StatusOptions};
use crate::common::output;
use crate::locks::namespace::{Namespace, floating_folder};
use crate::up::probe;
use ribbit_net::survey::{Survey, survey};
use ribbit_state::rows::Kind;
use ribbit_ui::plain;
use ribbit_ui::status::Floating;
use smol::Timer;
use smol::future::or;
use std::time::Duration;

/// A survey asks with a limit of its own a member; this bounds all of it.
const SURVEY_MAX: Duration = Duration::from_secs(5);

/// Whoever holds an address is told without waiting for it.
const GLANCE_MAX: Duration = Duration::from_millis(500);

/// # Errors
/// 3: nobody answers.
pub async fn run(options: &StatusOptions) -> Result<(), Failure> {
    let survey = reached(&options.group).await?;
    let floating = match options.detailed {
        true => Vec::new(), // `members` does not show them
        false => floating(&survey, &options.group).await,
    };
    output::line(&match (options.detailed, options.json) {
        (false, false) => ribbit_ui::status::table(&survey, &floating),
        (false, true) => ribbit_ui::status::json(&survey, &floating),
        (true, false) => ribbit_ui::status::members_table(&survey),
        (true, true) => ribbit_ui::status::members_json(&survey),
    });
    Ok(())
}

/// Who holds which floating address, as one that is in touch has it: for those who run the group alone.
async fn floating(survey: &Survey, group: &Group) -> Vec<Floating> {
    let in_touch = survey.members.iter().filter(|member| member.alive && member.in_sync);
    let servers: Vec<String> = in_touch.map(|member| member.info.address.clone()).collect();
    if group.keys.cluster().is_none() || servers.is_empty() {
        return Vec::new();
    }
    let namespace = Namespace::among(move || servers.clone(), &group.keys, &group.found_in);
    match namespace.glance(&floating_folder(), 1, GLANCE_MAX).await {
        Ok(found) => {
            let old = found.old;
            let locks = found.entries.into_iter().filter(|entry| entry.node.kind == Kind::Lock);
            let told = |content: &[u8]| plain::line(&String::from_utf8_lossy(content));
            locks
                .map(|it| Floating {
                    address: plain::line(it.path.name()),
                    holder: told(&it.node.content),
                    old,
                })
                .collect()
        }
        Err(unreachable) => {
            log::debug!("who holds floating addresses is not known: {unreachable}");
            Vec::new()
        }
    }
}

/// Surveys the cluster, and keeps its members' addresses for when the coordinators that are listed are gone.
pub async fn surveyed(group: &Group) -> Survey {
    let survey = survey(&group.seeds, &group.keys).await;
    if let Some(book) = &group.book
        && survey.leader.is_some()
    {
        book.write([survey.living(), survey.silent()].concat());
    }
    survey
}

/// A survey of a group of which somebody is alive.
///
/// # Errors
/// 3: nobody answers.
pub async fn reached(group: &Group) -> Result<Survey, Failure> {
    let answered = async { Some(surveyed(group).await) };
    let too_late = async {
        Timer::after(SURVEY_MAX).await;
        None
    };
    match or(answered, too_late).await {
        Some(survey) if survey.members.iter().any(|member| member.alive) => Ok(survey),
        _ => {
            let asked = group.seeds.join(", ");
            let mut message = format!("nobody answers at {asked} (from {})", group.found_in);
            for address in &group.seeds {
                if probe::is_live(address).await {
                    let words = "is where ribbit's pages are, for browsers: name a server or a balancer instead, like \
                                 HOST:10001 or HOST:8081";
                    message = format!("{address} (from {}) {words}", group.found_in);
                }
            }
            Err(Failure::new(Exit::Unreachable, message))
        }
    }
}
