//! Queries of a user session: the feed, people and messages. Lists that take several pages are read to their end.

use super::stop::Stop;
use super::{Got, Person, unexpected};
use ribbit_state::limits::{FEED_PAGE_MAX, TALK_PAGE_MAX, TALKS_PAGE_MAX};
use ribbit_state::people::PersonRelation;
use ribbit_state::query::{FeedCroak, Person as Who, TalkPartner};
use ribbit_state::talks::{Talk, TalkMessage, TalkSummary, Unread};
use ribbit_state::{LogIndex, Page, Query};

/// A part of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Croaks, oldest first, as a terminal shows them.
    pub croaks: Vec<FeedCroak>,
    /// Position before which the older croaks lie, if there are any.
    pub older: Option<LogIndex>,
}

/// An unread message with its conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub talk: TalkSummary,
    pub message: TalkMessage,
}

impl Person {
    /// Returns the profile of the logged-in user.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub async fn me(&self) -> Result<Who, Stop> {
        match self.read(Query::Me { session: self.session()? }).await?.what {
            Page::Me(me) => Ok(me),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the newest `limit` croaks of the feed before `before`, oldest first.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub async fn feed(&self, mut before: Option<LogIndex>, limit: usize) -> Result<Got<Feed>, Stop> {
        let session = self.session()?;
        let mut croaks = Vec::new();
        loop {
            let page = page_len(limit - croaks.len(), FEED_PAGE_MAX);
            let Got { what, old } = self.read(Query::Feed { session, before, limit: page }).await?;
            let Page::Feed { croaks: newest_first, older, .. } = what else { return Err(unexpected(&what)) };
            croaks.extend(newest_first);
            if older.is_none() || croaks.len() >= limit {
                croaks.reverse();
                return Ok(Got { what: Feed { croaks, older }, old });
            }
            before = older;
        }
    }

    /// Returns all croaks of the feed after `after`, oldest first.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub async fn feed_behind(&self, after: LogIndex) -> Result<Vec<FeedCroak>, Stop> {
        let session = self.session()?;
        let (mut croaks, mut before) = (Vec::new(), None);
        loop {
            let limit = page_len(FEED_PAGE_MAX, FEED_PAGE_MAX);
            let what = self.read(Query::Feed { session, before, limit }).await?.what;
            let Page::Feed { croaks: newest_first, older, .. } = what else { return Err(unexpected(&what)) };
            croaks.extend(newest_first.into_iter().take_while(|croak| croak.id > after));
            // An older page can contain more croaks only if the whole page was newer than `after`.
            if older.is_none() || croaks.last().map(|oldest| oldest.id) != older {
                croaks.reverse();
                return Ok(croaks);
            }
            before = older;
        }
    }

    /// Returns all people that the user follows.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub async fn friends(&self) -> Result<Vec<Who>, Stop> {
        let session = self.session()?;
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let what = self.read(Query::Friends { session, after }).await?.what;
            let Page::Friends { friends, more, .. } = what else { return Err(unexpected(&what)) };
            all.extend(friends);
            match more {
                Some(_) => after = more,
                None => return Ok(all),
            }
        }
    }

    /// Returns a page of the people whose user names match a pattern, sorted by name, and the name after which the next page
    /// starts.
    ///
    /// # Errors
    /// `InvalidEntry` (606) for the pattern, `NotLoggedIn` (609); unreachable when no server answers.
    pub async fn people(
        &self,
        names: &str,
        after: Option<String>,
    ) -> Result<(Vec<PersonRelation>, Option<String>), Stop> {
        let session = self.session()?;
        match self.read(Query::People { session, names: names.to_string(), after }).await?.what {
            Page::People { people, more, .. } => Ok((people, more)),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the people in the live chat.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub async fn chatting(&self) -> Result<Vec<Who>, Stop> {
        match self.read(Query::Chatting { session: self.session()? }).await?.what {
            Page::Chatting { people } => Ok(people),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the numbers of unread messages and croaks.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub async fn unread(&self) -> Result<Unread, Stop> {
        match self.read(Query::Unread { session: self.session()? }).await?.what {
            Page::Unread(unread) => Ok(unread),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns a page of the conversations, newest first, and the position where the next older page starts.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub async fn talks(
        &self,
        before: Option<LogIndex>,
    ) -> Result<(Vec<TalkSummary>, Option<LogIndex>), Stop> {
        let (session, limit) = (self.session()?, page_len(TALKS_PAGE_MAX, TALKS_PAGE_MAX));
        match self.read(Query::Talks { session, before, limit }).await?.what {
            Page::Talks { talks, older, .. } => Ok((talks, older)),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns a page of one conversation, newest message first.
    ///
    /// # Errors
    /// `NoSuchUser` (601), `NotLoggedIn` (609); unreachable when no server answers.
    pub async fn talk(
        &self,
        with: TalkPartner,
        before: Option<LogIndex>,
        limit: usize,
    ) -> Result<Talk, Stop> {
        let (session, limit) = (self.session()?, page_len(limit, TALK_PAGE_MAX));
        match self.read(Query::Talk { session, with, before, limit }).await?.what {
            Page::Talk(talk) => Ok(talk),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns all unread messages, oldest first.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, Stop> {
        let mut all = Vec::new();
        let mut left = self.unread().await?.messages;
        let mut before = None;
        while left > 0 {
            let (talks, older) = self.talks(before).await?;
            for talk in talks.into_iter().filter(|talk| talk.waiting > 0) {
                left = left.saturating_sub(talk.waiting);
                all.extend(self.waiting_in(&talk).await?);
            }
            match older {
                Some(_) => before = older,
                None => break,
            }
        }
        all.sort_by_key(|waiting| waiting.message.id);
        Ok(all)
    }

    async fn waiting_in(&self, line: &TalkSummary) -> Result<Vec<Waiting>, Stop> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let talk = self.talk(TalkPartner::Account(line.with_account), before, TALK_PAGE_MAX).await?;
            let oldest = talk.messages.last().map_or(0, |message| message.id);
            let unread = talk.messages.into_iter().filter(|it| !it.mine && it.id > talk.read_through);
            all.extend(unread.map(|message| Waiting { talk: line.clone(), message }));
            // Older messages were read before.
            if talk.older.is_none() || oldest <= talk.read_through {
                return Ok(all);
            }
            before = talk.older;
        }
    }
}

fn page_len(wanted: usize, max: usize) -> u16 {
    u16::try_from(wanted.min(max)).unwrap_or(u16::MAX)
}
