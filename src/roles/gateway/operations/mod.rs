//! Operations that the protocols call: accounts, croaks, messages and presence, in ribbit's terms.
//!
//! ```text
//!   protocol's session ──▶ Operations ──▶ requests ──▶ a backend
//!                              ├──▶ rates of the client's address
//!                              └──▶ presence: locks under the gateway's leases
//! ```
//!
//! Each returns a value or a [`Refusal`]. None contains rules or knows a wire: a protocol picks the words for a refusal.
//!
//! - [`accounts`]: creating, opening and deleting them, with a password or by name
//! - [`croaks`]: posts, follows and feeds; [`timeline`]: croaks since a follow; [`messages`]: direct messages; [`live`]:
//!   events as they come
//! - [`presence`]: who is online, decided once in the whole cluster

pub(crate) mod accounts;
pub(crate) mod croaks;
pub(crate) mod live;
pub(crate) mod messages;
pub(crate) mod presence;
pub(crate) mod timeline;

pub(crate) use super::requests::Refusal;

use super::limits::PROBE_DEADLINE;
use super::registry::{GatewayServers, Registry};
use super::requests::{Requests, unexpected};
use crate::common::address_rates::{AddressRateClass, AddressRates};
use presence::Presence;
use ribbit_net::keys::Keys;
use ribbit_state::{Code, TokenHash};
use smol::Timer;
use smol::future::or;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// The operations of one gateway.
#[derive(Debug)]
pub(crate) struct Operations {
    requests: Requests,
    keys: Keys,
    rates: AddressRates,
    presence: Presence,
    registry: Arc<Registry>,
}

/// An open session of a person, under which a protocol acts for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// User name as ribbit stores it: in lower case.
    pub(crate) username: String,
    pub(super) token: TokenHash,
}

impl Operations {
    pub(super) fn new(
        requests: Requests,
        keys: Keys,
        presence: Presence,
        registry: Arc<Registry>,
    ) -> Operations {
        Operations { requests, keys, rates: AddressRates::default(), presence, registry }
    }

    /// Returns the servers of a protocol that are handed to clients: those of this gateway first, then those of the others.
    pub(crate) async fn servers(&self, protocol: &str) -> Vec<GatewayServers> {
        self.registry.servers(protocol).await
    }

    /// Returns true if a server of the cluster answers within `PROBE_DEADLINE`.
    pub(crate) async fn is_reachable(&self) -> bool {
        let late = async {
            Timer::after(PROBE_DEADLINE).await;
            false
        };
        or(async { self.requests.position().await.is_ok() }, late).await
    }

    /// Applies the rate limit of an address. Addresses of this machine have none, as for the pages.
    fn check_rate(&self, from: IpAddr, class: AddressRateClass) -> Result<(), Refusal> {
        if from.is_loopback() {
            return Ok(());
        }
        let code = match class {
            AddressRateClass::LogIn => Code::TooManyTries,
            AddressRateClass::Creation => Code::TooManyAccounts,
            AddressRateClass::Post | AddressRateClass::Mark => Code::TooMuchWritten,
        };
        self.rates.take(from, class, Instant::now()).map_err(|_| Refusal::Denied(code))
    }
}
