//! Facts about each command and each query, one row each. A command or query without a row does not compile.
//!
//! ```text
//!   Command ──▶ CommandFacts { level, by_app, sender, grows, rate, event } and its secret
//!   Query   ──▶ the plane it is answered on                         and its secret
//! ```
//!
//! Not here: the rules themselves ([`super::apply`]) and the bounds of the fields ([`super::check`]). Both match over all
//! variants, too.

use super::command::{
    AccessCommand, AccountCommand, AppCommand, Command, ConversationCommand, LeaseCommand, LeaseEnd,
    MessageCommand, NoticeCommand, OperatorCommand, Outcome, RelationCommand, RoomCommand, TreeCommand,
};
use super::events::{self, Event, EventKind};
use super::ids::{LogIndex, TokenHash};
use super::query::Query;
use super::rows::Change;
use super::scopes::Scope;

/// Facts about one kind of command.
pub struct CommandFacts {
    /// Rules level that the cluster must have reached before the command is accepted. A command added later gets a higher
    /// level, so that members of mixed versions never apply it differently.
    pub level: u32,
    pub by_app: AppUse,
    pub sender: Sender,
    /// The command stores lasting data for a person, so it is refused while the disk quota is exceeded. Logging in does not
    /// count: sessions are few, and deleting something requires one. Commands that keep the cluster running do not count
    /// either.
    pub grows: bool,
    pub rate: CommandRate,
    /// Returns the event that live subscribers receive once the command was applied. Not asked for a refused command or one
    /// without changes.
    pub(super) event: fn(&Command, &Outcome, &[Change]) -> Option<EventKind>,
}

/// Scope that the session of an app needs to send a command. A person's own session needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppUse {
    /// No scope suffices. Commands that are sent without a session belong here, too.
    Never,
    /// No scope is needed.
    Any,
    Scope(Scope),
}

/// Programs that may send a command unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Clients of people.
    People,
    /// Operators, through any member.
    Operators,
    PeopleAndOperators,
    /// A backend, because the command carries the result of a check that it made.
    Backends,
    /// Members of the cluster, for their own work.
    Members,
}

impl Sender {
    /// Returns true if a person's client may send the command unchanged.
    pub fn allows_people(self) -> bool {
        matches!(self, Sender::People | Sender::PeopleAndOperators)
    }
    /// Returns true if an operator may send the command unchanged.
    pub fn allows_operators(self) -> bool {
        matches!(self, Sender::Operators | Sender::PeopleAndOperators)
    }
}

/// Rate limit per account that counts a command. Only commands of people are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandRate {
    Post,
    SmallWrite,
}

/// The table of commands. Columns: variant; rules level; its field with the hash of a secret, or `none`, and further ones after a
/// `+`; scope that the session of an app needs, `any` or `never`; sender; whether it grows; rate; event.
macro_rules! commands {
    ($($variant:ident $(($group:ident::$inner:ident))?:
        $level:literal, $secret:ident $(+ $further:ident)*, $by_app:ident, $sender:ident, $grows:ident, $rate:ident, $event:ident;)*) => {
        impl Command {
            /// Number of kinds of commands: the rows of the table.
            pub const KINDS: usize = [$(stringify!($variant)),*].len();

            /// Returns the facts about this kind of command.
            pub fn facts(&self) -> &'static CommandFacts {
                match self {
                    $(commands!(@pattern none $variant $(($group::$inner))?) => &CommandFacts {
                        level: $level,
                        by_app: commands!(@by_app $by_app),
                        sender: Sender::$sender,
                        grows: commands!(@grows $grows),
                        rate: CommandRate::$rate,
                        event: events::$event,
                    },)*
                }
            }

            /// Returns the hash of a client's secret in the command: of the session that authorises it, or that it opens, or
            /// of the code of a one-time link. The session that a log-in opens is not meant: only backends send that command.
            pub fn secret(&self) -> Option<TokenHash> {
                let secret: Option<&TokenHash> = match self {
                    $(commands!(@pattern $secret $variant $(($group::$inner))?) => commands!(@value $secret),)*
                };
                secret.copied()
            }

            /// Calls a function with the [secret](Command::secret) and with all further ones, to be changed.
            pub fn for_each_secret(&mut self, mut change: impl FnMut(&mut TokenHash)) {
                if let Some(secret) = self.secret_mut() {
                    change(secret);
                }
                if let Command::Govern { change: governed, .. } = self
                    && let Some(secret) = governed.secret_mut()
                {
                    change(secret);
                }
                match self {
                    $(commands!(@further [$($further)*] $variant $(($group::$inner))?) => { $(change($further);)* })*
                }
            }

            fn secret_mut(&mut self) -> Option<&mut TokenHash> {
                match self {
                    $(commands!(@pattern $secret $variant $(($group::$inner))?) => commands!(@value $secret),)*
                }
            }
        }
    };
    (@pattern none $variant:ident) => { Command::$variant { .. } };
    (@pattern none $variant:ident ($group:ident::$inner:ident)) => { Command::$variant($group::$inner { .. }) };
    (@pattern $secret:ident $variant:ident) => { Command::$variant { $secret, .. } };
    (@pattern $secret:ident $variant:ident ($group:ident::$inner:ident)) => {
        Command::$variant($group::$inner { $secret, .. })
    };
    (@further [$($further:ident)*] $variant:ident) => { Command::$variant { $($further,)* .. } };
    (@further [$($further:ident)*] $variant:ident ($group:ident::$inner:ident)) => {
        Command::$variant($group::$inner { $($further,)* .. })
    };
    (@value none) => { None };
    (@value $secret:ident) => { Some($secret) };
    (@by_app never) => { AppUse::Never };
    (@by_app any) => { AppUse::Any };
    (@by_app $scope:ident) => { AppUse::Scope(Scope::$scope) };
    (@grows grows) => { true };
    (@grows stays) => { false };
}

commands! {
    CreateAccount: 1, none, never, Backends, grows, SmallWrite, account_created;
    LogIn: 1, none, never, Backends, stays, SmallWrite, session_opened;
    LogOut: 1, session, any, People, stays, SmallWrite, session_closed;
    Croak: 1, session, WriteStatuses, People, grows, Post, croaked;
    AddFriend: 1, session, WriteFollows, People, grows, Post, friend_added;
    RemoveFriend: 1, session, WriteFollows, People, stays, SmallWrite, friend_removed;
    DeleteAccount: 1, session, never, Backends, stays, SmallWrite, own_account_deleted;
    Sweep: 1, none, never, Members, stays, SmallWrite, none;
    IndexCroaks: 1, none, never, Members, stays, SmallWrite, none;
    FoundCluster: 1, none, never, Members, stays, SmallWrite, none;
    Join: 1, none, never, Members, stays, SmallWrite, none;
    DescribeMember: 1, none, never, Members, stays, SmallWrite, none;
    MarkLost: 1, none, never, Members, stays, SmallWrite, none;
    RemoveMember: 1, none, never, Members, stays, SmallWrite, none;
    RaiseKey: 1, none, never, Members, stays, SmallWrite, none;
    TryJoinCode: 1, none, never, Members, stays, SmallWrite, none;
    Tree(TreeCommand::MakeFolder): 1, none, never, Operators, grows, SmallWrite, nodes_changed;
    Tree(TreeCommand::Touch): 1, none, never, Operators, grows, SmallWrite, nodes_changed;
    Tree(TreeCommand::Write): 1, none, never, Operators, grows, SmallWrite, nodes_changed;
    Tree(TreeCommand::Remove): 1, none, never, Operators, stays, SmallWrite, nodes_removed;
    Tree(TreeCommand::Acquire): 1, none, never, Operators, stays, SmallWrite, nodes_changed;
    Tree(TreeCommand::Release): 1, none, never, Operators, stays, SmallWrite, nodes_changed;
    Lease(LeaseCommand::Open): 1, none, never, Operators, stays, SmallWrite, lease_began;
    Lease(LeaseCommand::Close): 1, none, never, PeopleAndOperators, stays, SmallWrite, lease_closed;
    Lease(LeaseCommand::Register): 1, none, never, Members, stays, SmallWrite, lease_began;
    Lease(LeaseCommand::End): 1, none, never, Members, stays, SmallWrite, lease_ended;
    Lease(LeaseCommand::Appoint): 1, none, never, Members, stays, SmallWrite, lease_began;
    Lease(LeaseCommand::StepDown): 1, none, never, Members, stays, SmallWrite, lease_began;
    Lease(LeaseCommand::EnterChat): 1, session, never, People, stays, SmallWrite, lease_began;
    Lease(LeaseCommand::SetRegions): 1, none, never, Members, stays, SmallWrite, lease_began;
    Lease(LeaseCommand::NumberClient): 1, none, never, PeopleAndOperators, stays, SmallWrite, lease_began;
    Message(MessageCommand::Send): 1, session, WriteStatuses, People, grows, Post, messaged;
    Message(MessageCommand::Mark): 1, session, WriteConversations, People, stays, SmallWrite, marked;
    Message(MessageCommand::ReadFeed): 1, session, WriteStatuses, People, stays, SmallWrite, feed_read;
    Message(MessageCommand::SendAgain): 1, session, WriteStatuses, People, grows, Post, messaged;
    Account(AccountCommand::Describe): 1, session, WriteAccounts, People, stays, SmallWrite, none;
    Account(AccountCommand::ChangePassword): 1, session, never, Backends, stays, SmallWrite, session_closed;
    Account(AccountCommand::EndSession): 1, session, never, People, stays, SmallWrite, session_closed;
    Account(AccountCommand::EndOtherSessions): 1, session, never, People, stays, SmallWrite, session_closed;
    Account(AccountCommand::RemoveCroak): 1, session, WriteStatuses, People, stays, SmallWrite, croak_removed;
    Account(AccountCommand::Pin): 1, session, WriteAccounts, People, stays, SmallWrite, none;
    Account(AccountCommand::Dismiss): 1, session, WriteAccounts, People, stays, SmallWrite, none;
    Account(AccountCommand::MakeFeedAddress): 1, session, never, People, grows, Post, none;
    Account(AccountCommand::EndFeedAddress): 1, session, never, People, stays, SmallWrite, none;
    Account(AccountCommand::Confirm): 1, session, never, Backends, stays, SmallWrite, none;
    Account(AccountCommand::Invite): 1, session + code, never, People, grows, Post, none;
    Account(AccountCommand::Uninvite): 1, session, never, People, stays, SmallWrite, none;
    Operator(OperatorCommand::SetPassword): 1, none, never, Backends, stays, SmallWrite, sessions_closed;
    Operator(OperatorCommand::Suspend): 1, none, never, Operators, stays, SmallWrite, sessions_closed;
    Operator(OperatorCommand::RemoveAccount): 1, none, never, Operators, stays, SmallWrite, account_deleted;
    Operator(OperatorCommand::RemoveCroak): 1, none, never, Operators, stays, SmallWrite, croak_removed;
    Operator(OperatorCommand::SetRegistration): 1, none, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::DescribeSite): 1, none, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::Announce): 1, none, never, Operators, stays, SmallWrite, announced;
    Operator(OperatorCommand::WithdrawAnnouncement): 1, none, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::MakeResetLink): 1, code, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::CreateWithLink): 1, code, never, Operators, grows, SmallWrite, account_created;
    Operator(OperatorCommand::SetRole): 1, none, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::RemoveRoomMessage): 1, none, never, Operators, stays, SmallWrite, room_message_removed;
    Operator(OperatorCommand::DecideRequest): 1, none, never, Operators, stays, SmallWrite, account_created;
    Operator(OperatorCommand::SetInviters): 1, none, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::Invite): 1, code, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::Uninvite): 1, none, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::MakeJoinCode): 1, none, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::RevokeJoinCode): 1, none, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::RevokeResetLink): 1, none, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::ChangeMember): 1, none, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::CloseRoom): 1, none, never, Operators, stays, SmallWrite, room_closed;
    Operator(OperatorCommand::RaiseRules): 1, none, never, Operators, stays, SmallWrite, none;
    Operator(OperatorCommand::SetAutoFinish): 1, none, never, Operators, stays, SmallWrite, none;
    Govern: 1, session, never, People, stays, SmallWrite, governed;
    Operator(OperatorCommand::Record): 1, none, never, Operators, stays, SmallWrite, none;
    Rehash: 1, none, never, Backends, stays, SmallWrite, none;
    Notice(NoticeCommand::Read): 1, session, WriteStatuses, People, stays, SmallWrite, noticed;
    Notice(NoticeCommand::Remove): 1, session, WriteNotifications, People, stays, SmallWrite, noticed;
    Room(RoomCommand::Create): 1, session, never, People, grows, Post, room_joined;
    Room(RoomCommand::Change): 1, session, never, People, stays, Post, room_changed;
    Room(RoomCommand::Join): 1, session, never, People, grows, Post, room_joined;
    Room(RoomCommand::Leave): 1, session, never, People, stays, SmallWrite, room_left;
    Room(RoomCommand::Close): 1, session, never, People, stays, SmallWrite, room_closed;
    Room(RoomCommand::Invite): 1, session, never, People, grows, Post, room_guests_changed;
    Room(RoomCommand::Withdraw): 1, session, never, People, stays, SmallWrite, room_guests_changed;
    Room(RoomCommand::Remove): 1, session, never, People, stays, SmallWrite, room_left;
    Room(RoomCommand::SetRank): 1, session, never, People, stays, SmallWrite, room_ranks_changed;
    Room(RoomCommand::Say): 1, session, never, People, grows, Post, room_said;
    Room(RoomCommand::RemoveMessage): 1, session, never, People, stays, SmallWrite, room_message_removed;
    Room(RoomCommand::Mark): 1, session, never, People, stays, SmallWrite, room_read;
    Relation(RelationCommand::Mute): 1, session, WriteMutes, People, grows, Post, muted;
    Relation(RelationCommand::Block): 1, session, WriteBlocks, People, stays, SmallWrite, blocked;
    Relation(RelationCommand::Report): 1, session, WriteReports, People, grows, Post, none;
    Operator(OperatorCommand::DecideReport): 1, none, never, Operators, stays, SmallWrite, decided;
    Conversation(ConversationCommand::Like): 1, session, WriteFavourites, People, grows, SmallWrite, reacted;
    Conversation(ConversationCommand::Unlike): 1, session, WriteFavourites, People, stays, SmallWrite, reacted;
    Conversation(ConversationCommand::Share): 1, session, WriteStatuses, People, grows, Post, shared;
    Conversation(ConversationCommand::Unshare): 1, session, WriteStatuses, People, stays, SmallWrite, unshared;
    Conversation(ConversationCommand::SweepCroak): 1, none, never, Members, stays, SmallWrite, none;
    Access(AccessCommand::ResetPassword): 1, code, never, Backends, stays, SmallWrite, password_reset;
    Access(AccessCommand::CreateByName): 1, none, never, Operators, grows, SmallWrite, account_created;
    Access(AccessCommand::OpenByName): 1, session, never, Operators, stays, SmallWrite, session_opened;
    App(AppCommand::Register): 1, none + key, never, People, grows, Post, none;
    App(AppCommand::Authorize): 1, session + code, never, People, stays, SmallWrite, none;
    App(AppCommand::Exchange): 1, none + key + code + session, never, People, stays, SmallWrite, code_exchanged;
    App(AppCommand::Revoke): 1, none + key + session, never, People, stays, SmallWrite, session_closed;
}

/// Returns the event that applying this command at `index` produced, if any.
pub fn event(index: LogIndex, command: &Command, outcome: &Outcome, changes: &[Change]) -> Option<Event> {
    if outcome.is_err() || changes.is_empty() {
        return None;
    }
    let what = (command.facts().event)(command, outcome, changes)?;
    Some(Event { index, what, notified: events::notified(changes), counted: events::counted(changes) })
}

impl Command {
    /// Returns true if applying it can make the store larger, so that it is refused while disks are full. A change that an account
    /// with a role makes counts like that of an operator.
    pub fn grows(&self) -> bool {
        match self {
            Command::Govern { change, .. } => Command::Operator(change.clone()).facts().grows,
            other => other.facts().grows,
        }
    }

    /// Returns true if the command follows from heartbeats that this leader received, so that another leader must not
    /// propose it.
    pub fn depends_on_leader(&self) -> bool {
        matches!(self, Command::Lease(LeaseCommand::End { why: LeaseEnd::Missed { .. }, .. }))
    }
}

/// The table of queries. Columns: variant; its field with the hash of a secret, or `none`; the plane that answers it: `public`, or `control`
/// for operators and members alone.
macro_rules! queries {
    ($($variant:ident: $secret:ident, $plane:ident;)*) => {
        impl Query {
            /// Number of kinds of queries: the rows of the table.
            pub const KINDS: usize = [$(stringify!($variant)),*].len();

            /// Returns the hash of a client's secret in the query: of the session that authorises it, or of the code of a
            /// one-time link.
            pub fn secret_mut(&mut self) -> Option<&mut TokenHash> {
                match self {
                    $(queries!(@pattern $secret $variant) => queries!(@value $secret),)*
                }
            }

            /// Returns true if the query is allowed on the public plane.
            pub fn is_public(&self) -> bool {
                match self {
                    $(queries!(@pattern none $variant) => queries!(@is_public $plane),)*
                }
            }
        }
    };
    (@pattern none $variant:ident) => { Query::$variant { .. } };
    (@pattern $secret:ident $variant:ident) => { Query::$variant { $secret, .. } };
    (@value none) => { None };
    (@value $secret:ident) => { Some($secret) };
    (@is_public public) => { true };
    (@is_public control) => { false };
}

queries! {
    Position: none, public;
    Me: session, public;
    Feed: session, public;
    Friends: session, public;
    Tree: none, control;
    Leases: none, control;
    Coordination: none, control;
    Croak: session, public;
    Profile: session, public;
    People: session, public;
    Followers: session, public;
    Chatting: session, public;
    Account: session, public;
    Sessions: session, public;
    Unread: session, public;
    Talks: session, public;
    Talk: session, public;
    Message: session, public;
    Settings: none, public;
    Front: session, public;
    Notices: session, public;
    Rooms: session, public;
    OpenRooms: session, public;
    Room: session, public;
    RoomPeople: session, public;
    RoomMessage: session, public;
    Muted: session, public;
    Blocked: session, public;
    Thread: session, public;
    Everyone: session, public;
    Reactions: session, public;
    Search: session, public;
    Waiting: session, public;
    FollowsOf: session, public;
    ResetLink: code, public;
    Follows: session, public;
    Announcements: none, public;
    MyAnnouncements: session, public;
    Croaks: session, public;
    Profiles: session, public;
    Persons: session, public;
    Liked: session, public;
    FeedAddresses: session, public;
    AddressedFeed: address, public;
    PublicCroaks: none, public;
    App: none, public;
    OwnApp: key, public;
    Caller: session, public;
    Invitation: code, public;
    Invitations: session, public;
    Operator: none, control;
    Govern: session, public;
}
