//! Session tokens, and the codes of one-time links, as stored: hashed once more than they are sent.
//!
//! ```text
//!   the client's token ── hash ──▶ the token on the wire ── hash ──▶ the token in the log, the rows, a backup
//! ```
//!
//! The token on the wire opens the session, so it must not be on a disk: a copy of a card, a log or a backup does not open
//! any session. The second hash is taken once, where a request comes in, before any other code reads it. Requests that
//! members forward to each other are already hashed.
//!
//! Lease tokens are stored as sent. They belong to programs, end with them, and give no access to user data.

use ribbit_net::protocol::Ask;
use ribbit_net::secret::stored_token;
use ribbit_state::{TokenHash, Topic};

fn hash(secret: &mut TokenHash) {
    *secret = stored_token(*secret);
}

/// Replaces the session token or code in a request by its stored form.
pub(crate) fn stored(mut ask: Ask) -> Ask {
    match &mut ask {
        Ask::Write(request) => {
            request.command.for_each_secret(hash);
        }
        Ask::Read { query, .. } => {
            query.secret_mut().map(hash);
        }
        Ask::LogIn { token, app, .. } => {
            hash(token);
            app.iter_mut().for_each(|app| hash(&mut app.key));
        }
        Ask::ResetPassword { code, .. } => hash(code),
        Ask::CreateAccount { form, .. } => form.invitation.iter_mut().for_each(hash),
        Ask::DeleteAccount { session, .. }
        | Ask::ChangePassword { session, .. }
        | Ask::Confirm { session, .. } => hash(session),
        // Normally handled by `NodeService::stream`, which calls `stored_wanted` itself.
        Ask::Subscribe { wanted, .. } => stored_wanted(wanted),
        Ask::NodeStatus
        | Ask::Join { .. }
        | Ask::Lose { .. }
        | Ask::Transfer { .. }
        | Ask::Renew { .. }
        | Ask::GetServer { .. }
        | Ask::History
        | Ask::Directory(_)
        | Ask::SetPassword { .. }
        | Ask::NewestKey
        | Ask::TakeKey(_)
        | Ask::Pin(_) => {}
    }
    ask
}

/// Replaces the session token in a subscription by its stored form.
pub(crate) fn stored_wanted(wanted: &mut Topic) {
    match wanted {
        Topic::Feed { session, .. } => hash(session),
        Topic::Tree { .. } => {}
    }
}
