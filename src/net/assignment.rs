//! Server assignment for clients: asks any server for a client id, and which server to use.
//!
//! A client requests its id once and keeps it. Then it asks at any time which server to use, and whether that has changed.
//! It tries all addresses for `ASSIGNMENT_ROUNDS_MAX` rounds, and then fails. It keeps no connection open.

use super::client::ClientError;
use super::frame::Plane;
use super::keys::Keys;
use super::limits::{ASSIGNMENT_ROUNDS_MAX, ATTEMPT_DEADLINE, RETRY_PAUSE_MAX};
use super::oneshot::ask_once;
use super::protocol::{Answer, Ask, AssignedServer, UnavailableReason};
use super::secret::new_request_id;
use ribbit_state::{Consistency, LeaseCommand, Query, Reply, Request};

/// Server assigned to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAssignment {
    pub server: AssignedServer,
    /// True if it is not the server that was used before.
    pub changed: bool,
}

/// Requests a client id, which is unique in the cluster.
///
/// # Errors
/// [`ClientError::Undecided`] when no server gives a final answer.
pub async fn new_client_id(seeds: &[String], keys: &Keys) -> Result<u64, ClientError> {
    let id = new_request_id();
    asked(seeds, async |address| {
        // A request carries the log position at which it was made.
        let position = Ask::Read { seen: None, consistency: Consistency::Stale, query: Query::Position };
        let Answer::Read { token, .. } = one(address, keys, position).await? else { return None };
        let command = LeaseCommand::NumberClient.into();
        match one(address, keys, Ask::Write(Request { id, submitted_at: token.index, origin: None, command }))
            .await?
        {
            Answer::Written { outcome: Ok(Reply::Client { id }), .. } => Some(id),
            _ => None,
        }
    })
    .await
}

/// Asks which server this client should use. `before` is the one that it has used so far.
///
/// # Errors
/// [`ClientError::Undecided`] when no server answers, or no backend is available.
pub async fn assign_server(
    seeds: &[String],
    keys: &Keys,
    client: u64,
    before: Option<&str>,
) -> Result<ServerAssignment, ClientError> {
    asked(seeds, async |address| {
        match one(address, keys, Ask::GetServer { client, before: before.map(str::to_string) }).await? {
            Answer::Server { server: Some(server), changed } => Some(ServerAssignment { server, changed }),
            _ => None,
        }
    })
    .await
}

/// Sends one request to one server. Returns `None` when it fails.
async fn one(address: &str, keys: &Keys, ask: Ask) -> Option<Answer> {
    // With the cluster key, the control plane is used, on which coordinators answer as well.
    let plane = if keys.cluster().is_some() { Plane::Control } else { Plane::Client };
    match ask_once(address, plane, keys, ask, ATTEMPT_DEADLINE).await {
        Ok(answer) => Some(answer),
        Err(error) if error.is_stranger() => {
            log::warn!("skipped the server at {address}: {error}");
            None
        }
        Err(error) => {
            log::debug!("the request to {address} failed: {error}");
            None
        }
    }
}

/// Calls `ask` with each address, round by round, until it returns a result.
async fn asked<T>(seeds: &[String], ask: impl AsyncFn(&str) -> Option<T>) -> Result<T, ClientError> {
    for again in 0..ASSIGNMENT_ROUNDS_MAX {
        if again > 0 {
            smol::Timer::after(RETRY_PAUSE_MAX).await;
        }
        for address in seeds {
            if let Some(found) = ask(address).await {
                return Ok(found);
            }
        }
    }
    Err(ClientError::Undecided(UnavailableReason::NotServing))
}
