//! The header of an encrypted file: who can read it, and the file key for each of them.

use super::keys::{Identity, Recipient};
use super::{AgeError, MAGIC, cipher, derived};
use crate::common::random::fill;
use base64ct::{Base64Unpadded, Encoding};
use curve25519_dalek::montgomery::MontgomeryPoint;
use ring::aead::{Aad, Nonce};
use ring::hmac;
use std::io::{self, Read};

/// Length of a file key in bytes.
const FILE_KEY: usize = 16;
/// Length of an encrypted file key: with its tag.
const BODY: usize = FILE_KEY + 16;
/// Characters in a full line of a stanza's body. The last line is shorter.
const COLUMNS: usize = 64;
/// Maximum length of a header: more than a hundred recipients.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Length of the salt of a passphrase.
const SALT: usize = 16;
/// Binary logarithm of the work for a passphrase that is set: 32 MiB of memory, which the smallest board has.
const WORK: u8 = 15;
/// Largest accepted work: 256 MiB, as the program `age` sets it.
const WORK_MAX: u8 = 18;
const X25519: &str = "age-encryption.org/v1/X25519";
const SCRYPT: &str = "age-encryption.org/v1/scrypt";

/// Keys or passphrase that a file is encrypted with.
pub(crate) enum Lock {
    Recipients(Vec<Recipient>),
    Passphrase(String),
}

/// Keys or passphrase that a file is decrypted with.
pub(crate) enum Unlock {
    Identities(Vec<Identity>),
    Passphrase(String),
}

/// A file key, and the header that hides it.
pub(super) struct Header {
    pub text: Vec<u8>,
    pub file_key: [u8; FILE_KEY],
}

impl Header {
    /// Makes a new file key and its header.
    pub(super) fn new(lock: &Lock) -> Header {
        let mut file_key = [0; FILE_KEY];
        fill(&mut file_key);
        let mut text = MAGIC.to_vec();
        match lock {
            Lock::Recipients(recipients) => {
                for recipient in recipients {
                    let mut secret = [0; 32];
                    fill(&mut secret);
                    let share = MontgomeryPoint::mul_base_clamped(secret).to_bytes();
                    let shared = MontgomeryPoint(recipient.0).mul_clamped(secret).to_bytes();
                    let key = derived(&shared, &[share, recipient.0].concat(), X25519);
                    let share = Base64Unpadded::encode_string(&share);
                    stanza(&mut text, &format!("X25519 {share}"), &key, file_key);
                }
            }
            Lock::Passphrase(passphrase) => {
                let mut salt = [0; SALT];
                fill(&mut salt);
                let key = stretched(passphrase, &salt, WORK);
                let salt = Base64Unpadded::encode_string(&salt);
                stanza(&mut text, &format!("scrypt {salt} {WORK}"), &key, file_key);
            }
        }
        text.extend(b"---");
        let mac = hmac::sign(&mac_key(&file_key), &text);
        text.extend(format!(" {}\n", Base64Unpadded::encode_string(mac.as_ref())).as_bytes());
        Header { text, file_key }
    }
}

fn stanza(text: &mut Vec<u8>, arguments: &str, key: &[u8; 32], file_key: [u8; FILE_KEY]) {
    let mut body = file_key.to_vec();
    let sealed = cipher(key).seal_in_place_append_tag(zero(), Aad::empty(), &mut body);
    sealed.expect("a file key is short enough");
    text.extend(format!("-> {arguments}\n{}\n", Base64Unpadded::encode_string(&body)).as_bytes());
}

/// One entry of a header that was read.
#[derive(Debug)]
struct Stanza {
    arguments: Vec<String>,
    body: Vec<u8>,
}

/// A header that was read; its MAC is not checked yet.
#[derive(Debug)]
pub(crate) struct ReadHeader {
    stanzas: Vec<Stanza>,
    /// The bytes under the MAC.
    covered: Vec<u8>,
    mac: Vec<u8>,
}

impl ReadHeader {
    /// Reads the header, up to the byte behind it.
    ///
    /// # Errors
    /// `Header` if it is not one, or too long; `Io` if it cannot be read.
    pub(crate) fn read(input: &mut dyn Read) -> Result<ReadHeader, AgeError> {
        let mut lines = Lines { input, read: Vec::new() };
        if lines.next()? != MAGIC.trim_ascii_end() {
            return Err(AgeError::Header);
        }
        let mut stanzas = Vec::new();
        loop {
            let covered = lines.read.len() + "---".len();
            let line = String::from_utf8(lines.next()?).map_err(|_| AgeError::Header)?;
            if let Some(mac) = line.strip_prefix("--- ") {
                let mac = Base64Unpadded::decode_vec(mac).map_err(|_| AgeError::Header)?;
                lines.read.truncate(covered);
                return Ok(ReadHeader { stanzas, covered: lines.read, mac });
            }
            let arguments = line.strip_prefix("-> ").ok_or(AgeError::Header)?;
            let arguments = arguments.split(' ').map(str::to_string).collect();
            let mut body = String::new();
            loop {
                let line = String::from_utf8(lines.next()?).map_err(|_| AgeError::Header)?;
                body.push_str(&line);
                match line.len() {
                    COLUMNS => {}
                    0..COLUMNS => break,
                    _ => return Err(AgeError::Header),
                }
            }
            let body = Base64Unpadded::decode_vec(&body).map_err(|_| AgeError::Header)?;
            stanzas.push(Stanza { arguments, body });
        }
    }

    /// Returns true if the file is encrypted with a passphrase.
    pub(crate) fn has_passphrase(&self) -> bool {
        self.stanzas.iter().any(|stanza| stanza.arguments[0] == "scrypt")
    }

    /// Returns the file key.
    ///
    /// # Errors
    /// `OtherKey`, `Passphrase` or `Work` if it cannot be decrypted; `Header` if the header is damaged.
    pub(super) fn file_key(&self, unlock: &Unlock) -> Result<[u8; FILE_KEY], AgeError> {
        // A passphrase must not be one of several ways to read a file.
        if self.has_passphrase() && self.stanzas.len() != 1 {
            return Err(AgeError::Header);
        }
        let file_key = match unlock {
            Unlock::Identities(identities) => self.with_identities(identities)?.ok_or(AgeError::OtherKey)?,
            Unlock::Passphrase(passphrase) => self.with_passphrase(passphrase)?,
        };
        let checked = hmac::verify(&mac_key(&file_key), &self.covered, &self.mac);
        checked.map(|()| file_key).map_err(|_| AgeError::Header)
    }

    fn with_identities(&self, identities: &[Identity]) -> Result<Option<[u8; FILE_KEY]>, AgeError> {
        // Stanzas of other kinds are for other programs.
        for stanza in self.stanzas.iter().filter(|stanza| stanza.arguments[0] == "X25519") {
            let [_, share] = &stanza.arguments[..] else { return Err(AgeError::Header) };
            let share: [u8; 32] = exact(share)?;
            let body: [u8; BODY] = stanza.body[..].try_into().map_err(|_| AgeError::Header)?;
            for identity in identities {
                let shared = MontgomeryPoint(share).mul_clamped(identity.0).to_bytes();
                if shared == [0; 32] {
                    return Err(AgeError::Header);
                }
                let key = derived(&shared, &[share, identity.recipient().0].concat(), X25519);
                if let Some(file_key) = opened(&key, body) {
                    return Ok(Some(file_key));
                }
            }
        }
        Ok(None)
    }

    fn with_passphrase(&self, passphrase: &str) -> Result<[u8; FILE_KEY], AgeError> {
        let [Stanza { arguments, body }] = &self.stanzas[..] else { return Err(AgeError::Header) };
        let [_, salt, work] = &arguments[..] else { return Err(AgeError::Header) };
        let salt: [u8; SALT] = exact(salt)?;
        let body: [u8; BODY] = body[..].try_into().map_err(|_| AgeError::Header)?;
        let work = match work.parse::<u8>() {
            Ok(number) if number.to_string() == *work && number > 0 => number,
            _ => return Err(AgeError::Header),
        };
        if work > WORK_MAX {
            return Err(AgeError::Work(work));
        }
        opened(&stretched(passphrase, &salt, work), body).ok_or(AgeError::Passphrase)
    }
}

/// The lines of a header, read byte for byte, since what follows is not text.
struct Lines<'a> {
    input: &'a mut dyn Read,
    /// Everything so far.
    read: Vec<u8>,
}

impl Lines<'_> {
    /// Returns the next line without its end.
    fn next(&mut self) -> Result<Vec<u8>, AgeError> {
        let begin = self.read.len();
        let mut byte = [0];
        while self.read.len() < HEADER_BYTES_MAX {
            match self.input.read_exact(&mut byte) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(AgeError::Header),
                other => other?,
            }
            self.read.extend(byte);
            if byte == *b"\n" {
                return Ok(self.read[begin..self.read.len() - 1].to_vec());
            }
        }
        Err(AgeError::Header)
    }
}

fn exact<const LENGTH: usize>(text: &str) -> Result<[u8; LENGTH], AgeError> {
    let bytes = Base64Unpadded::decode_vec(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(AgeError::Header)
}

fn opened(key: &[u8; 32], mut body: [u8; BODY]) -> Option<[u8; FILE_KEY]> {
    let plain = cipher(key).open_in_place(zero(), Aad::empty(), &mut body).ok()?;
    (*plain).try_into().ok()
}

/// Returns the nonce of a key that is used once.
fn zero() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn stretched(passphrase: &str, salt: &[u8; SALT], work: u8) -> [u8; 32] {
    let mut key = [0; 32];
    let parameters = scrypt::Params::new(work, 8, 1, key.len()).expect("within the bounds of scrypt");
    let salt = [SCRYPT.as_bytes(), salt].concat();
    scrypt::scrypt(passphrase.as_bytes(), &salt, &parameters, &mut key).expect("a length within its bounds");
    key
}

fn mac_key(file_key: &[u8; FILE_KEY]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &derived(file_key, &[], "header"))
}
