//! A person at a terminal or in a script: reaches the group, logs in, reads and writes, in the words of people.
//!
//! ```text
//!   reach ──▶ any server ──▶ the cluster's id ──▶ the session that is kept for it, if there is one
//!                 │
//!   read, write ──┴─▶ net::client: again and again under one request id, so each is done once
//! ```
//!
//! The session belongs to a cluster, whichever address it was reached at. What this person has seen goes with it from
//! one process to the next: who posts and then reads, through another server, finds the croak.
//!
//! - [`reads`]: what a person can look at
//! - [`live`]: what happens, as it happens
//! - [`kept`]: the file that keeps a session
//! - [`secret_line`]: a password as it is typed
//! - [`stop`]: why something did not come to pass
//!
//! Clones share the connection, not the session. It prints nothing and asks nobody at the terminal.

pub mod kept;
pub mod live;
pub mod reads;
pub mod secret_line;
pub mod stop;

use crate::common::failure::{Exit, Failure};
use crate::common::options::{Group, PersonOptions};
use kept::{Keeper, Kept};
use ribbit_net::client::{Client, Tell};
use ribbit_net::protocol::{Answer, Ask, NewAccount, Password, Why};
use ribbit_net::secret::{new_request_id, new_token, token_hash};
use ribbit_net::subscription::Subscription;
use ribbit_state::text::{
    check_croak, check_email, check_message, check_name, check_password, fold_username,
};
use ribbit_state::{
    AccountId, ClusterId, Code, Command, Consistency, Denied, LogIndex, MessageCommand, Page, Query, Reply,
    Request, Token, TokenHash, Wanted,
};
use ribbit_ui::lines::Style;
use std::io::IsTerminal;
use std::time::Duration;
use stop::Stop;

/// Until a question is given up, if the tries over all servers have not ended before.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A person, and how they reach the group.
#[derive(Debug, Clone)]
pub struct Person {
    client: Client,
    cluster: ClusterId,
    keeper: Keeper,
    session: Option<Kept>,
}

/// How lines are dressed on standard output.
pub fn style(options: &PersonOptions) -> Style {
    Style { colour: !options.no_colour && std::io::stdout().is_terminal() }
}

/// What a read brought.
#[derive(Debug)]
pub struct Got<T> {
    pub what: T,
    /// The server that answered has lost touch: this may be old.
    pub old: bool,
}

impl Person {
    /// Reaches the group, and takes up the session that is kept for it. `tell` hears what becomes of the connection.
    ///
    /// # Errors
    /// 3: nobody serves; 78: there is no place for sessions, or the one that is kept cannot be read.
    pub async fn reach(options: &PersonOptions, tell: Tell) -> Result<Person, Failure> {
        let Group { seeds, servers, found_in, keys, book: _ } = &options.group;
        let client = Client::sociable(servers.clone(), seeds.clone(), keys.clone(), tell);
        let cluster = client.meet(ANSWER_MAX).await.map_err(|why| {
            let asked = if servers.is_empty() { seeds } else { servers };
            let asked = asked.join(", ");
            Failure::new(Exit::Unreachable, format!("{why}; asked {asked} (from {found_in})"))
        })?;
        let keeper = Keeper::of(options.folder.as_deref(), cluster)?;
        let session = keeper.read()?;
        if let Some(seen) = session.as_ref().and_then(|kept| kept.seen) {
            // A newer history is known already, from who was reached: what was seen in another counts no more.
            if client.seen().is_none_or(|now| now.history == seen.history) {
                client.saw(seen);
            }
        }
        Ok(Person { client, cluster, keeper, session })
    }

    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// For questions that have no words here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Who is logged in, as far as is known here.
    pub fn username(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.username.as_str())
    }

    /// The session that acts; whether it is still open only the group knows.
    ///
    /// # Errors
    /// 609: nobody is logged in here.
    pub fn session(&self) -> Result<TokenHash, Denied> {
        let session = self.session.as_ref().map(|session| token_hash(&session.token));
        session.ok_or(Denied::new(Code::NotLoggedIn))
    }

    /// Keeps the session and what was seen for the next process. Not a session that was closed meanwhile, or replaced.
    ///
    /// # Errors
    /// 1: it cannot be written.
    pub fn keep(&mut self) -> Result<(), Failure> {
        let seen = self.client.seen();
        let Some(session) = self.session.as_mut().filter(|session| session.seen != seen) else {
            return Ok(());
        };
        session.seen = seen;
        self.keeper.update(session)
    }

    /// Keeps a session that was just opened, in the place of any other.
    ///
    /// # Errors
    /// 1: it cannot be written.
    pub fn keep_new(&mut self) -> Result<(), Failure> {
        let seen = self.client.seen();
        let Some(session) = &mut self.session else { return Ok(()) };
        session.seen = seen;
        self.keeper.replace(session)
    }

    /// Forgets the session here, and the file of it if it is the one that is kept.
    ///
    /// # Errors
    /// 1: it cannot be removed.
    pub fn forget(&mut self) -> Result<(), Failure> {
        self.session.take().map_or(Ok(()), |session| self.keeper.remove(&session))
    }

    /// Makes an account; does not log in.
    ///
    /// # Errors
    /// 606, 607; nobody answers.
    pub async fn create(&self, form: NewAccount) -> Result<AccountId, Stop> {
        check_name(&form.name)?;
        fold_username(&form.username)?;
        check_email(&form.email)?;
        check_password(&form.password.0)?;
        let (id, born) = (new_request_id(), self.born());
        match self.written(Ask::CreateAccount { id, born, form }).await? {
            Reply::Created { account } => Ok(account),
            other => Err(unexpected(&other)),
        }
    }

    /// Opens a session of its own; it is kept only when told so ([`Person::keep_new`]).
    ///
    /// # Errors
    /// 601, 602; nobody answers.
    pub async fn log_in(&mut self, username: &str, password: Password) -> Result<AccountId, Stop> {
        let username = fold_username(username)?;
        let token = new_token();
        let (id, born) = (new_request_id(), self.born());
        let ask = Ask::LogIn { id, born, username: username.clone(), password, token: token_hash(&token) };
        match self.written(ask).await? {
            Reply::LoggedIn { account } => {
                self.session = Some(Kept { username, token, seen: self.client.seen() });
                Ok(account)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Ends the session on every server. One that was over already is no failure.
    ///
    /// # Errors
    /// Nobody answers: it is open still.
    pub async fn log_out(&self) -> Result<(), Stop> {
        let Ok(session) = self.session() else { return Ok(()) };
        match self.write(Command::LogOut { session }).await {
            Ok(_) | Err(Stop::Denied(Denied { code: Code::NotLoggedIn, .. })) => Ok(()),
            Err(stop) => Err(stop),
        }
    }

    /// Says something to whoever follows; answers the croak's id.
    ///
    /// # Errors
    /// 512, 606, 609; nobody answers.
    pub async fn croak(&self, text: &str) -> Result<LogIndex, Stop> {
        let session = self.session()?;
        check_croak(text)?;
        match self.write(Command::Croak { session, text: text.to_string() }).await? {
            Reply::Croaked { croak } => Ok(croak),
            other => Err(unexpected(&other)),
        }
    }

    /// Follows somebody from now on.
    ///
    /// # Errors
    /// 601, 608, 609, 611, 612; nobody answers.
    pub async fn add(&self, username: &str) -> Result<(), Stop> {
        let (session, username) = (self.session()?, fold_username(username)?);
        self.write(Command::AddFriend { session, username }).await.map(drop)
    }

    /// Follows somebody no more.
    ///
    /// # Errors
    /// 601, 609, 610; nobody answers.
    pub async fn remove(&self, username: &str) -> Result<(), Stop> {
        let (session, username) = (self.session()?, fold_username(username)?);
        self.write(Command::RemoveFriend { session, username }).await.map(drop)
    }

    /// Writes to somebody; answers the message's id.
    ///
    /// # Errors
    /// 601, 606, 609, 611, 643, 644; nobody answers.
    pub async fn send(&self, username: &str, text: &str) -> Result<LogIndex, Stop> {
        let (session, username) = (self.session()?, fold_username(username)?);
        check_message(text)?;
        let command = MessageCommand::Send { session, username, text: text.to_string() };
        match self.write(command.into()).await? {
            Reply::Sent { message } => Ok(message),
            other => Err(unexpected(&other)),
        }
    }

    /// Says what was shown and what was read of the talk with somebody, live or deleted.
    ///
    /// # Errors
    /// 609; nobody answers.
    pub async fn mark(
        &self,
        with: AccountId,
        delivered_through: LogIndex,
        read_through: LogIndex,
    ) -> Result<(), Stop> {
        let session = self.session()?;
        let command = MessageCommand::Mark { session, with, delivered_through, read_through };
        self.write(command.into()).await.map(drop)
    }

    /// Deletes the account and everything in it.
    ///
    /// # Errors
    /// 602, 609; nobody answers.
    pub async fn delete(&self, password: Password) -> Result<(), Stop> {
        let session = self.session()?;
        let (id, born) = (new_request_id(), self.born());
        self.written(Ask::DeleteAccount { id, born, session, password }).await.map(drop)
    }

    /// Follows what changes this person's feed, from a position on.
    ///
    /// # Errors
    /// 609: nobody is logged in here.
    pub fn follow(&self, cursor: Token) -> Result<Subscription, Denied> {
        Ok(self.client.subscribe(cursor, Wanted::Feed { session: self.session()? }))
    }

    /// Reads, at least as new as what this person has seen.
    ///
    /// # Errors
    /// Whatever refuses it; nobody answers.
    pub async fn read(&self, query: Query) -> Result<Got<Page>, Stop> {
        let mut answer = self.ask_read(&query).await?;
        if answer == Answer::Unavailable(Why::OtherHistory) {
            // What was seen is in a history that is no more.
            self.client.start_afresh();
            answer = self.ask_read(&query).await?;
        }
        match answer {
            Answer::Read { page: Ok(what), old, .. } => Ok(Got { what, old }),
            Answer::Read { page: Err(denied), .. } | Answer::Refused(denied) => Err(denied.into()),
            Answer::Unavailable(why) => Err(Stop::undecided(why)),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask_read(&self, query: &Query) -> Result<Answer, Stop> {
        let (seen, consistency) = (self.client.seen(), Consistency::Session);
        let ask = Ask::Read { seen, consistency, query: query.clone() };
        self.client.ask(ask, ANSWER_MAX).await.map_err(Stop::unread)
    }

    /// Writes a command that needs no password, once.
    ///
    /// # Errors
    /// Whatever refuses it; nobody answers.
    pub async fn write(&self, command: Command) -> Result<Reply, Stop> {
        let (id, born) = (new_request_id(), self.born());
        self.written(Ask::Write(Request { id, born, command })).await
    }

    /// Asks for a write under the id that it carries, until it is decided.
    ///
    /// # Errors
    /// Whatever refuses it; nobody answers.
    pub async fn written(&self, ask: Ask) -> Result<Reply, Stop> {
        match self.client.ask(ask, ANSWER_MAX).await? {
            Answer::Written { outcome, .. } => Ok(outcome?),
            Answer::Refused(denied) => Err(denied.into()),
            Answer::Unavailable(why) => Err(Stop::undecided(why)),
            other => Err(unexpected(&other)),
        }
    }

    /// The newest index that is known: a request is born there.
    pub fn born(&self) -> LogIndex {
        self.client.seen().map_or(0, |seen| seen.index)
    }
}

fn unexpected(what: &impl std::fmt::Debug) -> Stop {
    log::warn!("a server answered what was not asked: {what:?}");
    Stop::undecided(Why::NotServing)
}
