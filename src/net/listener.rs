//! The listener accepts a bounded number of connections and passes their requests to a node.
//!
//! ```text
//!   accept ──▶ handshake ──▶ Client, Control, Status, Directory: reader ──▶ a task per request ──▶ queue ──▶ writer
//!         │             │       └── the first request is Subscribe ──▶ Service::stream owns the connection
//!         │             ├──▶ Peer, Snapshot: Service::peer owns the connection
//!         │             └──▶ Join: Service::invite owns the connection
//!         └──▶ `GET `: one page, Service::page
//! ```
//!
//! - Invalid bytes end their connection, and nothing else.
//! - A request is pending from when it is read until its answer is written. When `ASKS_PER_CONNECTION_MAX` are pending, the
//!   reader stops reading, and the flow control of TCP stops the client.
//! - Answers are written in the order in which they are ready. Waiting answers share one write.
//! - A client that half-closes its connection still gets its answers. When the connection is lost, its pending requests are
//!   dropped.
//!
//! Not here: the meaning of requests and answers, and enforcing the deadline of a request (the node).

use super::address_limit::{AddressLimit, AddressSlot};
use super::admission::{self, Admission};
use super::channel::{Channel, ChannelReader, ChannelWriter};
use super::frame::{self, FrameError, Plane};
use super::handshake::{self, Accepted, Opening};
use super::http::{self, HttpResponse};
use super::joining::{JoinAnswer, Knock};
use super::keys::Keys;
use super::limits::{
    ACCEPT_PAUSE, ACCEPT_WARN_EVERY, ADDRESS_CONNECTIONS_MAX, ANSWERS_QUEUED_MAX, ASK_DEADLINE_MAX,
    ASKS_PER_CONNECTION_MAX, CONNECTIONS_MAX, JOIN_DEADLINE, LIVE_SEND_BUFFER_BYTES, LIVE_SILENT_BYTES,
    MEMBER_CONNECTIONS_MIN, PREFACE_DEADLINE,
};
use super::protocol::{Answer, AnswerFrame, Ask, AskFrame, UnavailableReason};
use super::{socket, tasks};
use async_net::{TcpListener, TcpStream};
use ribbit_state::{Token, Topic};
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

/// Client of a connection.
#[derive(Debug, Clone)]
pub struct Caller {
    pub plane: Plane,
    /// Address of the client, not of a balancer in between.
    pub from: IpAddr,
    /// Name under which an operator's program acts, on the control plane; may be empty.
    pub operator: Arc<str>,
}

/// Service behind a listener.
pub trait Service: Send + Sync + 'static {
    /// Answers a request by `deadline`. The future is dropped when the connection is lost.
    fn answer(
        self: Arc<Self>,
        caller: Caller,
        ask: Ask,
        deadline: Instant,
    ) -> impl Future<Output = Answer> + Send;

    /// Sends the events behind `cursor` that match `wanted` to `sink`, until the subscription ends. The future is dropped
    /// when the connection is lost. It runs on a reader thread.
    fn stream(
        self: Arc<Self>,
        cursor: Token,
        wanted: Topic,
        mut sink: SubscriptionSink,
    ) -> impl Future<Output = Result<(), FrameError>> + Send {
        let _ = (cursor, wanted);
        async move { sink.send(Answer::Unavailable(UnavailableReason::NotServing)).await }
    }

    /// Returns the HTTP page of a path, if there is one.
    fn page(&self, path: &str) -> Option<HttpResponse> {
        let _ = path;
        None
    }

    /// Decides about a server that asks to join with a join code.
    fn invite(self: Arc<Self>, knock: Knock) -> impl Future<Output = Result<(), FrameError>> + Send {
        knock.refuse(JoinAnswer::Unavailable(UnavailableReason::NotServing))
    }

    /// Serves a connection of another member, on the peer or snapshot plane.
    fn peer(self: Arc<Self>, plane: Plane, channel: Channel) -> impl Future<Output = ()> + Send;
}

/// Sending end of a subscription.
#[derive(Debug)]
pub struct SubscriptionSink {
    writer: ChannelWriter,
    tag: u32,
}

impl SubscriptionSink {
    /// Sends the next message. Waits for a slow client.
    ///
    /// # Errors
    /// `TimedOut` when the write makes no progress for `limits::WRITE_STALL`, `Io` when the connection is lost.
    pub async fn send(&mut self, answer: Answer) -> Result<(), FrameError> {
        frame::write(&mut self.writer, &AnswerFrame { tag: self.tag, answer }).await
    }
}

/// Connection limits of a listener, and the switch that closes all of its connections.
pub struct ConnectionLimits {
    connections_max: usize,
    clients_max: u32,
    /// Current number of connections.
    connections: AtomicUsize,
    /// Current number of connections on the client plane.
    clients: AtomicU32,
    /// Current number of client connections by address.
    by_address: AddressLimit,
    /// Decides whether the limit per address applies to an address.
    counted: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// Number of connections accepted so far.
    accepted: AtomicU64,
    /// Number of connections refused so far.
    refused: AtomicU64,
    /// Channel that carries nothing: its closing is the signal of [`ConnectionLimits::close`].
    open: Sender<Infallible>,
    closed: Receiver<Infallible>,
}

impl std::fmt::Debug for ConnectionLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConnectionLimits with {} connections", self.connections())
    }
}

impl ConnectionLimits {
    /// Creates limits for `CONNECTIONS_MAX` connections, of which some are reserved for members.
    pub fn new() -> Arc<ConnectionLimits> {
        ConnectionLimits::with_max(CONNECTIONS_MAX, CONNECTIONS_MAX - MEMBER_CONNECTIONS_MIN, |_| false)
    }

    /// Creates the same limits with at most `ADDRESS_CONNECTIONS_MAX` client connections per address. The limit does not apply
    /// to `crowded` addresses, which are shared by many users.
    pub fn with_address_limit(
        crowded: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Arc<ConnectionLimits> {
        let counted = move |address| !crowded(address);
        ConnectionLimits::with_max(CONNECTIONS_MAX, CONNECTIONS_MAX - MEMBER_CONNECTIONS_MIN, counted)
    }

    /// Creates limits for `connections_max` connections, of which at most `clients_max` are on the client plane, with the
    /// limit per address for each address that is `counted`.
    pub fn with_max(
        connections_max: usize,
        clients_max: usize,
        counted: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Arc<ConnectionLimits> {
        let clients_max = u32::try_from(clients_max).unwrap_or(u32::MAX);
        let (open, closed) = channel::bounded(1);
        let connections = AtomicUsize::new(0);
        let clients = AtomicU32::new(0);
        let (accepted, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        let (by_address, counted) = (AddressLimit::new(ADDRESS_CONNECTIONS_MAX), Box::new(counted));
        Arc::new(ConnectionLimits {
            connections_max,
            clients_max,
            connections,
            clients,
            by_address,
            counted,
            accepted,
            refused,
            open,
            closed,
        })
    }

    /// Returns the current number of connections on all planes.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Returns the numbers of connections accepted and refused so far.
    pub fn totals(&self) -> (u64, u64) {
        (self.accepted.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// Returns the current number of connections on the client plane.
    pub fn clients(&self) -> u32 {
        self.clients.load(Ordering::Relaxed)
    }

    /// Stops accepting, and closes every connection.
    pub fn close(&self) {
        self.open.close();
    }

    /// Waits for [`ConnectionLimits::close`].
    pub async fn closed(&self) {
        let _ = self.closed.recv().await;
    }

    /// Counts a connection, or returns `None` when the limit is reached.
    fn enter(self: &Arc<ConnectionLimits>) -> Option<ConnectionSlot> {
        let taken = self.connections.fetch_add(1, Ordering::Relaxed);
        let slot = ConnectionSlot(self.clone());
        let found = taken < self.connections_max;
        let total = if found { &self.accepted } else { &self.refused };
        total.fetch_add(1, Ordering::Relaxed);
        found.then_some(slot)
    }

    /// Counts a client connection of this address, or returns `None` when the limit per address is reached.
    pub fn admit_address(&self, address: IpAddr) -> Option<AddressSlot> {
        let found = self.by_address.enter(address, (self.counted)(address));
        if found.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            log::debug!("refused a connection: {address} has {ADDRESS_CONNECTIONS_MAX} already");
        }
        found
    }

    /// Counts a connection on the client plane, or returns `None` when the limit is reached.
    fn count_client(self: &Arc<ConnectionLimits>) -> Option<ClientSlot> {
        let taken = self.clients.fetch_add(1, Ordering::Relaxed);
        let slot = ClientSlot(self.clone());
        (taken < self.clients_max).then_some(slot)
    }
}

/// Guard of one connection slot. Dropping it frees the slot.
#[derive(Debug)]
pub struct ConnectionSlot(Arc<ConnectionLimits>);

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Guard of one slot on the client plane.
struct ClientSlot(Arc<ConnectionLimits>);

impl Drop for ClientSlot {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves the connections to `listener` until [`ConnectionLimits::close`] is called.
pub async fn serve<S: Service>(
    listener: TcpListener,
    node: Arc<S>,
    limits: Arc<ConnectionLimits>,
    keys: Keys,
) {
    accept(listener, &limits, |stream, slot| {
        let (node, limits, keys) = (node.clone(), limits.clone(), keys.clone());
        tasks::spawn(async move {
            let from = stream.peer_addr();
            let ended = async {
                limits.closed().await;
                Ok(())
            };
            if let Err(error) = connection(stream, node, &limits, &keys).or(ended).await {
                log::debug!("connection from {from:?} ended: {error}");
            }
            drop(slot);
        })
        .detach();
    })
    .await;
}

/// Accepts connections until [`ConnectionLimits::close`] is called, and calls `each` with every connection and its slot. A
/// connection beyond the limit is closed at once.
pub async fn accept(
    listener: TcpListener,
    limits: &Arc<ConnectionLimits>,
    mut each: impl FnMut(TcpStream, ConnectionSlot),
) {
    socket::limit_segments(&listener);
    let accepting = async {
        let mut warned = None;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    if let (Some(slot), Ok(())) = (limits.enter(), socket::tune(&stream)) {
                        each(stream, slot);
                    }
                }
                Err(error) => accept_failed(&error, &mut warned).await,
            }
        }
    };
    accepting.or(limits.closed()).await;
}

/// Handles a failure to accept. A connection that was aborted while it waited is ignored. Other failures (no free file
/// descriptors) persist for a while, so accepting pauses instead of spinning.
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

/// Connection after its opening, with the slots that it takes.
enum Opened {
    Http,
    Join(Knock, (Option<ClientSlot>, AddressSlot)),
    Channel(Caller, Channel, u64, (Option<ClientSlot>, Option<AddressSlot>)),
}

/// Serves one connection.
async fn connection<S: Service>(
    mut stream: TcpStream,
    node: Arc<S>,
    limits: &Arc<ConnectionLimits>,
    keys: &Keys,
) -> Result<(), FrameError> {
    let http = stream.clone();
    let opened = frame::with_timeout(PREFACE_DEADLINE, async {
        let Opening::Ribbit(arrival) = handshake::read_opening(&mut stream).await? else {
            return Ok(Opened::Http);
        };
        let plane = arrival.preface.plane;
        // Counted before the preface is sent, so that every client that has received it is in the count.
        let counted = match plane {
            Plane::Client | Plane::Join => Some(limits.count_client().ok_or(FrameError::Closed)?),
            _ => None,
        };
        if plane == Plane::Join {
            let knock = Knock::read(stream, arrival, keys).await?;
            let present = limits.admit_address(knock.from()).ok_or(FrameError::Closed)?;
            return Ok(Opened::Join(knock, (counted, present)));
        }
        let Accepted { channel, from, operator, key } = handshake::accept(stream, arrival, keys).await?;
        let present = match plane.is_closed() {
            true => None,
            false => Some(limits.admit_address(from).ok_or(FrameError::Closed)?),
        };
        Ok(Opened::Channel(Caller { plane, from, operator }, channel, key, (counted, present)))
    });
    let (caller, channel, key, _counted) = match opened.await? {
        Opened::Http => return http::answer(&mut { http }, |path| node.page(path)).await,
        Opened::Join(knock, _counted) => {
            return frame::with_timeout(JOIN_DEADLINE, node.invite(knock)).await;
        }
        Opened::Channel(caller, channel, key, counted) => (caller, channel, key, counted),
    };
    let is_closed = caller.plane.is_closed();
    let serving = serve_channel(caller, channel, node);
    match is_closed {
        true => {
            let refused = async {
                keys.refused(key).await;
                Err(FrameError::OtherKey)
            };
            serving.or(refused).await
        }
        false => serving.await,
    }
}

/// Serves a connection after its handshake.
async fn serve_channel<S: Service>(caller: Caller, channel: Channel, node: Arc<S>) -> Result<(), FrameError> {
    let plane = caller.plane;
    match plane {
        Plane::Client | Plane::Control | Plane::Status | Plane::Directory => {
            let Channel { mut reader, writer } = channel;
            match admission::read(&mut reader).await? {
                Admission::Ask(AskFrame { tag, ask: Ask::Subscribe { cursor, wanted }, .. })
                    if may_follow(plane, &wanted) =>
                {
                    rustix::net::sockopt::set_socket_send_buffer_size(
                        writer.socket(),
                        LIVE_SEND_BUFFER_BYTES,
                    )
                    .map_err(io::Error::from)?;
                    let streaming = node.stream(cursor, wanted, SubscriptionSink { writer, tag });
                    // Dropped with this connection.
                    tasks::spawn_reader(streaming).or(silence(reader)).await
                }
                first => converse(writer, reader, first, node, caller).await,
            }
        }
        Plane::Peer | Plane::Snapshot => {
            node.peer(plane, channel).await;
            Ok(())
        }
        Plane::Join => Err(FrameError::Malformed),
    }
}

/// Returns true if these events may be followed on this plane: the namespace by operators, feeds by users.
fn may_follow(plane: Plane, wanted: &Topic) -> bool {
    match wanted {
        Topic::Feed { .. } => plane == Plane::Client,
        Topic::Tree { .. } => plane == Plane::Control,
    }
}

/// Encoded answer, with the slot of its request.
struct ReadyAnswer {
    frame: Vec<u8>,
    _slot: SemaphoreGuardArc,
}

impl AsRef<[u8]> for ReadyAnswer {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

/// Reads requests and writes answers, until the client has closed its side and has all answers, or the connection fails.
async fn converse<S: Service>(
    mut writer: ChannelWriter,
    reader: ChannelReader,
    first: Admission,
    node: Arc<S>,
    caller: Caller,
) -> Result<(), FrameError> {
    let (ready, queue) = channel::bounded(ANSWERS_QUEUED_MAX);
    let reading = async {
        match read_asks(reader, first, node, caller, ready).await {
            Err(FrameError::Closed) => smol::future::pending().await, // the writer ends after the last answer
            result => result,
        }
    };
    let writing = async {
        // The queue is dropped with this future, which ends the tasks that still work on answers.
        let queue = queue;
        frame::write_queue(&mut writer, &queue).await
    };
    reading.or(writing).await
}

/// Ends when the subscriber sends any byte, or closes the connection.
async fn silence(mut reader: ChannelReader) -> Result<(), FrameError> {
    // A small buffer, because there may be a thousand subscribers, and they send nothing.
    reader.read_ahead(LIVE_SILENT_BYTES);
    match reader.read(&mut [0]).await? {
        0 => Ok(()),
        _ => Err(FrameError::Malformed),
    }
}

/// Reads requests and starts a task for each.
async fn read_asks<S: Service>(
    mut reader: ChannelReader,
    first: Admission,
    node: Arc<S>,
    caller: Caller,
    ready: Sender<ReadyAnswer>,
) -> Result<(), FrameError> {
    let slots = Arc::new(Semaphore::new(ASKS_PER_CONNECTION_MAX));
    let mut first = Some(first);
    loop {
        let slot = slots.acquire_arc().await;
        let incoming = match first.take() {
            Some(first) => first,
            None => admission::read(&mut reader).await?,
        };
        let AskFrame { tag, deadline_ms, ask } = match incoming {
            Admission::Ask(asked) => asked,
            Admission::Refused { tag, denied } => {
                let frame = frame::encode(&AnswerFrame { tag, answer: Answer::Refused(denied) });
                if ready.send(ReadyAnswer { frame, _slot: slot }).await.is_err() {
                    return Err(FrameError::Closed);
                }
                continue;
            }
        };
        let limit = Duration::from_millis(deadline_ms.into()).min(ASK_DEADLINE_MAX);
        let deadline = Instant::now() + limit;
        let reads = ask.reads_store();
        let (node, ready, caller) = (node.clone(), ready.clone(), caller.clone());
        // Pinned in place: a future that is moved into another one takes memory in both, for every request.
        let task = async move {
            let answering = pin!(async {
                let answer = node.answer(caller, ask, deadline).await;
                let frame = frame::encode(&AnswerFrame { tag, answer });
                // Sending fails when the connection is lost, and then the answer is not needed.
                let _ = ready.send(ReadyAnswer { frame, _slot: slot }).await;
            });
            answering.or(ready.closed()).await;
        };
        if reads { tasks::spawn_reader(task) } else { tasks::spawn(task) }.detach();
    }
}
