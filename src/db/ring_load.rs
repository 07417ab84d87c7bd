//! Rebuilding the ring of newest croaks when a store is opened.

use super::DbError;
use super::rows_view::RowsView;
use redb::ReadableTable;
use ribbit_state::caches::ring::Ring;
use ribbit_state::rows::{Order, books};
use ribbit_state::{LogIndex, croaks, limits as state_limits};

/// Number of rows read at a time.
const LOAD_STEP: usize = 1_024;

/// Returns a ring with the newest croaks and all that are not in the index by author yet.
pub(super) fn load_ring<T: ReadableTable<&'static [u8], &'static [u8]>>(
    view: &RowsView<T>,
) -> Result<Ring, DbError> {
    let indexed_through = books(view)?.indexed_through;
    let mut newest_first = Vec::new();
    let mut before = LogIndex::MAX;
    loop {
        let step = croaks::between(view, 0, before, Order::NewestFirst, LOAD_STEP)?;
        for croaks::CroakMeta { index, author, .. } in &step {
            newest_first.push((*index, *author));
            before = *index;
        }
        let enough = newest_first.len() >= state_limits::RING_CROAKS && before <= indexed_through;
        if step.len() < LOAD_STEP || enough {
            break;
        }
    }
    let mut ring = Ring::default();
    for (index, author) in newest_first.into_iter().rev() {
        ring.push(index, author);
    }
    ring.trim(indexed_through);
    Ok(ring)
}
