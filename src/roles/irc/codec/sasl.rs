//! The payload of SASL PLAIN (RFC 4616) in the pieces of AUTHENTICATE.
//!
//! ```text
//!   AUTHENTICATE <400 bytes of base64> … AUTHENTICATE <fewer, or +> ──▶ authzid NUL user NUL password
//! ```

use base64ct::{Base64, Encoding};

/// Size of a piece that is followed by another one, in bytes.
const PIECE_BYTES: usize = 400;
/// Maximum size of all pieces together, in bytes: the longest name twice and the longest password fit.
const PAYLOAD_BYTES_MAX: usize = 2_000;

/// Pieces that were received.
#[derive(Default)]
pub struct Payload(String);

/// Step of a log-in by SASL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// More pieces follow.
    More,
    /// User name and password.
    Plain {
        username: String,
        password: String,
    },
    TooLong,
    /// The client gave up.
    Aborted,
    Malformed,
}

impl Payload {
    /// Appends a piece.
    pub fn receive(&mut self, piece: &str) -> Step {
        if piece == "*" {
            return Step::Aborted;
        }
        if piece.len() > PIECE_BYTES || self.0.len() + piece.len() > PAYLOAD_BYTES_MAX {
            return Step::TooLong;
        }
        if piece != "+" {
            self.0.push_str(piece);
        }
        if piece.len() == PIECE_BYTES {
            return Step::More;
        }
        plain(&std::mem::take(&mut self.0)).unwrap_or(Step::Malformed)
    }
}

fn plain(payload: &str) -> Option<Step> {
    let decoded = String::from_utf8(Base64::decode_vec(payload).ok()?).ok()?;
    let [authorized, username, password] = decoded.split('\0').collect::<Vec<_>>()[..] else { return None };
    // No session acts for another account.
    let is_own = authorized.is_empty() || authorized.eq_ignore_ascii_case(username);
    let step = Step::Plain { username: username.to_string(), password: password.to_string() };
    (is_own && !username.is_empty()).then_some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(payload: &str) -> Step {
        let encoded = Base64::encode_string(payload.as_bytes());
        let mut received = Payload::default();
        let mut pieces =
            encoded.as_bytes().chunks(PIECE_BYTES).map(|piece| std::str::from_utf8(piece).unwrap());
        loop {
            match received.receive(pieces.next().unwrap_or("+")) {
                Step::More => {}
                step => return step,
            }
        }
    }

    #[test]
    fn a_name_and_a_password() {
        let step = |password: &str| Step::Plain { username: "ada".into(), password: password.into() };
        assert_eq!(of("\0ada\0croak, croak"), step("croak, croak"));
        assert_eq!(of("Ada\0ada\0x"), step("x"));
        for length in [292, 293, 294, 295, 296, 600] {
            let password = "x".repeat(length);
            assert_eq!(of(&format!("\0ada\0{password}")), step(&password));
        }
        for wrong in ["", "ada", "ada\0x", "\0ada\0x\0y", "bob\0ada\0x", "\0\0x"] {
            assert_eq!(of(wrong), Step::Malformed, "{wrong:?}");
        }
        assert_eq!(of(&format!("\0ada\0{}", "x".repeat(1_500))), Step::TooLong);
        assert_eq!(Payload::default().receive("*"), Step::Aborted);
        assert_eq!(Payload::default().receive("?"), Step::Malformed);
    }
}
