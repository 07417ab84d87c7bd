//! The group at a glance: who is there, who leads, and how many more may be lost.
//!
//! The JSON is for scripts: a field that is there is always there, with the same name and type.

use super::table::{Side, layout};
use crate::net::survey::{MemberView, Survey};
use crate::state::{LogIndex, Role};
use serde::Serialize;

#[derive(Serialize)]
struct StatusJson<'a> {
    /// Null when there is none.
    leader: Option<&'a str>,
    term: u64,
    can_lose_processes: u32,
    can_lose_machines: u32,
    members: Vec<MemberJson<'a>>,
}

#[derive(Serialize)]
struct MemberJson<'a> {
    name: String,
    role: Role,
    id: u32,
    /// The last one that was heard; 0 if none ever was.
    pid: u32,
    address: &'a str,
    /// The machine's boot id; empty if unknown.
    machine: &'a str,
    alive: bool,
    voter: bool,
    in_sync: bool,
    /// The last index that was heard of.
    applied: LogIndex,
    /// Entries behind the furthest.
    lag: LogIndex,
    clients: u32,
}

/// One line of JSON.
pub fn json(survey: &Survey) -> String {
    let furthest = furthest(survey);
    let members = survey.members.iter().map(|member| MemberJson {
        name: member.info.name(),
        role: member.info.role,
        id: member.info.id,
        pid: member.info.pid,
        address: &member.info.address,
        machine: &member.info.machine,
        alive: member.alive,
        voter: member.voter,
        in_sync: member.in_sync,
        applied: member.info.applied,
        lag: furthest - member.info.applied,
        clients: member.info.clients,
    });
    let status = StatusJson {
        leader: survey.leader.as_deref(),
        term: survey.term,
        can_lose_processes: survey.can_lose_processes,
        can_lose_machines: survey.can_lose_machines,
        members: members.collect(),
    };
    serde_json::to_string(&status).expect("plain data always serialises")
}

/// For people: two sentences and a table, without the last line's end.
pub fn table(survey: &Survey) -> String {
    let furthest = furthest(survey);
    let head = ["NAME", "IS", "ADDRESS", "PID", "APPLIED", "LAG", "CLIENTS"];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    rows.extend(survey.members.iter().map(|member| {
        let info = &member.info;
        vec![
            info.name(),
            standing(survey, member),
            info.address.clone(),
            if info.pid == 0 { "-".to_string() } else { info.pid.to_string() },
            info.applied.to_string(),
            (furthest - info.applied).to_string(),
            if info.role == Role::Backend { info.clients.to_string() } else { "-".to_string() },
        ]
    }));
    let sides = [Side::Left, Side::Left, Side::Left, Side::Right, Side::Right, Side::Right, Side::Right];
    let text = format!("{}\n{}\n\n{}", who_leads(survey), what_may_be_lost(survey), layout(&sides, &rows));
    text.trim_end().to_string()
}

fn furthest(survey: &Survey) -> LogIndex {
    survey.members.iter().map(|member| member.info.applied).max().unwrap_or(0)
}

fn who_leads(survey: &Survey) -> String {
    let alive = survey.members.iter().filter(|member| member.alive).count();
    let count = format!("{alive} of {} are there.", counted(survey.members.len(), "member"));
    match &survey.leader {
        Some(leader) => format!("{leader} leads, term {}; {count}", survey.term),
        None => format!("NOBODY LEADS: nothing can be written, term {}; {count}", survey.term),
    }
}

fn what_may_be_lost(survey: &Survey) -> String {
    let processes = survey.can_lose_processes as usize;
    let machines = survey.can_lose_machines as usize;
    if survey.leader.is_none() {
        return "More voters have to come back.".to_string();
    }
    match (processes, machines) {
        (0, 0) => "Nothing more may be lost.".to_string(),
        _ => {
            format!("Still to spare: {} or {}.", counted(processes, "process"), counted(machines, "machine"))
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    let ending = match (count, what.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {what}{ending}")
}

fn standing(survey: &Survey, member: &MemberView) -> String {
    let seat = if member.voter { "voter" } else { "learner" };
    if !member.alive {
        format!("DEAD {seat}")
    } else if survey.leader.as_deref() == Some(&member.info.name()) {
        "leader".to_string()
    } else if member.in_sync {
        seat.to_string()
    } else {
        format!("{seat}, behind")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::protocol::MemberInfo;

    fn member(role: Role, id: u32, applied: LogIndex, alive: bool) -> MemberView {
        let info = MemberInfo {
            raft_id: u64::from(id),
            role,
            id,
            address: format!("127.0.0.1:4000{id}"),
            machine: "m".into(),
            pid: 100 + id,
            applied,
            clients: 0,
            rules_level: 1,
        };
        MemberView { info, alive, voter: true, in_sync: alive, store_open: alive }
    }

    fn survey() -> Survey {
        Survey {
            leader: Some("backend-1".into()),
            term: 3,
            can_lose_processes: 1,
            can_lose_machines: 0,
            members: vec![
                member(Role::Backend, 1, 42, true),
                member(Role::Backend, 2, 40, false),
                member(Role::Coordinator, 1, 42, true),
            ],
        }
    }

    #[test]
    fn people_see_who_is_dead_and_what_may_be_lost() {
        let expected = "\
backend-1 leads, term 3; 2 of 3 members are there.
Still to spare: 1 process or 0 machines.

NAME           IS          ADDRESS          PID  APPLIED  LAG  CLIENTS
backend-1      leader      127.0.0.1:40001  101       42    0        0
backend-2      DEAD voter  127.0.0.1:40002  102       40    2        0
coordinator-1  voter       127.0.0.1:40001  101       42    0        -";
        assert_eq!(table(&survey()), expected);
        let leaderless = Survey { leader: None, ..survey() };
        assert!(table(&leaderless).starts_with("NOBODY LEADS"));
    }

    #[test]
    fn scripts_find_every_field() {
        let first = "{\"leader\":\"backend-1\",\"term\":3,\"can_lose_processes\":1,\"can_lose_machines\":0,\
            \"members\":[{\"name\":\"backend-1\",\"role\":\"backend\",\"id\":1,\"pid\":101,\
            \"address\":\"127.0.0.1:40001\",\"machine\":\"m\",\"alive\":true,\"voter\":true,\"in_sync\":true,\
            \"applied\":42,\"lag\":0,\"clients\":0},";
        assert!(json(&survey()).starts_with(first), "{}", json(&survey()));
        assert!(json(&Survey { leader: None, ..survey() }).starts_with("{\"leader\":null,"));
    }
}
