//! Ticks, timeouts and bounds of consensus. Time is counted in ticks; the driver makes one every `TICK_MS`.

pub const TICK_MS: u64 = 25;
/// A leader is heard this often.
pub const HEARTBEAT_TICKS: usize = 3;
/// A leader that has not heard a majority for this long steps down; a follower in touch ignores candidates.
pub const ELECTION_TICKS: usize = 11;
/// A backend stands for election after this many ticks of silence, [min, max).
pub const BACKEND_ELECTION_TICKS: (usize, usize) = (11, 17);
/// Coordinators wait longer: a backend should lead, since it serves people.
pub const COORDINATOR_ELECTION_TICKS: (usize, usize) = (20, 30);

pub const MESSAGE_BYTES_MAX: u64 = 512 * 1024;
pub const INFLIGHT_MESSAGES_MAX: usize = 64;
pub const UNCOMMITTED_BYTES_MAX: u64 = 8 * 1024 * 1024;
pub const COMMITTED_BYTES_PER_READY: u64 = 1024 * 1024;
/// Log entries kept in memory for followers that are close: bytes of data.
pub const TAIL_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Reads of older entries under way for followers that are far behind; each brings one message's worth.
pub const FETCHES_MAX: usize = 4;
/// What was read for them and is kept until it is sent: with the above, 2 MiB.
pub const FETCHED_PIECES_MAX: usize = 4;
/// What was read and is not sent by then is let go of.
pub const FETCH_KEEP_TICKS: u64 = 2_000 / TICK_MS;

/// Requests of this node's clients under way.
pub const REQUESTS_MAX: usize = 4_096;
/// Askers of one and the same request who wait for its outcome.
pub const WAITERS_PER_REQUEST_MAX: usize = 16;
/// A croak of ordinary characters, proposed, fits in; room for more is made.
pub const PROPOSAL_BYTES_USUAL: usize = 256;
/// Requests in one forward.
pub const FORWARD_MAX: usize = 512;
/// Requests that a leader gathers, while what it has proposed is not committed, before it proposes them all the same.
pub const GATHERED_MAX: usize = 512;
/// A request whose outcome has not come is proposed or forwarded again after this long: the message may be lost.
pub const RESEND_TICKS: u64 = 20;
/// The same entries are sent to the same peer again after this long at the earliest: two heartbeats.
pub const APPEND_RESEND_TICKS: u64 = 2 * HEARTBEAT_TICKS as u64;
/// Linearizable reads of this node's clients under way.
pub const READS_MAX: usize = 4_096;
/// A question for the read index without an answer is asked again after this long. A heartbeat that got lost is
/// repeated sooner, with the newest question.
pub const READ_RESEND_TICKS: u64 = 4;
/// How long a read waits for an index before the leader is asked whether that index exists: longer than a member lags in
/// ordinary operation, so that ordinary reads cost no question.
pub const REACH_TICKS: u64 = 4;

/// A voter that was not heard for this long gives its seat to a learner that is there.
pub const EVICT_TICKS: u64 = 10_000 / TICK_MS;
/// A voter that was not heard for this long loses its seat without a replacement.
pub const DEMOTE_TICKS: u64 = 600_000 / TICK_MS;
/// A member that was heard this lately may be given a seat, and is waited for when the log's head is cut.
pub const PRESENT_TICKS: u64 = 1_000 / TICK_MS;

/// A learner this close behind the leader's commit may become a voter: it has the rest within a round or two, even where
/// it is told what is new every few milliseconds only.
pub const PROMOTE_LAG_MAX: u64 = 512;
/// A backend this close behind the end of the leader's log may be handed leadership: it has everything within a
/// round or two, and until then nothing is proposed.
pub const HANDOVER_LAG_MAX: u64 = 512;
/// A replica this far behind what it knows to be committed is not in sync.
pub const SYNC_LAG_MAX: u64 = 4_096;
/// A member that has not applied any of what the leader has for this long does not follow it, and is not in sync.
pub const FOLLOW_TICKS: u64 = 10_000 / TICK_MS;
/// Voters at most.
pub const VOTERS_MAX: usize = 5;
/// A coordinator that leads hands over at most this often.
pub const HANDOVER_TICKS: u64 = 60_000 / TICK_MS;
/// A handover that has come to nothing is tried again after this long.
pub const HANDOVER_RETRY_TICKS: u64 = 2_000 / TICK_MS;

/// What waits for the Raft task; a full inbox refuses requests and drops peers' messages.
pub const INBOX_MAX: usize = 8_192;
/// Jobs under way to the store thread; what comes then is joined into one until they are done.
pub const JOBS_MAX: usize = 64;

/// The newest events kept in memory for live readers: half a megabyte, and minutes under full load.
pub const LIVE_EVENTS_MAX: usize = 16 * 1024;
/// Events that wait for one live reader; it is given more when it has taken them.
pub const LIVE_BATCH_MAX: usize = 64;
/// Events that one live reader looks at in one go, wanted or not.
pub const LIVE_SCAN_MAX: usize = 1_024;

/// Terms that may pass unheard: elections make one each, so a term further ahead comes from no election.
pub const TERM_JUMP_MAX: u64 = 1 << 32;
/// No log reaches it; a message that names a later index is nobody's.
pub const INDEX_MAX: u64 = crate::state::limits::INDEX_MAX;
