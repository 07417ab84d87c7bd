//! Every number that bounds the store.

/// redb's page cache. The feed's newest pages live in it; a board has 512 MB for everything.
pub const CACHE_BYTES: usize = 4 * 1024 * 1024;
/// Log entries kept behind the applied index, so that a member that was away briefly catches up by log.
pub const LOG_KEEP_ENTRIES: u64 = 16 * 1024;
/// While a member catches up, the log keeps what that one still needs, up to so many times as much.
pub const LOG_KEEP_STRETCH: u64 = 8;
/// Entries cut from the log's head at a time.
pub const LOG_CUT_STEP: u64 = 1_024;
/// Bytes of rows in one chunk of a snapshot; a chunk has at least one row.
pub const SNAPSHOT_CHUNK_BYTES: usize = 64 * 1024;
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
/// Bytes of a row's key: a user name or the hash of a token are the longest.
pub const KEY_BYTES_MAX: usize = 32;

const _: () = assert!(crate::state::limits::USERNAME_CHARS_MAX <= KEY_BYTES_MAX);
