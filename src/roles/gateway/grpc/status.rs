//! The status that ends a call: a code and words, as headers of HTTP/2. Pure.

use super::framing::FramingError;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// Name of the header with the code.
const CODE: HeaderName = HeaderName::from_static("grpc-status");
/// Name of the header with the words.
const WORDS: HeaderName = HeaderName::from_static("grpc-message");

/// Code of a status, as gRPC numbers them. Only those that a gateway gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusCode {
    Ok = 0,
    Cancelled = 1,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
}

/// Status of a call that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: StatusCode,
    pub(crate) words: String,
}

impl Status {
    pub(crate) const OK: Status = Status { code: StatusCode::Ok, words: String::new() };

    pub(crate) fn new(code: StatusCode, words: impl Into<String>) -> Status {
        Status { code, words: words.into() }
    }

    /// Appends the status to headers or trailers.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(CODE, HeaderValue::from(self.code as u16));
        if !self.words.is_empty()
            && let Ok(words) = HeaderValue::from_str(&percent_encode(&self.words))
        {
            headers.insert(WORDS, words);
        }
    }
}

impl From<FramingError> for Status {
    fn from(error: FramingError) -> Status {
        let code = match error {
            FramingError::TooLong(_) => StatusCode::ResourceExhausted,
            FramingError::Compressed => StatusCode::Unimplemented,
        };
        Status::new(code, error.to_string())
    }
}

/// Returns words in which every byte but printable ASCII, and the percent sign, is a percent sign and two hexadecimal digits.
fn percent_encode(words: &str) -> String {
    words.bytes().fold(String::with_capacity(words.len()), |mut out, byte| {
        match byte {
            b'%' => out.push_str("%25"),
            b' '..=b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_printable_ascii() {
        assert_eq!(percent_encode("no such user"), "no such user");
        assert_eq!(percent_encode("50% é\n"), "50%25 %C3%A9%0A");
    }

    #[test]
    fn a_status_is_two_headers() {
        let mut headers = HeaderMap::new();
        Status::OK.write(&mut headers);
        assert_eq!((headers.len(), &headers[CODE]), (1, &HeaderValue::from_static("0")));
        Status::new(StatusCode::Unavailable, "later").write(&mut headers);
        assert_eq!((&headers[CODE], &headers[WORDS]), (&"14".parse().unwrap(), &"later".parse().unwrap()));
    }
}
