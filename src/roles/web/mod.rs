//! `ribbit client web`: pages for browsers, made from what the group answers.
//!
//! ```text
//!   browser ──▶ listener ──▶ Patient (bounds) ──▶ hyper ──▶ Site (checks, routes) ──▶ handler ──▶ ui::pages
//!                                                                                       │
//!                                                     group ◀── net::client ◀── Visit ──┘
//! ```
//!
//! - [`limits`]: every bound
//! - `patience`: how long a connection may dawdle
//! - `site`: one request from head to answer: path, method, whose form it is, size, then the handler
//! - `visit`: one browser's cookies and deadline; asks the group
//! - `live`: streams of what happens
//! - `feed`, `friends`, `account`, `people`, `croak`, `messages`, `settings`, `export`, `status`: the handlers; `shown` for
//!   what a page says once it has arrived, `health` for programs
//! - `group`: how the group is, asked once for all; `tally`: what was answered, counted
//! - `answer`: the headers that every answer has
//!
//! Nothing is kept between requests but the client's connections, counts, what the group was like a second ago and
//! what was just told live, so any web process serves any session. One thread: a page is a wait and some string
//! building. Every request is answered within four seconds; only streams go on.

mod account;
mod answer;
mod croak;
mod export;
mod feed;
mod friends;
mod group;
mod health;
pub mod limits;
mod live;
mod messages;
mod patience;
mod people;
mod settings;
mod shown;
mod site;
mod status;
mod tally;
mod visit;

use super::failure::{Exit, Failure};
use super::options::WebOptions;
use crate::net::client::Client;
use crate::net::keys::Keys;
use async_net::{TcpListener, TcpStream};
use event_listener::Event;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use live::Stopping;
use patience::{Patient, Phase, Watch};
use site::Site;
use smol::LocalExecutor;
use smol::future::FutureExt;
use smol::io::AsyncWriteExt;
use smol_hyper::rt::FuturesIo;
use std::cell::Cell;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Instant;

/// Serves pages until `stop`, then answers what is under way.
///
/// # Errors
/// When it cannot listen.
pub async fn run(options: WebOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let listener = bind(&options).await?;
    serve(listener, options.servers, options.keys, stop).await;
    Ok(())
}

/// Takes the port.
///
/// # Errors
/// `Refused`, naming the address and the flag, when it is taken or is none of ours.
pub async fn bind(options: &WebOptions) -> Result<TcpListener, Failure> {
    let listen = &options.listen;
    let listener = TcpListener::bind(listen.as_str()).await.map_err(|error| {
        let what = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                let port = listen.rsplit(':').next().unwrap_or(listen);
                format!("cannot serve pages on {listen}: port {port} is taken")
            }
            _ => format!("cannot serve pages on {listen}: {error}"),
        };
        Failure::new(Exit::Refused, format!("{what}; choose another with --listen (--web of `ribbit up`)"))
    })?;
    if let Ok(address) = listener.local_addr() {
        log::info!("serving pages on http://{address}");
    }
    Ok(listener)
}

/// What the connections share.
struct Door {
    site: Site,
    /// Connections open now, those of live streams not counted.
    open: Cell<usize>,
    /// Connections of live streams.
    live: Cell<usize>,
    stopping: Rc<Stopping>,
    /// Tells the stop that a connection is gone.
    gone: Event,
}

/// A connection, counted.
struct Counted {
    door: Rc<Door>,
    is_live: Cell<bool>,
}

impl Counted {
    fn new(door: Rc<Door>) -> Counted {
        let counted = Counted { door, is_live: Cell::new(false) };
        counted.count(1);
        counted
    }

    fn become_live(&self) {
        self.count(-1);
        self.is_live.set(true);
        self.count(1);
    }

    fn count(&self, by: isize) {
        let door = &self.door;
        let count = if self.is_live.get() { &door.live } else { &door.open };
        count.set(count.get().saturating_add_signed(by));
        door.site.tally.open.set(door.open.get());
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count(-1);
        self.door.gone.notify(usize::MAX);
    }
}

/// Serves pages on a listener until `stop`, then gives what is under way `limits::STOP_DEADLINE`.
pub async fn serve(listener: TcpListener, servers: Vec<String>, keys: Keys, stop: impl Future<Output = ()>) {
    let stopping = Rc::new(Stopping::default());
    let door = Rc::new(Door {
        site: Site::new(Client::new(servers.clone(), keys.clone()), servers, keys, stopping.clone()),
        open: Cell::new(0),
        live: Cell::new(0),
        stopping,
        gone: Event::new(),
    });
    let executor = LocalExecutor::new();
    let life = async {
        stop.or(accept(&listener, &executor, &door)).await;
        drop(listener);
        door.stopping.begin();
        let gone = async {
            while door.open.get() + door.live.get() > 0 {
                door.gone.listen().await;
            }
        };
        gone.or(async {
            smol::Timer::after(limits::STOP_DEADLINE).await;
        })
        .await;
    };
    executor.run(life).await;
    log::info!("no longer serving pages");
}

/// Accepts for ever.
async fn accept(listener: &TcpListener, executor: &LocalExecutor<'_>, door: &Rc<Door>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if door.open.get() < limits::CONNECTIONS_MAX => {
                let counted = Rc::new(Counted::new(door.clone()));
                executor.spawn(connection(stream, counted)).detach();
            }
            Ok((stream, _)) => {
                door.site.tally.turned_away();
                turn_away(stream).await;
            }
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                smol::Timer::after(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Says that there are too many, as far as that can be said without waiting for anybody.
async fn turn_away(mut stream: TcpStream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\n\
        Content-Type: text/plain\r\nContent-Length: 47\r\n\r\nToo many people are here; come back in a moment";
    let written = smol::future::poll_once(stream.write_all(FULL)).await;
    log::debug!("turned a connection away: {}", written.is_some());
}

/// One browser's connection, to its end.
async fn connection(stream: TcpStream, counted: Rc<Counted>) {
    // Answers are written whole: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let watch = Watch::new();
    let service = service_fn(|request| {
        let (counted, watch, stream) = (counted.clone(), watch.clone(), stream.clone());
        watch.enter(Phase::Serving);
        let answered = async move {
            let door = &counted.door;
            let crowded = door.open.get() > limits::KEEP_ALIVE_CONNECTIONS_MAX || door.stopping.began();
            let answer = door.site.answer(request, Instant::now()).await;
            if answer.body().is_live() {
                // It goes on being served until its end, which is the connection's.
                counted.become_live();
                patience::end_with_its_reader(&stream);
                return Ok::<_, Infallible>(answer);
            }
            watch.enter(Phase::Idle);
            Ok::<_, Infallible>(if crowded { answer::closing(answer) } else { answer })
        };
        // Boxed so that hyper's connection can be polled without pinning, and taken apart at its end.
        Box::pin(answered) as Pin<Box<dyn Future<Output = _>>>
    });
    let mut http = http1::Builder::new()
        .max_buf_size(limits::HEAD_BYTES_MAX)
        .max_header_size(limits::HEAD_BYTES_MAX)
        .max_headers(limits::HEADERS_MAX)
        .header_read_timeout(None)
        .serve_connection(FuturesIo::new(Patient::new(stream.clone(), watch.clone())), service);
    let ended = {
        let mut stopped = pin!(counted.door.stopping.wait());
        let mut told = false;
        std::future::poll_fn(|cx| {
            if !told && stopped.as_mut().poll(cx).is_ready() {
                told = true;
                Pin::new(&mut http).graceful_shutdown();
            }
            http.poll_without_shutdown(cx)
        })
        .await
    };
    if let Err(error) = ended {
        log::debug!("a browser's connection ended: {error}");
    }
    let stream = http.into_parts().io.into_inner().into_inner();
    patience::linger(stream, limits::LINGER_BYTES_MAX, limits::LINGER).await;
}
