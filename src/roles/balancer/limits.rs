//! Bounds of a balancer, in addition to those of all sockets (`net::limits`).

use ribbit_net::limits::{ASK_DEADLINE_MAX, SILENCE_STEP, SILENT_STEPS_PING};
use std::time::Duration;

/// Time without a query after which a reader's assignment expires.
pub(crate) const READER_LEASE: Duration = Duration::from_secs(60);

/// Maximum number of assigned readers. Further ones get an answer but are not counted.
pub(crate) const READERS_MAX: usize = 4_096;

/// Maximum number of backends in one answer.
pub(crate) const NAMED_MAX: usize = 32;

/// Maximum number of addresses reported down that are probed at the same time. Further ones wait.
pub(crate) const PROBES_MAX: usize = 8;

/// Minimum time between two status queries to the same member while a client waits for the answer.
pub(crate) const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Maximum time that a `write` query waits for fresh answers of the members.
pub(crate) const LOOK_AGAIN_MAX: Duration = Duration::from_millis(400);

/// Time limit for the first query on a directory connection.
pub(crate) const FIRST_ASK_DEADLINE: Duration = Duration::from_secs(10);

/// Idle time limit between two queries on a directory connection.
pub(crate) const NEXT_ASK_DEADLINE: Duration = Duration::from_secs(60);

/// Interval between two rebalancing steps.
pub(crate) const REBALANCE_EVERY: Duration = Duration::from_secs(1);

/// Number of steps in which a whole excess of clients would be removed at its initial rate: ten minutes, so a tenth of the
/// excess goes each minute.
pub const REBALANCE_STEPS: u64 = 600;

/// Maximum number of connections ended in one step.
pub(crate) const REBALANCE_AT_ONCE_MAX: usize = 8;

/// Time without traffic after the backend's last bytes from which a splice is quiet: its client waits for nothing.
pub(crate) const QUIET: Duration = Duration::from_secs(1);

/// Time without bytes from the client from which a splice is quiet: longer than any request may take.
pub(crate) const QUIET_CLIENT: Duration = Duration::from_secs(ASK_DEADLINE_MAX.as_secs() + 1);

/// Time without any traffic that both kinds of quiet need, so that nothing is in flight.
pub(crate) const QUIET_MOMENT: Duration = Duration::from_millis(200);

/// Lease time of the floating address's lock. The holder gives up at half of it, which is longer than an election takes. The
/// next balancer gets the lock after all of it.
pub(crate) const FLOATING_LEASE: Duration = Duration::from_millis(1_500);

/// Interval between two renewals of the lease.
pub(crate) const FLOATING_RENEW_EVERY: Duration = Duration::from_millis(100);

/// Timeout of one renewal, after which another member is tried. Half of the lease allows several tries, so neither a dead
/// member nor an election costs the address.
pub(crate) const FLOATING_RENEW_MAX: Duration = Duration::from_millis(125);

/// Lifetime of the address in the kernel, in whole seconds. The kernel removes the address when its holder no longer
/// refreshes it, which it does with each renewal.
pub(crate) const FLOATING_LIFETIME_S: u32 = 1;

/// Interval between two looks at the interface and the lock.
pub(crate) const FLOATING_LOOK_EVERY: Duration = Duration::from_millis(100);

/// Timeout of one query for the lock, after which another member is tried.
pub(crate) const FLOATING_GLANCE_MAX: Duration = Duration::from_millis(250);

/// Time in which another machine that has the address answers an ARP probe.
pub(crate) const FLOATING_PROBE_WAIT: Duration = Duration::from_millis(100);

/// Number of ARP probes before the address is used.
pub(crate) const FLOATING_PROBES: u32 = 2;

/// Times after taking the address at which it is announced to the neighbours, in milliseconds.
pub(crate) const FLOATING_ANNOUNCE_AFTER_MS: [u64; 5] = [0, 100, 400, 1_000, 2_000];

/// Time after which the kernel has removed an address left over from an earlier process. An address that is still there was
/// configured by someone else.
pub(crate) const FLOATING_LEFTOVER_MAX: Duration = Duration::from_secs(3);

// A client that waits for an answer has pinged within `QUIET`, so its splice is not quiet.
const _: () = assert!(QUIET.as_millis() >= 2 * SILENT_STEPS_PING as u128 * SILENCE_STEP.as_millis());
// The kernel removes the address of a holder that was stopped before the leader gives the lock to another balancer.
const _: () = assert!(
    (FLOATING_LIFETIME_S as u128) * 1_000 + FLOATING_RENEW_MAX.as_millis() < FLOATING_LEASE.as_millis()
);
