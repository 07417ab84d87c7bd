//! Croaks, follows and feeds.

use super::limits::FOLLOWS_LISTED_MAX;
use super::{Operations, Refusal, Session, unexpected};
use crate::common::address_rates::AddressRateClass;
use ribbit_state::limits::FEED_PAGE_MAX;
use ribbit_state::query::{AnnouncementItem, FeedCroak, FollowSide, Person};
use ribbit_state::text::{check_croak, check_reply};
use ribbit_state::{AccountId, Code, Command, LogIndex, MessageCommand, Page, Query, Reply};
use std::net::IpAddr;

/// A croak as the protocols show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    /// Its position in the log.
    pub(crate) id: LogIndex,
    /// User name of the author.
    pub(crate) author: String,
    /// Wall clock of the leader at the time, in milliseconds since 1970. It may be wrong.
    pub(crate) wall_ms: u64,
    pub(crate) text: String,
}

impl From<FeedCroak> for Post {
    fn from(croak: FeedCroak) -> Post {
        let FeedCroak { id, author, body, .. } = croak;
        Post { id, author: author.username, wall_ms: body.wall_ms, text: body.text }
    }
}

/// A person and their croaks, as their profile shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) username: String,
    /// The owner of the session follows them.
    pub(crate) followed: bool,
    /// Newest first.
    pub(crate) posts: Vec<Post>,
}

impl Operations {
    /// Posts a croak for everyone.
    pub(crate) async fn post(
        &self,
        from: IpAddr,
        session: &Session,
        text: &str,
    ) -> Result<LogIndex, Refusal> {
        check_croak(text)?;
        self.check_rate(from, AddressRateClass::Post)?;
        match self.requests.write(Command::croak(session.token, text)).await? {
            Reply::Croaked { croak } => Ok(croak),
            other => Err(unexpected(&other)),
        }
    }

    /// Posts a reply to a croak, for the account's usual audience. Refused as [`Operations::post`] is, and with `NoSuchCroak`.
    pub(crate) async fn reply(
        &self,
        from: IpAddr,
        session: &Session,
        to: LogIndex,
        text: &str,
    ) -> Result<LogIndex, Refusal> {
        check_reply(text)?;
        self.check_rate(from, AddressRateClass::Post)?;
        let (session, text) = (session.token, text.to_string());
        let command = Command::Croak { session, text, reply_to: Some(to), audience: None };
        match self.requests.write(command).await? {
            Reply::Croaked { croak } => Ok(croak),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns one croak. Refused with `NoSuchCroak`, also if the person does not see it.
    pub(crate) async fn croak(&self, session: &Session, id: LogIndex) -> Result<FeedCroak, Refusal> {
        match self.requests.read(Query::Croak { session: session.token, id }).await? {
            Page::Croak(croak) => Ok(croak),
            other => Err(unexpected(&other)),
        }
    }

    /// Records that the feed was read up to this croak.
    pub(crate) async fn read_feed(&self, session: &Session, through: LogIndex) -> Result<(), Refusal> {
        self.requests.write(MessageCommand::ReadFeed { session: session.token, through }).await.map(drop)
    }

    /// Follows a person. Refused with `NoSuchUser`, `Yourself` or `AlreadyFriend`.
    pub(crate) async fn follow(
        &self,
        from: IpAddr,
        session: &Session,
        username: &str,
    ) -> Result<(), Refusal> {
        self.check_rate(from, AddressRateClass::Post)?;
        let command = Command::AddFriend { session: session.token, username: username.to_string() };
        self.requests.write(command).await.map(drop).map_err(unknown_name)
    }

    /// Unfollows a person. Refused with `NoSuchUser`, `Yourself` or `NotAFriend`.
    pub(crate) async fn unfollow(
        &self,
        from: IpAddr,
        session: &Session,
        username: &str,
    ) -> Result<(), Refusal> {
        self.check_rate(from, AddressRateClass::Post)?;
        let command = Command::RemoveFriend { session: session.token, username: username.to_string() };
        self.requests.write(command).await.map(drop).map_err(unknown_name)
    }

    /// Returns the newest croaks of the person and of those they follow, newest first. `limit` is at most `FEED_PAGE_MAX`.
    pub(crate) async fn feed(&self, session: &Session, limit: usize) -> Result<Vec<Post>, Refusal> {
        let (croaks, _) = self.feed_croaks(session, None, limit).await?;
        Ok(croaks.into_iter().map(Post::from).collect())
    }

    /// Returns a page of the feed, and where the next page begins. `limit` is at most `FEED_PAGE_MAX`.
    pub(crate) async fn feed_croaks(
        &self,
        session: &Session,
        before: Option<LogIndex>,
        limit: usize,
    ) -> Result<(Vec<FeedCroak>, Option<LogIndex>), Refusal> {
        let limit = u16::try_from(limit).unwrap_or(u16::MAX);
        match self.requests.read(Query::Feed { session: session.token, before, limit }).await? {
            Page::Feed { croaks, older, .. } => Ok((croaks, older)),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns what everyone may know of a person. Refused with `NoSuchUser`.
    pub(crate) async fn about(
        &self,
        session: &Session,
        username: &str,
    ) -> Result<ribbit_state::query::Profile, Refusal> {
        let (session, username) = (session.token, username.to_string());
        let query = Query::Profile { session, username, before: None, limit: 1 };
        match self.requests.read(query).await.map_err(unknown_name)? {
            Page::Profile { profile, .. } => Ok(profile),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the announcements that the person has not dismissed, newest first.
    pub(crate) async fn announcements(&self, session: &Session) -> Result<Vec<AnnouncementItem>, Refusal> {
        match self.requests.read(Query::MyAnnouncements { session: session.token }).await? {
            Page::Announcements(items) => Ok(items),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns a person's profile with at least `posts_min` of their newest croaks, if there are as many, newest first.
    /// Croaks of others that they shared are left out.
    pub(crate) async fn profile(
        &self,
        session: &Session,
        username: &str,
        posts_min: usize,
    ) -> Result<Profile, Refusal> {
        let (mut posts, mut before) = (Vec::new(), None);
        loop {
            let limit = u16::try_from(posts_min.clamp(1, FEED_PAGE_MAX)).unwrap_or(u16::MAX);
            let query =
                Query::Profile { session: session.token, username: username.to_string(), before, limit };
            let (profile, croaks, older) = match self.requests.read(query).await.map_err(unknown_name)? {
                Page::Profile { profile, croaks, older, .. } => (profile, croaks, older),
                other => return Err(unexpected(&other)),
            };
            posts.extend(croaks.into_iter().filter(|croak| croak.share.is_none()).map(Post::from));
            before = older.filter(|_| posts.len() < posts_min);
            if before.is_none() {
                let relation = profile.relation;
                return Ok(Profile {
                    username: relation.person.username,
                    followed: relation.followed,
                    posts,
                });
            }
        }
    }

    /// Returns the people that the person follows.
    pub(crate) async fn followed(&self, session: &Session) -> Result<Vec<Person>, Refusal> {
        self.friends(|after| Query::Friends { session: session.token, after }).await
    }

    /// Returns the people that another person follows.
    pub(crate) async fn followed_by(
        &self,
        session: &Session,
        username: &str,
    ) -> Result<Vec<Person>, Refusal> {
        let side = FollowSide::Followed;
        let query =
            |after| Query::FollowsOf { session: session.token, username: username.to_string(), side, after };
        self.friends(query).await.map_err(unknown_name)
    }

    /// Reads the pages of a list of people, until `FOLLOWS_LISTED_MAX` are read.
    async fn friends(&self, page: impl Fn(Option<AccountId>) -> Query) -> Result<Vec<Person>, Refusal> {
        let (mut people, mut after) = (Vec::new(), None);
        loop {
            match self.requests.read(page(after)).await? {
                Page::Friends { friends, more, .. } => {
                    people.extend(friends);
                    after = more.filter(|_| people.len() < FOLLOWS_LISTED_MAX);
                }
                other => return Err(unexpected(&other)),
            }
            if after.is_none() {
                return Ok(people);
            }
        }
    }
}

/// A name that no account can have is unknown.
pub(super) fn unknown_name(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Denied(Code::InvalidEntry) => Refusal::Denied(Code::NoSuchUser),
        other => other,
    }
}
