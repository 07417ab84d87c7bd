//! The directory: which backend to read from, which to write to, who is down, who has left. A plane of its own, which no
//! backend serves.
//!
//! - A report that one is down is believed only after looking: who answers stays as it was.
//! - One ask at a time on a connection, each with an end; nothing is kept of a connection that is gone. The places
//!   of readers are kept, since most askers close theirs at once.

use super::Shared;
use super::limits::{FIRST_ASK_DEADLINE, LOOKS_MAX, NEXT_ASK_DEADLINE, READER_LEASE};
use ribbit_net::admission::{self, Incoming};
use ribbit_net::channel::Channel;
use ribbit_net::client::ask_status;
use ribbit_net::frame::{self, FrameError, Plane};
use ribbit_net::protocol::{Answer, AnswerFrame, Ask, AskFrame, Directions, Directory, Finding, Why};
use ribbit_state::{Code, Denied};
use smol::lock::Semaphore;
use std::time::Instant;

/// Bounds the looking of all connections together.
static LOOKS: Semaphore = Semaphore::new(LOOKS_MAX);

/// Answers one ask after the other until the asker closes.
pub(super) async fn converse(channel: Channel, shared: &Shared) -> Result<(), FrameError> {
    let Channel { mut reader, mut writer } = channel;
    let mut patience = FIRST_ASK_DEADLINE;
    loop {
        let incoming = frame::within(patience, admission::read(&mut reader)).await?;
        let AskFrame { tag, ask, .. } = match incoming {
            Incoming::Ask(asked) => asked,
            Incoming::Refused { tag, denied } => {
                frame::write(&mut writer, &AnswerFrame { tag, answer: Answer::Refused(denied) }).await?;
                continue;
            }
        };
        let answer = match ask {
            Ask::Directory(ask) => match directions(ask, shared).await {
                Ok(directions) => Answer::Directions(directions),
                Err(why) => Answer::Unavailable(why),
            },
            _ => Answer::Refused(Denied::new(Code::InvalidEntry)),
        };
        frame::write(&mut writer, &AnswerFrame { tag, answer }).await?;
        patience = NEXT_ASK_DEADLINE;
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
            shared.look_again().await;
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
    match ask_status(address, Plane::Status, &shared.keys).await {
        Ok(_) => Finding::Answers,
        Err(_) => {
            log::info!("{address} was reported down, and does not answer");
            shared.found_silent(address);
            Finding::Silent
        }
    }
}
