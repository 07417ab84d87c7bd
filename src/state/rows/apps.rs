//! Rows of apps and of the codes that people give them.

use crate::ids::{AccountId, AppId, LogIndex, TokenHash};
use crate::scopes::Scopes;
use serde::{Deserialize, Serialize};

/// App of a session, and what the person lets it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppAccess {
    pub app: AppId,
    pub scopes: Scopes,
}

/// A program that uses the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    pub name: String,
    /// http or https address; may be empty.
    pub website: String,
    /// Addresses that a person may be sent back to, at most `REDIRECTS_MAX`.
    pub redirects: Vec<String>,
    /// Scopes that it may ask for.
    pub scopes: Scopes,
    /// Hash of the key that only the app knows.
    pub key: TokenHash,
    /// True once a person has logged in with it.
    pub authorised: bool,
    /// Index of the last such log-in, or of the registration: with `authorised` its key in `AppOrder`.
    pub used: LogIndex,
}

/// Authorisation code: a person's consent, which the app exchanges for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppCode {
    pub account: AccountId,
    /// Index at which it was made: its key in `AppCodesOf`.
    pub made: LogIndex,
    /// Cluster age at which it was made, from which its age counts.
    pub made_age_ms: u64,
    pub access: AppAccess,
    /// Position of the redirect address in [`App::redirects`].
    pub redirect: u8,
    /// SHA-256 of the verifier that the app has to show (PKCE).
    pub challenge: Option<[u8; 32]>,
    /// Session that it was exchanged for. A second exchange ends it.
    pub session: Option<TokenHash>,
}
