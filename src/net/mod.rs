//! BYTES: how processes talk. Knows the rules' types and nothing of stores, consensus or pages.
//!
//! ```text
//!   connection = preface (magic, version, plane), answered in kind, then frames: u32 length + postcard
//!
//!   plane     who                         frames
//!   Client    people's programs, web      AskFrame ──▶  ◀── AnswerFrame, many at once, matched by tag
//!   Control   status, joining, balancer   the same
//!   Peer      member → member             PeerHello, PeerWelcome, then PeerFrame one way
//!   Snapshot  leader → member             SnapshotHello, chunks, one at a time
//! ```
//!
//! - [`limits`]: every bound of sockets and queues
//! - [`frame`]: length-prefixed postcard; lengths are checked before anything is allocated
//! - [`protocol`]: what is said
//! - [`pinned`]: what is said about a member's rows at one index
//! - [`socket`]: opening a connection, and what every socket is set to
//! - [`http`]: `/metrics` and `/health` on the same port
//! - [`listener`]: accepts connections, bounded, and hands a member what is asked on them
//! - [`line`]: one connection to one server, many questions on it at once
//! - [`client`]: the failover client: asks whichever server lives until there is an answer
//! - [`servers`]: whom it may ask
//! - [`subscription`]: follows what happens, on whichever server lives, from one event to the next
//! - [`survey`]: asks every member how it is, and puts the answers together
//! - [`health`]: whether a survey shows a group that is well
//! - [`tasks`]: the threads that run tasks
//! - [`secret`]: session tokens and request ids
//! - encryption: not here yet; the handshake's place is between preface and first frame

pub mod client;
pub mod frame;
pub mod health;
pub mod homing;
pub mod http;
pub mod limits;
pub mod line;
pub mod listener;
pub mod peer;
pub mod pinned;
pub mod protocol;
pub mod secret;
pub mod servers;
pub mod socket;
pub mod subscription;
pub mod survey;
pub mod tasks;
