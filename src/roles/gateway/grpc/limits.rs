//! All limits of the gRPC server.

use std::time::Duration;

/// Maximum number of calls in progress on a connection. A client's further calls wait at the client.
pub(super) const CALLS_PER_CONNECTION_MAX: u32 = 100;
/// Maximum size of a message from a client, in bytes.
pub(super) const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Maximum size of a message to a client, in bytes. Clients refuse more than four times as much.
pub const REPLY_BYTES_MAX: usize = 1024 * 1024;
/// Maximum size of the headers of a call, in bytes.
pub(super) const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// Number of bytes that a client may send ahead on a call. A longer message arrives while it is read.
pub(super) const CALL_WINDOW_BYTES: u32 = 16 * 1024;
/// Number of bytes that a client may send ahead on a connection. `h2` closes a connection whose unread frames are small and cost more
/// than half of this: 256 bytes each, less their content. A call full of the smallest messages, of ten bytes, has to stay below.
pub(super) const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Maximum number of bytes that wait to be sent on a call.
pub(super) const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Maximum number of replies that wait to be sent on a stream. Beyond it the stream's handler waits.
pub(super) const REPLIES_QUEUED_MAX: usize = 16;
/// Maximum length of the deadline that a client gives a call.
pub(super) const CALL_DEADLINE_MAX: Duration = Duration::from_secs(3600);
/// Time within which the message of a unary call arrives.
pub(super) const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Time within which the first call follows on a new connection.
pub(super) const FIRST_CALL_DEADLINE: Duration = Duration::from_secs(30);
/// Time after which a connection without calls is closed. Clients open another when they need it.
pub(super) const IDLE_DEADLINE: Duration = Duration::from_secs(600);
/// Interval of pings on a connection on which nothing arrives.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Time within which a ping is answered.
pub(super) const PING_DEADLINE: Duration = Duration::from_secs(10);
/// Time for calls in progress after the end of a connection was announced.
pub(super) const CLOSING_DEADLINE: Duration = Duration::from_secs(4);

const _: () = assert!(CALL_WINDOW_BYTES / 10 * 246 <= CONNECTION_WINDOW_BYTES / 2);
