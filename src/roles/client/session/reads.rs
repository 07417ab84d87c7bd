//! What a person can look at: their feed, people, messages, and what is kept of them. Lists come whole, page by page.

use super::stop::Stop;
use super::{Got, Person, unexpected};
use ribbit_state::limits::{FEED_PAGE_MAX, TALK_PAGE_MAX, TALKS_PAGE_MAX};
use ribbit_state::people::Acquaintance;
use ribbit_state::query::{FeedCroak, Person as Who, Whom};
use ribbit_state::talks::{Talk, TalkLine, TalkMessage, Unread};
use ribbit_state::{LogIndex, Page, Query};

/// Some of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The oldest first, as one reads in a terminal.
    pub croaks: Vec<FeedCroak>,
    /// There are older ones: those before this.
    pub older: Option<LogIndex>,
}

/// A message that waits to be read, and who wrote it: nobody when they were deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub talk: TalkLine,
    pub message: TalkMessage,
}

impl Person {
    /// Whose session this is.
    ///
    /// # Errors
    /// 609; nobody answers.
    pub async fn me(&self) -> Result<Who, Stop> {
        match self.read(Query::Me { session: self.session()? }).await?.what {
            Page::Me(me) => Ok(me),
            other => Err(unexpected(&other)),
        }
    }

    /// The newest `limit` croaks of this person and their friends that lie before `before`, the oldest first.
    ///
    /// # Errors
    /// 609; nobody answers.
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

    /// The croaks of the feed behind `after`, the oldest first.
    ///
    /// # Errors
    /// 609; nobody answers.
    pub async fn feed_behind(&self, after: LogIndex) -> Result<Vec<FeedCroak>, Stop> {
        let session = self.session()?;
        let (mut croaks, mut before) = (Vec::new(), None);
        loop {
            let limit = page_len(FEED_PAGE_MAX, FEED_PAGE_MAX);
            let what = self.read(Query::Feed { session, before, limit }).await?.what;
            let Page::Feed { croaks: newest_first, older, .. } = what else { return Err(unexpected(&what)) };
            croaks.extend(newest_first.into_iter().take_while(|croak| croak.id > after));
            // There are more behind `after` only if all of this page were.
            if older.is_none() || croaks.last().map(|oldest| oldest.id) != older {
                croaks.reverse();
                return Ok(croaks);
            }
            before = older;
        }
    }

    /// Everybody this person follows.
    ///
    /// # Errors
    /// 609; nobody answers.
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

    /// Some of those whose user names fit a pattern, in the order of the names, and behind which name to go on.
    ///
    /// # Errors
    /// 606, 609; nobody answers.
    pub async fn people(
        &self,
        names: &str,
        after: Option<String>,
    ) -> Result<(Vec<Acquaintance>, Option<String>), Stop> {
        let session = self.session()?;
        match self.read(Query::People { session, names: names.to_string(), after }).await?.what {
            Page::People { people, more, .. } => Ok((people, more)),
            other => Err(unexpected(&other)),
        }
    }

    /// Who is in the live chat now.
    ///
    /// # Errors
    /// 609; nobody answers.
    pub async fn chatting(&self) -> Result<Vec<Who>, Stop> {
        match self.read(Query::Chatting { session: self.session()? }).await?.what {
            Page::Chatting { people } => Ok(people),
            other => Err(unexpected(&other)),
        }
    }

    /// What waits for this person.
    ///
    /// # Errors
    /// 609; nobody answers.
    pub async fn unread(&self) -> Result<Unread, Stop> {
        match self.read(Query::Unread { session: self.session()? }).await?.what {
            Page::Unread(unread) => Ok(unread),
            other => Err(unexpected(&other)),
        }
    }

    /// Some of those with whom this person has talked, the newest first, and where the next older page begins.
    ///
    /// # Errors
    /// 609; nobody answers.
    pub async fn talks(&self, before: Option<LogIndex>) -> Result<(Vec<TalkLine>, Option<LogIndex>), Stop> {
        let (session, limit) = (self.session()?, page_len(TALKS_PAGE_MAX, TALKS_PAGE_MAX));
        match self.read(Query::Talks { session, before, limit }).await?.what {
            Page::Talks { talks, older, .. } => Ok((talks, older)),
            other => Err(unexpected(&other)),
        }
    }

    /// One page of a talk, newest first.
    ///
    /// # Errors
    /// 601, 609; nobody answers.
    pub async fn talk(&self, with: Whom, before: Option<LogIndex>, limit: usize) -> Result<Talk, Stop> {
        let (session, limit) = (self.session()?, page_len(limit, TALK_PAGE_MAX));
        match self.read(Query::Talk { session, with, before, limit }).await?.what {
            Page::Talk(talk) => Ok(talk),
            other => Err(unexpected(&other)),
        }
    }

    /// Every message that waits to be read, the oldest first.
    ///
    /// # Errors
    /// 609; nobody answers.
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

    async fn waiting_in(&self, line: &TalkLine) -> Result<Vec<Waiting>, Stop> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let talk = self.talk(Whom::Account(line.with_account), before, TALK_PAGE_MAX).await?;
            let oldest = talk.messages.last().map_or(0, |message| message.id);
            let unread = talk.messages.into_iter().filter(|it| !it.mine && it.id > talk.read_through);
            all.extend(unread.map(|message| Waiting { talk: line.clone(), message }));
            // Those further back were read.
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
