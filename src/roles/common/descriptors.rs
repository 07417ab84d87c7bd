//! Limit of open file descriptors. The default soft limit is about a thousand, and a server that holds two per connection
//! needs more. It raises the limit itself as far as allowed, so that no operator has to.

use ribbit_net::limits::CONNECTIONS_MAX;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Number of descriptors needed: a balancer holds two per connection; stores, peer connections and logs take a few more.
const DESCRIPTORS: u64 = 2 * CONNECTIONS_MAX as u64 + 256;

/// Raises the soft limit as far as needed and allowed.
pub(crate) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` means unlimited.
    let Some(now) = current.filter(|now| *now < DESCRIPTORS) else { return };
    let wanted = maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    if wanted > now
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        log::warn!("the limit of open files stays at {now}: {error}");
    } else if wanted < DESCRIPTORS {
        log::warn!(
            "the limit of open files is {wanted} and cannot be raised to {DESCRIPTORS}: with many connections, some will \
             be refused"
        );
    }
}
