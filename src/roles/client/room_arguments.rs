//! Arguments of the verbs of `ribbit client` that concern rooms.

use crate::client::shared_arguments::{OutputArgs, TextArgs};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Subcommand, ValueEnum, value_parser};
use ribbit_state::LogIndex;
use ribbit_state::rows::RoomRank;

/// Verbs that concern rooms.
#[derive(Debug, Subcommand)]
pub enum RoomVerb {
    /// List your rooms and invitations, or all open rooms
    #[command(after_help = ROOMS_HELP)]
    Rooms(RoomsArgs),
    /// Show what was said in a room
    #[command(after_help = ROOM_HELP)]
    Room(RoomArgs),
    /// Say something in a room
    #[command(after_help = SAY_HELP)]
    Say(SayArgs),
    /// Delete something that was said in a room
    #[command(after_help = "Examples:\n  ribbit client unsay pond 1234")]
    Unsay(UnsayArgs),
    /// Create a room
    #[command(after_help = CREATE_HELP)]
    RoomCreate(RoomCreateArgs),
    /// Change the topic or the settings of a room
    #[command(after_help = "Examples:\n  ribbit client room-set pond --topic 'All things wet'")]
    RoomSet(RoomSetArgs),
    /// Join a room
    #[command(after_help = "Examples:\n  ribbit client room-join pond")]
    RoomJoin(RoomNameArgs),
    /// Leave a room, or decline an invitation
    #[command(after_help = LEAVE_HELP)]
    RoomLeave(RoomNameArgs),
    /// Close a room and delete all that was said in it
    #[command(after_help = "Examples:\n  ribbit client room-close pond")]
    RoomClose(RoomNameArgs),
    /// List the members of a room
    #[command(after_help = "Examples:\n  ribbit client room-members pond --json")]
    RoomMembers(RoomNameArgs),
    /// Invite someone into a room
    #[command(after_help = "Examples:\n  ribbit client room-invite pond bob")]
    RoomInvite(RoomPersonArgs),
    /// Withdraw an invitation, or let someone who was removed join again
    #[command(after_help = "Examples:\n  ribbit client room-withdraw pond bob")]
    RoomWithdraw(RoomPersonArgs),
    /// Remove a member from a room
    #[command(after_help = "Examples:\n  ribbit client room-remove pond bob")]
    RoomRemove(RoomPersonArgs),
    /// Make a member moderator or owner, or an ordinary member again
    #[command(after_help = "Examples:\n  ribbit client room-rank pond bob moderator")]
    RoomRank(RoomRankArgs),
}

/// Arguments of `client rooms`.
#[derive(Debug, Args)]
pub struct RoomsArgs {
    /// List the rooms that everyone may join
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub open: bool,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of a verb for one room.
#[derive(Debug, Args)]
pub struct RoomNameArgs {
    /// Name of the room
    #[arg(value_name = "NAME")]
    pub room: String,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client room`.
#[derive(Debug, Args)]
pub struct RoomArgs {
    /// Name of the room
    #[arg(value_name = "NAME")]
    pub room: String,
    /// Show new messages as they arrive, until Ctrl-C
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub follow: bool,
    /// Show only messages older than this one
    #[arg(long, value_name = "ID", conflicts_with = "follow")]
    pub before: Option<LogIndex>,
    /// Do not mark the messages as read
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub keep: bool,
    /// Number of messages to show first, 0 to 10000
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(0..=10_000))]
    pub limit: u32,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client say`.
#[derive(Debug, Args)]
pub struct SayArgs {
    /// Name of the room
    #[arg(value_name = "NAME")]
    pub room: String,
    #[command(flatten)]
    pub text: TextArgs,
}

/// Arguments of `client unsay`.
#[derive(Debug, Args)]
pub struct UnsayArgs {
    /// Name of the room
    #[arg(value_name = "NAME")]
    pub room: String,
    /// Id of the message, as shown by `room --json`
    #[arg(value_name = "ID")]
    pub message: LogIndex,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client room-create`.
#[derive(Debug, Args)]
pub struct RoomCreateArgs {
    /// Topic, on one line
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub topic: String,
    /// Only invited people may join
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub by_invitation: bool,
    /// Newcomers may not read what was said before they joined
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub hide_history: bool,
    #[command(flatten)]
    pub room: RoomNameArgs,
}

/// Arguments of `client room-set`.
#[derive(Debug, Args)]
#[group(id = "settings", required = true, multiple = true, args = ["topic", "open", "history"])]
pub struct RoomSetArgs {
    /// New topic, on one line
    #[arg(long, value_name = "TEXT")]
    pub topic: Option<String>,
    /// Whether everyone may join (true), or invited people only (false)
    #[arg(long, value_name = "BOOL")]
    pub open: Option<bool>,
    /// Whether newcomers may read what was said before they joined
    #[arg(long, value_name = "BOOL")]
    pub history: Option<bool>,
    #[command(flatten)]
    pub room: RoomNameArgs,
}

/// Arguments of a verb for a person in a room.
#[derive(Debug, Args)]
pub struct RoomPersonArgs {
    /// Name of the room
    #[arg(value_name = "ROOM")]
    pub room: String,
    /// User name
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client room-rank`.
#[derive(Debug, Args)]
pub struct RoomRankArgs {
    #[command(flatten)]
    pub person: RoomPersonArgs,
    /// New rank
    #[arg(value_enum)]
    pub rank: RankArg,
}

/// Rank of a member, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RankArg {
    Member,
    Moderator,
    Owner,
}

impl From<RankArg> for RoomRank {
    fn from(rank: RankArg) -> RoomRank {
        match rank {
            RankArg::Member => RoomRank::Member,
            RankArg::Moderator => RoomRank::Moderator,
            RankArg::Owner => RoomRank::Owner,
        }
    }
}

impl RoomVerb {
    /// Returns the output format and the flags that select the cluster.
    pub(crate) fn output(&self) -> &OutputArgs {
        match self {
            RoomVerb::Rooms(it) => &it.output,
            RoomVerb::Room(it) => &it.output,
            RoomVerb::Say(it) => &it.text.output,
            RoomVerb::Unsay(it) => &it.output,
            RoomVerb::RoomCreate(it) => &it.room.output,
            RoomVerb::RoomSet(it) => &it.room.output,
            RoomVerb::RoomJoin(it)
            | RoomVerb::RoomLeave(it)
            | RoomVerb::RoomClose(it)
            | RoomVerb::RoomMembers(it) => &it.output,
            RoomVerb::RoomInvite(it) | RoomVerb::RoomWithdraw(it) | RoomVerb::RoomRemove(it) => &it.output,
            RoomVerb::RoomRank(it) => &it.person.output,
        }
    }
}

/// Text below the flags in `--help`.
const ROOMS_HELP: &str = "\
Examples:
  ribbit client rooms
  ribbit client rooms --open --json

With --json, one line per room; rank and unread are null for rooms that you are
not in, and invited_by is only there for invitations:
  {\"room\":\"…\",\"topic\":\"…\",\"open\":true,\"history\":true,\"members\":N,
   \"rank\":\"owner\" or \"moderator\" or \"member\",\"unread\":N}";

/// Text below the flags in `--help`.
const ROOM_HELP: &str = "\
Examples:
  ribbit client room pond --limit 50
  ribbit client room pond --follow --json | while read -r said; do …; done

With --json, one line per message; from is null if the account was deleted, text
if the message was removed:
  {\"id\":N,\"room\":\"pond\",\"from\":{\"account\":N,\"username\":\"…\",\"name\":\"…\"},
   \"text\":\"…\",\"time\":\"2026-07-01T09:05:00Z\",\"removed\":null}";

/// Text below the flags in `--help`.
const SAY_HELP: &str = "\
Examples:
  ribbit client say pond the tide is in
  uptime | ribbit client say pond --json   {\"id\":N,\"room\":\"pond\"}";

/// Text below the flags in `--help`.
const CREATE_HELP: &str = "\
Examples:
  ribbit client room-create pond --topic 'All things wet'
  ribbit client room-create crew --by-invitation --hide-history";

/// Text below the flags in `--help`.
const LEAVE_HELP: &str = "\
When the owner leaves, the moderator who joined first becomes the owner, else the
member who did. The room closes when its last member leaves.

Examples:
  ribbit client room-leave pond";
