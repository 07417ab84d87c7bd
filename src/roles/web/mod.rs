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
//! - `feed`, `friends`, `account`, `people`, `croak`, `messages`, `settings`, `status`: the handlers; `shown` for what a page
//!   says once it has arrived, `health` for programs
//! - `group`: how the group is, asked once for all; `tally`: what was answered, counted
//! - `answer`: the headers that every answer has
//!
//! Nothing is kept between requests but the client's connections, counts and what the group was like a second ago, so any web process serves any session. One
//! thread: a page is a wait and some string building. Every request is answered within four seconds.

mod account;
mod answer;
mod croak;
mod feed;
mod friends;
mod group;
mod health;
pub mod limits;
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
use async_net::{TcpListener, TcpStream};
use event_listener::Event;
use hyper::server::conn::http1;
use hyper::service::service_fn;
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
    serve(listener, options.servers, stop).await;
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
    /// Connections open now.
    open: Cell<usize>,
    stopping: Cell<bool>,
    /// Tells the connections that `stopping` is set, and the stop that one of them is gone.
    changed: Event,
}

/// Serves pages on a listener until `stop`, then gives what is under way `limits::STOP_DEADLINE`.
pub async fn serve(listener: TcpListener, servers: Vec<String>, stop: impl Future<Output = ()>) {
    let door = Rc::new(Door {
        site: Site::new(Client::new(servers.clone()), servers),
        open: Cell::new(0),
        stopping: Cell::new(false),
        changed: Event::new(),
    });
    let executor = LocalExecutor::new();
    let life = async {
        stop.or(accept(&listener, &executor, &door)).await;
        drop(listener);
        door.stopping.set(true);
        door.changed.notify(usize::MAX);
        let gone = async {
            while door.open.get() > 0 {
                door.changed.listen().await;
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
                door.open.set(door.open.get() + 1);
                door.site.tally.open.set(door.open.get());
                let door = door.clone();
                executor
                    .spawn(async move {
                        connection(stream, &door).await;
                        door.open.set(door.open.get() - 1);
                        door.site.tally.open.set(door.open.get());
                        door.changed.notify(usize::MAX);
                    })
                    .detach();
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
async fn connection(stream: TcpStream, door: &Rc<Door>) {
    // Answers are written whole: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let watch = Watch::new();
    let service = service_fn(|request| {
        let (door, watch) = (door.clone(), watch.clone());
        watch.enter(Phase::Serving);
        let answered = async move {
            let crowded = door.open.get() > limits::KEEP_ALIVE_CONNECTIONS_MAX || door.stopping.get();
            let answer = door.site.answer(request, Instant::now()).await;
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
        .serve_connection(FuturesIo::new(Patient::new(stream, watch.clone())), service);
    let ended = {
        let stopped = async {
            while !door.stopping.get() {
                door.changed.listen().await;
            }
        };
        let mut stopped = pin!(stopped);
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
