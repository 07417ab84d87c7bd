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
/// What is said in one record, at most: what a reader holds of somebody who has shown nothing yet.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;
/// What a connection reads at once, and keeps room for; links between members read `WRITE_BYTES`.
pub const READ_AHEAD_BYTES: usize = 4 * 1024;
/// Records under one key, a direction; an idle link says one a second.
pub const REKEY_RECORDS: u32 = 4_096;
/// Bytes of a question that anybody may ask; those who run the group may write files.
pub const ASK_BYTES_MAX: usize = 16 * 1024;

/// A longer question is passed over and refused up to so many bytes; one that is longer still ends its connection.
pub const ASK_SKIPPED_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// Bytes of a key of pinned rows in a question.
pub const PIN_KEY_BYTES_MAX: usize = ribbit_state::limits::PATH_BYTES_MAX + 64;
/// A new connection must have said what it is by then, and done the handshake.
pub const PREFACE_DEADLINE: Duration = Duration::from_secs(2);
/// Opening a connection, preface and handshake included: through a balancer it is four times there and back, so that
/// wires of 200 ms there and back will do.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(1);
/// One member's answer to a status question, once it is connected.
pub const STATUS_DEADLINE: Duration = Duration::from_millis(500);
/// A request of `/metrics` or `/health` must be complete by then,
pub const HTTP_DEADLINE: Duration = Duration::from_secs(2);
/// in so many bytes.
pub const HTTP_HEAD_BYTES_MAX: usize = 8 * 1024;
/// A frame that has begun must be complete by then.
pub const FRAME_DEADLINE: Duration = Duration::from_secs(10);
/// A write that makes no progress for this long ends the connection.
pub const WRITE_STALL: Duration = Duration::from_secs(3);

/// A snapshot waits this long for the other side's disk, before each chunk and for making all of it durable.
pub const SNAPSHOT_STALL: Duration = Duration::from_secs(30);
/// After a snapshot did not reach its receiver, the wait before the next try.
pub const SNAPSHOT_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Threads for questions that read the store: one slow read does not stop the next.
pub const READER_THREADS: usize = 2;

/// Connections a node accepts, all planes together.
pub const CONNECTIONS_MAX: usize = 2_048;
/// Of these, people never take the last: members reach each other however many people come.
pub const MEMBER_CONNECTIONS_MIN: usize = 128;
/// Of people's connections, so many may come from one address.
pub const ADDRESS_CONNECTIONS_MAX: usize = 512;
/// Questions one connection may have under way; further ones wait unread.
pub const ASKS_PER_CONNECTION_MAX: usize = 256;
/// The longest deadline a question may name.
pub const ASK_DEADLINE_MAX: Duration = Duration::from_secs(10);
/// Members that are remembered from hearsay.
pub const PEERS_MAX: usize = 2 * ribbit_state::limits::MEMBERS_MAX;
/// Frames that wait for one peer; more are dropped (Raft sends again).
pub const PEER_QUEUE_MAX: usize = 1_024;

/// Answers of one connection that wait to be written; those that find no place keep their asks' places.
pub const ANSWERS_QUEUED_MAX: usize = 32;
/// After accepting failed (no file descriptors left, say), the wait before the next try.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Failures to accept are logged at most this often.
pub const ACCEPT_WARN_EVERY: Duration = Duration::from_secs(10);
/// A connection that says nothing for this long is probed by the kernel,
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// this far apart,
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// and given up after as many probes.
pub const KEEPALIVE_PROBES: u32 = 3;
/// A link between members on which nothing was acknowledged for this long is given up and dialled anew: TCP would send
/// again ever more seldom, and find out late that the network is back.
pub const LINK_UNHEARD_MAX: Duration = Duration::from_secs(3);

/// Questions one asker may have under way: one less than a connection takes, so that a ping finds a place.
pub const ASKS_UNDER_WAY_MAX: usize = ASKS_PER_CONNECTION_MAX - 1;
/// While answers are owed, silence is measured in steps of this:
pub const SILENCE_STEP: Duration = Duration::from_millis(250);
/// after so many the other side is pinged,
pub const SILENT_STEPS_PING: u32 = 2;
/// and after so many it is taken for stopped or cut off.
pub const SILENT_STEPS_MAX: u32 = 4;
/// How long one server may take over one attempt before the failover client asks again.
pub const ATTEMPT_DEADLINE: Duration = Duration::from_secs(1);
/// The same where a password is hashed first, in a queue.
pub const PASSWORD_ATTEMPT_DEADLINE: Duration = Duration::from_secs(3);
/// What an answer may take to travel once a server's time for it is over.
pub const ATTEMPT_GRACE: Duration = Duration::from_millis(300);
/// Between attempts: this at first, twice as long each time,
pub const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
/// up to this.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_millis(250);
/// Answers of "not now, not here" in a row after which another server is tried.
pub const REFUSALS_IN_A_ROW_MAX: u32 = 2;

/// Servers that may end while they answer one and the same read; then it is not asked again.
pub const LOST_READS_MAX: u32 = 2;
/// A person's client gives up after so many tries over all the servers it knows,
pub const TRIES_MAX: u32 = 3;
/// this far apart after the first, twice as far after the second.
pub const TRY_PAUSE: Duration = Duration::from_secs(1);

/// Rounds over all addresses in which a client asks which server to use.
pub const HOMING_TRIES: usize = 3;

/// Addresses of members that are kept at most: several for each, as members move.
pub const ADDRESSES_MAX: usize = 4 * ribbit_state::limits::MEMBERS_MAX;
/// How often a survey goes on to ask whom the last answers named.
pub const SURVEY_ROUNDS_MAX: usize = 4;
/// How often a balancer asks each member how it is.
pub const WATCH_EVERY: Duration = Duration::from_millis(250);

/// People's programs that follow one node at the same time; further ones are told that too much is going on.
pub const SUBSCRIBERS_MAX: usize = 1_200;
/// A stream with nothing to say says so this often.
pub const LIVE_BEAT: Duration = Duration::from_secs(1);
/// A stream that says nothing for this long has ended.
pub const LIVE_SILENCE: Duration = Duration::from_secs(3);
/// After it has said something, a stream gathers for this long what comes next.
pub const LIVE_GATHER: Duration = Duration::from_millis(50);
/// A node that has lost touch with its group for this long ends its streams: another may know more.
pub const LIVE_OLD_MAX: Duration = Duration::from_secs(4);
/// What the kernel keeps of a stream for a slow reader.
pub const LIVE_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// What a node reads of who follows it, who says nothing: enough to see that.
pub const LIVE_SILENT_BYTES: usize = 32;
/// What is read of a stream in one go: its pieces are short, and one process may follow a thousand.
pub const LIVE_READ_BYTES: usize = 1_024;
/// Pieces of a stream that wait for who reads it; then TCP tells the node to wait.
pub const LIVE_PIECES_MAX: usize = 4;

/// What one member pins at the same time; further ones are told that too much is going on. What is pinned stays in the
/// store's file, which grows meanwhile.
pub const PINS_MAX: usize = 3;
/// A pin that nobody asks about for this long ends,
pub const PIN_IDLE_MAX: Duration = Duration::from_secs(15);
/// and every pin ends after this: a slow reader does not hold it for ever.
pub const PIN_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// One step of reading what is pinned.
pub const PIN_STEP_DEADLINE: Duration = Duration::from_secs(8);

const _: () = assert!(MEMBER_CONNECTIONS_MIN >= 3 * ribbit_state::limits::MEMBERS_MAX);
const _: () = assert!(SUBSCRIBERS_MAX < CONNECTIONS_MAX - MEMBER_CONNECTIONS_MIN);
const _: () = assert!(ASKS_UNDER_WAY_MAX > 0 && SILENT_STEPS_PING < SILENT_STEPS_MAX);
