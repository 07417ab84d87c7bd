//! Single requests, each on a connection of its own.

use super::channel::Channel;
use super::frame::{self, FrameError, Plane};
use super::handshake;
use super::keys::Keys;
use super::limits::{FRAME_BYTES_MAX, STATUS_DEADLINE};
use super::protocol::{Answer, AnswerFrame, Ask, AskFrame, NodeStatus};
use std::time::Duration;

/// Requests the status of a member, which has [`STATUS_DEADLINE`] to answer once it is connected.
///
/// # Errors
/// `TimedOut` when it does not answer in time, `Malformed` when it answers something else, and the errors of
/// [`handshake::connect`] and [`frame::read`].
pub async fn ask_status(address: &str, plane: Plane, keys: &Keys) -> Result<NodeStatus, FrameError> {
    let channel = handshake::connect(address, plane, keys).await?;
    match frame::with_timeout(STATUS_DEADLINE, ask_on(channel, Ask::NodeStatus, STATUS_DEADLINE)).await? {
        Answer::NodeStatus(status) => Ok(*status),
        _ => Err(FrameError::Malformed),
    }
}

/// Opens a connection, sends one request, and closes the connection.
///
/// # Errors
/// `TimedOut` after `limit`, and the errors of [`handshake::connect`] and [`frame::read`].
pub async fn ask_once(
    address: &str,
    plane: Plane,
    keys: &Keys,
    ask: Ask,
    limit: Duration,
) -> Result<Answer, FrameError> {
    frame::with_timeout(limit, async {
        let channel = handshake::connect(address, plane, keys).await?;
        ask_on(channel, ask, limit).await
    })
    .await
}

/// Sends one request on a new channel and reads its answer.
async fn ask_on(channel: Channel, ask: Ask, limit: Duration) -> Result<Answer, FrameError> {
    if let Err(denied) = ask.check() {
        return Ok(Answer::Refused(denied));
    }
    let Channel { mut reader, mut writer } = channel;
    let deadline_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    frame::write(&mut writer, &AskFrame { tag: 1, deadline_ms, ask }).await?;
    let AnswerFrame { answer, .. } = frame::read(&mut reader, FRAME_BYTES_MAX).await?;
    Ok(answer)
}
