//! Frames: a little-endian u32 length, then that many bytes of postcard.
//!
//! The length is checked against the caller's bound before memory is allocated. A frame that is too long, truncated, or not
//! of the expected type ends its connection, and nothing else.

use ribbit_state::ClusterId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use smol::channel::Receiver;
use smol::future::FutureExt;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::io;
use std::time::Duration;

/// Purpose of a connection. Part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// Messages between members.
    Peer = 1,
    /// Requests of users' clients.
    Client = 2,
    /// Requests of operators, and of nodes that join.
    Control = 3,
    /// Transfer of a snapshot to a member.
    Snapshot = 4,
    /// Status of a member, for any client.
    Status = 5,
    /// Where to read and write, answered by balancers.
    Directory = 6,
    /// A new server gets the cluster file with a join code.
    Join = 7,
}

impl Plane {
    /// Returns the plane of a number on the wire.
    pub fn of_number(number: u8) -> Option<Plane> {
        use Plane::{Client, Control, Directory, Join, Peer, Snapshot, Status};
        [Peer, Client, Control, Snapshot, Status, Directory, Join]
            .into_iter()
            .find(|plane| *plane as u8 == number)
    }

    /// Returns true if both sides need the cluster key. On the join plane they need a join code. On the other planes only the
    /// server authenticates itself.
    pub fn is_closed(self) -> bool {
        matches!(self, Plane::Peer | Plane::Control | Plane::Snapshot)
    }
}

/// Initial capacity of an encoded frame, in bytes: enough for a croak, and for its answer.
const FRAME_BYTES_USUAL: usize = 256;
/// Version of the wire protocol, which has to be the same on both sides.
pub const WIRE_VERSION: u8 = 1;

/// Error of a connection or of a frame on it.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side has closed the connection.
    #[error("the connection was closed")]
    Closed,
    /// The connection had ended before the request was sent, so the request was not carried out.
    #[error("the connection had ended before the request was sent")]
    Unsent,
    /// A frame exceeds its maximum size, in bytes.
    #[error("a frame has {length} bytes, more than the maximum of {limit}")]
    TooLong { length: usize, limit: usize },
    /// A frame or a handshake message is not valid.
    #[error("the other side sent an invalid message")]
    Malformed,
    /// The preface is not that of ribbit.
    #[error("the other side does not speak ribbit")]
    NotRibbit,
    /// The other side uses another version of the wire protocol.
    #[error("the other side speaks version {0} of the protocol, this one {WIRE_VERSION}")]
    OtherVersion(u8),
    /// The other side belongs to another cluster.
    #[error("the other side is of cluster {theirs}, this one of {ours}")]
    OtherCluster { theirs: ClusterId, ours: ClusterId },
    /// The other side has another key.
    #[error(
        "the other side has another key of the same cluster: after `ribbit key rotate`, copy the cluster file from a machine with the \
         new key"
    )]
    OtherKey,
    /// This process has no cluster key, which the plane needs.
    #[error("this needs the cluster file: name it with --cluster-file, or its folder with --data-dir")]
    NoKey,
    /// The server's public key is not trusted, with the reason for the user.
    #[error("{0}")]
    Mistrusted(String),
    /// The timeout has passed.
    #[error("no answer in time")]
    TimedOut,
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FrameError {
    /// Returns true if the other side is of another cluster or version or cannot be verified. The operator should look at such an error.
    pub fn is_stranger(&self) -> bool {
        use FrameError::{Mistrusted, NoKey, OtherCluster, OtherKey, OtherVersion};
        matches!(self, OtherCluster { .. } | OtherKey | OtherVersion(_) | NoKey | Mistrusted(_))
    }

    /// Returns true if no process listens at the address: its machine has refused the connection.
    pub fn is_refused(&self) -> bool {
        matches!(self, FrameError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }
}

/// Encodes a frame.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME_BYTES_USUAL);
    bytes.extend([0; 4]);
    let mut bytes = postcard::to_extend(value, bytes).expect("protocol types always serialise");
    let length = u32::try_from(bytes.len() - 4).expect("frames are far below 4 GiB");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Reads the length of a frame.
///
/// # Errors
/// `Closed` at the end of the connection, `TooLong` for more than `limit` bytes, `Io` when reading fails.
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

/// Reads the bytes of a frame of at most `limit` bytes.
///
/// # Errors
/// `Closed` at the end of the connection, `TooLong` for a longer frame, `TimedOut` when the frame is not complete after
/// `FRAME_DEADLINE`, `Io` when reading fails.
pub async fn read_bytes<R: AsyncRead + Unpin>(reader: &mut R, limit: usize) -> Result<Vec<u8>, FrameError> {
    let length = read_length(reader, limit).await?;
    let mut bytes = vec![0; length];
    // An incomplete frame takes memory, so it must be completed in time.
    with_timeout(super::limits::FRAME_DEADLINE, async {
        reader.read_exact(&mut bytes).await.map_err(closed)
    })
    .await?;
    Ok(bytes)
}

/// Reads a frame of at most `limit` bytes and decodes it.
///
/// # Errors
/// As [`read_bytes`] and [`decode`].
pub async fn read<T: DeserializeOwned, R: AsyncRead + Unpin>(
    reader: &mut R,
    limit: usize,
) -> Result<T, FrameError> {
    decode(&read_bytes(reader, limit).await?)
}

/// Decodes the bytes of a frame.
///
/// # Errors
/// `Malformed` when the bytes are not exactly one value of this type.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(FrameError::Malformed),
    }
}

/// Writes a frame and flushes.
///
/// # Errors
/// As [`write_bytes`].
pub async fn write<T: Serialize, W: AsyncWrite + Unpin>(writer: &mut W, value: &T) -> Result<(), FrameError> {
    write_bytes(writer, &encode(value)).await
}

/// Writes encoded frames and flushes.
///
/// # Errors
/// `TimedOut` when the write makes no progress for `WRITE_STALL`, `Io` when it fails.
pub async fn write_bytes<W: AsyncWrite + Unpin>(writer: &mut W, bytes: &[u8]) -> Result<(), FrameError> {
    write_pieces(writer, bytes, super::limits::WRITE_STALL).await
}

/// Writes a frame with a timeout of its own and flushes.
///
/// # Errors
/// `TimedOut` when the write makes no progress for `stall`, `Io` when it fails.
pub async fn write_with_timeout<T: Serialize, W: AsyncWrite + Unpin>(
    writer: &mut W,
    value: &T,
    stall: Duration,
) -> Result<(), FrameError> {
    write_pieces(writer, &encode(value), stall).await
}

/// Writes bytes in pieces. Only a piece has to be written within `stall`, because a long frame takes long on a slow network.
async fn write_pieces<W: AsyncWrite + Unpin>(
    writer: &mut W,
    bytes: &[u8],
    stall: Duration,
) -> Result<(), FrameError> {
    for piece in bytes.chunks(super::limits::WRITE_BYTES) {
        with_timeout(stall, async { Ok(writer.write_all(piece).await?) }).await?;
    }
    with_timeout(stall, async { Ok(writer.flush().await?) }).await
}

/// Writes the frames of a queue until it is closed and empty. Waiting frames are joined into pieces of about `WRITE_BYTES`.
/// An item is dropped after it is written, so a guard in it is held until then.
///
/// # Errors
/// As [`write_bytes`].
pub(crate) async fn write_queue<T: AsRef<[u8]>, W: AsyncWrite + Unpin>(
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

/// Runs `work` with a timeout.
///
/// # Errors
/// `TimedOut` after `limit`, and the errors of `work`.
pub async fn with_timeout<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, FrameError>>,
) -> Result<T, FrameError> {
    work.or(async {
        smol::Timer::after(limit).await;
        Err(FrameError::TimedOut)
    })
    .await
}

/// Converts an error of a read. An unexpected end of file is `Closed`.
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

    /// Writer that takes a while for each piece.
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
    fn a_slow_write_succeeds_and_a_stalled_one_times_out() {
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
    fn an_encoded_frame_is_read_back_and_trailing_bytes_are_refused() {
        let mut bytes = encode(&(7u32, "frog".to_string()));
        let value: (u32, String) = smol::block_on(read(&mut &bytes[..], 1024)).unwrap();
        assert_eq!(value, (7, "frog".to_string()));
        bytes[0] += 1;
        bytes.push(0);
        let result = smol::block_on(read::<(u32, String), _>(&mut &bytes[..], 1024));
        assert!(matches!(result, Err(FrameError::Malformed)));
    }
}
