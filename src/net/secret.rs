//! Placeholder.
use crate::state::TokenHash;

pub fn new_token() -> [u8; 32] {
    let mut token = [0; 32];
    getrandom::fill(&mut token).expect("the system has randomness");
    token
}
pub fn token_hash(token: &[u8]) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(&token[..32]);
    TokenHash(hash)
}
