//! Encrypted files in the format of age, version 1 (age-encryption.org/v1). The program `age` reads what is written here, and the
//! other way round.
//!
//! ```text
//!   age-encryption.org/v1
//!   -> X25519 SHARE          one stanza for each recipient, or a single one for a passphrase:
//!   BODY                     the file key, encrypted
//!   --- MAC                  over the header, with a key that follows from the file key
//!   NONCE CHUNK CHUNK …      64 KiB each, sealed with ChaCha20-Poly1305; the last one is marked
//! ```
//!
//! - [`keys`]: keys of recipients and their texts; [`header`]: the text above; [`stream`]: the chunks
//!
//! Written by hand over ring and curve25519-dalek, because the crate `age` adds 400 KB to the binary (decision 22).

mod header;
mod keys;
mod stream;

pub(crate) use header::{Lock, ReadHeader, Unlock};
pub(crate) use keys::{Identity, Recipient, identities};
pub(crate) use stream::{Opened, Sealed};

use std::io;

/// First line of an encrypted file.
pub(crate) const MAGIC: &[u8] = b"age-encryption.org/v1\n";

/// Reason why an encrypted file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgeError {
    #[error("it is encrypted, and its header is damaged")]
    Header,
    #[error("it is encrypted for another key")]
    OtherKey,
    #[error("the passphrase is wrong")]
    Passphrase,
    #[error("its passphrase needs more memory than this program gives it (work factor {0})")]
    Work(u8),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Returns 32 bytes of HKDF-SHA256.
fn derived(key: &[u8], salt: &[u8], info: &str) -> [u8; 32] {
    struct Length;
    impl ring::hkdf::KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }
    let mut out = [0; 32];
    let secret = ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA256, salt).extract(key);
    let info = [info.as_bytes()];
    let filled = secret.expand(&info, Length).and_then(|okm| okm.fill(&mut out));
    filled.expect("32 bytes are within the bounds of HKDF");
    out
}

fn cipher(key: &[u8; 32]) -> ring::aead::LessSafeKey {
    let key = ring::aead::UnboundKey::new(&ring::aead::CHACHA20_POLY1305, key);
    ring::aead::LessSafeKey::new(key.expect("the key has the length of the cipher's"))
}

#[cfg(test)]
mod tests;
