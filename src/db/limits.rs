//! Bounds of the store.

/// Size of redb's page cache, in bytes. It holds the newest pages of the feed; a board has 512 MB for everything.
pub(crate) const CACHE_BYTES: usize = 4 * 1024 * 1024;
/// Number of log entries kept behind the applied index, so that a member that was away briefly catches up from the log.
pub(crate) const LOG_KEEP_ENTRIES: u64 = 16 * 1024;
/// While a member catches up, the log keeps the entries that it still needs, up to this multiple of `LOG_KEEP_ENTRIES`.
pub(crate) const LOG_KEEP_STRETCH: u64 = 8;
/// Number of entries after which the log begins another segment.
pub(crate) const LOG_SEGMENT_ENTRIES: u64 = 4_096;
/// Length of a segment, in bytes, after which the log begins another one.
pub(crate) const LOG_SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Maximum number of log segments. Older ones are removed once their entries are applied durably. A member that catches
/// up needs at most 32 segments of the usual length.
pub(crate) const LOG_SEGMENTS_MAX: usize = 64;
/// Number of zero bytes by which the newest segment grows at a time. A write that extends a file also waits for its
/// metadata, which takes twice as long.
pub(crate) const LOG_SEGMENT_STEP_BYTES: u64 = 128 * 1024;
/// Number of bytes read at a time in the search for records after a damaged one.
pub(crate) const LOG_SCAN_BYTES: usize = 64 * 1024;
/// Maximum size of a batch, in bytes. Further entries of the same append are written and synced as another batch.
pub(crate) const LOG_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Maximum length of a log record, in bytes. A frame with a greater length is not a record. A batch of a single entry may
/// be longer than `LOG_BATCH_BYTES`.
pub(crate) const LOG_RECORD_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Maximum number of entries between two checkpoints, which make the rows durable. Usually a checkpoint happens when the
/// log begins another segment. Until then the rows can be restored from the log.
pub(crate) const CHECKPOINT_ENTRIES: u64 = LOG_SEGMENT_ENTRIES + 1_024;
/// Number of different indexes at which members checkpoint: the maximum number of voters.
pub(crate) const CHECKPOINT_TURNS: u64 = 5;
/// Size at which a chunk of a snapshot ends, in bytes. A chunk has at least one row.
pub(crate) const SNAPSHOT_CHUNK_BYTES: usize = 64 * 1024;
/// Maximum number of rows that the writer caches between commands. Each is a session or an account.
pub(crate) const ROW_CACHE_ROWS_MAX: usize = 1_024;
/// Maximum size of the rows that are cached for readers, in bytes.
pub(crate) const READER_CACHE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Number of changes that each part of that cache keeps, to refuse rows of views from before them.
pub(crate) const READER_CACHE_CHANGES_KEPT: usize = 64;
/// Number of newest indexes whose digests are kept in memory for comparison with other members.
pub(crate) const DIGESTS_KEPT: usize = 4_096;
/// Beyond those, digests are kept for indexes that are a multiple of this.
pub(crate) const DIGEST_STRIDE: u64 = 64;
/// Number of digests kept at multiples of `DIGEST_STRIDE`.
pub(crate) const STRIDES_KEPT: usize = 1_024;
/// Number of bytes that the scrub reads while the writer waits.
pub const SCRUB_CHUNK_BYTES: usize = 64 * 1024;
/// Number of bytes that the scrub reads per run of its background task, one chunk at a time.
pub const SCRUB_STEP_BYTES: usize = 1024 * 1024;
/// Size at which one step of summing pinned rows ends, in bytes.
pub(crate) const PIN_SUM_BYTES: usize = 256 * 1024;
/// Size at which one step of listing pinned keys ends, in bytes of the answer.
pub(crate) const PIN_HASHES_BYTES: usize = 64 * 1024;
/// Maximum length of a row's key, in bytes. The longest consist of an owner and a path, plus the end of a range behind them.
pub(crate) const KEY_BYTES_MAX: usize = ribbit_state::limits::PATH_BYTES_MAX + 16;
const _: () = assert!(ribbit_state::limits::USERNAME_CHARS_MAX <= KEY_BYTES_MAX);
