//! Stores that are wiped, damaged or rolled back, and members that operators remove or drain. The faults stay within
//! the limits that a Raft group survives: in every set of voters that any member knows, a majority keeps its synced data.
//!
//! A member knows of the configuration that it uses, and of the one that it would use after a crash.
//!
//! A member is *unsound* from its loss until it is back, caught up, with a place, and nothing is wanted for it any
//! more. Unsound members are counted, whether they vote or not, because a change that is under way may shift votes.
//! That holds for members who are drained or removed too: each of them leaves the Raft group with a voter less.
//!
//! Damage comes while a process is down, and redb looks at every page when it is opened after a crash, the log at
//! every batch. Then the store is lost for good, or whole (the damage hit nothing that is used, or what the log can
//! replace), or its newest batch is taken for one that a crash has torn, and is forgotten. The last cannot be told
//! from a crash by looking at the store. It can cost a synced entry where too few others have it too (a vote for a
//! candidate that lacks it), which is outside of what can be survived; so it is only let happen where the others have
//! everything that is forgotten. Where something whole follows the damage, forgetting is never let happen.
//!
//! The same holds for a disk that has not kept what it said was synced. A sync that fails costs nothing: what is read
//! back is written again before it is trusted. Only where the kernel drops clean pages of the rows before that they are
//! damaged, so that happens to unsound members alone.
//!
//! Not here: damage under a process that runs, or in a file that was closed well (a snapshot, just installed), in
//! which redb does not look for it: that shows when a page is read, when redb panics over what it trusted (seed 7080),
//! or after a crash, when the file is opened again (seed 1176).

use super::disk::{Death, SimDisk};
use super::membership_requests::Want;
use super::node::Node;
use super::random::Random;
use super::world::{World, trace};
use ribbit_db::catch_read_panics;
use ribbit_db::store::StoreContents;
use ribbit_db::{Configuration, DbError, Store, snapshot};
use ribbit_replica::Now;
use ribbit_replica::{Core, CoreOptions};
use ribbit_state::cluster::members;
use ribbit_state::rows::Standing;
use ribbit_state::{LogIndex, RaftId, Role};

/// Maximum number of damages to a store before one is detected.
const DAMAGES_MAX: u64 = 6;

impl World {
    /// Returns the configurations that a node uses now and would use after a crash.
    fn configurations(&self, node: usize) -> Vec<Configuration> {
        let Node { running, disk, .. } = &self.nodes[node];
        let now = running.as_ref().map(|running| running.core.status().configuration);
        // A failed sync of the rows may have left a disk that does not open.
        let later = [disk.after_kill(), disk.after_power_cut()].map(|disk| after_crash(&disk).ok());
        now.into_iter().chain(later.into_iter().flatten().map(|begun| begun.configuration)).collect()
    }

    /// Returns every set of voters that some member uses, or would use after a crash.
    fn sets_of_voters(&self) -> Vec<Vec<RaftId>> {
        // A node with undetected damage counts for no configuration.
        let whole = self.raft_ids.values().filter(|node| !self.nodes[**node].damaged);
        let known = whole.flat_map(|node| self.configurations(*node));
        let sets = known.flat_map(|it| [it.voters, it.voters_outgoing]);
        sets.filter(|set| !set.is_empty()).collect()
    }

    /// Returns true if the cluster survives the permanent loss of this node as well. First updates the sound members.
    pub fn may_fall_out(&mut self, node: usize) -> bool {
        for other in 0..self.nodes.len() {
            self.nodes[other].unsound &= !self.is_sound(other);
        }
        if self.nodes[node].unsound || self.is_between(node) {
            return false;
        }
        let out = 1 + self.nodes.iter().filter(|other| other.unsound).count();
        let raft_id = self.raft_id(node);
        let sets = self.sets_of_voters();
        let bearable = sets.iter().map(|set| (set.len() - 1) / 2).min().unwrap_or(0);
        let votes = sets.iter().any(|set| set.contains(&raft_id));
        out <= if votes { bearable } else { bearable.max(1) }
    }

    /// Back, caught up and with a place, and nothing is wanted for it.
    fn is_sound(&self, node: usize) -> bool {
        let raft_id = self.raft_id(node);
        let caught_up = self.nodes[node].running.as_ref().is_some_and(|running| {
            let status = running.core.status();
            let known = [&status.configuration.voters, &status.configuration.learners];
            status.in_sync
                && !status.configuration.is_joint()
                && known.iter().any(|ids| ids.contains(&raft_id))
                && status.applied >= self.nodes[node].was_told
        });
        caught_up && !self.is_between(node) && !self.nodes[node].drained && !self.is_going(node)
    }

    /// Returns true if the member is marked as lost or has no row any more.
    fn is_going(&self, node: usize) -> bool {
        let raft_id = self.raft_id(node);
        let rows = self.nodes[node].running.as_ref().and_then(|running| {
            let view = running.writer.store().reader().view().ok()?;
            members::all(&view).ok()
        });
        let row = rows.iter().flatten().find(|(id, _)| *id == raft_id);
        row.is_none_or(|(_, member)| member.standing != Standing::Wanted)
    }

    pub fn falls_out(&mut self, node: usize) {
        self.nodes[node].unsound = true;
        self.nodes[node].was_told = self.checker.last();
    }

    /// The disk is replaced by an empty one.
    pub fn wipe(&mut self, node: usize) {
        if !self.may_fall_out(node) {
            return;
        }
        trace!(self, "the store of node {node} is wiped");
        self.falls_out(node);
        self.die(node, Death::PowerCut);
        self.replace_disk(node);
        self.raft_ids.retain(|_, known| *known != node);
        self.faults.wiped += 1;
    }

    /// A disk has not kept what it said was synced.
    pub fn turn_back(&mut self, node: usize) {
        if !self.may_fall_out(node) {
            return;
        }
        self.die(node, Death::PowerCut);
        let _ = (0..DAMAGES_MAX).any(|_| self.damage_shows(node, SimDisk::turn_back));
    }

    /// Some sectors of a store hold something else after a crash than what was written.
    pub fn damage(&mut self, node: usize) {
        if !self.may_fall_out(node) {
            return;
        }
        self.die(node, Death::PowerCut);
        let disk = &self.nodes[node].disk;
        self.nodes[node].disk = died_on(disk).expect("a store opens after any crash").traced_like(disk);
        let tries = self.random.between(1, DAMAGES_MAX + 1);
        if !(0..tries).any(|_| self.damage_shows(node, SimDisk::damage)) {
            self.faults.damage_borne += 1;
        }
    }

    /// Damage in the middle of the log is known for damage, unless it loses nothing.
    pub fn damage_middle(&mut self, node: usize) {
        if !self.may_fall_out(node) {
            return;
        }
        self.die(node, Death::PowerCut);
        let kept = self.nodes[node].disk.after_power_cut();
        let Some(how) = self.nodes[node].disk.damage_middle(&mut self.random) else { return };
        match examine(&self.nodes[node].disk) {
            Err(error) if error.is_damage() => {
                trace!(self, "the log of node {node} is damaged, {how:?}: {error}");
                self.lose_damaged(node);
                self.faults.damaged_in_the_middle += 1;
            }
            Err(error) => panic!("the damaged log of node {node} is not known for one: {error}"),
            Ok(after) => {
                let before = examine(&kept).expect("a store opens after any crash");
                // A segment that was begun at a start repeats the last batch of the one before, so nothing may be lost.
                if same(&before.begun.loaded, &after.begun.loaded) && !rows_differ(&before, &after) {
                    trace!(self, "the log of node {node} bears its damage, {how:?}");
                    self.faults.damage_borne += 1;
                    return;
                }
                let [from, to] = [before, after].map(|it| it.begun.loaded.last.index);
                panic!("node {node} passes over damage in its log, {how:?}: it ended at {from}, now at {to}");
            }
        }
    }

    /// Records that the store of a node is lost, because it is known to be damaged.
    fn lose_damaged(&mut self, node: usize) {
        self.falls_out(node);
        self.nodes[node].damaged = true;
    }

    fn damage_shows(&mut self, node: usize, damage: impl Fn(&SimDisk, &mut Random)) -> bool {
        let disk = &self.nodes[node].disk;
        let kept = disk.after_power_cut();
        let was_followed = disk.has_whole_behind_damage();
        damage(disk, &mut self.random);
        let is_followed = !was_followed && self.nodes[node].disk.has_whole_behind_damage();
        let before = examine(&kept).expect("a store opens after any crash");
        let after = match examine(&self.nodes[node].disk) {
            Ok(after) if rows_differ(&before, &after) => Err(DbError::Damaged("rows are missing".into())),
            after => after,
        };
        match after {
            Err(error) if error.is_damage() => {
                trace!(self, "the store of node {node} is damaged: {error}");
                self.lose_damaged(node);
                self.faults.damaged += 1;
            }
            Err(error) => panic!("the damaged store of node {node} is not known for one: {error}"),
            Ok(after) if same(&before.begun.loaded, &after.begun.loaded) => {
                trace!(self, "the store of node {node} bears its damage");
                return false;
            }
            Ok(after) if is_followed => panic!(
                "node {node} cuts off its log in silence, from {} to {}, though what is whole follows",
                before.begun.loaded.last.index, after.begun.loaded.last.index
            ),
            Ok(after) if self.others_have_all(node, &before.begun, &after.begun) => {
                let (from, to) = (before.begun.loaded.last.index, after.begun.loaded.last.index);
                trace!(self, "the store of node {node} goes back from {from} to {to}");
                self.falls_out(node);
                self.nodes[node].forgetful = true;
                let terms = &after.begun.loaded.terms;
                self.nodes[node].promised.forget_unless(|index, term| terms.at(index) == Some(term));
                self.faults.turned_back += 1;
            }
            Ok(_) => {
                self.nodes[node].disk = kept.traced_like(&self.nodes[node].disk);
                return false;
            }
        }
        true
    }

    /// Returns true if a majority of every set of voters, without this node, has applied all entries that its store loses.
    fn others_have_all(&self, node: usize, before: &Begun, after: &Begun) -> bool {
        let promised =
            |it: &Begun| (it.loaded.hard_state.term, it.loaded.hard_state.vote, it.loaded.identity.clone());
        if promised(before) != promised(after) || before.configuration != after.configuration {
            return false;
        }
        let end = before.loaded.last;
        let committed = self.checker.log.get(&end.index).is_some_and(|entry| entry.term == end.term);
        let me = self.raft_id(node);
        committed
            && self.sets_of_voters().iter().all(|set| {
                let have = set.iter().filter(|id| **id != me && self.has_applied(**id, end.index));
                have.count() > set.len() / 2
            })
    }

    fn has_applied(&self, raft_id: RaftId, index: LogIndex) -> bool {
        let Some(&node) = self.raft_ids.get(&raft_id) else { return false };
        match &self.nodes[node].running {
            Some(running) => running.core.status().applied >= index,
            None => {
                let durable = after_crash(&self.nodes[node].disk.after_power_cut());
                durable.is_ok_and(|it| it.loaded.hard_state.commit >= index)
            }
        }
    }

    /// A process finds that its store is not what it was: it ends, and asks to be let go.
    pub fn lost(&mut self, node: usize, why: &str) {
        assert!(self.nodes[node].unsound, "node {node} takes its good store for lost: {why}");
        trace!(self, "node {node} has lost its store: {why}");
        self.end(node, Death::Kill);
        self.nodes[node].forgetful = false;
        self.nodes[node].damaged = false;
        self.raft_ids.retain(|_, known| *known != node);
        self.begin_membership_request(node, Want::Leave);
    }

    pub fn remove_by_hand(&mut self, node: usize) {
        if self.may_fall_out(node) {
            self.falls_out(node);
            self.begin_membership_request(node, Want::Remove);
        }
    }

    pub fn drain(&mut self, node: usize) {
        if self.may_fall_out(node) {
            self.falls_out(node);
            self.faults.drained += 1;
            self.begin_membership_request(node, Want::Drain(true));
        }
    }
}

/// State that a process starts with.
struct Begun {
    loaded: StoreContents,
    /// Behind everything that it knows to be committed, whether its rows have it or not.
    configuration: Configuration,
}

fn after_crash(disk: &SimDisk) -> Result<Begun, DbError> {
    catch_read_panics(|| begin(&Store::open(disk.clone())?))
}

fn begin(store: &Store) -> Result<Begun, DbError> {
    let loaded = store.loaded()?;
    let options = CoreOptions {
        me: loaded.identity.as_ref().map_or(0, |it| it.raft_id),
        role: Role::Backend,
        seed: 0,
        campaign: false,
        evict_ticks: u64::MAX,
    };
    if options.me == 0 {
        return Ok(Begun { configuration: loaded.configuration.clone(), loaded });
    }
    let core = Core::new(options, store.reader(), &loaded, Vec::new());
    let mut core = core.map_err(|error| DbError::Damaged(error.to_string()))?;
    core.poll(Now::default());
    Ok(Begun { configuration: core.status().configuration, loaded })
}

/// Result of reading a whole store.
struct Examined {
    begun: Begun,
    rows_digest: u64,
}

/// Returns a copy of the disk as it is after a process has started on it, has written, and has crashed.
fn died_on(disk: &SimDisk) -> Result<SimDisk, DbError> {
    let disk = disk.after_power_cut();
    let mut store = Store::open(disk.clone())?;
    let configuration = store.loaded()?.configuration;
    store.apply(&[], Some(&configuration))?;
    Ok(disk.after_power_cut())
}

/// Damage may turn a file into one that was closed well: redb would look at all of it only after the next crash, so it
/// is looked at after that.
fn examine(disk: &SimDisk) -> Result<Examined, DbError> {
    catch_read_panics(|| {
        let store = Store::open(died_on(disk)?)?;
        let begun = begin(&store)?;
        let loaded = &begun.loaded;
        let (_, rows) = snapshot::digest(&store.reader())?;
        let (from, to) = (loaded.floor.index + 1, loaded.last.index + 1);
        let entries = store.reader().entries(from, to, u64::MAX)?;
        if entries.len() as u64 != to - from {
            return Err(DbError::Damaged("entries are missing from the log".into()));
        }
        Ok(Examined { begun, rows_digest: rows.digest })
    })
}

/// Returns true if both stores hold the same acknowledged state.
fn same(before: &StoreContents, after: &StoreContents) -> bool {
    let promised =
        |it: &StoreContents| (it.identity.clone(), it.hard_state.term, it.hard_state.vote, it.last);
    promised(before) == promised(after)
}

/// Returns true if rows were lost, but no entry.
fn rows_differ(before: &Examined, after: &Examined) -> bool {
    before.begun.loaded.applied == after.begun.loaded.applied && before.rows_digest != after.rows_digest
}
