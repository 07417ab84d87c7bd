//! The backends of Chirper: its web server asks one of them for each page, with one gob value per connection.
//!
//! ```text
//!   web server ── picks a port at random, one request, one reply ──▶ gob ──▶ operations
//! ```
//!
//! - [`gob`]: the values
//! - The web server asks only one port for a page, so every port answers in every case that it can.
//! - A session of the web server is a session of ribbit; its id is the token in hexadecimal. Any gateway knows it.
//! - A reply lacks no key that its page reads: the web server ends a page with a missing key without an answer.

pub mod gob;

use super::operations::GatewayOperations;
use super::protocol::Context;
use crate::common::service::Service;
use crate::common::service::connection::{Connection, Received};
use crate::operations::croaks::Post;
use crate::operations::{Refusal, Session};
use gob::{Reply, Request, Value};
use ribbit_net::protocol::{NewAccount, Password};
use ribbit_net::secret::{from_hex, to_hex};
use ribbit_state::query::Person;
use ribbit_state::text::{check_password, fold_username};
use ribbit_state::{Code, Denied};
use ribbit_ui::time::twelve_hour;
use ribbit_ui::words::refusal as words_of;
use smol::future::{Boxed, or};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Time to wait for a part of a request.
const PART_MAX: Duration = Duration::from_secs(10);
/// Number of newest posts that a page shows, at least.
const POSTS_MIN: usize = 200;

// Actions of the web server. The numbers above these are for the original's backends among themselves.
const LOGIN: i64 = 1;
const LOGOUT: i64 = 2;
const REGISTER: i64 = 3;
const DELETE: i64 = 4;
const HOME: i64 = 5;
const FOLLOW: i64 = 6;
const POST: i64 = 7;
const BROWSE: i64 = 8;
const PROFILE: i64 = 9;

/// Service of the backends.
struct Chirper {
    operations: Arc<GatewayOperations>,
}

/// Starts the service.
pub(super) fn start(context: Context) -> Arc<dyn Service> {
    Arc::new(Chirper { operations: context.operations })
}

impl Service for Chirper {
    fn serve(self: Arc<Self>, connection: Connection) -> Boxed<()> {
        Box::pin(async move { self.converse(connection).await })
    }

    fn refusal(&self, _: usize) -> &'static [u8] {
        b""
    }
}

impl Chirper {
    async fn converse(&self, mut connection: Connection) {
        let stopping = connection.stopping();
        let from = connection.from;
        let read = async { self.read(&mut connection).await };
        let stopped = async {
            stopping.await;
            None
        };
        let Some(request) = or(read, stopped).await else { return };
        let Some(reply) = self.answer(from, &request).await else { return };
        match connection.send(&reply.encode()).await {
            Ok(()) => connection.finish().await,
            Err(error) => log::debug!("a reply did not arrive: {error}"),
        }
    }

    async fn read(&self, connection: &mut Connection) -> Option<Request> {
        let mut bytes = Vec::new();
        loop {
            let Received::Bytes(_) = connection.receive(&mut bytes, PART_MAX).await else { return None };
            match gob::read_request(&bytes) {
                Ok(None) => {}
                Ok(request) => return request,
                Err(error) => {
                    log::debug!("{} sent something else: {error}", connection.from);
                    return None;
                }
            }
        }
    }

    /// Returns the reply, or `None` for what only the original's backends ask.
    async fn answer(&self, from: IpAddr, request: &Request) -> Option<Reply> {
        let session = match from_hex(&request.session) {
            Some(token) => self.operations.session(&token).await.ok(),
            None => None,
        };
        let posted = request.text("Method") == "POST";
        match (request.action, session) {
            (LOGIN, _) if posted => Some(self.log_in(from, request).await),
            (REGISTER, _) if posted => Some(self.register(from, request).await),
            (LOGIN | REGISTER, session) => Some(logged_in(session.is_some(), Vec::new())),
            (LOGOUT | DELETE | POST, None) => Some(Reply::default()),
            (HOME | FOLLOW | BROWSE | PROFILE, None) => Some(logged_in(false, Vec::new())),
            (LOGOUT, Some(session)) => Some(empty(self.operations.log_out(&session).await)),
            (DELETE, Some(session)) => Some(empty(self.operations.delete_account(&session).await)),
            (POST, Some(session)) => {
                let posted = self.operations.post(from, &session, request.text("Status")).await;
                Some(empty(posted.map(drop)))
            }
            (HOME, Some(session)) => Some(page(self.home(&session).await)),
            (FOLLOW, Some(session)) => {
                let followed = self.follow(from, &session, request.text("Follow_username")).await;
                Some(page(followed.map(|()| Vec::new())))
            }
            (BROWSE, Some(session)) => Some(page(self.browse(&session).await)),
            (PROFILE, Some(session)) => {
                Some(page(self.profile(&session, request.text("Profile_user")).await))
            }
            _ => None,
        }
    }

    async fn log_in(&self, from: IpAddr, request: &Request) -> Reply {
        let password = Password(request.text("Password").to_string());
        match self.operations.log_in(from, request.text("Username"), password).await {
            Ok((_, token)) => Reply { session: to_hex(&token), ..logged_in(true, Vec::new()) },
            Err(refusal) => {
                log::debug!("a log-in was refused: {refusal}");
                logged_in(false, Vec::new())
            }
        }
    }

    async fn register(&self, from: IpAddr, request: &Request) -> Reply {
        match self.create(from, request.text("Username"), request.text("Password")).await {
            Ok(()) => Reply { entries: vec![("Success", Value::Bool(true))], ..Reply::default() },
            Err(words) => {
                let entries = vec![("Success", Value::Bool(false)), ("Error", Value::Text(words))];
                Reply { entries, ..Reply::default() }
            }
        }
    }

    /// Creates an account. It has no e-mail address, which ribbit requires, so it gets one of this machine.
    async fn create(&self, from: IpAddr, username: &str, password: &str) -> Result<(), String> {
        let denied = |denied: Denied| format!("Error: {}", words_of(denied));
        if username.trim().is_empty() {
            return Err("Error: please provide a username".to_string());
        }
        if password.is_empty() {
            return Err("Error: please provide a password".to_string());
        }
        let username = fold_username(username).map_err(denied)?;
        check_password(password).map_err(denied)?;
        let form = NewAccount {
            name: username.clone(),
            email: format!("{username}@localhost"),
            username,
            password: Password(password.to_string()),
            invitation: None,
        };
        match self.operations.create(from, form).await {
            Ok(_) => Ok(()),
            Err(Refusal::Denied(Code::UsernameTaken)) => Err("username not available".to_string()),
            Err(Refusal::Denied(code)) => Err(denied(Denied::new(code))),
            Err(Refusal::NotByName | Refusal::AlreadyOnline | Refusal::Unavailable) => {
                Err(denied(Denied::new(Code::Unavailable)))
            }
        }
    }

    async fn home(&self, session: &Session) -> Result<Vec<Entry>, Refusal> {
        let own = self.operations.profile(session, &session.username, POSTS_MIN).await?;
        let follows = self.operations.followed(session).await?;
        Ok(vec![
            ("Username", Value::Text(own.username)),
            ("Posts", posts(own.posts)),
            ("Follows", names(follows)),
        ])
    }

    /// Follows a person, or unfollows them. Nothing happens if there is no such person.
    async fn follow(&self, from: IpAddr, session: &Session, username: &str) -> Result<(), Refusal> {
        let changed = match self.operations.profile(session, username, 1).await {
            Ok(profile) if profile.followed => {
                self.operations.unfollow(from, session, &profile.username).await
            }
            Ok(profile) => self.operations.follow(from, session, &profile.username).await,
            Err(refusal) => Err(refusal),
        };
        match changed {
            Err(refusal) if refusal.lacks_session() || refusal == Refusal::Unavailable => Err(refusal),
            Err(refusal) => {
                log::debug!("a follow was refused: {refusal}");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn browse(&self, session: &Session) -> Result<Vec<Entry>, Refusal> {
        let mut people = self.operations.accounts().await?;
        people.retain(|person| person.username != session.username);
        Ok(vec![("Users", names(people))])
    }

    async fn profile(&self, session: &Session, username: &str) -> Result<Vec<Entry>, Refusal> {
        let profile = match self.operations.profile(session, username, POSTS_MIN).await {
            Ok(profile) => Some(profile),
            Err(Refusal::Denied(Code::NoSuchUser)) => None,
            Err(refusal) => return Err(refusal),
        };
        let follows = match &profile {
            Some(profile) => self.operations.followed_by(session, &profile.username).await?,
            None => Vec::new(),
        };
        let followed = profile.as_ref().is_some_and(|profile| profile.followed);
        let (username, own) = profile.map_or_else(Default::default, |it| (it.username, it.posts));
        Ok(vec![
            ("Username", Value::Text(username)),
            ("Following", Value::Text(if followed { "Unfollow" } else { "Follow" }.to_string())),
            ("Posts", posts(own)),
            ("Follows", names(follows)),
        ])
    }
}

/// An entry in the map of a reply.
type Entry = (&'static str, Value);

fn logged_in(yes: bool, mut entries: Vec<Entry>) -> Reply {
    entries.insert(0, ("LoggedIn", Value::Bool(yes)));
    Reply { entries, ..Reply::default() }
}

/// Returns the reply for a page that needs a session. Without the servers there is none either.
fn page(done: Result<Vec<Entry>, Refusal>) -> Reply {
    match done {
        Ok(entries) => logged_in(true, entries),
        Err(refusal) => {
            log::debug!("a page was refused: {refusal}");
            logged_in(false, Vec::new())
        }
    }
}

/// Returns the reply that the web server does not look at.
fn empty(done: Result<(), Refusal>) -> Reply {
    if let Err(refusal) = done {
        log::debug!("a request was refused: {refusal}");
    }
    Reply::default()
}

/// Returns posts as the pages show them, oldest first.
fn posts(newest_first: Vec<Post>) -> Value {
    let shown = |post: Post| gob::Post {
        content: post.text,
        shown_time: twelve_hour(post.wall_ms),
        wall_ms: post.wall_ms,
    };
    Value::Posts(newest_first.into_iter().rev().map(shown).collect())
}

fn names(people: Vec<Person>) -> Value {
    Value::Texts(people.into_iter().map(|person| person.username).collect())
}
