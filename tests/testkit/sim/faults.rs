//! Injected faults, beside those that the network and the disks cause all the time.

use super::disk::Death;
use super::membership_requests::Want;
use super::plan::Fault;
use super::random::Random;
use super::world::{Event, World, trace};
use ribbit_replica::Input;

/// Counters of the faults that occurred, by kind.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub kills: u64,
    pub power_cuts: u64,
    pub crashes_inside: u64,
    pub failed_log_syncs: u64,
    pub failed_rows_syncs: u64,
    pub stops: u64,
    pub power_cuts_of_some: u64,
    pub power_failures: u64,
    pub cuts: u64,
    pub pauses: u64,
    pub sleeps: u64,
    pub stalls: u64,
    pub clock_jumps: u64,
    pub handovers: u64,
    pub ends_of_leaders: u64,
    pub false_ends: u64,
    pub joins: u64,
    pub wiped: u64,
    pub damaged: u64,
    pub damaged_in_the_middle: u64,
    pub damage_borne: u64,
    pub turned_back: u64,
    pub restored: u64,
    pub let_go: u64,
    pub removed: u64,
    pub drained: u64,
    pub evicted: u64,
    pub accounts_deleted: u64,
    pub suspensions: u64,
    pub locks_granted: u64,
    pub leases_lost: u64,
    pub stale_writes_refused: u64,
    pub lost: u64,
    pub doubled: u64,
    pub snapshots: u64,
    pub installs: u64,
    pub log_files_reused: u64,
    pub fetches: u64,
    pub fetches_of_another_log: u64,
    pub fetches_for_no_leader: u64,
    pub fetches_for_the_dead: u64,
    pub retries: u64,
    /// Longest time that a cluster took until all nodes were members and at work again.
    pub lively_ms_max: u64,
}

impl Faults {
    pub fn add(&mut self, other: &Faults) {
        for ((_, mine), (_, theirs)) in self.counts().into_iter().zip(other.clone().counts()) {
            *mine += *theirs;
        }
        self.lively_ms_max = self.lively_ms_max.max(other.lively_ms_max);
    }

    fn counts(&mut self) -> [(&'static str, &mut u64); 42] {
        [
            ("kills", &mut self.kills),
            ("power cuts", &mut self.power_cuts),
            ("crashes inside a transaction", &mut self.crashes_inside),
            ("failed syncs of the log", &mut self.failed_log_syncs),
            ("failed syncs of the rows", &mut self.failed_rows_syncs),
            ("stops", &mut self.stops),
            ("power cuts of several at once", &mut self.power_cuts_of_some),
            ("power failures", &mut self.power_failures),
            ("cuts", &mut self.cuts),
            ("pauses", &mut self.pauses),
            ("sleeps", &mut self.sleeps),
            ("stalls", &mut self.stalls),
            ("clock jumps", &mut self.clock_jumps),
            ("handovers", &mut self.handovers),
            ("ends of leaders noticed", &mut self.ends_of_leaders),
            ("false reports of such ends", &mut self.false_ends),
            ("joins", &mut self.joins),
            ("stores wiped", &mut self.wiped),
            ("stores damaged", &mut self.damaged),
            ("logs damaged in the middle", &mut self.damaged_in_the_middle),
            ("stores that bore damage", &mut self.damage_borne),
            ("stores turned back", &mut self.turned_back),
            ("older copies restored", &mut self.restored),
            ("members with lost stores let go", &mut self.let_go),
            ("members removed", &mut self.removed),
            ("members drained", &mut self.drained),
            ("silent voters evicted", &mut self.evicted),
            ("accounts deleted", &mut self.accounts_deleted),
            ("suspensions", &mut self.suspensions),
            ("locks granted", &mut self.locks_granted),
            ("leases lost by their clients", &mut self.leases_lost),
            ("writes refused under an old fencing token", &mut self.stale_writes_refused),
            ("messages lost", &mut self.lost),
            ("messages doubled", &mut self.doubled),
            ("snapshots sent", &mut self.snapshots),
            ("snapshots installed", &mut self.installs),
            ("files of the log used again", &mut self.log_files_reused),
            ("reads of the log for followers", &mut self.fetches),
            ("of a log that changed meanwhile", &mut self.fetches_of_another_log),
            ("for who led no longer", &mut self.fetches_for_no_leader),
            ("for a process that died", &mut self.fetches_for_the_dead),
            ("retries", &mut self.retries),
        ]
    }

    /// The kinds that never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut copy = self.clone();
        copy.counts().into_iter().filter(|(_, count)| **count == 0).map(|(name, _)| name).collect()
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut copy = self.clone();
        let counts: Vec<String> =
            copy.counts().into_iter().map(|(name, count)| format!("{count} {name}")).collect();
        write!(f, "{}; at work again within {} ms", counts.join(", "), self.lively_ms_max)
    }
}

/// Pause after which a fault is tried again while a restoration allows none, in virtual milliseconds.
const RESTORATION_PAUSE: u64 = 200;

impl World {
    pub fn fault(&mut self) {
        if !self.faulty {
            return;
        }
        if self.restoration.is_some() {
            return self.at(self.now + RESTORATION_PAUSE, Event::Fault);
        }
        let nodes = self.nodes.len();
        let node = self.random.between(0, nodes as u64) as usize;
        match self.plan.draw_fault(&mut self.random) {
            None => {}
            Some(Fault::Kill) => self.die(node, Death::Kill),
            Some(Fault::PowerCut) => self.die(node, Death::PowerCut),
            Some(Fault::CrashInside) => {
                let (operations, torn) = (self.random.between(0, 60), self.random.between(0, 8_192));
                trace!(self, "node {node} will crash inside a transaction");
                self.nodes[node].disk.fail_after(operations, torn as usize);
            }
            Some(Fault::FailedLogSync) => self.fail_sync(node, true),
            Some(Fault::FailedRowsSync) => self.fail_sync(node, false),
            Some(Fault::Stop) => self.stop(node),
            Some(Fault::PowerCutOfSome) => self.cut_power_of_some(),
            Some(Fault::Power) => {
                trace!(self, "power fails");
                self.faults.power_failures += 1;
                (0..nodes).for_each(|node| self.die(node, Death::PowerCut));
            }
            Some(Fault::CutOff) => self.cut_off(node),
            Some(Fault::Split) => self.split(),
            Some(Fault::Pause) => self.pause(node),
            Some(Fault::Asleep) => self.sleep(),
            Some(Fault::Stall) => self.stall(),
            Some(Fault::ClockJump) => self.jump(node),
            Some(Fault::Handover) => {
                self.faults.handovers += 1;
                (0..nodes).for_each(|node| self.feed(node, Input::HandOver));
            }
            Some(Fault::FalseEnd) => self.report_false_end(),
            Some(Fault::Join) => self.start_a_join(),
            Some(Fault::Wipe) => self.wipe(node),
            Some(Fault::Damage) => self.damage(node),
            Some(Fault::DamageMiddle) => self.damage_middle(node),
            Some(Fault::TurnBack) => self.turn_back(node),
            Some(Fault::RestoreCopy) => self.copy_disk(node),
            Some(Fault::Remove) => self.remove_by_hand(node),
            Some(Fault::Drain) => self.drain(node),
        }
        let next = self.now + self.random.between(20, self.plan.fault_pause_max);
        self.at(next, Event::Fault);
    }

    fn cut_power_of_some(&mut self) {
        let some: Vec<usize> = (0..self.nodes.len()).filter(|_| self.random.permille(500)).collect();
        trace!(self, "power fails at {some:?}");
        self.faults.power_cuts_of_some += u64::from(some.len() > 1);
        some.into_iter().for_each(|node| self.die(node, Death::PowerCut));
    }

    /// The next sync of the log, or of the rows, fails. Power fails some time after that: until then the node goes on
    /// with pages that were never written.
    fn fail_sync(&mut self, node: usize, log: bool) {
        trace!(self, "the next sync of node {node} fails, of its log: {log}");
        let random = Random::new(self.random.draw());
        self.nodes[node].disk.fail_next_sync(log, random);
        let until = self.now + self.random.between(100, 4_000);
        self.at(until, Event::PowerFails { node });
    }

    pub fn cut(&mut self, from: usize, to: usize, until: u64) {
        self.network.cut(from, to, until);
        self.at(until, Event::Heal { from, to });
    }

    /// Cuts a node from some others, one way or both, for a while.
    fn cut_off(&mut self, node: usize) {
        let heals = self.now + self.random.between(100, 4_000);
        let (there, back) = [(true, true), (true, false), (false, true)][self.random.between(0, 3) as usize];
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            if self.random.permille(700) {
                if there {
                    self.cut(node, other, heals);
                }
                if back {
                    self.cut(other, node, heals);
                }
            }
        }
        trace!(self, "node {node} is cut off until {heals}, there {there}, back {back}");
        self.faults.cuts += 1;
    }

    fn split(&mut self) {
        let heals = self.now + self.random.between(100, 4_000);
        let sides: Vec<bool> = self.nodes.iter().map(|_| self.random.permille(500)).collect();
        for from in 0..sides.len() {
            for to in 0..sides.len() {
                if sides[from] != sides[to] {
                    self.cut(from, to, heals);
                }
            }
        }
        trace!(self, "the network is split until {heals}: {sides:?}");
        self.faults.cuts += 1;
    }

    pub fn leader(&self) -> Option<usize> {
        self.nodes.iter().position(|node| node.running.as_ref().is_some_and(|it| it.core.status().leads))
    }

    /// Half the time it is a leader that stands still: the others are missed less. A process that was stopped finds
    /// that its monotonic clock went on; on a board that was suspended, the clock stood still too.
    fn pause(&mut self, node: usize) {
        let leader = self.leader().filter(|_| self.random.permille(500));
        let node = leader.unwrap_or(node);
        if self.nodes[node].running.is_some() {
            self.nodes[node].paused_until = self.now + self.random.between(50, 3_000);
            trace!(self, "node {node} stands still until {}", self.nodes[node].paused_until);
            self.faults.pauses += 1;
            if self.random.permille(500) {
                self.suspend(node);
            }
        }
    }

    fn suspend(&mut self, node: usize) {
        self.nodes[node].suspended_at.get_or_insert(self.now);
        self.faults.suspensions += 1;
    }

    fn sleep(&mut self) {
        let Some(node) = self.leader() else { return };
        let wakes = self.now + self.random.between(500, 3_000);
        let heals = wakes + self.random.between(50, 1_000);
        self.suspend(node);
        self.nodes[node].paused_until = wakes;
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            self.cut(node, other, heals);
            self.cut(other, node, heals);
        }
        trace!(self, "node {node} sleeps until {wakes}, its network until {heals}");
        self.faults.sleeps += 1;
    }

    fn stall(&mut self) {
        for node in 0..self.nodes.len() {
            if self.random.permille(400) {
                self.nodes[node].stalled_until = self.now + self.random.between(200, 3_000);
                trace!(self, "the disk of node {node} stalls until {}", self.nodes[node].stalled_until);
                self.faults.stalls += 1;
            }
        }
    }

    /// To some time between 1973 and 2106, forward or back.
    fn jump(&mut self, node: usize) {
        let wall_ms = self.clock_random.between(100_000_000_000, 4_300_000_000_000);
        if !self.watch.steady_clocks {
            self.nodes[node].wall_ms = wall_ms;
        }
        trace!(self, "the wall clock of node {node} jumps");
        self.faults.clock_jumps += 1;
    }

    fn start_a_join(&mut self) {
        let new = (self.plan.seated..self.nodes.len()).find(|node| self.has_never_belonged(*node));
        if let Some(node) = new {
            self.faults.joins += 1;
            self.begin_membership_request(node, Want::Join);
        }
    }

    pub fn has_never_belonged(&self, node: usize) -> bool {
        self.nodes[node].life == 0 && !self.membership_requests.contains_key(&node)
    }
}
