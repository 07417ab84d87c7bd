//! Delay: connections to a host's port from outside pass a relay, which delays all bytes in both directions. The test
//! kernel cannot delay packets, so the relay delays connections and their bytes.
//!
//! A relay is a thread in the host's namespace. It ends when its [`Relay`] is dropped.

use async_net::{TcpListener, TcpStream};
use smol::channel::{self, Receiver, Sender};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{LocalExecutor, Timer};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use testkit::network::Network;

/// Maximum number of pieces in flight per connection and direction.
const PIECES_MAX: usize = 256;

/// Maximum size of a piece.
const PIECE_BYTES: usize = 16 * 1024;

/// Offset from a relayed port to the port on which the server listens, on the loopback interface.
pub const BEHIND: u16 = 20_000;

/// A running relay.
pub struct Relay {
    _stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Starts a relay on a host. Connections to these ports are forwarded to the same ports plus [`BEHIND`] on the host
    /// itself. `one_way`: delay of each byte.
    pub fn start(network: &Network, at: usize, ports: &[u16], one_way: Duration) -> Relay {
        let (stop, stopped) = channel::bounded::<()>(1);
        let (name, ports) = (network.name(at), ports.to_vec());
        let thread = std::thread::spawn(move || {
            // Sockets belong to the namespace of their thread, so everything runs on this one.
            testkit::network::enter(&name);
            let executor = Rc::new(LocalExecutor::new());
            for port in ports {
                executor.spawn(listen(executor.clone(), port, one_way)).detach();
            }
            // Runs until the other end of the channel is closed.
            let _ = smol::block_on(executor.run(stopped.recv()));
        });
        Relay { _stop: stop, thread: Some(thread) }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self._stop.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(executor: Rc<LocalExecutor<'static>>, port: u16, one_way: Duration) {
    let listener = TcpListener::bind(("0.0.0.0", port)).await.expect("the port is free");
    while let Ok((outside, _)) = listener.accept().await {
        let spawner = executor.clone();
        let carried = async move {
            // The round trip of connecting.
            Timer::after(2 * one_way).await;
            let Ok(inside) = TcpStream::connect(("127.0.0.1", port + BEHIND)).await else { return };
            for (from, to) in [(outside.clone(), inside.clone()), (inside, outside)] {
                let _ = to.set_nodelay(true);
                let (pieces, due) = channel::bounded(PIECES_MAX);
                spawner.spawn(take(from, pieces, one_way)).detach();
                spawner.spawn(give(to, due)).detach();
            }
        };
        executor.spawn(carried).detach();
    }
}

/// Reads pieces and schedules them.
async fn take(mut from: TcpStream, pieces: Sender<(Instant, Vec<u8>)>, one_way: Duration) {
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let read = from.read(&mut piece).await.unwrap_or(0);
        piece.truncate(read);
        // An empty piece is the end of the stream, which is delayed too.
        if pieces.send((Instant::now() + one_way, piece)).await.is_err() || read == 0 {
            return;
        }
    }
}

/// Writes pieces when they are due.
async fn give(mut to: TcpStream, due: Receiver<(Instant, Vec<u8>)>) {
    while let Ok((at, piece)) = due.recv().await {
        Timer::at(at).await;
        if piece.is_empty() || to.write_all(&piece).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
