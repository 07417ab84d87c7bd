//! Filter of events: which events a live subscriber receives.
//!
//! ```text
//!   Event ──▶ Interest: does this subscriber receive it at this index?
//! ```
//!
//! The events that an [`Interest`] selects at an index depend on the log up to that index alone, so a subscriber can
//! resume the same stream on any member. Two exceptions: a stream that is read later may lack the croaks of an account
//! that was deleted since, and the counts of croaks that the subscriber has come to see or sees no longer.

use super::code::{Code, Denied};
use super::events::{CountedCroak, Event, EventKind, NodeChange, NodeEvent};
use super::ids::{AccountId, LogIndex, RoomId, TokenHash};
use super::limits::{BLOCKS_MAX, COUNTED_CROAKS_MAX, FRIENDS_MAX, MUTES_MAX};
use super::lookup::{is_live, others, session_owner};
use super::path::TreePath;
use super::rooms::ties::rooms_of;
use super::rows::{BlockedBy, Blocks, Friends, Mutes, RoomTie, Sessions, View, get};
use super::visibility::Reader;
use serde::{Deserialize, Serialize};

/// Selection of events for a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Topic {
    /// Changes to the feed and relations of the session's owner, and to the counts of these croaks, as far as the owner
    /// sees them; at most `COUNTED_CROAKS_MAX`. With `everyone`, the new croaks of all whom the owner does not keep away from
    /// take the place of those of the feed. Ends with the session.
    Feed { session: TokenHash, croaks: Vec<LogIndex>, everyone: bool },
    /// Changes at or below this path of the namespace. Control plane only.
    Tree { path: TreePath },
}

impl Topic {
    /// Returns the topic of a session's feed, without the counts of further croaks.
    pub const fn feed(session: TokenHash) -> Topic {
        Topic::Feed { session, croaks: Vec::new(), everyone: false }
    }

    /// Checks the bounds of the fields. A path was checked when it was decoded.
    ///
    /// # Errors
    /// 606: too many croaks.
    pub fn check(&self) -> Result<(), Denied> {
        match self {
            Topic::Feed { croaks, .. } if croaks.len() > COUNTED_CROAKS_MAX => {
                Err(Denied::new(Code::InvalidEntry))
            }
            Topic::Feed { .. } | Topic::Tree { .. } => Ok(()),
        }
    }
}

/// The events that a subscriber receives, as of one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    Feed(FeedInterest),
    /// Changes at or below a path: the same at every index.
    Tree(TreePath),
}

impl Interest {
    /// Returns the interest as of the view's index, or `None` if the session is not open.
    ///
    /// # Errors
    /// The view's error: the store cannot be read.
    pub fn load<V: View>(view: &V, wanted: &Topic) -> Result<Option<Interest>, V::Error> {
        match wanted {
            Topic::Feed { session, croaks, everyone } => {
                Ok(FeedInterest::load(view, *session, croaks, *everyone)?.map(Interest::Feed))
            }
            Topic::Tree { path } => Ok(Some(Interest::Tree(path.clone()))),
        }
    }

    /// Returns the session that authorises the subscription, if it needs one.
    pub fn session(&self) -> Option<TokenHash> {
        match self {
            Interest::Feed(feed) => Some(feed.session),
            Interest::Tree(_) => None,
        }
    }

    /// Returns true if the session has expired by its age alone.
    pub fn is_expired(&self, age_ms: u64) -> bool {
        matches!(self, Interest::Feed(feed) if feed.ends_age_ms <= age_ms)
    }

    /// Returns true if the session is still open.
    ///
    /// # Errors
    /// The view's error: the store cannot be read.
    pub fn is_open<V: View>(&self, view: &V) -> Result<bool, V::Error> {
        match self {
            Interest::Feed(feed) => Ok(session_owner(view, feed.session, view.age_ms())?.is_some()),
            Interest::Tree(_) => Ok(true),
        }
    }

    /// Returns true if this event may have ended the session, so that [`Interest::is_open`] must be asked.
    pub fn may_end_session(&self, what: &EventKind) -> bool {
        matches!(self, Interest::Feed(feed) if feed.may_end_session(what))
    }

    /// Returns true if the subscriber receives the event. The interest must be as of the index before it.
    pub fn wants(&self, what: &EventKind) -> bool {
        match (self, what) {
            (Interest::Feed(feed), _) => feed.wants(what),
            (Interest::Tree(path), EventKind::Tree { nodes, .. }) => {
                nodes.iter().any(|node| node.concerns(path))
            }
            (Interest::Tree(_), _) => false,
        }
    }

    /// Returns the event as the subscriber receives it, if it does. The interest must be as of the index before it.
    pub fn received(&self, event: &Event) -> Option<Event> {
        let notified = match self {
            Interest::Feed(feed) if event.notified.contains(&feed.me) => Box::from([feed.me]),
            Interest::Feed(_) | Interest::Tree(_) => Box::default(),
        };
        let counted =
            event.counted.filter(|counted| matches!(self, Interest::Feed(feed) if feed.counts(counted)));
        let index = event.index;
        if self.wants(&event.what) {
            return Some(Event { index, what: event.what.clone(), notified, counted });
        }
        let concerned = !notified.is_empty() || counted.is_some();
        concerned.then_some(Event { index, what: EventKind::Noticed, notified, counted })
    }

    /// Moves the interest from just before this event to just behind it.
    pub fn advance(&mut self, what: &EventKind) {
        if let Interest::Feed(feed) = self {
            feed.advance(what);
        }
    }

    /// Moves the interest from just behind this event to just before it.
    pub fn rewind(&mut self, what: &EventKind) {
        if let Interest::Feed(feed) = self {
            feed.rewind(what);
        }
    }
}

impl NodeChange {
    /// Returns true if the change is at or below `path`, or removes a folder above it.
    pub(crate) fn concerns(&self, path: &TreePath) -> bool {
        let above = matches!(self.what, NodeEvent::Removed | NodeEvent::Pruned) && path.is_within(&self.path);
        above || self.path.is_within(path)
    }
}

/// The accounts and rooms whose events a feed subscriber receives, as of one index. Bounded: an account follows at most
/// `FRIENDS_MAX` others and is in at most `ROOMS_PER_PERSON_MAX` rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedInterest {
    me: AccountId,
    session: TokenHash,
    /// Cluster age at which the session expires.
    ends_age_ms: u64,
    /// Sorted by id.
    followed: Vec<AccountId>,
    /// Rooms of which the account is a member. Sorted by id.
    rooms: Vec<RoomId>,
    /// Sorted by id. Bounded by `MUTES_MAX`.
    muted: Vec<AccountId>,
    /// Accounts that are blocked, which may be in the same rooms. Sorted by id; bounded by `BLOCKS_MAX`.
    blocked: Vec<AccountId>,
    /// Accounts that block this one. Sorted by id; at most the first `BLOCKS_MAX` of them.
    blocked_by: Vec<AccountId>,
    /// Croaks of any author whose counts the subscriber receives; at most `COUNTED_CROAKS_MAX`.
    counted: Vec<CountedCroak>,
    /// New croaks are received from all, instead of those in the feed.
    everyone: bool,
}

impl FeedInterest {
    fn load<V: View>(
        view: &V,
        session: TokenHash,
        croaks: &[LogIndex],
        everyone: bool,
    ) -> Result<Option<FeedInterest>, V::Error> {
        let Some(row) = get::<Sessions, V>(view, &session)? else { return Ok(None) };
        let me = row.account;
        let ends_age_ms = row.ends_age_ms();
        if !row.is_open_at(view.age_ms()) || !is_live(view, me)? {
            return Ok(None);
        }
        let followed = others::<Friends, V>(view, me, FRIENDS_MAX)?;
        let muted = others::<Mutes, V>(view, me, MUTES_MAX)?;
        let rooms = rooms_of(view, me, RoomTie::Member)?;
        let blocked = others::<Blocks, V>(view, me, BLOCKS_MAX)?;
        let blocked_by = others::<BlockedBy, V>(view, me, BLOCKS_MAX)?;
        let counted = seen(view, me, croaks)?;
        Ok(Some(FeedInterest {
            me,
            session,
            ends_age_ms,
            followed,
            rooms,
            muted,
            blocked,
            blocked_by,
            counted,
            everyone,
        }))
    }

    fn may_end_session(&self, what: &EventKind) -> bool {
        match what {
            EventKind::SessionOpened { account }
            | EventKind::SessionClosed { account }
            | EventKind::AccountDeleted { account } => *account == self.me,
            _ => false,
        }
    }

    /// Returns true if the account's croaks are in the feed.
    fn hears(&self, account: AccountId) -> bool {
        let followed = self.followed.binary_search(&account).is_ok();
        account == self.me || (followed && self.muted.binary_search(&account).is_err())
    }

    /// Returns true if what the account says in rooms or to everyone is not shown to the subscriber.
    fn hides(&self, account: AccountId) -> bool {
        [&self.muted, &self.blocked, &self.blocked_by].iter().any(|ids| ids.binary_search(&account).is_ok())
    }

    /// Returns true if the subscriber receives the counts of a croak: one of the feed, or one that it asked for.
    fn counts(&self, counted: &CountedCroak) -> bool {
        self.hears(counted.author) || self.counted.contains(counted)
    }

    /// Returns true if a share of `account` puts a croak of `author` into the feed.
    fn hears_share(&self, account: AccountId, author: AccountId) -> bool {
        let listed = author == self.me || self.followed.binary_search(&author).is_ok();
        self.hears(account) && !listed && !self.hides(author)
    }

    /// Forgets the croaks of an author that the subscriber may see no longer.
    fn lose(&mut self, author: AccountId) {
        self.counted.retain(|counted| counted.author != author);
    }

    fn wants(&self, what: &EventKind) -> bool {
        match what {
            EventKind::AccountCreated { .. } => false,
            EventKind::AccountDeleted { .. } => true,
            EventKind::SessionOpened { account } | EventKind::SessionClosed { account } => {
                *account == self.me
            }
            EventKind::Croaked { author } if self.everyone => !self.hides(*author),
            EventKind::Croaked { author } => self.hears(*author),
            EventKind::FriendAdded { account, friend } | EventKind::FriendRemoved { account, friend } => {
                *account == self.me || *friend == self.me
            }
            EventKind::Tree { .. } => false,
            EventKind::Messaged { from, to } => *from == self.me || *to == self.me,
            EventKind::Marked { account, with } => *account == self.me || *with == self.me,
            EventKind::FeedRead { account } => *account == self.me,
            EventKind::CroakRemoved { .. } | EventKind::Announced => true,
            EventKind::Muted { account, .. } | EventKind::Blocked { account, .. } => *account == self.me,
            // Received by those who are notified.
            EventKind::Noticed => false,
            EventKind::RoomSaid { room, from } => {
                self.rooms.binary_search(room).is_ok() && !self.hides(*from)
            }
            EventKind::RoomMessageRemoved { room, .. }
            | EventKind::RoomChanged { room }
            | EventKind::RoomClosed { room } => self.rooms.binary_search(room).is_ok(),
            EventKind::RoomJoined { room, account } | EventKind::RoomLeft { room, account } => {
                *account == self.me || self.rooms.binary_search(room).is_ok()
            }
            EventKind::RoomInvited { account, .. } | EventKind::RoomRead { account, .. } => {
                *account == self.me
            }
            EventKind::Reacted { account, .. } => *account == self.me,
            EventKind::Shared { author, account, .. } => {
                !self.everyone && self.hears_share(*account, *author)
            }
        }
    }

    fn advance(&mut self, what: &EventKind) {
        match what {
            EventKind::FriendAdded { account, friend } if *account == self.me => self.follow(*friend),
            EventKind::FriendRemoved { account, friend } if *account == self.me => {
                self.unfollow(*friend);
                self.lose(*friend);
            }
            // A deleted account produces no more events.
            EventKind::AccountDeleted { account } => {
                leave(&mut self.followed, *account);
                leave(&mut self.muted, *account);
                leave(&mut self.blocked, *account);
                leave(&mut self.blocked_by, *account);
                self.lose(*account);
            }
            EventKind::RoomJoined { room, account } if *account == self.me => enter(&mut self.rooms, *room),
            EventKind::RoomLeft { room, account } if *account == self.me => leave(&mut self.rooms, *room),
            EventKind::RoomClosed { room } => leave(&mut self.rooms, *room),
            EventKind::Muted { account, other, muted } if *account == self.me => {
                set(&mut self.muted, *other, *muted);
            }
            EventKind::Blocked { account, other, blocked, .. } => {
                self.block(*account, *other, *blocked);
                if *account == self.me || *other == self.me {
                    self.lose(if *account == self.me { *other } else { *account });
                }
                if let Some(ended) = self.unfollowed_by(what) {
                    self.unfollow(ended);
                }
            }
            _ => {}
        }
    }

    fn rewind(&mut self, what: &EventKind) {
        match what {
            EventKind::FriendAdded { account, friend } if *account == self.me => self.unfollow(*friend),
            EventKind::FriendRemoved { account, friend } if *account == self.me => self.follow(*friend),
            EventKind::RoomJoined { room, account } if *account == self.me => leave(&mut self.rooms, *room),
            EventKind::RoomLeft { room, account } if *account == self.me => enter(&mut self.rooms, *room),
            EventKind::Muted { account, other, muted } if *account == self.me => {
                set(&mut self.muted, *other, !*muted);
            }
            EventKind::Blocked { account, other, blocked, .. } => {
                self.block(*account, *other, !*blocked);
                if let Some(ended) = self.unfollowed_by(what) {
                    self.follow(ended);
                }
            }
            _ => {}
        }
    }

    /// Records that an account blocks another one, or no longer does.
    fn block(&mut self, account: AccountId, other: AccountId, blocked: bool) {
        if account == self.me {
            set(&mut self.blocked, other, blocked);
        } else if other == self.me {
            set(&mut self.blocked_by, account, blocked);
        }
    }

    /// Returns the account that the subscriber followed until this block.
    fn unfollowed_by(&self, what: &EventKind) -> Option<AccountId> {
        match what {
            EventKind::Blocked { account, other, followed: true, .. } if *account == self.me => Some(*other),
            EventKind::Blocked { account, other, follows: true, .. } if *other == self.me => Some(*account),
            _ => None,
        }
    }

    fn follow(&mut self, friend: AccountId) {
        enter(&mut self.followed, friend);
    }

    fn unfollow(&mut self, friend: AccountId) {
        leave(&mut self.followed, friend);
    }
}

/// Returns those of these croaks that the account sees, with their authors.
fn seen<V: View>(view: &V, me: AccountId, croaks: &[LogIndex]) -> Result<Vec<CountedCroak>, V::Error> {
    let mut reader = Reader::new(view, me);
    let mut counted = Vec::with_capacity(croaks.len().min(COUNTED_CROAKS_MAX));
    for &croak in croaks.iter().take(COUNTED_CROAKS_MAX) {
        if let Some((_, author)) = reader.read(croak)? {
            counted.push(CountedCroak { croak, author: author.account });
        }
    }
    Ok(counted)
}

/// Adds an id to a sorted list.
fn enter<T: Ord>(ids: &mut Vec<T>, id: T) {
    if let Err(place) = ids.binary_search(&id) {
        ids.insert(place, id);
    }
}

/// Removes an id from a sorted list.
fn leave<T: Ord>(ids: &mut Vec<T>, id: T) {
    if let Ok(place) = ids.binary_search(&id) {
        ids.remove(place);
    }
}

/// Adds an id to a sorted list, or removes it.
fn set(ids: &mut Vec<AccountId>, id: AccountId, contained: bool) {
    if contained { enter(ids, id) } else { leave(ids, id) }
}
