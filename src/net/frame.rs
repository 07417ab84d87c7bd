//! Frames: a little-endian u32 length, then that many bytes of postcard.
//!
//! The length is checked against the caller's bound before anything is allocated; a frame that is too long,
//! cut short, or not the expected type ends that connection and only that.

use ribbit_state::ClusterId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use smol::channel::Receiver;
use smol::future::FutureExt;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::io;
use std::time::Duration;

/// What a connection is for. Part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    Peer = 1,
    /// People's programs.
    Client = 2,
    /// Those who run the group.
    Control = 3,
    Snapshot = 4,
    /// How a member is: for whoever asks.
    Status = 5,
    /// A balancer's own: where to read and write.
    Directory = 6,
}

impl Plane {
    /// Of the number on the wire.
    pub fn of_number(number: u8) -> Option<Plane> {
        use Plane::{Client, Control, Directory, Peer, Snapshot, Status};
        [Peer, Client, Control, Snapshot, Status, Directory].into_iter().find(|plane| *plane as u8 == number)
    }

    /// Whether both sides must have the cluster's key. On the others the server alone shows who it is.
    pub fn is_closed(self) -> bool {
        matches!(self, Plane::Peer | Plane::Control | Plane::Snapshot)
    }
}

/// A croak, and its answer, fit in without growing.
const FRAME_BYTES_USUAL: usize = 256;
/// Version of the wire protocol; both sides must speak the same.
pub const WIRE_VERSION: u8 = 1;

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the connection was closed")]
    Closed,
    #[error("the connection had ended before the question was sent")]
    Unsent,
    #[error("a frame of {length} bytes is longer than the {limit} allowed")]
    TooLong { length: usize, limit: usize },
    #[error("a frame could not be understood")]
    Malformed,
    #[error("the other side does not speak ribbit")]
    NotRibbit,
    #[error("the other side speaks version {0} of the protocol, this one {WIRE_VERSION}")]
    OtherVersion(u8),
    #[error("the other side is of cluster {theirs}, this one of {ours}")]
    OtherCluster { theirs: ClusterId, ours: ClusterId },
    #[error(
        "the other side has another key of the same cluster: one of the two cluster files is not the right one"
    )]
    OtherKey,
    #[error("this needs the cluster file: name it with --cluster-file, or its folder with --data-dir")]
    NoKey,
    /// In words for people: who answers may be somebody else.
    #[error("{0}")]
    Mistrusted(String),
    #[error("no answer in time")]
    TimedOut,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FrameError {
    /// Whether somebody answered who is not of this cluster, or cannot be known: somebody should look.
    pub fn is_stranger(&self) -> bool {
        use FrameError::{Mistrusted, NoKey, OtherCluster, OtherKey};
        matches!(self, OtherCluster { .. } | OtherKey | NoKey | Mistrusted(_))
    }
}

/// One frame as bytes, ready to be written.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME_BYTES_USUAL);
    bytes.extend([0; 4]);
    let mut bytes = postcard::to_extend(value, bytes).expect("protocol types always serialise");
    let length = u32::try_from(bytes.len() - 4).expect("frames are far below 4 GiB");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Reads the length of one frame of at most `limit` bytes. A clean end before a frame is `Closed`.
pub(super) async fn read_length<R: AsyncRead + Unpin>(
    reader: &mut R,
    limit: usize,
) -> Result<usize, FrameError> {
    let mut length = [0; 4];
    reader.read_exact(&mut length).await.map_err(closed)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > limit {
        return Err(FrameError::TooLong { length, limit });
    }
    Ok(length)
}

/// Reads the bytes of one frame of at most `limit` bytes. A clean end before a frame is `Closed`.
pub async fn read_bytes<R: AsyncRead + Unpin>(reader: &mut R, limit: usize) -> Result<Vec<u8>, FrameError> {
    let length = read_length(reader, limit).await?;
    let mut bytes = vec![0; length];
    // Half a frame holds memory: whoever begins one finishes it.
    within(super::limits::FRAME_DEADLINE, async { reader.read_exact(&mut bytes).await.map_err(closed) })
        .await?;
    Ok(bytes)
}

/// Reads one frame of at most `limit` bytes.
pub async fn read<T: DeserializeOwned, R: AsyncRead + Unpin>(
    reader: &mut R,
    limit: usize,
) -> Result<T, FrameError> {
    decode(&read_bytes(reader, limit).await?)
}

/// The value in the bytes of a frame; all of them must be used.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(FrameError::Malformed),
    }
}

/// Writes one frame and flushes.
pub async fn write<T: Serialize, W: AsyncWrite + Unpin>(writer: &mut W, value: &T) -> Result<(), FrameError> {
    write_bytes(writer, &encode(value)).await
}

/// Writes bytes that are frames already, giving up when that stalls.
pub async fn write_bytes<W: AsyncWrite + Unpin>(writer: &mut W, bytes: &[u8]) -> Result<(), FrameError> {
    write_pieces(writer, bytes, super::limits::WRITE_STALL).await
}

/// Writes one frame, giving up when nothing of it moves for as long as `stall`.
pub async fn write_patiently<T: Serialize, W: AsyncWrite + Unpin>(
    writer: &mut W,
    value: &T,
    stall: Duration,
) -> Result<(), FrameError> {
    write_pieces(writer, &encode(value), stall).await
}

/// A long frame may take long on a slow network: only a piece of it has to move within `stall`.
async fn write_pieces<W: AsyncWrite + Unpin>(
    writer: &mut W,
    bytes: &[u8],
    stall: Duration,
) -> Result<(), FrameError> {
    for piece in bytes.chunks(super::limits::WRITE_BYTES) {
        within(stall, async { Ok(writer.write_all(piece).await?) }).await?;
    }
    within(stall, async { Ok(writer.flush().await?) }).await
}

/// Writes the frames that come through `queue` until it is closed and empty, those that wait joined into
/// pieces of about `WRITE_BYTES`. An item is dropped once it is written: what it holds is held until then.
pub async fn write_queue<T: AsRef<[u8]>, W: AsyncWrite + Unpin>(
    writer: &mut W,
    queue: &Receiver<T>,
) -> Result<(), FrameError> {
    let (mut piece, mut held) = (Vec::new(), Vec::new());
    while let Ok(first) = queue.recv().await {
        let mut next = Some(first);
        while let Some(frame) = next {
            piece.extend_from_slice(frame.as_ref());
            held.push(frame);
            next = if piece.len() < super::limits::WRITE_BYTES { queue.try_recv().ok() } else { None };
        }
        write_bytes(writer, &piece).await?;
        held.clear();
        piece.clear();
    }
    Ok(())
}

/// Runs `work`, or answers `TimedOut` after `limit`.
pub async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, FrameError>>,
) -> Result<T, FrameError> {
    work.or(async {
        smol::Timer::after(limit).await;
        Err(FrameError::TimedOut)
    })
    .await
}

pub(super) fn closed(error: io::Error) -> FrameError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => FrameError::Closed,
        _ => FrameError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// Takes one piece at a time, each after a while.
    struct Slow {
        each: Duration,
        timer: Option<smol::Timer>,
        taken: usize,
    }

    impl AsyncWrite for Slow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let each = self.each;
            let timer = self.timer.get_or_insert_with(|| smol::Timer::after(each));
            if Pin::new(timer).poll(context).is_pending() {
                return Poll::Pending;
            }
            self.timer = None;
            self.taken += bytes.len();
            Poll::Ready(Ok(bytes.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_is_slow_but_moves_is_waited_for() {
        let stall = Duration::from_millis(400);
        let bytes = vec![0; 10 * super::super::limits::WRITE_BYTES];
        let mut slow = Slow { each: stall / 4, timer: None, taken: 0 };
        smol::block_on(write_pieces(&mut slow, &bytes, stall)).unwrap();
        assert_eq!(slow.taken, bytes.len());
        slow.each = stall * 4;
        let stalled = smol::block_on(write_pieces(&mut slow, &bytes, stall));
        assert!(matches!(stalled, Err(FrameError::TimedOut)));
    }

    #[test]
    fn a_long_frame_is_refused_before_it_is_read() {
        let bytes = u32::MAX.to_le_bytes();
        let result = smol::block_on(read::<u32, _>(&mut &bytes[..], 1024));
        assert!(matches!(result, Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn a_frame_comes_back_and_trailing_bytes_are_refused() {
        let mut bytes = encode(&(7u32, "frog".to_string()));
        let value: (u32, String) = smol::block_on(read(&mut &bytes[..], 1024)).unwrap();
        assert_eq!(value, (7, "frog".to_string()));
        bytes[0] += 1;
        bytes.push(0);
        let result = smol::block_on(read::<(u32, String), _>(&mut &bytes[..], 1024));
        assert!(matches!(result, Err(FrameError::Malformed)));
    }
}
