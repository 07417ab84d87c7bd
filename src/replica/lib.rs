//! The consensus layer: one replicated log, kept by the Raft engine. Only this layer names the Raft crate.
//!
//! Every member of the cluster runs one replica. The leader appends commands to its log and sends them to the
//! followers. An entry is committed once a quorum has it on disk. Every member then applies the committed entries to its
//! own store, in the same order, and so reaches the same state.
//!
//! ```text
//!              requests, messages of peers, ticks              store jobs
//!   node ───────────────────────▶ Core ───────────────────────────────▶ Writer (db::Store)
//!        ◀─────────────────────── (one task, never waits for a disk)    ◀── (a thread of its own)
//!          messages, forwards                    done: durable index, applied index, outcomes
//! ```
//!
//! Read in this order:
//!
//! - `core`: the state machine around the Raft engine: inputs in, outputs out; no thread, clock, disk or socket
//! - `writer`: carries out the store jobs of the core; jobs that wait together share one fsync
//! - `driver`: the Raft task that feeds the core, and the store thread that runs the writer
//! - `requests`: requests of this node's clients until their outcome is known; forwarded at most one hop
//! - `reads`: linearizable reads until the leader has confirmed a read index
//! - [`event_ring`]: ring buffer of the newest events, for clients that subscribe to changes
//! - [`tick_clock`]: counts the ticks that pass between two turns of the Raft task; pure
//! - `membership`: decides which members vote and which only learn; pure
//! - `tail`: the newest log entries in memory, which is the log that the engine reads
//! - `fetches`: older entries, read from disk for followers that lag far behind
//! - `check`: validates messages of peers, so that none makes the engine panic
//! - [`convert`]: conversions between the types of the engine, the types of the store, and bytes
//! - [`random`]: seeded random numbers
//! - [`limits`]: ticks, timeouts and bounds
//!
//! Requests are applied exactly once: a request keeps its id however often it is proposed, and the rules of `state`
//! deduplicate by that id. This layer may therefore propose a request again whenever it does not know whether an earlier
//! proposal was lost.
//!
//! Not here: the meaning of a command (`state`), files (`db`), and connections (`net`).

mod check;
pub mod convert;
mod core;
mod driver;
pub mod event_ring;
mod fetches;
pub mod limits;
mod membership;
pub mod random;
mod reads;
mod requests;
mod tail;
pub mod tick_clock;
mod writer;

pub use self::check::has_lost_entries;
pub use self::core::{Core, CoreOptions, CoreStatus, Input, Now, Output, announces, describe_snapshot};
pub use driver::{Envelope, ReachError, Replica, ReplicaFailure, SubmitError, Transport, wall_ms};
pub use fetches::{Fetch, Fetched};
pub use raft::eraftpb::Message as RaftMessage;
pub use reads::{ReadAnswer, ReadId};
pub use writer::{Install, JobResult, StoreJob, Writer};
