//! `ribbit client web`: the web role, which serves pages to browsers and asks the cluster for their content.
//!
//! ```text
//!   browser ──▶ listener ──▶ timeouts ──▶ tls? ──▶ hyper ──▶ site (checks, routes) ──▶ handler ──▶ ui::pages
//!                                                                                        │
//!                                                cluster ◀── net::client ◀── request_context
//! ```
//!
//! - `threads`: one for each core; `connections`: counts, in total and per address
//! - `http`: one connection, encrypted or not, with its guards and timeouts; bodies; what all answers have in common
//! - `site`: one request from head to answer: host, path, method, origin, size, then the handler; [`routes`]: the table of all
//!   routes
//! - `request_context`: cookies, deadline, queries and commands of one request; `services`: what all requests share;
//!   `error_pages`: refusals
//! - `accounts`, `admin`, `croaks`, `talks`, `monitoring`: the handlers of pages, by subject
//! - `chirper`: the addresses of Chirper's web server
//! - [`api`]: the Mastodon client API
//!
//! [`limits`] has every limit.
//!
//! No state is kept between requests except the clients' connections, counters, a second-old survey and recently
//! rendered croaks and pages, so any web process serves any session. Each core has a thread (`threads`). Every request is
//! answered within four seconds; only live streams and downloads take longer.

mod accounts;
mod admin;
pub mod api;
pub mod arguments;
mod chirper;
mod connections;
mod croaks;
mod error_pages;
pub mod http;
pub mod limits;
mod monitoring;
mod request_context;
pub mod routes;
mod services;
mod site;
mod talks;
mod threads;

use crate::common::discovery;
use crate::common::failure::{Exit, Failure};
use crate::common::linger;
use crate::common::machine::host_name;
use crate::common::shutdown::Shutdown;
use crate::common::systemd::{self, sockets};
use crate::common::tls::{ServerTls, reload_on_hangup};
use crate::web::arguments::WebOptions;
use crate::web::connections::{CountedConnection, WebServer};
use crate::web::http::client_origin::PeerInfo;
use crate::web::http::connection::{HttpStream, PlainOrTls};
use crate::web::http::timeouts::{ConnectionClock, ConnectionPhase, ReadTimeout, TimedStream};
use crate::web::http::{https_redirect, response, timeouts, tls};
use crate::web::threads::{Arrival, Workers};
use async_net::{TcpListener, TcpStream};
use async_signal::{Signal, Signals};
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use ribbit_net::client::Client;
use ribbit_net::mdns::SiteAddress;
use ribbit_net::socket;
use site::Site;
use smol::LocalExecutor;
use smol::future::{FutureExt, pending};
use smol::io::AsyncWriteExt;
use smol_hyper::rt::FuturesIo;
use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Serves pages until `stop`, then completes the requests in progress.
///
/// # Errors
/// `Refused` if it cannot listen, `Configuration` (78) if certificate or key is invalid.
pub async fn run(options: WebOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let listener = match sockets::inherited()? {
        Some(listener) => listener,
        None => bind(&options).await?,
    };
    serve(listener, options, stop).await
}

/// Binds the port.
///
/// # Errors
/// `Refused`, naming the address and the flag, if the port is in use or the address is not local.
pub async fn bind(options: &WebOptions) -> Result<TcpListener, Failure> {
    bind_to(&options.listen, "--listen (--web of `ribbit up`)").await
}

async fn bind_to(listen: &str, flag: &str) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::AddrInUse => {
                let port = listen.rsplit(':').next().unwrap_or(listen);
                format!("cannot serve pages on {listen}: port {port} is taken")
            }
            _ => format!("cannot serve pages on {listen}: {error}"),
        };
        Failure::new(Exit::Refused, format!("{what}; choose another with {flag}"))
    })?;
    Ok(listener)
}

/// Serves pages on a listener until `stop`, then gives requests in progress `limits::STOP_DEADLINE`.
///
/// # Errors
/// `Refused` if the HTTP port cannot be bound, `Configuration` (78) if certificate or key is invalid.
pub async fn serve(
    listener: TcpListener,
    options: WebOptions,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let tls = options.tls.clone().map(|files| ServerTls::read(files, tls::ALPN)).transpose()?;
    let port = listener
        .local_addr()
        .map_or(https_redirect::RedirectPort::Same, |at| https_redirect::RedirectPort::Other(at.port()));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let words = match listener.local_addr() {
        Ok(address) => format!("serving pages on {scheme}://{address}"),
        Err(error) => format!("serving pages at an unknown address: {error}"),
    };
    let beside = match &options.http {
        Some(listen) => Some(bind_to(listen, "--http").await?),
        None => None,
    };
    for listener in [Some(&listener), beside.as_ref()].into_iter().flatten() {
        socket::tune_listener(listener, limits::ACCEPT_BACKLOG);
    }
    // Before the first connection: an unhandled SIGHUP ends the process, and many connections may take every file descriptor.
    let hangups = Signals::new([Signal::Hup]);
    log::info!("{words}");
    let shutdown = Arc::new(Shutdown::default());
    let (servers, keys) = (options.servers.clone(), options.keys.clone());
    let workers = Workers::start(|executor| Client::direct(servers.clone(), keys.clone(), executor));
    let name = ("web", format!("web-{}", host_name()));
    let site_address = options.floating.map_or(SiteAddress::Own, SiteAddress::Floating);
    let (is_on, bound) = (options.discovery, listener.local_addr());
    let announcing = discovery::announce(is_on, bound, name, keys.cluster(), site_address);
    let site = Site::new(workers.first.client.clone(), options, shutdown.clone());
    let server = WebServer::new(site, tls, shutdown);
    let local = LocalExecutor::new();
    let life = async {
        let served = accept(&listener, Purpose::Pages, &local, &workers, &server);
        let led = async {
            match &beside {
                Some(beside) => accept(beside, Purpose::Redirect(port), &local, &workers, &server).await,
                None => pending().await,
            }
        };
        let served = served.or(led).or(announcing).or(reload_on_hangup(server.tls.as_ref(), hangups));
        stop.or(served).or(systemd::serving(|| words.clone())).await;
        drop((listener, beside));
        server.shutdown.begin();
        let late = async {
            smol::Timer::after(limits::STOP_DEADLINE).await;
        };
        server.empty().or(late).await;
    };
    workers.first.run(&local, life).await;
    workers.end();
    log::info!("stopped serving pages");
    Ok(())
}

/// Purpose of a listener or connection.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Pages,
    /// Redirects from HTTP to HTTPS.
    Redirect(https_redirect::RedirectPort),
}

/// Accepts connections forever.
async fn accept(
    listener: &TcpListener,
    purpose: Purpose,
    local: &LocalExecutor<'_>,
    workers: &Workers,
    server: &Arc<WebServer>,
) {
    let words = "The server is full right now. Try again in a moment.";
    let full_answer = response::to_bytes(response::later(words));
    // True while accepting fails, so that a repeated error is logged once.
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                failing = false;
                let full = server.open() >= limits::CONNECTIONS_MAX;
                match CountedConnection::enter(server, peer.ip().to_canonical()).filter(|_| !full) {
                    Some(counted) => {
                        if let Some(own) = workers.pass_on(Arrival { stream, peer, purpose, counted }) {
                            workers.first.serve(local, own);
                        }
                    }
                    None => {
                        server.site.services.metrics.turned_away();
                        turn_away(stream, &full_answer).await;
                    }
                }
            }
            Err(error) => {
                if !failing {
                    log::warn!("cannot accept connections: {error}");
                }
                failing = true;
                smol::Timer::after(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Refuses a connection with 503, as far as the answer can be written without waiting.
async fn turn_away(mut stream: TcpStream, full_answer: &[u8]) {
    let written = smol::future::poll_once(stream.write_all(full_answer)).await;
    log::debug!("connection refused at a limit; answer written: {}", written.is_some());
}

/// Serves one connection to its end.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    purpose: Purpose,
    counted: Rc<CountedConnection>,
    client: &Client,
) {
    // Answers are written whole, so Nagle's algorithm would only delay them.
    let _ = stream.set_nodelay(true);
    let watch = ConnectionClock::new();
    if let Some(wire) = wire(&stream, purpose, &watch, &counted.server).await {
        let purpose = match purpose {
            Purpose::Pages if counted.server.tls.is_some() && !wire.is_tls() => {
                Purpose::Redirect(https_redirect::RedirectPort::Same)
            }
            purpose => purpose,
        };
        let ends = PeerInfo { address: peer.ip().to_canonical(), tls: wire.is_tls() };
        talk(wire, &stream, ends, purpose, watch, counted.clone(), client).await;
    }
    // A connection that waits for its browser to close takes no slot.
    if counted.become_lingering() {
        linger::linger(stream, limits::LINGER_BYTES_MAX, limits::LINGER).await;
    }
}

/// Returns the HTTP stream of a connection. `None` if the TLS handshake fails or the role is stopped first.
async fn wire(
    stream: &TcpStream,
    purpose: Purpose,
    watch: &ConnectionClock,
    server: &WebServer,
) -> Option<HttpStream> {
    let (Some(tls), Purpose::Pages) = (&server.tls, purpose) else {
        let plain = PlainOrTls::Plain(Box::new(TimedStream::new(stream.clone(), watch.clone())));
        return Some(HttpStream::new(plain, watch.clone()));
    };
    watch.enter(ConnectionPhase::Agreeing);
    let stopped = async {
        server.shutdown.wait().await;
        None
    };
    let agreed = tls::accept(tls, stream, watch).or(stopped).await?;
    watch.enter(ConnectionPhase::Head);
    Some(HttpStream::new(agreed, watch.clone()))
}

/// Handles requests on a connection until one side closes it.
async fn talk(
    wire: HttpStream,
    stream: &TcpStream,
    peer: PeerInfo,
    purpose: Purpose,
    watch: ConnectionClock,
    counted: Rc<CountedConnection>,
    client: &Client,
) {
    let mut patience = ReadTimeout::new(watch.clone());
    let upgrade = Rc::new(Cell::new(None));
    let service = service_fn(|request: Request<Incoming>| {
        let (counted, watch, stream, client) =
            (counted.clone(), watch.clone(), stream.clone(), client.clone());
        let upgrade = upgrade.clone();
        let whole = Body::is_end_stream(Request::body(&request));
        watch.enter(if whole { ConnectionPhase::Answering } else { ConnectionPhase::Serving });
        let answered = async move {
            let server = &counted.server;
            let crowded = server.open() > limits::KEEP_ALIVE_CONNECTIONS_MAX || server.shutdown.began();
            let mut answer = match purpose {
                Purpose::Pages => server.site.answer(request, peer, &client, &watch, Instant::now()).await,
                Purpose::Redirect(port) => server.site.redirect(&request, peer, port),
            };
            if answer.body().is_live() {
                // The stream ends with the connection.
                counted.become_live();
                watch.enter(ConnectionPhase::Live);
                timeouts::end_with_its_reader(&stream);
                upgrade.set(answer.body_mut().take_upgrade());
                return Ok::<_, Infallible>(answer);
            }
            watch.enter(ConnectionPhase::Idle);
            Ok::<_, Infallible>(if crowded { response::closing(answer) } else { answer })
        };
        // Boxed so that hyper's connection can be polled without pinning, and taken apart at its end.
        Box::pin(answered) as Pin<Box<dyn Future<Output = _>>>
    });
    let mut http = http1::Builder::new()
        .max_buf_size(limits::HEAD_BYTES_MAX)
        .max_header_size(limits::HEAD_BYTES_MAX)
        .max_headers(limits::HEADERS_MAX)
        .header_read_timeout(None)
        .serve_connection(FuturesIo::new(wire), service);
    let ended = {
        let mut stopped = pin!(counted.server.shutdown.wait());
        let mut told = false;
        std::future::poll_fn(|cx| {
            if !told && stopped.as_mut().poll(cx).is_ready() {
                told = true;
                Pin::new(&mut http).graceful_shutdown();
            }
            match http.poll_without_shutdown(cx) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending => patience.poll(cx).map(|()| None),
            }
        })
        .await
    };
    let parts = http.into_parts();
    let mut wire = parts.io.into_inner();
    match (ended, upgrade.take()) {
        (Some(Ok(())), Some(upgrade)) => return upgrade(wire, parts.read_buf).await,
        (Some(Ok(())), None) => wire.say_end().await,
        (Some(Err(error)), _) => {
            log::debug!("connection ended: {error}");
            if let Some(answer) = wire.refused().and_then(site::no_request) {
                counted.server.site.services.metrics.count(answer.status(), Duration::ZERO);
                let said = wire.say(&response::to_bytes(answer)).await;
                log::debug!("invalid request answered: {}", said.is_ok());
                wire.say_end().await;
            }
        }
        (None, _) => log::debug!("connection timed out"),
    }
}
