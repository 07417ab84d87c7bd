//! The contents of an encrypted file: chunks, each sealed with its number and whether it is the last one. A chunk that is missing,
//! moved or changed is noticed, and so is a file without its end.

use super::header::{Header, Lock, ReadHeader, Unlock};
use super::{AgeError, cipher, derived};
use crate::common::random::fill;
use ring::aead::{Aad, LessSafeKey, Nonce};
use std::io::{self, Read, Write};

/// Bytes of contents in each chunk but the last.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
const NONCE: usize = 16;

/// The key of the contents, and the number of the next chunk.
struct Chunks {
    key: LessSafeKey,
    number: u64,
}

impl Chunks {
    fn new(file_key: &[u8], nonce: &[u8; NONCE]) -> Chunks {
        Chunks { key: cipher(&derived(file_key, nonce, "payload")), number: 0 }
    }

    /// Returns the nonce of the next chunk. A number of 64 bits does not overflow.
    fn nonce(&mut self, last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.number.to_be_bytes());
        nonce[11] = u8::from(last);
        self.number += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Encrypts what is written to it. Without [`Sealed::finish`] the file has no end, and nothing reads it.
pub(crate) struct Sealed<W> {
    out: W,
    chunks: Chunks,
    chunk: Vec<u8>,
}

impl<W: Write> Sealed<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// An I/O error.
    pub(crate) fn begin(mut out: W, lock: &Lock) -> io::Result<Sealed<W>> {
        let header = Header::new(lock);
        let mut nonce = [0; NONCE];
        fill(&mut nonce);
        out.write_all(&header.text)?;
        out.write_all(&nonce)?;
        let chunks = Chunks::new(&header.file_key, &nonce);
        Ok(Sealed { out, chunks, chunk: Vec::with_capacity(CHUNK + TAG) })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = self.chunks.nonce(last);
        let sealed = self.chunks.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut self.chunk);
        sealed.expect("a chunk is short enough");
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }

    /// Writes the end and returns the output.
    ///
    /// # Errors
    /// An I/O error.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for the next byte, since it may be the last one.
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Decrypts what is read from it. A read that returns 0 bytes has seen the end.
pub(crate) struct Opened<R> {
    input: R,
    chunks: Chunks,
    /// The open chunk, and how much of it was read.
    chunk: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Opened<R> {
    /// Decrypts the file key. The input is behind the header.
    ///
    /// # Errors
    /// As [`ReadHeader::file_key`]; `Io` if the input cannot be read.
    pub(crate) fn begin(mut input: R, header: &ReadHeader, unlock: &Unlock) -> Result<Opened<R>, AgeError> {
        let file_key = header.file_key(unlock)?;
        let mut nonce = [0; NONCE];
        input.read_exact(&mut nonce)?;
        let chunks = Chunks::new(&file_key, &nonce);
        Ok(Opened { input, chunks, chunk: Vec::new(), at: 0, ended: false })
    }

    fn open(&mut self) -> io::Result<()> {
        self.chunk.clear();
        self.at = 0;
        let mut part = self.input.by_ref().take((CHUNK + TAG) as u64);
        part.read_to_end(&mut self.chunk)?;
        let first = self.chunks.number == 0;
        // Only the last chunk is short. A full one may be the last one, too: then it does not open as another one.
        if self.chunk.len() == CHUNK + TAG {
            let sealed = self.chunk.clone();
            if self.opens(false) {
                return Ok(());
            }
            self.chunk = sealed;
            self.chunks.number -= 1;
        }
        // An empty chunk is for empty contents alone, and nothing follows the last one.
        let intact = self.opens(true) && (first || !self.chunk.is_empty()) && self.input.read(&mut [0])? == 0;
        self.ended = true;
        match intact {
            true => Ok(()),
            false => {
                self.chunk.clear();
                let text = "its encrypted contents are damaged or truncated";
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
        }
    }

    fn opens(&mut self, last: bool) -> bool {
        let nonce = self.chunks.nonce(last);
        match self.chunks.key.open_in_place(nonce, Aad::empty(), &mut self.chunk) {
            Ok(plain) => {
                let length = plain.len();
                self.chunk.truncate(length);
                true
            }
            Err(_) => false,
        }
    }
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() && !self.ended {
            self.open()?;
        }
        let taken = bytes.len().min(self.chunk.len() - self.at);
        bytes[..taken].copy_from_slice(&self.chunk[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}
