//! Every number that bounds a balancer beyond those of all sockets (`net::limits`).

use std::time::Duration;

/// A reader that does not ask again for this long has gone, whether it said so or not.
pub const READER_LEASE: Duration = Duration::from_secs(60);
/// Readers that have a place; further ones are told where to read and are not counted.
pub const READERS_MAX: usize = 4_096;
/// Backends one answer names.
pub const NAMED_MAX: usize = 32;
/// Addresses reported down that are looked at at the same time; more wait for their turn.
pub const LOOKS_MAX: usize = 8;
/// Who opens the control plane says by then what it wants.
pub const FIRST_ASK_DEADLINE: Duration = Duration::from_secs(10);
/// Who has asked what a balancer answers may stay silent this long.
pub const NEXT_ASK_DEADLINE: Duration = Duration::from_secs(60);
