//! Accepts connections, bounded, and hands a member what is asked on them.
//!
//! ```text
//!   accept ──▶ handshake ──▶ Client, Control, Status: reader ──▶ one task an ask ──▶ queue ──▶ writer
//!         │             │       └── the first ask is Subscribe ──▶ Node::stream owns the connection
//!         │             └──▶ Peer, Snapshot: Node::peer owns the connection
//!         └──▶ `GET `: one page, Node::page
//! ```
//!
//! - Bytes that cannot be understood end their connection and nothing else.
//! - An ask holds one of the connection's `ASKS_PER_CONNECTION_MAX` places from when it is read until its
//!   answer is written; without a free place the reader stops reading, and TCP tells the asker to wait.
//! - Answers leave in the order in which they are ready, those that wait in one write.
//! - A client that half-closes still gets its answers. One that is gone takes its asks with it.
//!
//! It does not know what is asked or answered, and keeps no time for it: the deadline is the node's to keep.

use super::admission::{self, Incoming};
use super::channel::{Channel, Reader, Writer};
use super::crowd::{Crowd, Presence};
use super::frame::{self, FrameError, Plane};
use super::handshake::{self, Accepted, Opening};
use super::http::{self, Page};
use super::keys::Keys;
use super::limits::{
    ACCEPT_PAUSE, ACCEPT_WARN_EVERY, ADDRESS_CONNECTIONS_MAX, ANSWERS_QUEUED_MAX, ASK_DEADLINE_MAX,
    ASKS_PER_CONNECTION_MAX, CONNECTIONS_MAX, LIVE_SEND_BUFFER_BYTES, LIVE_SILENT_BYTES,
    MEMBER_CONNECTIONS_MIN, PREFACE_DEADLINE,
};
use super::protocol::{Answer, AnswerFrame, Ask, AskFrame, Why};
use super::{socket, tasks};
use async_net::{TcpListener, TcpStream};
use ribbit_state::{Token, Wanted};
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use smol::io::AsyncReadExt;
use smol::lock::{Semaphore, SemaphoreGuardArc};
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Who asks, as far as a connection shows.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    pub plane: Plane,
    /// Where it is; a balancer in between is left out.
    pub from: IpAddr,
}

/// What stands behind a listener.
pub trait Node: Send + Sync + 'static {
    /// Answers by `deadline`. Dropped unfinished when the asker's connection is lost.
    fn answer(
        self: Arc<Self>,
        asker: Asker,
        ask: Ask,
        deadline: Instant,
    ) -> impl Future<Output = Answer> + Send;

    /// Tells through `outlet` what `wanted` wants behind `cursor`, until one side has enough. Dropped unfinished
    /// when the asker's connection is lost. Runs where the store may be read.
    fn stream(
        self: Arc<Self>,
        cursor: Token,
        wanted: Wanted,
        mut outlet: Outlet,
    ) -> impl Future<Output = Result<(), FrameError>> + Send {
        let _ = (cursor, wanted);
        async move { outlet.send(Answer::Unavailable(Why::NotServing)).await }
    }

    /// What is shown under a path to programs that watch.
    fn page(&self, path: &str) -> Option<Page> {
        let _ = path;
        None
    }

    /// Serves a connection of the Peer or Snapshot plane: of another member.
    fn peer(self: Arc<Self>, plane: Plane, channel: Channel) -> impl Future<Output = ()> + Send;
}

/// The asker's end of a stream.
#[derive(Debug)]
pub struct Outlet {
    writer: Writer,
    tag: u32,
}

impl Outlet {
    /// Says the next thing. Waits for a slow reader.
    ///
    /// # Errors
    /// The connection is lost, or nothing moved for `limits::WRITE_STALL`.
    pub async fn send(&mut self, answer: Answer) -> Result<(), FrameError> {
        frame::write(&mut self.writer, &AnswerFrame { tag: self.tag, answer }).await
    }
}

/// Counts connections, bounds them, and can close them all.
pub struct Gate {
    connections_max: usize,
    clients_max: u32,
    connections: AtomicUsize,
    clients: AtomicU32,
    /// Who they are, by address.
    crowd: Crowd,
    /// Whose addresses are counted.
    counted: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
    accepted: AtomicU64,
    refused: AtomicU64,
    /// Nothing is ever sent: the channel's end is the signal.
    open: Sender<Infallible>,
    closed: Receiver<Infallible>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gate with {} connections", self.connections())
    }
}

impl Gate {
    /// A gate for `CONNECTIONS_MAX` connections, some of which are kept for members.
    pub fn new() -> Arc<Gate> {
        Gate::holding(CONNECTIONS_MAX, CONNECTIONS_MAX - MEMBER_CONNECTIONS_MIN, |_| false)
    }
    /// The same, where at most `ADDRESS_CONNECTIONS_MAX` people come from one address, but for those that are `crowded`:
    /// many are behind them.
    pub fn counting(crowded: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Arc<Gate> {
        let counted = move |address| !crowded(address);
        Gate::holding(CONNECTIONS_MAX, CONNECTIONS_MAX - MEMBER_CONNECTIONS_MIN, counted)
    }
    /// A gate for so many, of which at most `clients_max` are people's, and for so many of each address that is `counted`.
    pub fn holding(
        connections_max: usize,
        clients_max: usize,
        counted: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Arc<Gate> {
        let clients_max = u32::try_from(clients_max).unwrap_or(u32::MAX);
        let (open, closed) = channel::bounded(1);
        let connections = AtomicUsize::new(0);
        let clients = AtomicU32::new(0);
        let (accepted, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        let (crowd, counted) = (Crowd::of(ADDRESS_CONNECTIONS_MAX), Box::new(counted));
        Arc::new(Gate {
            connections_max,
            clients_max,
            connections,
            clients,
            crowd,
            counted,
            accepted,
            refused,
            open,
            closed,
        })
    }
    /// Connections of all planes now.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
    /// Connections that found a place, and those that found none, since the beginning.
    pub fn totals(&self) -> (u64, u64) {
        (self.accepted.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
    /// Connections of the client plane now.
    pub fn clients(&self) -> u32 {
        self.clients.load(Ordering::Relaxed)
    }
    /// Ends accepting, and every connection.
    pub fn close(&self) {
        self.open.close();
    }
    /// Waits for [`Gate::close`].
    pub async fn closed(&self) {
        let _ = self.closed.recv().await;
    }

    /// A place for one connection, unless all are taken.
    fn enter(self: &Arc<Gate>) -> Option<Place> {
        let taken = self.connections.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.clone());
        let found = taken < self.connections_max;
        let total = if found { &self.accepted } else { &self.refused };
        total.fetch_add(1, Ordering::Relaxed);
        found.then_some(place)
    }

    /// A place among those of this address, unless they are all taken.
    pub fn welcome(&self, address: IpAddr) -> Option<Presence> {
        let found = self.crowd.enter(address, (self.counted)(address));
        if found.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            log::debug!("{address} has {ADDRESS_CONNECTIONS_MAX} connections: one more is refused");
        }
        found
    }

    /// A client's place, unless all are taken.
    fn count_client(self: &Arc<Gate>) -> Option<ClientPlace> {
        let taken = self.clients.fetch_add(1, Ordering::Relaxed);
        let place = ClientPlace(self.clone());
        (taken < self.clients_max).then_some(place)
    }
}

/// One connection's place; free again when dropped.
#[derive(Debug)]
pub struct Place(Arc<Gate>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

struct ClientPlace(Arc<Gate>);

impl Drop for ClientPlace {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves what connects to `listener` until the gate is closed.
pub async fn serve<N: Node>(listener: TcpListener, node: Arc<N>, gate: Arc<Gate>, keys: Keys) {
    accept(listener, &gate, |stream, place| {
        let (node, gate, keys) = (node.clone(), gate.clone(), keys.clone());
        tasks::spawn(async move {
            let from = stream.peer_addr();
            let ended = async {
                gate.closed().await;
                Ok(())
            };
            if let Err(error) = connection(stream, node, &gate, &keys).or(ended).await {
                log::debug!("connection from {from:?} ended: {error}");
            }
            drop(place);
        })
        .detach();
    })
    .await;
}

/// Accepts until the gate is closed and hands on each connection with its place. A connection for which there
/// is no place is closed at once.
pub async fn accept(listener: TcpListener, gate: &Arc<Gate>, mut each: impl FnMut(TcpStream, Place)) {
    let accepting = async {
        let mut warned = None;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    if let (Some(place), Ok(())) = (gate.enter(), socket::tune(&stream)) {
                        each(stream, place);
                    }
                }
                Err(error) => accept_failed(&error, &mut warned).await,
            }
        }
    };
    accepting.or(gate.closed()).await;
}

/// One connection that went away while it waited is nothing. Anything else (no file descriptors left) stays
/// true for a while: without a pause this would spin.
async fn accept_failed(error: &io::Error, warned: &mut Option<Instant>) {
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    if warned.is_none_or(|at| at.elapsed() >= ACCEPT_WARN_EVERY) {
        log::warn!("cannot accept connections: {error}");
        *warned = Some(Instant::now());
    }
    smol::Timer::after(ACCEPT_PAUSE).await;
}

async fn connection<N: Node>(
    mut stream: TcpStream,
    node: Arc<N>,
    gate: &Arc<Gate>,
    keys: &Keys,
) -> Result<(), FrameError> {
    let http = stream.clone();
    let opened = frame::within(PREFACE_DEADLINE, async {
        let Opening::Ribbit(arrival) = handshake::read_opening(&mut stream).await? else { return Ok(None) };
        let plane = arrival.preface.plane;
        // Counted before it hears from us: who has our preface is in the count.
        let counted = match plane {
            Plane::Client => Some(gate.count_client().ok_or(FrameError::Closed)?),
            _ => None,
        };
        let Accepted { channel, from } = handshake::accept(stream, arrival, keys).await?;
        let present = match plane.is_closed() {
            true => None,
            false => Some(gate.welcome(from).ok_or(FrameError::Closed)?),
        };
        Ok(Some((Asker { plane, from }, channel, (counted, present))))
    });
    let Some((asker, channel, _counted)) = opened.await? else {
        return http::answer(&mut { http }, |path| node.page(path)).await;
    };
    let plane = asker.plane;
    match plane {
        Plane::Client | Plane::Control | Plane::Status | Plane::Directory => {
            let Channel { mut reader, writer } = channel;
            match admission::read(&mut reader).await? {
                Incoming::Ask(AskFrame { tag, ask: Ask::Subscribe { cursor, wanted }, .. })
                    if may_follow(plane, &wanted) =>
                {
                    rustix::net::sockopt::set_socket_send_buffer_size(
                        writer.socket(),
                        LIVE_SEND_BUFFER_BYTES,
                    )
                    .map_err(io::Error::from)?;
                    let streaming = node.stream(cursor, wanted, Outlet { writer, tag });
                    // Dropped with this connection.
                    tasks::spawn_reader(streaming).or(silence(reader)).await
                }
                first => converse(writer, reader, first, node, asker).await,
            }
        }
        Plane::Peer | Plane::Snapshot => {
            node.peer(plane, channel).await;
            Ok(())
        }
    }
}

/// The namespace is for those who run the group, feeds are for people.
fn may_follow(plane: Plane, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Feed { .. } => plane == Plane::Client,
        Wanted::Tree { .. } => plane == Plane::Control,
    }
}

/// An answer on its way out, and the place its ask has held.
struct Ready {
    frame: Vec<u8>,
    _place: SemaphoreGuardArc,
}

impl AsRef<[u8]> for Ready {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

/// Asks and answers, until the asker has closed its side and has all its answers, or something breaks.
async fn converse<N: Node>(
    mut writer: Writer,
    reader: Reader,
    first: Incoming,
    node: Arc<N>,
    asker: Asker,
) -> Result<(), FrameError> {
    let (ready, queue) = channel::bounded(ANSWERS_QUEUED_MAX);
    let reading = async {
        match read_asks(reader, first, node, asker, ready).await {
            Err(FrameError::Closed) => smol::future::pending().await, // the writer ends when it has no more
            result => result,
        }
    };
    let writing = async {
        // The queue goes with this future: tasks that still work for it notice and end.
        let queue = queue;
        frame::write_queue(&mut writer, &queue).await
    };
    reading.or(writing).await
}

/// Ends when the other side says anything more, or closes.
async fn silence(mut reader: Reader) -> Result<(), FrameError> {
    // There may be a thousand of them: none keeps room for what must not come.
    reader.read_ahead(LIVE_SILENT_BYTES);
    match reader.read(&mut [0]).await? {
        0 => Ok(()),
        _ => Err(FrameError::Malformed),
    }
}

async fn read_asks<N: Node>(
    mut reader: Reader,
    first: Incoming,
    node: Arc<N>,
    asker: Asker,
    ready: Sender<Ready>,
) -> Result<(), FrameError> {
    let places = Arc::new(Semaphore::new(ASKS_PER_CONNECTION_MAX));
    let mut first = Some(first);
    loop {
        let place = places.acquire_arc().await;
        let incoming = match first.take() {
            Some(first) => first,
            None => admission::read(&mut reader).await?,
        };
        let AskFrame { tag, deadline_ms, ask } = match incoming {
            Incoming::Ask(asked) => asked,
            Incoming::Refused { tag, denied } => {
                let frame = frame::encode(&AnswerFrame { tag, answer: Answer::Refused(denied) });
                if ready.send(Ready { frame, _place: place }).await.is_err() {
                    return Err(FrameError::Closed);
                }
                continue;
            }
        };
        let limit = Duration::from_millis(deadline_ms.into()).min(ASK_DEADLINE_MAX);
        let deadline = Instant::now() + limit;
        let reads = ask.reads_store();
        let (node, ready) = (node.clone(), ready.clone());
        // Made where it stays: a future that is moved into another has room in both, and each question pays for that.
        let task = async move {
            let answering = pin!(async {
                let answer = node.answer(asker, ask, deadline).await;
                let frame = frame::encode(&AnswerFrame { tag, answer });
                // Fails when the connection is lost: nobody waits for this any more.
                let _ = ready.send(Ready { frame, _place: place }).await;
            });
            answering.or(ready.closed()).await;
        };
        if reads { tasks::spawn_reader(task) } else { tasks::spawn(task) }.detach();
    }
}
