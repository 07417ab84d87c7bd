//! Snapshots: transfer of the full state to another member.
//!
//! ```text
//!   sender ── SnapshotHello ──▶ receiver     hello, the engine's message, head of the snapshot
//!          ◀── SnapshotVerdict ──────────   go, or the reason for refusing
//!          ── SnapshotPart::Rows … End ──▶  the rows, then their checksum
//!          ◀── SnapshotVerdict ──────────   complete
//! ```
//!
//! A snapshot has a link of its own, so that heartbeats never wait behind it. A member receives one at a time. All disk
//! access runs on blocking threads, because an SD card may take seconds.

use super::{NodeState, hello};
use bytes::Bytes;
use ribbit_db::snapshot::{Chunk, SnapshotHead, SnapshotReader, SnapshotSum, SnapshotWriter};
use ribbit_db::{self, DbError};
use ribbit_net::channel::{Channel, ChannelReader};
use ribbit_net::frame::{self, FrameError, Plane};
use ribbit_net::handshake;
use ribbit_net::limits::{PREFACE_DEADLINE, SNAPSHOT_CHUNK_BYTES_MAX, SNAPSHOT_RETRY_PAUSE, SNAPSHOT_STALL};
use ribbit_net::peer::PeerHello;
use ribbit_replica::{RaftMessage, ReplicaFailure, announces, convert, describe_snapshot};
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
enum SnapshotPart {
    Rows(Chunk),
    End(SnapshotSum),
}

/// Frames of the receiver.
#[derive(Debug, Serialize, Deserialize)]
enum SnapshotVerdict {
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
pub(crate) async fn send(
    node: Arc<NodeState>,
    to: RaftId,
    address: Option<String>,
    message: Box<RaftMessage>,
) {
    let Some(member) = node.membership.get() else { return };
    let result = try_send(&node, to, address, *message).await;
    match &result {
        Ok(rows) => log::info!("sent a snapshot of {rows} rows to member {to}"),
        Err(error) => {
            log::info!("could not send a snapshot to member {to}: {error}");
            // The error comes from this member's own store, which counts as lost then.
            if let SnapshotError::Db(error) = error
                && error.is_damage()
            {
                let _ = node.failed.try_send(ReplicaFailure::Lost(error.to_string()));
            }
            // The engine retries with the next heartbeat. The pause is for a receiver with a full disk.
            smol::Timer::after(SNAPSHOT_RETRY_PAUSE).await;
        }
    }
    member.replica.snapshot_sent(to, result.is_ok()).await;
}

async fn try_send(
    node: &Arc<NodeState>,
    to: RaftId,
    address: Option<String>,
    mut message: RaftMessage,
) -> Result<u64, SnapshotError> {
    let address = address.ok_or(SnapshotError::Nowhere)?;
    let (Some(member), Some(hello)) = (node.membership.get(), hello::to(node, to)) else {
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
    expect(&mut heard, |verdict| matches!(verdict, SnapshotVerdict::Go)).await?;
    loop {
        let chunk;
        (reader, chunk) = smol::unblock(move || {
            let chunk = ribbit_db::catch_read_panics(|| reader.next_chunk());
            (reader, chunk)
        })
        .await;
        let Some(chunk) = chunk? else { break };
        frame::write_with_timeout(&mut writer, &SnapshotPart::Rows(chunk), SNAPSHOT_STALL).await?;
    }
    let sum = reader.sum();
    frame::write(&mut writer, &SnapshotPart::End(sum)).await?;
    expect(&mut heard, |verdict| matches!(verdict, SnapshotVerdict::Complete)).await?;
    Ok(sum.rows)
}

/// Reads a verdict.
///
/// # Errors
/// The connection is lost or stalls, the peer refuses, or the verdict is not a wanted one.
async fn expect(
    reader: &mut ChannelReader,
    wanted: impl Fn(&SnapshotVerdict) -> bool,
) -> Result<(), SnapshotError> {
    match frame::with_timeout(SNAPSHOT_STALL, frame::read(reader, SNAPSHOT_CHUNK_BYTES_MAX)).await? {
        verdict if wanted(&verdict) => Ok(()),
        SnapshotVerdict::No(why) => Err(SnapshotError::Refused(why)),
        _ => Err(FrameError::Malformed.into()),
    }
}

/// Receives a snapshot on an incoming link.
pub(crate) async fn accept(node: Arc<NodeState>, mut channel: Channel) {
    if let Err(error) = try_accept(&node, &mut channel).await {
        // The operator has to repair this member's own disk. Everything else passes.
        let level = if let SnapshotError::Db(_) = error { log::Level::Warn } else { log::Level::Info };
        log::log!(level, "could not receive a snapshot: {error}");
        let _ = frame::write(&mut channel.writer, &SnapshotVerdict::No(error.to_string())).await;
    }
}

async fn try_accept(node: &Arc<NodeState>, channel: &mut Channel) -> Result<(), SnapshotError> {
    let Channel { reader, writer } = channel;
    let SnapshotHello { hello, message, head } =
        frame::with_timeout(PREFACE_DEADLINE, frame::read(reader, SNAPSHOT_CHUNK_BYTES_MAX)).await?;
    let from = hello::check(node, hello).map_err(|why| SnapshotError::Refused(why.to_string()))?;
    if !announces(&message, &head) {
        return Err(SnapshotError::Refused(
            "the message announces another snapshot than the one sent".into(),
        ));
    }
    let Some(member) = node.membership.get() else { return Err(SnapshotError::Nowhere) };
    if !member.replica.begin_snapshot() {
        return Err(SnapshotError::Busy);
    }
    let turn = ReceiveTurn { node, done: false };
    let disk = member.disk.clone();
    let file = smol::unblock(move || SnapshotWriter::begin(disk.as_ref(), &head)).await?;
    frame::write(writer, &SnapshotVerdict::Go).await?;
    receive_parts(reader, file).await?;
    turn.finish(from, &message);
    frame::write(writer, &SnapshotVerdict::Complete).await?;
    Ok(())
}

async fn receive_parts(reader: &mut ChannelReader, mut writer: SnapshotWriter) -> Result<(), SnapshotError> {
    loop {
        match frame::with_timeout(SNAPSHOT_STALL, frame::read(reader, SNAPSHOT_CHUNK_BYTES_MAX)).await? {
            SnapshotPart::Rows(chunk) => {
                let written;
                (writer, written) = smol::unblock(move || {
                    let written = writer.write_chunk(&chunk);
                    (writer, written)
                })
                .await;
                written?;
            }
            SnapshotPart::End(sum) => return Ok(smol::unblock(move || writer.finish(sum)).await?),
        }
    }
}

/// Exclusive right to receive a snapshot. Dropping it abandons the snapshot; `finish` hands it to the replica.
struct ReceiveTurn<'a> {
    node: &'a Arc<NodeState>,
    done: bool,
}

impl ReceiveTurn<'_> {
    fn finish(mut self, from: RaftId, message: &Bytes) {
        self.done = true;
        if let Some(member) = self.node.membership.get() {
            member.replica.snapshot_received(from, message);
        }
    }
}

impl Drop for ReceiveTurn<'_> {
    fn drop(&mut self) {
        if let (false, Some(member)) = (self.done, self.node.membership.get()) {
            member.replica.snapshot_abandoned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_db::{Configuration, Position};
    use ribbit_net::protocol::MemberInfo;
    use ribbit_state::{ClusterId, HistoryId};
    use serde::de::DeserializeOwned;
    use std::path::Path;

    /// A name and a frame in hexadecimal per line. The frames of all other links are in tests/formats.
    const FRAMES_1: &str = include_str!("snapshot_frames_1.txt");

    /// A line of the golden file; checks that the frame is read back as the same frame.
    fn line<T: Serialize + DeserializeOwned>(name: &str, value: &T) -> String {
        let bytes = frame::encode(value);
        let read: T = smol::block_on(frame::read(&mut bytes.as_slice(), bytes.len())).unwrap();
        assert!(frame::encode(&read) == bytes, "{name} is read back");
        format!("{name} {}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// Names a part. The match is exhaustive, so that a new variant does not compile before it has a sample below.
    fn part_line(part: &SnapshotPart) -> String {
        let name = match part {
            SnapshotPart::Rows(_) => "SnapshotPart::Rows",
            SnapshotPart::End(_) => "SnapshotPart::End",
        };
        line(name, part)
    }

    fn verdict_line(verdict: &SnapshotVerdict) -> String {
        let name = match verdict {
            SnapshotVerdict::Go => "SnapshotVerdict::Go",
            SnapshotVerdict::Complete => "SnapshotVerdict::Complete",
            SnapshotVerdict::No(_) => "SnapshotVerdict::No",
        };
        line(name, verdict)
    }

    #[test]
    fn snapshot_frames_of_wire_version_1_stay_readable() {
        let (cluster, history) = (ClusterId(1 << 100), HistoryId(2 << 100));
        let configuration = Configuration {
            voters: vec![1, 2, 6],
            learners: vec![8],
            auto_leave: true,
            ..Default::default()
        };
        let hello = SnapshotHello {
            hello: PeerHello { cluster, history, from: MemberInfo::default(), to: 6 },
            message: vec![1, 2, 3].into(),
            head: SnapshotHead { applied: Position { index: 300, term: 7 }, configuration },
        };
        let parts = [
            SnapshotPart::Rows(vec![(vec![5, 0, 1], vec![1, 2])]),
            SnapshotPart::End(SnapshotSum { rows: 300, digest: u64::MAX }),
        ];
        let verdicts =
            [SnapshotVerdict::Go, SnapshotVerdict::Complete, SnapshotVerdict::No("no room".into())];
        let mut made = vec![line("SnapshotHello", &hello)];
        made.extend(parts.iter().map(part_line));
        made.extend(verdicts.iter().map(verdict_line));
        if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/snapshot_frames_1.txt");
            std::fs::write(path, made.join("\n") + "\n").unwrap();
            return;
        }
        assert_eq!(FRAMES_1.lines().collect::<Vec<_>>(), made, "a changed frame needs another wire version");
    }
}
