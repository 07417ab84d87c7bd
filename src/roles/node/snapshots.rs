//! Snapshots: transfer of the full state to another member.
//!
//! ```text
//!   sender ── SnapshotHello ──▶ receiver   hello, the engine's message, head of the snapshot
//!          ◀── Verdict ───────             go, or the reason for refusing
//!          ── Part::Rows … Part::End ──▶
//!          ◀── Verdict ───────             complete
//! ```
//!
//! A snapshot has a link of its own, so that heartbeats never wait behind it. A member receives one at a time. All disk
//! access runs on blocking threads, because an SD card may take seconds.

use super::Node;
use super::peers;
use bytes::Bytes;
use ribbit_db::snapshot::{Chunk, SnapshotHead, SnapshotReader, SnapshotSum, SnapshotWriter};
use ribbit_db::{self, DbError};
use ribbit_net::channel::{Channel, Reader};
use ribbit_net::frame::{self, FrameError, Plane};
use ribbit_net::handshake;
use ribbit_net::limits::{PREFACE_DEADLINE, SNAPSHOT_CHUNK_BYTES_MAX, SNAPSHOT_RETRY_PAUSE, SNAPSHOT_STALL};
use ribbit_net::peer::PeerHello;
use ribbit_replica::{
    Failing, RaftMessage, convert,
    core::{announces, describe_snapshot},
};
use ribbit_state::RaftId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// First frame of the sender.
#[derive(Debug, Serialize, Deserialize)]
struct SnapshotHello {
    hello: PeerHello,
    /// Encoded Raft message that announces the snapshot.
    message: Bytes,
    head: SnapshotHead,
}

/// Further frames of the sender.
#[derive(Debug, Serialize, Deserialize)]
enum Part {
    Rows(Chunk),
    End(SnapshotSum),
}

/// Frames of the receiver.
#[derive(Debug, Serialize, Deserialize)]
enum Verdict {
    Go,
    Complete,
    No(String),
}

#[derive(Debug, thiserror::Error)]
enum SnapshotError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("refused by the peer: {0}")]
    Refused(String),
    #[error("the address of that member is not known")]
    Nowhere,
    #[error("another snapshot is being received")]
    Busy,
}

/// Sends a snapshot to a member and reports the result to the replica.
pub async fn send(node: Arc<Node>, to: RaftId, address: Option<String>, message: Box<RaftMessage>) {
    let Some(member) = node.member.get() else { return };
    let result = try_send(&node, to, address, *message).await;
    match &result {
        Ok(rows) => log::info!("sent a snapshot of {rows} rows to member {to}"),
        Err(error) => {
            log::info!("could not send a snapshot to member {to}: {error}");
            // The error comes from this member's own store, which counts as lost then.
            if let SnapshotError::Db(error) = error
                && error.is_damage()
            {
                let _ = node.failed.try_send(Failing::Lost(error.to_string()));
            }
            // The engine retries with the next heartbeat. The pause is for a receiver whose disk is full.
            smol::Timer::after(SNAPSHOT_RETRY_PAUSE).await;
        }
    }
    member.replica.snapshot_sent(to, result.is_ok()).await;
}

async fn try_send(
    node: &Arc<Node>,
    to: RaftId,
    address: Option<String>,
    mut message: RaftMessage,
) -> Result<u64, SnapshotError> {
    let address = address.ok_or(SnapshotError::Nowhere)?;
    let (Some(member), Some(hello)) = (node.member.get(), peers::hello_to(node, to)) else {
        return Err(SnapshotError::Nowhere);
    };
    let channel = handshake::connect(&address, Plane::Snapshot, &node.options.keys).await?;
    let Channel { reader: mut heard, mut writer } = channel;
    let store = member.replica.reader().clone();
    let mut reader = smol::unblock(move || SnapshotReader::new(&store)).await?;
    let head = reader.head().clone();
    describe_snapshot(&mut message, &head);
    let message = convert::message_to_bytes(&message).into();
    frame::write(&mut writer, &SnapshotHello { hello, message, head }).await?;
    expect(&mut heard, |verdict| matches!(verdict, Verdict::Go)).await?;
    loop {
        let chunk;
        (reader, chunk) = smol::unblock(move || {
            let chunk = ribbit_db::reading(|| reader.next_chunk());
            (reader, chunk)
        })
        .await;
        let Some(chunk) = chunk? else { break };
        frame::write_patiently(&mut writer, &Part::Rows(chunk), SNAPSHOT_STALL).await?;
    }
    let sum = reader.sum();
    frame::write(&mut writer, &Part::End(sum)).await?;
    expect(&mut heard, |verdict| matches!(verdict, Verdict::Complete)).await?;
    Ok(sum.rows)
}

/// Reads a verdict.
///
/// # Errors
/// The connection is lost or stalls, the peer refuses, or the verdict is not a wanted one.
async fn expect(reader: &mut Reader, wanted: impl Fn(&Verdict) -> bool) -> Result<(), SnapshotError> {
    match frame::within(SNAPSHOT_STALL, frame::read(reader, SNAPSHOT_CHUNK_BYTES_MAX)).await? {
        verdict if wanted(&verdict) => Ok(()),
        Verdict::No(why) => Err(SnapshotError::Refused(why)),
        _ => Err(FrameError::Malformed.into()),
    }
}

/// Receives a snapshot on an incoming link.
pub async fn accept(node: Arc<Node>, mut channel: Channel) {
    if let Err(error) = try_accept(&node, &mut channel).await {
        log::info!("could not receive a snapshot: {error}");
        let _ = frame::write(&mut channel.writer, &Verdict::No(error.to_string())).await;
    }
}

async fn try_accept(node: &Arc<Node>, channel: &mut Channel) -> Result<(), SnapshotError> {
    let Channel { reader, writer } = channel;
    let SnapshotHello { hello, message, head } =
        frame::within(PREFACE_DEADLINE, frame::read(reader, SNAPSHOT_CHUNK_BYTES_MAX)).await?;
    let from = peers::welcome(node, hello).map_err(|why| SnapshotError::Refused(why.to_string()))?;
    if !announces(&message, &head) {
        return Err(SnapshotError::Refused(
            "the message announces another snapshot than the one sent".into(),
        ));
    }
    let Some(member) = node.member.get() else { return Err(SnapshotError::Nowhere) };
    if !member.replica.begin_snapshot() {
        return Err(SnapshotError::Busy);
    }
    let turn = Turn { node, done: false };
    let disk = member.disk.clone();
    let file = smol::unblock(move || SnapshotWriter::begin(disk.as_ref(), &head)).await?;
    frame::write(writer, &Verdict::Go).await?;
    receive_parts(reader, file).await?;
    turn.finish(from, &message);
    frame::write(writer, &Verdict::Complete).await?;
    Ok(())
}

async fn receive_parts(reader: &mut Reader, mut writer: SnapshotWriter) -> Result<(), SnapshotError> {
    loop {
        match frame::within(SNAPSHOT_STALL, frame::read(reader, SNAPSHOT_CHUNK_BYTES_MAX)).await? {
            Part::Rows(chunk) => {
                let written;
                (writer, written) = smol::unblock(move || {
                    let written = writer.write_chunk(&chunk);
                    (writer, written)
                })
                .await;
                written?;
            }
            Part::End(sum) => return Ok(smol::unblock(move || writer.finish(sum)).await?),
        }
    }
}

/// Exclusive right to receive a snapshot. Dropping it abandons the snapshot; `finish` hands it to the replica.
struct Turn<'a> {
    node: &'a Arc<Node>,
    done: bool,
}

impl Turn<'_> {
    fn finish(mut self, from: RaftId, message: &Bytes) {
        self.done = true;
        if let Some(member) = self.node.member.get() {
            member.replica.snapshot_received(from, message);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let (false, Some(member)) = (self.done, self.node.member.get()) {
            member.replica.snapshot_abandoned();
        }
    }
}
