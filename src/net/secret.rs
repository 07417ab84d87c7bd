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
    labelled(b"ribbit session ", &shown.0)
}

/// Returns the hash of the bearer token of an app's session that is sent to the servers. It is another one than that of the same token
/// in a cookie, so an app's token opens no page, and a browser's token is no bearer.
pub fn bearer_hash(token: &[u8]) -> TokenHash {
    labelled(b"ribbit bearer ", token)
}

/// Returns the hash of an authorisation code that is sent to the servers.
pub fn app_code_hash(code: &[u8]) -> TokenHash {
    labelled(b"ribbit code ", code)
}

/// Returns the token with which an app acts for itself. It follows from the app's secret, so that it needs no row.
pub fn app_token(secret: &[u8]) -> [u8; TOKEN_BYTES] {
    labelled(b"ribbit app token ", secret).0
}

/// Returns the key of an app that is sent to the servers, from the [token](app_token) of the app.
pub fn app_key(app_token: &[u8]) -> TokenHash {
    labelled(b"ribbit app key ", app_token)
}

/// Returns the request id that follows from a session and the `Idempotency-Key` of a request, the same on every server.
pub fn request_id_of(session: TokenHash, key: &[u8]) -> RequestId {
    let TokenHash(hash) = labelled(&[b"ribbit request ", &session.0[..]].concat(), key);
    RequestId(u128::from_le_bytes(*hash.first_chunk().expect("a hash has 32 bytes")))
}

fn labelled(label: &[u8], secret: &[u8]) -> TokenHash {
    token_hash(&[label, secret].concat())
}

/// Returns the secret that a session makes with this request. A form that is sent again, through whichever web process, makes the
/// same one, and only who has the session can know it.
fn made_by(label: &[u8], session: TokenHash, request: RequestId) -> [u8; TOKEN_BYTES] {
    labelled(&[label, &session.0].concat(), &request.0.to_le_bytes()).0
}

/// Returns the beginning of such a secret, as long as the code of a link.
fn code_by(label: &[u8], session: TokenHash, request: RequestId) -> [u8; CODE_BYTES] {
    *made_by(label, session, request).first_chunk().expect("a secret is longer than a code")
}

/// Returns the secret of the feed address that a session makes with this request.
pub fn feed_secret(session: TokenHash, request: RequestId) -> [u8; TOKEN_BYTES] {
    made_by(b"ribbit feed ", session, request)
}

/// Returns the code of the invitation that a session makes with this request.
pub fn invitation_code(session: TokenHash, request: RequestId) -> [u8; CODE_BYTES] {
    code_by(b"ribbit invitation ", session, request)
}

/// Returns the code of the one-time link that a session makes with this request.
pub fn link_code(session: TokenHash, request: RequestId) -> [u8; CODE_BYTES] {
    code_by(b"ribbit link ", session, request)
}

/// Returns a new request id, for a write that is not a retry.
pub fn new_request_id() -> RequestId {
    let mut id = [0; 16];
    fill(&mut id);
    RequestId(u128::from_le_bytes(id))
}

pub(super) fn fill(bytes: &mut [u8]) {
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
        let hashes = [
            token_hash(&one),
            bearer_hash(&one),
            app_code_hash(&one),
            app_key(&one),
            TokenHash(app_token(&one)),
        ];
        let different: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(different.len(), hashes.len(), "a secret of one kind is none of another");
        let session = token_hash(&one);
        assert_eq!(request_id_of(session, b"key"), request_id_of(session, b"key"));
        assert_ne!(request_id_of(session, b"key"), request_id_of(session, b"yek"));
        assert_ne!(request_id_of(session, b"key"), request_id_of(token_hash(&other), b"key"));
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
