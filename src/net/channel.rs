//! Encrypted and authenticated channel over a connection, in records.
//!
//! ```text
//!   record = u16 length, little-endian ‖ that many bytes of ChaCha20-Poly1305 (at most RECORD_BYTES_MAX of plaintext)
//! ```
//!
//! - The keys come from the [`super::handshake`]: one per direction, new for each connection. A record that was changed,
//!   dropped, repeated or reordered fails to decrypt, and that ends the connection.
//! - The key of a direction is replaced after `REKEY_RECORDS` records by one derived from it, one way. So a copy of a
//!   machine's memory does not decrypt the traffic of an hour ago.
//! - Waiting data is packed into as few records as possible and written in one call.
//! - A reader buffers one record. Memory beyond its usual size is released once the record has been read.
//!
//! Not here: the meaning of the data. The amount and the time of the traffic are not hidden.

use super::limits::{READ_AHEAD_BYTES, RECORD_BYTES_MAX, REKEY_RECORDS, WRITE_BYTES};
use super::socket::SocketReader;
use async_net::TcpStream;
use ribbit_state::sync::MutexExt;
use smol::io::{AsyncRead, AsyncWrite};
use snow::TransportState;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

/// Size of a record's length, in bytes.
const LENGTH_BYTES: usize = 2;
/// Size of a record's authentication tag, in bytes.
const TAG_BYTES: usize = 16;
/// Maximum size of an encrypted record without its length, in bytes.
const SEALED_BYTES_MAX: usize = RECORD_BYTES_MAX + TAG_BYTES;

const _: () = assert!(SEALED_BYTES_MAX <= u16::MAX as usize);

/// Encrypted channel with its two halves, which may be used by different tasks.
#[derive(Debug)]
pub struct Channel {
    pub reader: ChannelReader,
    pub writer: ChannelWriter,
}

impl Channel {
    /// Creates a channel over a connection after its handshake.
    pub fn new(stream: TcpStream, state: TransportState) -> Channel {
        let cipher = Cipher(Arc::new(Mutex::new(Keyed { state, sent: 0, received: 0 })));
        Channel {
            reader: ChannelReader {
                socket: SocketReader::from(stream.clone()),
                cipher: cipher.clone(),
                ahead: READ_AHEAD_BYTES,
                sealed: Vec::new(),
                unopened: 0..0,
                plain: Vec::new(),
                taken: 0,
            },
            writer: ChannelWriter { stream, cipher, sealed: Vec::new(), written: 0 },
        }
    }
}

/// Keys of both directions. The lock is held for one record at a time, never across an await.
#[derive(Clone)]
struct Cipher(Arc<Mutex<Keyed>>);

struct Keyed {
    state: TransportState,
    /// Records sent since the last new key.
    sent: u32,
    /// Records received since the last new key.
    received: u32,
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher")
    }
}

impl Cipher {
    fn keyed(&self) -> MutexGuard<'_, Keyed> {
        self.0.locked()
    }

    /// Encrypts `plain`, of at most `RECORD_BYTES_MAX`, and appends the record to `sealed`.
    fn seal(&self, plain: &[u8], sealed: &mut Vec<u8>) {
        let begin = sealed.len();
        let length = u16::try_from(plain.len() + TAG_BYTES).expect("a record's length is checked");
        sealed.extend_from_slice(&length.to_le_bytes());
        sealed.resize(begin + LENGTH_BYTES + plain.len() + TAG_BYTES, 0);
        let mut keyed = self.keyed();
        let written = keyed.state.write_message(plain, &mut sealed[begin + LENGTH_BYTES..]);
        written.expect("a record has room, and no connection lives for 2^64 of them");
        keyed.sent += 1;
        if keyed.sent == REKEY_RECORDS {
            keyed.state.rekey_outgoing();
            keyed.sent = 0;
        }
    }

    /// Decrypts a record and replaces the contents of `plain`.
    fn open(&self, sealed: &[u8], plain: &mut Vec<u8>) -> io::Result<()> {
        // With room for the tag, snow decrypts in place. Otherwise it would allocate memory for each record.
        plain.resize(sealed.len(), 0);
        let mut keyed = self.keyed();
        let Ok(length) = keyed.state.read_message(sealed, plain) else {
            return Err(broken("a record failed to decrypt: it was changed on the way"));
        };
        plain.truncate(length);
        keyed.received += 1;
        if keyed.received == REKEY_RECORDS {
            keyed.state.rekey_incoming();
            keyed.received = 0;
        }
        Ok(())
    }
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reading half of a channel, which buffers by itself.
#[derive(Debug)]
pub struct ChannelReader {
    socket: SocketReader,
    cipher: Cipher,
    /// Size of a read from the socket and of the buffer that is kept, in bytes.
    ahead: usize,
    /// Encrypted bytes.
    sealed: Vec<u8>,
    /// Part of `sealed` that was read from the socket and is not decrypted yet.
    unopened: Range<usize>,
    /// Decrypted bytes of the current record.
    plain: Vec<u8>,
    /// Number of bytes of `plain` that the caller has taken.
    taken: usize,
}

impl ChannelReader {
    /// Sets the size of a read, in bytes: small for many idle connections, large for busy ones.
    pub fn read_ahead(&mut self, bytes: usize) {
        self.ahead = bytes;
    }

    /// Returns true if no received bytes are buffered.
    pub fn is_empty(&self) -> bool {
        self.unopened.is_empty() && self.taken == self.plain.len()
    }

    /// Returns the range of the next record in `sealed`, or `None` if it has not arrived completely.
    fn next_record(&self) -> io::Result<Option<Range<usize>>> {
        let Some(length) = self.sealed[self.unopened.clone()].first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_le_bytes(*length));
        // An empty record is refused: a peer could keep the reader busy with them without sending data.
        if !(TAG_BYTES + 1..=SEALED_BYTES_MAX).contains(&length) {
            return Err(broken("a record has an invalid length"));
        }
        let begin = self.unopened.start + LENGTH_BYTES;
        Ok((begin + length <= self.unopened.end).then_some(begin..begin + length))
    }

    /// Makes room in `sealed` for the next read.
    fn make_room(&mut self) {
        if self.unopened.is_empty() {
            self.unopened = 0..0;
            self.plain.clear();
            self.taken = 0;
            // The memory of a long record is released.
            self.plain.shrink_to(self.ahead);
            self.sealed.truncate(self.ahead);
            self.sealed.shrink_to(self.ahead);
        } else {
            self.sealed.copy_within(self.unopened.clone(), 0);
            self.unopened = 0..self.unopened.len();
        }
        let record = self.sealed[self.unopened.clone()].first_chunk::<LENGTH_BYTES>();
        let record = record.map_or(0, |length| LENGTH_BYTES + usize::from(u16::from_le_bytes(*length)));
        self.sealed.resize(self.ahead.max(record), 0);
    }
}

impl AsyncRead for ChannelReader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            let available = &this.plain[this.taken..];
            if !available.is_empty() || bytes.is_empty() {
                let count = available.len().min(bytes.len());
                bytes[..count].copy_from_slice(&available[..count]);
                this.taken += count;
                return Poll::Ready(Ok(count));
            }
            if let Some(record) = this.next_record()? {
                this.unopened.start = record.end;
                this.cipher.open(&this.sealed[record], &mut this.plain)?;
                this.taken = 0;
                continue;
            }
            this.make_room();
            let (end, socket) = (this.unopened.end, Pin::new(&mut this.socket));
            match ready!(socket.poll_read(context, &mut this.sealed[end..]))? {
                // The end between two records is a clean one: frames have their own length, so a truncated one is noticed.
                0 if this.unopened.is_empty() => return Poll::Ready(Ok(0)),
                0 => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                read => this.unopened.end += read,
            }
        }
    }
}

/// Writing half of a channel.
#[derive(Debug)]
pub struct ChannelWriter {
    stream: TcpStream,
    cipher: Cipher,
    /// Encrypted records to write.
    sealed: Vec<u8>,
    /// Number of bytes of `sealed` that are written.
    written: usize,
}

impl ChannelWriter {
    /// Returns the socket, for setting its options only.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Encrypts a record as it would be written.
    #[cfg(test)]
    pub(crate) fn seal_for_tests(&self, plain: &[u8], sealed: &mut Vec<u8>) {
        self.cipher.seal(plain, sealed);
    }

    /// Writes the waiting records to the socket.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.sealed.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(context, &self.sealed[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        self.sealed.clear();
        self.sealed.shrink_to(READ_AHEAD_BYTES);
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ChannelWriter {
    /// Encrypts bytes and begins to write them. They are written completely after a flush.
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(context))?;
        let taken = &bytes[..bytes.len().min(WRITE_BYTES)];
        for plain in taken.chunks(RECORD_BYTES_MAX) {
            this.cipher.seal(plain, &mut this.sealed);
        }
        match this.poll_drain(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(taken.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(context))?;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(context))?;
        Pin::new(&mut this.stream).poll_close(context)
    }
}
