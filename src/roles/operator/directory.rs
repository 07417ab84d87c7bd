//! `ribbit balancer read`, `write`, `down` and `left`: asks a balancer where to go, or tells it who has gone.
//!
//! Balancers are asked one after the other until one answers. Each asker speaks for itself: what one balancer
//! was told, the others do not know.

use crate::common::failure::{Exit, Failure};
use crate::common::options::DirectoryOptions;
use crate::common::output;
use ribbit_net::frame::Plane;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask, Directions, Finding, Why};
use std::time::Duration;

/// One balancer's answer; it may look for a backend meanwhile.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// # Errors
/// 1: nobody leads, or a report was wrong; 3: no balancer answers, or no backend serves people.
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
                let message = "nobody leads: nothing can be written at the moment";
                return Err(Failure::new(Exit::Refused, message));
            }
            Ok(Answer::Unavailable(_)) => {
                nowhere = Some("no backend serves people at the moment".to_string());
            }
            Ok(_) => nowhere = Some(format!("{server} is no balancer: name one with --server")),
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
        Directions::Down(Finding::Answers) => "it answers the balancer, and stays in use",
        Directions::Down(Finding::Unknown) => "the balancer knows no member at that address",
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
