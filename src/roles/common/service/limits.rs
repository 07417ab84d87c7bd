//! Limits of the connections of a service.

use std::time::Duration;

/// Maximum number of open connections per listener. Further clients wait in the kernel until one of these is closed: a
/// closed connection would mean something else in several of the protocols, for example a successful log-in.
pub(crate) const CONNECTIONS_MAX: usize = 512;
/// Maximum number of new connections that wait in the kernel to be accepted, per listener.
pub(crate) const ACCEPT_BACKLOG: i32 = 512;
/// Maximum number of open connections per listener from one address other than this machine's.
pub(crate) const CONNECTIONS_PER_ADDRESS_MAX: usize = CONNECTIONS_MAX / 2;
/// Maximum number of connections per listener that were refused at the limit of their address and are being closed.
pub(crate) const TURNED_AWAY_MAX: usize = 64;
/// Pause before a listener that cannot accept, for example for want of file descriptors, tries again.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time after which a write that the client does not take ends its connection.
pub(crate) const WRITE_STALL: Duration = Duration::from_secs(10);
/// Maximum number of bytes that are read and dropped after the last answer on a connection, so that the answer arrives.
pub(crate) const LINGER_BYTES_MAX: usize = 1024 * 1024;
pub(crate) const LINGER: Duration = Duration::from_secs(1);
/// Size of one read from a socket, in bytes.
pub(crate) const READ_BYTES: usize = 16 * 1024;
/// Time in which connections that wait in the kernel are still accepted when the role is stopped.
pub(crate) const STOP_GRACE: Duration = Duration::from_millis(100);
/// Time for connections in progress when the role is stopped, and then for a gateway's leases. Together less than `TimeoutStopSec`
/// of the units.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(4);
