//! All limits of the gateway: connections, sizes, timeouts and rates.

use std::time::Duration;

/// Maximum number of open connections per listener. Further clients wait in the kernel until one of these is closed: a
/// closed connection would mean something else in several of the protocols, for example a successful log-in.
pub(crate) const CONNECTIONS_MAX: usize = 512;
/// Maximum number of new connections that wait in the kernel to be accepted, per listener.
pub(crate) const ACCEPT_BACKLOG: i32 = 512;
/// Maximum number of open connections per listener from one address other than this machine's.
pub(crate) const CONNECTIONS_PER_ADDRESS_MAX: usize = CONNECTIONS_MAX / 2;
/// Pause before a listener that cannot accept, for example for want of file descriptors, tries again.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Maximum number of requests to the cluster that are pending at once, over all connections. Further ones wait for their turn.
pub(crate) const REQUESTS_MAX: usize = 200;
/// Time for which a request is held while no leader decides it. Shorter than the read timeout of the clients that have one
/// (30 s), and than the window in which the cluster recognises a repeated request.
pub(crate) const HOLD_MAX: Duration = Duration::from_secs(25);
/// Maximum age of a position of the log from which a new request id counts.
pub(crate) const POSITION_AGE_MAX: Duration = Duration::from_secs(5);
/// Time after which a write that the client does not take ends its connection.
pub(crate) const WRITE_STALL: Duration = Duration::from_secs(10);
/// Maximum number of bytes that are read and dropped after the last answer on a connection, so that the answer arrives.
pub(crate) const LINGER_BYTES_MAX: usize = 1024 * 1024;
pub(crate) const LINGER: Duration = Duration::from_secs(1);
/// Size of one read from a socket, in bytes.
pub(crate) const READ_BYTES: usize = 16 * 1024;
/// Time in which connections that wait in the kernel are still accepted when the role is stopped.
pub(crate) const STOP_GRACE: Duration = Duration::from_millis(100);
/// Time for connections in progress when the role is stopped.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(4);

/// Time within which a server answers the probe of a gateway's health.
pub(crate) const PROBE_DEADLINE: Duration = Duration::from_secs(2);

/// Length of the gateway's leases: the people of a gateway that died are free again after this time.
pub(crate) const LEASE: Duration = Duration::from_secs(6);
/// Maximum number of people whose locks are under one lease. A lease owns at most 64 nodes.
pub(crate) const PEOPLE_PER_LEASE_MAX: usize = 60;
/// Maximum number of leases of one gateway, which bounds the people who are online through it.
pub(crate) const LEASES_MAX: usize = 20;
/// Pause between two attempts to get a lock that is held.
pub(crate) const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Pause between two attempts to register this gateway.
pub(crate) const REGISTER_PAUSE: Duration = Duration::from_secs(1);
/// Time for which a list of all gateways is used again.
pub(crate) const GATEWAYS_FRESH: Duration = Duration::from_secs(1);
/// Timeout of the read of all gateways. Without an answer the last list counts.
pub(crate) const LIST_MAX: Duration = Duration::from_millis(500);

/// Maximum number of accounts in a list of all accounts.
pub(crate) const ACCOUNTS_LISTED_MAX: usize = 20_000;
/// Maximum number of waiting messages that are read at once.
pub(crate) const WAITING_MAX: usize = 1_000;
/// Maximum number of pages of the feed that are read for one look at a timeline.
pub(crate) const TIMELINE_PAGES_MAX: usize = 20;
/// Maximum number of people in a list of followers or followed accounts.
pub(crate) const FOLLOWS_LISTED_MAX: usize = 4_096;

const _: () = assert!(HOLD_MAX.as_secs() < 30);
const _: () = assert!(PEOPLE_PER_LEASE_MAX < 64);
