//! Direct messages: sent, waiting, and handed out.

use super::croaks::unknown_name;
use super::{Operations, Refusal, Session, unexpected};
use crate::common::address_rates::AddressRateClass;
use crate::gateway::limits::WAITING_MAX;
use ribbit_state::limits::{TALK_PAGE_MAX, TALKS_PAGE_MAX};
use ribbit_state::query::{TalkPartner, TalkSummary};
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
    /// User name of the sender; `None` if the account is deleted.
    pub(crate) from: Option<String>,
    pub(crate) text: String,
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
        let username = fold_username(to).map_err(|denied| unknown_name(denied.into()))?;
        check_message(text)?;
        self.check_rate(from, AddressRateClass::Post)?;
        let command = MessageCommand::Send { session: session.token, username, text: text.to_string() };
        match self.requests.write(command).await? {
            Reply::Sent { message } => Ok(message),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the messages that the person has not read yet, oldest first, at most `WAITING_MAX` of them. They wait until
    /// [`Operations::handed_out`].
    pub(crate) async fn waiting(&self, session: &Session) -> Result<Vec<Waiting>, Refusal> {
        let mut waiting = Vec::new();
        for talk in self.talks_with_waiting(session).await? {
            self.waiting_in(session, &talk, &mut waiting).await?;
        }
        waiting.sort_by_key(|message| message.id);
        waiting.truncate(WAITING_MAX);
        Ok(waiting)
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

    async fn talks_with_waiting(&self, session: &Session) -> Result<Vec<TalkSummary>, Refusal> {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let limit = TALKS_PAGE_MAX as u16;
            match self.requests.read(Query::Talks { session: session.token, before, limit }).await? {
                Page::Talks { talks, older, .. } => {
                    found.extend(talks.into_iter().filter(|talk| talk.waiting > 0));
                    before = older;
                }
                other => return Err(unexpected(&other)),
            }
            if before.is_none() {
                return Ok(found);
            }
        }
    }

    /// Adds the waiting messages of one talk.
    async fn waiting_in(
        &self,
        session: &Session,
        talk: &TalkSummary,
        waiting: &mut Vec<Waiting>,
    ) -> Result<(), Refusal> {
        let mut before = None;
        loop {
            let (with, limit) = (TalkPartner::Account(talk.with_account), TALK_PAGE_MAX as u16);
            let page = match self
                .requests
                .read(Query::Talk { session: session.token, with, before, limit })
                .await?
            {
                Page::Talk(page) => page,
                other => return Err(unexpected(&other)),
            };
            let from = page.with.map(|person| person.username);
            let unread = page.messages.into_iter().take_while(|message| message.id > page.read_through);
            waiting.extend(unread.filter(|message| !message.mine).map(|message| Waiting {
                id: message.id,
                sender: page.with_account,
                from: from.clone(),
                text: message.text,
            }));
            match page.older.filter(|older| *older > page.read_through) {
                Some(older) => before = Some(older),
                None => return Ok(()),
            }
        }
    }
}
