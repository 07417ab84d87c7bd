//! BYTES: how processes talk. Knows the rules' types and nothing of stores, consensus or pages.
//!
//! ```text
//!   connection = preface and handshake, then records, in them frames: u32 length + postcard
//!
//!   plane      opened by                   frames
//!   Client     whoever trusts the servers  AskFrame ──▶  ◀── AnswerFrame, many at once, matched by tag
//!   Status     whoever trusts the servers  the same: how a member is
//!   Directory  whoever trusts the servers  the same, of a balancer: where to read and write
//!   Control    who has the cluster key     the same: those who run the group, and who joins it
//!   Peer       who has the cluster key     PeerHello, PeerWelcome, then PeerFrame one way
//!   Snapshot   who has the cluster key     SnapshotHello, chunks, one at a time
//! ```
//!
//! - [`limits`]: every bound of sockets and queues
//! - [`frame`]: length-prefixed postcard; lengths are checked before anything is allocated
//! - [`protocol`]: what is said
//! - [`admission`]: what is refused before it is looked at
//! - [`pinned`]: what is said about a member's rows at one index
//! - [`keys`]: what follows from the cluster's key, and who is trusted
//! - [`handshake`]: how a connection begins; [`channel`]: its records, sealed
//! - [`socket`]: what every socket is set to
//! - [`http`]: `/metrics` and `/health` on the same port
//! - [`listener`]: accepts connections, bounded, and hands a member what is asked on them
//! - [`crowd`]: how many come from one address
//! - [`line`]: one connection to one server, many questions on it at once
//! - [`lan`]: an interface, addresses put on it for a moment, and who else has them
//! - [`client`]: the failover client: asks whichever server lives until there is an answer
//! - [`servers`]: whom it may ask
//! - [`subscription`]: follows what happens, on whichever server lives, from one event to the next
//! - [`survey`]: asks every member how it is, and puts the answers together
//! - [`health`]: whether a survey shows a group that is well
//! - [`tasks`]: the threads that run tasks
//! - [`secret`]: session tokens and request ids

pub mod admission;
pub mod channel;
pub mod client;
pub mod crowd;
pub mod frame;
pub mod handshake;
pub mod health;
pub mod homing;
pub mod http;
pub mod keys;
pub mod lan;
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
