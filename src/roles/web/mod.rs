//! `ribbit client web`: pages for browsers, made from what the group answers.
//!
//! ```text
//!   browser ──▶ listener ──▶ Patient (bounds) ──▶ tls? ──▶ hyper ──▶ Site (checks, routes) ──▶ handler ──▶ ui::pages
//!                                                                                               │
//!                                                             group ◀── net::client ◀── Visit ──┘
//! ```
//!
//! - [`limits`]: every bound
//! - `door`: the connections that are open, counted, those of each address too
//! - `patience`: how long a connection may dawdle; `wire`: encrypted or not
//! - `tls`: certificate and key, and agreeing on keys; `validity`: until when a certificate counts
//! - `site`: one request from head to answer: host, path, method, whose form it is, size, then the handler
//! - `way`: whose request it is, and whether others can read it; `hosts`: the names this site goes by; `foreign`: what
//!   other sites' pages sent; `pace`: how often an address may try something
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
pub mod cert;
mod croak;
mod door;
mod export;
mod feed;
mod files;
mod foreign;
mod friends;
mod group;
mod health;
mod hosts;
mod leading;
pub mod limits;
mod live;
mod messages;
mod pace;
mod patience;
mod people;
mod settings;
mod shown;
mod site;
mod status;
mod tally;
mod tls;
mod validity;
mod visit;
mod way;
mod wire;

use crate::common::failure::{Exit, Failure};
use crate::common::options::WebOptions;
use crate::common::systemd::{notify, sockets};
use async_net::{TcpListener, TcpStream};
use async_signal::{Signal, Signals};
use door::{Counted, Door};
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use live::Stopping;
use patience::{Patience, Patient, Phase, Watch};
use ribbit_net::client::Client;
use site::Site;
use smol::LocalExecutor;
use smol::future::{FutureExt, pending};
use smol::io::AsyncWriteExt;
use smol::stream::StreamExt;
use smol_hyper::rt::FuturesIo;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tls::Tls;
use way::Ends;
use wire::{Stream, Wire};

/// Serves pages until `stop`, then answers what is under way.
///
/// # Errors
/// When it cannot listen, or what makes it HTTPS is no good.
pub async fn run(options: WebOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let listener = match sockets::inherited()? {
        Some(listener) => listener,
        None => bind(&options).await?,
    };
    serve(listener, options, stop).await
}

/// Takes the port.
///
/// # Errors
/// `Refused`, naming the address and the flag, when it is taken or is none of ours.
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

/// Serves pages on a listener until `stop`, then gives what is under way `limits::STOP_DEADLINE`.
///
/// # Errors
/// 78 when certificate or key is no good.
pub async fn serve(
    listener: TcpListener,
    options: WebOptions,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let tls = options.tls.clone().map(Tls::read).transpose()?;
    let port = listener.local_addr().map_or(leading::Port::Same, |at| leading::Port::Other(at.port()));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let words = match listener.local_addr() {
        Ok(address) => format!("serving pages on {scheme}://{address}"),
        Err(error) => format!("serving pages, at an address that is not known: {error}"),
    };
    let beside = match &options.http {
        Some(listen) => Some(bind_to(listen, "--http").await?),
        None => None,
    };
    // Before anybody comes: a SIGHUP that is not waited for ends the process, and a crowd may take every descriptor.
    let hangups = Signals::new([Signal::Hup]);
    log::info!("{words}");
    let stopping = Rc::new(Stopping::default());
    let site =
        Site::new(Client::new(options.servers.clone(), options.keys.clone()), options, stopping.clone());
    let door = Door::new(site, tls, stopping);
    let executor = LocalExecutor::new();
    let life = async {
        let served = accept(&listener, Purpose::Pages, &executor, &door);
        let led = async {
            match &beside {
                Some(beside) => accept(beside, Purpose::Leading(port), &executor, &door).await,
                None => pending().await,
            }
        };
        let served = served.or(led).or(read_certificates(&door, hangups));
        stop.or(served).or(notify::serving(|| words.clone())).await;
        drop((listener, beside));
        door.stopping.begin();
        let late = async {
            smol::Timer::after(limits::STOP_DEADLINE).await;
        };
        door.empty().or(late).await;
    };
    executor.run(life).await;
    log::info!("no longer serving pages");
    Ok(())
}

/// Reads certificate and key anew at each SIGHUP, for ever. Where there are none it is no reason to end, either: `systemctl
/// reload` sends it to any.
async fn read_certificates(door: &Door, hangups: io::Result<Signals>) {
    match hangups {
        Ok(mut hangups) => {
            while hangups.next().await.is_some() {
                match &door.tls {
                    Some(tls) => tls.read_again(),
                    None => log::info!("SIGHUP: there is no certificate to read anew"),
                }
            }
        }
        Err(error) => log::warn!("SIGHUP will not make it read the certificate anew: {error}"),
    }
    pending::<()>().await;
}

/// What a connection is for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Pages,
    /// HTTP, where pages are encrypted.
    Leading(leading::Port),
}

/// Accepts for ever.
async fn accept(listener: &TcpListener, purpose: Purpose, executor: &LocalExecutor<'_>, door: &Rc<Door>) {
    let words = "The server is full right now. Try again in a moment.";
    let full_answer = answer::to_bytes(answer::later(words));
    // Said once, however often it is tried.
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                failing = false;
                let full = door.open() >= limits::CONNECTIONS_MAX;
                match Counted::enter(door, peer.ip().to_canonical()).filter(|_| !full) {
                    Some(counted) => {
                        executor.spawn(connection(stream, peer, purpose, Rc::new(counted))).detach();
                    }
                    None => {
                        door.site.tally.turned_away();
                        turn_away(stream, &full_answer).await;
                    }
                }
            }
            Err(error) => {
                if !failing {
                    log::warn!("cannot accept connections at the moment: {error}");
                }
                failing = true;
                smol::Timer::after(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Says that there are too many, as far as that can be said without waiting for anybody.
async fn turn_away(mut stream: TcpStream, full_answer: &[u8]) {
    let written = smol::future::poll_once(stream.write_all(full_answer)).await;
    log::debug!("turned a connection away: {}", written.is_some());
}

/// One browser's connection, to its end.
async fn connection(stream: TcpStream, peer: SocketAddr, purpose: Purpose, counted: Rc<Counted>) {
    // Answers are written whole: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let watch = Watch::new();
    if let Some(wire) = wire(&stream, purpose, &watch, &counted.door).await {
        let purpose = match purpose {
            Purpose::Pages if counted.door.tls.is_some() && !wire.is_tls() => {
                Purpose::Leading(leading::Port::Same)
            }
            purpose => purpose,
        };
        let ends = Ends { peer: peer.ip().to_canonical(), tls: wire.is_tls() };
        talk(wire, &stream, ends, purpose, watch, counted.clone()).await;
    }
    // It takes nobody's place while it waits for its browser to close.
    if counted.become_lingering() {
        patience::linger(stream, limits::LINGER_BYTES_MAX, limits::LINGER).await;
    }
}

/// What HTTP is spoken over. Nothing when keys were not agreed on, or a stop came first.
async fn wire(stream: &TcpStream, purpose: Purpose, watch: &Watch, door: &Door) -> Option<Wire> {
    let (Some(tls), Purpose::Pages) = (&door.tls, purpose) else {
        let plain = Stream::Plain(Box::new(Patient::new(stream.clone(), watch.clone())));
        return Some(Wire::new(plain, watch.clone()));
    };
    watch.enter(Phase::Agreeing);
    let stopped = async {
        door.stopping.wait().await;
        None
    };
    let agreed = tls.accept(stream, watch).or(stopped).await?;
    watch.enter(Phase::Head);
    Some(Wire::new(agreed, watch.clone()))
}

/// Request after request, until one side has had enough.
async fn talk(
    wire: Wire,
    stream: &TcpStream,
    ends: Ends,
    purpose: Purpose,
    watch: Watch,
    counted: Rc<Counted>,
) {
    let mut patience = Patience::new(watch.clone());
    let service = service_fn(|request: Request<Incoming>| {
        let (counted, watch, stream) = (counted.clone(), watch.clone(), stream.clone());
        let whole = Body::is_end_stream(Request::body(&request));
        watch.enter(if whole { Phase::Answering } else { Phase::Serving });
        let answered = async move {
            let door = &counted.door;
            let crowded = door.open() > limits::KEEP_ALIVE_CONNECTIONS_MAX || door.stopping.began();
            let answer = match purpose {
                Purpose::Pages => door.site.answer(request, ends, &watch, Instant::now()).await,
                Purpose::Leading(port) => door.site.lead(&request, ends, port),
            };
            if answer.body().is_live() {
                // It goes on being served until its end, which is the connection's.
                counted.become_live();
                watch.enter(Phase::Live);
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
        .serve_connection(FuturesIo::new(wire), service);
    let ended = {
        let mut stopped = pin!(counted.door.stopping.wait());
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
    let mut wire = http.into_parts().io.into_inner();
    match ended {
        Some(Ok(())) => wire.say_end().await,
        Some(Err(error)) => {
            log::debug!("a browser's connection ended: {error}");
            if let Some(answer) = wire.refused().and_then(site::no_request) {
                counted.door.site.tally.count(answer.status(), Duration::ZERO);
                let said = wire.say(&answer::to_bytes(answer)).await;
                log::debug!("what is no request was answered: {}", said.is_ok());
                wire.say_end().await;
            }
        }
        None => log::debug!("a browser said nothing for too long"),
    }
}
