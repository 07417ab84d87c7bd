//! Bounds of sockets and queues, and timeouts.

use std::time::Duration;

/// Maximum size of a frame on the client and control planes, in bytes.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;
/// Maximum size of a frame between members, in bytes: a full Raft append and its envelope.
pub(crate) const PEER_FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Maximum size of a chunk of a snapshot, in bytes.
pub const SNAPSHOT_CHUNK_BYTES_MAX: usize = 256 * 1024;
/// Approximate maximum size of one write to a socket, in bytes. Waiting frames are joined up to this size.
pub const WRITE_BYTES: usize = 64 * 1024;
/// Maximum size of the plaintext of a record, in bytes. It bounds the memory that a peer takes before it is authenticated.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;
/// Size of the read buffer of a connection, in bytes; connections between members read `WRITE_BYTES`.
pub(crate) const READ_AHEAD_BYTES: usize = 4 * 1024;
/// Number of records after which the key of a direction is replaced. An idle connection between members sends one record a
/// second.
pub(crate) const REKEY_RECORDS: u32 = 4_096;
/// Maximum size of a request, in bytes: enough for every command, including the write of a file.
pub const ASK_BYTES_MAX: usize = 16 * 1024;

/// Maximum size of a request that is skipped and refused, in bytes. A longer request ends its connection.
pub const ASK_SKIPPED_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// Maximum size of a row's key in a request about pinned rows, in bytes.
pub const PIN_KEY_BYTES_MAX: usize = ribbit_state::limits::PATH_BYTES_MAX + 64;
/// Timeout for the preface and the handshake of an accepted connection.
pub const PREFACE_DEADLINE: Duration = Duration::from_secs(2);
/// Timeout for opening a connection, preface and handshake included. Through a balancer this takes four round trips, so
/// round trips of 200 ms are fast enough.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(1);
/// Timeout for the whole exchange on the join plane, in which the cluster decides once.
pub const JOIN_DEADLINE: Duration = Duration::from_secs(15);
/// Timeout for the proof of a new server.
pub(crate) const PROOF_DEADLINE: Duration = Duration::from_secs(3);
/// Maximum size of an answer on the join plane before the other side is authenticated, in bytes.
pub(crate) const JOIN_ANSWER_BYTES_MAX: usize = 128;
/// Time without an answer after which another TCP connection is tried beside the first, while one is opened.
pub(crate) const CONNECT_AGAIN: Duration = Duration::from_millis(220);
/// Timeout for a member's answer to a status request, on an open connection.
pub const STATUS_DEADLINE: Duration = Duration::from_millis(500);
/// Timeout for the head of an HTTP request.
pub(crate) const HTTP_DEADLINE: Duration = Duration::from_secs(2);
/// Maximum size of the head of an HTTP request, in bytes.
pub(crate) const HTTP_HEAD_BYTES_MAX: usize = 8 * 1024;
/// Timeout for the rest of a frame once its length has arrived.
pub(crate) const FRAME_DEADLINE: Duration = Duration::from_secs(10);
/// Time without progress after which a write fails and ends its connection.
pub(crate) const WRITE_STALL: Duration = Duration::from_secs(3);

/// Timeout for the receiver's disk while a snapshot is sent: for each chunk, and for making the snapshot durable.
pub const SNAPSHOT_STALL: Duration = Duration::from_secs(30);
/// Pause before a failed snapshot is sent again.
pub const SNAPSHOT_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Number of threads for requests that read the store, so that a slow read does not block the next one.
pub(crate) const READER_THREADS: usize = 2;

/// Maximum number of accepted connections per node, on all planes.
pub const CONNECTIONS_MAX: usize = 2_048;
/// Number of connections reserved for members, so that members reach each other regardless of the number of clients.
pub(crate) const MEMBER_CONNECTIONS_MIN: usize = 128;
/// Maximum number of client connections from one address.
pub const ADDRESS_CONNECTIONS_MAX: usize = 512;
/// Maximum number of pending requests per connection; further ones wait unread.
pub(crate) const ASKS_PER_CONNECTION_MAX: usize = 256;
/// Maximum deadline of a request.
pub const ASK_DEADLINE_MAX: Duration = Duration::from_secs(10);
/// Maximum number of members that are remembered from what other members say.
pub const PEERS_MAX: usize = 2 * ribbit_state::limits::MEMBERS_MAX;
/// Maximum number of frames that wait for one peer. Further ones are dropped; Raft sends them again.
pub const PEER_QUEUE_MAX: usize = 1_024;

/// Maximum number of answers that wait to be written per connection. While the queue is full, finished requests count as
/// pending.
pub(crate) const ANSWERS_QUEUED_MAX: usize = 32;
/// Pause after a failure to accept a connection, for example without free file descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Minimum interval between two log messages about failures to accept.
pub(crate) const ACCEPT_WARN_EVERY: Duration = Duration::from_secs(10);
/// Largest TCP segment of a connection from another machine: fits into 1 280 bytes, the smallest packet that every IPv6 network
/// carries, with its heads.
pub(crate) const SEGMENT_BYTES_MAX: u32 = 1_220;
/// Silence of a connection after which the kernel probes it.
pub(crate) const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// Interval between two probes.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Number of unanswered probes after which the kernel closes the connection.
pub(crate) const KEEPALIVE_PROBES: u32 = 3;
/// Time without acknowledgements after which a connection between members is closed and opened again. TCP itself would
/// resend at growing intervals and notice late that the network is back.
pub const LINK_UNHEARD_MAX: Duration = Duration::from_secs(3);

/// Maximum number of pending requests per client: one less than a connection takes, which leaves room for a ping.
pub const ASKS_UNDER_WAY_MAX: usize = ASKS_PER_CONNECTION_MAX - 1;
/// Step in which the silence of a server is measured while answers are due.
pub const SILENCE_STEP: Duration = Duration::from_millis(250);
/// Number of silent steps after which the server is pinged.
pub const SILENT_STEPS_PING: u32 = 2;
/// Number of silent steps after which the connection ends: the server is stopped or unreachable.
pub(crate) const SILENT_STEPS_MAX: u32 = 4;
/// Timeout of one attempt on one server, after which the failover client tries again.
pub const ATTEMPT_DEADLINE: Duration = Duration::from_secs(1);
/// Timeout of one attempt whose password is hashed first, in a queue.
pub(crate) const PASSWORD_ATTEMPT_DEADLINE: Duration = Duration::from_secs(3);
/// Time for an answer to travel, added to the timeout of an attempt.
pub const ATTEMPT_GRACE: Duration = Duration::from_millis(300);
/// First pause between two attempts. Each further pause is twice as long.
pub(crate) const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
/// Maximum pause between two attempts.
pub(crate) const RETRY_PAUSE_MAX: Duration = Duration::from_millis(250);
/// Number of consecutive `Unavailable` answers after which the client changes to another server.
pub(crate) const REFUSALS_IN_A_ROW_MAX: u32 = 2;

/// Number of servers that may end during the same read, after which the read is not tried again.
pub(crate) const LOST_READS_MAX: u32 = 2;
/// Time for which a client in direct mode does not try a backend again that it could not reach.
pub(crate) const DIRECT_RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Maximum number of rounds over all known servers for a client in discovery mode.
pub const DISCOVERY_ROUNDS_MAX: u32 = 3;
/// Pause after the first such round. The pause after the second is twice as long.
pub(crate) const DISCOVERY_PAUSE: Duration = Duration::from_secs(1);

/// Maximum number of rounds over all addresses in which a client asks which server to use.
pub(crate) const ASSIGNMENT_ROUNDS_MAX: usize = 3;

/// Maximum number of known addresses: several per member, because members move.
pub const ADDRESSES_MAX: usize = 4 * ribbit_state::limits::MEMBERS_MAX;
/// Maximum number of rounds of a survey. Each round asks the members that the last answers named.
pub(crate) const SURVEY_ROUNDS_MAX: usize = 4;
/// Interval at which a balancer asks each member for its status.
pub const WATCH_EVERY: Duration = Duration::from_millis(250);

/// Maximum number of open subscriptions per node; further ones are refused as `Busy`.
pub const SUBSCRIBERS_MAX: usize = 1_200;
/// Interval of the heartbeats on an idle subscription.
pub const LIVE_BEAT: Duration = Duration::from_secs(1);
/// Silence after which a subscription has ended.
pub const LIVE_SILENCE: Duration = Duration::from_secs(3);
/// Time for which further events are gathered after a batch was sent on a subscription.
pub const LIVE_GATHER: Duration = Duration::from_millis(50);
/// Time without contact to the leader after which a node ends its subscriptions: another node may have newer events.
pub const LIVE_OLD_MAX: Duration = Duration::from_secs(4);
/// Size of the kernel's send buffer of a subscription, in bytes.
pub(crate) const LIVE_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Bytes read from a subscriber, which sends nothing after its request: enough to detect end of stream.
pub(crate) const LIVE_SILENT_BYTES: usize = 32;
/// Size of the read buffer of a subscription, in bytes: its batches are small, and one process may hold a thousand.
pub(crate) const LIVE_READ_BYTES: usize = 1_024;
/// Maximum number of received batches that wait for their reader; then flow control of TCP stops the server.
pub const LIVE_PIECES_MAX: usize = 4;

/// Maximum number of pins per member; further ones are refused as `Busy`. Pinned rows stay in the file of the store, which
/// grows meanwhile.
pub const PINS_MAX: usize = 3;
/// Time without a request after which a pin ends.
pub const PIN_IDLE_MAX: Duration = Duration::from_secs(15);
/// Maximum lifetime of a pin, so that a slow reader does not hold it for ever.
pub const PIN_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// Timeout of one request about pinned rows.
pub const PIN_STEP_DEADLINE: Duration = Duration::from_secs(8);

const _: () = assert!(MEMBER_CONNECTIONS_MIN >= 3 * ribbit_state::limits::MEMBERS_MAX);
const _: () = assert!(SUBSCRIBERS_MAX < CONNECTIONS_MAX - MEMBER_CONNECTIONS_MIN);
const _: () = assert!(ASKS_UNDER_WAY_MAX > 0 && SILENT_STEPS_PING < SILENT_STEPS_MAX);
