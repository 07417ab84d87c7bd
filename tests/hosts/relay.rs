//! Long wires: what comes to a host's port from outside passes a relay, which holds all bytes back for a while, in both
//! directions. This kernel cannot delay packets; so what is delayed are connections and their bytes.
//!
//! A relay is a thread in the host's namespace, and ends with it: when its [`Relay`] is dropped.

use crate::network::Network;
use async_net::{TcpListener, TcpStream};
use smol::channel::{self, Receiver, Sender};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{LocalExecutor, Timer};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Pieces that are on their way at once, of one direction of one connection.
const PIECES_MAX: usize = 256;
const PIECE_BYTES: usize = 16 * 1024;
/// Who listens on a relayed port listens on this machine alone, so much higher.
pub const BEHIND: u16 = 20_000;

pub struct Relay {
    _stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// What connects to these ports of a host from outside is connected to the same and [`BEHIND`] on the host itself.
    /// `one_way` is how long each byte takes.
    pub fn start(network: &Network, at: usize, ports: &[u16], one_way: Duration) -> Relay {
        let (stop, stopped) = channel::bounded::<()>(1);
        let (name, ports) = (network.name(at), ports.to_vec());
        let thread = std::thread::spawn(move || {
            // Sockets belong to where their thread is, so all of it stays on this one.
            crate::network::enter(&name);
            let executor = Rc::new(LocalExecutor::new());
            for port in ports {
                executor.spawn(listen(executor.clone(), port, one_way)).detach();
            }
            // Ends when the other end of the channel is gone.
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
    let listener = TcpListener::bind(("0.0.0.0", port)).await.expect("nobody listens there");
    while let Ok((outside, _)) = listener.accept().await {
        let spawner = executor.clone();
        let carried = async move {
            // What connecting takes, there and back.
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

async fn take(mut from: TcpStream, pieces: Sender<(Instant, Vec<u8>)>, one_way: Duration) {
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let read = from.read(&mut piece).await.unwrap_or(0);
        piece.truncate(read);
        // An empty piece is the end, which takes as long.
        if pieces.send((Instant::now() + one_way, piece)).await.is_err() || read == 0 {
            return;
        }
    }
}

async fn give(mut to: TcpStream, due: Receiver<(Instant, Vec<u8>)>) {
    while let Ok((at, piece)) = due.recv().await {
        Timer::at(at).await;
        if piece.is_empty() || to.write_all(&piece).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
