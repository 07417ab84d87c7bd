//! A pin at one member, from the side of who asked for it: a line of its own, and one question after the other.

use crate::common::failure::Failure;
use crate::common::options::Group;
use crate::common::survey;
use ribbit_net::client::Client;
use ribbit_net::frame::{FrameError, Plane};
use ribbit_net::keys::Keys;
use ribbit_net::limits::{ATTEMPT_GRACE, PIN_STEP_DEADLINE, STATUS_DEADLINE};
use ribbit_net::line::Line;
use ribbit_net::pinned::{PinAnswer, PinAsk, PinHead};
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::survey::MemberView;
use ribbit_state::{Consistency, LogIndex, Query, Token};
use std::time::Duration;

/// Until what is newest is taken as unknown.
const NEWEST_MAX: Duration = Duration::from_secs(3);

/// Members that answer and have a store, the best to read from first: in sync, and not leading.
///
/// # Errors
/// 3: nobody answers.
pub async fn living(group: &Group) -> Result<Vec<MemberView>, Failure> {
    let survey = survey::reached(group).await?;
    let leader = survey.leader;
    let mut members: Vec<MemberView> =
        survey.members.into_iter().filter(|member| member.alive && member.store_open).collect();
    members.sort_by_key(|member| (!member.in_sync, Some(member.info.name()) == leader));
    Ok(members)
}

/// Where the log is now: everything that was acknowledged before is at or before it. Nothing when the members cannot
/// agree.
pub async fn newest(members: &[MemberView], keys: &Keys) -> Option<Token> {
    let servers = members.iter().map(|member| member.info.address.clone()).collect();
    let client = Client::on(Plane::Control, servers, keys.clone());
    let ask = Ask::Read { seen: None, consistency: Consistency::Linearizable, query: Query::Position };
    match client.ask(ask, NEWEST_MAX).await {
        Ok(Answer::Read { token, .. }) => Some(token),
        _ => None,
    }
}

/// Why a member does not give what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("it cannot be asked: {0}")]
    Lost(#[from] FrameError),
    #[error("it does not do that now: {0}")]
    Unavailable(String),
    #[error("it has let go of what it had pinned")]
    Gone,
    #[error("that index is not to be had there, {0} is applied")]
    Passed(LogIndex),
    #[error("{0}")]
    Damaged(String),
    #[error("it answers something else")]
    Odd,
}

/// A pin.
pub struct Pinned {
    line: Line,
    pub name: String,
    pub head: PinHead,
}

/// What rows add up to, and the last key in it when that was not all.
pub type Summed = ((u64, u64), Option<Vec<u8>>);

impl Pinned {
    /// Asks this member to pin.
    ///
    /// # Errors
    /// It does not.
    pub async fn begin(member: &MemberView, keys: &Keys, ask: PinAsk) -> Result<Pinned, Trouble> {
        let line = Line::open(&member.info.address, Plane::Control, keys).await?;
        match asked(&line, ask, PIN_STEP_DEADLINE).await? {
            PinAnswer::Held(head) => Ok(Pinned { line, name: member.info.name(), head }),
            _ => Err(Trouble::Odd),
        }
    }

    /// The next rows as they are stored; none at the end.
    ///
    /// # Errors
    /// They cannot be had.
    pub async fn rows(&self, after: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Trouble> {
        let ask = PinAsk::Rows { pin: self.head.pin, after: after.to_vec() };
        match asked(&self.line, ask, PIN_STEP_DEADLINE).await? {
            PinAnswer::Rows(rows) => Ok(rows),
            _ => Err(Trouble::Odd),
        }
    }

    /// How many rows there are behind `after` and up to `to`, and what they add up to, as far as one step goes.
    ///
    /// # Errors
    /// It cannot be had.
    pub async fn sum(&self, after: &[u8], to: Option<&[u8]>) -> Result<Summed, Trouble> {
        let (after, to) = (after.to_vec(), to.map(<[u8]>::to_vec));
        match asked(&self.line, PinAsk::Sum { pin: self.head.pin, after, to }, PIN_STEP_DEADLINE).await? {
            PinAnswer::Sum { rows, sum, stopped_at } => Ok(((rows, sum), stopped_at)),
            _ => Err(Trouble::Odd),
        }
    }

    /// The same, as many steps as it takes.
    ///
    /// # Errors
    /// It cannot be had.
    pub async fn whole_sum(&self, after: &[u8], to: Option<&[u8]>) -> Result<(u64, u64), Trouble> {
        let (mut whole, mut after) = ((0u64, 0u64), after.to_vec());
        loop {
            let ((rows, sum), stopped_at) = self.sum(&after, to).await?;
            whole = (whole.0 + rows, whole.1.wrapping_add(sum));
            match stopped_at {
                // A member that went back would keep its asker for ever.
                Some(at) if at <= after => return Err(Trouble::Odd),
                Some(at) => after = at,
                None => return Ok(whole),
            }
        }
    }

    /// The keys behind `after` and up to `to`, with their rows' hashes; whether there are more.
    ///
    /// # Errors
    /// They cannot be had.
    pub async fn marks(
        &self,
        after: &[u8],
        to: Option<&[u8]>,
    ) -> Result<(Vec<(Vec<u8>, u64)>, bool), Trouble> {
        let (after, to) = (after.to_vec(), to.map(<[u8]>::to_vec));
        match asked(&self.line, PinAsk::Marks { pin: self.head.pin, after, to }, PIN_STEP_DEADLINE).await? {
            PinAnswer::Marks { marks, more } => Ok((marks, more)),
            _ => Err(Trouble::Odd),
        }
    }

    /// Lets go of it. One that cannot be told so lets go by itself.
    pub async fn end(self) {
        let _ = asked(&self.line, PinAsk::End { pin: self.head.pin }, STATUS_DEADLINE).await;
    }
}

async fn asked(line: &Line, ask: PinAsk, limit: Duration) -> Result<PinAnswer, Trouble> {
    match line.ask(&Ask::Pin(ask), limit, ATTEMPT_GRACE).await? {
        Answer::Pin(PinAnswer::Gone) => Err(Trouble::Gone),
        Answer::Pin(PinAnswer::Passed { applied }) => Err(Trouble::Passed(applied)),
        Answer::Pin(PinAnswer::Damaged { why }) => Err(Trouble::Damaged(why)),
        Answer::Pin(answer) => Ok(answer),
        Answer::Unavailable(why) => Err(Trouble::Unavailable(format!("{why:?}"))),
        Answer::Refused(denied) => Err(Trouble::Unavailable(denied.to_string())),
        _ => Err(Trouble::Odd),
    }
}
