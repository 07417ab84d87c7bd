//! Arguments of `ribbit client` and its verbs; those of `client web`, `client gateway` and `client irc` are in
//! [`crate::web::arguments`], [`crate::gateway::arguments`] and [`crate::irc::arguments`].

use crate::client::conversation_arguments::ConversationVerb;
use crate::client::keep_away_arguments::KeepAwayVerb;
use crate::client::profile_arguments::{PROFILE_HELP, ProfileArgs};
use crate::client::room_arguments::RoomVerb;
pub use crate::client::shared_arguments::{OutputArgs, PostArgs, TextArgs, UserNameArgs};
use crate::common::address;
use crate::common::cluster_selection::{ClusterAccess, ClusterFlags, select, settings_folder};
use crate::common::defaults::data_dir_or_default;
use crate::common::failure::Failure;
use crate::gateway::arguments::{self as gateway, GatewayArgs};
use crate::irc::arguments::{self as irc, IrcArgs};
use crate::web::arguments::{self as web, WebArgs};
use clap::builder::BoolishValueParser;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, Command, Subcommand, ValueEnum, value_parser};
use ribbit_state::LogIndex;
use std::path::PathBuf;

/// Maximum of `--limit`: croaks or messages per call.
const LINES_MAX: i64 = 10_000;

/// Arguments of `client`.
#[derive(Debug, Args)]
pub struct ClientArgs {
    #[command(subcommand)]
    pub verb: Option<ClientVerb>,
    /// Account to log in with [default: that of the saved session, else asks]
    #[arg(long, short = 'u', value_name = "NAME")]
    pub user: Option<String>,
    /// Take over the chat from your other terminal or browser
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub take_over: bool,
    /// For verbs: print one JSON object per line
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new(), hide = true)]
    pub json: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

impl ClientArgs {
    /// Accepts the flags that verbs share in front of the verb, too: `client --json feed`.
    pub(crate) fn before_verbs(client: Command) -> Command {
        let shared = ["json", "data_dir", "cluster_file", "server", "public_key", "no_discovery"];
        shared.into_iter().fold(client, |client, flag| client.mut_arg(flag, |flag| flag.global(true)))
    }

    /// Refuses flags on the command line that do not go with the verb, or that need one. `client` has the matches of `client`
    /// itself.
    ///
    /// # Errors
    /// `ArgumentConflict`, in words.
    pub(crate) fn check(&self, client: &ArgMatches) -> Result<(), clap::Error> {
        let typed = |flag| client.value_source(flag) == Some(ValueSource::CommandLine);
        let misplaced = match &self.verb {
            None if typed("json") => "--json needs a verb, for example: ribbit client feed --json",
            Some(_) if typed("user") => {
                "--user is for `ribbit client` without a verb; verbs use the saved session"
            }
            Some(_) if typed("take_over") => "--take-over is for `ribbit client` without a verb",
            Some(ClientVerb::Web(_)) if typed("json") => "--json is not a flag of `ribbit client web`",
            Some(ClientVerb::Gateway(_)) if typed("json") => {
                "--json is not a flag of `ribbit client gateway`"
            }
            Some(ClientVerb::Irc(_)) if typed("json") => "--json is not a flag of `ribbit client irc`",
            None | Some(_) => return Ok(()),
        };
        Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, format!("{misplaced}\n")))
    }
}

/// Verbs of `client`.
#[derive(Debug, Subcommand)]
pub enum ClientVerb {
    /// Serve the web pages to browsers
    #[command(after_help = web::HELP)]
    Web(WebArgs),
    /// Serve the clients of older systems
    #[command(after_help = gateway::HELP)]
    Gateway(GatewayArgs),
    /// Serve IRC clients: rooms are channels
    #[command(after_help = irc::HELP)]
    Irc(IrcArgs),
    /// Print the server that this client should use
    #[command(after_help = SERVER_HELP)]
    Server(ClientServerArgs),
    #[command(flatten)]
    Person(SessionVerb),
}

/// Verbs of `client` that act for one user.
#[derive(Debug, Subcommand)]
pub enum SessionVerb {
    /// Log in
    #[command(after_help = LOGIN_HELP)]
    Login(UserNameArgs),
    /// Log out
    #[command(after_help = LOGOUT_HELP)]
    Logout(OutputArgs),
    /// Create an account and log in
    #[command(after_help = CREATE_HELP)]
    Create(CreateArgs),
    /// Post a croak
    #[command(after_help = POST_HELP)]
    Post(PostArgs),
    /// Show croaks by you and the people you follow, newest last
    #[command(after_help = FEED_HELP)]
    Feed(FeedArgs),
    /// Send a direct message
    #[command(after_help = DM_HELP)]
    Dm(DmArgs),
    /// Show your unread messages, or one conversation
    #[command(after_help = INBOX_HELP)]
    Inbox(InboxArgs),
    /// Follow a user
    #[command(after_help = ADD_HELP)]
    Add(UserNameArgs),
    /// Unfollow a user
    #[command(after_help = REMOVE_HELP)]
    Remove(UserNameArgs),
    /// List users, and who follows whom
    #[command(after_help = PEOPLE_HELP)]
    People(PeopleArgs),
    /// Search people and croaks, newest croak last
    #[command(after_help = SEARCH_HELP)]
    Search(SearchArgs),
    /// Delete one of your croaks
    #[command(after_help = UNCROAK_HELP)]
    Uncroak(UncroakArgs),
    /// Show a profile, or change yours
    #[command(after_help = PROFILE_HELP)]
    Profile(ProfileArgs),
    /// Change your password and end your other sessions
    #[command(after_help = PASSWD_HELP)]
    Passwd(OutputArgs),
    /// Set a new password with the code that an operator gave you, and log in
    #[command(after_help = RESET_HELP)]
    Reset(UserNameArgs),
    /// List your sessions
    #[command(after_help = SESSIONS_HELP)]
    Sessions(OutputArgs),
    /// End one or all of your other sessions
    #[command(after_help = END_SESSION_HELP)]
    EndSession(EndSessionArgs),
    /// Export all data about you as JSON
    #[command(after_help = EXPORT_HELP)]
    Export(ExportArgs),
    /// Delete your account and everything you wrote
    #[command(after_help = DELETE_HELP)]
    Delete(OutputArgs),
    #[command(flatten)]
    KeepAway(KeepAwayVerb),
    #[command(flatten)]
    Room(RoomVerb),
    #[command(flatten)]
    Conversation(ConversationVerb),
}

/// Arguments of `client create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Display name [default: asked for at a terminal, else the user name]
    #[arg(long, value_name = "NAME")]
    pub full_name: Option<String>,
    /// Email address [default: asked for at a terminal]
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// Code of an invitation, or its link
    #[arg(long, value_name = "CODE")]
    pub invitation: Option<String>,
    #[command(flatten)]
    pub user: UserNameArgs,
}

/// Arguments of `client feed`.
#[derive(Debug, Args)]
pub struct FeedArgs {
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
    pub output: OutputArgs,
}

/// Arguments of `client dm`.
#[derive(Debug, Args)]
pub struct DmArgs {
    /// Recipient's user name
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub text: TextArgs,
}

/// Arguments of `client inbox`.
#[derive(Debug, Args)]
pub struct InboxArgs {
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
    pub output: OutputArgs,
}

/// Arguments of `client people`.
#[derive(Debug, Args)]
pub struct PeopleArgs {
    /// Pattern of user names: * matches any text, ? one character, [a-f] one character of a range
    #[arg(value_name = "GLOB", default_value = "*")]
    pub names: String,
    /// List only the users you follow, or only your followers
    #[arg(long, value_enum)]
    pub only: Option<PeopleFilter>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Words, beginnings of words, or tags such as '#rain'
    #[arg(value_name = "WORDS", required = true)]
    pub words: Vec<String>,
    /// Show only croaks older than this one
    #[arg(long, value_name = "ID")]
    pub before: Option<LogIndex>,
    /// Number of croaks to show, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..=LINES_MAX))]
    pub limit: u32,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client uncroak`.
#[derive(Debug, Args)]
pub struct UncroakArgs {
    /// Id of the croak, as shown by `feed --json`
    #[arg(value_name = "ID")]
    pub croak: LogIndex,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client end-session`.
#[derive(Debug, Args)]
pub struct EndSessionArgs {
    /// Number of the session, as shown by `sessions`
    #[arg(value_name = "NUMBER", required_unless_present = "others", conflicts_with = "others")]
    pub opened: Option<LogIndex>,
    /// End all sessions except this one
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub others: bool,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// File to write, readable by you only [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Raw flags of `ribbit client server`.
#[derive(Debug, Args)]
pub struct ClientServerArgs {
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

/// Filter of `client people`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PeopleFilter {
    Friends,
    Followers,
}

/// Options that all commands of a user share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonOptions {
    pub cluster: ClusterAccess,
    /// Folder of saved sessions, which need not exist yet; `None` if the user has no settings folder.
    pub folder: Option<PathBuf>,
    /// Use no colours, even on a terminal.
    pub no_colour: bool,
}

/// Options of `client` without a verb, the interactive terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalOptions {
    pub person: PersonOptions,
    pub username: Option<String>,
    /// Take over the chat from this user's other terminal or browser.
    pub take_over: bool,
}

/// Options of `client server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientServerOptions {
    pub cluster: ClusterAccess,
    /// Folder of the saved client id.
    pub data_dir: PathBuf,
    /// Client id; the saved one if `None`.
    pub id: Option<u64>,
    /// Server that this client used before.
    pub before: Option<String>,
    pub json: bool,
}

/// Options of a verb that acts for one user.
#[derive(Debug)]
pub struct VerbOptions {
    pub person: PersonOptions,
    pub verb: SessionVerb,
    pub json: bool,
}

impl SessionVerb {
    /// Returns whether the output is JSON, and the flags that select the cluster.
    fn output(&self) -> (bool, &ClusterFlags) {
        let output = match self {
            SessionVerb::Login(named)
            | SessionVerb::Reset(named)
            | SessionVerb::Add(named)
            | SessionVerb::Remove(named) => &named.output,
            SessionVerb::KeepAway(verb) => verb.output(),
            SessionVerb::Logout(output)
            | SessionVerb::Passwd(output)
            | SessionVerb::Sessions(output)
            | SessionVerb::Delete(output) => output,
            SessionVerb::Create(arguments) => &arguments.user.output,
            SessionVerb::Post(arguments) => &arguments.text.output,
            SessionVerb::Feed(arguments) => &arguments.output,
            SessionVerb::Dm(arguments) => &arguments.text.output,
            SessionVerb::Inbox(arguments) => &arguments.output,
            SessionVerb::People(arguments) => &arguments.output,
            SessionVerb::Search(arguments) => &arguments.output,
            SessionVerb::Uncroak(arguments) => &arguments.output,
            SessionVerb::Profile(arguments) => &arguments.output,
            SessionVerb::EndSession(arguments) => &arguments.output,
            SessionVerb::Export(arguments) => return (true, &arguments.cluster),
            SessionVerb::Room(verb) => verb.output(),
            SessionVerb::Conversation(verb) => return verb.output(),
        };
        (output.json, &output.cluster)
    }

    /// Returns the options.
    ///
    /// # Errors
    /// As [`select`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<VerbOptions, Failure> {
        let (json, cluster) = self.output();
        Ok(VerbOptions { person: person(cluster.clone(), matches)?, verb: self, json })
    }
}

/// Returns the options of the interactive terminal.
///
/// # Errors
/// As [`select`].
pub(crate) fn terminal(
    cluster: ClusterFlags,
    username: Option<String>,
    take_over: bool,
    matches: &ArgMatches,
) -> Result<TerminalOptions, Failure> {
    Ok(TerminalOptions { person: person(cluster, matches)?, username, take_over })
}

fn person(flags: ClusterFlags, matches: &ArgMatches) -> Result<PersonOptions, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = settings_folder();
    Ok(PersonOptions { cluster: select(flags, matches)?, folder, no_colour: set("NO_COLOR").is_some() })
}

impl ClientServerArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<ClientServerOptions, Failure> {
        let data_dir = data_dir_or_default(self.cluster.data_dir.clone());
        let (id, before, json) = (self.id, self.before, self.json);
        Ok(ClientServerOptions { cluster: select(self.cluster, matches)?, data_dir, id, before, json })
    }
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit client                          Interactive, with history and completion
  ribbit client -u ada --server board1:8081
  ribbit client create ada
  ribbit client post Rain, at last
  ribbit client feed --follow

Exit codes: 1 refused, 2 wrong usage, 3 no server reachable, 4 not logged in.
With --json, results are printed as one JSON object per line; later versions may
add fields, but do not remove or rename any.";

/// Text below the flags in `--help`.
const SERVER_HELP: &str = "\
The first call requests a client id and saves it in the data folder, in the file
`client`. The client's region is its id modulo the number of regions, plus 1. If
no server of that region is available, a server of the next region is chosen.

Examples:
  ribbit client server
  ribbit client server --id 17 --before board1:10001 --json";

/// Text below the flags in `--help`.
const LOGIN_HELP: &str = "\
Examples:
  ribbit client login ada
  ribbit client login ada --server board1:8081 < password-file

The password is asked for at a terminal; otherwise it is the first line of
standard input. It is never taken from an argument or an environment variable,
which other users of the machine can see.

The session is saved in $XDG_CONFIG_HOME/ribbit or ~/.config/ribbit, readable by
you only. There is one session per cluster, valid at every address of it.";

/// Text below the flags in `--help`.
const LOGOUT_HELP: &str = "\
Ends the session on the cluster and removes it from this machine.

Examples:
  ribbit client logout";

/// Text below the flags in `--help`.
const CREATE_HELP: &str = "\
Where accounts wait for approval, you can log in once yours is approved.

Examples:
  ribbit client create ada
  ribbit client create ada --invitation 0123456789abcdef0123456789abcdef
  ribbit client create ada --full-name 'Ada L' --email ada@pond < password-file";

/// Text below the flags in `--help`.
const POST_HELP: &str = "\
Examples:
  ribbit client post Rain, at last
  uptime | ribbit client post
  ribbit client post --audience followers See you at the pond
  ribbit client post --json -- '--text that begins with a dash'   {\"id\":N}

Retries are idempotent: a croak is posted at most once, even if a server fails
meanwhile. Exits 3 if no server is reachable; the message then says whether the
croak may have been posted.";

/// Text below the flags in `--help`.
const RESET_HELP: &str = "\
An operator makes the code with `ribbit user reset NAME`. It works once. The code
and the new password are asked for at a terminal; otherwise they are the first
two lines of standard input.

Examples:
  ribbit client reset ada";

/// Text below the flags in `--help`.
const FEED_HELP: &str = "\
Examples:
  ribbit client feed --limit 50
  ribbit client feed --before 1234       Older croaks
  ribbit client feed --follow --json | while read -r croak; do …; done

With --json, one line per croak; time is null if the server had no clock:
  {\"id\":N,\"author\":{\"account\":N,\"username\":\"…\",\"name\":\"…\"},\"text\":\"…\",
   \"time\":\"2026-07-01T09:05:00Z\"}";

/// Text below the flags in `--help`.
const DM_HELP: &str = "\
Examples:
  ribbit client dm bob are you there?
  ribbit client dm bob --json < letter   {\"id\":N,\"to\":\"bob\",\"fate\":\"saved\"}

\"saved\" means that a majority of the servers have the message on disk and bob
has not received it yet.";

/// Text below the flags in `--help`.
const INBOX_HELP: &str = "\
Examples:
  ribbit client inbox                    Show unread messages, mark them as read
  ribbit client inbox --keep --json      Leave them unread
  ribbit client inbox bob --limit 50     Show the conversation with bob

With --json, one line per message; from or to is null if the account was deleted:
  {\"id\":N,\"from\":{\"account\":N,\"username\":\"…\",\"name\":\"…\"},\"to\":{…},
   \"text\":\"…\",\"time\":…,\"fate\":\"saved\" or \"delivered\" or \"read\"}";

/// Text below the flags in `--help`.
const ADD_HELP: &str = "\
Examples:
  ribbit client add bob
  ribbit client add bob --json           {\"username\":\"bob\",\"followed\":true}";

/// Text below the flags in `--help`.
const REMOVE_HELP: &str = "\
Examples:
  ribbit client remove bob";

/// Text below the flags in `--help`.
const PEOPLE_HELP: &str = "\
Examples:
  ribbit client people
  ribbit client people 'b*' --only followers
  ribbit client people --only friends --json

With --json, one line per person:
  {\"account\":N,\"username\":\"…\",\"name\":\"…\",\"followed\":true,\"follows\":false}";

/// Text below the flags in `--help`.
const UNCROAK_HELP: &str = "\
Examples:
  ribbit client uncroak 1042";

/// Text below the flags in `--help`.
const PASSWD_HELP: &str = "\
If standard input is not a terminal, its first line is the current password and
its second line the new one.

Examples:
  ribbit client passwd";

/// Text below the flags in `--help`.
const SESSIONS_HELP: &str = "\
Examples:
  ribbit client sessions
  ribbit client sessions --json
    {\"opened\":N,\"time\":\"…\",\"this\":true,\"device\":\"…\",\"used\":\"2026-07-01\"}";

/// Text below the flags in `--help`.
const END_SESSION_HELP: &str = "\
Examples:
  ribbit client end-session 1042
  ribbit client end-session --others";

/// Text below the flags in `--help`.
const EXPORT_HELP: &str = "\
Examples:
  ribbit client export > me.json
  ribbit client export --output me.json

Writes one JSON object: ribbit_export (1), account, friends, followers, sessions,
croaks, messages. Croaks and messages have the fields of `feed --json` and
`inbox --json`. Croaks are ordered newest first, messages by conversation.";

/// Text below the flags in `--help`.
const DELETE_HELP: &str = "\
Asks for your password. This cannot be undone.

Examples:
  ribbit client delete
  ribbit client delete < password-file";

/// Text below the flags in `--help`.
const SEARCH_HELP: &str = "\
A croak is found if it has all the words, in any order; case and accents make no
difference. People are found by any part of their user name or display name.

Examples:
  ribbit client search north pond
  ribbit client search '#rain' --json
    {\"account\":N,\"username\":\"…\",…} for each person, as `people`,
    {\"id\":N,\"author\":{…},\"text\":\"…\",…} for each croak, as `feed`";
