//! Arguments of the verbs of `ribbit client` that concern notifications, announcements, muting, blocking and reporting.

use crate::client::shared_arguments::{OutputArgs, UserNameArgs};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Subcommand, value_parser};
use ribbit_state::LogIndex;

/// Maximum of `--limit`: the notifications that a person can have.
const NOTICES_MAX: i64 = ribbit_state::limits::NOTICES_MAX as i64;

/// Verbs that concern notifications and what a person keeps away.
#[derive(Debug, Subcommand)]
pub enum KeepAwayVerb {
    /// Show what happened to you: mentions, replies, likes, shares, followers, invitations
    #[command(after_help = NOTIFICATIONS_HELP)]
    Notifications(NotificationsArgs),
    /// Show what the people who run the servers announce
    #[command(after_help = ANNOUNCEMENTS_HELP)]
    Announcements(AnnouncementsArgs),
    /// Mute a user: you no longer see them in feeds and notifications
    #[command(after_help = "Examples:\n  ribbit client mute bob")]
    Mute(UserNameArgs),
    /// Unmute a user
    #[command(after_help = "Examples:\n  ribbit client unmute bob")]
    Unmute(UserNameArgs),
    /// List the users that you have muted
    #[command(after_help = "Examples:\n  ribbit client muted --json")]
    Muted(OutputArgs),
    /// Block a user: you no longer see each other
    #[command(after_help = "Examples:\n  ribbit client block bob")]
    Block(UserNameArgs),
    /// Unblock a user
    #[command(after_help = "Examples:\n  ribbit client unblock bob")]
    Unblock(UserNameArgs),
    /// List the users that you have blocked
    #[command(after_help = "Examples:\n  ribbit client blocked --json")]
    Blocked(OutputArgs),
    /// Report a user, a croak or a message to the people who run the servers
    #[command(after_help = REPORT_HELP)]
    Report(ReportArgs),
}

/// Arguments of `client notifications`.
#[derive(Debug, Args)]
pub struct NotificationsArgs {
    /// Show only unread ones
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub unread: bool,
    /// Do not mark them as read
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub keep: bool,
    /// Number of notifications to show, 1 to 500
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..=NOTICES_MAX))]
    pub limit: u32,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client announcements`.
#[derive(Debug, Args)]
pub struct AnnouncementsArgs {
    /// Do not show them to you again
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub dismiss: bool,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A user, as @NAME, or the id of a croak
    #[arg(value_name = "@NAME or ID", required_unless_present = "message", conflicts_with = "message")]
    pub what: Option<String>,
    /// Report the message with this id: a direct one that you received, or with --room one in that room
    #[arg(long, value_name = "ID")]
    pub message: Option<LogIndex>,
    /// Room of the message
    #[arg(long, value_name = "NAME", requires = "message")]
    pub room: Option<String>,
    /// What is wrong with it
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub words: String,
    #[command(flatten)]
    pub output: OutputArgs,
}

impl KeepAwayVerb {
    /// Returns the output format and the flags that select the cluster.
    pub(crate) fn output(&self) -> &OutputArgs {
        match self {
            KeepAwayVerb::Notifications(it) => &it.output,
            KeepAwayVerb::Announcements(it) => &it.output,
            KeepAwayVerb::Mute(it)
            | KeepAwayVerb::Unmute(it)
            | KeepAwayVerb::Block(it)
            | KeepAwayVerb::Unblock(it) => &it.output,
            KeepAwayVerb::Muted(output) | KeepAwayVerb::Blocked(output) => output,
            KeepAwayVerb::Report(it) => &it.output,
        }
    }
}

/// Text below the flags in `--help`.
const NOTIFICATIONS_HELP: &str = "\
Examples:
  ribbit client notifications
  ribbit client notifications --unread --keep --json

With --json, one line each; from, croak, text and verdict are there where they apply:
  {\"id\":N,\"kind\":\"mention\" or \"reply\" or \"like\" or \"share\" or \"follow\" or
   \"invitation\" or \"report-decided\" or \"warning\",\"from\":\"…\",\"croak\":N,
   \"text\":\"…\",\"verdict\":\"nothing\",\"at\":\"…\",\"unread\":true}";

/// Text below the flags in `--help`.
const ANNOUNCEMENTS_HELP: &str = "\
Examples:
  ribbit client announcements
  ribbit client announcements --dismiss --json
    {\"id\":N,\"text\":\"…\",\"time\":\"…\",\"left_s\":N or null}";

/// Text below the flags in `--help`.
const REPORT_HELP: &str = "\
The people who run the servers see the text as it is now, and who reports it.

Examples:
  ribbit client report 1234 --words 'spam'
  ribbit client report @bob
  ribbit client report --room pond --message 1234";
