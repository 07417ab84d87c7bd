//! The directory: which backend to read from, which to write to, who is down, who has left. Asked on the control
//! plane; whatever else is asked there is a backend's to answer.
//!
//! ```text
//!   preface answered ──▶ first ask ──▶ a directory's: answered here, and so is every further one
//!                                 └──▶ anything else: its bytes go to a backend, and the connection with them
//! ```
//!
//! - What cannot be understood is not refused but passed on: a newer backend may know it.
//! - A report that one is down is believed only after looking: who answers stays as it was.
//! - One ask at a time on a connection, each with an end; nothing is kept of a connection that is gone. The places
//!   of readers are kept, since most askers close theirs at once.

use super::Shared;
use super::limits::{FIRST_ASK_DEADLINE, LOOKS_MAX, NEXT_ASK_DEADLINE, READER_LEASE};
use crate::net::client::ask_once;
use crate::net::frame::{self, FrameError, Plane};
use crate::net::limits::{FRAME_BYTES_MAX, STATUS_DEADLINE};
use crate::net::protocol::{Answer, AnswerFrame, Ask, AskFrame, Directions, Directory, Finding, Why};
use crate::state::{Code, Denied};
use async_net::TcpStream;
use smol::lock::Semaphore;
use std::time::Instant;

/// Bounds the looking of all connections together.
static LOOKS: Semaphore = Semaphore::new(LOOKS_MAX);

/// What the first ask of a connection asks for.
pub enum First {
    /// Of the directory.
    Ours(AskFrame),
    /// Of a backend: the frame's bytes, without their length.
    Theirs(Vec<u8>),
}

/// Reads the first ask, and no byte more.
///
/// # Errors
/// As reading a frame, and `TimedOut`.
pub async fn first(stream: &mut TcpStream) -> Result<First, FrameError> {
    let bytes = frame::within(FIRST_ASK_DEADLINE, frame::read_bytes(stream, FRAME_BYTES_MAX)).await?;
    Ok(match frame::decode::<AskFrame>(&bytes) {
        Ok(ask) if matches!(ask.ask, Ask::Directory(_)) => First::Ours(ask),
        _ => First::Theirs(bytes),
    })
}

/// Answers one ask after the other until the asker closes.
pub(super) async fn converse(
    stream: &mut TcpStream,
    first: AskFrame,
    shared: &Shared,
) -> Result<(), FrameError> {
    let mut next = first;
    loop {
        let AskFrame { tag, ask, .. } = next;
        let answer = match ask {
            Ask::Directory(ask) => match directions(ask, shared).await {
                Ok(directions) => Answer::Directions(directions),
                Err(why) => Answer::Unavailable(why),
            },
            // On a connection that began with the directory, nothing else is answered.
            _ => Answer::Refused(Denied::new(Code::InvalidEntry)),
        };
        frame::write(stream, &AnswerFrame { tag, answer }).await?;
        next = frame::within(NEXT_ASK_DEADLINE, frame::read(stream, FRAME_BYTES_MAX)).await?;
    }
}

async fn directions(ask: Directory, shared: &Shared) -> Result<Directions, Why> {
    match ask {
        Directory::Read { client } => {
            let client = client.unwrap_or_else(|| getrandom::u64().unwrap_or_default());
            let lease_ms = u32::try_from(READER_LEASE.as_millis()).unwrap_or(u32::MAX);
            let backend = shared.board().read_from(client, Instant::now()).ok_or(Why::NotServing)?;
            Ok(Directions::Read { client, lease_ms, backend })
        }
        Directory::Write => {
            let mut board = shared.board();
            match board.write_to(Instant::now()) {
                backends if !backends.is_empty() => Ok(Directions::Write(backends)),
                _ if board.serves() => Err(Why::NoLeader),
                _ => Err(Why::NotServing),
            }
        }
        Directory::Down { address } => Ok(Directions::Down(look(&address, shared).await)),
        Directory::Left { client } => Ok(Directions::Left { known: shared.board().left(client) }),
    }
}

/// Looks whether anybody answers there. Only addresses on the board are looked at: nobody makes a balancer knock
/// on strangers' doors.
async fn look(address: &str, shared: &Shared) -> Finding {
    if !shared.board().knows(address) {
        return Finding::Unknown;
    }
    let _turn = LOOKS.acquire().await;
    match ask_once(address, Plane::Control, Ask::NodeStatus, STATUS_DEADLINE).await {
        Ok(Answer::NodeStatus(_)) => Finding::Answers,
        _ => {
            log::info!("{address} was reported down, and does not answer");
            shared.found_silent(address);
            Finding::Silent
        }
    }
}
