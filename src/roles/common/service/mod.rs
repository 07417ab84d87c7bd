//! Services for TCP clients with a protocol of their own: the accept loop that all of them share.
//!
//! ```text
//!   a free slot of the listener ──▶ accept ──▶ slot of the address ──▶ a task: Service::serve
//! ```
//!
//! - A listener without a free slot does not accept: its clients wait in the kernel, and none is refused.
//! - A connection beyond the limit of its address gets the protocol's refusal and is closed, so that one client does not take
//!   all slots. What it has sent is read before, since a socket that is closed with unread bytes may lose the refusal.
//!   Connections of this machine are not limited by address.
//!
//! [`connection`] has bounded reads and whole writes, [`limits`] every limit.

pub(crate) mod connection;
pub(crate) mod limits;

use crate::common::address;
use crate::common::failure::{Exit, Failure};
use crate::common::linger::linger;
use crate::common::shutdown::Shutdown;
use async_net::{TcpListener, TcpStream};
use connection::Connection;
use limits::{
    ACCEPT_BACKLOG, ACCEPT_PAUSE, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, LINGER, LINGER_BYTES_MAX,
    STOP_DEADLINE, STOP_GRACE, TURNED_AWAY_MAX,
};
use ribbit_net::address_limit::AddressLimit;
use ribbit_net::{socket, tasks};
use smol::Timer;
use smol::future::{Boxed, race};
use smol::io::AsyncWriteExt;
use smol::lock::Semaphore;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Service for the connections of one protocol.
pub(crate) trait Service: Send + Sync {
    /// Serves a connection to its end. Returns soon after [`Connection::stopping`] has completed.
    fn serve(self: Arc<Self>, connection: Connection) -> Boxed<()>;

    /// Returns the bytes with which a connection to this listener is refused beyond the limit of its address.
    fn refusal(&self, listener: usize) -> &'static [u8];
}

/// Connections of the whole role, so that its end can wait for them.
#[derive(Default)]
pub(crate) struct Connections {
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
    async fn all_ended(&self) {
        loop {
            // Listening begins before the look, so that an end in between is noticed.
            let ended = self.ended.listen();
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Ends the connections when the role is stopped: tells them, and waits for them at most `STOP_DEADLINE`. The listeners stay
    /// open meanwhile, because to several clients a refused connection means more than a slow one.
    pub(crate) async fn end(&self, shutdown: &Shutdown) {
        shutdown.begin();
        let late = async {
            Timer::after(STOP_DEADLINE).await;
        };
        let ended = async {
            Timer::after(STOP_GRACE).await;
            self.all_ended().await;
        };
        race(ended, late).await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.notify(usize::MAX);
    }
}

/// Returns true if only this machine can reach the address HOST:PORT.
pub(crate) fn is_loopback(listen: &str) -> bool {
    let host = address::split(listen).map_or("", |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback())
}

/// Binds a listener that was given with `flag`.
///
/// # Errors
/// `Refused`, naming the address and the flag, if the port is taken or the address is not of this machine.
pub(crate) async fn bind(listen: &str, flag: &str) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::AddrInUse => "the port is taken".to_string(),
            _ => error.to_string(),
        };
        let message = format!("cannot listen on {listen}: {what}; choose another with --{flag}");
        Failure::new(Exit::Refused, message)
    })?;
    socket::tune_listener(&listener, ACCEPT_BACKLOG);
    Ok(listener)
}

/// Accepts connections for ever. `position` is that of the listener in the protocol's flag.
pub(crate) async fn accept(
    listener: TcpListener,
    position: usize,
    service: Arc<dyn Service>,
    shutdown: Arc<Shutdown>,
    connections: Arc<Connections>,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
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
            // Beyond the limit it is closed at once.
            if let Some(slot) = turned_away.try_acquire_arc() {
                let refusal = service.refusal(position);
                tasks::spawn(async move {
                    turn_away(stream, refusal).await;
                    drop(slot);
                })
                .detach();
            }
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

/// Refuses a connection, as far as the refusal can be written without waiting, and closes it so that the refusal arrives.
async fn turn_away(mut stream: TcpStream, refusal: &[u8]) {
    let written = smol::future::poll_once(stream.write_all(refusal)).await;
    log::debug!("connection refused at the limit of its address; refusal written: {}", written.is_some());
    linger(stream, LINGER_BYTES_MAX, LINGER).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::io::AsyncReadExt;

    #[test]
    fn a_refusal_arrives_after_a_request_that_was_not_read() {
        smol::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("bound");
            let mut client = TcpStream::connect(address).await.expect("it listens");
            client.write_all(b"login,ada,password 1").await.expect("connected");
            let (stream, _) = listener.accept().await.expect("it is there");
            stream.peek(&mut [0]).await.expect("the request has arrived");
            let mut answer = Vec::new();
            let refused = async {
                turn_away(stream, b"602").await;
                smol::future::pending::<()>().await;
            };
            let read = async {
                client.read_to_end(&mut answer).await.expect("no reset");
            };
            smol::future::or(read, refused).await;
            assert_eq!(answer, b"602");
            client.write_all(b"more").await.expect("no reset");
        });
    }

    #[test]
    fn only_this_machine_reaches_loopback() {
        assert!(is_loopback("127.0.0.1:1") && is_loopback("[::1]:1") && is_loopback("localhost:1"));
        assert!(!is_loopback("0.0.0.0:1") && !is_loopback("board1:1") && !is_loopback("[::]:1"));
    }
}
