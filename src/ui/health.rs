//! Whether the group is well, in words, and as JSON for scripts.

use super::status::what_may_be_lost;
use ribbit_net::health::{State, Trouble, judge, state};
use ribbit_net::survey::Survey;
use serde::Serialize;

#[derive(Serialize)]
struct HealthJson<'a> {
    state: &'a str,
    troubles: Vec<TroubleJson<'a>>,
    /// Null when there is none.
    leader: Option<&'a str>,
    can_lose_processes: u32,
    can_lose_machines: u32,
}

#[derive(Serialize)]
struct TroubleJson<'a> {
    what: &'a str,
    /// Null when it is about no member.
    member: Option<&'a str>,
    words: String,
}

pub fn state_name(state: State) -> &'static str {
    match state {
        State::Fine => "fine",
        State::Degraded => "degraded",
        State::Down => "down",
        State::Unknown => "unknown",
    }
}

/// A sentence for people.
pub fn trouble_words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Nobody => "Nobody answers.".to_string(),
        Trouble::NoLeader => "Nobody leads: nothing can be written until more voters come back.".to_string(),
        Trouble::NoBackend => "No backend serves people.".to_string(),
        Trouble::NoMember => {
            "Only servers that wait to join answer, and they know no member: name a backend with \
                              --server, or look whether the backends run."
                .to_string()
        }
        Trouble::NoRoom => {
            "The disks are full: nothing new is taken until there is room; reading and deleting work."
                .to_string()
        }
        Trouble::Missing(name) => format!("{name} is missing."),
        Trouble::Outside(name) => format!("{name} is there, but does not belong to the group yet."),
        Trouble::Behind(name) => format!("{name} is behind the others."),
        Trouble::Stalled(name) => {
            format!(
                "{name} has stopped following the leader: its log says why. If its disk is well, restart it."
            )
        }
        Trouble::DiskFull(name) => {
            format!("The disk of {name} is full: make room there, or raise its --disk-quota.")
        }
        Trouble::NothingToSpare => "Nothing more may be lost: the next loss ends all writing.".to_string(),
    }
}

/// What kind of trouble, for scripts, and the member it is about.
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

/// For people, without the last line's end.
pub fn words(survey: &Survey) -> String {
    let troubles = judge(survey);
    let mut lines = vec![match state(&troubles) {
        State::Fine => format!("All is well. {}", what_may_be_lost(survey)),
        State::Degraded => "DEGRADED: it works, and somebody should look.".to_string(),
        State::Down => "DOWN.".to_string(),
        State::Unknown => "NOT KNOWN: no member of the cluster answers.".to_string(),
    }];
    lines.extend(troubles.iter().map(trouble_words));
    lines.join("\n")
}

/// One line of JSON.
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
    fn people_and_scripts_are_told_what_is_wrong() {
        let nobody = Survey::default();
        assert_eq!(words(&nobody), "DOWN.\nNobody answers.");
        let expected = "{\"state\":\"down\",\"troubles\":[{\"what\":\"nobody\",\"member\":null,\"words\":\"Nobody \
                        answers.\"}],\"leader\":null,\"can_lose_processes\":0,\"can_lose_machines\":0}";
        assert_eq!(json(&nobody), expected);
        assert_eq!(kind(&Trouble::Missing("backend-2".into())), ("missing", Some("backend-2")));
    }
}
