//! Status of the cluster: its members, its leader, and how many further failures it survives.
//!
//! The JSON is for scripts. Its fields are always present and keep their names and types.

use super::table::{Align, layout};
use ribbit_net::survey::{MemberView, Survey};
use ribbit_state::{LogIndex, RaftId, Role};
use serde::Serialize;

#[derive(Serialize)]
struct StatusJson<'a> {
    /// Null if there is no leader.
    leader: Option<&'a str>,
    term: u64,
    can_lose_processes: u32,
    can_lose_machines: u32,
    members: Vec<MemberJson<'a>>,
    /// Also empty if there is no cluster file.
    floating: &'a [Floating],
    /// Also empty if there is no cluster file.
    gateways: &'a [Gateway],
}

/// A running gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gateway {
    /// Machine and process id.
    pub name: String,
    /// Protocols that it serves, each with its addresses: `chat=board1:1538,board1:2538`.
    pub serves: String,
    /// True if this may be out of date, as of a [`Floating`] address.
    pub old: bool,
}

/// A floating address, held by one of several balancers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Floating {
    pub address: String,
    /// Machine that holds it, and its interface.
    pub holder: String,
    /// True if this may be out of date, because the member that answered has lost touch with the leader.
    pub old: bool,
}

#[derive(Serialize)]
struct MemberJson<'a> {
    name: String,
    role: Role,
    /// Number of its region.
    cluster: u32,
    id: u32,
    /// Last known process id; 0 if never known.
    pid: u32,
    address: &'a str,
    /// Boot id of its machine; empty if unknown.
    machine: &'a str,
    alive: bool,
    voter: bool,
    in_sync: bool,
    /// Last known applied index.
    applied: LogIndex,
    /// Number of entries behind the furthest member.
    lag: LogIndex,
    clients: u32,
    /// Size of its store in bytes; 0 if the member does not answer.
    disk_bytes: u64,
    /// Disk quota in bytes; 0 if the member does not answer.
    disk_quota_bytes: u64,
    /// Free disk space in bytes; 0 if the member does not answer.
    disk_free_bytes: u64,
    /// True while growing writes are refused.
    disk_full: bool,
    /// Seconds since the last full check of its store; null if there was none since it started.
    scrubbed_s: Option<u64>,
}

/// A member in the output of `members`: the fields of `status` and more.
#[derive(Serialize)]
struct DetailedJson<'a> {
    #[serde(flatten)]
    member: MemberJson<'a>,
    /// `voter`, `learner`, or `joining` while it joins or leaves.
    seat: &'a str,
    /// Raft id, which changes each time the member joins anew; 0 before it has joined.
    raft_id: RaftId,
    /// Newest rules level that it understands.
    rules_level: u32,
    /// Version and build; empty if the member does not answer.
    build: &'a str,
    /// Bytes that it has written to disks since it was started; 0 if unknown.
    written_bytes: u64,
    /// Host name of its machine; empty if unknown.
    host: &'a str,
    /// Load average of its machine over the last minute.
    load: f64,
    /// True if the leader has heard from it lately, so it keeps its locks.
    has_lease: bool,
    /// Fencing token if it is the master of its region, else null.
    master: Option<LogIndex>,
    /// Members with the same role and number in other regions.
    counterparts: Vec<String>,
}

#[derive(Serialize)]
struct MembersJson<'a> {
    /// Null if there is no leader.
    leader: Option<&'a str>,
    term: u64,
    members: Vec<DetailedJson<'a>>,
}

fn member_json<'a>(survey: &Survey, member: &'a MemberView) -> MemberJson<'a> {
    let store = member.store.unwrap_or_default();
    MemberJson {
        name: member.info.name(),
        role: member.info.role,
        cluster: member.info.region,
        id: member.info.id,
        pid: member.info.pid,
        address: &member.info.address,
        machine: &member.info.machine,
        alive: member.alive,
        voter: member.voter,
        in_sync: member.in_sync,
        applied: member.info.applied,
        lag: behind(survey, member),
        clients: member.info.clients,
        disk_bytes: store.bytes,
        disk_quota_bytes: store.quota_bytes,
        disk_free_bytes: store.free_bytes,
        disk_full: store.full,
        scrubbed_s: store.scrubbed_s,
    }
}

/// Returns the status as one line of JSON.
pub fn json(survey: &Survey, floating: &[Floating], gateways: &[Gateway]) -> String {
    to_json(&StatusJson {
        leader: survey.leader.as_deref(),
        term: survey.term,
        can_lose_processes: survey.can_lose_processes,
        can_lose_machines: survey.can_lose_machines,
        members: survey.members.iter().map(|member| member_json(survey, member)).collect(),
        floating,
        gateways,
    })
}

/// Returns all that is known of the members as one line of JSON.
pub fn members_json(survey: &Survey) -> String {
    let members = survey.members.iter().map(|member| DetailedJson {
        member: member_json(survey, member),
        seat: seat(member),
        raft_id: member.info.raft_id,
        rules_level: member.info.rules_level,
        build: &member.build,
        written_bytes: member.store.map_or(0, |store| store.written_bytes),
        host: &member.info.host,
        load: f64::from(member.info.load_hundredths) / 100.0,
        has_lease: member.has_lease,
        master: member.master,
        counterparts: counterparts(survey, member),
    });
    let members = members.collect();
    to_json(&MembersJson { leader: survey.leader.as_deref(), term: survey.term, members })
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data always serialises")
}

/// A column of the table: heading, alignment, and function that fills a cell.
type Column = (&'static str, Align, fn(&Survey, &MemberView) -> String);

const NAME: Column = ("NAME", Align::Left, |_, member| member.info.name());
const STATE: Column = ("STATE", Align::Left, member_state);
const ADDRESS: Column = ("ADDRESS", Align::Left, |_, member| member.info.address.clone());
const MACHINE: Column = ("MACHINE", Align::Left, |_, member| match member.info.machine.as_str() {
    "" => "-".to_string(),
    // The beginning of a boot id is enough to tell machines apart.
    machine => machine.chars().take(MACHINE_CHARS).collect(),
});
const RAFT_ID: Column = ("RAFT ID", Align::Right, |_, member| or_dash(member.info.raft_id));
const RULES: Column = ("RULES", Align::Right, |_, member| or_dash(member.info.rules_level.into()));
const PID: Column = ("PID", Align::Right, |_, member| or_dash(member.info.pid.into()));
const APPLIED: Column = ("APPLIED", Align::Right, |_, member| member.info.applied.to_string());
const LAG: Column = ("LAG", Align::Right, |survey, member| behind(survey, member).to_string());
const CLIENTS: Column = ("CLIENTS", Align::Right, |_, member| match member.info.role {
    Role::Backend => member.info.clients.to_string(),
    Role::Coordinator => "-".to_string(),
});
const DISK: Column = ("DISK", Align::Right, |_, member| match member.store {
    Some(store) if store.full => "FULL".to_string(),
    Some(store) => megabytes(store.bytes),
    None => "-".to_string(),
});
const QUOTA: Column = ("QUOTA", Align::Right, |_, member| {
    member.store.map_or("-".into(), |store| megabytes(store.quota_bytes))
});
const FREE: Column =
    ("FREE", Align::Right, |_, member| member.store.map_or("-".into(), |store| megabytes(store.free_bytes)));
const SCRUBBED: Column =
    ("SCRUBBED", Align::Right, |_, member| match member.store.and_then(|store| store.scrubbed_s) {
        Some(seconds) if seconds < 3_600 => format!("{} min ago", seconds / 60),
        Some(seconds) => format!("{} h ago", seconds / 3_600),
        None => "-".to_string(),
    });
const HOST: Column = ("HOST", Align::Left, |_, member| word_or_dash(&member.info.host));
const LOAD: Column = ("LOAD", Align::Right, |_, member| {
    format!("{}.{:02}", member.info.load_hundredths / 100, member.info.load_hundredths % 100)
});
const REGION: Column = ("REGION", Align::Right, |_, member| member.info.region.to_string());
const LEASE: Column = ("LEASE", Align::Left, |_, member| match (member.master, member.has_lease) {
    (Some(fence), _) => format!("master, fence {fence}"),
    (None, true) => "yes".to_string(),
    (None, false) => "no".to_string(),
});
const COUNTERPARTS: Column =
    ("COUNTERPARTS", Align::Left, |survey, member| word_or_dash(&counterparts(survey, member).join(", ")));
/// Number of characters of a boot id in the table.
const MACHINE_CHARS: usize = 8;

/// Returns the members with the same role and number in other regions.
fn counterparts(survey: &Survey, member: &MemberView) -> Vec<String> {
    let of = |other: &&MemberView| {
        (other.info.role, other.info.id) == (member.info.role, member.info.id)
            && other.info.region != member.info.region
    };
    survey.members.iter().filter(of).map(|other| other.info.name()).collect()
}

fn word_or_dash(word: &str) -> String {
    if word.is_empty() { "-".to_string() } else { word.to_string() }
}

fn or_dash(number: u64) -> String {
    if number == 0 { "-".to_string() } else { number.to_string() }
}

/// Returns a size in megabytes, rounded up so that only 0 bytes are shown as 0 MB.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

fn old_mark(old: bool) -> &'static str {
    if old { " (may be out of date)" } else { "" }
}

/// Returns the status for people: sentences and a table, without a line end after the last line.
pub fn table(survey: &Survey, floating: &[Floating], gateways: &[Gateway]) -> String {
    let table = columns(survey, &[NAME, STATE, ADDRESS, PID, APPLIED, LAG, CLIENTS, DISK]);
    let held: String = floating
        .iter()
        .map(|it| format!("{} is held by {}{}.\n", it.address, it.holder, old_mark(it.old)))
        .collect();
    let served: String = gateways
        .iter()
        .map(|it| format!("Gateway {} serves {}{}.\n", it.name, it.serves, old_mark(it.old)))
        .collect();
    let (leader, survives) = (leader_line(survey), survivable_failures(survey));
    format!("{leader}\n{survives}\n{held}{served}{}\n{table}", full_disks(survey))
}

/// Returns the status for people with all that is known of each member.
pub fn members_table(survey: &Survey) -> String {
    let all = [
        NAME,
        REGION,
        STATE,
        LEASE,
        COUNTERPARTS,
        RAFT_ID,
        RULES,
        ADDRESS,
        HOST,
        MACHINE,
        LOAD,
        PID,
        APPLIED,
        LAG,
        CLIENTS,
        DISK,
        QUOTA,
        FREE,
        SCRUBBED,
    ];
    format!("{}\n{}\n\n{}", leader_line(survey), masters(survey), columns(survey, &all))
}

/// Returns a sentence about the masters of all regions.
fn masters(survey: &Survey) -> String {
    let words: Vec<String> = survey
        .members
        .iter()
        .filter_map(|member| {
            let info = &member.info;
            Some(format!(
                "of region {}: {} at {}, fence {}",
                info.region,
                info.name(),
                info.address,
                member.master?
            ))
        })
        .collect();
    match words.as_slice() {
        [] => "No region has a master.".to_string(),
        words => format!("Master {}.", words.join("; ")),
    }
}

fn columns(survey: &Survey, columns: &[Column]) -> String {
    let sides: Vec<Align> = columns.iter().map(|(_, side, _)| *side).collect();
    let mut rows = vec![columns.iter().map(|(head, ..)| head.to_string()).collect()];
    let row = |member| columns.iter().map(|(.., cell)| cell(survey, member)).collect();
    rows.extend(survey.members.iter().map(row));
    layout(&sides, &rows).trim_end().to_string()
}

/// Returns the number of entries that a member is behind the furthest one.
pub fn behind(survey: &Survey, member: &MemberView) -> LogIndex {
    furthest(survey) - member.info.applied
}

fn furthest(survey: &Survey) -> LogIndex {
    survey.members.iter().map(|member| member.info.applied).max().unwrap_or(0)
}

/// Returns a line about the leader and the number of running members.
pub(super) fn leader_line(survey: &Survey) -> String {
    let alive = survey.members.iter().filter(|member| member.alive).count();
    let are = if survey.members.len() == 1 { "is" } else { "are" };
    let count = format!("{alive} of {} {are} up.", counted(survey.members.len(), "member"));
    match &survey.leader {
        Some(leader) => format!("Leader: {leader}, term {}. {count}", survey.term),
        None => format!("NO LEADER: nothing can be written, term {}. {count}", survey.term),
    }
}

/// Returns a sentence about the failures that the cluster still survives.
pub fn survivable_failures(survey: &Survey) -> String {
    let processes = survey.can_lose_processes as usize;
    let machines = survey.can_lose_machines as usize;
    if survey.leader.is_none() {
        return "More voters must come back.".to_string();
    }
    match (processes, machines) {
        (0, 0) => "Cannot survive any further failure.".to_string(),
        _ => {
            let (processes, machines) = (counted(processes, "process"), counted(machines, "machine"));
            format!("Can survive the loss of {processes} or {machines}.")
        }
    }
}

/// Returns a line about members with full disks; empty if there is none.
pub(super) fn full_disks(survey: &Survey) -> String {
    let is_full = |member: &&MemberView| member.store.is_some_and(|store| store.full);
    let names: Vec<String> = survey.members.iter().filter(is_full).map(|member| member.info.name()).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!("DISK FULL: {}. Free some space, or raise --disk-quota.\n", names.join(", ")),
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

fn seat(member: &MemberView) -> &'static str {
    match (member.voter, member.learner) {
        (true, _) => "voter",
        (false, true) => "learner",
        (false, false) => "joining",
    }
}

/// Returns a member's place in the cluster and its condition: `leader`, `voter`, `learner, behind`, `voter, DOWN`.
pub(super) fn member_state(survey: &Survey, member: &MemberView) -> String {
    let seat = seat(member);
    if !member.alive {
        format!("{seat}, DOWN")
    } else if survey.leader.as_deref() == Some(&member.info.name()) {
        "leader".to_string()
    } else if member.stalled {
        format!("{seat}, stalled")
    } else if member.in_sync {
        seat.to_string()
    } else if survey.leader.is_none() {
        format!("{seat}, no leader")
    } else {
        format!("{seat}, behind")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_net::protocol::{MemberInfo, StoreStatus};

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
            ..MemberInfo::default()
        };
        let store = alive.then_some(StoreStatus {
            bytes: 1_500_000,
            quota_bytes: 2_000_000_000,
            free_bytes: 7_000_000_000,
            full: false,
            scrubbed_s: Some(7_300),
            written_bytes: 5_000,
            written_s: 60,
            is_empty: false,
        });
        let (has_lease, master) = (alive, (id == 1 && role == Role::Backend).then_some(7));
        MemberView {
            info,
            alive,
            voter: true,
            learner: false,
            in_sync: alive,
            stalled: false,
            store_open: alive,
            accepts_old_key: false,
            build: String::new(),
            store,
            has_lease,
            master,
        }
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
            ..Survey::default()
        }
    }

    #[test]
    fn the_table_shows_members_that_are_down_and_failures_that_are_survived() {
        let expected = "\
Leader: backend-1, term 3. 2 of 3 members are up.
Can survive the loss of 1 process or 0 machines.

NAME           STATE        ADDRESS          PID  APPLIED  LAG  CLIENTS  DISK
backend-1      leader       127.0.0.1:40001  101       42    0        0  2 MB
backend-2      voter, DOWN  127.0.0.1:40002  102       40    2        0     -
coordinator-1  voter        127.0.0.1:40001  101       42    0        -  2 MB";
        assert_eq!(table(&survey(), &[], &[]), expected);
        let mut full = survey();
        full.members[0].store.as_mut().unwrap().full = true;
        let said = table(&full, &[], &[]);
        assert!(
            said.contains("\nDISK FULL: backend-1. Free some space,") && said.contains("0  FULL\n"),
            "{said}"
        );
        let leaderless = Survey { leader: None, ..survey() };
        assert!(table(&leaderless, &[], &[]).starts_with("NO LEADER"));
    }

    #[test]
    fn the_members_table_shows_all_that_is_known() {
        let mut survey = survey();
        (survey.members[1].voter, survey.members[1].info.machine) = (false, "0123456789abc".into());
        survey.members[2].voter = false;
        survey.members[2].learner = true;
        let expected = "\
NAME           REGION  STATE          LEASE            COUNTERPARTS
backend-1           1  leader         master, fence 7  backend-1@2
backend-2           1  joining, DOWN  no               -
coordinator-1       1  learner        yes              -
backend-1@2         2  voter          yes              backend-1";
        survey.members.push(member(Role::Backend, 1, 42, true));
        let elsewhere = survey.members.last_mut().unwrap();
        (elsewhere.info.region, elsewhere.master) = (2, None);
        let said = members_table(&survey);
        let cut = |line: &str| line.split("  RAFT ID").next().unwrap().trim_end().to_string();
        let width = said.lines().find(|line| line.starts_with("NAME")).map(|line| cut(line).len()).unwrap();
        let left: Vec<String> = said
            .lines()
            .map(|line| line.chars().take(width + 1).collect::<String>().trim_end().to_string())
            .collect();
        assert!(left.join("\n").ends_with(expected), "{}", left.join("\n"));
        assert!(said.contains("Master of region 1: backend-1 at 127.0.0.1:40001, fence 7.\n"), "{said}");
        let end = "\"seat\":\"voter\",\"raft_id\":1,\"rules_level\":1,\"build\":\"\",\"written_bytes\":5000,\"host\":\"\",\"load\":0.0,\
            \"has_lease\":true,\"master\":null,\"counterparts\":[\"backend-1\"]}]}";
        assert!(members_json(&survey).ends_with(end), "{}", members_json(&survey));
    }

    #[test]
    fn the_json_has_every_field() {
        let first = "{\"leader\":\"backend-1\",\"term\":3,\"can_lose_processes\":1,\"can_lose_machines\":0,\
            \"members\":[{\"name\":\"backend-1\",\"role\":\"backend\",\"cluster\":1,\"id\":1,\"pid\":101,\
            \"address\":\"127.0.0.1:40001\",\"machine\":\"m\",\"alive\":true,\"voter\":true,\"in_sync\":true,\
            \"applied\":42,\"lag\":0,\"clients\":0,\"disk_bytes\":1500000,\"disk_quota_bytes\":2000000000,\
            \"disk_free_bytes\":7000000000,\"disk_full\":false,\"scrubbed_s\":7300},";
        let floating =
            [Floating { address: "192.168.1.50".into(), holder: "board1, eth0".into(), old: false }];
        let gateways = [Gateway { name: "board1-99".into(), serves: "chat=board1:1538".into(), old: true }];
        let said = json(&survey(), &floating, &gateways);
        let last = "],\"floating\":[{\"address\":\"192.168.1.50\",\"holder\":\"board1, eth0\",\"old\":false}],\
            \"gateways\":[{\"name\":\"board1-99\",\"serves\":\"chat=board1:1538\",\"old\":true}]}";
        assert!(said.starts_with(first) && said.ends_with(last), "{said}");
        assert!(json(&Survey { leader: None, ..survey() }, &[], &[]).starts_with("{\"leader\":null,"));
        let table = table(&survey(), &floating, &gateways);
        let between = "192.168.1.50 is held by board1, eth0.\n\
            Gateway board1-99 serves chat=board1:1538 (may be out of date).\n";
        assert!(table.contains(&format!("0 machines.\n{between}\nNAME")), "{table}");
    }
}
