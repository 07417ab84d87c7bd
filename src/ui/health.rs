//! Health of the cluster, as text for people and as JSON for scripts.

use super::status::survivable_failures;
use super::upgrade::unfinished;
use ribbit_net::health::{Health, Problem, overall, problems};
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
    /// Null if no upgrade is unfinished.
    upgrade: Option<String>,
}

#[derive(Serialize)]
struct TroubleJson<'a> {
    what: &'a str,
    /// Null if the problem is not about one member.
    member: Option<&'a str>,
    words: String,
    /// Advice; null if the words say what to do.
    fix: Option<String>,
}

/// Returns the name of a state in JSON.
pub fn health_name(state: Health) -> &'static str {
    match state {
        Health::Fine => "fine",
        Health::Degraded => "degraded",
        Health::Down => "down",
        Health::Unknown => "unknown",
    }
}

/// Returns a description of a problem for people, in whole sentences.
pub fn problem_words(trouble: &Problem) -> String {
    match trouble {
        Problem::NoAnswer => "No server answers.".to_string(),
        Problem::NoLeader => {
            "There is no leader. Nothing can be written until more voters come back.".to_string()
        }
        Problem::NoBackend => "No backend serves clients.".to_string(),
        Problem::NoMember => {
            "Only servers that are waiting to join answer, and they know no member. Name a backend with --server, or \
             check that the backends are running."
                .to_string()
        }
        Problem::NoRoom => {
            "The disks are full. Reading and deleting work, but nothing new is accepted until there is space."
                .to_string()
        }
        Problem::Missing(name) => format!("{name} is offline."),
        Problem::Outside(name) => format!("{name} is running, but is not a member of the cluster yet."),
        Problem::Behind(name) => format!("{name} is behind the others."),
        Problem::Stalled(name) => {
            format!(
                "{name} has stopped following the leader; its log says why. Restart it if its disk is healthy."
            )
        }
        Problem::DiskFull(name) => {
            format!("The disk of {name} is full. Free some space there, or raise its --disk-quota.")
        }
        Problem::NoRedundancy => "Any further failure stops all writing.".to_string(),
    }
}

/// Returns what to do about a problem, if its words do not say it.
pub fn problem_fix(trouble: &Problem) -> Option<String> {
    Some(match trouble {
        Problem::NoAnswer | Problem::NoBackend => {
            "On the boards run `systemctl status 'ribbit*'`, and start what is not running.".to_string()
        }
        Problem::NoLeader => {
            "Start the members that are offline, or check the network between them.".to_string()
        }
        Problem::NoRoom => "Delete croaks, free space on the disks, or raise --disk-quota.".to_string(),
        Problem::Missing(name) => {
            format!(
                "Check the power and the network of its board. If it never returns: `ribbit member remove {name}`."
            )
        }
        Problem::Outside(name) => {
            format!("Look at the log of {name}: it says what it waits for. It joins by itself.")
        }
        Problem::Behind(name) => {
            format!(
                "Wait while it catches up. If that takes long, run `ribbit doctor` on the board of {name}."
            )
        }
        Problem::NoRedundancy => "Start the members that are offline, or add one.".to_string(),
        Problem::NoMember | Problem::Stalled(_) | Problem::DiskFull(_) => return None,
    })
}

/// Returns the JSON name of a problem, and the member it is about.
fn kind(trouble: &Problem) -> (&'static str, Option<&str>) {
    match trouble {
        Problem::NoAnswer => ("nobody", None),
        Problem::NoLeader => ("no_leader", None),
        Problem::NoBackend => ("no_backend", None),
        Problem::NoMember => ("no_member", None),
        Problem::NoRoom => ("no_room", None),
        Problem::Missing(name) => ("missing", Some(name)),
        Problem::Outside(name) => ("outside", Some(name)),
        Problem::Behind(name) => ("behind", Some(name)),
        Problem::Stalled(name) => ("stalled", Some(name)),
        Problem::DiskFull(name) => ("disk_full", Some(name)),
        Problem::NoRedundancy => ("nothing_to_spare", None),
    }
}

/// Returns the health for people: several lines, without a line end after the last.
pub fn words(survey: &Survey) -> String {
    let troubles = problems(survey);
    let mut lines = vec![match overall(&troubles) {
        Health::Fine => format!("All is well. {}", survivable_failures(survey)),
        Health::Degraded => "DEGRADED: it works, but something needs attention.".to_string(),
        Health::Down => "DOWN.".to_string(),
        Health::Unknown => "UNKNOWN: no member of the cluster answers.".to_string(),
    }];
    for trouble in &troubles {
        lines.push(problem_words(trouble));
        lines.extend(problem_fix(trouble).map(|fix| format!("  {fix}")));
    }
    lines.extend(unfinished(survey).map(|(words, fix)| format!("Note: {words}; {fix}.")));
    lines.join("\n")
}

/// Returns the health as one line of JSON.
pub fn json(survey: &Survey) -> String {
    let troubles = problems(survey);
    let trouble = |trouble| {
        let (what, member) = kind(trouble);
        TroubleJson { what, member, words: problem_words(trouble), fix: problem_fix(trouble) }
    };
    let json = HealthJson {
        state: health_name(overall(&troubles)),
        troubles: troubles.iter().map(trouble).collect(),
        leader: survey.leader.as_deref(),
        can_lose_processes: survey.can_lose_processes,
        can_lose_machines: survey.can_lose_machines,
        upgrade: unfinished(survey).map(|(words, fix)| format!("{words}; {fix}")),
    };
    serde_json::to_string(&json).expect("plain data always serialises")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_listed_for_people_and_scripts() {
        let nobody = Survey::default();
        let fix = "On the boards run `systemctl status 'ribbit*'`, and start what is not running.";
        assert_eq!(words(&nobody), format!("DOWN.\nNo server answers.\n  {fix}"));
        let expected = format!(
            "{{\"state\":\"down\",\"troubles\":[{{\"what\":\"nobody\",\"member\":null,\"words\":\"No server answers.\",\
             \"fix\":\"{fix}\"}}],\"leader\":null,\"can_lose_processes\":0,\"can_lose_machines\":0,\"upgrade\":null}}"
        );
        assert_eq!(json(&nobody), expected);
        assert_eq!(kind(&Problem::Missing("backend-2".into())), ("missing", Some("backend-2")));
    }
}
