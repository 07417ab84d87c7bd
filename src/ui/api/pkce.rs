//! PKCE (RFC 7636): the app that starts a log-in proves that it is the one that ends it.
//!
//! The challenge comes with the start, the verifier with the end. Both methods lead to the same proof, the SHA-256 of the verifier, so
//! the rules compare one value and know of no method.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

/// Returns the proof of a verifier. `None` if it is none: 43 to 128 letters, digits, `-`, `.`, `_` or `~`.
pub fn proof(verifier: &str) -> Option<[u8; 32]> {
    let fits = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    fits.then(|| Sha256::digest(verifier).into())
}

/// Returns the proof that a challenge asks for. Without a method it is `plain`. `None` for another method or a challenge that no
/// verifier meets.
pub fn expected(challenge: &str, method: Option<&str>) -> Option<[u8; 32]> {
    match method {
        Some("S256") => {
            let challenge = challenge.trim_end_matches('=');
            Base64UrlUnpadded::decode_vec(challenge).ok()?.try_into().ok()
        }
        None | Some("plain") => proof(challenge),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn both_methods_lead_to_one_proof() {
        let proof = proof(VERIFIER);
        assert!(proof.is_some());
        assert_eq!(expected(CHALLENGE, Some("S256")), proof);
        assert_eq!(expected(&format!("{CHALLENGE}="), Some("S256")), proof);
        assert_eq!(expected(VERIFIER, Some("plain")), proof);
        assert_eq!(expected(VERIFIER, None), proof);
        assert_ne!(expected(CHALLENGE, None), proof, "a challenge is no verifier");
    }

    #[test]
    fn anything_else_is_none() {
        let long = "a".repeat(129);
        for wrong in ["", "short", &long, "dBjftJeZ4CVP+mB92K27uhbUJU1p1r/wW1gFWFOEjXk", &"ä".repeat(30)] {
            assert_eq!((proof(wrong), expected(wrong, Some("S256"))), (None, None), "{wrong}");
        }
        assert_eq!(expected(CHALLENGE, Some("S512")), None);
    }
}
