//! Messages in the bytes of a call: each has a flag, a length and as many bytes. Pure.
//!
//! ```text
//!   0 | length, 4 bytes, big-endian | message        the flag 1 is for compressed messages, which the server does not offer
//! ```

use super::limits::{REPLY_BYTES_MAX, REQUEST_BYTES_MAX};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Length of the flag and the length before a message.
const HEAD_BYTES: usize = 5;

/// Reason why a message cannot be taken or sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    #[error("The message is longer than {0} bytes.")]
    TooLong(usize),
    #[error("Compressed messages are not supported.")]
    Compressed,
}

/// Bytes of a call that have arrived and are not taken yet.
#[derive(Debug, Default)]
pub struct Frames(BytesMut);

impl Frames {
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Takes the next message, if it is complete.
    ///
    /// # Errors
    /// `TooLong` before the message has arrived, `Compressed`.
    pub fn take(&mut self) -> Result<Option<Bytes>, FramingError> {
        let Some(mut head) = self.0.get(..HEAD_BYTES) else { return Ok(None) };
        let flag = head.get_u8();
        let length = usize::try_from(head.get_u32()).unwrap_or(usize::MAX);
        if flag != 0 {
            return Err(FramingError::Compressed);
        }
        if length > REQUEST_BYTES_MAX {
            return Err(FramingError::TooLong(REQUEST_BYTES_MAX));
        }
        if self.0.len() < HEAD_BYTES + length {
            return Ok(None);
        }
        self.0.advance(HEAD_BYTES);
        Ok(Some(self.0.split_to(length).freeze()))
    }

    /// Returns true if no part of a message is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns a message with its flag and length.
///
/// # Errors
/// `TooLong` for a message that clients would refuse.
pub fn frame(message: &[u8]) -> Result<Bytes, FramingError> {
    match u32::try_from(message.len()) {
        Ok(length) if message.len() <= REPLY_BYTES_MAX => {
            let mut out = BytesMut::with_capacity(HEAD_BYTES + message.len());
            out.put_u8(0);
            out.put_u32(length);
            out.extend_from_slice(message);
            Ok(out.freeze())
        }
        _ => Err(FramingError::TooLong(REPLY_BYTES_MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_however_the_bytes_arrive() {
        let bytes = [&b"\0\0\0\0\x02hi"[..], b"\0\0\0\0\0", b"\0\0\0\0\x03you"].concat();
        for step in 1..=bytes.len() {
            let mut frames = Frames::default();
            let mut taken = Vec::new();
            for part in bytes.chunks(step) {
                frames.push(part);
                while let Some(message) = frames.take().unwrap() {
                    taken.push(message);
                }
            }
            assert_eq!(taken, [&b"hi"[..], b"", b"you"], "{step} bytes at a time");
            assert!(frames.is_empty());
        }
    }

    #[test]
    fn a_long_or_compressed_message_is_refused_at_its_head() {
        let refused = |bytes: &[u8]| {
            let mut frames = Frames::default();
            frames.push(bytes);
            frames.take()
        };
        let long = FramingError::TooLong(REQUEST_BYTES_MAX);
        assert_eq!(refused(b"\0\0\x01\0\x01"), Err(long));
        assert_eq!(refused(b"\0\xff\xff\xff\xff"), Err(long));
        assert_eq!(refused(b"\0\0\x01\0\0"), Ok(None), "as long as it may be");
        assert_eq!(refused(b"\x01\0\0\0\0"), Err(FramingError::Compressed));
    }

    #[test]
    fn a_message_is_framed_as_it_is_read() {
        assert_eq!(frame(b"hi").unwrap(), &b"\0\0\0\0\x02hi"[..]);
        assert_eq!(frame(&vec![0; REPLY_BYTES_MAX + 1]), Err(FramingError::TooLong(REPLY_BYTES_MAX)));
    }
}
