//! What comes from others, shown as it comes: croaks, messages, who follows one now, how far one's own messages got.
//!
//! [`Live`] tells each thing once and in order, whatever dies meanwhile. What it cannot tell any more are messages that
//! came while no server remembered what happened: those are looked for where they wait.

use super::session::Session;
use crate::client::session::live::{Live, Tidings};
use crate::client::session::stop::Stop;
use ribbit_net::protocol::Lapse;
use ribbit_state::query::{FeedCroak, Whom};
use ribbit_state::{AccountId, Code, Denied, Happening, LogIndex, Page, Query};
use std::cell::Cell;
use std::time::Duration;

/// Before servers that could not answer are asked again.
const PAUSE: Duration = Duration::from_secs(1);

impl Session {
    /// Shows what comes behind `from`, until the session is over.
    ///
    /// # Errors
    /// 609: it is; nobody answers.
    pub async fn follow(&self, from: LogIndex) -> Result<(), Stop> {
        // A script that is not in the chat is told nothing but what it asked for.
        while !self.screen.is_terminal() && !self.is_live() {
            self.moved.listen().await;
        }
        let told = Cell::new(from);
        let mut live = Live::begin(&self.person, from).await?;
        loop {
            let tidings = match live.next().await {
                Err(stop) if stop.may_pass() => {
                    smol::Timer::after(PAUSE).await;
                    continue;
                }
                tidings => tidings?,
            };
            match tidings {
                Tidings::Nothing => {}
                Tidings::Croaks(croaks) => {
                    for croak in croaks {
                        self.tell_croak(&croak).await;
                    }
                }
                Tidings::Happened(event) => self.tell(event.index, &event.what, &told).await?,
                Tidings::Missed(Lapse::OtherHistory) => {
                    told.set(self.person.born());
                    let words =
                        "(the servers have another history now: `/feed` and `/unread` show what there is)";
                    self.screen.note(words).await;
                }
                Tidings::Missed(_) => {
                    // What is found is told; what could not be looked for waits to be read all the same.
                    match self.messages_behind(&told).await {
                        Err(stop) if stop.may_pass() => {
                            self.screen.note(format!("(messages may have come: {stop})")).await;
                        }
                        done => done?,
                    }
                }
            }
        }
    }

    /// Asks again and again while servers are there that cannot answer: what is told once is not to be missed.
    pub async fn read_patiently(&self, query: Query) -> Result<Page, Stop> {
        loop {
            match self.person.read(query.clone()).await {
                Err(stop) if stop.may_pass() => {}
                read => return Ok(read?.what),
            }
            smol::Timer::after(PAUSE).await;
        }
    }

    async fn tell_croak(&self, croak: &FeedCroak) {
        if self.lately.has(croak.id, croak.author.account == self.me.account).await {
            return;
        }
        self.lately.note(croak.id);
        self.names.meet(&croak.author.username);
        if self.screen.shown(ribbit_ui::lines::croak(croak, self.style)).await {
            self.marks.saw_feed(croak.id);
        }
    }

    async fn tell(&self, index: LogIndex, what: &Happening, told: &Cell<LogIndex>) -> Result<(), Stop> {
        let me = self.me.account;
        match what {
            Happening::Messaged { .. } if index <= told.get() => Ok(()),
            Happening::Messaged { from, .. } => {
                if !self.lately.has(index, *from == me).await {
                    self.tell_message(index).await?;
                }
                told.set(index);
                Ok(())
            }
            Happening::Marked { account, with } if *with == me => self.tell_fate(*account).await,
            Happening::FriendAdded { account, friend } if *friend == me => self.tell_follower(*account).await,
            _ => Ok(()),
        }
    }

    async fn tell_message(&self, id: LogIndex) -> Result<(), Stop> {
        let what = match self.read_patiently(Query::Message { session: self.token()?, id }).await {
            Ok(what) => what,
            // Both have deleted their accounts, or one, and this was the other's last talk.
            Err(Stop::Denied(Denied { code: Code::NoSuchMessage, .. })) => return Ok(()),
            Err(stop) => return Err(stop),
        };
        if let Page::Message { with, with_account, message } = what {
            if let Some(with) = &with {
                self.names.meet(&with.username);
            }
            self.show_message(with_account, with.as_ref(), &message).await;
        }
        Ok(())
    }

    async fn tell_follower(&self, account: AccountId) -> Result<(), Stop> {
        let with = Whom::Account(account);
        let query = Query::Talk { session: self.token()?, with, before: None, limit: 1 };
        match self.read_patiently(query).await {
            Ok(Page::Talk(talk)) => {
                if let Some(person) = &talk.with {
                    self.names.meet(&person.username);
                    self.screen.show(format!("@{} follows you now", person.username)).await;
                }
                Ok(())
            }
            // Gone already.
            Err(Stop::Denied(Denied { code: Code::NoSuchUser, .. })) | Ok(_) => Ok(()),
            Err(stop) => Err(stop),
        }
    }

    /// Messages that wait to be read and that nobody told of.
    async fn messages_behind(&self, told: &Cell<LogIndex>) -> Result<(), Stop> {
        for waiting in self.person.waiting().await? {
            let (message, with) = (waiting.message, waiting.talk.with.as_ref());
            if message.id > told.get() {
                if !self.lately.has(message.id, false).await {
                    self.show_message(waiting.talk.with_account, with, &message).await;
                }
                told.set(message.id);
            }
        }
        Ok(())
    }
}
