//! Which server a client should use, asked of whoever answers.
//!
//! A client asks for its id once, and keeps it; then, whenever it likes, which server to use and whether that has
//! changed. `TRIES` rounds over all addresses, then a clear end. It opens no lasting connection.

use super::client::{Unreachable, ask_once};
use super::frame::Plane;
use super::keys::Keys;
use super::limits::{ATTEMPT_DEADLINE, HOMING_TRIES, RETRY_PAUSE_MAX};
use super::protocol::{Answer, Ask, ServerChoice, Why};
use super::secret::new_request_id;
use ribbit_state::{Consistency, LeaseCommand, Query, Reply, Request};

/// What the group says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homed {
    pub server: ServerChoice,
    /// It is not the one that was used before.
    pub changed: bool,
}

/// A number that no other client of this group has.
///
/// # Errors
/// Nobody answers for good.
pub async fn number(seeds: &[String], keys: &Keys) -> Result<u64, Unreachable> {
    let id = new_request_id();
    asked(seeds, async |address| {
        // Where the log is now: a request is born there.
        let position = Ask::Read { seen: None, consistency: Consistency::Stale, query: Query::Position };
        let Answer::Read { token, .. } = one(address, keys, position).await? else { return None };
        let command = LeaseCommand::NumberClient.into();
        match one(address, keys, Ask::Write(Request { id, born: token.index, command })).await? {
            Answer::Written { outcome: Ok(Reply::Client { id }), .. } => Some(id),
            _ => None,
        }
    })
    .await
}

/// The server for this client, which has used `before`.
///
/// # Errors
/// Nobody answers, or nobody serves.
pub async fn home(
    seeds: &[String],
    keys: &Keys,
    client: u64,
    before: Option<&str>,
) -> Result<Homed, Unreachable> {
    asked(seeds, async |address| {
        match one(address, keys, Ask::GetServer { client, before: before.map(str::to_string) }).await? {
            Answer::Server { server: Some(server), changed } => Some(Homed { server, changed }),
            _ => None,
        }
    })
    .await
}

async fn one(address: &str, keys: &Keys, ask: Ask) -> Option<Answer> {
    // Coordinators answer those who run the group.
    let plane = if keys.cluster().is_some() { Plane::Control } else { Plane::Client };
    match ask_once(address, plane, keys, ask, ATTEMPT_DEADLINE).await {
        Ok(answer) => Some(answer),
        Err(error) if error.is_stranger() => {
            log::warn!("{address} is left out: {error}");
            None
        }
        Err(error) => {
            log::debug!("{address}: {error}");
            None
        }
    }
}

async fn asked<T>(seeds: &[String], ask: impl AsyncFn(&str) -> Option<T>) -> Result<T, Unreachable> {
    for again in 0..HOMING_TRIES {
        if again > 0 {
            smol::Timer::after(RETRY_PAUSE_MAX).await;
        }
        for address in seeds {
            if let Some(found) = ask(address).await {
                return Ok(found);
            }
        }
    }
    Err(Unreachable::Undecided(Why::NotServing))
}
