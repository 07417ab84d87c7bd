//! Queries of a user session: the feed, people and messages. Lists that take several pages are read to their end.

use super::request_error::RequestError;
use super::{QueryResult, UserSession, unexpected};
use ribbit_state::limits::{FEED_PAGE_MAX, NOTICES_PAGE_MAX, TALK_PAGE_MAX, TALKS_PAGE_MAX};
use ribbit_state::query::{FeedCroak, Person, TalkPartner};
use ribbit_state::query::{NoticeItem, OwnAccount, PersonRelation, Profile};
use ribbit_state::query::{Talk, TalkMessage, TalkSummary, Unread};
use ribbit_state::{LogIndex, Page, Query};

/// A part of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeedSlice {
    /// Croaks, oldest first, as a terminal shows them.
    pub(crate) croaks: Vec<FeedCroak>,
    /// Position before which the older croaks lie, if there are any.
    pub(crate) older: Option<LogIndex>,
}

/// An unread message with its conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnreadMessage {
    pub(crate) talk: TalkSummary,
    pub(crate) message: TalkMessage,
}

impl UserSession {
    /// Returns the profile of the logged-in user.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn profile(&self) -> Result<Person, RequestError> {
        match self.read(Query::Me { session: self.session()? }).await?.value {
            Page::Me(me) => Ok(me),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the account of the logged-in user.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn account(&self) -> Result<OwnAccount, RequestError> {
        match self.read(Query::Account { session: self.session()? }).await?.value {
            Page::Account(account) => Ok(account),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the profile of a user, and the croak that is pinned to it.
    ///
    /// # Errors
    /// `NoSuchUser` (601), `InvalidEntry` (606), `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn profile_of(
        &self,
        username: &str,
    ) -> Result<(Profile, Option<FeedCroak>), RequestError> {
        let (session, username) = (self.session()?, username.to_string());
        match self.read(Query::Profile { session, username, before: None, limit: 1 }).await?.value {
            Page::Profile { profile, pinned, .. } => Ok((profile, pinned.map(|croak| *croak))),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the newest `limit` croaks of the feed before `before`, oldest first.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn feed(
        &self,
        mut before: Option<LogIndex>,
        limit: usize,
    ) -> Result<QueryResult<FeedSlice>, RequestError> {
        let session = self.session()?;
        let mut croaks = Vec::new();
        loop {
            let page = page_len(limit - croaks.len(), FEED_PAGE_MAX);
            let QueryResult { value, stale } =
                self.read(Query::Feed { session, before, limit: page }).await?;
            let Page::Feed { croaks: newest_first, older, .. } = value else {
                return Err(unexpected(&value));
            };
            croaks.extend(newest_first);
            if older.is_none() || croaks.len() >= limit {
                croaks.reverse();
                return Ok(QueryResult { value: FeedSlice { croaks, older }, stale });
            }
            before = older;
        }
    }

    /// Returns all croaks of the feed after `after`, oldest first.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn feed_after(&self, after: LogIndex) -> Result<Vec<FeedCroak>, RequestError> {
        let session = self.session()?;
        let (mut croaks, mut before) = (Vec::new(), None);
        loop {
            let limit = page_len(FEED_PAGE_MAX, FEED_PAGE_MAX);
            let page = self.read(Query::Feed { session, before, limit }).await?.value;
            let Page::Feed { croaks: newest_first, older, .. } = page else { return Err(unexpected(&page)) };
            croaks.extend(newest_first.into_iter().take_while(|croak| croak.cursor() > after));
            // An older page can contain more croaks only if the whole page was newer than `after`.
            if older.is_none() || croaks.last().map(FeedCroak::cursor) != older {
                croaks.reverse();
                return Ok(croaks);
            }
            before = older;
        }
    }

    /// Returns the people and the newest `limit` croaks before `before` that match the words, oldest croak first.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); 606 if there is no word; unreachable when no server answers.
    pub(crate) async fn search(
        &self,
        words: &str,
        mut before: Option<LogIndex>,
        limit: usize,
    ) -> Result<(Vec<PersonRelation>, Vec<FeedCroak>), RequestError> {
        let session = self.session()?;
        let (mut people, mut croaks) = (Vec::new(), Vec::new());
        loop {
            let page = page_len(limit - croaks.len(), FEED_PAGE_MAX);
            let query = Query::Search { session, words: words.to_string(), before, limit: page };
            let value = self.read(query).await?.value;
            let Page::Found(found) = value else { return Err(unexpected(&value)) };
            people.extend(found.people);
            croaks.extend(found.croaks);
            if found.older.is_none() || croaks.len() >= limit {
                croaks.reverse();
                return Ok((people, croaks));
            }
            before = found.older;
        }
    }

    /// Returns all people that the user follows.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn friends(&self) -> Result<Vec<Person>, RequestError> {
        let session = self.session()?;
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.read(Query::Friends { session, after }).await?.value;
            let Page::Friends { friends, more, .. } = page else { return Err(unexpected(&page)) };
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
    pub(crate) async fn people(
        &self,
        names: &str,
        after: Option<String>,
    ) -> Result<(Vec<PersonRelation>, Option<String>), RequestError> {
        let session = self.session()?;
        match self.read(Query::People { session, names: names.to_string(), after }).await?.value {
            Page::People { people, more, .. } => Ok((people, more)),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns a page of notices, newest first, and the `before` of the next older page.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn notices(
        &self,
        before: Option<LogIndex>,
        limit: usize,
    ) -> Result<(Vec<NoticeItem>, Option<LogIndex>), RequestError> {
        let (session, limit) = (self.session()?, page_len(limit, NOTICES_PAGE_MAX));
        match self.read(Query::Notices { session, before, limit }).await?.value {
            Page::Notices { notices, older, .. } => Ok((notices, older)),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns all people that the user has blocked, or has muted.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn kept_away(&self, blocked: bool) -> Result<Vec<PersonRelation>, RequestError> {
        let session = self.session()?;
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let query =
                if blocked { Query::Blocked { session, after } } else { Query::Muted { session, after } };
            let page = self.read(query).await?.value;
            let Page::KeptAway { people, more, .. } = page else { return Err(unexpected(&page)) };
            all.extend(people);
            match more {
                Some(_) => after = more,
                None => return Ok(all),
            }
        }
    }

    /// Returns the people in the live chat.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn chatting(&self) -> Result<Vec<Person>, RequestError> {
        match self.read(Query::Chatting { session: self.session()? }).await?.value {
            Page::Chatting { people } => Ok(people),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the numbers of unread messages and croaks.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn unread(&self) -> Result<Unread, RequestError> {
        match self.read(Query::Unread { session: self.session()? }).await?.value {
            Page::Unread(unread) => Ok(unread),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns a page of the conversations, newest first, and the position where the next older page starts.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn conversations(
        &self,
        before: Option<LogIndex>,
    ) -> Result<(Vec<TalkSummary>, Option<LogIndex>), RequestError> {
        let (session, limit) = (self.session()?, page_len(TALKS_PAGE_MAX, TALKS_PAGE_MAX));
        match self.read(Query::Talks { session, before, limit }).await?.value {
            Page::Talks { talks, older, .. } => Ok((talks, older)),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns a page of one conversation, newest message first.
    ///
    /// # Errors
    /// `NoSuchUser` (601), `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn conversation(
        &self,
        with: TalkPartner,
        before: Option<LogIndex>,
        limit: usize,
    ) -> Result<Talk, RequestError> {
        let (session, limit) = (self.session()?, page_len(limit, TALK_PAGE_MAX));
        match self.read(Query::Talk { session, with, before, limit }).await?.value {
            Page::Talk(talk) => Ok(talk),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns all unread messages, oldest first.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn unread_messages(&self) -> Result<Vec<UnreadMessage>, RequestError> {
        let mut all = Vec::new();
        let mut left = self.unread().await?.messages;
        let mut before = None;
        while left > 0 {
            let (talks, older) = self.conversations(before).await?;
            for talk in talks.into_iter().filter(|talk| talk.waiting > 0) {
                left = left.saturating_sub(talk.waiting);
                all.extend(self.unread_messages_in(&talk).await?);
            }
            match older {
                Some(_) => before = older,
                None => break,
            }
        }
        all.sort_by_key(|waiting| waiting.message.id);
        Ok(all)
    }

    async fn unread_messages_in(&self, line: &TalkSummary) -> Result<Vec<UnreadMessage>, RequestError> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let talk =
                self.conversation(TalkPartner::Account(line.with_account), before, TALK_PAGE_MAX).await?;
            let oldest = talk.messages.last().map_or(0, |message| message.id);
            let unread = talk.messages.into_iter().filter(|it| !it.mine && it.id > talk.read_through);
            all.extend(unread.map(|message| UnreadMessage { talk: line.clone(), message }));
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
