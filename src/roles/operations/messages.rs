//! Direct messages: sent, waiting, and handed out.

use super::croaks::unknown_name;
use super::limits::WAITING_MAX;
use super::{Operations, Refusal, Session, unexpected};
use crate::common::address_rates::AddressRateClass;
use ribbit_state::limits::{TALK_PAGE_MAX, TALKS_PAGE_MAX};
use ribbit_state::query::{Person, Talk, TalkMessage, TalkPartner, TalkSummary, WaitingMessage};
use ribbit_state::text::{check_message, fold_username};
use ribbit_state::{AccountId, Code, LogIndex, MessageCommand, Page, Query, Reply};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A message with the other participant of its talk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// `None` if the account is deleted.
    pub(crate) with: Option<Person>,
    pub(crate) with_account: AccountId,
    pub(crate) message: TalkMessage,
}

/// A message that waits for its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Its position in the log: messages are in the order of these.
    pub(crate) id: LogIndex,
    pub(crate) sender: AccountId,
    /// User name of the sender when the message was sent.
    pub(crate) from: String,
    /// The account of the sender is deleted.
    pub(crate) deleted: bool,
    /// Wall clock of the leader at the time, in milliseconds since 1970. It may be wrong.
    pub(crate) wall_ms: u64,
    pub(crate) text: String,
}

impl From<WaitingMessage> for Waiting {
    fn from(message: WaitingMessage) -> Waiting {
        let WaitingMessage { id, from: sender, username: from, deleted, text, wall_ms } = message;
        Waiting { id, sender, from, deleted, wall_ms, text }
    }
}

impl Operations {
    /// Sends a direct message. Refused with `NoSuchUser`, `MessageTooLong` or `MailboxFull`, and with `InvalidEntry` if the
    /// text is blank.
    pub(crate) async fn send(
        &self,
        from: IpAddr,
        session: &Session,
        to: &str,
        text: &str,
    ) -> Result<LogIndex, Refusal> {
        self.send_message(from, session, to, text, None).await
    }

    /// As [`Operations::send`], for a client that may have sent the same message through another gateway a moment ago: answers that
    /// one in place of sending another. `known` is the newest such message that this gateway has sent, or 0.
    pub(crate) async fn send_again(
        &self,
        from: IpAddr,
        session: &Session,
        to: &str,
        text: &str,
        known: LogIndex,
    ) -> Result<LogIndex, Refusal> {
        self.send_message(from, session, to, text, Some(known)).await
    }

    async fn send_message(
        &self,
        from: IpAddr,
        session: &Session,
        to: &str,
        text: &str,
        known: Option<LogIndex>,
    ) -> Result<LogIndex, Refusal> {
        let username = fold_username(to).map_err(|denied| unknown_name(denied.into()))?;
        check_message(text)?;
        self.check_rate(from, AddressRateClass::Post)?;
        let (session, text) = (session.token, text.to_string());
        let command = match known {
            None => MessageCommand::Send { session, username, text },
            Some(known) => MessageCommand::SendAgain { session, username, text, known },
        };
        match self.requests.write(command).await? {
            Reply::Sent { message } => Ok(message),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the messages that the person has not read yet, oldest first, at most `WAITING_MAX` of them. They wait until
    /// [`Operations::handed_out`].
    pub(crate) async fn waiting(&self, session: &Session) -> Result<Vec<Waiting>, Refusal> {
        let mut waiting: Vec<Waiting> = Vec::new();
        loop {
            let after = waiting.last().map(|message| message.id);
            let (page, more) = self.waiting_after(session, after).await?;
            waiting.extend(page);
            if !more || waiting.len() >= WAITING_MAX {
                return Ok(waiting);
            }
        }
    }

    /// As [`Operations::waiting`], behind the message `after`, and a page at a time. Returns true if there are more.
    pub(crate) async fn waiting_after(
        &self,
        session: &Session,
        after: Option<LogIndex>,
    ) -> Result<(Vec<Waiting>, bool), Refusal> {
        let limit = TALK_PAGE_MAX as u16;
        match self.requests.read(Query::Waiting { session: session.token, after, limit }).await? {
            Page::Waiting { messages, more, .. } => {
                Ok((messages.into_iter().map(Waiting::from).collect(), more))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Records that these messages were handed out, so that they are read and wait no longer.
    pub(crate) async fn handed_out(&self, session: &Session, messages: &[Waiting]) -> Result<(), Refusal> {
        let mut newest: BTreeMap<AccountId, LogIndex> = BTreeMap::new();
        for message in messages {
            let through = newest.entry(message.sender).or_default();
            *through = (*through).max(message.id);
        }
        for (with, through) in newest {
            self.mark_read(session, with, through).await?;
        }
        Ok(())
    }

    /// Returns one message that the person sent or received.
    pub(crate) async fn message(&self, session: &Session, id: LogIndex) -> Result<Message, Refusal> {
        match self.requests.read(Query::Message { session: session.token, id }).await? {
            Page::Message { with, with_account, message } => Ok(Message { with, with_account, message }),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns a page of one talk, newest message first. Refused with `NoSuchUser`.
    pub(crate) async fn talk(
        &self,
        session: &Session,
        with: TalkPartner,
        before: Option<LogIndex>,
        limit: usize,
    ) -> Result<Talk, Refusal> {
        let (session, limit) = (session.token, u16::try_from(limit.min(TALK_PAGE_MAX)).unwrap_or(u16::MAX));
        match self.requests.read(Query::Talk { session, with, before, limit }).await.map_err(unknown_name)? {
            Page::Talk(talk) => Ok(talk),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns a page of the talks, the one with the newest message first, and where the next page begins.
    pub(crate) async fn talks(
        &self,
        session: &Session,
        before: Option<LogIndex>,
    ) -> Result<(Vec<TalkSummary>, Option<LogIndex>), Refusal> {
        let (session, limit) = (session.token, TALKS_PAGE_MAX as u16);
        match self.requests.read(Query::Talks { session, before, limit }).await? {
            Page::Talks { talks, older, .. } => Ok((talks, older)),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the person with this id, unless the account is deleted or one has blocked the other.
    pub(crate) async fn person(
        &self,
        session: &Session,
        account: AccountId,
    ) -> Result<Option<Person>, Refusal> {
        match self.talk(session, TalkPartner::Account(account), None, 1).await {
            Ok(talk) => Ok(talk.with),
            Err(Refusal::Denied(_)) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Records that the messages of a person up to this one were read.
    pub(crate) async fn mark_read(
        &self,
        session: &Session,
        with: AccountId,
        through: LogIndex,
    ) -> Result<(), Refusal> {
        let (delivered_through, read_through) = (through, through);
        let mark = MessageCommand::Mark { session: session.token, with, delivered_through, read_through };
        match self.requests.write(mark).await {
            // The sender's account and the talk are gone.
            Ok(_) | Err(Refusal::Denied(Code::NoSuchUser | Code::NoSuchMessage)) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }
}
