//! Client side of a pinned snapshot at one member: one connection, one request after the other.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::failure::Failure;
use crate::common::survey;
use ribbit_net::client::Client;
use ribbit_net::frame::{FrameError, Plane};
use ribbit_net::keys::Keys;
use ribbit_net::limits::{ATTEMPT_GRACE, PIN_STEP_DEADLINE, STATUS_DEADLINE};
use ribbit_net::multiplexed::MultiplexedConnection;
use ribbit_net::pinned::{PinAnswer, PinAsk, PinHead};
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::survey::MemberView;
use ribbit_state::{Consistency, LogIndex, Query, Token};
use std::time::Duration;

/// Timeout for learning the newest log index.
const NEWEST_MAX: Duration = Duration::from_secs(3);

/// Returns the members that answer and have a store, those best to read from first: in sync and not the leader.
///
/// # Errors
/// 3: no member answers.
pub(crate) async fn living(cluster: &ClusterAccess) -> Result<Vec<MemberView>, Failure> {
    let survey = survey::reached(cluster).await?;
    let leader = survey.leader;
    let mut members: Vec<MemberView> =
        survey.members.into_iter().filter(|member| member.alive && member.store_open).collect();
    members.sort_by_key(|member| (!member.in_sync, Some(member.info.name()) == leader));
    Ok(members)
}

/// Returns the newest log position: every write acknowledged before is at or before it. `None` without a quorum.
pub(crate) async fn newest(members: &[MemberView], keys: &Keys) -> Option<Token> {
    let servers = members.iter().map(|member| member.info.address.clone()).collect();
    let client = Client::on(Plane::Control, servers, keys.clone());
    let ask = Ask::Read { seen: None, consistency: Consistency::Linearizable, query: Query::Position };
    match client.ask(ask, NEWEST_MAX).await {
        Ok(Answer::Read { token, .. }) => Some(token),
        _ => None,
    }
}

/// Reason why a member did not answer a pin request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PinError {
    #[error("the connection failed: {0}")]
    Lost(#[from] FrameError),
    #[error("unavailable at the moment: {0}")]
    Unavailable(String),
    #[error("the member has released its snapshot")]
    Gone,
    #[error("the requested index is not available; the member has applied index {0}")]
    Passed(LogIndex),
    #[error("{0}")]
    Damaged(String),
    #[error("the answer does not fit the request")]
    Odd,
}

/// A snapshot pinned at one member.
pub(crate) struct Pinned {
    connection: MultiplexedConnection,
    pub name: String,
    pub head: PinHead,
}

/// Number of rows and their sum; and the last key covered, if the step did not reach the end.
pub(crate) type StepSum = ((u64, u64), Option<Vec<u8>>);

impl Pinned {
    /// Asks this member to pin a snapshot.
    ///
    /// # Errors
    /// Any [`PinError`].
    pub(crate) async fn begin(member: &MemberView, keys: &Keys, ask: PinAsk) -> Result<Pinned, PinError> {
        let connection = MultiplexedConnection::open(&member.info.address, Plane::Control, keys).await?;
        match asked(&connection, ask, PIN_STEP_DEADLINE).await? {
            PinAnswer::Held(head) => Ok(Pinned { connection, name: member.info.name(), head }),
            _ => Err(PinError::Odd),
        }
    }

    /// Returns the next rows as stored, keys and values; empty at the end.
    ///
    /// # Errors
    /// Any [`PinError`].
    pub(crate) async fn rows(&self, after: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, PinError> {
        let ask = PinAsk::Rows { pin: self.head.pin, after: after.to_vec() };
        match asked(&self.connection, ask, PIN_STEP_DEADLINE).await? {
            PinAnswer::Rows(rows) => Ok(rows),
            _ => Err(PinError::Odd),
        }
    }

    /// Returns the number and sum of the rows after `after` and up to `to`, as far as one step goes.
    ///
    /// # Errors
    /// Any [`PinError`].
    pub(crate) async fn sum(&self, after: &[u8], to: Option<&[u8]>) -> Result<StepSum, PinError> {
        let (after, to) = (after.to_vec(), to.map(<[u8]>::to_vec));
        match asked(&self.connection, PinAsk::Sum { pin: self.head.pin, after, to }, PIN_STEP_DEADLINE)
            .await?
        {
            PinAnswer::Sum { rows, sum, stopped_at } => Ok(((rows, sum), stopped_at)),
            _ => Err(PinError::Odd),
        }
    }

    /// Returns the number and sum of all rows after `after` and up to `to`, in as many steps as necessary.
    ///
    /// # Errors
    /// Any [`PinError`].
    pub(crate) async fn whole_sum(&self, after: &[u8], to: Option<&[u8]>) -> Result<(u64, u64), PinError> {
        let (mut whole, mut after) = ((0u64, 0u64), after.to_vec());
        loop {
            let ((rows, sum), stopped_at) = self.sum(&after, to).await?;
            whole = (whole.0 + rows, whole.1.wrapping_add(sum));
            match stopped_at {
                // Without progress this loop would not end.
                Some(at) if at <= after => return Err(PinError::Odd),
                Some(at) => after = at,
                None => return Ok(whole),
            }
        }
    }

    /// Returns the keys after `after` and up to `to` with the hashes of their rows, and whether there are more.
    ///
    /// # Errors
    /// Any [`PinError`].
    pub(crate) async fn marks(
        &self,
        after: &[u8],
        to: Option<&[u8]>,
    ) -> Result<(Vec<(Vec<u8>, u64)>, bool), PinError> {
        let (after, to) = (after.to_vec(), to.map(<[u8]>::to_vec));
        match asked(&self.connection, PinAsk::Marks { pin: self.head.pin, after, to }, PIN_STEP_DEADLINE)
            .await?
        {
            PinAnswer::Marks { marks, more } => Ok((marks, more)),
            _ => Err(PinError::Odd),
        }
    }

    /// Releases the snapshot. If the request fails, the member releases it by timeout.
    pub(crate) async fn end(self) {
        let _ = asked(&self.connection, PinAsk::End { pin: self.head.pin }, STATUS_DEADLINE).await;
    }
}

async fn asked(
    connection: &MultiplexedConnection,
    ask: PinAsk,
    limit: Duration,
) -> Result<PinAnswer, PinError> {
    match connection.ask(&Ask::Pin(ask), limit, ATTEMPT_GRACE).await? {
        Answer::Pin(PinAnswer::Gone) => Err(PinError::Gone),
        Answer::Pin(PinAnswer::Passed { applied }) => Err(PinError::Passed(applied)),
        Answer::Pin(PinAnswer::Damaged { why }) => Err(PinError::Damaged(why)),
        Answer::Pin(answer) => Ok(answer),
        Answer::Unavailable(why) => Err(PinError::Unavailable(why.to_string())),
        Answer::Refused(denied) => Err(PinError::Unavailable(denied.to_string())),
        _ => Err(PinError::Odd),
    }
}
