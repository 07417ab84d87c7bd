//! Events: what a command changed, in a form that live subscribers may receive.
//!
//! ```text
//!   command + result of applying it ──▶ Event { index, what }          the same on every member, for every index
//! ```
//!
//! An event names the accounts and nodes concerned and never contains text: a subscriber that needs the croak reads it.
//! It contains no secrets, that is no tokens and no hashes. A command that was refused or is a duplicate produces no
//! event. Nor does the sweep of a deleted account, whose deletion was an event already.

use super::command::{
    AccountCommand, Command, LeaseCommand, LeaseEnd, OperatorCommand, Outcome, RelationCommand, Reply,
    TreeCommand,
};
use super::croaks;
use super::ids::{AccountId, LogIndex, RoomId};
use super::path::TreePath;
use super::rows::{
    Accounts, Blocks, Change, Counts, CroakCounts, Croaks, Friends, Key, Leases, LikedBy, Mailboxes, Message,
    Messages, Mutes, Nodes, NoticeBooks, Owner, RoomMembers, RoomMessage, RoomMessages, Rooms, RoomsOf,
    SessionsOf, SharedBy, Sweeps, Table, TalkMarks, TreeNode, decode,
};
use serde::{Deserialize, Serialize};

/// The effect of one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Log index of the command. Each command produces at most one event, so this is also the cursor for resuming.
    pub index: LogIndex,
    pub what: EventKind,
    /// Accounts whose notices changed, in the order of their ids. A subscriber is told of itself alone. Bounded by
    /// `MENTIONS_NOTIFIED_MAX` and the few that a rule names.
    pub notified: Box<[AccountId]>,
    /// Croak whose numbers of replies, likes and shares changed.
    pub counted: Option<CountedCroak>,
}

/// A croak whose counts an event changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedCroak {
    pub croak: LogIndex,
    pub author: AccountId,
}

// A node keeps thousands of events in memory.
const _: () = assert!(size_of::<Event>() <= 120);

impl Event {
    /// Returns an event without a notified person and without changed counts.
    pub fn new(index: LogIndex, what: EventKind) -> Event {
        Event { index, what, notified: Box::default(), counted: None }
    }
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
    /// An account has muted another one, or unmuted it. The other one does not learn it.
    Muted {
        account: AccountId,
        other: AccountId,
        muted: bool,
    },
    /// An account has blocked another one, or unblocked it. The rest says which of the two followed the other until then.
    Blocked {
        account: AccountId,
        other: AccountId,
        blocked: bool,
        followed: bool,
        follows: bool,
    },
    /// Nothing that the subscriber receives, except that the notices of an account or the counts of a croak changed:
    /// `notified` and `counted` say whose.
    Noticed,
    /// Something was said in a room. The message's id is the event's index.
    RoomSaid {
        room: RoomId,
        from: AccountId,
    },
    RoomMessageRemoved {
        room: RoomId,
        message: LogIndex,
    },
    /// The account created the room or joined it.
    RoomJoined {
        room: RoomId,
        account: AccountId,
    },
    /// The account left the room or was removed from it. The room may have closed with it.
    RoomLeft {
        room: RoomId,
        account: AccountId,
    },
    /// The settings of the room or the rank of a member changed.
    RoomChanged {
        room: RoomId,
    },
    RoomClosed {
        room: RoomId,
    },
    /// The account was invited, or its invitation was withdrawn or declined.
    RoomInvited {
        room: RoomId,
        account: AccountId,
    },
    /// The account has read further in the room.
    RoomRead {
        room: RoomId,
        account: AccountId,
    },

    /// The account likes or shared a croak, or does no longer.
    Reacted {
        croak: LogIndex,
        author: AccountId,
        account: AccountId,
    },
    /// The account shared a croak. The share's id is the event's index.
    Shared {
        croak: LogIndex,
        author: AccountId,
        account: AccountId,
    },
    /// Operators tell everyone something. The announcement's id is the event's index.
    Announced,
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

// The events of commands. The table in `facts` names one for each command.

pub(super) fn none(_: &Command, _: &Outcome, _: &[Change]) -> Option<EventKind> {
    None
}

/// An account was created. If an invitation has led it into a room, that alone interests someone.
pub(super) fn account_created(command: &Command, outcome: &Outcome, changes: &[Change]) -> Option<EventKind> {
    room_joined(command, outcome, changes)
        .or_else(|| key_of::<Accounts>(changes).map(|account| EventKind::AccountCreated { account }))
}

pub(super) fn own_account_deleted(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<Sweeps>(changes).map(|account| EventKind::AccountDeleted { account })
}

/// Event of a change that an account makes in the name of the operators: that of the change.
pub(super) fn governed(command: &Command, outcome: &Outcome, changes: &[Change]) -> Option<EventKind> {
    let Command::Govern { change, .. } = command else { return None };
    let change = Command::Operator(change.clone());
    (change.facts().event)(&change, outcome, changes)
}

pub(super) fn account_deleted(command: &Command, _: &Outcome, _: &[Change]) -> Option<EventKind> {
    match command {
        Command::Operator(OperatorCommand::RemoveAccount { account }) => {
            Some(EventKind::AccountDeleted { account: *account })
        }
        _ => None,
    }
}

pub(super) fn session_opened(_: &Command, outcome: &Outcome, _: &[Change]) -> Option<EventKind> {
    match outcome {
        Ok(Reply::LoggedIn { account }) => Some(EventKind::SessionOpened { account: *account }),
        _ => None,
    }
}

/// A code was exchanged for a session, or exchanged again, which closed its session.
pub(super) fn code_exchanged(command: &Command, outcome: &Outcome, changes: &[Change]) -> Option<EventKind> {
    session_opened(command, outcome, changes).or_else(|| session_closed(command, outcome, changes))
}

/// All sessions of an account were closed by a new password.
pub(super) fn password_reset(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<Accounts>(changes).map(|account| EventKind::SessionClosed { account })
}

pub(super) fn announced(_: &Command, _: &Outcome, _: &[Change]) -> Option<EventKind> {
    Some(EventKind::Announced)
}

pub(super) fn session_closed(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<SessionsOf>(changes).map(|(account, _)| EventKind::SessionClosed { account })
}

/// All sessions of an account were closed by an operator.
pub(super) fn sessions_closed(command: &Command, _: &Outcome, _: &[Change]) -> Option<EventKind> {
    match command {
        Command::Operator(
            OperatorCommand::SetPassword { account, .. }
            | OperatorCommand::Suspend { account, suspended: true },
        ) => Some(EventKind::SessionClosed { account: *account }),
        _ => None,
    }
}

pub(super) fn croaked(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    changes.iter().find_map(croaks::croak_put).map(|(_, author)| EventKind::Croaked { author })
}

pub(super) fn croak_removed(command: &Command, _: &Outcome, _: &[Change]) -> Option<EventKind> {
    match command {
        Command::Account(AccountCommand::RemoveCroak { croak, .. })
        | Command::Operator(OperatorCommand::RemoveCroak { croak }) => {
            Some(EventKind::CroakRemoved { croak: *croak })
        }
        _ => None,
    }
}

pub(super) fn reacted(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    let (account, croak) = key_of::<LikedBy>(changes)?;
    Some(EventKind::Reacted { croak, author: counted(changes)?.author, account })
}

pub(super) fn shared(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    let (account, croak) = key_of::<SharedBy>(changes)?;
    Some(EventKind::Shared { croak, author: counted(changes)?.author, account })
}

pub(super) fn unshared(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<Croaks>(changes).map(|croak| EventKind::CroakRemoved { croak })
}

/// Returns the croak whose counts these changes touch. A deleted croak has none; a command changes those of one other.
pub(super) fn counted(changes: &[Change]) -> Option<CountedCroak> {
    changes.iter().find_map(|change| match change {
        Change::Put { table, key, row } if *table == CroakCounts::ID => {
            let counts = decode::<Counts>(row).filter(|counts| counts.gap.is_none())?;
            Some(CountedCroak { croak: LogIndex::from_bytes(key)?, author: counts.author })
        }
        Change::Put { .. } | Change::Remove { .. } => None,
    })
}

pub(super) fn friend_added(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<Friends>(changes)
        .map(|(account, friend)| EventKind::FriendAdded { account, friend: AccountId(friend) })
}

pub(super) fn friend_removed(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<Friends>(changes)
        .map(|(account, friend)| EventKind::FriendRemoved { account, friend: AccountId(friend) })
}

pub(super) fn messaged(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    changes.iter().find_map(|change| match change {
        Change::Put { table, row, .. } if *table == Messages::ID => {
            decode::<Message>(row).map(|message| EventKind::Messaged { from: message.from, to: message.to })
        }
        Change::Put { .. } | Change::Remove { .. } => None,
    })
}

pub(super) fn marked(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<TalkMarks>(changes).map(|(account, with)| EventKind::Marked { account, with: AccountId(with) })
}

pub(super) fn feed_read(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<Mailboxes>(changes).map(|account| EventKind::FeedRead { account })
}

pub(super) fn muted(command: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    let Command::Relation(RelationCommand::Mute { muted, .. }) = command else { return None };
    let (account, other) = key_of::<Mutes>(changes)?;
    Some(EventKind::Muted { account, other: AccountId(other), muted: *muted })
}

pub(super) fn blocked(command: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    let Command::Relation(RelationCommand::Block { blocked, .. }) = command else { return None };
    let (account, other) = key_of::<Blocks>(changes)?;
    let ended = |one: AccountId, other: u64| {
        let key = (one, other).bytes();
        changes.iter().any(
            |change| matches!(change, Change::Remove { table, key: removed } if *table == Friends::ID && *removed == key),
        )
    };
    let (followed, follows) = (ended(account, other), ended(AccountId(other), account.0));
    Some(EventKind::Blocked { account, other: AccountId(other), blocked: *blocked, followed, follows })
}

/// Event of a decided report. The rows that it changed show the decision.
pub(super) fn decided(command: &Command, outcome: &Outcome, changes: &[Change]) -> Option<EventKind> {
    if let Some(croak) = key_of::<Croaks>(changes) {
        return Some(EventKind::CroakRemoved { croak });
    }
    if let Some((room, message)) = key_of::<RoomMessages>(changes) {
        return Some(EventKind::RoomMessageRemoved { room, message });
    }
    session_closed(command, outcome, changes).or_else(|| noticed(command, outcome, changes))
}

pub(super) fn noticed(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<NoticeBooks>(changes).map(|_| EventKind::Noticed)
}

pub(super) fn room_said(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    changes.iter().find_map(|change| match change {
        Change::Put { table, key, row } if *table == RoomMessages::ID => {
            let (room, _) = <(RoomId, LogIndex)>::from_bytes(key)?;
            decode::<RoomMessage>(row).map(|message| EventKind::RoomSaid { room, from: message.from })
        }
        Change::Put { .. } | Change::Remove { .. } => None,
    })
}

pub(super) fn room_message_removed(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<RoomMessages>(changes).map(|(room, message)| EventKind::RoomMessageRemoved { room, message })
}

pub(super) fn room_joined(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<RoomMembers>(changes).map(|(room, account)| EventKind::RoomJoined { room, account })
}

pub(super) fn room_left(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    match key_of::<RoomMembers>(changes) {
        Some((room, account)) => Some(EventKind::RoomLeft { room, account }),
        // An invitation was declined.
        None => key_of::<RoomsOf>(changes).map(|(account, room)| EventKind::RoomInvited { room, account }),
    }
}

pub(super) fn room_changed(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<Rooms>(changes).map(|room| EventKind::RoomChanged { room })
}

pub(super) fn room_ranks_changed(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<RoomMembers>(changes).map(|(room, _)| EventKind::RoomChanged { room })
}

pub(super) fn room_closed(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<Rooms>(changes).map(|room| EventKind::RoomClosed { room })
}

pub(super) fn room_guests_changed(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<RoomsOf>(changes).map(|(account, room)| EventKind::RoomInvited { room, account })
}

pub(super) fn room_read(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    key_of::<RoomMembers>(changes).map(|(room, account)| EventKind::RoomRead { room, account })
}

pub(super) fn nodes_changed(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    Some(EventKind::Tree { nodes: node_changes(changes), lease: None })
}

/// A recursive removal is one event, however many nodes were removed.
pub(super) fn nodes_removed(command: &Command, outcome: &Outcome, changes: &[Change]) -> Option<EventKind> {
    let Command::Tree(TreeCommand::Remove { path, recursive: true, .. }) = command else {
        return nodes_changed(command, outcome, changes);
    };
    let what = match outcome {
        Ok(Reply::Stepped { more: true }) => NodeEvent::Pruned,
        _ => NodeEvent::Removed,
    };
    Some(EventKind::Tree { nodes: vec![NodeChange { path: path.clone(), what }], lease: None })
}

pub(super) fn lease_began(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    lease_changed(changes, LeaseEvent::Began)
}

pub(super) fn lease_ended(command: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    let Command::Lease(LeaseCommand::End { why, .. }) = command else { return None };
    lease_changed(changes, LeaseEvent::Ended(*why))
}

pub(super) fn lease_closed(_: &Command, _: &Outcome, changes: &[Change]) -> Option<EventKind> {
    lease_changed(changes, LeaseEvent::Ended(LeaseEnd::Left))
}

fn lease_changed(changes: &[Change], event: LeaseEvent) -> Option<EventKind> {
    let lease = key_of::<Leases>(changes).map(|owner| (owner, event));
    let nodes = node_changes(changes);
    (lease.is_some() || !nodes.is_empty()).then_some(EventKind::Tree { nodes, lease })
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

/// Returns the key of the first row of this table that is put or removed.
fn key_of<T: Table>(changes: &[Change]) -> Option<T::Key> {
    changes.iter().find_map(|change| match change {
        Change::Put { table, key, .. } | Change::Remove { table, key } if *table == T::ID => {
            T::Key::from_bytes(key)
        }
        _ => None,
    })
}

/// Returns the accounts whose list or unread count these changes touch: those that live subscribers have to be told.
pub(super) fn notified(changes: &[Change]) -> Box<[AccountId]> {
    let mut accounts: Vec<AccountId> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Put { table, key, .. } if *table == NoticeBooks::ID => AccountId::from_bytes(key),
            _ => None,
        })
        .collect();
    accounts.sort_unstable();
    accounts.dedup();
    accounts.into_boxed_slice()
}
