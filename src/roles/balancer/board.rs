//! The board: last known status of the members, and the choice of a backend. No sockets, no waits.
//!
//! - An address is kept while it is a seed, answers, or is named by a member that answers. So the addresses of a cluster that
//!   died as a whole are kept, and an abandoned address is dropped.
//! - The first answer decides which cluster is served. Answers of other clusters are ignored while a member of it answers.
//! - When a member is found dead, each [`Pick`] of its connections completes at once.
//! - A backend's clients are its connections and the readers assigned to it.

use super::limits::NAMED_MAX;
use super::readers::Readers;
use super::rebalancing::Load;
use super::splice::Splice;
use ribbit_net::limits::ADDRESSES_MAX;
use ribbit_net::protocol::{BackendEntry, NodeStatus, ReaderId};
use ribbit_state::command::regions_after;
use ribbit_state::sync::MutexExt;
use ribbit_state::{ClusterId, RaftId, Role};
use ribbit_ui::metrics::{BackendLoad, BalancerMetrics};
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

/// Properties of a member that decide the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BackendCandidate {
    /// A live backend with an open store.
    pub(crate) serves: bool,
    pub(crate) in_sync: bool,
    /// Number of regions after the balancer's own, 0 for the same region.
    pub(crate) regions_after: u32,
    pub(crate) clients: u32,
}

/// Returns the position of the best candidate that serves: in sync first, then the nearest region, then the fewest clients,
/// then the first in order.
pub(crate) fn choose(candidates: &[BackendCandidate]) -> Option<usize> {
    (0..candidates.len())
        .filter(|at| candidates[*at].serves)
        .min_by_key(|at| (!candidates[*at].in_sync, candidates[*at].regions_after, candidates[*at].clients))
}

/// The members, by the address at which they are queried.
pub(crate) struct Board {
    cluster: Option<ClusterId>,
    /// Region of this balancer.
    region: u32,
    entries: BTreeMap<String, BoardEntry>,
    readers: Readers,
    /// Number of splices ended by rebalancing so far.
    evened_out: u64,
}

/// State of one address.
struct BoardEntry {
    seed: bool,
    /// The last answer. `None` while the member is dead.
    status: Option<NodeStatus>,
    /// Time of the last answered query.
    asked: Option<Instant>,
    lifetime: Arc<MemberLifetime>,
}

/// One lifetime of a member as seen from here: from its first answer until it misses one.
struct MemberLifetime {
    /// Connections spliced to it by this balancer. More recent than the number of clients in the member's status.
    splices: Mutex<Vec<Arc<Splice>>>,
    /// Never used to send: closing the channel is the signal.
    alive: Sender<Infallible>,
    over: Receiver<Infallible>,
}

impl MemberLifetime {
    fn begin() -> Arc<MemberLifetime> {
        let (alive, over) = channel::bounded(1);
        Arc::new(MemberLifetime { splices: Mutex::default(), alive, over })
    }

    fn splices(&self) -> MutexGuard<'_, Vec<Arc<Splice>>> {
        self.splices.locked()
    }

    fn spliced(&self) -> u32 {
        u32::try_from(self.splices().len()).unwrap_or(u32::MAX)
    }
}

/// The backend picked for one connection. Counts as one of its clients until dropped.
pub(crate) struct Pick {
    pub(crate) address: String,
    pub(crate) splice: Arc<Splice>,
    lifetime: Arc<MemberLifetime>,
}

impl Pick {
    fn new(address: &str, lifetime: &Arc<MemberLifetime>) -> Pick {
        let splice = Arc::new(Splice::begin());
        lifetime.splices().push(splice.clone());
        Pick { address: address.to_string(), splice, lifetime: lifetime.clone() }
    }

    /// Waits until the member is found dead or rebalancing ends the splice.
    pub(crate) async fn cut(&self) {
        let dead = async {
            let _ = self.lifetime.over.recv().await;
        };
        dead.or(self.splice.ended()).await;
    }
}

impl Drop for Pick {
    fn drop(&mut self) {
        self.lifetime.splices().retain(|splice| !Arc::ptr_eq(splice, &self.splice));
    }
}

impl BoardEntry {
    fn new(seed: bool) -> BoardEntry {
        BoardEntry { seed, status: None, asked: None, lifetime: MemberLifetime::begin() }
    }

    /// Ends the member's lifetime and the connections spliced to it.
    fn end_lifetime(&mut self) {
        self.status = None;
        self.lifetime.alive.close();
        self.lifetime = MemberLifetime::begin();
    }

    /// Returns this member as a candidate for clients of the region `region`. `lagging`: the members that lag behind according
    /// to the leader.
    fn candidate(&self, region: u32, lagging: &[RaftId]) -> BackendCandidate {
        let spliced = self.lifetime.spliced();
        match &self.status {
            Some(status) => BackendCandidate {
                serves: status.me.role == Role::Backend && status.history.is_some(),
                in_sync: status.in_sync && !lagging.contains(&status.me.raft_id),
                regions_after: regions_after(region, status.me.region),
                clients: status.me.clients.max(spliced),
            },
            None => BackendCandidate { serves: false, in_sync: false, regions_after: 0, clients: spliced },
        }
    }
}

impl Board {
    /// Returns a board with the seed addresses, for a balancer in the region `region`.
    pub(crate) fn new(seeds: Vec<String>, region: u32) -> Board {
        let entries = seeds.into_iter().map(|seed| (seed, BoardEntry::new(true))).collect();
        Board { cluster: None, region, entries, readers: Readers::default(), evened_out: 0 }
    }

    /// Returns all addresses to watch.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// Does the same as [`Board::record_answer`] for a query that was sent at `asked`.
    pub(crate) fn record_answer_at(
        &mut self,
        address: &str,
        status: Option<NodeStatus>,
        asked: Instant,
    ) -> bool {
        let changed = self.record_answer(address, status);
        if let Some(entry) = self.entries.get_mut(address) {
            entry.asked = entry.status.is_some().then_some(asked);
        }
        changed
    }

    /// Returns true if all live members were queried at this time or later.
    pub(crate) fn all_asked_since(&self, time: Instant) -> bool {
        let living = self.entries.values().filter(|entry| entry.status.is_some());
        living.into_iter().all(|entry| entry.asked.is_some_and(|asked| asked >= time))
    }

    /// Records the answer of the member at `address`, or `None` if it did not answer. Returns true if the set of addresses
    /// changed.
    pub(crate) fn record_answer(&mut self, address: &str, status: Option<NodeStatus>) -> bool {
        let ours = |status: &NodeStatus| self.cluster.is_none_or(|cluster| cluster == status.cluster);
        let status = status.filter(ours);
        let Some(entry) = self.entries.get_mut(address) else { return false };
        let name = |status: &Option<NodeStatus>| status.as_ref().map(|status| status.me.name());
        let (was, is) = (name(&entry.status), name(&status));
        if was != is {
            match (&was, &is) {
                (_, Some(is)) => log::info!("{is} is alive at {address}"),
                (Some(was), None) => log::info!("{was} at {address} does not answer"),
                (None, None) => {}
            }
            entry.end_lifetime();
            self.readers.remove_backend(address);
        }
        match status {
            Some(status) => {
                self.cluster = Some(status.cluster);
                entry.status = Some(status);
                self.learn()
            }
            None => {
                if self.entries.values().all(|entry| entry.status.is_none()) {
                    self.cluster = None;
                }
                false
            }
        }
    }

    /// Adds the addresses named by live members and drops those that are no longer named. Returns true if any changed.
    fn learn(&mut self) -> bool {
        let mut named = BTreeSet::new();
        for status in self.entries.values().filter_map(|entry| entry.status.as_ref()) {
            named.insert(status.me.address.clone());
            named.extend(status.others.iter().map(|other| other.address.clone()));
        }
        named.remove("");
        let before = self.entries.len();
        self.entries.retain(|address, entry| entry.seed || entry.status.is_some() || named.contains(address));
        let mut changed = self.entries.len() != before;
        for address in named {
            if self.entries.len() < ADDRESSES_MAX && !self.entries.contains_key(&address) {
                self.entries.insert(address, BoardEntry::new(false));
                changed = true;
            }
        }
        changed
    }

    /// Returns the addresses of all live members of the cluster: only those in sync, if any are.
    pub(crate) fn answering(&self) -> Vec<String> {
        let belongs = |status: &NodeStatus| status.history.is_some();
        let living = self.entries.iter().filter_map(|(address, entry)| {
            entry.status.as_ref().filter(|status| belongs(status)).map(|status| (address, status.in_sync))
        });
        let living: Vec<(&String, bool)> = living.collect();
        let in_sync = living.iter().any(|(_, in_sync)| *in_sync);
        let best = living.into_iter().filter(|(_, its)| *its || !in_sync);
        best.map(|(address, _)| address.clone()).collect()
    }

    /// Returns a member as a candidate, without the readers assigned to it.
    fn candidate(&self, entry: &BoardEntry) -> BackendCandidate {
        let mut statuses = self.entries.values().filter_map(|entry| entry.status.as_ref());
        let leader = self.leader().and_then(|leader| statuses.find(|status| status.me.raft_id == leader));
        entry.candidate(self.region, leader.map_or(&[], |leader| &leader.lagging))
    }

    /// Picks the backend for the next connection, except those at the addresses `tried`.
    pub(crate) fn pick(&self, tried: &[String]) -> Option<Pick> {
        let (entries, mut candidates) = self.candidates(None);
        for (candidate, (address, _)) in candidates.iter_mut().zip(&entries) {
            candidate.serves &= !tried.contains(address);
        }
        let (address, entry) = entries[choose(&candidates)?];
        Some(Pick::new(address, &entry.lifetime))
    }

    /// Returns the backend that `client` should read from, and assigns the reader to it. A reader keeps its backend while no
    /// other one is better.
    pub(crate) fn read_from(&mut self, client: ReaderId, now: Instant) -> Option<BackendEntry> {
        self.readers.expire(now);
        let (entries, candidates) = self.candidates(Some(client));
        let best = choose(&candidates)?;
        let own = entries.iter().position(|(address, _)| self.readers.backend_of(client) == Some(address));
        let at = own.filter(|own| candidates[*own] == candidates[best]).unwrap_or(best);
        let mut backend = self.backend_at(entries[at].0, candidates[at])?;
        self.readers.assign(client, &backend.address, now);
        backend.clients = backend.clients.saturating_add(1);
        Some(backend)
    }

    /// Returns the backends for writes: the leader first, then the others that are in sync.
    pub(crate) fn write_to(&mut self, now: Instant) -> Vec<BackendEntry> {
        self.readers.expire(now);
        let (entries, candidates) = self.candidates(None);
        let open =
            entries.iter().zip(candidates).filter(|(_, candidate)| candidate.serves && candidate.in_sync);
        let mut backends: Vec<BackendEntry> =
            open.filter_map(|((address, _), candidate)| self.backend_at(address, candidate)).collect();
        backends.sort_by_key(|backend| (!backend.leads, backend.clients));
        backends.truncate(NAMED_MAX);
        backends
    }

    /// Returns the in-sync backends of the nearest region with their loads, for rebalancing.
    pub(crate) fn loads(&self) -> Vec<(String, Load)> {
        let entries = self.entries.iter().filter(|(address, _)| self.is_proper_address(address));
        let load = |(address, entry): (&String, &BoardEntry)| {
            let BackendCandidate { serves, in_sync, regions_after, clients } = self.candidate(entry);
            let load = Load { clients, own: entry.lifetime.spliced() };
            (serves && in_sync).then(|| (regions_after, address.clone(), load))
        };
        let loads: Vec<_> = entries.filter_map(load).collect();
        // Clients are sent to the nearest region. Regions further on are only its replacement.
        let nearest = loads.iter().map(|(regions_after, ..)| *regions_after).min();
        let here = loads.into_iter().filter(|(regions_after, ..)| Some(*regions_after) == nearest);
        here.map(|(_, address, load)| (address, load)).collect()
    }

    /// Ends one quiet splice to the backend at `address`. Returns false if none is quiet.
    pub(crate) fn end_quiet_splice(&mut self, address: &str) -> bool {
        let Some(entry) = self.entries.get(address) else { return false };
        let splices = entry.lifetime.splices();
        let quiet = splices.iter().find(|splice| splice.is_quiet());
        if let Some(splice) = quiet {
            splice.end();
            self.evened_out += 1;
        }
        quiet.is_some()
    }

    /// Returns the figures for monitoring.
    pub(crate) fn figures(&mut self, now: Instant) -> BalancerMetrics {
        self.readers.expire(now);
        let (entries, candidates) = self.candidates(None);
        let serving = entries.iter().zip(&candidates).filter(|(_, candidate)| candidate.serves);
        let load = |((_, entry), candidate): (&(&String, &BoardEntry), &BackendCandidate)| {
            let name = entry.status.as_ref()?.me.name();
            Some(BackendLoad {
                name,
                clients: candidate.clients.into(),
                spliced: entry.lifetime.spliced().into(),
            })
        };
        BalancerMetrics {
            serving: serving.clone().count() as u64,
            in_sync: serving.clone().filter(|(_, candidate)| candidate.in_sync).count() as u64,
            has_leader: self.leader().is_some(),
            readers: self.readers.count() as u64,
            evened_out: self.evened_out,
            floating: None,
            backends: serving.filter_map(load).collect(),
        }
    }

    /// Removes a reader's assignment. Returns true if it had one.
    pub(crate) fn left(&mut self, client: ReaderId) -> bool {
        self.readers.remove(client)
    }

    /// Returns true if any backend serves people.
    pub(crate) fn serves(&self) -> bool {
        self.entries.values().any(|entry| self.candidate(entry).serves)
    }

    /// Returns true if this address is on the board.
    pub(crate) fn knows(&self, address: &str) -> bool {
        self.entries.contains_key(address)
    }

    /// Returns all members under their proper address, and each as a candidate. The reader `except` is not counted.
    fn candidates(&self, except: Option<ReaderId>) -> (Vec<(&String, &BoardEntry)>, Vec<BackendCandidate>) {
        let readers = self.readers.counts(except);
        let entries: Vec<(&String, &BoardEntry)> =
            self.entries.iter().filter(|(address, _)| self.is_proper_address(address)).collect();
        let candidate = |(address, entry): &(&String, &BoardEntry)| {
            let candidate = self.candidate(entry);
            let readers = readers.get(address.as_str()).copied().unwrap_or(0);
            BackendCandidate { clients: candidate.clients.saturating_add(readers), ..candidate }
        };
        let candidates = entries.iter().map(candidate).collect();
        (entries, candidates)
    }

    /// Returns the description of the backend at `address` for a directory answer.
    fn backend_at(&self, address: &str, candidate: BackendCandidate) -> Option<BackendEntry> {
        let status = self.entries.get(address)?.status.as_ref()?;
        Some(BackendEntry {
            name: status.me.member_name(),
            address: address.to_string(),
            leads: self.leader() == Some(status.me.raft_id),
            in_sync: candidate.in_sync,
            clients: candidate.clients,
        })
    }

    /// Returns the leader of the newest term that any member knows, if that leader answers. Its own answer may be older than
    /// a follower's answer of a newer term.
    fn leader(&self) -> Option<RaftId> {
        let living = || self.entries.values().filter_map(|entry| entry.status.as_ref());
        let following = living().filter(|status| status.me.raft_id != 0 && status.leader.is_some());
        let leader = following.max_by_key(|status| status.term)?.leader?;
        living().any(|status| status.me.raft_id == leader).then_some(leader)
    }

    /// Returns false for an alias address of a member that also answers at its advertised address, so that its connections are
    /// counted once.
    fn is_proper_address(&self, address: &str) -> bool {
        let Some(status) = self.entries.get(address).and_then(|entry| entry.status.as_ref()) else {
            return true;
        };
        let proper = &status.me.address;
        let at_proper = self.entries.get(proper).and_then(|entry| entry.status.as_ref());
        proper == address || at_proper.is_none_or(|other| other.me.name() != status.me.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_net::protocol::MemberInfo;
    use ribbit_state::HistoryId;
    use std::time::Duration;

    fn candidate(serves: bool, in_sync: bool, clients: u32) -> BackendCandidate {
        BackendCandidate { serves, in_sync, regions_after: 0, clients }
    }

    fn info(role: Role, id: u32, address: &str) -> MemberInfo {
        let machine = String::new();
        MemberInfo {
            raft_id: id.into(),
            role,
            id,
            address: address.into(),
            machine,
            pid: 1,
            applied: 1,
            clients: 0,
            rules_level: 1,
            key: Default::default(),
            ..MemberInfo::default()
        }
    }

    fn says(id: u32, address: &str, others: &[&str]) -> Option<NodeStatus> {
        Some(NodeStatus {
            cluster: ClusterId(1),
            history: Some(HistoryId(1)),
            me: info(Role::Backend, id, address),
            leader: None,
            term: 1,
            voters: vec![],
            learners: vec![],
            in_sync: true,
            stalled_s: 0,
            lagging: Vec::new(),
            others: others.iter().map(|other| info(Role::Coordinator, 9, other)).collect(),
            store: Default::default(),
            leases: Default::default(),
            accepts_old_key: false,
            build: String::new(),
            rules_level: 1,
            auto_finish: false,
        })
    }

    fn picked(board: &Board) -> Option<String> {
        board.pick(&[]).map(|pick| pick.address.clone())
    }

    #[test]
    fn in_sync_comes_first_then_the_fewest_clients() {
        assert_eq!(choose(&[]), None);
        assert_eq!(choose(&[candidate(false, true, 0)]), None);
        assert_eq!(choose(&[candidate(true, true, 2), candidate(true, true, 1)]), Some(1));
        assert_eq!(choose(&[candidate(true, false, 0), candidate(true, true, 9)]), Some(1));
        assert_eq!(choose(&[candidate(false, true, 0), candidate(true, false, 9)]), Some(1));
        assert_eq!(choose(&[candidate(true, true, 1), candidate(true, true, 1)]), Some(0));
        let further =
            |on: u32, in_sync| BackendCandidate { regions_after: on, ..candidate(true, in_sync, 0) };
        assert_eq!(choose(&[further(2, true), further(1, true), candidate(true, true, 9)]), Some(2));
        assert_eq!(choose(&[further(2, true), further(1, true), candidate(true, false, 0)]), Some(1));
    }

    #[test]
    fn splices_count_before_the_member_reports_them() {
        let mut board = Board::new(vec!["a".into(), "b".into()], 1);
        board.record_answer("a", says(1, "a", &[]));
        board.record_answer("b", says(2, "b", &[]));
        let first = board.pick(&[]).unwrap();
        let second = board.pick(&[]).unwrap();
        assert_eq!((first.address.as_str(), second.address.as_str()), ("a", "b"));
        drop(second);
        assert_eq!(picked(&board).as_deref(), Some("b"));
        assert_eq!(board.pick(&["b".into()]).unwrap().address, "a");
        assert!(board.pick(&["a".into(), "b".into()]).is_none());
    }

    #[test]
    fn readers_are_spread_keep_their_backends_and_count_as_clients() {
        let now = Instant::now();
        let mut board = Board::new(vec!["a".into(), "b".into(), "c".into()], 1);
        assert_eq!(board.read_from(1, now), None);
        for (id, address) in [(1, "a"), (2, "b"), (3, "c")] {
            board.record_answer(address, says(id, address, &[]));
        }
        let mut at = |client| board.read_from(client, now).unwrap().address;
        assert_eq!([at(1), at(2), at(3), at(4), at(2)], ["a", "b", "c", "a", "b"]);
        assert_eq!(picked(&board).as_deref(), Some("b"), "a has two readers");
        // After its backend has died, a reader is sent elsewhere and no longer counts there.
        board.record_answer("a", None);
        assert_eq!(board.read_from(1, now).unwrap().clients, 2);
        board.record_answer("a", says(1, "a", &[]));
        assert_eq!(board.read_from(5, now).unwrap().address, "a");
        assert!(board.left(5) && !board.left(5));
    }

    #[test]
    fn writers_go_to_the_leader_first_and_never_to_a_lagging_backend() {
        let now = Instant::now();
        let mut board = Board::new(vec!["a".into(), "b".into(), "c".into()], 1);
        for (id, address) in [(1, "a"), (2, "b"), (3, "c")] {
            let mut status = says(id, address, &[]).unwrap();
            // Backend 2 has not noticed yet that it no longer leads.
            (status.leader, status.term) = if id == 2 { (Some(2), 1) } else { (Some(3), 2) };
            status.in_sync = id != 2;
            board.record_answer(address, Some(status));
        }
        let said: Vec<_> = board.write_to(now).into_iter().map(|it| (it.name.id, it.leads)).collect();
        assert_eq!(said, [(3, true), (1, false)]);
    }

    #[test]
    fn a_follower_in_a_newer_term_overrides_the_old_leader() {
        let mut board = Board::new(vec!["a".into(), "b".into(), "c".into()], 1);
        let begin = Instant::now();
        // Backends 1 and 3 were queried before the transfer of leadership, backend 2 after it.
        for (id, address, leader, term) in [(1, "a", 1, 1), (2, "b", 3, 2), (3, "c", 1, 1)] {
            let mut status = says(id, address, &[]).unwrap();
            (status.leader, status.term) = (Some(leader), term);
            board.record_answer_at(address, Some(status), begin);
        }
        assert_eq!(board.write_to(begin)[0].name.id, 3);
        assert!(board.all_asked_since(begin) && !board.all_asked_since(begin + Duration::from_millis(1)));
        // A dead member is no leader, even if its followers name it.
        board.record_answer_at("c", None, begin);
        assert_eq!(board.leader(), None);
    }

    #[test]
    fn death_cuts_the_splices_and_the_next_lifetime_starts_without_any() {
        let mut board = Board::new(vec!["a".into()], 1);
        board.record_answer("a", says(1, "a", &[]));
        let pick = board.pick(&[]).unwrap();
        assert!(!pick.lifetime.over.is_closed());
        board.record_answer("a", None);
        assert!(pick.lifetime.over.is_closed());
        assert_eq!(picked(&board), None);
        board.record_answer("a", says(1, "a", &[]));
        let again = board.pick(&[]).unwrap();
        drop(pick);
        assert_eq!(again.lifetime.spliced(), 1);
        // Another member at the same address also ends the lifetime.
        board.record_answer("a", says(2, "a", &[]));
        assert!(again.lifetime.over.is_closed());
    }

    #[test]
    fn coordinators_and_members_without_a_store_do_not_serve() {
        let mut board = Board::new(vec!["a".into()], 1);
        let mut status = says(1, "a", &[]).unwrap();
        status.history = None;
        board.record_answer("a", Some(status.clone()));
        assert_eq!(picked(&board), None);
        status.history = Some(HistoryId(1));
        status.me.role = Role::Coordinator;
        board.record_answer("a", Some(status));
        assert_eq!(picked(&board), None);
    }

    #[test]
    fn addresses_are_learned_kept_through_death_and_dropped_when_abandoned() {
        let mut board = Board::new(vec!["seed".into()], 1);
        assert!(board.record_answer("seed", says(1, "a", &["b", "c", ""])));
        assert_eq!(board.addresses(), ["a", "b", "c", "seed"]);
        assert!(!board.record_answer("seed", says(1, "a", &["b", "c"])));
        board.record_answer("seed", None);
        assert_eq!(board.addresses(), ["a", "b", "c", "seed"]);
        assert!(board.record_answer("seed", says(1, "a", &["b", "d"])));
        assert_eq!(board.addresses(), ["a", "b", "d", "seed"]);
        let many: Vec<String> = (0..2 * ADDRESSES_MAX).map(|n| format!("x{n}")).collect();
        board.record_answer("seed", says(1, "a", &many.iter().map(String::as_str).collect::<Vec<_>>()));
        assert_eq!(board.addresses().len(), ADDRESSES_MAX);
    }

    #[test]
    fn another_cluster_is_ignored_while_ours_lives() {
        let mut board = Board::new(vec!["a".into(), "b".into()], 1);
        let mut foreign = says(2, "b", &["z"]).unwrap();
        foreign.cluster = ClusterId(7);
        board.record_answer("a", says(1, "a", &[]));
        board.record_answer("b", Some(foreign.clone()));
        assert_eq!(board.addresses(), ["a", "b"]);
        board.record_answer("a", None);
        board.record_answer("b", Some(foreign));
        assert_eq!(picked(&board).as_deref(), Some("b"));
    }

    #[test]
    fn a_member_that_answers_at_two_addresses_counts_once() {
        let mut board = Board::new(vec!["alias".into()], 1);
        board.record_answer("alias", says(1, "proper", &[]));
        assert_eq!(picked(&board).as_deref(), Some("alias"));
        board.record_answer("proper", says(1, "proper", &[]));
        assert_eq!(picked(&board).as_deref(), Some("proper"));
        assert!(board.pick(&["proper".into()]).is_none());
    }
}
