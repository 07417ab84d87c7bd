//! Every number that bounds a balancer beyond those of all sockets (`net::limits`).

use crate::net::limits::{ASK_DEADLINE_MAX, SILENCE_STEP, SILENT_STEPS_PING};
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

/// How often it is looked whether clients are spread evenly.
pub const EVEN_EVERY: Duration = Duration::from_secs(1);
/// Looks until all of an excess would be gone at its first pace: ten minutes, so a tenth goes a minute.
pub const EVEN_STEPS: u64 = 600;
/// Connections that one look ends.
pub const EVEN_AT_ONCE_MAX: usize = 8;
/// Nothing moves on a splice for this long after the backend's last word: its client is owed nothing,
pub const QUIET: Duration = Duration::from_secs(1);
/// or the client has said nothing for longer than a question may take.
pub const QUIET_CLIENT: Duration = Duration::from_secs(ASK_DEADLINE_MAX.as_secs() + 1);
/// In either case nothing is on its way right now.
pub const QUIET_MOMENT: Duration = Duration::from_millis(200);

// Who is owed an answer has pinged by then.
const _: () = assert!(QUIET.as_millis() >= 2 * SILENT_STEPS_PING as u128 * SILENCE_STEP.as_millis());
