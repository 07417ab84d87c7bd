//! Every number that bounds the store.

/// redb's page cache. The feed's newest pages live in it; a board has 512 MB for everything.
pub const CACHE_BYTES: usize = 4 * 1024 * 1024;
/// Log entries kept behind the applied index, so that a member that was away briefly catches up by log.
pub const LOG_KEEP_ENTRIES: u64 = 16 * 1024;
/// While a member catches up, the log keeps what that one still needs, up to so many times as much.
pub const LOG_KEEP_STRETCH: u64 = 8;
/// Entries after which a segment of the log is followed by the next one.
pub const LOG_SEGMENT_ENTRIES: u64 = 4_096;
/// Bytes after which a segment of the log is followed by the next one.
pub const LOG_SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Maximum number of segments of the log; older ones are removed once their entries are applied durably. A member that
/// catches up keeps 32 segments of the usual length at most.
pub const LOG_SEGMENTS_MAX: usize = 64;
/// Number of zero bytes by which the newest segment grows at a time: a write that makes a file longer waits for
/// metadata, which takes twice as long.
pub const LOG_SEGMENT_STEP_BYTES: u64 = 128 * 1024;
/// Bytes read at a time in the search for records behind a damaged one.
pub const LOG_SCAN_BYTES: usize = 64 * 1024;
/// Entries of one append beyond this many bytes are written, and made durable, in several batches.
pub const LOG_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Maximum length of a record of the log; a frame with a greater length is not a record. A batch of one entry may be long.
pub const LOG_RECORD_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The rows are made durable when the log begins another file, and at the latest once so many entries were applied; until
/// then they can be had from the log again.
pub const CHECKPOINT_ENTRIES: u64 = LOG_SEGMENT_ENTRIES + 1_024;
/// Members take so many turns at that: as many as vote at most.
pub const CHECKPOINT_TURNS: u64 = 5;
/// Bytes of rows in one chunk of a snapshot; a chunk has at least one row.
pub const SNAPSHOT_CHUNK_BYTES: usize = 64 * 1024;
/// Rows that the writer remembers between commands; each is a session or an account.
pub const KNOWN_ROWS_MAX: usize = 1_024;
/// The state's digests kept in memory, to be compared with other members': so many of the newest indexes, ...
pub const DIGESTS_KEPT: usize = 4_096;
/// ... and of indexes that are a multiple of this ...
pub const DIGEST_STRIDE: u64 = 64;
/// ... so many more.
pub const STRIDES_KEPT: usize = 1_024;
/// What the scrub reads at a time, while the writer waits.
pub const SCRUB_CHUNK_BYTES: usize = 64 * 1024;
/// What the scrub reads in one go of its chore, a chunk at a time.
pub const SCRUB_STEP_BYTES: usize = 1024 * 1024;
/// What one step of summing pinned rows reads at most, and a row,
pub const PIN_SUM_BYTES: usize = 256 * 1024;
/// and bytes of the keys that one step of listing them answers.
pub const PIN_MARKS_BYTES: usize = 64 * 1024;
/// Bytes of a row's key: an owner and the path of what it has are the longest, and the end of a range behind them.
pub const KEY_BYTES_MAX: usize = ribbit_state::limits::PATH_BYTES_MAX + 16;

const _: () = assert!(ribbit_state::limits::USERNAME_CHARS_MAX <= KEY_BYTES_MAX);
