//! Events: what a command changed, in a form that live subscribers may receive.
//!
//! ```text
//!   command + result of applying it ──▶ Event { index, what }          the same on every member, for every index
//!   Event ──▶ Interest: does this subscriber receive it at this index?
//! ```
//!
//! An event names the accounts and nodes concerned and never contains text: a subscriber that needs the croak reads it.
//! It contains no secrets, that is no tokens and no hashes. A command that was refused or is a duplicate produces no
//! event. Nor does the sweep of a deleted account, whose deletion was an event already.
//!
//! The events that an [`Interest`] selects at an index depend on the log up to that index alone, so a subscriber can
//! resume the same stream on any member. One exception: a stream that is read later may lack the croaks of an account
//! that was deleted since.

use super::apply::Applied;
use super::command::{
    AccountCommand, Command, LeaseCommand, LeaseEnd, MessageCommand, OperatorCommand, Reply, TreeCommand,
};
use super::croaks;
use super::ids::{AccountId, LogIndex, TokenHash};
use super::limits::{FRIENDS_MAX, SESSION_AGE_MS_MAX};
use super::lookup::{live_account, session_account};
use super::path::TreePath;
use super::rows::{
    Accounts, Change, Friends, Key, Leases, Mailboxes, Message, Messages, Nodes, Order, Owner, Sessions,
    SessionsOf, Sweeps, Table, TalkMarks, TreeNode, View, decode, get, scan,
};
use serde::{Deserialize, Serialize};

/// The effect of one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Log index of the command. Each command produces at most one event, so this is also the cursor for resuming.
    pub index: LogIndex,
    pub what: EventKind,
}

/// Kind and subject of an event. Part of the wire format: new variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    AccountCreated {
        account: AccountId,
    },
    /// All croaks of the account disappear with it.
    AccountDeleted {
        account: AccountId,
    },
    /// A session was opened; the oldest session of the account may have ended for it.
    SessionOpened {
        account: AccountId,
    },
    SessionClosed {
        account: AccountId,
    },
    /// The croak's id is the event's index.
    Croaked {
        author: AccountId,
    },
    FriendAdded {
        account: AccountId,
        friend: AccountId,
    },
    FriendRemoved {
        account: AccountId,
        friend: AccountId,
    },
    /// Nodes of the lock namespace changed, listed in tree order. `lease` names the lease that caused it, if any.
    /// Bounded by the number of nodes that one command may change.
    Tree {
        nodes: Vec<NodeChange>,
        lease: Option<(Owner, LeaseEvent)>,
    },
    /// The message's id is the event's index.
    Messaged {
        from: AccountId,
        to: AccountId,
    },
    /// Messages of `with` were displayed to `account` or read.
    Marked {
        account: AccountId,
        with: AccountId,
    },
    /// The account has read further in its feed.
    FeedRead {
        account: AccountId,
    },
    /// Sent to every subscriber: the author is no longer known, and a croak's number reveals nothing.
    CroakRemoved {
        croak: LogIndex,
    },
}

/// A change to one node of the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeChange {
    pub path: TreePath,
    pub what: NodeEvent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeEvent {
    Made,
    /// Content written, or touched.
    Written,
    /// A lock was granted to its owner.
    Acquired {
        fence: LogIndex,
    },
    /// Removed with everything below it.
    Removed,
    /// Some of the nodes below it were removed.
    Pruned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseEvent {
    Began,
    Ended(LeaseEnd),
}

/// Selection of events for a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Topic {
    /// Changes to the feed and relations of the session's owner. Ends with the session.
    Feed { session: TokenHash },
    /// Changes at or below this path of the namespace. Control plane only.
    Tree { path: TreePath },
}

/// Returns the event that applying this command produces, if any.
pub fn event_kind(command: &Command, applied: &Applied) -> Option<EventKind> {
    let changes = &applied.changes;
    if applied.outcome.is_err() || changes.is_empty() {
        return None;
    }
    match command {
        Command::CreateAccount { .. } => {
            key_of::<Accounts>(changes).map(|account| EventKind::AccountCreated { account })
        }
        Command::DeleteAccount { .. } => {
            key_of::<Sweeps>(changes).map(|account| EventKind::AccountDeleted { account })
        }
        Command::LogIn { account, .. } => Some(EventKind::SessionOpened { account: *account }),
        Command::LogOut { .. } => {
            key_of::<SessionsOf>(changes).map(|(account, _)| EventKind::SessionClosed { account })
        }
        Command::Croak { .. } => {
            changes.iter().find_map(croaks::croak_put).map(|(_, author)| EventKind::Croaked { author })
        }
        Command::AddFriend { .. } => key_of::<Friends>(changes)
            .map(|(account, friend)| EventKind::FriendAdded { account, friend: AccountId(friend) }),
        Command::RemoveFriend { .. } => key_of::<Friends>(changes)
            .map(|(account, friend)| EventKind::FriendRemoved { account, friend: AccountId(friend) }),
        Command::Sweep { .. }
        | Command::IndexCroaks
        | Command::FoundCluster { .. }
        | Command::Join { .. }
        | Command::DescribeMember { .. }
        | Command::MarkLost { .. }
        | Command::Drain { .. }
        | Command::RemoveMember { .. }
        | Command::RaiseRules { .. }
        | Command::Rehash { .. } => None,
        Command::Message(command) => message_fact(command, changes),
        Command::Account(command) => account_fact(command, changes),
        Command::Operator(command) => match command {
            OperatorCommand::SetPassword { account, .. }
            | OperatorCommand::Suspend { account, suspended: true } => {
                Some(EventKind::SessionClosed { account: *account })
            }
            OperatorCommand::RemoveAccount { account } => {
                Some(EventKind::AccountDeleted { account: *account })
            }
            OperatorCommand::RemoveCroak { croak } => Some(EventKind::CroakRemoved { croak: *croak }),
            OperatorCommand::Suspend { suspended: false, .. } | OperatorCommand::SetRegistration { .. } => {
                None
            }
        },
        Command::Tree(command) => {
            Some(EventKind::Tree { nodes: tree_changes(command, applied), lease: None })
        }
        Command::Lease(command) => match (lease_fact(command, changes), node_changes(changes)) {
            (None, nodes) if nodes.is_empty() => None,
            (lease, nodes) => Some(EventKind::Tree { nodes, lease }),
        },
    }
}

fn message_fact(command: &MessageCommand, changes: &[Change]) -> Option<EventKind> {
    match command {
        MessageCommand::Send { .. } => changes.iter().find_map(|change| match change {
            Change::Put { table, row, .. } if *table == Messages::ID => decode::<Message>(row)
                .map(|message| EventKind::Messaged { from: message.from, to: message.to }),
            _ => None,
        }),
        MessageCommand::Mark { .. } => key_of::<TalkMarks>(changes)
            .map(|(account, with)| EventKind::Marked { account, with: AccountId(with) }),
        MessageCommand::ReadFeed { .. } => {
            key_of::<Mailboxes>(changes).map(|account| EventKind::FeedRead { account })
        }
    }
}

fn account_fact(command: &AccountCommand, changes: &[Change]) -> Option<EventKind> {
    match command {
        AccountCommand::Describe { .. } => None,
        AccountCommand::RemoveCroak { croak, .. } => Some(EventKind::CroakRemoved { croak: *croak }),
        AccountCommand::ChangePassword { .. }
        | AccountCommand::EndSession { .. }
        | AccountCommand::EndOtherSessions { .. } => {
            key_of::<SessionsOf>(changes).map(|(account, _)| EventKind::SessionClosed { account })
        }
    }
}

fn tree_changes(command: &TreeCommand, applied: &Applied) -> Vec<NodeChange> {
    let TreeCommand::Remove { path, recursive: true, .. } = command else {
        return node_changes(&applied.changes);
    };
    // One event, however many nodes were removed.
    let what = match applied.outcome {
        Ok(Reply::Stepped { more: true }) => NodeEvent::Pruned,
        _ => NodeEvent::Removed,
    };
    vec![NodeChange { path: path.clone(), what }]
}

fn node_changes(changes: &[Change]) -> Vec<NodeChange> {
    let mut nodes: Vec<NodeChange> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Put { table, key, row } if *table == Nodes::ID => {
                let node = decode::<TreeNode>(row)?;
                let what = match node.fence {
                    Some(fence) => NodeEvent::Acquired { fence },
                    None if node.made == node.changed => NodeEvent::Made,
                    None => NodeEvent::Written,
                };
                Some(NodeChange { path: TreePath::from_bytes(key)?, what })
            }
            Change::Remove { table, key } if *table == Nodes::ID => {
                Some(NodeChange { path: TreePath::from_bytes(key)?, what: NodeEvent::Removed })
            }
            _ => None,
        })
        .collect();
    nodes.sort_by(|a, b| a.path.cmp(&b.path));
    nodes
}

fn lease_fact(command: &LeaseCommand, changes: &[Change]) -> Option<(Owner, LeaseEvent)> {
    let owner = key_of::<Leases>(changes)?;
    Some((
        owner,
        match command {
            LeaseCommand::End { why, .. } => LeaseEvent::Ended(*why),
            LeaseCommand::Close { .. } => LeaseEvent::Ended(LeaseEnd::Left),
            _ => LeaseEvent::Began,
        },
    ))
}

/// Returns the key of the first row of this table that is put or removed.
fn key_of<T: Table>(changes: &[Change]) -> Option<T::Key> {
    changes.iter().find_map(|change| match change {
        Change::Put { table, key, .. } | Change::Remove { table, key } if *table == T::ID => {
            T::Key::from_bytes(key)
        }
        _ => None,
    })
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
            Topic::Feed { session } => Ok(FeedInterest::load(view, *session)?.map(Interest::Feed)),
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
            Interest::Feed(feed) => Ok(session_account(view, feed.session, view.age_ms())?.is_some()),
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

/// The accounts whose events a feed subscriber receives, as of one index. Bounded: an account follows at most
/// `FRIENDS_MAX` others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedInterest {
    me: AccountId,
    session: TokenHash,
    /// Cluster age at which the session expires.
    ends_age_ms: u64,
    /// Sorted by id.
    followed: Vec<AccountId>,
}

impl FeedInterest {
    fn load<V: View>(view: &V, session: TokenHash) -> Result<Option<FeedInterest>, V::Error> {
        let Some(row) = get::<Sessions, V>(view, &session)? else { return Ok(None) };
        let me = row.account;
        let ends_age_ms = row.opened_age_ms.saturating_add(SESSION_AGE_MS_MAX);
        if ends_age_ms <= view.age_ms() || live_account(view, me)?.is_none() {
            return Ok(None);
        }
        let rows = scan::<Friends, V>(view, &(me, 0), &(me, u64::MAX), Order::OldestFirst, FRIENDS_MAX)?;
        let followed = rows.into_iter().map(|((_, friend), ())| AccountId(friend)).collect();
        Ok(Some(FeedInterest { me, session, ends_age_ms, followed }))
    }

    fn may_end_session(&self, what: &EventKind) -> bool {
        match what {
            EventKind::SessionOpened { account }
            | EventKind::SessionClosed { account }
            | EventKind::AccountDeleted { account } => *account == self.me,
            _ => false,
        }
    }

    fn wants(&self, what: &EventKind) -> bool {
        match what {
            EventKind::AccountCreated { .. } => false,
            EventKind::AccountDeleted { .. } => true,
            EventKind::SessionOpened { account } | EventKind::SessionClosed { account } => {
                *account == self.me
            }
            EventKind::Croaked { author } => {
                *author == self.me || self.followed.binary_search(author).is_ok()
            }
            EventKind::FriendAdded { account, friend } | EventKind::FriendRemoved { account, friend } => {
                *account == self.me || *friend == self.me
            }
            EventKind::Tree { .. } => false,
            EventKind::Messaged { from, to } => *from == self.me || *to == self.me,
            EventKind::Marked { account, with } => *account == self.me || *with == self.me,
            EventKind::FeedRead { account } => *account == self.me,
            EventKind::CroakRemoved { .. } => true,
        }
    }

    fn advance(&mut self, what: &EventKind) {
        match what {
            EventKind::FriendAdded { account, friend } if *account == self.me => self.follow(*friend),
            EventKind::FriendRemoved { account, friend } if *account == self.me => self.unfollow(*friend),
            // A deleted account produces no more events.
            EventKind::AccountDeleted { account } => self.unfollow(*account),
            _ => {}
        }
    }

    fn rewind(&mut self, what: &EventKind) {
        match what {
            EventKind::FriendAdded { account, friend } if *account == self.me => self.unfollow(*friend),
            EventKind::FriendRemoved { account, friend } if *account == self.me => self.follow(*friend),
            _ => {}
        }
    }

    fn follow(&mut self, friend: AccountId) {
        if let Err(place) = self.followed.binary_search(&friend) {
            self.followed.insert(place, friend);
        }
    }

    fn unfollow(&mut self, friend: AccountId) {
        if let Ok(place) = self.followed.binary_search(&friend) {
            self.followed.remove(place);
        }
    }
}
