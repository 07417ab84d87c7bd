//! A digest of the whole state that costs nothing to keep: the wrapping sum of all rows' checksums.
//!
//! Every stored row carries a checksum over its key and bytes. Applying a command adds those of the rows it puts and
//! takes away those of the rows it replaces or removes, so the digest at every index is known without reading
//! anything. It is kept in `meta` beside the applied index and changes in the same transaction.
//!
//! Members that applied the same log have the same digest at the same index. What follows when they have not is for
//! the roles to decide (`roles::node::agreement`).

use super::DbError;
use super::limits::{DIGEST_STRIDE, DIGESTS_KEPT, STRIDES_KEPT};
use super::meta::{DIGEST, read_meta};
use super::record::{Position, checksum_of, unseal};
use redb::ReadableTable;
use ribbit_state::LogIndex;
use std::collections::VecDeque;

/// The state's digest behind an index.
pub type DigestAt = (LogIndex, u64);

/// What a stored row adds to the digest.
pub(super) fn weight(value: &[u8]) -> u64 {
    u64::from(checksum_of(value))
}

/// The newest digests: every index lately, and for longer every `DIGEST_STRIDE`th, so that members that are a while
/// apart under load still find one to compare.
#[derive(Debug, Default)]
pub(super) struct Digests {
    newest: VecDeque<DigestAt>,
    strides: VecDeque<DigestAt>,
}

impl Digests {
    /// Begins anew: of what was before nothing is known.
    pub fn reset(&mut self, at: DigestAt) {
        (self.newest, self.strides) = ([at].into(), VecDeque::new());
    }

    /// The next index was applied.
    pub fn note(&mut self, at: DigestAt) {
        push(&mut self.newest, at, DIGESTS_KEPT);
        if at.0.is_multiple_of(DIGEST_STRIDE) {
            push(&mut self.strides, at, STRIDES_KEPT);
        }
    }

    pub fn last(&self) -> DigestAt {
        self.newest.back().copied().unwrap_or_default()
    }

    /// The digest behind this index, if it is remembered.
    pub fn at(&self, index: LogIndex) -> Option<u64> {
        let find = |kept: &VecDeque<DigestAt>| {
            kept.binary_search_by_key(&index, |(at, _)| *at).ok().map(|found| kept[found].1)
        };
        find(&self.newest).or_else(|| find(&self.strides))
    }

    /// What to tell others: the newest, and the newest of those that are remembered for longer.
    pub fn to_tell(&self) -> Vec<DigestAt> {
        self.strides.back().into_iter().chain(self.newest.back()).copied().collect()
    }
}

fn push(kept: &mut VecDeque<DigestAt>, at: DigestAt, max: usize) {
    if kept.len() == max {
        kept.pop_front();
    }
    kept.push_back(at);
}

/// The digest that the store has kept, or nothing when it was last written by a version that kept none.
pub(super) fn kept(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    applied: Position,
) -> Result<Option<u64>, DbError> {
    let kept = read_meta::<DigestAt>(meta, DIGEST)?;
    Ok(kept.filter(|(index, _)| *index == applied.index).map(|(_, digest)| digest))
}

/// The digest of these rows, from reading and checking each.
pub(super) fn count(rows: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<u64, DbError> {
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
    fn what_is_remembered_is_bounded_and_reaches_back_in_strides() {
        let mut digests = Digests::default();
        digests.reset((100, 1_000));
        for index in 101..=100_000 {
            digests.note((index, index * 10));
        }
        assert_eq!((digests.at(100_000), digests.at(99_999)), (Some(1_000_000), Some(999_990)));
        assert_eq!((digests.at(90_001), digests.at(90_048)), (None, Some(900_480)));
        assert_eq!(digests.at(100_001), None);
        assert_eq!((digests.newest.len(), digests.strides.len()), (DIGESTS_KEPT, STRIDES_KEPT));
        assert_eq!(digests.to_tell(), [(99_968, 999_680), (100_000, 1_000_000)]);
        digests.reset((7, 1));
        assert_eq!((digests.to_tell(), digests.at(99_968)), (vec![(7, 1)], None));
    }
}
