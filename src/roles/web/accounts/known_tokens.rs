//! Bearer tokens that were lately used at this process, with what it would otherwise ask the servers before each request.
//!
//! The permissions of a token never change, and every read and write carries the session, so a token that has ended is refused by the
//! servers although it is known here. Programs keep no cookies: the newest state that a token's owner has seen is kept here, so that
//! programs, too, read what they have just written.

use ribbit_state::sync::MutexExt;
use ribbit_state::{Scopes, Token, TokenHash};
use std::collections::HashMap;
use std::sync::Mutex;

/// Maximum number of tokens that are known. The one that was not used for longest goes.
const TOKENS_KNOWN_MAX: usize = 4096;

#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct KnownToken {
    pub(in crate::web) scopes: Scopes,
    /// Newest state that was shown to the token's owner.
    pub(in crate::web) seen: Option<Token>,
}

#[derive(Default)]
struct Tokens {
    known: HashMap<TokenHash, (u64, KnownToken)>,
    /// Number of uses: the clock of the entries.
    uses: u64,
}

#[derive(Default)]
pub(in crate::web) struct KnownTokens(Mutex<Tokens>);

impl KnownTokens {
    /// Returns what is known about the session of a token.
    pub(in crate::web) fn get(&self, session: TokenHash) -> Option<KnownToken> {
        self.0.locked().known.get(&session).map(|(_, token)| *token)
    }

    /// Notes a use of a token. The newest state that was shown stays known when a slower call shows an older one.
    pub(in crate::web) fn note(&self, session: TokenHash, token: KnownToken) {
        let mut tokens = self.0.locked();
        let known = tokens.known.get(&session).and_then(|(_, known)| known.seen);
        let newer = known.filter(|known| token.seen.is_none_or(|seen| seen.is_before(*known)));
        let token = KnownToken { seen: newer.or(token.seen), ..token };
        tokens.uses += 1;
        let now = tokens.uses;
        if tokens.known.len() >= TOKENS_KNOWN_MAX && !tokens.known.contains_key(&session) {
            let oldest = tokens.known.iter().min_by_key(|(_, (used, _))| *used).map(|(session, _)| *session);
            oldest.and_then(|session| tokens.known.remove(&session));
        }
        tokens.known.insert(session, (now, token));
    }

    /// Forgets a token that the servers have refused.
    pub(in crate::web) fn forget(&self, session: TokenHash) {
        self.0.locked().known.remove(&session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::HistoryId;

    #[test]
    fn the_token_that_was_not_used_for_longest_goes() {
        let tokens = KnownTokens::default();
        let nth = |n: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_le_bytes());
            TokenHash(hash)
        };
        let known = KnownToken { scopes: Scopes::all(), seen: None };
        (0..TOKENS_KNOWN_MAX).for_each(|n| tokens.note(nth(n), known));
        tokens.note(nth(0), known);
        tokens.note(nth(TOKENS_KNOWN_MAX), known);
        assert!(tokens.get(nth(0)).is_some() && tokens.get(nth(1)).is_none());
        tokens.forget(nth(0));
        assert!(tokens.get(nth(0)).is_none());
    }

    #[test]
    fn what_was_seen_goes_back_in_another_history_alone() {
        let (tokens, session) = (KnownTokens::default(), TokenHash([7; 32]));
        let seen = |history, index| {
            let seen = Some(Token { history: HistoryId(history), index });
            tokens.note(session, KnownToken { scopes: Scopes::all(), seen });
            tokens.get(session).and_then(|token| token.seen).map(|seen| (seen.history.0, seen.index))
        };
        assert_eq!(seen(1, 100), Some((1, 100)));
        assert_eq!(seen(1, 90), Some((1, 100)));
        assert_eq!(seen(2, 5), Some((2, 5)));
    }
}
