//! What commands made happen, in a few words that may be told: what live readers follow.
//!
//! ```text
//!   command + what applying it did ──▶ Event { index, what }          the same on every member, for every index
//!   Event ──▶ Interest: wanted by this reader at this index?
//! ```
//!
//! An event says what happened and to whom, never what was written: who wants the croak's text reads it. It holds
//! no secret: neither tokens nor hashes, nor what is typed. A command that was refused, or that is a retry, made
//! nothing happen; nor did the sweeping that follows a deleted account, which was told when it was deleted.
//!
//! What an [`Interest`] wants at an index depends on the log up to there alone, so a stream of events is the same
//! wherever it is read on. One thing may be left out where it is read later: croaks of who was deleted since.

use super::accounts::{AccountCommand, OperatorCommand};
use super::apply::Applied;
use super::command::{Command, Reply};
use super::croaks;
use super::ids::{AccountId, LogIndex, TokenHash};
use super::leases::{Ending, LeaseCommand};
use super::limits::{FRIENDS_MAX, SESSION_AGE_MS_MAX};
use super::messages::MessageCommand;
use super::namespace::TreeCommand;
use super::path::TreePath;
use super::rows::{
    Accounts, Change, Friends, Key, Leases, Mailboxes, Message, Messages, Node, Nodes, Order, Owner,
    Sessions, SessionsOf, Sweeps, Table, TalkMarks, View, decode, get, scan,
};
use super::social::live_account;
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Of the command that made it happen: at most one event each. Also the cursor behind it.
    pub index: LogIndex,
    pub what: Happening,
}

/// Part of the wire format: new ones go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happening {
    AccountCreated {
        account: AccountId,
    },
    /// Whose croaks are gone from everywhere.
    AccountDeleted {
        account: AccountId,
    },
    /// Somebody logged in; it may have ended the oldest session of that account.
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
    /// In the lock namespace, in the order of the tree; and whose lease made it happen. Bounded by what one command
    /// may touch.
    Tree {
        nodes: Vec<NodeChange>,
        lease: Option<(Owner, LeaseFact)>,
    },
    /// The message's id is the event's index.
    Messaged {
        from: AccountId,
        to: AccountId,
    },
    /// Somebody has been shown, or has read, messages of another.
    Marked {
        account: AccountId,
        with: AccountId,
    },
    /// Somebody has read on in their feed.
    FeedRead {
        account: AccountId,
    },
    /// Told to everybody: whose it was is not known any more, and a number tells nothing.
    CroakRemoved {
        croak: LogIndex,
    },
}

/// What happened to a node of the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeChange {
    pub path: TreePath,
    pub what: NodeFact,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeFact {
    Made,
    /// Or touched.
    Written,
    /// A lock was given to its owner.
    Acquired {
        fence: LogIndex,
    },
    /// With everything below it.
    Removed,
    /// Some of what is below it.
    Pruned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseFact {
    Began,
    Ended(Ending),
}

/// Whose events a subscription wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// What changes the feed of this session's owner, and who they are to others; ends with the session.
    Feed { session: TokenHash },
    /// What happens to this place of the namespace and below it. Control plane only.
    Tree { path: TreePath },
}

/// What applying this command made happen, if anything that may be told.
pub fn happened(command: &Command, applied: &Applied) -> Option<Happening> {
    let changes = &applied.changes;
    if applied.outcome.is_err() || changes.is_empty() {
        return None;
    }
    match command {
        Command::CreateAccount { .. } => {
            key_of::<Accounts>(changes).map(|account| Happening::AccountCreated { account })
        }
        Command::DeleteAccount { .. } => {
            key_of::<Sweeps>(changes).map(|account| Happening::AccountDeleted { account })
        }
        Command::LogIn { account, .. } => Some(Happening::SessionOpened { account: *account }),
        Command::LogOut { .. } => {
            key_of::<SessionsOf>(changes).map(|(account, _)| Happening::SessionClosed { account })
        }
        Command::Croak { .. } => {
            changes.iter().find_map(croaks::put_by).map(|(_, author)| Happening::Croaked { author })
        }
        Command::AddFriend { .. } => key_of::<Friends>(changes)
            .map(|(account, friend)| Happening::FriendAdded { account, friend: AccountId(friend) }),
        Command::RemoveFriend { .. } => key_of::<Friends>(changes)
            .map(|(account, friend)| Happening::FriendRemoved { account, friend: AccountId(friend) }),
        Command::Sweep { .. }
        | Command::IndexCroaks
        | Command::Found { .. }
        | Command::Join { .. }
        | Command::Describe { .. }
        | Command::Lose { .. }
        | Command::Drain { .. }
        | Command::Forget { .. }
        | Command::RaiseRules { .. }
        | Command::Rehash { .. } => None,
        Command::Message(command) => message_fact(command, changes),
        Command::Account(command) => account_fact(command, changes),
        Command::Operate(command) => match command {
            OperatorCommand::SetPassword { account, .. }
            | OperatorCommand::Suspend { account, suspended: true } => {
                Some(Happening::SessionClosed { account: *account })
            }
            OperatorCommand::RemoveAccount { account } => {
                Some(Happening::AccountDeleted { account: *account })
            }
            OperatorCommand::RemoveCroak { croak } => Some(Happening::CroakRemoved { croak: *croak }),
            OperatorCommand::Suspend { suspended: false, .. } | OperatorCommand::SetRegistration { .. } => {
                None
            }
        },
        Command::Tree(command) => {
            Some(Happening::Tree { nodes: tree_changes(command, applied), lease: None })
        }
        Command::Lease(command) => match (lease_fact(command, changes), node_changes(changes)) {
            (None, nodes) if nodes.is_empty() => None,
            (lease, nodes) => Some(Happening::Tree { nodes, lease }),
        },
    }
}

fn message_fact(command: &MessageCommand, changes: &[Change]) -> Option<Happening> {
    match command {
        MessageCommand::Send { .. } => changes.iter().find_map(|change| match change {
            Change::Put { table, row, .. } if *table == Messages::ID => decode::<Message>(row)
                .map(|message| Happening::Messaged { from: message.from, to: message.to }),
            _ => None,
        }),
        MessageCommand::Mark { .. } => key_of::<TalkMarks>(changes)
            .map(|(account, with)| Happening::Marked { account, with: AccountId(with) }),
        MessageCommand::ReadFeed { .. } => {
            key_of::<Mailboxes>(changes).map(|account| Happening::FeedRead { account })
        }
    }
}

fn account_fact(command: &AccountCommand, changes: &[Change]) -> Option<Happening> {
    match command {
        AccountCommand::Describe { .. } => None,
        AccountCommand::RemoveCroak { croak, .. } => Some(Happening::CroakRemoved { croak: *croak }),
        AccountCommand::ChangePassword { .. }
        | AccountCommand::EndSession { .. }
        | AccountCommand::EndOtherSessions { .. } => {
            key_of::<SessionsOf>(changes).map(|(account, _)| Happening::SessionClosed { account })
        }
    }
}

fn tree_changes(command: &TreeCommand, applied: &Applied) -> Vec<NodeChange> {
    let TreeCommand::Remove { path, recursive: true, .. } = command else {
        return node_changes(&applied.changes);
    };
    // However many went.
    let what = match applied.outcome {
        Ok(Reply::Stepped { more: true }) => NodeFact::Pruned,
        _ => NodeFact::Removed,
    };
    vec![NodeChange { path: path.clone(), what }]
}

fn node_changes(changes: &[Change]) -> Vec<NodeChange> {
    let mut nodes: Vec<NodeChange> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Put { table, key, row } if *table == Nodes::ID => {
                let node = decode::<Node>(row)?;
                let what = match node.fence {
                    Some(fence) => NodeFact::Acquired { fence },
                    None if node.made == node.changed => NodeFact::Made,
                    None => NodeFact::Written,
                };
                Some(NodeChange { path: TreePath::from_bytes(key)?, what })
            }
            Change::Remove { table, key } if *table == Nodes::ID => {
                Some(NodeChange { path: TreePath::from_bytes(key)?, what: NodeFact::Removed })
            }
            _ => None,
        })
        .collect();
    nodes.sort_by(|a, b| a.path.cmp(&b.path));
    nodes
}

fn lease_fact(command: &LeaseCommand, changes: &[Change]) -> Option<(Owner, LeaseFact)> {
    let owner = key_of::<Leases>(changes)?;
    Some((
        owner,
        match command {
            LeaseCommand::End { why, .. } => LeaseFact::Ended(*why),
            LeaseCommand::Close { .. } => LeaseFact::Ended(Ending::Left),
            _ => LeaseFact::Began,
        },
    ))
}

/// The key of the first row of this table that is put or removed.
fn key_of<T: Table>(changes: &[Change]) -> Option<T::Key> {
    changes.iter().find_map(|change| match change {
        Change::Put { table, key, .. } | Change::Remove { table, key } if *table == T::ID => {
            T::Key::from_bytes(key)
        }
        _ => None,
    })
}

/// What a reader wants, as of one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    Feed(FeedInterest),
    /// Of a place in the namespace: the same at every index.
    Tree(TreePath),
}

impl Interest {
    /// As of the view's index; nothing when the session is not open.
    ///
    /// # Errors
    /// Only the view's: the store cannot be read.
    pub fn load<V: View>(view: &V, wanted: &Wanted) -> Result<Option<Interest>, V::Error> {
        match wanted {
            Wanted::Feed { session } => Ok(FeedInterest::load(view, *session)?.map(Interest::Feed)),
            Wanted::Tree { path } => Ok(Some(Interest::Tree(path.clone()))),
        }
    }

    /// What it is read under, if that is a session.
    pub fn session(&self) -> Option<TokenHash> {
        match self {
            Interest::Feed(feed) => Some(feed.session),
            Interest::Tree(_) => None,
        }
    }

    /// Whether the session is over by its age alone.
    pub fn is_over(&self, age_ms: u64) -> bool {
        matches!(self, Interest::Feed(feed) if feed.ends_age_ms <= age_ms)
    }

    /// Whether the session is still open.
    ///
    /// # Errors
    /// Only the view's: the store cannot be read.
    pub fn is_open<V: View>(&self, view: &V) -> Result<bool, V::Error> {
        match self {
            Interest::Feed(feed) => {
                Ok(super::social::session_account(view, feed.session, view.age_ms())?.is_some())
            }
            Interest::Tree(_) => Ok(true),
        }
    }

    /// Whether the session may be over with this: [`Interest::is_open`] knows.
    pub fn doubts(&self, what: &Happening) -> bool {
        matches!(self, Interest::Feed(feed) if feed.doubts(what))
    }

    pub fn wants(&self, what: &Happening) -> bool {
        match (self, what) {
            (Interest::Feed(feed), _) => feed.wants(what),
            (Interest::Tree(path), Happening::Tree { nodes, .. }) => {
                nodes.iter().any(|node| node.concerns(path))
            }
            (Interest::Tree(_), _) => false,
        }
    }

    /// From just before this to just behind it.
    pub fn advance(&mut self, what: &Happening) {
        if let Interest::Feed(feed) = self {
            feed.advance(what);
        }
    }

    /// From just behind this to just before it.
    pub fn rewind(&mut self, what: &Happening) {
        if let Interest::Feed(feed) = self {
            feed.rewind(what);
        }
    }
}

impl NodeChange {
    /// Whether who watches `path` and what is below it wants to know.
    pub fn concerns(&self, path: &TreePath) -> bool {
        let above = matches!(self.what, NodeFact::Removed | NodeFact::Pruned) && path.is_within(&self.path);
        above || self.path.is_within(path)
    }
}

/// Whose events a reader of a feed wants, as of one index. Bounded: nobody follows more than `FRIENDS_MAX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedInterest {
    me: AccountId,
    session: TokenHash,
    /// The cluster's age at which the session is over.
    ends_age_ms: u64,
    /// Sorted.
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

    fn doubts(&self, what: &Happening) -> bool {
        match what {
            Happening::SessionOpened { account }
            | Happening::SessionClosed { account }
            | Happening::AccountDeleted { account } => *account == self.me,
            _ => false,
        }
    }

    fn wants(&self, what: &Happening) -> bool {
        match what {
            Happening::AccountCreated { .. } => false,
            Happening::AccountDeleted { .. } => true,
            Happening::SessionOpened { account } | Happening::SessionClosed { account } => {
                *account == self.me
            }
            Happening::Croaked { author } => {
                *author == self.me || self.followed.binary_search(author).is_ok()
            }
            Happening::FriendAdded { account, friend } | Happening::FriendRemoved { account, friend } => {
                *account == self.me || *friend == self.me
            }
            Happening::Tree { .. } => false,
            Happening::Messaged { from, to } => *from == self.me || *to == self.me,
            Happening::Marked { account, with } => *account == self.me || *with == self.me,
            Happening::FeedRead { account } => *account == self.me,
            Happening::CroakRemoved { .. } => true,
        }
    }

    fn advance(&mut self, what: &Happening) {
        match what {
            Happening::FriendAdded { account, friend } if *account == self.me => self.follow(*friend),
            Happening::FriendRemoved { account, friend } if *account == self.me => self.unfollow(*friend),
            // Nothing comes from there any more.
            Happening::AccountDeleted { account } => self.unfollow(*account),
            _ => {}
        }
    }

    fn rewind(&mut self, what: &Happening) {
        match what {
            Happening::FriendAdded { account, friend } if *account == self.me => self.unfollow(*friend),
            Happening::FriendRemoved { account, friend } if *account == self.me => self.follow(*friend),
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
