//! One connection of the chat: its requests one after the other, and between them what others write to its person.

use super::changes::Change;
use super::codec::{self, Reply, Request};
use super::delivery::{Delivery, Due, NotHandedOut};
use super::intake::{Incoming, Intake};
use super::{
    CHANGES_MAX, CREATE_PATIENCE, Chat, EXIT_MAX, IDLE_MAX, LOOK_AGAIN, LOOK_PAUSE, NAME, RESUME_PATIENCE,
};
use crate::common::service::connection::Connection;
use crate::gateway::operations::presence::Online;
use crate::operations::{Refusal, Session};
use ribbit_state::{Code, Denied};
use ribbit_ui::words::refusal as words_of;
use smol::Timer;
use smol::future::or;
use std::io;
use std::time::{Duration, Instant};

const LOG_IN_FIRST: &str = "Must be logged in to perform this operation. Please login or create an account.";
const UNKNOWN_RECIPIENT: &str = "Recipient username cannot be found.";
const INVALID: &str = "Invalid operation. Please input your request as [operation]|[params].";

/// A connection and its person.
struct Conversation<'a> {
    chat: &'a Chat,
    connection: Connection,
    intake: Intake,
    log_in: Option<LogIn>,
    /// The log-out that is on its way once the end of the connection has arrived.
    leaving: Option<Change>,
}

/// A person who is online through a connection.
struct LogIn {
    /// Their name as they typed it.
    name: String,
    session: Session,
    online: Online,
    delivery: Delivery,
}

/// Next event of a connection.
enum Turn {
    Incoming(Incoming),
    Due(Due),
    /// The client has said nothing for too long.
    Idle,
    /// The role is being stopped, or the person is online elsewhere.
    Stop,
}

/// Reason why a conversation ends.
enum End {
    /// The client has logged out and closes the connection.
    Exit,
    /// The client has closed the connection.
    Closed,
    /// This side closes the connection.
    Stop,
    /// The connection is lost.
    Lost,
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> End {
        log::debug!("a connection of the chat is lost: {error}");
        End::Lost
    }
}

/// Serves a connection to its end.
pub(super) async fn run(chat: &Chat, connection: Connection) {
    let intake = Intake::begin(connection.stream.clone(), chat.changes.clone());
    let mut conversation = Conversation { chat, connection, intake, log_in: None, leaving: None };
    let end = loop {
        if let Err(end) = conversation.turn().await {
            break end;
        }
    };
    let leaving = conversation.leaving.take().unwrap_or_else(|| chat.changes.begin());
    conversation.log_out(!matches!(end, End::Lost)).await;
    drop(leaving);
    match end {
        End::Exit => {
            conversation.await_close().await;
            conversation.connection.finish().await;
        }
        End::Stop => conversation.connection.finish().await,
        End::Closed | End::Lost => {}
    }
}

impl Conversation<'_> {
    async fn turn(&mut self) -> Result<(), End> {
        match self.next().await {
            Turn::Incoming(Incoming::Request(request)) => self.serve(request).await,
            Turn::Incoming(Incoming::Closed(change)) => {
                self.leaving = Some(change);
                Err(End::Closed)
            }
            Turn::Incoming(Incoming::Lost(change)) => {
                self.leaving = Some(change);
                Err(End::Lost)
            }
            Turn::Incoming(Incoming::Ended) => Err(End::Lost),
            Turn::Due(Due::HandOut) => self.hand_out().await,
            Turn::Due(Due::Mark) => {
                self.stay().await?;
                if let Some(log_in) = &mut self.log_in {
                    log_in.delivery.mark(&self.chat.operations, &log_in.session).await;
                }
                Ok(())
            }
            Turn::Due(Due::Ended) => self.session_ended().await,
            Turn::Idle | Turn::Stop => Err(End::Stop),
        }
    }

    async fn next(&mut self) -> Turn {
        let stopping = self.connection.stopping();
        let stop = async {
            stopping.await;
            Turn::Stop
        };
        let incoming = async { Turn::Incoming(self.intake.next().await) };
        match &mut self.log_in {
            Some(LogIn { online, delivery, .. }) => {
                let lost = async {
                    online.lost().await;
                    Turn::Stop
                };
                let due = async { Turn::Due(delivery.due(&self.chat.operations).await) };
                or(stop, or(lost, or(due, incoming))).await
            }
            None => {
                let idle = async {
                    Timer::after(IDLE_MAX).await;
                    Turn::Idle
                };
                or(stop, or(incoming, idle)).await
            }
        }
    }

    async fn serve(&mut self, request: Request) -> Result<(), End> {
        let reply = match request {
            Request::Create { name } => self.create(&name).await,
            Request::LogIn { name } => return self.log_in(&name).await,
            Request::Send { message } => self.send(message).await,
            Request::List { pattern } => self.list(&pattern).await,
            Request::Delete => self.delete().await,
            Request::Exit => return Err(End::Exit),
            Request::Resume { name } => return self.resume(&name).await,
            Request::Invalid => Reply::refused(INVALID),
        };
        self.say(&reply).await
    }

    async fn say(&mut self, reply: &Reply) -> Result<(), End> {
        Ok(self.connection.send(&reply.encode()).await?)
    }

    async fn create(&mut self, name: &str) -> Reply {
        if let Some(log_in) = &self.log_in {
            return Reply::refused(format!(
                "Unable to create account: You are already logged in as {}. Please exit and start a new client to log into a \
                 different account.",
                log_in.name
            ));
        }
        let change = self.chat.changes.begin();
        let created = self.chat.operations.create_by_name(NAME, self.connection.from, name).await;
        drop(change);
        let entered = match created {
            Ok(session) => self.enter(name, session, CREATE_PATIENCE).await,
            Err(refusal) => Err(refusal),
        };
        match entered {
            Ok(log_in) => {
                self.log_in = Some(log_in);
                Reply::done(format!("Account created! Logged in as {name}."))
            }
            Err(Refusal::Denied(Code::UsernameTaken)) => {
                Reply::refused("Unable to create account: This username is already taken.")
            }
            Err(refusal) => Reply::refused(format!("Unable to create account: {}", words(refusal))),
        }
    }

    async fn log_in(&mut self, name: &str) -> Result<(), End> {
        if let Some(log_in) = &self.log_in {
            let reply = Reply::refused(format!(
                "Unable to login: You are already logged in as {}. Please exit  and start a new client to log into a \
                 different account.",
                log_in.name
            ));
            return self.say(&reply).await;
        }
        let entered = match self.known(name, LOOK_AGAIN).await {
            Ok(session) => self.enter(name, session, LOOK_AGAIN).await,
            Err(refusal) => Err(refusal),
        };
        let refusal = match entered {
            Ok(mut log_in) => {
                let greeting = Reply::done(format!("Logged in as {name}.")).encode();
                let LogIn { session, delivery, .. } = &mut log_in;
                let operations = &self.chat.operations;
                let handed_out =
                    delivery.hand_out(operations, session, &mut self.connection, greeting, true).await;
                match handed_out {
                    Ok(()) => {
                        self.log_in = Some(log_in);
                        return Ok(());
                    }
                    Err(NotHandedOut::Lost(error)) => return Err(error.into()),
                    Err(NotHandedOut::Refused(refusal)) => refusal,
                }
            }
            Err(refusal) => refusal,
        };
        let why = match refusal {
            Refusal::Denied(Code::NoSuchUser) => {
                "This username does not exist. If you would like to use this username, please create a new account."
                    .to_string()
            }
            Refusal::AlreadyOnline => "This user is already connected to the server.".to_string(),
            other => words(other),
        };
        self.say(&Reply::refused(format!("Unable to login: {why}"))).await
    }

    /// Goes on as the person whom the client was before it lost its server. There is no reply, and none on a refusal.
    async fn resume(&mut self, name: &str) -> Result<(), End> {
        if self.log_in.is_some() {
            return Ok(());
        }
        // Through this gateway the person is online on a connection that lives, or one whose end is about to be read.
        let here = self.chat.operations.is_online_here(NAME, name);
        let patience = if here { LOOK_AGAIN } else { RESUME_PATIENCE };
        let entered = match self.known(name, Duration::ZERO).await {
            Ok(session) => self.enter(name, session, patience).await,
            Err(refusal) => Err(refusal),
        };
        match entered {
            Ok(log_in) => self.log_in = Some(log_in),
            Err(refusal) => {
                log::debug!("a resume was refused: {refusal}");
                return Ok(());
            }
        }
        self.hand_out().await
    }

    /// Returns the session of a name. One that does not exist yet may be on its way.
    async fn known(&self, name: &str, patience: Duration) -> Result<Session, Refusal> {
        let mut look = Look::begin(self.chat, patience);
        loop {
            match self.chat.operations.enter(NAME, self.connection.from, name).await {
                Err(Refusal::Denied(Code::NoSuchUser)) if look.again().await => {}
                known => return known,
            }
        }
    }

    async fn enter(&self, name: &str, session: Session, patience: Duration) -> Result<LogIn, Refusal> {
        let operations = &self.chat.operations;
        let mut look = Look::begin(self.chat, Duration::ZERO);
        let online = loop {
            match operations.go_online(NAME, &session.username, patience).await {
                Err(Refusal::AlreadyOnline) if look.again().await => {}
                entered => break entered?,
            }
        };
        let delivery = Delivery::begin(operations, &session).await?;
        Ok(LogIn { name: name.to_string(), session, online, delivery })
    }

    async fn send(&mut self, message: Option<(String, String)>) -> Reply {
        let Some(log_in) = &self.log_in else { return Reply::refused(LOG_IN_FIRST) };
        let Some((recipient, text)) = message else { return Reply::refused(INVALID) };
        let (operations, from) = (&self.chat.operations, self.connection.from);
        let mut look = Look::begin(self.chat, LOOK_AGAIN);
        let sent = loop {
            match operations.send(from, &log_in.session, &recipient, &text).await {
                Err(Refusal::Denied(Code::NoSuchUser)) if look.again().await => {}
                sent => break sent,
            }
        };
        match sent {
            Ok(_) => Reply::done(format!("Message sent to {recipient}.")),
            Err(Refusal::Denied(Code::NoSuchUser)) => Reply::refused(UNKNOWN_RECIPIENT),
            Err(Refusal::Denied(Code::Yourself)) => Reply::refused("Cannot send messages to yourself."),
            Err(refusal) if refusal.lacks_session() => {
                self.log_in = None;
                Reply::refused(LOG_IN_FIRST)
            }
            Err(refusal) => Reply::refused(words(refusal)),
        }
    }

    async fn list(&self, pattern: &str) -> Reply {
        self.chat.changes.earlier_ended().await;
        match self.chat.operations.accounts().await {
            Ok(people) => {
                let names = people.iter().map(|person| person.username.as_str());
                codec::listing(names.filter(|name| pattern.is_empty() || codec::matches(pattern, name)))
            }
            Err(refusal) => Reply::refused(words(refusal)),
        }
    }

    async fn delete(&mut self) -> Reply {
        let Some(log_in) = &self.log_in else { return Reply::refused(LOG_IN_FIRST) };
        let change = self.chat.changes.begin();
        let deleted = self.chat.operations.delete_account(&log_in.session).await;
        drop(change);
        let name = log_in.name.clone();
        match deleted {
            Err(refusal) if !refusal.lacks_session() => Reply::refused(words(refusal)),
            _ => {
                self.log_in = None;
                Reply::done(format!("Account {name} has been deleted. You are now logged out."))
            }
        }
    }

    /// Ends the conversation if the person is online through another gateway: messages are handed out and marked as read there.
    async fn stay(&self) -> Result<(), End> {
        match &self.log_in {
            Some(log_in) if !log_in.online.is_held().await => Err(End::Stop),
            _ => Ok(()),
        }
    }

    async fn hand_out(&mut self) -> Result<(), End> {
        self.stay().await?;
        let Some(LogIn { session, delivery, .. }) = &mut self.log_in else { return Ok(()) };
        let operations = &self.chat.operations;
        match delivery.hand_out(operations, session, &mut self.connection, Vec::new(), false).await {
            Ok(()) => Ok(()),
            Err(NotHandedOut::Lost(error)) => Err(error.into()),
            Err(NotHandedOut::Refused(refusal)) if refusal.lacks_session() => self.session_ended().await,
            Err(NotHandedOut::Refused(refusal)) => {
                log::debug!("waiting messages cannot be read: {refusal}");
                Ok(())
            }
        }
    }

    /// Tells the client that its account was deleted elsewhere, or its session is over.
    async fn session_ended(&mut self) -> Result<(), End> {
        match self.log_in.take() {
            Some(_) => self.say(&Reply::done("Your session has ended. You are now logged out.")).await,
            None => Ok(()),
        }
    }

    /// Ends the log-in. `received` is true unless the client may have missed the last messages.
    async fn log_out(&mut self, received: bool) {
        if let Some(LogIn { session, online, delivery, .. }) = self.log_in.take() {
            if received && !online.is_lost() {
                delivery.end(&self.chat.operations, &session, &self.connection).await;
            }
            online.leave().await;
        }
    }

    /// Waits until the client has closed its side: a client whose server closes first goes to the next one.
    async fn await_close(&self) {
        let closed = async { while let Incoming::Request(_) = self.intake.next().await {} };
        let late = async {
            Timer::after(EXIT_MAX).await;
        };
        or(closed, late).await;
    }
}

/// Decides whether a refusal may be due to a change that is on its way, so that the cluster is asked again.
struct Look<'a> {
    chat: &'a Chat,
    began: Instant,
    patience: Duration,
    /// A change was in progress before the last attempt.
    changing: bool,
}

impl<'a> Look<'a> {
    /// Begins before the first attempt.
    fn begin(chat: &'a Chat, patience: Duration) -> Look<'a> {
        Look { chat, began: Instant::now(), patience, changing: chat.changes.any() }
    }

    /// Pauses and returns true if the cluster should be asked again.
    async fn again(&mut self) -> bool {
        let limit = if self.changing { self.patience.max(CHANGES_MAX) } else { self.patience };
        if self.began.elapsed() >= limit {
            return false;
        }
        Timer::after(LOOK_PAUSE).await;
        self.changing = self.chat.changes.any();
        true
    }
}

/// Returns words for a refusal for which the protocol has none.
fn words(refusal: Refusal) -> String {
    match refusal {
        Refusal::Denied(code) => words_of(Denied::new(code)),
        Refusal::NotByName => {
            "This account has a password, so it is used on the web pages instead.".to_string()
        }
        Refusal::AlreadyOnline => "This user is already connected to the server.".to_string(),
        Refusal::Unavailable => words_of(Denied::new(Code::Unavailable)),
    }
}
