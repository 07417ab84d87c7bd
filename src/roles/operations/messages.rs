//! Direct messages: sent, waiting, and handed out.

use super::croaks::unknown_name;
use super::limits::WAITING_MAX;
use super::{Operations, Refusal, Session, unexpected};
use crate::common::address_rates::AddressRateClass;
use ribbit_state::limits::TALK_PAGE_MAX;
use ribbit_state::query::WaitingMessage;
use ribbit_state::text::{check_message, fold_username};
use ribbit_state::{AccountId, Code, LogIndex, MessageCommand, Page, Query, Reply};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A message that waits for its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Its position in the log: messages are in the order of these.
    pub(crate) id: LogIndex,
    pub(super) sender: AccountId,
    /// User name of the sender when the message was sent.
    pub(crate) from: String,
    /// The account of the sender is deleted.
    pub(crate) deleted: bool,
    pub(crate) text: String,
}

impl From<WaitingMessage> for Waiting {
    fn from(message: WaitingMessage) -> Waiting {
        let WaitingMessage { id, from: sender, username: from, deleted, text, wall_ms: _ } = message;
        Waiting { id, sender, from, deleted, text }
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
            let mark = MessageCommand::Mark {
                session: session.token,
                with,
                delivered_through: through,
                read_through: through,
            };
            match self.requests.write(mark).await {
                // The sender's account and the talk are gone.
                Ok(_) | Err(Refusal::Denied(Code::NoSuchUser | Code::NoSuchMessage)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }
}
