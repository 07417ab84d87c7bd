//! Sessions as they are stored: hashed once more than they travel.
//!
//! ```text
//!   token, the asker's own ── hash ──▶ what is shown to a node ── hash ──▶ the log, the rows, a backup
//! ```
//!
//! What a node is shown opens the session, so it must not be what lies on its disk: whoever reads a card, a log or a
//! backup shows what is written there and is nobody. Done once, where a question comes in, before anything looks at it;
//! what members forward to each other is hashed already.
//!
//! Tokens of leases are not: they belong to programs, end with them, and open nothing that people wrote.

use crate::net::protocol::Ask;
use crate::net::secret::stored_token;
use crate::state::{TokenHash, Wanted};

fn hash(session: &mut TokenHash) {
    *session = stored_token(*session);
}

/// The question as the rules know those who ask it.
pub fn stored(mut ask: Ask) -> Ask {
    match &mut ask {
        Ask::Write(request) => {
            request.command.session_mut().map(hash);
        }
        Ask::Read { query, .. } => {
            query.session_mut().map(hash);
        }
        Ask::LogIn { token, .. } => hash(token),
        Ask::DeleteAccount { session, .. } | Ask::ChangePassword { session, .. } => hash(session),
        // `Service::stream` does not come by here.
        Ask::Subscribe { wanted, .. } => stored_wanted(wanted),
        Ask::NodeStatus
        | Ask::Join { .. }
        | Ask::Lose { .. }
        | Ask::Drain { .. }
        | Ask::Transfer { .. }
        | Ask::CreateAccount { .. }
        | Ask::Renew { .. }
        | Ask::GetServer { .. }
        | Ask::History
        | Ask::Directory(_)
        | Ask::SetPassword { .. }
        | Ask::Pin(_) => {}
    }
    ask
}

/// The same of what somebody wants to follow.
pub fn stored_wanted(wanted: &mut Wanted) {
    match wanted {
        Wanted::Feed { session } => hash(session),
        Wanted::Tree { .. } => {}
    }
}
