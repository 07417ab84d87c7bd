//! Requests to the cluster: held while no leader decides them, and each carried out once.
//!
//! ```text
//!   operation ──▶ a slot ──▶ Client::ask under one request id until it is decided, at most HOLD_MAX ──▶ value or refusal
//! ```
//!
//! - A write gets a request id of its own, which it keeps through all retries on all backends.
//! - All connections of a role share one client, so a read sees every write that was answered through any of its ports.

use super::limits::{HOLD_MAX, POSITION_AGE_MAX, REQUESTS_MAX};
use ribbit_net::client::{Client, ClientError};
use ribbit_net::frame::Plane;
use ribbit_net::keys::Keys;
use ribbit_net::protocol::{Answer, Ask, UnavailableReason};
use ribbit_net::secret::new_request_id;
use ribbit_net::subscription::Subscription;
use ribbit_state::{
    Code, Command, Consistency, Denied, LogIndex, Page, Query, Reply, Request, RequestId, Token, Topic,
};
use smol::lock::Semaphore;
use std::time::{Duration, Instant};

/// Reason why an operation was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The rules or a rate limit refuse it.
    #[error("{0}")]
    Denied(Code),
    /// The name alone does not open the account: it has a password, or waits for its first one.
    #[error("this account needs a password")]
    NotByName,
    /// The person is online through another connection.
    #[error("this person is online through another connection")]
    AlreadyOnline,
    /// The servers did not decide it in time. It may have been carried out.
    #[error("the servers did not answer in time")]
    Unavailable,
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Refusal {
        match denied.code {
            Code::HasPassword | Code::NoPassword => Refusal::NotByName,
            code => Refusal::Denied(code),
        }
    }
}

impl Refusal {
    /// Returns true if the session of the request has ended.
    pub(crate) fn lacks_session(self) -> bool {
        self == Refusal::Denied(Code::NotLoggedIn)
    }
}

/// Requests of one process.
#[derive(Debug)]
pub(crate) struct Requests {
    client: Client,
    slots: Semaphore,
}

impl Requests {
    /// Creates the requests of a process on a plane. On the client plane every request needs a session.
    pub(crate) fn on(plane: Plane, servers: Vec<String>, keys: Keys) -> Requests {
        Requests { client: Client::on(plane, servers, keys), slots: Semaphore::new(REQUESTS_MAX) }
    }

    /// Reads a state at least as new as everything that this process has seen.
    pub(crate) async fn read(&self, query: Query) -> Result<Page, Refusal> {
        self.read_as(query, Consistency::Session).await
    }

    /// Reads a state that contains every write acknowledged before, to any client.
    pub(crate) async fn read_newest(&self, query: Query) -> Result<Page, Refusal> {
        self.read_as(query, Consistency::Linearizable).await
    }

    async fn read_as(&self, query: Query, consistency: Consistency) -> Result<Page, Refusal> {
        let _slot = self.slots.acquire().await;
        let end = Instant::now() + HOLD_MAX;
        loop {
            let ask = Ask::Read { seen: self.client.seen(), consistency, query: query.clone() };
            match self.ask(ask, end).await? {
                Answer::Read { page, .. } => return Ok(page?),
                Answer::Refused(denied) => return Err(denied.into()),
                // The history has been replaced, for example from a backup.
                Answer::Unavailable(UnavailableReason::OtherHistory) if Instant::now() < end => {
                    self.client.forget_seen();
                }
                other => return Err(unexpected(&other)),
            }
        }
    }

    /// Submits a command.
    pub(crate) async fn write(&self, command: impl Into<Command>) -> Result<Reply, Refusal> {
        let command = command.into();
        self.submit(|id, submitted_at| Ask::Write(Request { id, submitted_at, origin: None, command })).await
    }

    /// Submits a request that `make` makes from its id and the position at which it was made.
    pub(crate) async fn submit(
        &self,
        make: impl FnOnce(RequestId, LogIndex) -> Ask,
    ) -> Result<Reply, Refusal> {
        let _slot = self.slots.acquire().await;
        let end = Instant::now() + HOLD_MAX;
        let submitted_at = self.position_by(end).await?;
        match self.ask(make(new_request_id(), submitted_at.index), end).await? {
            Answer::Written { outcome, .. } => Ok(outcome?),
            Answer::Refused(denied) => Err(denied.into()),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns a recent position of the log.
    pub(crate) async fn position(&self) -> Result<Token, Refusal> {
        self.position_by(Instant::now() + HOLD_MAX).await
    }

    async fn position_by(&self, end: Instant) -> Result<Token, Refusal> {
        if let Some(token) = self.client.seen_within(POSITION_AGE_MAX) {
            return Ok(token);
        }
        self.client.position(time_left(end)).await.map_err(undecided)
    }

    /// Subscribes to events behind a position.
    pub(crate) fn subscribe(&self, cursor: Token, topic: Topic) -> Subscription {
        self.client.subscribe(cursor, topic)
    }

    /// Forgets the position seen, after the history has been replaced.
    pub(crate) fn forget_seen(&self) {
        self.client.forget_seen();
    }

    /// Records a position that an event carried, so that the next read is at least as new.
    pub(crate) fn record_seen(&self, token: Token) {
        self.client.record_seen(token);
    }

    async fn ask(&self, ask: Ask, end: Instant) -> Result<Answer, Refusal> {
        self.client.ask(ask, time_left(end)).await.map_err(undecided)
    }
}

fn time_left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

fn undecided(why: ClientError) -> Refusal {
    log::debug!("a request was not decided: {why}");
    Refusal::Unavailable
}

/// Returns the refusal for an answer that does not fit its request.
pub(crate) fn unexpected(answer: &impl std::fmt::Debug) -> Refusal {
    log::warn!("unexpected answer from a server: {answer:?}");
    Refusal::Unavailable
}
