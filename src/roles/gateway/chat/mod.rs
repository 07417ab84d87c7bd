//! The wire-protocol chat: a connection is at most one person, and its end is their log-out.
//!
//! ```text
//!   socket ──▶ intake: reads eagerly ── requests, end ──▶ conversation ──▶ operations
//!   socket ◀── replies and chats, each with one write ◀───────┘    ▲
//!                                                   news of messages, marks that are due
//! ```
//!
//! - [`codec`]: requests and replies as bytes; [`intake`]: reading a connection; [`conversation`]: one connection;
//!   [`delivery`]: what waits for a person, exactly once
//! - Clients send and hang up at once and come back through another port within a millisecond. So nothing is refused because
//!   of a change that may be on its way: [`LOOK_AGAIN`], [`changes`].
//! - The client takes its name from replies and comes back with it, so only names that it reads correctly exist.

mod changes;
pub mod codec;
mod conversation;
mod delivery;
mod intake;

use super::limits::LEASE;
use super::operations::GatewayOperations;
use super::protocol::Context;
use crate::common::service::Service;
use crate::common::service::connection::Connection;
use changes::Changes;
use smol::future::Boxed;
use std::sync::Arc;
use std::time::Duration;

/// Name of the protocol.
pub(super) const NAME: &str = "chat";
/// Time for which a change that is on its way may still remove the reason of a refusal.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// Time for which a refusal waits at most while changes are on their way through this gateway.
const CHANGES_MAX: Duration = Duration::from_secs(5);
/// Pause between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Time for which a resumed person may still be online through a gateway that has died: its lease, and a time for the leader to
/// notice.
const RESUME_PATIENCE: Duration = LEASE.saturating_mul(3);
/// Time for which a new person may be online under the name of one who was just deleted.
const CREATE_PATIENCE: Duration = Duration::from_secs(2);
/// Time after which a connection without a log-in ends that has said nothing.
const IDLE_MAX: Duration = Duration::from_secs(600);
/// Time that the client has to close the connection after it has logged out.
const EXIT_MAX: Duration = Duration::from_secs(1);
/// Maximum number of requests of a connection that wait for their turn. A client that sends more is read no further.
const REQUESTS_WAITING_MAX: usize = 64;

/// Service of the chat.
struct Chat {
    operations: Arc<GatewayOperations>,
    /// Accounts that are being created or deleted, and connections whose end has arrived.
    changes: Arc<Changes>,
}

/// Starts the service.
pub(super) fn start(context: Context) -> Arc<dyn Service> {
    Arc::new(Chat { operations: context.operations, changes: Arc::default() })
}

impl Service for Chat {
    fn serve(self: Arc<Self>, connection: Connection) -> Boxed<()> {
        Box::pin(async move { conversation::run(&self, connection).await })
    }

    fn refusal(&self, _: usize) -> &'static [u8] {
        // The client tries its next port.
        b""
    }
}
