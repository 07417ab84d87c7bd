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
//! - encryption: not here yet; the handshake's place is between preface and first frame

pub mod frame;
pub mod limits;
pub mod protocol;

pub mod client;
pub mod secret;
pub mod survey;
