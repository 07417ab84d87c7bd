//! Ticks, timeouts and bounds of the consensus layer. Time is counted in ticks of `TICK_MS`. The driver feeds all ticks that
//! have passed at once, when something is due.

/// Length of a tick, in milliseconds.
pub const TICK_MS: u64 = 5;
/// Interval between two heartbeats of a leader.
pub(crate) const HEARTBEAT_TICKS: usize = 100 / TICK_MS as usize;
/// Time for which a follower that has heard its leader ignores candidates. It is shorter than any election timeout by more
/// than the clocks of two members differ, so that the first candidate is not ignored by the others. Followers whose leader's
/// process has ended do not wait for it.
pub(crate) const LEASE_TICKS: usize = 180 / TICK_MS as usize;
/// Time without contact to a quorum after which a leader steps down. It exceeds `LEASE_TICKS`, because a leader that steps
/// down too early costs an election, and one that does so too late costs nothing: its followers have elected another leader
/// meanwhile, and it can commit nothing.
pub(crate) const CHECK_QUORUM_TICKS: u64 = 700 / TICK_MS;
/// Election timeout of a backend, in ticks: drawn from [min, max).
pub(crate) const BACKEND_ELECTION_TICKS: (usize, usize) = (210 / TICK_MS as usize, 290 / TICK_MS as usize);
/// Election timeout of a coordinator, in ticks: drawn from [min, max). Longer than a backend's, because a backend should
/// lead: it serves clients itself.
pub(crate) const COORDINATOR_ELECTION_TICKS: (usize, usize) =
    (380 / TICK_MS as usize, 540 / TICK_MS as usize);
/// Upper bound of all times until an election, which the engine checks.
pub(crate) const ELECTION_TICKS_LIMIT: usize = 1_000 / TICK_MS as usize;
/// Silence after which a follower reports that it has no leader.
pub(crate) const LEADER_SILENT_TICKS: u64 = 275 / TICK_MS;
/// Longest gap between two messages of a member that counts as a delay of the network. A longer one is an outage.
pub(crate) const GAP_TICKS_MAX: u64 = 3_000 / TICK_MS;
/// Time for which the longest gap is remembered, at least; at most twice as long.
pub(crate) const GAP_WINDOW_TICKS: u64 = 20_000 / TICK_MS;
/// Largest factor by which the timeouts for a silent member are longer on a network that delivers late.
pub(crate) const SLOWDOWN_MAX: u64 = 12;
/// Pause before a pre-vote is repeated, in ticks: drawn from [min, max). A pre-vote that comes too early for the others is
/// ignored without an answer.
pub(crate) const PRE_VOTE_TICKS: (usize, usize) = (30 / TICK_MS as usize, 80 / TICK_MS as usize);
/// Number of pre-votes without a leader after which the usual election timeouts apply.
pub(crate) const QUICK_PRE_VOTES_MAX: u32 = 5;
/// Delay between two candidates once the leader's process has ended. The first voter stands at once, each further one this
/// much later, so that their votes are not split. It exceeds the time in which a usual disk makes a vote durable.
pub(crate) const SUCCESSOR_TICKS: u64 = 30 / TICK_MS;
/// Last part of an election timeout, which passes in steps of `STEP_TICKS`. A process that was stopped or starved gets at
/// most two steps for the whole time, so it reads the heartbeats that wait in its sockets first.
pub(crate) const LAST_TICKS: u64 = 75 / TICK_MS;
/// Maximum number of ticks in one step of the last part of an election timeout, and while requests or reads are pending;
/// also the number of ticks by which the Raft task may be late before the process counts as stopped.
pub(crate) const STEP_TICKS: u64 = 25 / TICK_MS;
/// Maximum number of ticks between two turns of the Raft task, so that the status stays fresh.
pub(crate) const TURN_TICKS_MAX: u64 = 1_000 / TICK_MS;
/// Time within which a follower that has everything answers one heartbeat only: every third one, and two in each
/// `CHECK_QUORUM_TICKS`.
pub(crate) const ANSWER_TICKS: u64 = HEARTBEAT_TICKS as u64 * 5 / 2;

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
/// Maximum time for which a leader gathers requests while its previous proposal is not committed.
pub(crate) const GATHER_TICKS: u64 = 25 / TICK_MS;
/// Number of queued requests at which a leader proposes although its previous proposal is not committed yet.
pub(crate) const GATHERED_MAX: usize = 512;
/// Time after which a request without an outcome is proposed or forwarded again, because the message may be lost.
pub(crate) const RESEND_TICKS: u64 = 500 / TICK_MS;
/// Minimum time before the same entries are sent to the same peer again: two heartbeats.
pub(crate) const APPEND_RESEND_TICKS: u64 = 2 * HEARTBEAT_TICKS as u64;
/// Maximum number of pending linearizable reads of this node's clients.
pub(crate) const READS_MAX: usize = 4_096;
/// Time after which an unanswered read index query is sent again. A lost heartbeat is repeated sooner, and carries the
/// newest query.
pub(crate) const READ_RESEND_TICKS: u64 = 100 / TICK_MS;
/// Time for which a read waits for an index before the leader is asked whether that index exists. It exceeds the usual
/// lag of a member, so ordinary reads send no query.
pub(crate) const REACH_TICKS: u64 = 100 / TICK_MS;

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
