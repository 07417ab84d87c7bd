//! WHAT PEOPLE SEE: words and shapes, made from what the net layer says. Opens no socket, runs no role.
//!
//! - [`status`]: the group at a glance, as a table and as JSON
//! - [`table`]: columns that line up

pub mod status;
pub mod table;
