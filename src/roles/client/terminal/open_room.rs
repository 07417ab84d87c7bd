//! State of the room that is open in the terminal client.

use ribbit_state::{LogIndex, RoomId};

/// The room that is open.
#[derive(Debug, Clone)]
pub(crate) struct OpenRoom {
    pub(super) id: RoomId,
    pub(super) name: String,
    /// Messages up to here were read from the servers.
    pub(super) read_through: LogIndex,
    /// Messages up to here are on the screen.
    pub(super) shown_through: LogIndex,
    /// Messages up to here are marked as read.
    pub(super) marked_through: LogIndex,
}
