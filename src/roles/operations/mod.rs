//! Operations that front ends with sessions of their own call: accounts, croaks, messages and rooms, in ribbit's terms.
//!
//! ```text
//!   session of a protocol ──▶ Operations ──▶ requests ──▶ a backend
//!                                 └──▶ rates of the client's address
//! ```
//!
//! Each returns a value or a [`Refusal`]. None contains rules or knows a wire: a protocol picks the words for a refusal.
//!
//! - [`accounts`]: creating and opening them with a password
//! - [`croaks`]: posts, follows and feeds; [`timeline`]: croaks since a follow; [`messages`]: direct messages;
//!   [`rooms`]; [`live`]: events as they come
//! - [`requests`]: held until decided, carried out once; [`limits`]: every limit
//!
//! Not here: what needs the cluster's key, or is decided among several gateways ([`crate::gateway`]).

pub(crate) mod accounts;
pub(crate) mod croaks;
pub(crate) mod limits;
pub(crate) mod live;
pub(crate) mod messages;
pub(crate) mod requests;
pub(crate) mod rooms;
pub(crate) mod timeline;

pub(crate) use requests::{Refusal, unexpected};

use crate::common::address_rates::{AddressRateClass, AddressRates};
use limits::PROBE_DEADLINE;
use requests::Requests;
use ribbit_state::{Code, TokenHash};
use smol::Timer;
use smol::future::or;
use std::net::IpAddr;
use std::time::Instant;

/// The operations of one process.
#[derive(Debug)]
pub(crate) struct Operations {
    pub(crate) requests: Requests,
    rates: AddressRates,
    /// Name of the device in people's lists of sessions.
    device: &'static str,
}

/// An open session of a person, under which a protocol acts for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// User name as ribbit stores it: in lower case.
    pub(crate) username: String,
    pub(crate) token: TokenHash,
}

impl Operations {
    pub(crate) fn new(requests: Requests, device: &'static str) -> Operations {
        Operations { requests, rates: AddressRates::default(), device }
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
    pub(crate) fn check_rate(&self, from: IpAddr, class: AddressRateClass) -> Result<(), Refusal> {
        if from.is_loopback() {
            return Ok(());
        }
        let code = match class {
            AddressRateClass::LogIn => Code::TooManyTries,
            AddressRateClass::Creation => Code::TooManyAccounts,
            AddressRateClass::Post | AddressRateClass::Mark => Code::TooMuchWritten,
        };
        self.rates.take(from, class, Instant::now()).map(drop).map_err(|_| Refusal::Denied(code))
    }
}
