//! Ticks, timeouts and bounds of the consensus layer. Time is counted in ticks of `TICK_MS`, which the driver makes.

/// Length of a tick, in milliseconds.
pub const TICK_MS: u64 = 25;
/// Interval between two heartbeats of a leader.
pub(crate) const HEARTBEAT_TICKS: usize = 3;
/// Time without contact to a quorum after which a leader steps down. A follower that has heard its leader within this
/// time ignores candidates.
pub(crate) const ELECTION_TICKS: usize = 11;
/// Election timeout of a backend, in ticks: drawn from [min, max).
pub(crate) const BACKEND_ELECTION_TICKS: (usize, usize) = (11, 17);
/// Election timeout of a coordinator, in ticks: drawn from [min, max). Longer than a backend's, because a backend should
/// lead: it serves clients itself.
pub(crate) const COORDINATOR_ELECTION_TICKS: (usize, usize) = (20, 30);

/// Maximum size of the entries in one message, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: u64 = 512 * 1024;
/// Maximum number of unacknowledged append messages per follower.
pub(crate) const INFLIGHT_MESSAGES_MAX: usize = 64;
/// Maximum size of the leader's uncommitted entries, in bytes; further proposals are refused.
pub(crate) const UNCOMMITTED_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Maximum size of the committed entries that the engine hands out at once, in bytes.
pub(crate) const COMMITTED_BYTES_PER_READY: u64 = 1024 * 1024;
/// Size of the log entries that are kept in memory for followers that are close, in bytes of data.
pub const TAIL_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Maximum number of concurrent disk reads for followers that lag far behind. Each reads at most one message's worth.
pub(crate) const FETCHES_MAX: usize = 4;
/// Maximum number of fetched pieces in memory until they are sent: 2 MiB, with `MESSAGE_BYTES_MAX` each.
pub(crate) const FETCHED_PIECES_MAX: usize = 4;
/// Time after which a fetched piece that was not used is dropped.
pub(crate) const FETCH_KEEP_TICKS: u64 = 2_000 / TICK_MS;

/// Maximum number of pending requests of this node's clients.
pub(crate) const REQUESTS_MAX: usize = 4_096;
/// Maximum number of clients that wait for the outcome of the same request.
pub(crate) const WAITERS_PER_REQUEST_MAX: usize = 16;
/// Initial capacity of an encoded proposal, in bytes: enough for a croak of ordinary characters.
pub(crate) const PROPOSAL_BYTES_USUAL: usize = 256;
/// Maximum number of requests in one forward.
pub(crate) const FORWARD_MAX: usize = 512;
/// Number of queued requests at which a leader proposes although its previous proposal is not committed yet.
pub(crate) const GATHERED_MAX: usize = 512;
/// Time after which a request without an outcome is proposed or forwarded again, because the message may be lost.
pub(crate) const RESEND_TICKS: u64 = 20;
/// Minimum time before the same entries are sent to the same peer again: two heartbeats.
pub(crate) const APPEND_RESEND_TICKS: u64 = 2 * HEARTBEAT_TICKS as u64;
/// Maximum number of pending linearizable reads of this node's clients.
pub(crate) const READS_MAX: usize = 4_096;
/// Time after which an unanswered read index query is sent again. A lost heartbeat is repeated sooner, and carries the
/// newest query.
pub(crate) const READ_RESEND_TICKS: u64 = 4;
/// Time for which a read waits for an index before the leader is asked whether that index exists. It exceeds the usual
/// lag of a member, so ordinary reads send no query.
pub(crate) const REACH_TICKS: u64 = 4;

/// Silence after which the seat of a voter goes to a learner that is present.
pub const EVICT_TICKS: u64 = 10_000 / TICK_MS;
/// Silence after which a voter is demoted without a replacement.
pub(crate) const DEMOTE_TICKS: u64 = 600_000 / TICK_MS;
/// Maximum silence of a member that counts as present: it may be given a seat, and the log is not truncated before the
/// entries that it still needs.
pub(crate) const PRESENT_TICKS: u64 = 1_000 / TICK_MS;

/// Maximum number of entries by which a learner may lag behind the leader's commit to become a voter. It receives the
/// rest within a round or two, even where it gets new entries only every few milliseconds.
pub(crate) const PROMOTE_LAG_MAX: u64 = 512;
/// Maximum number of entries by which a backend may lag behind the leader's log to receive leadership. It has everything
/// within a round or two, and nothing is proposed until then.
pub(crate) const HANDOVER_LAG_MAX: u64 = 512;
/// Maximum number of entries by which a replica in sync may lag behind the known commit index.
pub(crate) const SYNC_LAG_MAX: u64 = 4_096;
/// Time without progress after which a member that lacks entries of the leader counts as stalled and not in sync.
pub(crate) const FOLLOW_TICKS: u64 = 10_000 / TICK_MS;
/// Maximum number of voters.
pub const VOTERS_MAX: usize = 5;
/// Minimum time between two handovers by the same coordinator.
pub(crate) const HANDOVER_TICKS: u64 = 60_000 / TICK_MS;
/// Pause before a failed handover is tried again.
pub(crate) const HANDOVER_RETRY_TICKS: u64 = 2_000 / TICK_MS;

/// Capacity of the Raft task's inbox. A full inbox refuses requests and drops messages of peers.
pub(crate) const INBOX_MAX: usize = 8_192;
/// Maximum number of jobs handed to the store thread. Further jobs are joined into one until those are done.
pub(crate) const JOBS_MAX: usize = 64;

/// Maximum number of events in memory for live subscriptions: half a megabyte, and minutes under full load.
pub const EVENT_RING_MAX: usize = 16 * 1024;
/// Maximum number of events in one batch for one subscription. The next batch follows once this one is taken.
pub(crate) const EVENT_BATCH_MAX: usize = 64;
/// Maximum number of events that one subscription examines at once, matching or not.
pub(crate) const EVENT_SCAN_MAX: usize = 1_024;

/// Maximum number of terms by which a message may be ahead. Each election raises the term by one, so a term further ahead
/// comes from no election.
pub(crate) const TERM_JUMP_MAX: u64 = 1 << 32;
/// Highest valid log index. No log reaches it, so a message with a later index is invalid.
pub(crate) const INDEX_MAX: u64 = ribbit_state::limits::INDEX_MAX;
