//! The redb tables of a store: their definitions, the stored form of row keys, and the names of the records of `meta`.

use super::limits::KEY_BYTES_MAX;
use redb::TableDefinition;
use ribbit_state::rows::TableId;

/// Rows of the state: table id and key → row.
pub(super) const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
/// Records that a store keeps about itself: name → record. Its types are those of the rows, because redb's code exists once for
/// each pair of types, 40 KB each.
pub(super) const META: TableDefinition<&[u8], &[u8]> = TableDefinition::new("meta");

/// Identity of the member that the store belongs to.
pub(super) const IDENTITY: &str = "identity";
/// Kept request to join a cluster.
pub(super) const JOINING: &str = "joining";
/// Hard state of Raft when the log of this epoch began.
pub(super) const HARD_STATE: &str = "hard";
/// Applied position of the rows.
pub(super) const APPLIED: &str = "applied";
/// Raft configuration at the applied position.
pub(super) const CONFIGURATION: &str = "configuration";
/// Digest of the rows with its index. A record of another index than the applied one, or a missing one, comes from a
/// version that did not maintain it.
pub(super) const DIGEST: &str = "digest";
/// Epoch of the log ([`super::journal`]).
pub(super) const EPOCH: &str = "epoch";
/// Position just before the first entry of the log of this epoch.
pub(super) const FLOOR: &str = "floor";
/// Newest log segment with acknowledged records, and the offset up to which it was synced.
pub(super) const NEWEST_LOG: &str = "newest log";
/// Version of the store's format.
pub(super) const FORMAT: &str = "format";
/// The only format version that this version of ribbit reads.
pub(super) const FORMAT_VERSION: u32 = 1;
/// Epoch of the log in an empty store.
pub(super) const EPOCH_FIRST: u64 = 1;

/// Rows as they are stored: (key, value).
pub type Chunk = Vec<(Vec<u8>, Vec<u8>)>;

/// Stored form of a row's key: table id and key bytes. On the stack, because every read and write makes one.
pub(super) type StoredKey = heapless::Vec<u8, { 1 + KEY_BYTES_MAX }>;

/// Returns the stored form of a row's key, or `None` for a key longer than `KEY_BYTES_MAX`: no row has such a key.
pub(super) fn stored_key(table: TableId, key: &[u8]) -> Option<StoredKey> {
    let mut bytes = StoredKey::new();
    (bytes.push(table.0).is_ok() && bytes.extend_from_slice(key).is_ok()).then_some(bytes)
}

/// Returns the stored form of the key of a row to be written. `state::check` bounds the parts of all keys, so that none is
/// longer than `KEY_BYTES_MAX`.
pub(super) fn row_key(table: TableId, key: &[u8]) -> StoredKey {
    stored_key(table, key).expect("no table has keys longer than KEY_BYTES_MAX")
}

/// Returns the stored form of the bound of a range, which may be longer than any row's key.
pub(super) fn range_bound(table: TableId, key: &[u8]) -> Vec<u8> {
    [&[table.0][..], key].concat()
}
