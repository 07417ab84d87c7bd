//! `ribbit balancer read`, `write`, `down` and `left`: asks a balancer for a backend, or reports to it.
//!
//! Balancers are asked one after the other until one answers. Balancers do not share reports and assignments.

use crate::common::failure::{Exit, Failure};
use crate::common::options::DirectoryOptions;
use crate::common::output;
use ribbit_net::frame::Plane;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask, Directions, Finding, Why};
use std::time::Duration;

/// Timeout for the answer of one balancer, which may have to find a backend first.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Asks a balancer and prints its answer.
///
/// # Errors
/// 1: there is no leader, or a report was rejected. 3: no balancer answers, or no backend serves clients.
pub async fn run(options: &DirectoryOptions) -> Result<(), Failure> {
    let mut nowhere = None;
    for server in &options.group.servers {
        match ask_once(
            server,
            Plane::Directory,
            &options.group.keys,
            Ask::Directory(options.ask.clone()),
            ANSWER_MAX,
        )
        .await
        {
            Ok(Answer::Directions(directions)) => return tell(options, &directions),
            Ok(Answer::Unavailable(Why::NoLeader)) => {
                let message = "the cluster has no leader and accepts no writes at the moment: try again";
                return Err(Failure::new(Exit::Refused, message));
            }
            Ok(Answer::Unavailable(_)) => {
                nowhere = Some("no backend serves clients at the moment: try again".to_string());
            }
            Ok(_) => {
                nowhere = Some(format!("{server} is not a balancer: pass the address of one with --server"))
            }
            Err(error) => log::debug!("{server} does not answer: {error}"),
        }
    }
    let nobody = || {
        let (asked, found_in) = (options.group.servers.join(", "), &options.group.found_in);
        format!("no balancer answers at {asked} (from {found_in})")
    };
    Err(Failure::new(Exit::Unreachable, nowhere.unwrap_or_else(nobody)))
}

fn tell(options: &DirectoryOptions, directions: &Directions) -> Result<(), Failure> {
    let refused = match directions {
        Directions::Down(Finding::Answers) => "the backend still answers the balancer and stays in use",
        Directions::Down(Finding::Unknown) => "the balancer knows no member with this address",
        _ => "",
    };
    match (options.json, refused) {
        (true, _) => output::line(&ribbit_ui::directory::json(directions)),
        (false, "") => output::line(&ribbit_ui::directory::words(directions)),
        (false, _) => {}
    }
    match refused {
        "" => Ok(()),
        refused => Err(Failure::new(Exit::Refused, refused)),
    }
}
