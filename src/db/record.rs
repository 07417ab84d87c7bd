//! Checksummed values, and the records that `meta` and the log hold.
//!
//! A stored value is its bytes and then four bytes of xxh3 over key and bytes, so that a value that was damaged,
//! or that lies under another key, is noticed when it is read.

use super::DbError;
use bytes::Bytes;
use ribbit_state::{ClusterId, HistoryId, LogIndex, MemberName, RaftId, Role};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

const CHECKSUM_BYTES: usize = 4;
/// Version byte of the records in `meta` and of log entries.
const RECORD_VERSION: u8 = 1;

fn checksum(key: &[u8], bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hash = Xxh3::new();
    hash.update(key);
    hash.update(bytes);
    (hash.digest() as u32).to_le_bytes()
}

/// The checksum that a stored value carries.
pub(super) fn checksum_of(value: &[u8]) -> u32 {
    value.last_chunk::<CHECKSUM_BYTES>().map_or(0, |sum| u32::from_le_bytes(*sum))
}

/// The value to store for `bytes` under `key`.
pub fn seal(key: &[u8], mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(key, &bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

/// The bytes inside a stored value.
///
/// # Errors
/// `Damaged` when the checksum does not fit.
pub fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], DbError> {
    match value.len().checked_sub(CHECKSUM_BYTES).map(|end| value.split_at(end)) {
        Some((bytes, sum)) if sum == checksum(key, bytes) => Ok(bytes),
        _ => Err(DbError::Damaged(format!("a checksum is wrong under key {key:02x?}"))),
    }
}

/// A record as a stored value.
pub fn seal_record<R: Serialize>(key: &[u8], record: &R) -> Vec<u8> {
    let bytes = postcard::to_extend(record, vec![RECORD_VERSION]).expect("records are plain data");
    seal(key, bytes)
}

/// The record in a stored value.
///
/// # Errors
/// `Damaged` when it is not one.
pub fn unseal_record<R: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<R, DbError> {
    match unseal(key, value)?.split_first() {
        Some((&RECORD_VERSION, rest)) => match postcard::take_from_bytes(rest) {
            Ok((record, [])) => Ok(record),
            _ => Err(DbError::Damaged(format!("the record under key {key:02x?} cannot be read"))),
        },
        _ => Err(DbError::Damaged(format!("the record under key {key:02x?} has an unknown version"))),
    }
}

/// Who this store belongs to. Written once, when its node founds or joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub cluster: ClusterId,
    pub history: HistoryId,
    pub raft_id: RaftId,
    pub role: Role,
    pub id: u32,
    /// The number of the region that it serves.
    pub site: u32,
}

impl Identity {
    /// `backend-2`: what people call it.
    pub fn name(&self) -> String {
        self.who().to_string()
    }
    pub fn who(&self) -> MemberName {
        MemberName { role: self.role, site: self.site, id: self.id }
    }
}

/// What this node has promised in elections. `commit` is a hint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardState {
    pub term: u64,
    pub vote: RaftId,
    pub commit: LogIndex,
}

/// A place in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub index: LogIndex,
    pub term: u64,
}

/// Who votes and who learns, as the Raft engine keeps it (the last three while a change is under way).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    pub voters: Vec<RaftId>,
    pub learners: Vec<RaftId>,
    pub voters_outgoing: Vec<RaftId>,
    pub learners_next: Vec<RaftId>,
    pub auto_leave: bool,
}

impl Configuration {
    /// Whether this member votes or learns, or did before a change that is under way.
    pub fn contains(&self, id: RaftId) -> bool {
        [&self.voters, &self.learners, &self.voters_outgoing, &self.learners_next]
            .iter()
            .any(|ids| ids.contains(&id))
    }

    /// Whether a joint change is under way.
    pub fn is_joint(&self) -> bool {
        !self.voters_outgoing.is_empty()
    }
}

/// What a log entry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A `Proposal`, or nothing (a new leader's first entry).
    Normal,
    /// The engine's own: a configuration change.
    Configuration,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    pub index: LogIndex,
    pub term: u64,
    pub kind: EntryKind,
    /// Shared: it goes from the link to the engine, to the log and to the rules without being copied.
    pub data: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_or_another_key_is_noticed() {
        let value = seal(b"key", b"bytes".to_vec());
        assert_eq!(unseal(b"key", &value).unwrap(), b"bytes");
        assert!(unseal(b"kez", &value).is_err());
        for bit in 0..value.len() * 8 {
            let mut damaged = value.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(b"key", &damaged).is_err(), "bit {bit}");
        }
        assert!(unseal(b"key", &value[..3]).is_err());
    }
}
