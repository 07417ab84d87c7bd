//! A survey: requests the status of every member and merges the answers.
//!
//! A member that answers reports its own status. For a member that does not answer, the others report what they last heard
//! of it. All members are asked at once, with `CONNECT_DEADLINE` for the connection and `STATUS_DEADLINE` for the answer.
//! The next round asks the members that the answers have named. So a survey takes a second while a member is unreachable,
//! and a few seconds at worst.
//!
//! `merge` is pure. It uses the answers of one cluster, the first that answers: an address is only a hint, and its port
//! may belong to another process by now.
//!
//! Not here: decisions. A survey describes the past.

use super::frame::Plane;
use super::keys::Keys;
use super::limits::{ADDRESSES_MAX, SURVEY_ROUNDS_MAX};
use super::oneshot::ask_status;
use super::protocol::{LeaseStatus, MemberInfo, NodeStatus, StoreStatus};
use super::tasks;
use ribbit_state::{LogIndex, MemberName, RaftId, Role};
use std::collections::BTreeMap;

/// Status of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Name of the leader, if there is one.
    pub leader: Option<String>,
    pub term: u64,
    /// Members by region, then backends first, then by number.
    pub members: Vec<MemberView>,
    /// Number of further processes that may fail, in the worst order, with a majority of the voters left.
    pub can_lose_processes: u32,
    /// Number of further machines that may fail, in the worst order, with a majority of the voters left.
    pub can_lose_machines: u32,
    /// Rules level of the cluster; 0 if unknown.
    pub rules_level: u32,
    /// True if upgrades finish by themselves.
    pub auto_finish: bool,
}

/// Status of a member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberView {
    pub info: MemberInfo,
    /// True if it has answered.
    pub alive: bool,
    pub voter: bool,
    /// A member that is neither voter nor learner is being added or removed.
    pub learner: bool,
    /// True if it reports to be in sync and the leader does not report it as lagging.
    pub in_sync: bool,
    /// True if it has applied nothing for ten seconds although the leader has.
    pub stalled: bool,
    /// True if it has joined the cluster and its store is open.
    pub store_open: bool,
    /// True if an older key authenticates members there, too.
    pub accepts_old_key: bool,
    /// Version and build, if it has answered.
    pub build: String,
    /// Status of its store, if it has answered.
    pub store: Option<StoreStatus>,
    /// True if its lease is valid, so that it keeps its locks.
    pub has_lease: bool,
    /// Fencing token of the master lock of its region, if it holds that lock.
    pub master: Option<LogIndex>,
}

impl Survey {
    /// Returns the member of this name, if it is known.
    pub fn member(&self, name: MemberName) -> Option<&MemberView> {
        self.members.iter().find(|member| member.info.member_name() == name)
    }

    /// Returns the addresses of the members that answered.
    pub fn answering(&self) -> Vec<String> {
        self.addresses_of(true)
    }

    /// Returns the addresses of the members that did not answer. They may come back.
    pub fn silent(&self) -> Vec<String> {
        self.addresses_of(false)
    }

    fn addresses_of(&self, alive: bool) -> Vec<String> {
        let members = self.members.iter().filter(|member| member.alive == alive);
        members.map(|member| member.info.address.clone()).collect()
    }

    /// Returns the members that apply the log, which all have to understand a rules level before the cluster rises to it.
    pub fn appliers(&self) -> impl Iterator<Item = &MemberView> {
        self.members.iter().filter(|member| member.voter || member.learner)
    }

    /// Returns the rules level of an unfinished upgrade: the highest that any member understands, if the cluster has not risen to it.
    pub fn unfinished_upgrade(&self) -> Option<u32> {
        let highest = self.appliers().map(|member| member.info.rules_level).max()?;
        (self.rules_level > 0 && highest > self.rules_level).then_some(highest)
    }

    /// Returns the members that do not understand this rules level, as far as is known.
    pub fn older_than(&self, level: u32) -> Vec<String> {
        let older = self.appliers().filter(|member| member.info.rules_level < level);
        older.map(|member| member.info.name()).collect()
    }

    /// Returns true if any member answered.
    pub fn has_answers(&self) -> bool {
        self.members.iter().any(|member| member.alive)
    }
}

/// Surveys the members at `seeds` and all members that they know of. The address of a balancer leads to one of its
/// backends.
pub async fn survey(seeds: &[String], keys: &Keys) -> Survey {
    let mut asked: Vec<String> = Vec::new();
    let mut answers: Vec<NodeStatus> = Vec::new();
    let mut next = seeds.to_vec();
    for _ in 0..SURVEY_ROUNDS_MAX {
        next.sort();
        next.dedup();
        next.retain(|address| !address.is_empty() && !asked.contains(address));
        next.truncate(ADDRESSES_MAX - asked.len());
        if next.is_empty() {
            break;
        }
        let asking: Vec<_> =
            next.iter().map(|address| tasks::spawn(node_status(address.clone(), keys.clone()))).collect();
        asked.append(&mut next);
        for answer in asking {
            let Some(status) = answer.await else { continue };
            next.extend(status.others.iter().map(|other| other.address.clone()));
            next.push(status.me.address.clone());
            answers.push(status);
        }
    }
    merge(&answers)
}

async fn node_status(address: String, keys: Keys) -> Option<NodeStatus> {
    match ask_status(&address, Plane::Status, &keys).await {
        Ok(status) => Some(status),
        Err(error) if error.is_stranger() => {
            log::warn!("skipped the server at {address}: {error}");
            None
        }
        Err(error) => {
            log::debug!("the server at {address} does not answer: {error}");
            None
        }
    }
}

/// Merges the answers. Several answers of one member count once.
pub(crate) fn merge(answers: &[NodeStatus]) -> Survey {
    let Some(cluster) = answers.first().map(|first| first.cluster) else { return Survey::default() };
    let mut live = BTreeMap::new();
    for status in answers.iter().filter(|status| status.cluster == cluster) {
        live.insert(key(&status.me), status);
    }
    // The leader reports itself as the leader. If two members do, the one with the higher term is right.
    let claims = |status: &&&NodeStatus| status.leader == Some(status.me.raft_id) && status.me.raft_id != 0;
    let leader = live.values().filter(claims).max_by_key(|status| status.term);
    let newest_term = live.values().map(|status| status.term).max().unwrap_or(0);
    // The configuration is taken from the leader, otherwise from the member that has applied most.
    let freshest = live.values().max_by_key(|status| (status.term, status.me.applied));
    let (voters, learners): (&[RaftId], &[RaftId]) =
        leader.or(freshest).map_or((&[], &[]), |status| (&status.voters, &status.learners));

    let lagging: &[RaftId] = leader.map_or(&[], |status| &status.lagging);
    let none = LeaseStatus::default();
    let leases = leader.or(freshest).map_or(&none, |status| &status.leases);
    let members: Vec<MemberView> = infos(&live)
        .into_iter()
        .map(|(key, info)| MemberView {
            voter: voters.contains(&info.raft_id),
            learner: learners.contains(&info.raft_id),
            has_lease: leases.active.contains(&info.raft_id),
            master: leases.masters.iter().find(|master| master.raft_id == info.raft_id).map(|it| it.fence),
            ..view(info.clone(), live.get(&key).copied(), lagging)
        })
        .collect();
    let (can_lose_processes, can_lose_machines) = can_lose(&members, voters.len());
    Survey {
        leader: leader.map(|status| status.me.name()),
        term: leader.map_or(newest_term, |status| status.term),
        members,
        can_lose_processes,
        can_lose_machines,
        rules_level: live.values().map(|status| status.rules_level).max().unwrap_or(0),
        auto_finish: leader.or(freshest).is_some_and(|status| status.auto_finish),
    }
}

/// Identity of a member: region, role, number. It gives the display order: the home region first, then backends first.
type MemberKey = (u32, Role, u32);

fn key(info: &MemberInfo) -> MemberKey {
    (info.region, info.role, info.id)
}

/// Returns for each member its own report, or the freshest report of the others.
fn infos<'a>(live: &BTreeMap<MemberKey, &'a NodeStatus>) -> BTreeMap<MemberKey, &'a MemberInfo> {
    let mut infos: BTreeMap<MemberKey, &MemberInfo> =
        live.iter().map(|(key, status)| (*key, &status.me)).collect();
    for other in live.values().flat_map(|status| &status.others) {
        if live.contains_key(&key(other)) {
            continue;
        }
        let known = infos.entry(key(other)).or_insert(other);
        if freshness(other) > freshness(known) {
            *known = other;
        }
    }
    infos
}

/// Returns the freshness of a report. A later Raft id is a later member of the same name. A report of a member that was
/// heard (it has a pid) is better than one of a member that is only known by name.
fn freshness(info: &MemberInfo) -> (RaftId, bool, u64) {
    (info.raft_id, info.pid != 0, info.applied)
}

/// Returns the view of a member, from its own answer if there is one, and from the members that the leader reports as
/// lagging.
fn view(info: MemberInfo, status: Option<&NodeStatus>, lagging: &[RaftId]) -> MemberView {
    MemberView {
        alive: status.is_some(),
        in_sync: status.is_some_and(|status| status.in_sync) && !lagging.contains(&info.raft_id),
        stalled: status.is_some_and(|status| status.stalled_s > 0),
        store_open: status.is_some_and(|status| status.history.is_some()),
        accepts_old_key: status.is_some_and(|status| status.accepts_old_key),
        build: status.map(|status| status.build.clone()).unwrap_or_default(),
        store: status.map(|status| status.store),
        info,
        ..MemberView::default()
    }
}

/// Returns the numbers of processes and of machines that may fail in the worst order with a majority of all voters left.
fn can_lose(members: &[MemberView], voters: usize) -> (u32, u32) {
    let majority = voters / 2 + 1;
    let mut on_machine: BTreeMap<&str, usize> = BTreeMap::new();
    for member in members.iter().filter(|member| member.alive && member.voter) {
        // Members on unknown machines count as on one machine, so that the number is not too high.
        *on_machine.entry(&member.info.machine).or_default() += 1;
    }
    let mut left: usize = on_machine.values().sum();
    let processes = left.saturating_sub(majority);
    let mut machines: Vec<usize> = on_machine.into_values().collect();
    machines.sort_unstable_by(|one, other| other.cmp(one));
    let mut lost = 0;
    for size in machines {
        if left < majority + size {
            break;
        }
        left -= size;
        lost += 1;
    }
    (u32::try_from(processes).unwrap_or(u32::MAX), lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::{ClusterId, HistoryId};

    /// Returns a member on this machine. Raft ids 1 to 3 are backends, 4 and 5 coordinators.
    fn info(raft_id: RaftId, machine: &str) -> MemberInfo {
        let (role, id) =
            if raft_id < 4 { (Role::Backend, raft_id) } else { (Role::Coordinator, raft_id - 3) };
        MemberInfo {
            raft_id,
            role,
            id: id as u32,
            address: format!("127.0.0.1:{}", 9_000 + raft_id),
            machine: machine.into(),
            pid: 100 + raft_id as u32,
            applied: 10,
            clients: 0,
            rules_level: 1,
            ..MemberInfo::default()
        }
    }

    fn says(raft_id: RaftId, machine: &str, leader: Option<RaftId>, term: u64) -> NodeStatus {
        NodeStatus {
            cluster: ClusterId(1),
            history: Some(HistoryId(2)),
            me: info(raft_id, machine),
            leader,
            term,
            voters: vec![1, 2, 3, 4, 5],
            learners: vec![],
            in_sync: true,
            stalled_s: 0,
            lagging: Vec::new(),
            others: (1..=5).filter(|other| *other != raft_id).map(|other| info(other, machine)).collect(),
            store: StoreStatus::default(),
            leases: Default::default(),
            accepts_old_key: false,
            build: String::new(),
            rules_level: 1,
            auto_finish: false,
        }
    }

    fn on_one_machine(alive: &[RaftId]) -> Vec<NodeStatus> {
        alive.iter().map(|id| says(*id, "m", Some(1), 3)).collect()
    }

    #[test]
    fn a_survey_without_answers_is_empty() {
        assert_eq!(merge(&[]), Survey::default());
        assert!(!merge(&[]).has_answers());
    }

    #[test]
    fn five_members_on_one_machine() {
        let survey = merge(&on_one_machine(&[3, 1, 5, 4, 2]));
        assert_eq!((survey.leader.as_deref(), survey.term), (Some("backend-1"), 3));
        let names: Vec<String> = survey.members.iter().map(|member| member.info.name()).collect();
        assert_eq!(names, ["backend-1", "backend-2", "backend-3", "coordinator-1", "coordinator-2"]);
        assert!(survey.members.iter().all(|m| m.alive && m.voter && m.in_sync && m.store_open));
        assert_eq!((survey.can_lose_processes, survey.can_lose_machines), (2, 0));
    }

    #[test]
    fn the_number_of_processes_to_lose_falls_to_zero() {
        let can_lose = |alive: &[RaftId]| merge(&on_one_machine(alive)).can_lose_processes;
        assert_eq!(can_lose(&[1, 2, 3, 4]), 1);
        assert_eq!(can_lose(&[1, 2, 3]), 0);
        assert_eq!(can_lose(&[1, 2]), 0);
    }

    #[test]
    fn machines_to_lose_are_counted_in_the_worst_order() {
        let spread = |machines: [&str; 5]| {
            let answers: Vec<_> =
                (1..).zip(machines).map(|(id, machine)| says(id, machine, Some(1), 3)).collect();
            merge(&answers).can_lose_machines
        };
        assert_eq!(spread(["a", "b", "c", "d", "e"]), 2);
        assert_eq!(spread(["a", "b", "c", "a", "b"]), 1);
        assert_eq!(spread(["a", "b", "c", "d", "d"]), 1);
        assert_eq!(spread(["a", "a", "a", "b", "c"]), 0);
        assert_eq!(spread(["", "", "", "b", "c"]), 0);
    }

    #[test]
    fn a_member_without_an_answer_keeps_its_last_report() {
        let mut answers = on_one_machine(&[1, 2]);
        answers[0].others[1].applied = 7; // for backend-3; backend-2 says 10, but has never heard it
        answers[1].others[1].pid = 0;
        let survey = merge(&answers);
        let absent = &survey.members[2];
        assert_eq!((absent.info.name().as_str(), absent.alive, absent.voter), ("backend-3", false, true));
        assert_eq!((absent.info.pid, absent.info.applied), (103, 7));
        assert!(!absent.in_sync && !absent.store_open);
    }

    #[test]
    fn the_leader_must_answer_and_report_itself_as_leader() {
        // Backend 1 has failed, and the others have not noticed.
        assert_eq!(merge(&on_one_machine(&[2, 3])).leader, None);
        // An old leader behind a partition still reports its old term.
        let mut answers = on_one_machine(&[1, 2, 3]);
        answers[1] = says(2, "m", Some(2), 4);
        answers[2] = says(3, "m", Some(2), 4);
        let survey = merge(&answers);
        assert_eq!((survey.leader.as_deref(), survey.term), (Some("backend-2"), 4));
        // A process that has not joined is no leader.
        answers = vec![says(1, "m", Some(0), 0)];
        answers[0].me.raft_id = 0;
        assert_eq!(merge(&answers).leader, None);
    }

    #[test]
    fn answers_of_another_cluster_are_ignored() {
        let mut answers = on_one_machine(&[1, 2]);
        answers[1].cluster = ClusterId(9);
        let survey = merge(&answers);
        assert!(survey.members[0].alive && !survey.members[1].alive);
    }

    #[test]
    fn learners_do_not_count_as_voters() {
        let mut answers = on_one_machine(&[1, 2, 3, 4]);
        for status in &mut answers {
            (status.voters, status.learners) = (vec![1, 2, 3], vec![4, 5]);
        }
        let survey = merge(&answers);
        assert!(!survey.members[3].voter && survey.members[3].learner);
        assert_eq!(survey.can_lose_processes, 1);
    }
}
