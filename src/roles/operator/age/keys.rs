//! Keys of recipients: `age1…` to encrypt, `AGE-SECRET-KEY-1…` to decrypt. Both are 32 bytes in Bech32.

use crate::common::random::fill;
use bech32::{Bech32, Hrp};
use curve25519_dalek::montgomery::MontgomeryPoint;
use std::fmt;
use std::str::FromStr;

const RECIPIENT: Hrp = Hrp::parse_unchecked("age");
const IDENTITY: Hrp = Hrp::parse_unchecked("age-secret-key-");
/// Maximum number of keys in a file of keys.
const IDENTITIES_MAX: usize = 20;

/// A public key, for which files are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipient(pub(super) [u8; 32]);

impl FromStr for Recipient {
    type Err = String;

    fn from_str(text: &str) -> Result<Recipient, String> {
        let read = decoded(RECIPIENT, text).map(Recipient);
        read.ok_or_else(|| {
            "that is no public key of age: one has 62 characters and begins with age1".to_string()
        })
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32::encode::<Bech32>(RECIPIENT, &self.0).expect("32 bytes are short enough"))
    }
}

/// A secret key, which decrypts files.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity(pub(super) [u8; 32]);

impl Identity {
    /// Returns a new key.
    pub(crate) fn random() -> Identity {
        let mut bytes = [0; 32];
        fill(&mut bytes);
        Identity(bytes)
    }

    /// Returns the public key.
    pub(crate) fn recipient(&self) -> Recipient {
        Recipient(MontgomeryPoint::mul_base_clamped(self.0).to_bytes())
    }

    /// Returns the text of the key, which is secret.
    pub(crate) fn secret_text(&self) -> String {
        bech32::encode_upper::<Bech32>(IDENTITY, &self.0).expect("32 bytes are short enough")
    }
}

/// Shows the public key only.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.recipient())
    }
}

/// Reads a file of secret keys: one in each line, besides empty lines and comments.
///
/// # Errors
/// A sentence with the number of the line that is none of these, or if there are no keys or too many.
pub(crate) fn identities(text: &str) -> Result<Vec<Identity>, String> {
    let mut found = Vec::new();
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = decoded(IDENTITY, line).map(Identity);
        found.push(key.ok_or_else(|| format!("line {number} is no secret key of age (AGE-SECRET-KEY-1…)"))?);
    }
    match found.len() {
        0 => Err("it has no secret key of age (AGE-SECRET-KEY-1…)".to_string()),
        1..=IDENTITIES_MAX => Ok(found),
        _ => Err(format!("it has more than {IDENTITIES_MAX} keys")),
    }
}

fn decoded(expected: Hrp, text: &str) -> Option<[u8; 32]> {
    let checked = bech32::primitives::decode::CheckedHrpstring::new::<Bech32>(text).ok()?;
    let bytes: Vec<u8> = (checked.hrp() == expected).then(|| checked.byte_iter().collect())?;
    bytes.try_into().ok()
}
