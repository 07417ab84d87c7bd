//! Limits of the gateway. Those of its connections are in [`crate::common::service::limits`], those of its requests in
//! [`crate::operations::limits`].

use std::time::Duration;

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

const _: () = assert!(PEOPLE_PER_LEASE_MAX < 64);
