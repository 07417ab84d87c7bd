//! Unguessable random values: session tokens, codes of one-time links, and request ids.
//!
//! The client makes the token of its session. It sends only a hash of the token to the servers, and they store only a hash
//! of that. So neither the log nor a stolen disk opens a session. The token has 256 random bits, for which a fast hash is
//! enough.

use blake2::{Blake2s256, Digest};
use ribbit_state::{RequestId, TokenHash};

/// Size of a session token, in bytes.
pub const TOKEN_BYTES: usize = 32;

/// Size of the code of a one-time link, in bytes.
pub const CODE_BYTES: usize = 16;

/// Returns a new session token. The client keeps it and sends its [`token_hash`] to the servers.
pub fn new_token() -> [u8; TOKEN_BYTES] {
    let mut token = [0; TOKEN_BYTES];
    fill(&mut token);
    token
}

/// Returns a new code for a one-time link. Its [`token_hash`] is sent to the servers.
pub fn new_code() -> [u8; CODE_BYTES] {
    let mut code = [0; CODE_BYTES];
    fill(&mut code);
    code
}

/// Encodes a token or code for a cookie, a file or an address, as lower case hexadecimal digits.
pub fn to_hex(secret: &[u8]) -> String {
    secret.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decodes a token from hexadecimal digits, or returns `None` for any other text.
pub fn from_hex(text: &str) -> Option<[u8; TOKEN_BYTES]> {
    bytes_from_hex(text)
}

/// Decodes the code of a one-time link and returns its hash, or `None` for any other text.
pub fn code_hash(text: &str) -> Option<TokenHash> {
    bytes_from_hex::<CODE_BYTES>(text.trim()).map(|code| token_hash(&code))
}

fn bytes_from_hex<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    if text.len() != 2 * LENGTH || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Returns the hash of a session token that the client sends to the servers.
pub fn token_hash(token: &[u8]) -> TokenHash {
    TokenHash(Blake2s256::digest(token).into())
}

/// Returns the hash of a token hash that the servers store.
pub fn stored_token(shown: TokenHash) -> TokenHash {
    token_hash(&[b"ribbit session ", &shown.0[..]].concat())
}

/// Returns the secret of the feed address that a session makes with this request. A form that is sent again, through whichever
/// web process, makes the same one, and only who has the session can know it.
pub fn feed_secret(session: TokenHash, request: RequestId) -> [u8; TOKEN_BYTES] {
    token_hash(&[b"ribbit feed ", &session.0[..], &request.0.to_le_bytes()].concat()).0
}

/// Returns a new request id, for a write that is not a retry.
pub fn new_request_id() -> RequestId {
    let mut id = [0; 16];
    fill(&mut id);
    RequestId(u128::from_le_bytes(id))
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the kernel gives random bytes once it has booted");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_decoded_from_hex() {
        let token = new_token();
        assert_eq!(from_hex(&to_hex(&token)), Some(token));
        for wrong in ["", "00", &"g".repeat(64), &"+1".repeat(32), &"ä".repeat(32)] {
            assert_eq!(from_hex(wrong), None, "{wrong:?}");
        }
        let code = new_code();
        assert_eq!(code_hash(&to_hex(&code).to_uppercase()), Some(token_hash(&code)));
        assert_eq!(code_hash(&to_hex(&token)), None);
    }

    #[test]
    fn tokens_are_random_and_their_hashes_are_stable() {
        let (one, other) = (new_token(), new_token());
        assert_ne!(one, other);
        assert_eq!(token_hash(&one), token_hash(&one));
        assert_ne!(token_hash(&one), token_hash(&other));
        assert_ne!(token_hash(&one).0, one);
        assert_ne!(new_request_id(), new_request_id());
    }

    /// Sessions are stored under this hash, so it must never change.
    #[test]
    fn the_hash_is_blake2s_256() {
        let hash = token_hash(b"abc").0;
        assert_eq!(hash[..4], [0x50, 0x8c, 0x5e, 0x8c]);
        assert_eq!(
            stored_token(TokenHash([7; 32])),
            token_hash(&[&b"ribbit session "[..], &[7; 32]].concat())
        );
    }
}
