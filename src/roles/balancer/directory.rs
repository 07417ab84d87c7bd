//! Directory queries: which backend to read from (`read`), where to write (`write`), reports of dead backends (`down`), and
//! the end of a reader (`left`). They have a plane of their own, which backends do not serve.
//!
//! - A report that a member is down takes effect only if the member does not answer a probe.
//! - A connection carries one query at a time, each with a time limit. The assignments of readers outlive connections, because
//!   most clients close theirs after each query.

use super::BalancerState;
use super::limits::{FIRST_ASK_DEADLINE, NEXT_ASK_DEADLINE, PROBES_MAX, READER_LEASE};
use ribbit_net::admission::{self, Admission};
use ribbit_net::channel::Channel;
use ribbit_net::frame::{self, FrameError, Plane};
use ribbit_net::oneshot::ask_status;
use ribbit_net::protocol::{
    Answer, AnswerFrame, Ask, AskFrame, DirectoryAnswer, DirectoryAsk, DownCheck, UnavailableReason,
};
use ribbit_state::{Code, Denied};
use smol::lock::Semaphore;
use std::time::Instant;

/// Permits for probes, over all connections.
static PROBES: Semaphore = Semaphore::new(PROBES_MAX);

/// Answers queries one after the other until the client closes the connection.
///
/// # Errors
/// The connection is lost, or no query comes in time.
pub(super) async fn converse(channel: Channel, state: &BalancerState) -> Result<(), FrameError> {
    let Channel { mut reader, mut writer } = channel;
    let mut timeout = FIRST_ASK_DEADLINE;
    loop {
        let incoming = frame::with_timeout(timeout, admission::read(&mut reader)).await?;
        let AskFrame { tag, ask, .. } = match incoming {
            Admission::Ask(asked) => asked,
            Admission::Refused { tag, denied } => {
                frame::write(&mut writer, &AnswerFrame { tag, answer: Answer::Refused(denied) }).await?;
                continue;
            }
        };
        let answer = match ask {
            Ask::Directory(ask) => match directions(ask, state).await {
                Ok(directions) => Answer::Directory(directions),
                Err(why) => Answer::Unavailable(why),
            },
            _ => Answer::Refused(Denied::new(Code::InvalidEntry)),
        };
        frame::write(&mut writer, &AnswerFrame { tag, answer }).await?;
        timeout = NEXT_ASK_DEADLINE;
    }
}

/// Answers one query.
///
/// # Errors
/// `NoLeader` when no backend can be written to, `NotServing` when no backend serves at all.
async fn directions(ask: DirectoryAsk, state: &BalancerState) -> Result<DirectoryAnswer, UnavailableReason> {
    match ask {
        DirectoryAsk::Read { client } => {
            let client = client.unwrap_or_else(|| getrandom::u64().unwrap_or_default());
            let lease_ms = u32::try_from(READER_LEASE.as_millis()).unwrap_or(u32::MAX);
            let backend =
                state.board().read_from(client, Instant::now()).ok_or(UnavailableReason::NotServing)?;
            Ok(DirectoryAnswer::Read { client, lease_ms, backend })
        }
        DirectoryAsk::Write => {
            state.look_again().await;
            let mut board = state.board();
            match board.write_to(Instant::now()) {
                backends if !backends.is_empty() => Ok(DirectoryAnswer::Write(backends)),
                _ if board.serves() => Err(UnavailableReason::NoLeader),
                _ => Err(UnavailableReason::NotServing),
            }
        }
        DirectoryAsk::Down { address } => Ok(DirectoryAnswer::Down(probe(&address, state).await)),
        DirectoryAsk::Left { client } => Ok(DirectoryAnswer::Left { known: state.board().left(client) }),
    }
}

/// Probes the member at `address`. Only addresses on the board are probed, so that a client cannot make the balancer connect
/// to arbitrary addresses.
async fn probe(address: &str, state: &BalancerState) -> DownCheck {
    if !state.board().knows(address) {
        return DownCheck::Unknown;
    }
    let _turn = PROBES.acquire().await;
    match ask_status(address, Plane::Status, &state.keys).await {
        Ok(_) => DownCheck::Answers,
        Err(_) => {
            log::info!("{address} was reported down and does not answer");
            state.mark_dead(address);
            DownCheck::Silent
        }
    }
}
