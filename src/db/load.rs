//! What is kept in memory beside the file, built anew at every start.

use super::DbError;
use super::read::RowsView;
use crate::state::apply::Window;
use crate::state::ring::Ring;
use crate::state::rows::{Croaks, Order, Requests, View, books, scan};
use crate::state::{LogIndex, limits as state_limits};
use redb::ReadableTable;

/// Rows read at a time.
const LOAD_STEP: usize = 1_024;

pub(super) fn load_window<V: View<Error = DbError>>(view: &V) -> Result<Window, DbError> {
    let mut window = Window::default();
    let mut from = 0;
    loop {
        let step = scan::<Requests, V>(view, &from, &LogIndex::MAX, Order::OldestFirst, LOAD_STEP)?;
        for (index, row) in &step {
            window.remember(*index, row);
            from = index + 1;
        }
        if step.len() < LOAD_STEP {
            return Ok(window);
        }
    }
}

/// The newest croaks, and all that are not indexed by author yet.
pub(super) fn load_ring<T: ReadableTable<&'static [u8], &'static [u8]>>(
    view: &RowsView<T>,
) -> Result<Ring, DbError> {
    let indexed_through = books(view)?.indexed_through;
    let mut newest_first = Vec::new();
    let mut before = LogIndex::MAX;
    loop {
        let step = scan::<Croaks, _>(view, &0, &before, Order::NewestFirst, LOAD_STEP)?;
        for (index, croak) in &step {
            newest_first.push((*index, croak.author));
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
    ring.settle(indexed_through);
    Ok(ring)
}
