//! The balancer: one stable address in front of the backends. It keeps nothing on disk, so any number of balancers may run.
//!
//! ```text
//!   watch, one per member: NodeStatus every 250 ms ──▶ board: live members, their sync state and number of clients
//!                                                      │ pick                  │ member dead: cut its connections
//!   accept ──▶ `GET `: /metrics, /health
//!         └──▶ preface ──▶ directory plane: answered here
//!                      └──▶ any other: connect to the picked backend, or the next best ──▶ splice both ways
//! ```
//!
//! - [`board`]: state of the members, and the choice of a backend; [`readers`]: assignment of readers to backends
//! - [`directory`]: the directory queries `read`, `write`, `down` and `left`
//! - [`splice`]: one client's connection; [`rebalancing`]: rebalancing of connections
//! - [`floating_address`]: the floating address, held by one balancer at a time
//! - [`limits`]: all bounds
//!
//! Invariants:
//! - A connection goes to the live, in-sync backend with the fewest clients. If none is in sync, it goes to one with an open
//!   store. If there is none at all, the connection is closed at once.
//! - A member that does not answer for `STATUS_DEADLINE` counts as dead and its connections are closed, because a stopped or
//!   cut-off backend would hold them for ever. The clients reconnect and reach another backend.
//! - Bytes are passed on unchanged and encrypted end to end. Before them, the balancer sends the client's address to the
//!   backend.
//! - A connection without a preface within `PREFACE_DEADLINE` is closed.

pub mod arguments;
mod board;
mod directory;
mod floating_address;
pub mod limits;
mod readers;
mod rebalancing;
mod splice;

use crate::balancer::arguments::BalancerOptions;
use crate::common::discovery;
use crate::common::failure::{Exit, Failure};
use crate::common::key_following::KeyFollower;
use crate::common::machine::host_name;
use crate::common::network::Network;
use crate::common::process;
use crate::common::systemd::{self, sockets};
use crate::common::test_hooks;
use async_net::{TcpListener, TcpStream};
use board::{Board, Pick};
use event_listener::Event;
use floating_address::{AddressKeeper, KeeperHandle};
use limits::{LOOK_AGAIN_MAX, LOOK_PAUSE, REBALANCE_EVERY, REBALANCE_STEPS};
use rebalancing::{Load, Rebalancer};
use ribbit_net::frame::{self, FrameError, Plane};
use ribbit_net::handshake::{self, Accepted, Opening};
use ribbit_net::http::{self, HttpResponse, HttpStatus};
use ribbit_net::keys::Keys;
use ribbit_net::limits::{CONNECT_DEADLINE, PREFACE_DEADLINE, STATUS_DEADLINE, WATCH_EVERY};
use ribbit_net::listener::{ConnectionLimits, accept};
use ribbit_net::mdns::SiteAddress;
use ribbit_net::multiplexed::MultiplexedConnection;
use ribbit_net::protocol::{Answer, Ask, NodeStatus};
use ribbit_net::{socket, tasks};
use ribbit_state::sync::MutexExt;
use ribbit_ui::metrics::{self, ConnectionMetrics};
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use smol::io::AsyncWriteExt;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Test hook: replaces [`REBALANCE_STEPS`].
const TEST_EVEN_STEPS: &str = "EVEN_STEPS";

/// Runs a balancer until `stop`.
///
/// # Errors
/// - `Refused` when the port is in use or the address is not available yet
/// - `Configuration` when the address cannot be used, or the capabilities for the floating address are missing
pub async fn run(options: BalancerOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let rebalance_steps = test_hooks::number(TEST_EVEN_STEPS)?.unwrap_or(REBALANCE_STEPS);
    if options.floating.is_some() {
        floating_address::allowed()?;
    }
    let listener = match sockets::inherited()? {
        Some(listener) => listener,
        None => TcpListener::bind(&options.listen)
            .await
            .map_err(|error| cannot_listen(&options.listen, &error))?,
    };
    match listener.local_addr() {
        Ok(address) => log::info!("balancer: listening on {address}"),
        Err(error) => log::warn!("balancer: listening on an unknown address: {error}"),
    }
    let name = format!("balancer-{}", host_name());
    let (bound, cluster) = (listener.local_addr(), options.keys.cluster());
    let announcing =
        discovery::announce(options.discovery, bound, ("balancer", name), cluster, SiteAddress::None);
    serve(listener, options, rebalance_steps, stop).or(announcing).await;
    Ok(())
}

fn cannot_listen(listen: &str, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        // Temporary: the port may become free, and the address may appear. A restart can succeed.
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable => Exit::Refused,
        _ => Exit::Configuration,
    };
    Failure::new(exit, format!("cannot listen on {listen}: {error}. Choose another address with --listen"))
}

/// Balances the connections of `listener` until `stop`, then closes all of them. `rebalance_steps`: number of seconds in which
/// rebalancing would remove a whole excess of clients at its initial rate.
pub async fn serve(
    listener: TcpListener,
    options: BalancerOptions,
    rebalance_steps: u64,
    stop: impl Future<Output = ()>,
) {
    let BalancerOptions { seeds, region, keys, trusted_proxies, floating, .. } = options;
    let gate =
        ConnectionLimits::with_address_limit(move |address| Network::crowded(&trusted_proxies, address));
    let board = Arc::new(Mutex::new(Board::new(seeds, region)));
    let keeper = floating.map(|floating| AddressKeeper::new(floating, board.clone(), &keys).start());
    let (look, looked) = (Arc::default(), Arc::default());
    let (has_floating, follower) = (keeper.as_ref().map(KeeperHandle::is_held), Arc::default());
    let state = BalancerState { board, keys, look, looked, has_floating, follower };
    let accepting = accept(listener, &gate, |client, place| {
        let (state, gate) = (state.clone(), gate.clone());
        tasks::spawn(async move {
            let page = |path: &str| page(path, &state, &gate);
            let ended = async {
                gate.closed().await;
                Ok(())
            };
            let welcomed = client.peer_addr().ok().and_then(|from| gate.admit_address(from.ip()));
            if welcomed.is_some()
                && let Err(error) = connection(client, &state, page).or(ended).await
            {
                log::debug!("a connection ended: {error}");
            }
            drop(place);
        })
        .detach();
    });
    let serving = systemd::serving(|| words(&state.figures()));
    let working = keep_watches(state.clone()).or(rebalance(&state, rebalance_steps)).or(serving);
    accepting.or(working).or(stop).await;
    if let Some(keeper) = keeper {
        keeper.release().await;
    }
    gate.close();
}

/// Returns the status line of the systemd unit.
fn words(figures: &metrics::BalancerMetrics) -> String {
    let metrics::BalancerMetrics { serving, in_sync, has_leader, floating, .. } = figures;
    let leader = if *has_leader { "" } else { "; no leader, writes are unavailable" };
    let floating = if *floating == Some(true) { "; this balancer holds the floating address" } else { "" };
    format!("{serving} backends serve people, {in_sync} of them in sync{leader}{floating}")
}

/// State shared by the watches and the connections.
#[derive(Clone)]
struct BalancerState {
    /// Never locked across an await.
    board: Arc<Mutex<Board>>,
    keys: Keys,
    /// Notified to query the members at once.
    look: Arc<Event>,
    /// Notified after each query of a member, answered or not.
    looked: Arc<Event>,
    /// True while this balancer holds the floating address. `None` without `--floating`.
    has_floating: Option<Arc<AtomicBool>>,
    follower: Arc<KeyFollower>,
}

impl BalancerState {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.locked()
    }

    /// Waits until all members that answered last time were queried again, at most `LOOK_AGAIN_MAX`: the leader may have
    /// changed since. Concurrent callers share the queries.
    async fn look_again(&self) {
        let begin = Instant::now();
        let asked_again = async {
            loop {
                let looked = self.looked.listen();
                if self.board().all_asked_since(begin) {
                    return;
                }
                self.look.notify(usize::MAX);
                looked.await;
            }
        };
        let late = async {
            smol::Timer::after(LOOK_AGAIN_MAX).await;
        };
        smol::future::or(asked_again, late).await;
    }

    fn figures(&self) -> metrics::BalancerMetrics {
        let floating = self.has_floating.as_ref().map(|has| has.load(Ordering::Relaxed));
        metrics::BalancerMetrics { floating, ..self.board().figures(Instant::now()) }
    }

    /// Records that the member at `address` does not answer. Its connections are cut and it gets no new ones.
    fn mark_dead(&self, address: &str) {
        self.board().record_answer(address, None);
    }
}

/// Keeps one watch task for every address on the board.
async fn keep_watches(state: BalancerState) {
    let (changed, changes): (Sender<()>, Receiver<()>) = channel::bounded(1);
    let mut watches: HashMap<String, smol::Task<()>> = HashMap::new();
    loop {
        let addresses = state.board().addresses();
        watches.retain(|address, _| addresses.contains(address)); // dropping a task ends it
        for address in addresses {
            let watch = || tasks::spawn(watch(state.clone(), address.clone(), changed.clone()));
            watches.entry(address.clone()).or_insert_with(watch);
        }
        if changes.recv().await.is_err() {
            return;
        }
    }
}

/// Ends quiet connections of backends with too many clients. Never returns.
async fn rebalance(state: &BalancerState, steps: u64) {
    let mut rebalancer = Rebalancer::new(steps);
    loop {
        smol::Timer::after(REBALANCE_EVERY).await;
        let mut board = state.board();
        let (addresses, loads): (Vec<String>, Vec<Load>) = board.loads().into_iter().unzip();
        for at in rebalancer.step(&loads) {
            if board.end_quiet_splice(&addresses[at]) {
                log::debug!("rebalancing one of {} clients of {}", loads[at].clients, addresses[at]);
                rebalancer.ended();
            }
        }
    }
}

/// Queries the status of one member periodically. Never returns.
async fn watch(state: BalancerState, address: String, changed: Sender<()>) {
    let mut line = None;
    loop {
        let wanted = state.look.listen();
        let begin = Instant::now();
        let status = node_status(&mut line, &address, &state.keys).await.ok();
        if let Some(status) = &status {
            state.follower.follow(&state.keys, &address, status).await;
        }
        if state.board().record_answer_at(&address, status, begin) {
            let _ = changed.try_send(()); // if full, a look at the addresses is already due
        }
        state.looked.notify(usize::MAX);
        let soon = async {
            wanted.await;
            smol::Timer::at(begin + LOOK_PAUSE).await;
        };
        let usual = async {
            smol::Timer::at(begin + WATCH_EVERY).await;
        };
        smol::future::or(soon, usual).await;
    }
}

/// Queries a member's status over the open connection in `line`, or over a new one if that was lost. A connection that times
/// out is dropped, because a late answer on it would be useless.
///
/// # Errors
/// The member cannot be reached or does not answer in time.
async fn node_status(
    line: &mut Option<MultiplexedConnection>,
    address: &str,
    keys: &Keys,
) -> Result<NodeStatus, FrameError> {
    let mut open = match line.take() {
        Some(open) => open,
        None => MultiplexedConnection::open(address, Plane::Status, keys).await?,
    };
    let mut answer = asked(&open).await;
    if answer.as_ref().is_err_and(|error| !matches!(error, FrameError::TimedOut)) {
        open = MultiplexedConnection::open(address, Plane::Status, keys).await?;
        answer = asked(&open).await;
    }
    match answer? {
        Answer::NodeStatus(status) => {
            *line = Some(open);
            Ok(*status)
        }
        _ => Err(FrameError::Malformed),
    }
}

async fn asked(open: &MultiplexedConnection) -> Result<Answer, FrameError> {
    frame::with_timeout(STATUS_DEADLINE, open.ask(&Ask::NodeStatus, STATUS_DEADLINE, Duration::ZERO)).await
}

/// Serves one connection: answers HTTP and directory queries, splices all others to a backend.
async fn connection(
    mut client: TcpStream,
    state: &BalancerState,
    page: impl FnOnce(&str) -> Option<HttpResponse>,
) -> Result<(), FrameError> {
    let opening = frame::with_timeout(PREFACE_DEADLINE, handshake::read_opening(&mut client)).await?;
    let arrival = match opening {
        Opening::Ribbit(arrival) => arrival,
        Opening::Http => return http::answer(&mut client, page).await,
    };
    if arrival.preface.plane != Plane::Directory {
        let said = handshake::proxy_opening(&mut client, arrival, &state.keys);
        let said = frame::with_timeout(PREFACE_DEADLINE, said).await?;
        return splice_to_best(client, &said, state).await;
    }
    let accepting = handshake::accept(client, arrival, &state.keys);
    let Accepted { channel, .. } = frame::with_timeout(PREFACE_DEADLINE, accepting).await?;
    directory::converse(channel, state).await
}

/// Returns the monitoring page at `path`, or `None` if there is none.
fn page(path: &str, state: &BalancerState, gate: &ConnectionLimits) -> Option<HttpResponse> {
    let figures = state.figures();
    match path {
        "/metrics" => {
            let (accepted, refused) = gate.totals();
            let connections = ConnectionMetrics { open: gate.connections() as u64, accepted, refused };
            Some(HttpResponse::metrics(metrics::balancer(&figures, process::now(), connections)))
        }
        "/health" => Some(match (figures.serving, figures.in_sync, figures.has_leader) {
            (0, ..) => HttpResponse::text(HttpStatus::Unavailable, "down: no backend serves people"),
            (_, 0, _) | (.., false) => HttpResponse::text(
                HttpStatus::Unavailable,
                "down: the cluster has no leader, writes are unavailable",
            ),
            _ => HttpResponse::text(HttpStatus::Ok, "fine"),
        }),
        _ => None,
    }
}

/// Splices one client to the best backend that accepts the connection, until either side ends or the backend dies. `said`:
/// bytes to send to the backend first.
async fn splice_to_best(client: TcpStream, said: &[u8], state: &BalancerState) -> Result<(), FrameError> {
    let mut tried = Vec::new();
    loop {
        let picked = state.board().pick(&tried);
        let Some(pick) = picked else {
            log::debug!("no backend for a client; {} tried", tried.len());
            return Ok(());
        };
        match connect(&pick, said).await {
            Ok(server) => {
                let cut = async {
                    pick.cut().await;
                    Ok(())
                };
                return Ok(pick.splice.carry(client, server).or(cut).await?);
            }
            Err(error) => {
                log::debug!("cannot connect to {}: {error}", pick.address);
                tried.push(pick.address.clone());
            }
        }
    }
}

/// Connects to the picked backend and sends `said`.
///
/// # Errors
/// The connection fails, takes longer than `CONNECT_DEADLINE`, or the backend is found dead meanwhile.
async fn connect(pick: &Pick, said: &[u8]) -> Result<TcpStream, FrameError> {
    let connecting = frame::with_timeout(CONNECT_DEADLINE, async {
        let mut stream = TcpStream::connect(&pick.address).await?;
        socket::tune(&stream)?;
        stream.write_all(said).await?;
        Ok(stream)
    });
    let cut = async {
        pick.cut().await;
        Err(FrameError::Closed)
    };
    connecting.or(cut).await
}
