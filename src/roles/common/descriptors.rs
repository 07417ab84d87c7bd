//! File descriptors: systems give a process about a thousand, a server that holds two for each connection needs
//! more. It takes them itself as far as it may, so that nobody has to set a limit by hand.

use ribbit_net::limits::CONNECTIONS_MAX;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The balancer holds two for each connection; stores, links and logs take a few.
const DESCRIPTORS: u64 = 2 * CONNECTIONS_MAX as u64 + 256;

/// Raises the soft limit as far as it is needed and allowed.
pub fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No limit at all is said as none.
    let Some(now) = current.filter(|now| *now < DESCRIPTORS) else { return };
    let wanted = maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    if wanted > now
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        log::warn!("no more than {now} file descriptors: {error}");
    } else if wanted < DESCRIPTORS {
        log::warn!("no more than {wanted} file descriptors: under many connections some are refused");
    }
}
