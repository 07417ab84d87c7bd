//! Health of the cluster, as text for people and as JSON for scripts.

use super::status::what_may_be_lost;
use ribbit_net::health::{State, Trouble, judge, state};
use ribbit_net::survey::Survey;
use serde::Serialize;

#[derive(Serialize)]
struct HealthJson<'a> {
    state: &'a str,
    troubles: Vec<TroubleJson<'a>>,
    /// Null if there is no leader.
    leader: Option<&'a str>,
    can_lose_processes: u32,
    can_lose_machines: u32,
}

#[derive(Serialize)]
struct TroubleJson<'a> {
    what: &'a str,
    /// Null if the problem is not about one member.
    member: Option<&'a str>,
    words: String,
}

/// Returns the name of a state in JSON.
pub fn state_name(state: State) -> &'static str {
    match state {
        State::Fine => "fine",
        State::Degraded => "degraded",
        State::Down => "down",
        State::Unknown => "unknown",
    }
}

/// Returns a description of a problem for people, in whole sentences.
pub fn trouble_words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Nobody => "No server answers.".to_string(),
        Trouble::NoLeader => {
            "There is no leader. Nothing can be written until more voters come back.".to_string()
        }
        Trouble::NoBackend => "No backend serves clients.".to_string(),
        Trouble::NoMember => {
            "Only servers that are waiting to join answer, and they know no member. Name a backend with --server, or \
             check that the backends are running."
                .to_string()
        }
        Trouble::NoRoom => {
            "The disks are full. Reading and deleting work, but nothing new is accepted until there is space."
                .to_string()
        }
        Trouble::Missing(name) => format!("{name} is offline."),
        Trouble::Outside(name) => format!("{name} is running, but is not a member of the cluster yet."),
        Trouble::Behind(name) => format!("{name} is behind the others."),
        Trouble::Stalled(name) => {
            format!(
                "{name} has stopped following the leader; its log says why. Restart it if its disk is healthy."
            )
        }
        Trouble::DiskFull(name) => {
            format!("The disk of {name} is full. Free some space there, or raise its --disk-quota.")
        }
        Trouble::NothingToSpare => "Any further failure stops all writing.".to_string(),
    }
}

/// Returns the JSON name of a problem, and the member it is about.
fn kind(trouble: &Trouble) -> (&'static str, Option<&str>) {
    match trouble {
        Trouble::Nobody => ("nobody", None),
        Trouble::NoLeader => ("no_leader", None),
        Trouble::NoBackend => ("no_backend", None),
        Trouble::NoMember => ("no_member", None),
        Trouble::NoRoom => ("no_room", None),
        Trouble::Missing(name) => ("missing", Some(name)),
        Trouble::Outside(name) => ("outside", Some(name)),
        Trouble::Behind(name) => ("behind", Some(name)),
        Trouble::Stalled(name) => ("stalled", Some(name)),
        Trouble::DiskFull(name) => ("disk_full", Some(name)),
        Trouble::NothingToSpare => ("nothing_to_spare", None),
    }
}

/// Returns the health for people: several lines, without a line end after the last.
pub fn words(survey: &Survey) -> String {
    let troubles = judge(survey);
    let mut lines = vec![match state(&troubles) {
        State::Fine => format!("All is well. {}", what_may_be_lost(survey)),
        State::Degraded => "DEGRADED: it works, but something needs attention.".to_string(),
        State::Down => "DOWN.".to_string(),
        State::Unknown => "UNKNOWN: no member of the cluster answers.".to_string(),
    }];
    lines.extend(troubles.iter().map(trouble_words));
    lines.join("\n")
}

/// Returns the health as one line of JSON.
pub fn json(survey: &Survey) -> String {
    let troubles = judge(survey);
    let trouble = |trouble| {
        let (what, member) = kind(trouble);
        TroubleJson { what, member, words: trouble_words(trouble) }
    };
    let json = HealthJson {
        state: state_name(state(&troubles)),
        troubles: troubles.iter().map(trouble).collect(),
        leader: survey.leader.as_deref(),
        can_lose_processes: survey.can_lose_processes,
        can_lose_machines: survey.can_lose_machines,
    };
    serde_json::to_string(&json).expect("plain data always serialises")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_listed_for_people_and_scripts() {
        let nobody = Survey::default();
        assert_eq!(words(&nobody), "DOWN.\nNo server answers.");
        let expected = "{\"state\":\"down\",\"troubles\":[{\"what\":\"nobody\",\"member\":null,\"words\":\"No server \
                        answers.\"}],\"leader\":null,\"can_lose_processes\":0,\"can_lose_machines\":0}";
        assert_eq!(json(&nobody), expected);
        assert_eq!(kind(&Trouble::Missing("backend-2".into())), ("missing", Some("backend-2")));
    }
}
