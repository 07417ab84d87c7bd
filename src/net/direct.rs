//! Direct mode of the failover client: finds the backend behind a balancer, so that requests do not pass through it.
//!
//! ```text
//!   configured address ──Directory: Read──▶ a balancer names a backend ──▶ connection to that backend
//!                                       └─▶ a backend refuses, or nothing answers ──▶ connection to the address itself
//! ```
//!
//! - The balancer counts the client as one of the backend's for the time of a lease. The lease is renewed while the
//!   connection is used. If the balancer then names another backend, the client moves there: new requests use the new
//!   connection, and the old one closes with its last answer.
//! - A named backend that cannot be reached from here is left out for [`DIRECT_RETRY_PAUSE`], and the balancer passes the
//!   connection on, as for clients that do not ask.
//! - Only with a key that was configured: a key that is trusted because it was seen first says nothing about the servers at
//!   other addresses.

use super::frame::{FrameError, Plane};
use super::keys::Keys;
use super::limits::{DIRECT_RETRY_PAUSE, STATUS_DEADLINE};
use super::oneshot::ask_once;
use super::protocol::{Answer, Ask, DirectoryAnswer, DirectoryAsk, ReaderId};
use ribbit_state::sync::MutexExt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// State of direct mode.
#[derive(Debug)]
pub(crate) struct DirectMode {
    /// Id under which balancers count this client.
    reader: ReaderId,
    state: Mutex<DirectState>,
}

#[derive(Debug, Default)]
struct DirectState {
    /// Time at which the lease has to be renewed; `None` without a lease.
    renew_at: Option<Instant>,
    /// Balancer that gave the lease.
    balancer: String,
    /// The backend that could not be reached last, and until when it is left out.
    unreachable: Option<(String, Instant)>,
}

impl DirectMode {
    /// Creates direct mode. Returns `None` if the keys are not configured, or the system gives no random id.
    pub(crate) fn new(keys: &Keys) -> Option<DirectMode> {
        keys.public()?;
        Some(DirectMode { reader: getrandom::u64().ok()?, state: Mutex::default() })
    }

    /// Asks the server at this address for a backend. Returns `None` if it names none that is worth a try.
    pub(crate) async fn backend(&self, address: &str, keys: &Keys) -> Option<String> {
        let ask = Ask::Directory(DirectoryAsk::Read { client: Some(self.reader) });
        let answer = ask_once(address, Plane::Directory, keys, ask, STATUS_DEADLINE).await;
        let now = Instant::now();
        let Ok(Answer::Directory(DirectoryAnswer::Read { lease_ms, backend, .. })) = answer else {
            log::debug!("{address} names no backend: {answer:?}");
            return None;
        };
        let mut state = self.state.locked();
        state.renew_at = Some(now + Duration::from_millis(u64::from(lease_ms) / 2));
        state.balancer = address.to_string();
        let left_out = state.unreachable.as_ref();
        let left_out =
            left_out.is_some_and(|(unreachable, until)| *unreachable == backend.address && now < *until);
        (!left_out).then_some(backend.address)
    }

    /// Records that a named backend cannot be reached from here.
    pub(crate) fn is_unreachable(&self, backend: String, error: &FrameError) {
        log::info!("{backend} cannot be reached directly, so the balancer passes requests on: {error}");
        self.state.locked().unreachable = Some((backend, Instant::now() + DIRECT_RETRY_PAUSE));
    }

    /// Returns the balancer to ask when the lease has to be renewed, once for each time.
    pub(crate) fn take_renewal(&self) -> Option<String> {
        let mut state = self.state.locked();
        state.renew_at.take_if(|at| *at <= Instant::now())?;
        Some(state.balancer.clone())
    }
}
