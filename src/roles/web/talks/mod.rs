//! Pages of messages, rooms, notices and announcements.
//!
//! - `messages`: direct messages; `receipts`: read receipts; `notices`, `announcements`
//! - `room`, `rooms`, `room_settings`: group chat

pub(in crate::web) mod announcements;
pub(in crate::web) mod messages;
pub(in crate::web) mod notices;
pub(in crate::web) mod receipts;
pub(in crate::web) mod room;
pub(in crate::web) mod room_settings;
pub(in crate::web) mod rooms;
