//! The accept loop that all protocols share.
//!
//! ```text
//!   a free slot of the listener ──▶ accept ──▶ slot of the address ──▶ a task: Service::serve
//! ```
//!
//! - A listener without a free slot does not accept: its clients wait in the kernel, and none is refused.
//! - A connection beyond the limit of its address gets the protocol's refusal and is closed, so that one client does not take
//!   all slots. Connections of this machine are not limited by address.

use super::connection::Connection;
use super::limits::{ACCEPT_BACKLOG, ACCEPT_PAUSE, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX};
use super::protocol::{Protocol, Service};
use crate::common::failure::{Exit, Failure};
use crate::common::shutdown::Shutdown;
use async_net::{TcpListener, TcpStream};
use ribbit_net::address_limit::AddressLimit;
use ribbit_net::{socket, tasks};
use smol::Timer;
use smol::io::AsyncWriteExt;
use smol::lock::Semaphore;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Connections of the whole role, so that its end can wait for them.
#[derive(Default)]
pub(super) struct Connections {
    open: AtomicUsize,
    ended: event_listener::Event,
}

/// A connection in the count.
struct Counted(Arc<Connections>);

impl Connections {
    fn enter(self: &Arc<Self>) -> Counted {
        self.open.fetch_add(1, Ordering::SeqCst);
        Counted(self.clone())
    }

    /// Waits until no connection is left.
    pub(super) async fn all_ended(&self) {
        loop {
            // Listening begins before the look, so that an end in between is noticed.
            let ended = self.ended.listen();
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.notify(usize::MAX);
    }
}

/// Binds one listener of a protocol.
///
/// # Errors
/// `Refused`, naming the address and the flag, if the port is taken or the address is not of this machine.
pub(super) async fn bind(protocol: &Protocol, listen: &str) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::AddrInUse => "the port is taken".to_string(),
            _ => error.to_string(),
        };
        let message = format!("cannot listen on {listen}: {what}; choose another with --{}", protocol.name);
        Failure::new(Exit::Refused, message)
    })?;
    socket::set_backlog(&listener, ACCEPT_BACKLOG);
    Ok(listener)
}

/// Accepts connections for ever. `position` is that of the listener in the protocol's flag.
pub(super) async fn accept(
    listener: TcpListener,
    position: usize,
    service: Arc<dyn Service>,
    shutdown: Arc<Shutdown>,
    connections: Arc<Connections>,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let addresses = AddressLimit::new(CONNECTIONS_PER_ADDRESS_MAX);
    // True while accepting fails, so that a repeated error is logged once.
    let mut failing = false;
    loop {
        let slot = slots.acquire_arc().await;
        let (stream, from) = match listener.accept().await {
            Ok((stream, peer)) => (stream, peer.ip().to_canonical()),
            Err(error) => {
                if !failing {
                    log::warn!("cannot accept connections: {error}");
                }
                failing = true;
                Timer::after(ACCEPT_PAUSE).await;
                continue;
            }
        };
        failing = false;
        if socket::tune(&stream).is_err() {
            continue; // The client has closed it already.
        }
        let Some(of_address) = addresses.enter(from, !from.is_loopback()) else {
            turn_away(stream, service.refusal(position)).await;
            continue;
        };
        let slot = (slot, of_address);
        let connection = Connection::new(stream, from, position, shutdown.clone(), slot);
        let (service, counted) = (service.clone(), connections.enter());
        let serving = async move {
            service.serve(connection).await;
            drop(counted);
        };
        tasks::spawn(serving).detach();
    }
}

/// Refuses a connection, as far as the refusal can be written without waiting.
async fn turn_away(mut stream: TcpStream, refusal: &[u8]) {
    let written = smol::future::poll_once(stream.write_all(refusal)).await;
    log::debug!("connection refused at the limit of its address; refusal written: {}", written.is_some());
}
