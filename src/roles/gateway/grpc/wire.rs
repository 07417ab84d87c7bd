//! The wire format of Protocol Buffers: fields read from bytes and written to bytes. Pure.
//!
//! ```text
//!   message = field*      field = tag, value      tag = number << 3 | kind      kinds: 0 varint, 1 and 5 fixed, 2 length and bytes
//! ```
//!
//! Fields of other numbers are skipped. Groups, which proto3 does not have, are refused.
//!
//! Not here: the messages ([`super::message`]).

/// Reason why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("a field is cut off")]
    CutOff,
    #[error("a number is longer than ten bytes")]
    LongNumber,
    #[error("a field has no valid tag")]
    BadTag,
    #[error("a field has another type")]
    OtherType,
}

/// Value of a field as it lies on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireValue<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// Reads the fields of a message.
#[derive(Debug, Clone, Copy)]
pub struct WireReader<'a>(&'a [u8]);

impl<'a> WireReader<'a> {
    pub fn new(bytes: &'a [u8]) -> WireReader<'a> {
        WireReader(bytes)
    }

    /// Returns the number and the value of the next field, or `None` at the end of the message.
    ///
    /// # Errors
    /// `CutOff`, `LongNumber` and `BadTag` if the bytes are no message.
    pub fn field(&mut self) -> Result<Option<(u32, WireValue<'a>)>, WireError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = u32::try_from(self.varint()?).map_err(|_| WireError::BadTag)?;
        let value = match tag & 7 {
            0 => WireValue::Varint(self.varint()?),
            1 => WireValue::Fixed64(*self.array()?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::CutOff)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(WireError::CutOff)?;
                self.0 = rest;
                WireValue::Bytes(bytes)
            }
            5 => WireValue::Fixed32(*self.array()?),
            _ => return Err(WireError::BadTag),
        };
        match tag >> 3 {
            0 => Err(WireError::BadTag),
            number => Ok(Some((number, value))),
        }
    }

    /// Reads a number of at most ten bytes. Bits beyond the 64th are dropped, as other implementations do.
    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for position in 0..10 {
            let (&byte, rest) = self.0.split_first().ok_or(WireError::CutOff)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::LongNumber)
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], WireError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(WireError::CutOff)?;
        self.0 = rest;
        Ok(bytes)
    }
}

/// Appends a number.
pub fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        // The low seven bits and the mark that more follow.
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a field with a number as its value.
pub fn write_number(out: &mut Vec<u8>, field: u32, value: u64) {
    write_varint(out, u64::from(field) << 3);
    write_varint(out, value);
}

/// Appends a field with bytes as its value: a string, bytes or an encoded message.
pub fn write_bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    write_varint(out, u64::from(field) << 3 | 2);
    write_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(mut bytes: WireReader<'_>) -> Result<Vec<(u32, WireValue<'_>)>, WireError> {
        std::iter::from_fn(|| bytes.field().transpose()).collect()
    }

    #[test]
    fn every_kind_of_field_is_read() {
        let bytes = b"\x08\x96\x01\x12\x07testing\x19\x01\x02\x03\x04\x05\x06\x07\x08\xfd\xff\xff\xff\x0f\x01\x02\x03\x04";
        assert_eq!(
            fields(WireReader::new(bytes)),
            Ok(vec![
                (1, WireValue::Varint(150)),
                (2, WireValue::Bytes(b"testing")),
                (3, WireValue::Fixed64([1, 2, 3, 4, 5, 6, 7, 8])),
                ((1 << 29) - 1, WireValue::Fixed32([1, 2, 3, 4])),
            ])
        );
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for (bytes, why) in [
            (&b"\x08"[..], WireError::CutOff),
            (b"\x08\x80", WireError::CutOff),
            (b"\x12\x05abcd", WireError::CutOff),
            (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", WireError::CutOff),
            (b"\x19\x01", WireError::CutOff),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", WireError::LongNumber),
            (b"\x00\x01", WireError::BadTag),
            (b"\x0b\x0c", WireError::BadTag),
            (b"\xff\xff\xff\xff\xff\x01\x01", WireError::BadTag),
        ] {
            assert_eq!(fields(WireReader::new(bytes)), Err(why), "{bytes:02x?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            write_number(&mut out, 5, value);
            write_bytes(&mut out, 1_000, &[7; 200]);
            let read = fields(WireReader::new(&out));
            assert_eq!(read, Ok(vec![(5, WireValue::Varint(value)), (1_000, WireValue::Bytes(&[7; 200]))]));
        }
    }
}
