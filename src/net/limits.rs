//! Every number that bounds a socket, a queue or a wait.

use std::time::Duration;

/// Bytes of one frame on the client and control planes.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;
/// Bytes of one frame between members: a full Raft append and its envelope.
pub const PEER_FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of one chunk of a snapshot.
pub const SNAPSHOT_CHUNK_BYTES_MAX: usize = 256 * 1024;
/// What waits is written in one piece of at most about this many bytes.
pub const WRITE_BYTES: usize = 64 * 1024;

/// A new connection must have said what it is by then.
pub const PREFACE_DEADLINE: Duration = Duration::from_secs(2);
/// Opening a connection, preface included.
pub const CONNECT_DEADLINE: Duration = Duration::from_millis(700);
/// One member's answer to a status question.
pub const STATUS_DEADLINE: Duration = Duration::from_millis(500);
/// A write that makes no progress for this long ends the connection.
pub const WRITE_STALL: Duration = Duration::from_secs(3);

/// Connections a node accepts, all planes together.
pub const CONNECTIONS_MAX: usize = 2_048;
/// Questions one connection may have under way; further ones wait unread.
pub const ASKS_PER_CONNECTION_MAX: usize = 256;
/// The longest deadline a question may name.
pub const ASK_DEADLINE_MAX: Duration = Duration::from_secs(10);
/// Frames that wait for one peer; more are dropped (Raft sends again).
pub const PEER_QUEUE_MAX: usize = 1_024;
