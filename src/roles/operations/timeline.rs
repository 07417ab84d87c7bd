//! Croaks of followed people since the follow, and follows in their order.

use super::croaks::Post;
use super::limits::{FOLLOWS_LISTED_MAX, TIMELINE_PAGES_MAX};
use super::{Operations, Refusal, Session, unexpected};
use ribbit_state::limits::FEED_PAGE_MAX;
use ribbit_state::query::{FeedCroak, FollowSide, Person};
use ribbit_state::{AccountId, LogIndex, Page, Query};
use std::collections::BTreeMap;

/// Croaks of a timeline.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// Newest first.
    pub(crate) posts: Vec<Post>,
    /// Position of the newest croak that was looked at, from which the next read goes on.
    pub(crate) through: LogIndex,
}

impl Operations {
    /// Returns the people that the person follows, or who follow the person, in the order of following.
    pub(crate) async fn follows(&self, session: &Session, side: FollowSide) -> Result<Vec<Person>, Refusal> {
        let mut people = self.follows_since(session, side).await?;
        people.sort_by_key(|(_, since)| *since);
        Ok(people.into_iter().map(|(person, _)| person).collect())
    }

    async fn follows_since(
        &self,
        session: &Session,
        side: FollowSide,
    ) -> Result<Vec<(Person, LogIndex)>, Refusal> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            match self.requests.read(Query::Follows { session: session.token, side, after }).await? {
                Page::Follows { people, more, .. } => {
                    found.extend(people);
                    after = more.filter(|_| found.len() < FOLLOWS_LISTED_MAX);
                }
                other => return Err(unexpected(&other)),
            }
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// Returns the newest croaks after the position `after` that the people whom the person follows have made since the follow, at
    /// most `limit` of them.
    pub(crate) async fn timeline(
        &self,
        session: &Session,
        after: LogIndex,
        limit: usize,
    ) -> Result<Timeline, Refusal> {
        let follows = self.follows_since(session, FollowSide::Followed).await?;
        let since: BTreeMap<AccountId, LogIndex> =
            follows.into_iter().map(|(person, since)| (person.account, since)).collect();
        // Nothing older can be in the timeline.
        let oldest = since.values().min().map_or(LogIndex::MAX, |oldest| after.max(*oldest));
        let mut timeline = Timeline { posts: Vec::new(), through: after };
        let mut before = None;
        for _ in 0..TIMELINE_PAGES_MAX {
            let (croaks, older) = self.feed_croaks(session, before, FEED_PAGE_MAX).await?;
            if let Some(newest) = croaks.first() {
                timeline.through = timeline.through.max(newest.cursor());
            }
            let is_new = |croak: &FeedCroak| {
                let followed = since.get(&croak.author.account);
                croak.share.is_none() && croak.id > after && followed.is_some_and(|since| croak.id > *since)
            };
            let new = croaks.into_iter().filter(is_new).take(limit - timeline.posts.len());
            timeline.posts.extend(new.map(Post::from));
            before = older.filter(|older| *older > oldest && timeline.posts.len() < limit);
            if before.is_none() {
                break;
            }
        }
        Ok(timeline)
    }
}
