//! The simulator: a whole cluster in one thread, from one seed, in virtual time.
//!
//! Production code: the core, the writer, the store on redb, the rules, the membership policy. Simulated:
//!
//! - the disk under the log and redb: its page cache outlives a kill and not a power cut, which tears writes and takes
//!   names that were not synced; a sync fails, and leaves pages clean that were never written; it fails in the middle of
//!   a transaction, is slow or stalls, is wiped, damaged or turned back;
//! - the readers of the log: their answers arrive late, or too late;
//! - the network: it drops, delays, duplicates, reorders, cuts;
//! - the processes: killed or without power at any step, one or several; their peers detect it, early, late, or wrongly; they
//!   stand still, wake up before their network, join in the middle;
//! - the clocks: wall clocks jump by years, monotonic ones differ in speed and stand still while a board is suspended;
//! - the operators: they remove and drain members, and restore an older copy of a disk;
//! - `roles/node` around a replica: joining, leaving with a lost store, heartbeats and background commands.
//!
//! ```text
//!   plan                 parameters of a run, drawn from its seed: size, faults, probabilities
//!   world                events in virtual time; the run of one seed from founding to rest
//!   node                 processes: core and writer as events
//!   disk                 page cache, platter, names, and their losses at a crash
//!   network              links and snapshots
//!   faults               injection of faults, and their times
//!   store_losses         wiped, damaged and rolled back stores, within the limits of a quorum
//!   restored_copies      older copies of disks, restored while few others have what is lost
//!   membership_requests  requests to join, to remove and to drain a node
//!   client               one operation at a time, retried at any node
//!   choices              what people do: every command and page that they have
//!   contenders           clients that contend for a lock and write under its fencing token
//!   scheduling           times at which clients act
//!   leases               heartbeats, their confirmation, and the leader's decisions about leases
//!   maintenance          heartbeats and background commands
//!   fetches              log reads for followers that are far behind
//!   ends                 peers that detect the end of a process
//!   promised             acknowledged state that a store must hold when it is opened
//!   trace                digest of every event
//!   check                invariants at every moment
//!   history              invariants of the whole run
//!   hunt                 many seeds, on several threads
//! ```
//!
//! Checked throughout: one leader a term; equal log entries, outcomes and state digests at equal indexes; a write
//! lies behind, a linearizable read is as new as, everything told before it was asked; a session read is as new as
//! what its client has seen; a store that is opened holds everything that its node had promised, entries and vote, or
//! says that it is damaged; no two clients hold one lock at the same time, and no write under its older fencing token
//! is accepted after one under a newer token. Checked at the end: every outcome and every page that was shown is the model's at its
//! index (`history` says why that makes the history linearizable); every node holds exactly the model's rows, so
//! nothing acknowledged is lost and nothing is applied twice; and all that within bounded time after the faults.
//!
//! Not here: damage under a process that runs (`store_losses`), and sockets: a link is a rule about which node hears which.

pub mod check;
pub mod choices;
pub mod client;
pub mod contenders;
pub mod disk;
pub mod ends;
pub mod faults;
pub mod fetches;
pub mod history;
pub mod hunt;
pub mod leases;
pub mod maintenance;
pub mod membership_requests;
pub mod network;
pub mod node;
pub mod plan;
pub mod promised;
pub mod random;
pub mod restored_copies;
pub mod scheduling;
pub mod store_losses;
pub mod trace;
pub mod world;
