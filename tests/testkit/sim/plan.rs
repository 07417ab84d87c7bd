//! What kind of run a seed makes: how large a group, which faults and how many of each. Every seed leaves some
//! faults out and has plenty of others, so that rare ones are not always drowned by common ones.

use super::random::Random;
use ribbit_replica::limits::TAIL_BYTES_MAX;
use ribbit_state::Role;

/// What can go wrong while clients are at work. Silent voters are swapped for learners without a fault of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A process is killed; the next one finds the page cache as it was.
    Kill,
    /// One node loses power, and with it what its disk had not synced.
    PowerCut,
    /// A process dies in the middle of a transaction.
    CrashInside,
    /// The next sync of the log fails: the process ends, and starts again on a page cache that is never written.
    FailedLogSync,
    /// The same of the rows.
    FailedRowsSync,
    /// A process is told to stop: it hands over, closes its store well, and is started again.
    Stop,
    /// Several nodes lose power at once.
    PowerCutOfSome,
    /// All nodes do.
    Power,
    /// A node is cut from some others, one way or both.
    CutOff,
    /// The network falls into two halves.
    Split,
    /// A process stands still for a while and then goes on as if nothing had happened.
    Pause,
    /// The leader's board sleeps, and its network wakes up later than its processes: it believes that it leads
    /// while others have another leader.
    Asleep,
    /// Some disks take seconds for the next write.
    Stall,
    /// A wall clock jumps by years.
    ClockJump,
    /// The leader is asked to hand over.
    Handover,
    /// Some nodes believe that the process of the leader has ended, while it runs.
    FalseEnd,
    /// A process with an empty store asks to join.
    Join,
    /// A store is gone.
    Wipe,
    /// A store is not any more what was written.
    Damage,
    /// The newest segment of the log is damaged with something whole behind the damage.
    DamageMiddle,
    /// A disk has not kept what it said was synced.
    TurnBack,
    /// People take a member out of the group; it comes back as a new one.
    Remove,
    /// People let a member learn only, for a while.
    Drain,
}

pub const FAULTS: [Fault; 23] = [
    Fault::Kill,
    Fault::PowerCut,
    Fault::CrashInside,
    Fault::FailedLogSync,
    Fault::FailedRowsSync,
    Fault::Stop,
    Fault::PowerCutOfSome,
    Fault::Power,
    Fault::CutOff,
    Fault::Split,
    Fault::Pause,
    Fault::Asleep,
    Fault::Stall,
    Fault::ClockJump,
    Fault::Handover,
    Fault::FalseEnd,
    Fault::Join,
    Fault::Wipe,
    Fault::Damage,
    Fault::DamageMiddle,
    Fault::TurnBack,
    Fault::Remove,
    Fault::Drain,
];

/// Times are virtual milliseconds; chances are per thousand.
#[derive(Debug, Clone)]
pub struct Plan {
    pub roles: Vec<Role>,
    /// So many belong before the faults begin; the others join while they last.
    pub seated: usize,
    pub clients: usize,
    /// Each client does at least so much.
    pub operations: u32,
    pub faults_for: u64,
    pub weights: Vec<(Fault, u64)>,
    /// Between one fault and the next.
    pub fault_pause_max: u64,
    /// Messages of one link arrive in their order, and none twice.
    pub ordered_links: bool,
    pub delay_max: u64,
    pub late: u64,
    pub loss: u64,
    pub doubled: u64,
    /// What a write to each node's disk takes at most, most often.
    pub disk_delay_max: Vec<u64>,
    pub stall: u64,
    /// How fast each node's clock runs: so many microseconds in a millisecond.
    pub clock_us: Vec<u64>,
    /// How often a node dies just after it promised its vote, or that it has entries.
    pub dies_after_vote: u64,
    pub dies_after_ack: u64,
    /// Restarts are most often quick, or slow.
    pub quick_restarts: bool,
    /// The faults end with a power failure.
    pub ends_in_the_dark: bool,
    pub log_keep: u64,
    /// So much of the log is kept in memory for followers.
    pub tail_bytes: usize,
    /// How often reading the log for them takes long.
    pub late_reads: u64,
    /// A voter that is silent for so long gives its seat to a learner.
    pub evict_ticks: u64,
    pub think_max: u64,
}

/// A tenth more than the thousand operations that a history has at least: some clients finish later than others.
const OPERATIONS: u32 = 1_100;

impl Plan {
    pub fn draw(random: &mut Random, fetch_random: &mut Random) -> Plan {
        let nodes = random.between(3, 8) as usize;
        let coordinators = random.between(0, 3) as usize;
        let roles = (0..nodes)
            .map(|node| if node + coordinators >= nodes { Role::Coordinator } else { Role::Backend })
            .collect();
        let seated = if random.permille(500) { nodes } else { random.between(1, nodes as u64 + 1) as usize };
        let clients = random.between(4, 9) as usize;
        let mut pick = |choices: &[u64]| choices[random.between(0, choices.len() as u64) as usize];
        let delay_max = pick(&[4, 4, 20, 90]);
        let weights = FAULTS.iter().map(|fault| (*fault, pick(&[0, 1, 3, 8]))).collect();
        Plan {
            roles,
            seated,
            clients,
            operations: OPERATIONS.div_ceil(clients as u32),
            faults_for: pick(&[6_000, 9_000, 12_000]),
            weights,
            fault_pause_max: pick(&[400, 900, 2_500]),
            ordered_links: pick(&[0, 1]) == 1,
            delay_max,
            late: pick(&[0, 20, 60]),
            loss: pick(&[0, 15, 60]),
            doubled: pick(&[0, 10, 40]),
            disk_delay_max: (0..nodes).map(|_| pick(&[3, 3, 3, 40])).collect(),
            stall: pick(&[0, 2, 8]),
            clock_us: (0..nodes).map(|_| pick(&[1_000, 1_000, 1_040, 925])).collect(),
            dies_after_vote: pick(&[0, 60, 300]),
            dies_after_ack: pick(&[0, 1, 3]),
            quick_restarts: pick(&[0, 1]) == 1,
            ends_in_the_dark: pick(&[0, 1]) == 1,
            log_keep: pick(&[8, 48, 48, 4_096]),
            tail_bytes: [0, 0, 2_000, TAIL_BYTES_MAX][fetch_random.between(0, 4) as usize],
            late_reads: [20, 300, 800][fetch_random.between(0, 3) as usize],
            evict_ticks: pick(&[200, 500, 2_000]),
            think_max: pick(&[10, 40, 80]),
        }
    }

    /// Which fault comes next, if this run has any.
    pub fn draw_fault(&self, random: &mut Random) -> Option<Fault> {
        let total: u64 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut left = random.between(0, total.max(1));
        self.weights.iter().find_map(|(fault, weight)| {
            let hit = left < *weight;
            left = left.saturating_sub(*weight);
            hit.then_some(*fault)
        })
    }
}
