//! The flags of `ribbit client`, as they were typed.

use super::flags::{ClientServerFlags, GroupFlags};
use super::help;
use super::web_flags::WebFlags;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Subcommand, ValueEnum, value_parser};
use ribbit_state::LogIndex;
use std::path::PathBuf;

/// How much is shown at once, at most.
const LINES_MAX: i64 = 10_000;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ClientFlags {
    #[command(subcommand)]
    pub verb: Option<ClientVerb>,
    /// Who logs in [default: whoever is logged in already, else it asks]
    #[arg(long, short = 'u', value_name = "NAME")]
    pub user: Option<String>,
    /// Take the chat from wherever else you have it
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub take_over: bool,
    #[command(flatten)]
    pub group: GroupFlags,
}

#[derive(Debug, Subcommand)]
pub enum ClientVerb {
    /// Serve the pages to browsers; keeps nothing
    #[command(after_help = help::WEB)]
    Web(WebFlags),
    /// Say which server to use: of the client's own cluster while that has one, else of the next
    #[command(after_help = help::CLIENT_SERVER)]
    Server(ClientServerFlags),
    #[command(flatten)]
    Person(PersonVerbFlags),
}

#[derive(Debug, Subcommand)]
pub enum PersonVerbFlags {
    /// Log in; the password is asked for, or is a line on standard input
    #[command(after_help = help::LOGIN)]
    Login(UserFlags),
    /// Log out, on every server
    #[command(after_help = help::LOGOUT)]
    Logout(AskingFlags),
    /// Create an account, and log in to it
    #[command(after_help = help::CREATE)]
    Create(CreateFlags),
    /// Croak to whoever follows you
    #[command(after_help = help::POST)]
    Post(PostFlags),
    /// Read what you and your friends croaked, the newest last
    #[command(after_help = help::FEED)]
    Feed(FeedFlags),
    /// Write to one person
    #[command(after_help = help::DM)]
    Dm(DmFlags),
    /// Read the messages that wait for you, or the talk with somebody
    #[command(after_help = help::INBOX)]
    Inbox(InboxFlags),
    /// Follow somebody: their croaks come to your feed
    #[command(after_help = help::ADD)]
    Add(UserFlags),
    /// Follow somebody no more
    #[command(after_help = help::REMOVE_FRIEND)]
    Remove(UserFlags),
    /// List people, and who follows whom
    #[command(after_help = help::PEOPLE)]
    People(PeopleFlags),
    /// Take back one of your croaks
    #[command(after_help = help::UNCROAK)]
    Uncroak(UncroakFlags),
    /// Change the name that others see, or your email address
    #[command(after_help = help::PROFILE)]
    Profile(ProfileFlags),
    /// Change your password; ends all your other sessions
    #[command(after_help = help::PASSWD)]
    Passwd(AskingFlags),
    /// List where you are logged in
    #[command(after_help = help::SESSIONS)]
    Sessions(AskingFlags),
    /// End one of your other sessions, or all of them
    #[command(after_help = help::END_SESSION)]
    EndSession(EndSessionFlags),
    /// Write everything that is kept of you to one JSON file
    #[command(after_help = help::EXPORT)]
    Export(ExportFlags),
    /// Delete your account and everything you wrote; asks for the password
    #[command(after_help = help::DELETE)]
    Delete(AskingFlags),
}

/// How a person's verb finds its group, and what it says.
#[derive(Debug, Args)]
pub struct AskingFlags {
    /// For scripts: one JSON object a line
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub group: GroupFlags,
}

#[derive(Debug, Args)]
pub struct UserFlags {
    /// A user name
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct CreateFlags {
    /// The name that others see [default: asked for at a terminal, else the user name]
    #[arg(long, value_name = "NAME")]
    pub full_name: Option<String>,
    /// An email address [default: asked for at a terminal]
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    #[command(flatten)]
    pub user: UserFlags,
}

#[derive(Debug, Args)]
pub struct PostFlags {
    /// What to say; without it, or with -, it is read from standard input
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct FeedFlags {
    /// Go on with what comes, until Ctrl-C
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub follow: bool,
    /// Only what lies before this croak
    #[arg(long, value_name = "ID", conflicts_with = "follow")]
    pub before: Option<LogIndex>,
    /// How many croaks to begin with
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(0..=LINES_MAX))]
    pub limit: u32,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct DmFlags {
    /// Whom to write to
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub text: PostFlags,
}

#[derive(Debug, Args)]
pub struct InboxFlags {
    /// The talk with this one, both sides, instead of what waits to be read
    #[arg(value_name = "NAME")]
    pub with: Option<String>,
    /// What is shown stays unread
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub keep: bool,
    /// How many messages of a talk
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..=LINES_MAX))]
    pub limit: u32,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct PeopleFlags {
    /// Only user names that fit: * stands for anything, ? for a letter, [a-f] for one of these
    #[arg(value_name = "GLOB", default_value = "*")]
    pub names: String,
    /// Only those you follow, or only those who follow you
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
    /// The croak's id, as `feed --json` shows it
    #[arg(value_name = "ID")]
    pub croak: LogIndex,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
#[group(id = "changes", required = true, multiple = true, args = ["full_name", "email"])]
pub struct ProfileFlags {
    /// The name that others see
    #[arg(long, value_name = "NAME")]
    pub full_name: Option<String>,
    /// An email address
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct EndSessionFlags {
    /// The session's number, as `sessions` shows it
    #[arg(value_name = "NUMBER", required_unless_present = "others", conflicts_with = "others")]
    pub opened: Option<LogIndex>,
    /// All but this one
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub others: bool,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct ExportFlags {
    /// Write it here, readable by you alone, instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub group: GroupFlags,
}
