//! CONSENSUS: one replicated log, kept by the Raft engine. The only place that names the Raft crate.
//!
//! ```text
//!                 requests, peers' messages, ticks          Store jobs
//!   node ───────────────────────▶ Core ───────────────────────────────▶ Writer (db::Store)
//!        ◀─────────────────────── (one thread, never waits for a disk)  ◀── (another thread)
//!          messages, forwards                    Done: durable up to, applied up to, outcomes
//! ```
//!
//! - [`core`]: the synchronous heart: inputs in, outputs out; no thread, clock, disk or socket
//! - [`writer`]: carries out what the core wants stored; many waiting jobs become one fsync
//! - [`tail`]: the newest log entries in memory: what the engine reads; [`fetches`]: older ones, read for followers that
//!   are far behind
//! - [`requests`]: this node's own requests, from asking to outcome; forwarded at most one hop
//! - [`reads`]: linearizable reads, from asking to an index that is new enough
//! - [`live`]: what was applied lately, for readers who follow it
//! - [`membership`]: who should learn and who should vote; pure
//! - [`check`]: refuses what would make the engine panic
//! - [`random`]: chance from a seed
//! - [`convert`]: between the engine's types and the store's
//! - [`drive`]: the task around the core, the thread around the writer
//! - [`limits`]: ticks, timeouts and bounds
//!
//! Exactly once: a request keeps its id however often it is proposed; the rules apply it once. So this layer may
//! propose again whenever it is in doubt, and is.
//!

pub mod check;
pub mod convert;
pub mod core;
pub mod drive;
pub mod fetches;
pub mod limits;
pub mod live;
pub mod membership;
pub mod random;
pub mod reads;
pub mod requests;
pub mod tail;
pub mod writer;

pub use self::core::{Core, CoreOptions, CoreStatus, Input, Output};
pub use drive::{Envelope, Failing, Replica, Transport, Undecided, Unreached, wall_ms};
pub use fetches::{Fetch, Fetched};
pub use raft::eraftpb::Message as RaftMessage;
pub use reads::{ReadAnswer, ReadId};
pub use writer::{Done, Job, Writer};
