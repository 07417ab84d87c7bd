//! Reads the validity period of a certificate from its DER. Nothing else is read, and no part of it is trusted.
//!
//! ```text
//!   Certificate  ::= SEQ { TBS, … }
//!   TBS          ::= SEQ { [0] version?, serial INT, algorithm SEQ, issuer SEQ, validity SEQ { Time, Time }, … }
//!   Time         ::= UTCTime YYMMDDhhmmssZ | GeneralizedTime YYYYMMDDhhmmssZ
//! ```

use time::{Date, Month};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Validity period, in seconds since 1970.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) begins_s: i64,
    pub(crate) ends_s: i64,
}

impl Validity {
    /// Parses a certificate; `None` if it is invalid.
    pub(crate) fn of(certificate: &[u8]) -> Option<Validity> {
        let (certificate, _) = expect(certificate, SEQUENCE)?;
        let (mut fields, _) = expect(certificate, SEQUENCE)?;
        if fields.first() == Some(&VERSION) {
            fields = element(fields)?.2;
        }
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            fields = expect(fields, tag)?.1;
        }
        let (validity, _) = expect(fields, SEQUENCE)?;
        let (begin_tag, begin, rest) = element(validity)?;
        let (end_tag, end, _) = element(rest)?;
        Some(Validity { begins_s: seconds(begin_tag, begin)?, ends_s: seconds(end_tag, end)? })
    }
}

/// Returns the content of an element with this tag, and the rest.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, inside, rest) = element(bytes)?;
    (found == tag).then_some((inside, rest))
}

/// Returns the tag and the content of the first element, and the rest.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, short], rest) = bytes.split_first_chunk::<2>()?;
    let (len, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (inside, rest) = rest.split_at_checked(len)?;
    Some((tag, inside, rest))
}

fn seconds(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let (year, rest) = digits.split_at(2);
            let year: i32 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (GENERALIZED_TIME, 14) => {
            let (year, rest) = digits.split_at(4);
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest[at..at + 2].parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(part(0)?).ok()?, part(2)?).ok()?;
    let at = date.with_hms(part(4)?, part(6)?, part(8)?).ok()?;
    Some(at.assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn a_certificate_says_from_when_to_when() {
        for (begin, end) in [((2020, 2, 29), (2049, 12, 31)), ((1999, 1, 1), (2051, 3, 1))] {
            let mut params = CertificateParams::new(["frogs.lan".to_string()]).unwrap();
            params.not_before = date_time_ymd(begin.0, begin.1, begin.2);
            params.not_after = date_time_ymd(end.0, end.1, end.2);
            let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let validity = Validity::of(made.der()).unwrap();
            let seconds = |date: (i32, u8, u8)| date_time_ymd(date.0, date.1, date.2).unix_timestamp();
            assert_eq!(validity, Validity { begins_s: seconds(begin), ends_s: seconds(end) });
            // Truncated or changed anywhere, it must not panic, whatever the result.
            let whole = made.der().to_vec();
            for at in 0..whole.len() {
                let _ = Validity::of(&whole[..at]);
                let mut other = whole.clone();
                other[at] ^= 0xff;
                let _ = Validity::of(&other);
            }
        }
    }
}
