//! Tiny SNS: the coordinator and the service of its clients, over gRPC.
//!
//! ```text
//!   listener 0: CoordService ── ids, and the address of a gateway ([`coordinator`], [`target`])
//!   others:     SNSService ──── Login, Follow, UnFollow, List; Timeline, a stream in both directions ([`timeline`])
//! ```
//!
//! - [`messages`]: the messages
//! - A person is who they say they are, as long as the account has no password. Each call opens the session of its name again, so a
//!   client may move to another gateway between two calls.
//! - Methods between servers of the older system are refused.

mod coordinator;
pub mod messages;
mod target;
mod timeline;

use super::grpc::service::{Routes, Service as GrpcService, methods};
use super::grpc::status::{Status, StatusCode};
use super::operations::GatewayOperations;
use super::protocol::Context;
use crate::common::service::Service;
use crate::common::service::connection::Connection;
use crate::operations::{Refusal, Session};
use coordinator::Coordinator;
use messages::{ClientId, Empty, FILE, ListReply, Post, Reply, ReplyStatus, Request, ServerInfo};
use ribbit_state::Code;
use ribbit_state::query::{FollowSide, Person};
use smol::future::Boxed;
use std::net::IpAddr;
use std::sync::Arc;
use timeline::Streams;

/// Name of the protocol.
pub(super) const NAME: &str = "sns";

/// Service of the coordinator and of the gateway as a server.
struct Sns {
    operations: Arc<GatewayOperations>,
    coordinator: Coordinator,
    streams: Arc<Streams>,
}

/// Starts the service. The first listener is the coordinator's.
pub(super) fn start(context: Context) -> Arc<dyn Service> {
    let (coordinator, streams) = Default::default();
    Arc::new(Sns { operations: context.operations, coordinator, streams })
}

impl Service for Sns {
    fn serve(self: Arc<Self>, connection: Connection) -> Boxed<()> {
        let services = if connection.listener == 0 { COORDINATOR } else { SERVICE };
        let operations = self.operations.clone();
        let host = Arc::new(Caller { from: connection.from, sns: self });
        Box::pin(super::grpc::serve(connection, Routes { host, services }, operations))
    }

    fn refusal(&self, _: usize) -> &'static [u8] {
        b""
    }
}

/// Client on one connection.
struct Caller {
    sns: Arc<Sns>,
    from: IpAddr,
}

const COORDINATOR: &[GrpcService<Caller>] = &[GrpcService {
    file: &FILE,
    name: "CoordService",
    methods: methods! {
        "GetUniqueClientID": unary (Empty => ClientId, Caller::unique_id);
        "GetServer": unary (ClientId => ServerInfo, Caller::server);
        "Heartbeat": refused;
        "RegisterServer": refused;
        "GetCounterparts": refused;
        "GetOtherClusterMasters": refused;
    },
}];

const SERVICE: &[GrpcService<Caller>] = &[GrpcService {
    file: &FILE,
    name: "SNSService",
    methods: methods! {
        "Login": unary (Request => Reply, Caller::log_in);
        "Follow": unary (Request => Reply, Caller::follow);
        "UnFollow": unary (Request => Reply, Caller::unfollow);
        "List": unary (Request => ListReply, Caller::list);
        "Timeline": stream (Post => Post, Caller::timeline);
        "GetLog": refused;
        "AddPost": refused;
    },
}];

impl Caller {
    async fn unique_id(self: Arc<Self>, _: Empty) -> Result<ClientId, Status> {
        Ok(ClientId { id: self.sns.coordinator.next_id() })
    }

    async fn server(self: Arc<Self>, request: ClientId) -> Result<ServerInfo, Status> {
        let none = || Status::new(StatusCode::Unavailable, "No servers available to serve the request.");
        let gateways = self.sns.operations.servers(NAME).await;
        let alive = gateways.into_iter().flat_map(|gateway| gateway.servers);
        let alive = alive.map(|(host, port)| format!("{host}:{port}")).collect();
        self.sns.coordinator.assign(request.id, alive).ok_or_else(none)
    }

    async fn log_in(self: Arc<Self>, request: Request) -> Result<Reply, Status> {
        let name = &request.username;
        match self.sns.operations.enter_or_create(NAME, self.from, name).await {
            Ok((_, false)) => Ok(reply(ReplyStatus::Success, format!("Welcome back, {name}"))),
            Ok((_, true)) => Ok(reply(ReplyStatus::Success, format!("User {name} successfully logged in!"))),
            Err(refusal) => refused(refusal),
        }
    }

    async fn follow(self: Arc<Self>, request: Request) -> Result<Reply, Status> {
        let (session, other) = match self.caller_and_other(&request).await {
            Ok(both) => both,
            Err(refusal) => return refused(refusal),
        };
        match self.sns.operations.follow(self.from, &session, &other).await {
            Ok(()) => Ok(reply(ReplyStatus::Success, format!("Successfully followed {other}"))),
            Err(Refusal::Denied(Code::AlreadyFriend)) => {
                Ok(reply(ReplyStatus::AlreadyExists, "You already follow this user"))
            }
            Err(Refusal::Denied(Code::Yourself)) => {
                Ok(reply(ReplyStatus::Invalid, "You cannot follow yourself."))
            }
            Err(Refusal::Denied(Code::NoSuchUser)) => Ok(unknown_user()),
            Err(refusal) => refused(refusal),
        }
    }

    async fn unfollow(self: Arc<Self>, request: Request) -> Result<Reply, Status> {
        let (session, other) = match self.caller_and_other(&request).await {
            Ok(both) => both,
            Err(refusal) => return refused(refusal),
        };
        if other.eq_ignore_ascii_case(&session.username) {
            return Ok(reply(ReplyStatus::Invalid, "You cannot unfollow yourself."));
        }
        match self.sns.operations.unfollow(self.from, &session, &other).await {
            Ok(()) => Ok(reply(ReplyStatus::Success, format!("Successfully unfollowed user {other}"))),
            Err(Refusal::Denied(Code::NotAFriend)) => {
                Ok(reply(ReplyStatus::NotAFollower, "You already do not follow this user..."))
            }
            Err(Refusal::Denied(Code::NoSuchUser)) => Ok(unknown_user()),
            Err(refusal) => refused(refusal),
        }
    }

    async fn list(self: Arc<Self>, request: Request) -> Result<ListReply, Status> {
        let lists = async {
            let session = self.enter(&request.username).await?;
            let operations = &self.sns.operations;
            let all_users = names(operations.accounts().await?);
            let followers = names(operations.follows(&session, FollowSide::Followers).await?);
            let following = names(operations.follows(&session, FollowSide::Followed).await?);
            Ok(ListReply { all_users, followers, following, status: ReplyStatus::Success })
        };
        match lists.await {
            Ok(lists) => Ok(lists),
            Err(refusal) => Ok(ListReply { status: refused(refusal)?.status, ..ListReply::default() }),
        }
    }

    /// Opens the session of a name.
    async fn enter(&self, username: &str) -> Result<Session, Refusal> {
        self.sns.operations.enter(NAME, self.from, username).await
    }

    /// Opens the session of the caller, and returns the name that the request is about.
    async fn caller_and_other(&self, request: &Request) -> Result<(Session, String), Refusal> {
        let session = self.enter(&request.username).await?;
        Ok((session, request.arguments.first().cloned().unwrap_or_default()))
    }
}

fn names(people: Vec<Person>) -> Vec<String> {
    people.into_iter().map(|person| person.username).collect()
}

fn reply(status: ReplyStatus, words: impl Into<String>) -> Reply {
    Reply { msg: words.into(), status }
}

fn unknown_user() -> Reply {
    reply(ReplyStatus::NotExists, "The specified user does not exist.")
}

/// Returns the reply to a request that was refused.
///
/// # Errors
/// `UNAVAILABLE` if it was not decided in time.
fn refused(refusal: Refusal) -> Result<Reply, Status> {
    match refusal {
        Refusal::Unavailable => Err(undecided()),
        Refusal::NotByName => {
            let words = "This name belongs to an account with a password. Choose another name.";
            Ok(reply(ReplyStatus::InvalidUsername, words))
        }
        Refusal::Denied(Code::InvalidEntry) => {
            let words = "A name has letters from a to z, digits, - and _, and no more than 32 of them.";
            Ok(reply(ReplyStatus::InvalidUsername, words))
        }
        Refusal::Denied(Code::NoSuchUser) => {
            Ok(reply(ReplyStatus::InvalidUsername, "There is no user with your name. Log in first."))
        }
        Refusal::Denied(code) => Ok(reply(ReplyStatus::Unknown, code.text())),
        Refusal::AlreadyOnline => Ok(reply(ReplyStatus::Unknown, refusal.to_string())),
    }
}

/// Returns the status for a request that was not decided in time.
fn undecided() -> Status {
    Status::new(StatusCode::Unavailable, "The servers did not answer in time.")
}
