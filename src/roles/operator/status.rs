//! `ribbit status` and `ribbit members`: surveys the cluster and prints the result.

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

/// Timeout of a whole survey; each request to a member has a shorter one.
const SURVEY_MAX: Duration = Duration::from_secs(5);

/// Timeout for reading the holders of floating addresses, so that the status is not delayed by them.
const GLANCE_MAX: Duration = Duration::from_millis(500);

/// Prints the status of the cluster, or the details of its members.
///
/// # Errors
/// 3: no member answers.
pub async fn run(options: &StatusOptions) -> Result<(), Failure> {
    let survey = reached(&options.group).await?;
    let floating = match options.detailed {
        true => Vec::new(), // `members` does not show them.
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

/// Returns the holders of floating addresses as a member in sync knows them. Needs the cluster key; empty without it.
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

/// Surveys the cluster and saves its members' addresses, for the case that all listed coordinators are gone.
pub async fn surveyed(group: &Group) -> Survey {
    let survey = survey(&group.seeds, &group.keys).await;
    if let Some(book) = &group.book
        && survey.leader.is_some()
    {
        book.write([survey.living(), survey.silent()].concat());
    }
    survey
}

/// Surveys the cluster; at least one member is alive in the result.
///
/// # Errors
/// 3: no member answers.
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
            let mut message = format!("no server answers at {asked} (from {})", group.found_in);
            for address in &group.seeds {
                if probe::is_live(address).await {
                    let words = "is the address of the web pages: pass the address of a backend or balancer instead, \
                                 such as HOST:10001 or HOST:8081";
                    message = format!("{address} (from {}) {words}", group.found_in);
                }
            }
            Err(Failure::new(Exit::Unreachable, message))
        }
    }
}
