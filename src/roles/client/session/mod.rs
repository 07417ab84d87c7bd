//! User session: the client side of an account, for the terminal client and for scripts.
//!
//! ```text
//!   reach ──▶ any server ──▶ cluster id ──▶ the stored session of that cluster, if there is one
//!                 │
//!   read, write ──┴─▶ net::client: retries under one request id, so each write is done once
//! ```
//!
//! A session belongs to a cluster, not to the address at which the cluster was reached. The newest log position that the user has
//! seen is stored with the session, so a read in the next process, through another server, finds what was written here.
//!
//! The parts: the [`queries`], the [`live_feed`], [`rooms`], the stored session ([`session_file`]) and the [`request_error`].
//!
//! Clones share the connection, not the session. This module prints nothing and does not read from the terminal.

pub(crate) mod live_feed;
pub(crate) mod queries;
pub(crate) mod request_error;
pub(crate) mod rooms;
pub(crate) mod session_file;

use crate::client::arguments::PersonOptions;
use crate::common::cluster_selection::ClusterAccess;
use crate::common::failure::{Exit, Failure};
use crate::common::machine;
use request_error::RequestError;
use ribbit_net::client::Client;
use ribbit_net::discovery::OnConnectionEvent;
use ribbit_net::protocol::{Answer, Ask, NewAccount, Password, UnavailableReason};
use ribbit_net::secret::{code_hash, new_request_id, new_token, token_hash};
use ribbit_net::subscription::Subscription;
use ribbit_state::limits::DEVICE_CHARS_MAX;
use ribbit_state::query::{AnnouncementItem, ReactionKind};
use ribbit_state::text::{
    check_croak, check_email, check_message, check_name, check_password, check_reply, fold_username,
};
use ribbit_state::{
    AccountCommand, AccountId, Audience, Code, Command, Consistency, ConversationCommand, Denied, LogIndex,
    MessageCommand, Page, Query, RelationCommand, Reply, Request, Token, TokenHash, Topic,
};
use ribbit_ui::lines::{COLUMNS_BESIDE_MIN, LineStyle};
use rustix::termios::tcgetwinsize;
use session_file::{SessionFile, StoredSession};
use std::io::IsTerminal;
use std::time::Duration;

/// Time limit of a request. The retries over all servers may end earlier.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A user's session and the connection to the cluster.
#[derive(Debug, Clone)]
pub(crate) struct UserSession {
    client: Client,
    file: SessionFile,
    session: Option<StoredSession>,
}

/// Returns the style of lines on standard output: colour only on a terminal, and only if it is allowed; narrow on a narrow
/// terminal.
pub(crate) fn style(options: &PersonOptions) -> LineStyle {
    let out = std::io::stdout();
    let is_terminal = out.is_terminal();
    // A terminal without a size says zero.
    let columns = tcgetwinsize(&out).map_or(0, |size| size.ws_col);
    let narrow = is_terminal && (1..COLUMNS_BESIDE_MIN).contains(&columns);
    LineStyle { colour: is_terminal && !options.no_colour, narrow }
}

/// The answer to a read.
#[derive(Debug)]
pub(crate) struct QueryResult<T> {
    pub(crate) value: T,
    /// True when the server that answered is out of touch with the leader, so `value` may be out of date.
    pub(crate) stale: bool,
}

/// Returns the hash of the code of an invitation, or of its whole link.
///
/// # Errors
/// `InvitationNotValid` (691) if it is none.
pub(crate) fn invitation_hash(typed: &str) -> Result<TokenHash, RequestError> {
    let typed = typed.rsplit('=').next().unwrap_or_default();
    code_hash(typed).ok_or(Denied::new(Code::InvitationNotValid).into())
}

impl UserSession {
    /// Connects to the cluster and loads its stored session. `on_event` is called when the connection changes.
    ///
    /// # Errors
    /// - `Unreachable` (3) when no server answers.
    /// - `Configuration` (78) when there is no folder for sessions, or the stored session cannot be read.
    pub(crate) async fn reach(
        options: &PersonOptions,
        on_event: OnConnectionEvent,
    ) -> Result<UserSession, Failure> {
        let ClusterAccess { seeds, servers, found_in, keys, book: _ } = &options.cluster;
        let client = Client::discovering(servers.clone(), seeds.clone(), keys.clone(), on_event);
        let cluster = client.connect(ANSWER_MAX).await.map_err(|why| {
            let asked = if servers.is_empty() { seeds } else { servers };
            let asked = asked.join(", ");
            Failure::new(Exit::Unreachable, format!("{why}; asked {asked} (from {found_in})"))
        })?;
        let file = SessionFile::of(options.folder.as_deref(), cluster)?;
        let session = file.read()?;
        if let Some(seen) = session.as_ref().and_then(|kept| kept.seen) {
            // A position in another history than the server's does not count any more.
            if client.seen().is_none_or(|now| now.history == seen.history) {
                client.record_seen(seen);
            }
        }
        Ok(UserSession { client, file, session })
    }

    /// Returns the client, for requests that this type has no method for.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the user name of the session. The servers may have ended the session already.
    pub(crate) fn username(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.username.as_str())
    }

    /// Returns the hash of the session token. The servers may have ended the session already.
    ///
    /// # Errors
    /// `NotLoggedIn` (609) without a session.
    pub(crate) fn session(&self) -> Result<TokenHash, Denied> {
        let session = self.session.as_ref().map(|session| token_hash(&session.token));
        session.ok_or(Denied::new(Code::NotLoggedIn))
    }

    /// Stores the newest seen position with the session, unless the stored session was closed or replaced meanwhile.
    ///
    /// # Errors
    /// `Refused` (1) when the file cannot be written.
    pub(crate) fn save_position(&mut self) -> Result<(), Failure> {
        let seen = self.client.seen();
        let Some(session) = self.session.as_mut().filter(|session| session.seen != seen) else {
            return Ok(());
        };
        session.seen = seen;
        self.file.update(session)
    }

    /// Stores a new session, in place of any other.
    ///
    /// # Errors
    /// `Refused` (1) when the file cannot be written.
    pub(crate) fn save_new(&mut self) -> Result<(), Failure> {
        let seen = self.client.seen();
        let Some(session) = &mut self.session else { return Ok(()) };
        session.seen = seen;
        self.file.replace(session)
    }

    /// Drops the session, and removes the session file if it holds this session.
    ///
    /// # Errors
    /// `Refused` (1) when the file cannot be removed.
    pub(crate) fn discard(&mut self) -> Result<(), Failure> {
        self.session.take().map_or(Ok(()), |session| self.file.remove(&session))
    }

    /// Creates an account. Returns false if it waits for approval. Does not log in.
    ///
    /// # Errors
    /// `InvalidEntry` (606), `UsernameTaken` (607), or the account may not be created (650, 690, 691, 695); unreachable when no
    /// server answers.
    pub(crate) async fn create(&self, form: NewAccount) -> Result<bool, RequestError> {
        check_name(&form.name)?;
        fold_username(&form.username)?;
        check_email(&form.email)?;
        check_password(&form.password.0)?;
        let (id, submitted_at) = (new_request_id(), self.seen_index());
        match self.submit(Ask::CreateAccount { id, submitted_at, form }).await? {
            Reply::Created { .. } => Ok(true),
            Reply::Requested => Ok(false),
            other => Err(unexpected(&other)),
        }
    }

    /// Opens a new session. [`UserSession::save_new`] stores it.
    ///
    /// # Errors
    /// `NoSuchUser` (601), `WrongPassword` (602); unreachable when no server answers.
    pub(crate) async fn log_in(
        &mut self,
        username: &str,
        password: Password,
    ) -> Result<AccountId, RequestError> {
        let username = fold_username(username)?;
        let token = new_token();
        let (id, submitted_at) = (new_request_id(), self.seen_index());
        let (token_hash, name, device) = (token_hash(&token), username.clone(), device());
        let ask =
            Ask::LogIn { id, submitted_at, username: name, password, token: token_hash, device, app: None };
        match self.submit(ask).await? {
            Reply::LoggedIn { account } => {
                self.session = Some(StoredSession { username, token, seen: self.client.seen() });
                Ok(account)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Ends the session on the servers. Succeeds if it was over already.
    ///
    /// # Errors
    /// Unreachable when no server answers; the session is then still open.
    pub(crate) async fn log_out(&self) -> Result<(), RequestError> {
        let Ok(session) = self.session() else { return Ok(()) };
        match self.write(Command::LogOut { session }).await {
            Ok(_) | Err(RequestError::Denied(Denied { code: Code::NotLoggedIn, .. })) => Ok(()),
            Err(stop) => Err(stop),
        }
    }

    /// Posts a croak and returns its id. Without an audience that of the account's settings applies.
    ///
    /// # Errors
    /// `CroakTooLong` (512), `InvalidEntry` (606), `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn post(
        &self,
        text: &str,
        audience: Option<Audience>,
    ) -> Result<LogIndex, RequestError> {
        check_croak(text)?;
        self.croak(text, None, audience).await
    }

    async fn croak(
        &self,
        text: &str,
        reply_to: Option<LogIndex>,
        audience: Option<Audience>,
    ) -> Result<LogIndex, RequestError> {
        let session = self.session()?;
        match self.write(Command::Croak { session, text: text.to_string(), reply_to, audience }).await? {
            Reply::Croaked { croak } => Ok(croak),
            other => Err(unexpected(&other)),
        }
    }

    /// Posts a reply and returns its id. Without an audience that of the account's settings applies.
    ///
    /// # Errors
    /// `NoSuchCroak` (645), and as [`UserSession::post`].
    pub(crate) async fn reply(
        &self,
        to: LogIndex,
        text: &str,
        audience: Option<Audience>,
    ) -> Result<LogIndex, RequestError> {
        check_reply(text)?;
        self.croak(text, Some(to), audience).await
    }

    /// Likes or shares a croak, or takes that back. Returns words for the user.
    ///
    /// # Errors
    /// `NoSuchCroak` (645), `NotShareable` (673), `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn react(
        &self,
        kind: ReactionKind,
        croak: LogIndex,
        undo: bool,
    ) -> Result<String, RequestError> {
        let session = self.session()?;
        let (command, words) = match (kind, undo) {
            (ReactionKind::Like, false) => (ConversationCommand::Like { session, croak }, "you like"),
            (ReactionKind::Like, true) => {
                (ConversationCommand::Unlike { session, croak }, "you no longer like")
            }
            (ReactionKind::Share, false) => (ConversationCommand::Share { session, croak }, "you shared"),
            (ReactionKind::Share, true) => {
                (ConversationCommand::Unshare { session, croak }, "you no longer share")
            }
        };
        self.write(command.into()).await?;
        Ok(format!("{words} croak {croak}"))
    }

    /// Pins one of the user's croaks to their profile, or takes it down. Returns words for the user.
    ///
    /// # Errors
    /// `NoSuchCroak` (645), `NotYours` (648), `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn pin(&self, croak: LogIndex, undo: bool) -> Result<String, RequestError> {
        let session = self.session()?;
        self.write(AccountCommand::Pin { session, croak, pinned: !undo }.into()).await?;
        Ok(format!("{} croak {croak}", if undo { "unpinned" } else { "pinned" }))
    }

    /// Follows a user.
    ///
    /// # Errors
    /// `NoSuchUser` (601), `AlreadyFriend` (608), `NotLoggedIn` (609), `Yourself` (611), `TooManyFriends` (612); unreachable
    /// when no server answers.
    pub(crate) async fn follow(&self, username: &str) -> Result<(), RequestError> {
        let (session, username) = (self.session()?, fold_username(username)?);
        self.write(Command::AddFriend { session, username }).await.map(drop)
    }

    /// Unfollows a user.
    ///
    /// # Errors
    /// `NoSuchUser` (601), `NotLoggedIn` (609), `NotAFriend` (610); unreachable when no server answers.
    pub(crate) async fn unfollow(&self, username: &str) -> Result<(), RequestError> {
        let (session, username) = (self.session()?, fold_username(username)?);
        self.write(Command::RemoveFriend { session, username }).await.map(drop)
    }

    /// Returns the announcements that the user has not dismissed, newest first.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn announcements(&self) -> Result<Vec<AnnouncementItem>, RequestError> {
        match self.read(Query::MyAnnouncements { session: self.session()? }).await?.value {
            Page::Announcements(items) => Ok(items),
            other => Err(unexpected(&other)),
        }
    }

    /// Hides an announcement from the user. Succeeds if it is gone already.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn dismiss(&self, announcement: LogIndex) -> Result<(), RequestError> {
        let session = self.session()?;
        match self.write(AccountCommand::Dismiss { session, announcement }.into()).await {
            Ok(_) | Err(RequestError::Denied(Denied { code: Code::NoSuchAnnouncement, .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Mutes a user, or unmutes them. Returns the user name as stored.
    ///
    /// # Errors
    /// `NoSuchUser` (601), `NotLoggedIn` (609), `Yourself` (611), `TooManyMuted` (669); unreachable when no server answers.
    pub(crate) async fn mute(&self, username: &str, muted: bool) -> Result<String, RequestError> {
        let (session, name) = (self.session()?, fold_username(username)?);
        let username = name.clone();
        self.write(RelationCommand::Mute { session, username, muted }.into()).await?;
        Ok(name)
    }

    /// Blocks a user, or unblocks them. Returns the user name as stored.
    ///
    /// # Errors
    /// `NoSuchUser` (601), `NotLoggedIn` (609), `Yourself` (611), `TooManyBlocked` (670); unreachable when no server answers.
    pub(crate) async fn block(&self, username: &str, blocked: bool) -> Result<String, RequestError> {
        let (session, name) = (self.session()?, fold_username(username)?);
        let username = name.clone();
        self.write(RelationCommand::Block { session, username, blocked }.into()).await?;
        Ok(name)
    }

    /// Sends a direct message and returns its id.
    ///
    /// # Errors
    /// `NoSuchUser` (601), `InvalidEntry` (606), `NotLoggedIn` (609), `Yourself` (611), `MessageTooLong` (643), `MailboxFull`
    /// (644); unreachable when no server answers.
    pub(crate) async fn send(&self, username: &str, text: &str) -> Result<LogIndex, RequestError> {
        let (session, username) = (self.session()?, fold_username(username)?);
        check_message(text)?;
        let command = MessageCommand::Send { session, username, text: text.to_string() };
        match self.write(command.into()).await? {
            Reply::Sent { message } => Ok(message),
            other => Err(unexpected(&other)),
        }
    }

    /// Marks the conversation with an account as delivered and read up to the given messages. The account may be deleted.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn mark(
        &self,
        with: AccountId,
        delivered_through: LogIndex,
        read_through: LogIndex,
    ) -> Result<(), RequestError> {
        let session = self.session()?;
        let command = MessageCommand::Mark { session, with, delivered_through, read_through };
        self.write(command.into()).await.map(drop)
    }

    /// Deletes the account and everything in it.
    ///
    /// # Errors
    /// `WrongPassword` (602), `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn delete(&self, password: Password) -> Result<(), RequestError> {
        let session = self.session()?;
        let (id, submitted_at) = (new_request_id(), self.seen_index());
        self.submit(Ask::DeleteAccount { id, submitted_at, session, password }).await.map(drop)
    }

    /// Subscribes to the events of this user's feed after a log position.
    ///
    /// # Errors
    /// `NotLoggedIn` (609) without a session.
    pub(crate) fn subscribe(&self, cursor: Token) -> Result<Subscription, Denied> {
        Ok(self.client.subscribe(cursor, Topic::feed(self.session()?)))
    }

    /// Runs a query on a state at least as new as what this user has seen.
    ///
    /// # Errors
    /// The refusal of the query; unreachable when no server answers.
    pub(crate) async fn read(&self, query: Query) -> Result<QueryResult<Page>, RequestError> {
        let mut answer = self.ask_read(&query).await?;
        if answer == Answer::Unavailable(UnavailableReason::OtherHistory) {
            // The seen position belongs to an earlier history of the cluster.
            self.client.forget_seen();
            answer = self.ask_read(&query).await?;
        }
        match answer {
            Answer::Read { page: Ok(value), old: stale, .. } => Ok(QueryResult { value, stale }),
            Answer::Read { page: Err(denied), .. } | Answer::Refused(denied) => Err(denied.into()),
            Answer::Unavailable(why) => Err(RequestError::undecided_write(why)),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask_read(&self, query: &Query) -> Result<Answer, RequestError> {
        let (seen, consistency) = (self.client.seen(), Consistency::Session);
        let ask = Ask::Read { seen, consistency, query: query.clone() };
        self.client.ask(ask, ANSWER_MAX).await.map_err(RequestError::unanswered_read)
    }

    /// Submits a command that needs no password. It is applied once, however often it is retried.
    ///
    /// # Errors
    /// The refusal of the command; unreachable when no server answers.
    pub(crate) async fn write(&self, command: Command) -> Result<Reply, RequestError> {
        let (id, submitted_at) = (new_request_id(), self.seen_index());
        self.submit(Ask::Write(Request { id, submitted_at, origin: None, command })).await
    }

    /// Submits a write under its request id until it is decided.
    ///
    /// # Errors
    /// The refusal of the write; unreachable when no server answers.
    pub(crate) async fn submit(&self, ask: Ask) -> Result<Reply, RequestError> {
        match self.client.ask(ask, ANSWER_MAX).await? {
            Answer::Written { outcome, .. } => Ok(outcome?),
            Answer::Refused(denied) => Err(denied.into()),
            Answer::Unavailable(why) => Err(RequestError::undecided_write(why)),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the newest seen log index, which a new request carries as its submitted-at index.
    pub(crate) fn seen_index(&self) -> LogIndex {
        self.client.seen().map_or(0, |seen| seen.index)
    }
}

/// Returns a name for this machine, as the user sees it in the list of sessions.
fn device() -> String {
    let host: String = machine::host_name().chars().filter(|c| !c.is_control()).collect();
    let words = if host.is_empty() { "Terminal".to_string() } else { format!("Terminal on {host}") };
    words.chars().take(DEVICE_CHARS_MAX).collect()
}

fn unexpected(answer: &impl std::fmt::Debug) -> RequestError {
    log::warn!("a server sent an answer of the wrong kind: {answer:?}");
    RequestError::unexpected()
}
