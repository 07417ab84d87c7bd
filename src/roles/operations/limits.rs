//! Limits of the operations that front ends share.

use std::time::Duration;

/// Maximum number of requests to the cluster that are pending at once, over all connections. Further ones wait for their turn.
pub(crate) const REQUESTS_MAX: usize = 200;
/// Time for which a request is held while no leader decides it. Shorter than the read timeout of the clients that have one
/// (30 s), and than the window in which the cluster recognises a repeated request.
pub(crate) const HOLD_MAX: Duration = Duration::from_secs(25);
/// Maximum age of a position of the log from which a new request id counts.
pub(crate) const POSITION_AGE_MAX: Duration = Duration::from_secs(5);
/// Time within which a server answers the probe of a gateway's health.
pub(crate) const PROBE_DEADLINE: Duration = Duration::from_secs(2);
/// Maximum number of waiting messages that are read at once.
pub(crate) const WAITING_MAX: usize = 1_000;
/// Maximum number of pages of the feed that are read for one look at a timeline.
pub(crate) const TIMELINE_PAGES_MAX: usize = 20;
/// Maximum number of people in a list of followers or followed accounts.
pub(crate) const FOLLOWS_LISTED_MAX: usize = 4_096;
/// Maximum number of pages of a room, or of the feed, that are read after events were missed.
pub(crate) const ROOM_CATCH_UP_PAGES_MAX: usize = 20;

const _: () = assert!(HOLD_MAX.as_secs() < 30);
