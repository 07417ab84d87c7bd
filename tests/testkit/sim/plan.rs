//! Parameters of a run, drawn from its seed: the size of the cluster, the faults and their frequency. Every seed leaves
//! some faults out and injects others often, so that frequent faults do not always hide rare ones.

use super::random::Random;
use ribbit_replica::limits::TAIL_BYTES_MAX;
use ribbit_state::Role;

/// Fault that is injected while clients are active. The replacement of silent voters by learners needs no fault.
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
    /// The next sync of the rows fails, with the same consequence.
    FailedRowsSync,
    /// A process is told to stop: it hands over leadership, closes its store cleanly, and is started again.
    Stop,
    /// Several nodes lose power at once.
    PowerCutOfSome,
    /// All nodes lose power at once.
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
    /// The leader is asked to hand over leadership.
    Handover,
    /// Some nodes believe that the process of the leader has ended, while it runs.
    FalseEnd,
    /// A process with an empty store asks to join.
    Join,
    /// A store is deleted.
    Wipe,
    /// Bytes of a store are changed.
    Damage,
    /// The newest segment of the log is damaged with something whole behind the damage.
    DamageMiddle,
    /// A disk loses writes that it had reported as synced.
    TurnBack,
    /// An operator restores an older copy of a member's disk, and the leader dies after that.
    RestoreCopy,
    /// An operator removes a member; the node joins again as a new member.
    Remove,
    /// An operator makes a member a learner for a while.
    Drain,
}

pub const FAULTS: [Fault; 24] = [
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
    Fault::RestoreCopy,
    Fault::Remove,
    Fault::Drain,
];

/// Parameters of one run. Times are virtual milliseconds; probabilities are per thousand.
#[derive(Debug, Clone)]
pub struct Plan {
    pub roles: Vec<Role>,
    /// Number of members before the faults begin; the other nodes join during the faults.
    pub seated: usize,
    pub clients: usize,
    /// Number of clients beside them that contend for a lock.
    pub contenders: usize,
    /// Least number of operations per client.
    pub operations: u32,
    pub faults_for: u64,
    pub weights: Vec<(Fault, u64)>,
    /// Longest pause between two faults.
    pub fault_pause_max: u64,
    /// Messages of one link arrive in their order, and none twice.
    pub ordered_links: bool,
    pub delay_max: u64,
    pub late: u64,
    pub loss: u64,
    pub doubled: u64,
    /// Usual maximum duration of a write to the disk of each node.
    pub disk_delay_max: Vec<u64>,
    pub stall: u64,
    /// Speed of the clock of each node, in microseconds per millisecond.
    pub clock_us: Vec<u64>,
    /// Probability that a node dies just after it acknowledged its vote.
    pub dies_after_vote: u64,
    /// Probability that a node dies just after it acknowledged entries.
    pub dies_after_ack: u64,
    /// True if most restarts are quick, false if most are slow.
    pub quick_restarts: bool,
    /// The faults end with a power failure.
    pub ends_in_the_dark: bool,
    pub log_keep: u64,
    /// Number of bytes of the log that stay in memory for followers.
    pub tail_bytes: usize,
    /// Probability that a log read for a follower takes long.
    pub late_reads: u64,
    /// Silence after which a learner replaces a voter.
    pub evict_ticks: u64,
    pub think_max: u64,
}

/// Number of operations of all clients: a tenth more than the thousand that a history needs, because some clients finish
/// later than others.
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
            contenders: 3,
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

    /// Returns the next fault, or `None` if this run has no faults.
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
