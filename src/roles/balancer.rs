//! The balancer: one stable address in front of the backends. It holds nothing on disk and nothing between
//! connections, so any number of them may run.
//!
//! ```text
//!   watch, one a member: NodeStatus every 250 ms ──▶ board: who lives, is in sync, has how many clients
//!                                                      │ pick                  │ found dead: cut
//!   accept ──▶ connection: connect to the pick, next best if it fails ──▶ splice both ways
//! ```
//!
//! - A connection goes to the live, in-sync backend with the fewest clients; when none is in sync, to any
//!   whose store is open; when there is none at all it is closed at once.
//! - A member that does not answer for `STATUS_DEADLINE` is dead, and its connections are closed: a backend
//!   that is stopped or cut off would hold them for ever. Clients come back and are spliced elsewhere.
//! - Bytes pass untouched, preface included. It does not read what is said, and moves no live connection.

mod board;

use super::failure::{Exit, Failure};
use super::options::BalancerOptions;
use crate::net::frame::{self, FrameError, Plane};
use crate::net::limits::{CONNECT_DEADLINE, STATUS_DEADLINE, WATCH_EVERY};
use crate::net::line::Line;
use crate::net::listener::{Gate, accept};
use crate::net::protocol::{Answer, Ask, NodeStatus};
use crate::net::{socket, tasks};
use async_net::{TcpListener, TcpStream};
use board::{Board, Pick};
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub use board::{Candidate, choose};

/// Balances until `stop`.
///
/// # Errors
/// When it cannot listen.
pub async fn run(options: BalancerOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let listener =
        TcpListener::bind(&options.listen).await.map_err(|error| cannot_listen(&options.listen, &error))?;
    match listener.local_addr() {
        Ok(address) => log::info!("balancer: listening on {address}"),
        Err(error) => log::warn!("balancer: listening, but its address is not known: {error}"),
    }
    serve(listener, options.seeds, stop).await;
    Ok(())
}

fn cannot_listen(listen: &str, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::AddrInUse => Exit::Refused,
        _ => Exit::Configuration,
    };
    Failure::new(exit, format!("cannot listen on {listen}: {error}; choose another address with --listen"))
}

/// Balances what connects to `listener` until `stop`; then every connection is closed.
pub async fn serve(listener: TcpListener, seeds: Vec<String>, stop: impl Future<Output = ()>) {
    let gate = Gate::new();
    let shared = Shared(Arc::new(Mutex::new(Board::new(seeds))));
    let accepting = accept(listener, &gate, |client, place| {
        let (shared, gate) = (shared.clone(), gate.clone());
        tasks::spawn(async move {
            connection(client, &shared).or(gate.closed()).await;
            drop(place);
        })
        .detach();
    });
    accepting.or(keep_watch(shared.clone())).or(stop).await;
    gate.close();
}

/// The board, for the watches and the connections. Locked for a moment, never across a wait.
#[derive(Clone)]
struct Shared(Arc<Mutex<Board>>);

impl Shared {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}

/// Keeps one watch for every address on the board.
async fn keep_watch(shared: Shared) {
    let (changed, changes): (Sender<()>, Receiver<()>) = channel::bounded(1);
    let mut watches: HashMap<String, smol::Task<()>> = HashMap::new();
    loop {
        let addresses = shared.board().addresses();
        watches.retain(|address, _| addresses.contains(address)); // a watch that is dropped ends
        for address in addresses {
            let watch = || tasks::spawn(watch(shared.clone(), address.clone(), changed.clone()));
            watches.entry(address.clone()).or_insert_with(watch);
        }
        if changes.recv().await.is_err() {
            return;
        }
    }
}

/// Asks one member how it is, for ever.
async fn watch(shared: Shared, address: String, changed: Sender<()>) {
    let mut line = None;
    loop {
        let begin = Instant::now();
        let status = match frame::within(STATUS_DEADLINE, node_status(&mut line, &address)).await {
            Ok(status) => Some(status),
            Err(_) => {
                line = None; // what comes late on it is of no use
                None
            }
        };
        if shared.board().heard(&address, status) {
            let _ = changed.try_send(()); // full: it is about to look anyway
        }
        smol::Timer::at(begin + WATCH_EVERY).await;
    }
}

/// Asks over the line that is kept open, or over a new one when that was lost.
async fn node_status(line: &mut Option<Line>, address: &str) -> Result<NodeStatus, FrameError> {
    let kept = match line.take() {
        Some(open) => {
            let answer = open.ask(&Ask::NodeStatus, STATUS_DEADLINE, Duration::ZERO).await;
            *line = Some(open);
            answer
        }
        None => Err(FrameError::Closed),
    };
    let answer = match kept {
        Ok(answer) => answer,
        Err(_) => {
            let open = line.insert(Line::open(address, Plane::Control).await?);
            open.ask(&Ask::NodeStatus, STATUS_DEADLINE, Duration::ZERO).await?
        }
    };
    match answer {
        Answer::NodeStatus(status) => Ok(*status),
        _ => Err(FrameError::Malformed),
    }
}

/// Splices one client to the best backend that takes it, until either side or the backend's life ends.
async fn connection(client: TcpStream, shared: &Shared) {
    let mut tried = Vec::new();
    loop {
        let picked = shared.board().pick(&tried);
        let Some(pick) = picked else {
            log::debug!("no backend for a client; {} tried", tried.len());
            return;
        };
        match connect(&pick).await {
            Ok(server) => {
                let splicing = async {
                    if let Err(error) = splice(client, server).await {
                        log::debug!("a connection to {} ended: {error}", pick.address);
                    }
                };
                return splicing.or(pick.cut()).await;
            }
            Err(error) => {
                log::debug!("cannot connect to {}: {error}", pick.address);
                tried.push(pick.address.clone());
            }
        }
    }
}

async fn connect(pick: &Pick) -> Result<TcpStream, FrameError> {
    let connecting = frame::within(CONNECT_DEADLINE, async {
        let stream = TcpStream::connect(&pick.address).await?;
        socket::tune(&stream)?;
        Ok(stream)
    });
    let cut = async {
        pick.cut().await;
        Err(FrameError::Closed)
    };
    connecting.or(cut).await
}

/// Carries bytes both ways until both sides have closed theirs.
async fn splice(client: TcpStream, server: TcpStream) -> io::Result<()> {
    smol::future::try_zip(one_way(client.clone(), server.clone()), one_way(server, client)).await?;
    Ok(())
}

/// `copy` holds at most one buffer of 8 KiB: a side that does not read stops the other.
async fn one_way(from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    smol::io::copy(from, &mut to).await?;
    to.shutdown(Shutdown::Write)
}
