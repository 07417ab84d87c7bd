//! The protocol of Ribbit's web client in Go: a balancer and up to three backends, one request and one answer per connection.
//!
//! ```text
//!   listener 0: balancer ── names one port for reads, one for writes
//!   listeners 1 to 3: backends ── request ──▶ copies ──▶ operations ──▶ answer, close
//! ```
//!
//! - [`codec`]: the text; [`copies`]: copies of one write; [`logins`]: the hour in which a name is believed
//! - A log-in is always answered: the client takes a connection that is closed without an answer for a successful log-in.
//! - The balancer names a single port for writes, so the client sends no copies as long as it follows the balancer.

pub mod codec;
mod copies;
mod logins;

use super::operations::GatewayOperations;
use super::protocol::Context;
use crate::common::service::Service;
use crate::common::service::connection::{Connection, Received};
use crate::operations::{Refusal, Session};
use codec::{Answer, BalancerRequest, Choice, FeedPost, Request};
use copies::Copies;
use logins::LogIns;
use ribbit_net::protocol::{NewAccount, Password};
use ribbit_state::Code;
use ribbit_state::limits::FEED_PAGE_MAX;
use ribbit_state::sync::MutexExt;
use smol::Timer;
use smol::future::{Boxed, or};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Name of the protocol.
pub(super) const NAME: &str = "ribbit-tcp";
/// Maximum size of a request, in bytes. The rest of a longer one is dropped.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Size from which a request may have further parts on the way: that of the original server's buffer.
const LONG_REQUEST_BYTES: usize = 1_024;
/// Time to wait for further parts of a long request.
const PART_PAUSE: Duration = Duration::from_millis(5);
/// Time to wait for the request on a new connection.
const FIRST_BYTE_MAX: Duration = Duration::from_secs(10);
/// Time for which a port is not named after a client has reported that it cannot connect to it.
const DOWN: Duration = Duration::from_secs(3);
/// Time for a request in progress when the role is stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Service of the balancer and the backends.
struct RibbitTcp {
    operations: Arc<GatewayOperations>,
    /// Ports of the backends, with the time until which a port is not named.
    backends: Mutex<Vec<(u16, Option<Instant>)>>,
    copies: Copies,
    log_ins: LogIns,
}

/// Starts the service. The first listener is the balancer's.
pub(super) fn start(context: Context) -> Arc<dyn Service> {
    let Context { operations, listeners } = context;
    let backends = listeners.iter().skip(1).map(|address| (address.port(), None)).collect();
    let (copies, log_ins) = Default::default();
    Arc::new(RibbitTcp { operations, backends: Mutex::new(backends), copies, log_ins })
}

impl Service for RibbitTcp {
    fn serve(self: Arc<Self>, connection: Connection) -> Boxed<()> {
        Box::pin(async move { self.converse(connection).await })
    }

    fn refusal(&self, listener: usize) -> &'static [u8] {
        // Without an answer a log-in would be successful.
        if listener == 0 { b"" } else { b"602" }
    }
}

impl RibbitTcp {
    async fn converse(&self, mut connection: Connection) {
        let Some(bytes) = whole_request(&mut connection).await else { return };
        let said = match connection.listener {
            0 => self.balance(&bytes),
            listener => {
                let stopping = connection.stopping();
                let stopped = async {
                    stopping.await;
                    Timer::after(STOP_PATIENCE).await;
                    refused(&codec::request(&bytes))
                };
                codec::answer(&or(self.answer(connection.from, listener, &bytes), stopped).await)
            }
        };
        match connection.send(&said).await {
            Ok(()) => connection.finish().await,
            Err(error) => log::debug!("an answer did not arrive: {error}"),
        }
    }

    /// Answers a request to the balancer.
    fn balance(&self, bytes: &[u8]) -> Vec<u8> {
        let now = Instant::now();
        let mut backends = self.backends.locked();
        match codec::balancer_request(bytes) {
            BalancerRequest::Read => codec::read_answer(first_up(&backends, now)),
            BalancerRequest::Write => codec::write_answer([first_up(&backends, now), None, None]),
            BalancerRequest::Down(port) => {
                let named = backends.iter_mut().filter(|(known, _)| *known == port);
                named.for_each(|(_, until)| *until = Some(now + DOWN));
                Vec::new()
            }
            BalancerRequest::Other => Vec::new(),
        }
    }

    /// Answers a request to a backend. Copies of a write share one answer.
    async fn answer(&self, from: IpAddr, listener: usize, bytes: &[u8]) -> Answer {
        let request = codec::request(bytes);
        match request {
            Request::LogIn { .. } | Request::Feed { .. } | Request::Malformed => {
                self.carry_out(from, request).await
            }
            Request::Create { .. }
            | Request::Post { .. }
            | Request::Manage { .. }
            | Request::Delete { .. } => {
                let answer = self.copies.answer(from, bytes, listener, Instant::now());
                answer.get_or_init(|| self.carry_out(from, request)).await.clone()
            }
        }
    }

    async fn carry_out(&self, from: IpAddr, request: Request) -> Answer {
        let otherwise = refused(&request);
        let done = match request {
            Request::Create { username, name, email, password } => {
                let password = Password(password);
                self.create(from, NewAccount { name, username, email, password, invitation: None }).await
            }
            Request::LogIn { username, password } => self.log_in(from, &username, Password(password)).await,
            Request::Post { username, text } => self.post(from, &username, &text).await,
            Request::Manage { username, friend, choice } => {
                self.manage(from, &username, &friend, choice).await
            }
            Request::Delete { username } => self.delete(from, &username).await,
            Request::Feed { username } => self.feed(from, &username).await,
            Request::Malformed => Err(Refusal::Denied(Code::InvalidEntry)),
        };
        match (done, otherwise) {
            (Ok(answer), _) => answer,
            (Err(refusal), Answer::Code(code)) => Answer::Code(shown(refusal, code)),
            (Err(_), otherwise) => otherwise,
        }
    }

    async fn create(&self, from: IpAddr, form: NewAccount) -> Result<Answer, Refusal> {
        if !codec::fits_cookie(&form.username) {
            return Err(Refusal::Denied(Code::InvalidEntry));
        }
        let (username, password) = (form.username.clone(), form.password.clone());
        self.operations.create(from, form).await?;
        // The address that has created an account is believed for it, as after a log-in.
        if let Err(refusal) = self.log_in(from, &username, password).await {
            log::debug!("no session for a new account: {refusal}");
        }
        Ok(Answer::Code(OK))
    }

    async fn log_in(&self, from: IpAddr, username: &str, password: Password) -> Result<Answer, Refusal> {
        if !codec::fits_cookie(username) {
            return Err(Refusal::Denied(Code::NoSuchUser));
        }
        let session = self.operations.log_in_for(NAME, from, username, password).await?;
        self.log_ins.record(from, &session.username, Instant::now());
        Ok(Answer::Code(OK))
    }

    async fn post(&self, from: IpAddr, username: &str, text: &str) -> Result<Answer, Refusal> {
        let session = self.session(from, username).await?;
        self.operations.post(from, &session, text).await?;
        Ok(Answer::Code(OK))
    }

    async fn manage(
        &self,
        from: IpAddr,
        username: &str,
        friend: &str,
        choice: Choice,
    ) -> Result<Answer, Refusal> {
        let session = self.session(from, username).await?;
        let changed = match choice {
            Choice::Add => self.operations.follow(from, &session, friend).await,
            Choice::Remove => self.operations.unfollow(from, &session, friend).await,
            Choice::Other => Err(Refusal::Denied(Code::InvalidEntry)),
        };
        match changed {
            Ok(()) | Err(Refusal::Denied(Code::AlreadyFriend | Code::NotAFriend | Code::Yourself)) => {
                Ok(Answer::Code(OK))
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn delete(&self, from: IpAddr, username: &str) -> Result<Answer, Refusal> {
        let session = self.session(from, username).await?;
        self.operations.delete_account(&session).await?;
        Ok(Answer::Nothing)
    }

    async fn feed(&self, from: IpAddr, username: &str) -> Result<Answer, Refusal> {
        let session = self.session(from, username).await?;
        let posts = self.operations.feed(&session, FEED_PAGE_MAX).await?;
        let shown =
            posts.into_iter().map(|post| FeedPost { username: post.author, text: post.text, id: post.id });
        Ok(Answer::Feed(shown.collect()))
    }

    /// Returns the session of a name, if this address has logged in to it within the hour.
    async fn session(&self, from: IpAddr, username: &str) -> Result<Session, Refusal> {
        self.log_ins.session(&self.operations, from, username).await
    }
}

/// Answer to a request that was carried out.
const OK: u16 = 200;

/// Returns the answer to a request that was not carried out, for want of a better reason.
fn refused(request: &Request) -> Answer {
    match request {
        Request::Create { .. } | Request::Malformed => Answer::Code(Code::InvalidEntry.number()),
        Request::LogIn { .. } => Answer::Code(Code::WrongPassword.number()),
        Request::Post { .. } | Request::Manage { .. } => Answer::Code(Code::Unavailable.number()),
        Request::Feed { .. } => Answer::Feed(Vec::new()),
        Request::Delete { .. } => Answer::Nothing,
    }
}

/// Returns the code that the client is shown for a refusal. It knows few codes, and each means something to it alone for
/// some requests; `otherwise` is the one for the rest of the request's refusals.
fn shown(refusal: Refusal, otherwise: u16) -> u16 {
    let wrong_password = Code::WrongPassword.number();
    match refusal {
        Refusal::Denied(code @ (Code::NoSuchUser | Code::CroakTooLong | Code::UsernameTaken)) => {
            code.number()
        }
        // The page ignores this answer to a post, and shows it for a friend.
        Refusal::Denied(Code::NotLoggedIn) => Code::NoSuchUser.number(),
        Refusal::Denied(code) if otherwise == Code::Unavailable.number() => code.number(),
        Refusal::NotByName => wrong_password,
        Refusal::Denied(_) | Refusal::AlreadyOnline | Refusal::Unavailable => otherwise,
    }
}

/// Returns the first port that is not reported down.
fn first_up(backends: &[(u16, Option<Instant>)], now: Instant) -> Option<u16> {
    backends.iter().find(|(_, until)| until.is_none_or(|until| until <= now)).map(|(port, _)| *port)
}

/// Reads the request of a connection, or returns `None` if it ends, or stays silent, before its first byte.
async fn whole_request(connection: &mut Connection) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let Received::Bytes(_) = connection.receive(&mut bytes, FIRST_BYTE_MAX).await else { return None };
    while (LONG_REQUEST_BYTES..REQUEST_BYTES_MAX).contains(&bytes.len()) {
        let Received::Bytes(_) = connection.receive(&mut bytes, PART_PAUSE).await else { break };
    }
    bytes.truncate(REQUEST_BYTES_MAX);
    Some(bytes)
}
