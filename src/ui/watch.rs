//! Status of the cluster for a terminal that refreshes by itself (`ribbit watch`).

use super::plain;
use super::status::{behind, full_disks, leader_line, member_state, survivable_failures};
use super::table::{Align, layout};
use ribbit_net::survey::{MemberView, Survey};
use ribbit_state::Role;
use std::collections::BTreeMap;
use std::time::Duration;

/// Time since the last answer of each member that has ever answered, by name.
pub type LastHeartbeats = BTreeMap<String, Duration>;

const SIDES: [Align; 6] = [Align::Left, Align::Left, Align::Right, Align::Left, Align::Right, Align::Right];
const HEADS: [&str; 6] = ["NAME", "STATE", "HEARTBEAT", "LEASE", "LAG", "CLIENTS"];

/// Returns sentences and a table, without a line end after the last line. Control characters are escaped.
pub fn screen(survey: &Survey, heard: &LastHeartbeats) -> String {
    if !survey.has_answers() {
        return "No server answers. Trying again.".to_string();
    }
    let mut rows = vec![HEADS.map(str::to_string).to_vec()];
    rows.extend(survey.members.iter().map(|member| row(survey, member, heard)));
    let sentences =
        [leader_line(survey), survivable_failures(survey), full_disks(survey).trim_end().to_string()];
    let said: Vec<String> =
        sentences.iter().filter(|words| !words.is_empty()).map(|words| plain::line(words)).collect();
    format!("{}\n\n{}", said.join("\n"), layout(&SIDES, &rows).trim_end())
}

fn row(survey: &Survey, member: &MemberView, heard: &LastHeartbeats) -> Vec<String> {
    let name = member.info.name();
    let beat = match heard.get(&name) {
        _ if member.alive => "now".to_string(),
        Some(ago) => format!("{} s ago", ago.as_secs().max(1)),
        None => "-".to_string(),
    };
    let lease = if member.has_lease { "held" } else { "-" };
    let clients = match (member.alive, member.info.role) {
        (true, Role::Backend) => member.info.clients.to_string(),
        _ => "-".to_string(),
    };
    vec![
        name,
        member_state(survey, member),
        beat,
        lease.to_string(),
        behind(survey, member).to_string(),
        clients,
    ]
}

/// Returns as much of a text as fits a terminal.
pub fn fitting(text: &str, columns: usize, rows: usize) -> Vec<String> {
    text.lines().take(rows).map(|line| line.chars().take(columns).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_net::protocol::MemberInfo;

    fn member(id: u32, alive: bool) -> MemberView {
        MemberView {
            info: MemberInfo {
                raft_id: id.into(),
                id,
                applied: 9 - u64::from(id),
                clients: 4,
                ..MemberInfo::default()
            },
            alive,
            voter: true,
            in_sync: alive,
            stalled: false,
            store_open: alive,
            has_lease: alive,
            ..MemberView::default()
        }
    }

    #[test]
    fn the_screen_shows_the_last_heartbeat_of_each_member() {
        let survey = Survey {
            leader: Some("backend-1".into()),
            term: 3,
            members: vec![member(1, true), member(2, false), member(3, false)],
            can_lose_processes: 0,
            can_lose_machines: 0,
            ..Survey::default()
        };
        let heard = LastHeartbeats::from([("backend-2".to_string(), Duration::from_secs(7))]);
        let expected = "\
Leader: backend-1, term 3. 1 of 3 members are up.
Cannot survive any further failure.

NAME       STATE        HEARTBEAT  LEASE  LAG  CLIENTS
backend-1  leader             now  held     0        4
backend-2  voter, DOWN    7 s ago  -        1        -
backend-3  voter, DOWN          -  -        2        -";
        assert_eq!(screen(&survey, &heard), expected);
        assert_eq!(screen(&Survey::default(), &heard), "No server answers. Trying again.");
    }

    #[test]
    fn a_small_terminal_gets_what_fits() {
        assert_eq!(fitting("abcdef\ng\nh", 3, 2), ["abc", "g"]);
    }
}
