//! Every number that bounds a balancer beyond those of all sockets (`net::limits`).

use ribbit_net::limits::{ASK_DEADLINE_MAX, SILENCE_STEP, SILENT_STEPS_PING};
use std::time::Duration;

/// A reader that does not ask again for this long has gone, whether it said so or not.
pub const READER_LEASE: Duration = Duration::from_secs(60);
/// Readers that have a place; further ones are told where to read and are not counted.
pub const READERS_MAX: usize = 4_096;
/// Backends one answer names.
pub const NAMED_MAX: usize = 32;
/// Addresses reported down that are looked at at the same time; more wait for their turn.
pub const LOOKS_MAX: usize = 8;
/// Pause between two questions to the same member when somebody waits for its answer.
pub const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Time that who asks where to write waits for the members' answers.
pub const LOOK_AGAIN_MAX: Duration = Duration::from_millis(400);
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

/// After its holder was last heard, the floating address's lock is given to the next balancer. The holder stops at half of
/// it: an election passes in that.
pub const FLOATING_LEASE: Duration = Duration::from_millis(1_500);
/// So often the holder says that it is there,
pub const FLOATING_RENEW_EVERY: Duration = Duration::from_millis(100);
/// and leaves a member that has not answered by then for another one: several times in half of the lease, so that neither a
/// member that died nor an election costs the address.
pub const FLOATING_RENEW_MAX: Duration = Duration::from_millis(125);
/// Then the kernel takes the address off, whatever has become of the holder. In whole seconds; put on again with each
/// renewal.
pub const FLOATING_LIFETIME_S: u32 = 1;
/// How often the interface and the lock are looked at.
pub const FLOATING_LOOK_EVERY: Duration = Duration::from_millis(100);
/// A member that does not say in this time whether the lock is free is left for another one.
pub const FLOATING_GLANCE_MAX: Duration = Duration::from_millis(250);
/// Another machine that has the address says so this long after it was asked,
pub const FLOATING_PROBE_WAIT: Duration = Duration::from_millis(100);
/// which it is as often as this.
pub const FLOATING_PROBES: u32 = 2;
/// After the address was put on, the neighbours are told at these moments.
pub const FLOATING_ANNOUNCE_AFTER_MS: [u64; 5] = [0, 100, 400, 1_000, 2_000];
/// What an earlier life has left on the interface is gone by then; what is still there is somebody else's doing.
pub const FLOATING_LEFTOVER_MAX: Duration = Duration::from_secs(3);

// Who is owed an answer has pinged by then.
const _: () = assert!(QUIET.as_millis() >= 2 * SILENT_STEPS_PING as u128 * SILENCE_STEP.as_millis());
// Who wakes up behind its lease finds the address gone: the kernel was quicker than the leader.
const _: () = assert!(
    (FLOATING_LIFETIME_S as u128) * 1_000 + FLOATING_RENEW_MAX.as_millis() < FLOATING_LEASE.as_millis()
);
