//! The gRPC chat of an older system: direct messages between names.
//!
//! ```text
//!   Login ──▶ presence (once in the cluster) ──▶ session of the name: open until Logout, for all gateways
//!   GetMessages, all the time ──▶ inbox: held until there is something to hand out ([`inboxes`])
//!   Send ──▶ once, also if it is repeated through another gateway ([`sends`])
//! ```
//!
//! - [`messages`]: the messages; [`like`]: patterns; [`backups`]: the servers that a client may move to
//! - A person is who they say they are, as long as the account has no password. The client does not log in again when it moves to
//!   another gateway, so being logged in is an open session in the cluster.
//! - Methods between servers of the older system are refused.

mod backups;
mod inboxes;
mod like;
pub mod messages;
mod sends;

use super::grpc::service::{Routes, Service as GrpcService, methods};
use super::grpc::status::{Status, StatusCode};
use super::operations::GatewayOperations;
use super::protocol::Context;
use crate::common::service::Service;
use crate::common::service::connection::Connection;
use crate::operations::{Refusal, Session};
use inboxes::{Inboxes, Polled};
use messages::{
    BackupReply, BackupRequest, ChatMessage, DeleteReply, DeleteRequest, FILE, GetReply, GetRequest,
    ListReply, ListRequest, LoginReply, LoginRequest, LogoutReply, LogoutRequest, SendReply, SendRequest,
    status,
};
use ribbit_state::Code;
use ribbit_state::text::fold_username;
use sends::Sends;
use smol::Timer;
use smol::future::Boxed;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Name of the protocol.
pub(super) const NAME: &str = "grpc-chat";
/// Name under which those send and delete who are not logged in: a session of the protocol itself would make them logged in.
const NOT_LOGGED_IN: &str = "grpc-chat-out";
/// Words of the older system for a name that it does not know.
const NO_SUCH_USER: &str = "user does not exist :(";
/// Time for which a poll of an unknown name is held, since the client polls without a pause.
const UNKNOWN_HOLD: Duration = Duration::from_millis(300);

/// Service of one gateway.
struct Chat {
    operations: Arc<GatewayOperations>,
    inboxes: Inboxes,
    sends: Sends,
}

/// Starts the service.
pub(super) fn start(context: Context) -> Arc<dyn Service> {
    let operations = context.operations;
    Arc::new(Chat { inboxes: Inboxes::new(operations.clone()), sends: Sends::default(), operations })
}

impl Service for Chat {
    fn serve(self: Arc<Self>, connection: Connection) -> Boxed<()> {
        let operations = self.operations.clone();
        let host = Arc::new(Caller { from: connection.from, listener: connection.listener, chat: self });
        Box::pin(super::grpc::serve(connection, Routes { host, services: SERVICES }, operations))
    }

    fn refusal(&self, _: usize) -> &'static [u8] {
        b""
    }
}

/// Client on one connection.
struct Caller {
    chat: Arc<Chat>,
    from: IpAddr,
    /// Position of the listener in the protocol's flag.
    listener: usize,
}

const SERVICES: &[GrpcService<Caller>] = &[GrpcService {
    file: &FILE,
    name: "ClientHandler",
    methods: methods! {
        "Login": unary (LoginRequest => LoginReply, Caller::log_in);
        "Logout": unary (LogoutRequest => LogoutReply, Caller::log_out);
        "Delete": unary (DeleteRequest => DeleteReply, Caller::delete);
        "ListUsers": unary (ListRequest => ListReply, Caller::list);
        "Send": unary (SendRequest => SendReply, Caller::send);
        "GetMessages": unary (GetRequest => GetReply, Caller::poll);
        "GetBackups": unary (BackupRequest => BackupReply, Caller::backups);
        "AddUser": refused;
        "RemoveUser": refused;
        "SetUserStatus": refused;
        "AddMessage": refused;
        "DeleteMessages": refused;
        "PullData": refused;
        "CheckClock": refused;
    },
}];

/// Result of a request: status and words.
type Outcome = (i32, String);

const DONE: Outcome = (status::SUCCESS, String::new());

impl Caller {
    async fn log_in(self: Arc<Self>, request: LoginRequest) -> Result<LoginReply, Status> {
        let (status, errormessage) = outcome(self.enter(&request.user).await, |_| DONE)?;
        Ok(LoginReply { status, errormessage, user: request.user })
    }

    /// Logs a name in, unless it is logged in elsewhere and polls there. Creates the account of an unknown name.
    async fn enter(&self, user: &str) -> Result<(), Refusal> {
        let username = fold_username(user)?;
        let online = self.chat.inboxes.go_online(&username).await?;
        let (session, _) = self.chat.operations.enter_or_create(NAME, self.from, &username).await?;
        self.chat.inboxes.open(session, Some(online))?;
        Ok(())
    }

    async fn log_out(self: Arc<Self>, request: LogoutRequest) -> Result<LogoutReply, Status> {
        let done = self.leave(&request.user).await;
        let (status, errormessage) = match done {
            Err(refusal) if refusal.lacks_session() || refusal == Refusal::Denied(Code::NoSuchUser) => {
                failure("user not currently logged in")
            }
            done => outcome(done, |()| DONE)?,
        };
        Ok(LogoutReply { status, errormessage, user: request.user })
    }

    async fn leave(&self, user: &str) -> Result<(), Refusal> {
        let session = self.chat.operations.entered(NAME, user).await?;
        self.chat.inboxes.close(&session).await?;
        self.chat.operations.log_out(&session).await
    }

    async fn delete(self: Arc<Self>, request: DeleteRequest) -> Result<DeleteReply, Status> {
        let done = match self.session(&request.user).await {
            Ok(session) => {
                let deleted = self.chat.operations.delete_account(&session).await;
                self.chat.inboxes.discard(&session.username);
                deleted
            }
            Err(Refusal::Denied(Code::NoSuchUser)) => Ok(()),
            Err(refusal) => Err(refusal),
        };
        let (status, errormessage) = outcome(done, |()| DONE)?;
        Ok(DeleteReply { status, errormessage, user: request.user })
    }

    async fn list(self: Arc<Self>, request: ListRequest) -> Result<ListReply, Status> {
        let wildcard = request.args.trim().to_string();
        let found = match like::glob(&wildcard) {
            Some(names) => self.chat.operations.accounts_named(&names).await,
            None => Ok(Vec::new()),
        };
        match found {
            Ok(people) => {
                let user = people.into_iter().map(|person| person.username).collect();
                Ok(ListReply { status: status::SUCCESS, errormessage: String::new(), wildcard, user })
            }
            Err(refusal) => {
                let (status, errormessage) = outcome(Err::<(), _>(refusal), |()| DONE)?;
                Ok(ListReply { status, errormessage, wildcard, user: Vec::new() })
            }
        }
    }

    async fn send(self: Arc<Self>, request: SendRequest) -> Result<SendReply, Status> {
        let SendRequest { user, message, target } = request;
        let done = async {
            let session = match self.chat.inboxes.session(&user) {
                Some(session) => session,
                None => self.session(&user).await?,
            };
            self.chat.sends.send(&self.chat.operations, self.from, &session, &target, &message).await
        };
        let (status, errormessage) = outcome(done.await, |()| DONE)?;
        Ok(SendReply { status, errormessage, user, message, target })
    }

    async fn poll(self: Arc<Self>, request: GetRequest) -> Result<GetReply, Status> {
        let reply = |status, errormessage, message| GetReply { status, errormessage, message };
        match self.chat.inboxes.poll(&request.user).await {
            Ok(Polled::Nothing) => Ok(reply(status::SUCCESS, String::new(), Vec::new())),
            Ok(Polled::Messages(waiting)) => {
                let messages = waiting.into_iter().map(|waiting| ChatMessage {
                    sender: waiting.from,
                    message: waiting.text,
                    receiver: request.user.clone(),
                });
                Ok(reply(status::SUCCESS_WITH_DATA, String::new(), messages.collect()))
            }
            Err(refusal) => {
                let (status, words) = match refusal.lacks_session() {
                    true => failure(NO_SUCH_USER),
                    false => outcome(Err::<(), _>(refusal), |()| DONE)?,
                };
                Timer::after(UNKNOWN_HOLD).await;
                Ok(reply(status, words, Vec::new()))
            }
        }
    }

    async fn backups(self: Arc<Self>, _: BackupRequest) -> Result<BackupReply, Status> {
        let gateways = self.chat.operations.servers(NAME).await;
        let own = gateways.iter().find(|gateway| gateway.own);
        let own = own.and_then(|gateway| gateway.servers.get(self.listener)).cloned();
        let mut all: Vec<_> = gateways.into_iter().flat_map(|gateway| gateway.servers).collect();
        // The same order at every gateway.
        all.sort();
        let serverinfo = backups::backups(own.as_ref(), &all);
        Ok(BackupReply { status: status::SUCCESS, errormessage: String::new(), serverinfo })
    }

    /// Returns a session of a name: that of its log-in, or another one that does not log it in.
    async fn session(&self, user: &str) -> Result<Session, Refusal> {
        match self.chat.operations.entered(NAME, user).await {
            Err(refusal) if refusal.lacks_session() => {
                self.chat.operations.enter(NOT_LOGGED_IN, self.from, user).await
            }
            entered => entered,
        }
    }
}

fn failure(words: impl Into<String>) -> Outcome {
    (status::FAILURE, words.into())
}

/// Returns status and words of a request.
///
/// # Errors
/// `UNAVAILABLE` if it was not decided in time: the client repeats it through another server.
fn outcome<T>(done: Result<T, Refusal>, success: impl FnOnce(T) -> Outcome) -> Result<Outcome, Status> {
    match done {
        Ok(value) => Ok(success(value)),
        Err(Refusal::Unavailable) => {
            Err(Status::new(StatusCode::Unavailable, "The servers did not answer in time."))
        }
        Err(Refusal::AlreadyOnline) => Ok(failure("user already logged in on different machine")),
        Err(Refusal::NotByName) => {
            Ok(failure("this name belongs to an account with a password, choose another name"))
        }
        Err(Refusal::Denied(Code::NoSuchUser)) => Ok(failure(NO_SUCH_USER)),
        Err(Refusal::Denied(code)) => Ok(failure(code.text())),
    }
}
