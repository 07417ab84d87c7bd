//! Raw flags of `ribbit client`.

use super::help;
use super::web_flags::WebFlags;
use crate::common::address;
use crate::common::cluster_selection::ClusterFlags;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Subcommand, ValueEnum, value_parser};
use ribbit_state::LogIndex;
use std::path::PathBuf;

/// Maximum of `--limit`: croaks or messages per call.
const LINES_MAX: i64 = 10_000;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ClientFlags {
    #[command(subcommand)]
    pub verb: Option<ClientVerb>,
    /// Account to log in with [default: that of the saved session, else asks]
    #[arg(long, short = 'u', value_name = "NAME")]
    pub user: Option<String>,
    /// Take over the chat from your other terminal or browser
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub take_over: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

#[derive(Debug, Subcommand)]
pub enum ClientVerb {
    /// Serve the web pages to browsers
    #[command(after_help = help::WEB)]
    Web(WebFlags),
    /// Print the server that this client should use
    #[command(after_help = help::CLIENT_SERVER)]
    Server(ClientServerFlags),
    #[command(flatten)]
    Person(PersonVerbFlags),
}

#[derive(Debug, Subcommand)]
pub enum PersonVerbFlags {
    /// Log in
    #[command(after_help = help::LOGIN)]
    Login(UserFlags),
    /// Log out
    #[command(after_help = help::LOGOUT)]
    Logout(AskingFlags),
    /// Create an account and log in
    #[command(after_help = help::CREATE)]
    Create(CreateFlags),
    /// Post a croak
    #[command(after_help = help::POST)]
    Post(PostFlags),
    /// Show croaks by you and the people you follow, newest last
    #[command(after_help = help::FEED)]
    Feed(FeedFlags),
    /// Send a direct message
    #[command(after_help = help::DM)]
    Dm(DmFlags),
    /// Show your unread messages, or one conversation
    #[command(after_help = help::INBOX)]
    Inbox(InboxFlags),
    /// Follow a user
    #[command(after_help = help::ADD)]
    Add(UserFlags),
    /// Unfollow a user
    #[command(after_help = help::REMOVE_FRIEND)]
    Remove(UserFlags),
    /// List users, and who follows whom
    #[command(after_help = help::PEOPLE)]
    People(PeopleFlags),
    /// Delete one of your croaks
    #[command(after_help = help::UNCROAK)]
    Uncroak(UncroakFlags),
    /// Change your display name or email address
    #[command(after_help = help::PROFILE)]
    Profile(ProfileFlags),
    /// Change your password and end your other sessions
    #[command(after_help = help::PASSWD)]
    Passwd(AskingFlags),
    /// List your sessions
    #[command(after_help = help::SESSIONS)]
    Sessions(AskingFlags),
    /// End one or all of your other sessions
    #[command(after_help = help::END_SESSION)]
    EndSession(EndSessionFlags),
    /// Export all data about you as JSON
    #[command(after_help = help::EXPORT)]
    Export(ExportFlags),
    /// Delete your account and everything you wrote
    #[command(after_help = help::DELETE)]
    Delete(AskingFlags),
}

/// Cluster and output format of a user's command.
#[derive(Debug, Args)]
pub struct AskingFlags {
    /// Print one JSON object per line
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

#[derive(Debug, Args)]
pub struct UserFlags {
    /// User name
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct CreateFlags {
    /// Display name [default: asked for at a terminal, else the user name]
    #[arg(long, value_name = "NAME")]
    pub full_name: Option<String>,
    /// Email address [default: asked for at a terminal]
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    #[command(flatten)]
    pub user: UserFlags,
}

#[derive(Debug, Args)]
pub struct PostFlags {
    /// Text to send; read from standard input if missing or -
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct FeedFlags {
    /// Show new croaks as they arrive, until Ctrl-C
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub follow: bool,
    /// Show only croaks older than this one
    #[arg(long, value_name = "ID", conflicts_with = "follow")]
    pub before: Option<LogIndex>,
    /// Number of croaks to show first, 0 to 10000
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(0..=LINES_MAX))]
    pub limit: u32,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct DmFlags {
    /// Recipient's user name
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub text: PostFlags,
}

#[derive(Debug, Args)]
pub struct InboxFlags {
    /// Show the conversation with this user instead of unread messages
    #[arg(value_name = "NAME")]
    pub with: Option<String>,
    /// Do not mark the messages as read
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub keep: bool,
    /// Number of messages of a conversation to show, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..=LINES_MAX))]
    pub limit: u32,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct PeopleFlags {
    /// Pattern of user names: * matches any text, ? one character, [a-f] one character of a range
    #[arg(value_name = "GLOB", default_value = "*")]
    pub names: String,
    /// List only the users you follow, or only your followers
    #[arg(long, value_enum)]
    pub only: Option<OnlyFlag>,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OnlyFlag {
    Friends,
    Followers,
}

#[derive(Debug, Args)]
pub struct UncroakFlags {
    /// Id of the croak, as shown by `feed --json`
    #[arg(value_name = "ID")]
    pub croak: LogIndex,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
#[group(id = "changes", required = true, multiple = true, args = ["full_name", "email"])]
pub struct ProfileFlags {
    /// New display name
    #[arg(long, value_name = "NAME")]
    pub full_name: Option<String>,
    /// New email address
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct EndSessionFlags {
    /// Number of the session, as shown by `sessions`
    #[arg(value_name = "NUMBER", required_unless_present = "others", conflicts_with = "others")]
    pub opened: Option<LogIndex>,
    /// End all sessions except this one
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub others: bool,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct ExportFlags {
    /// File to write, readable by you only [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Raw flags of `ribbit client server`.
#[derive(Debug, Args)]
pub struct ClientServerFlags {
    /// Client id [default: the one saved in the data folder]
    #[arg(long, value_name = "N")]
    pub id: Option<u64>,
    /// Server that this client used before [default: the last answer]
    #[arg(long, value_name = "HOST:PORT", value_parser = address::peer)]
    pub before: Option<String>,
    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}
