//! `ribbit client irc`: serves IRC clients as one more front of the cluster. Rooms are channels, direct messages are messages.
//!
//! ```text
//!   IRC client ──▶ accept ──▶ tls? ──▶ intake: lines ──▶ registration ──▶ conversation ──▶ operations ──▶ a backend
//!                                                         (who it is)      │        ▲
//!                                          output ◀── lines ◀──────────────┘        └── live events, from their cursor
//! ```
//!
//! - [`arguments`]: flags; [`limits`]: every limit
//! - [`codec`]: lines and messages, pure
//! - [`transport`]: a connection, encrypted or not: lines in at a bounded rate, whole writes out
//! - [`registration`]: capabilities and log-in; [`capabilities`]: what a client asked for; [`replies`]: numerics and refusals
//! - [`conversation`]: a client that has logged in
//!
//! No state is kept but that of the connections, so any number of these processes may run. A request waits while no leader decides
//! it, under one request id, so each line is posted once; what is new is read behind the last line that was shown, so each is
//! shown once, whichever backend answers.

pub(crate) mod arguments;
mod capabilities;
pub mod codec;
mod conversation;
mod limits;
mod registration;
mod replies;
mod transport;

use crate::common::failure::Failure;
use crate::common::service::connection::Connection;
use crate::common::service::{self, Connections, Service, is_loopback};
use crate::common::shutdown::Shutdown;
use crate::common::systemd;
use crate::common::tls::{ServerTls, reload_on_hangup};
use crate::operations::Operations;
use crate::operations::requests::Requests;
use arguments::IrcOptions;
use async_signal::{Signal, Signals};
use conversation::Conversation;
use limits::STOP_PATIENCE;
use ribbit_net::frame::Plane;
use ribbit_net::tasks;
use smol::Timer;
use smol::future::{Boxed, or};
use std::io;
use std::sync::Arc;
use transport::Transport;

/// Name of the server in lines to clients.
const SERVER: &str = "irc.ribbit";
/// Host of all people in lines to clients, which hides their addresses.
const HOST: &str = "ribbit";
/// Name of the network that clients show.
const NETWORK: &str = "ribbit";
/// Name of the device in people's lists of sessions.
const DEVICE: &str = "An IRC client";
/// Name of IRC in the negotiation of the protocol (ALPN).
const ALPN: &[u8] = b"irc";

/// Reason why a connection ends.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The client has closed its side, or does not take what is written.
    #[error("{0}")]
    Lost(#[from] io::Error),
    /// The client is told why in an ERROR line.
    #[error("{0}")]
    Told(String),
}

impl End {
    fn stopped() -> End {
        End::Told("The server is being stopped; reconnect in a moment".to_string())
    }

    fn session_ended() -> End {
        End::Told("Your session has ended; log in again".to_string())
    }
}

/// The service of all connections.
struct Irc {
    operations: Operations,
    tls: Option<ServerTls>,
}

/// Serves IRC until `stop`, then completes the requests in progress.
///
/// # Errors
/// `Refused` if the port is taken, `Configuration` (78) if certificate or key is invalid.
pub(crate) async fn run(options: IrcOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let IrcOptions { listen, tls, servers, keys } = options;
    let tls = tls.map(|files| ServerTls::read(files, ALPN)).transpose()?;
    let listener = service::bind(&listen, "listen").await?;
    if tls.is_none() && !is_loopback(&listen) {
        log::warn!("{listen}: passwords and messages cross the network without encryption");
    }
    // Before the first connection: an unhandled SIGHUP ends the process.
    let hangups = Signals::new([Signal::Hup]);
    let scheme = if tls.is_some() { "ircs" } else { "irc" };
    let words = match listener.local_addr() {
        Ok(address) => format!("serving {scheme}://{address}"),
        Err(error) => format!("serving {scheme} at an unknown address: {error}"),
    };
    let operations = Operations::new(Requests::on(Plane::Client, servers, keys), DEVICE);
    let irc = Arc::new(Irc { operations, tls });
    let (shutdown, connections): (Arc<Shutdown>, Arc<Connections>) = Default::default();
    let accepting =
        tasks::spawn(service::accept(listener, 0, irc.clone(), shutdown.clone(), connections.clone()));
    log::info!("{words}");
    let reload = reload_on_hangup(irc.tls.as_ref(), hangups);
    or(stop, or(systemd::serving(|| words.clone()), reload)).await;
    connections.end(&shutdown).await;
    drop(accepting);
    log::info!("stopped serving");
    Ok(())
}

impl Service for Irc {
    fn serve(self: Arc<Self>, connection: Connection) -> Boxed<()> {
        Box::pin(async move {
            if let Some(transport) = Transport::open(&connection, self.tls.as_ref()).await {
                self.talk(transport, &connection).await;
            }
            connection.finish().await;
        })
    }

    fn refusal(&self, _: usize) -> &'static [u8] {
        // An encrypted client could not read it.
        if self.tls.is_some() { b"" } else { b"ERROR :Too many connections from your address\r\n" }
    }
}

impl Irc {
    /// Serves a connection to its end.
    async fn talk(self: &Arc<Self>, mut transport: Transport, connection: &Connection) {
        let mut opened = None;
        let served = async {
            let registered = registration::register(self, &mut transport, connection.from, &mut opened);
            let stopped = async {
                connection.stopping().await;
                Err(End::stopped())
            };
            let logged_in = or(registered, stopped).await?;
            Conversation::begin(self, &mut transport, connection, logged_in).await?.serve().await
        };
        // A conversation ends between two lines of the client, if the servers answer in time.
        let late = async {
            connection.stopping().await;
            Timer::after(STOP_PATIENCE).await;
            Err(End::stopped())
        };
        let ended = or(served, late).await;
        if let Err(End::Told(words)) = &ended {
            transport.output.error(words);
            let _ = transport.output.flush().await;
        }
        log::debug!("connection ended: {ended:?}");
        // A session belongs to one connection: an account has a limited number of them.
        if let Some(session) = opened
            && let Err(refusal) = self.operations.end(session).await
        {
            log::debug!("a session was not ended: {refusal}");
        }
        transport.output.close().await;
    }
}
