//! A connection that nobody else can read or change: records around what two sides say to each other.
//!
//! ```text
//!   record = u16 length, little-endian ‖ that many bytes of ChaCha20-Poly1305, at most RECORD_BYTES_MAX of them plain
//! ```
//!
//! - The keys come from the [`super::handshake`], one a direction, new for each connection. A record that was changed,
//!   left out, repeated or brought forward does not open: that is the end of the connection.
//! - Each direction's key is replaced after `REKEY_RECORDS` records, by one that follows from it and does not lead back:
//!   whoever takes a board's memory reads nothing that was said an hour before.
//! - What waits to be written goes into as few records as it fits, and leaves in one call.
//! - A reader holds one record; what it holds beyond what is usual it gives back when it has been read.
//!
//! It does not know what is said, and hides neither how much nor when.

use super::limits::{READ_AHEAD_BYTES, RECORD_BYTES_MAX, REKEY_RECORDS, WRITE_BYTES};
use super::socket::Incoming;
use async_net::TcpStream;
use smol::io::{AsyncRead, AsyncWrite};
use snow::TransportState;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

const LENGTH_BYTES: usize = 2;
const TAG_BYTES: usize = 16;
const SEALED_BYTES_MAX: usize = RECORD_BYTES_MAX + TAG_BYTES;

const _: () = assert!(SEALED_BYTES_MAX <= u16::MAX as usize);

/// Both sides of a connection, which may be used apart.
#[derive(Debug)]
pub struct Channel {
    pub reader: Reader,
    pub writer: Writer,
}

impl Channel {
    /// Over a connection on which the handshake has been done.
    pub fn new(stream: TcpStream, state: TransportState) -> Channel {
        let cipher = Cipher(Arc::new(Mutex::new(Keyed { state, sent: 0, received: 0 })));
        Channel {
            reader: Reader {
                socket: Incoming::from(stream.clone()),
                cipher: cipher.clone(),
                ahead: READ_AHEAD_BYTES,
                sealed: Vec::new(),
                unopened: 0..0,
                plain: Vec::new(),
                taken: 0,
            },
            writer: Writer { stream, cipher, sealed: Vec::new(), written: 0 },
        }
    }
}

/// Two directions' keys. Locked for one record at a time, never across a wait.
#[derive(Clone)]
struct Cipher(Arc<Mutex<Keyed>>);

struct Keyed {
    state: TransportState,
    /// Since the last time that direction had a new key.
    sent: u32,
    received: u32,
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher")
    }
}

impl Cipher {
    fn keyed(&self) -> MutexGuard<'_, Keyed> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }

    /// Appends a record of `plain`, which fits one, to `sealed`.
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

    /// Opens a record into `plain`, in the place of what was there.
    fn open(&self, sealed: &[u8], plain: &mut Vec<u8>) -> io::Result<()> {
        // With room for the tag: it is opened where it stands, else snow would make room of its own for each.
        plain.resize(sealed.len(), 0);
        let mut keyed = self.keyed();
        let Ok(length) = keyed.state.read_message(sealed, plain) else {
            return Err(broken("a record is not what the other side has sent"));
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

/// The reading side; it needs no buffer around it.
#[derive(Debug)]
pub struct Reader {
    socket: Incoming,
    cipher: Cipher,
    /// How much is read at once, and kept for it.
    ahead: usize,
    sealed: Vec<u8>,
    /// What of it was read from the socket, and not opened.
    unopened: Range<usize>,
    plain: Vec<u8>,
    /// How much of it was given out.
    taken: usize,
}

impl Reader {
    /// Reads so many bytes at once from now on: little where there are many connections, much where much is said.
    pub fn read_ahead(&mut self, bytes: usize) {
        self.ahead = bytes;
    }

    /// Whether nothing is here that was not given out.
    pub fn is_empty(&self) -> bool {
        self.unopened.is_empty() && self.taken == self.plain.len()
    }

    /// The place of the next record's bytes; nothing when it is not here as a whole yet.
    fn next_record(&self) -> io::Result<Option<Range<usize>>> {
        let Some(length) = self.sealed[self.unopened.clone()].first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_le_bytes(*length));
        // Nobody seals nothing: whoever did could keep a reader busy without saying anything.
        if !(TAG_BYTES + 1..=SEALED_BYTES_MAX).contains(&length) {
            return Err(broken("a record has an impossible length"));
        }
        let begin = self.unopened.start + LENGTH_BYTES;
        Ok((begin + length <= self.unopened.end).then_some(begin..begin + length))
    }

    /// Makes room to read into behind what is here.
    fn make_room(&mut self) {
        if self.unopened.is_empty() {
            self.unopened = 0..0;
            self.plain.clear();
            self.taken = 0;
            // What one long record has taken is given back.
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

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            let there = &this.plain[this.taken..];
            if !there.is_empty() || bytes.is_empty() {
                let count = there.len().min(bytes.len());
                bytes[..count].copy_from_slice(&there[..count]);
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
                // Between two records: closed. What matters has a length or an answer of its own.
                0 if this.unopened.is_empty() => return Poll::Ready(Ok(0)),
                0 => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                read => this.unopened.end += read,
            }
        }
    }
}

/// The writing side.
#[derive(Debug)]
pub struct Writer {
    stream: TcpStream,
    cipher: Cipher,
    sealed: Vec<u8>,
    /// How much of it has left.
    written: usize,
}

impl Writer {
    /// The socket, to set what it does; nothing else may write to it.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// A record as it would be written.
    #[cfg(test)]
    pub fn seal_for_tests(&self, plain: &[u8], sealed: &mut Vec<u8>) {
        self.cipher.seal(plain, sealed);
    }

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

impl AsyncWrite for Writer {
    /// What it takes has not left before a flush.
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
