//! Checksummed values, and the records of `meta` and of the log.
//!
//! A stored value consists of its bytes and four bytes of xxh3 over key and bytes. A damaged value, or one under a wrong
//! key, is therefore detected when it is read.

use super::DbError;
use bytes::Bytes;
use ribbit_state::{ClusterId, HistoryId, LogIndex, MemberName, RaftId, Role};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// Length of a value's checksum, in bytes.
const CHECKSUM_BYTES: usize = 4;
/// Version byte of the records in `meta` and of log entries.
const RECORD_VERSION: u8 = 1;

fn checksum(key: &[u8], bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hash = Xxh3::new();
    hash.update(key);
    hash.update(bytes);
    (hash.digest() as u32).to_le_bytes()
}

/// Returns the checksum in a stored value.
pub(super) fn checksum_of(value: &[u8]) -> u32 {
    value.last_chunk::<CHECKSUM_BYTES>().map_or(0, |sum| u32::from_le_bytes(*sum))
}

/// Returns the value to store for `bytes` under `key`.
pub fn seal(key: &[u8], mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(key, &bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

/// Returns the bytes in a stored value.
///
/// # Errors
/// `Damaged` if the checksum is wrong.
pub fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], DbError> {
    match value.len().checked_sub(CHECKSUM_BYTES).map(|end| value.split_at(end)) {
        Some((bytes, sum)) if sum == checksum(key, bytes) => Ok(bytes),
        _ => Err(DbError::Damaged(format!("a checksum is wrong under key {key:02x?}"))),
    }
}

/// Returns the value to store for a record under `key`.
pub fn seal_record<R: Serialize>(key: &[u8], record: &R) -> Vec<u8> {
    let bytes = postcard::to_extend(record, vec![RECORD_VERSION]).expect("records are plain data");
    seal(key, bytes)
}

/// Returns the record in a stored value.
///
/// # Errors
/// `Damaged` if the checksum is wrong or the record cannot be decoded.
pub fn unseal_record<R: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<R, DbError> {
    match unseal(key, value)?.split_first() {
        Some((&RECORD_VERSION, rest)) => match postcard::take_from_bytes(rest) {
            Ok((record, [])) => Ok(record),
            _ => Err(DbError::Damaged(format!("the record under key {key:02x?} cannot be read"))),
        },
        _ => Err(DbError::Damaged(format!("the record under key {key:02x?} has an unknown version"))),
    }
}

/// Identity of the member that a store belongs to. Written once, when its node founds or joins a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub cluster: ClusterId,
    pub history: HistoryId,
    pub raft_id: RaftId,
    pub role: Role,
    pub id: u32,
    /// The region that it serves.
    pub region: u32,
}

impl Identity {
    /// Returns the member's name for people, such as `backend-2`.
    pub fn name(&self) -> String {
        self.member_name().to_string()
    }
    pub fn member_name(&self) -> MemberName {
        MemberName { role: self.role, region: self.region, id: self.id }
    }
}

/// Hard state of Raft: the promises of this node in elections. `commit` is a hint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardState {
    pub term: u64,
    pub vote: RaftId,
    pub commit: LogIndex,
}

/// Position in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub index: LogIndex,
    pub term: u64,
}

/// Raft configuration: the voters and learners. The last three fields are used during a joint change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    pub voters: Vec<RaftId>,
    pub learners: Vec<RaftId>,
    pub voters_outgoing: Vec<RaftId>,
    pub learners_next: Vec<RaftId>,
    pub auto_leave: bool,
}

impl Configuration {
    /// Returns true if this member is a voter or learner, before or after a change that is in progress.
    pub fn contains(&self, id: RaftId) -> bool {
        [&self.voters, &self.learners, &self.voters_outgoing, &self.learners_next]
            .iter()
            .any(|ids| ids.contains(&id))
    }

    /// Returns the voters that vote before and after a change in progress. Until it is complete, a leader needs a majority of
    /// both sets, so the others must not be counted on.
    pub fn settled_voters(&self) -> Vec<u64> {
        let votes_now = |id: &&u64| !self.is_joint() || self.voters_outgoing.contains(id);
        self.voters.iter().filter(votes_now).copied().collect()
    }

    /// Returns true while a joint change is in progress.
    pub fn is_joint(&self) -> bool {
        !self.voters_outgoing.is_empty()
    }
}

/// Kind of a log entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A `Proposal`, or empty: a new leader's first entry.
    Normal,
    /// A configuration change, encoded by the Raft engine.
    Configuration,
}

/// An entry of the Raft log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    pub index: LogIndex,
    pub term: u64,
    pub kind: EntryKind,
    /// Reference-counted, so that it passes from the connection to the engine, the log and the rules without a copy.
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

    #[test]
    fn a_voter_that_a_change_adds_is_not_counted_on_before_the_change_is_complete() {
        let mut configuration = Configuration { voters: vec![1, 2, 3], ..Configuration::default() };
        assert_eq!(configuration.settled_voters(), [1, 2, 3]);
        configuration.voters_outgoing = vec![1, 4];
        assert_eq!(configuration.settled_voters(), [1]);
    }
}
