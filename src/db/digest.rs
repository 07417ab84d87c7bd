//! An incremental digest of the whole state: the wrapping sum of the checksums of all rows.
//!
//! Every stored row carries a checksum over its key and bytes. Applying a command adds the checksums of the rows that it
//! puts and subtracts those of the rows that it replaces or removes, so the digest at every index is known without reading
//! the rows. `meta` stores it beside the applied index, and both change in one transaction.
//!
//! Members that applied the same log have the same digest at the same index. `roles::node::digest_comparison` compares them and
//! decides what to do about a difference.

use super::DbError;
use super::limits::{DIGEST_STRIDE, DIGESTS_KEPT, STRIDES_KEPT};
use super::meta::read_meta;
use super::record::{Position, checksum_of};
use super::tables::DIGEST;
use redb::ReadableTable;
use ribbit_state::LogIndex;
use std::collections::VecDeque;

/// Digest of the state after an index.
pub type DigestAt = (LogIndex, u64);

/// Returns the amount that a stored row adds to the digest.
pub(super) fn weight(value: &[u8]) -> u64 {
    u64::from(checksum_of(value))
}

/// The newest digests: those of all recent indexes, and those of every `DIGEST_STRIDE`th index for longer. Members that lag
/// behind each other under load therefore still find an index to compare.
#[derive(Debug, Default)]
pub(super) struct Digests {
    newest: VecDeque<DigestAt>,
    strides: VecDeque<DigestAt>,
}

impl Digests {
    /// Drops all digests except this one.
    pub(crate) fn reset(&mut self, at: DigestAt) {
        (self.newest, self.strides) = ([at].into(), VecDeque::new());
    }

    /// Adds the digest of the index that was applied next.
    pub(crate) fn note(&mut self, at: DigestAt) {
        push(&mut self.newest, at, DIGESTS_KEPT);
        if at.0.is_multiple_of(DIGEST_STRIDE) {
            push(&mut self.strides, at, STRIDES_KEPT);
        }
    }

    pub(crate) fn last(&self) -> DigestAt {
        self.newest.back().copied().unwrap_or_default()
    }

    /// Returns the digest after this index, if it is still kept.
    pub(crate) fn at(&self, index: LogIndex) -> Option<u64> {
        let find = |stored: &VecDeque<DigestAt>| {
            stored.binary_search_by_key(&index, |(at, _)| *at).ok().map(|found| stored[found].1)
        };
        find(&self.newest).or_else(|| find(&self.strides))
    }

    /// Returns the digests to send to other members: the newest, and the newest of those kept for longer.
    pub(crate) fn to_publish(&self) -> Vec<DigestAt> {
        self.strides.back().into_iter().chain(self.newest.back()).copied().collect()
    }
}

fn push(stored: &mut VecDeque<DigestAt>, at: DigestAt, max: usize) {
    if stored.len() == max {
        stored.pop_front();
    }
    stored.push_back(at);
}

/// Returns the digest that `meta` stores for the applied index. A store without entries has none, and no rows.
///
/// # Errors
/// `Damaged` if the digest is missing or belongs to another index. Fatal: the store cannot be read.
pub(super) fn stored(
    meta: &impl ReadableTable<&'static [u8], &'static [u8]>,
    applied: Position,
) -> Result<u64, DbError> {
    match read_meta::<DigestAt>(meta, DIGEST)? {
        Some((index, digest)) if index == applied.index => Ok(digest),
        None if applied.index == 0 => Ok(0),
        _ => Err(DbError::Damaged(format!("the digest of the applied index {} is missing", applied.index))),
    }
}

/// Computes the digest of all rows by reading and checking each.
#[cfg(test)]
pub(super) fn count(rows: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<u64, DbError> {
    use super::record::unseal;
    let mut digest = 0u64;
    for row in rows.iter()? {
        let (key, value) = row?;
        unseal(key.value(), value.value())?;
        digest = digest.wrapping_add(weight(value.value()));
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_bounded_and_reach_back_in_strides() {
        let mut digests = Digests::default();
        digests.reset((100, 1_000));
        for index in 101..=100_000 {
            digests.note((index, index * 10));
        }
        assert_eq!((digests.at(100_000), digests.at(99_999)), (Some(1_000_000), Some(999_990)));
        assert_eq!((digests.at(90_001), digests.at(90_048)), (None, Some(900_480)));
        assert_eq!(digests.at(100_001), None);
        assert_eq!((digests.newest.len(), digests.strides.len()), (DIGESTS_KEPT, STRIDES_KEPT));
        assert_eq!(digests.to_publish(), [(99_968, 999_680), (100_000, 1_000_000)]);
        digests.reset((7, 1));
        assert_eq!((digests.to_publish(), digests.at(99_968)), (vec![(7, 1)], None));
    }
}
