//! Arguments of the verbs of `ribbit client` that concern conversations: replies, likes, shares, threads.

use crate::client::shared_arguments::{OutputArgs, PostArgs};
use crate::common::cluster_selection::ClusterFlags;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Subcommand, value_parser};
use ribbit_state::LogIndex;

/// Verbs that concern conversations.
#[derive(Debug, Subcommand)]
pub enum ConversationVerb {
    /// Reply to a croak
    #[command(after_help = REPLY_HELP)]
    Reply(ReplyArgs),
    /// Like a croak, or take the like back
    #[command(after_help = LIKE_HELP)]
    Like(ReactionArgs),
    /// Share a croak with your followers, or take the share back
    #[command(after_help = SHARE_HELP)]
    Share(ReactionArgs),
    /// Pin one of your croaks to your profile, or take it down
    #[command(after_help = PIN_HELP)]
    Pin(ReactionArgs),
    /// Show a croak with what it answers and the replies to it
    #[command(after_help = THREAD_HELP)]
    Thread(ThreadArgs),
    /// Show croaks by everyone, newest last
    #[command(after_help = EVERYONE_HELP)]
    Everyone(EveryoneArgs),
}

/// Arguments of `client reply`.
#[derive(Debug, Args)]
pub struct ReplyArgs {
    /// Id of the croak to answer, as shown by `feed`
    #[arg(value_name = "ID")]
    pub croak: LogIndex,
    #[command(flatten)]
    pub post: PostArgs,
}

/// Arguments of `client like`, `client share` and `client pin`.
#[derive(Debug, Args)]
pub struct ReactionArgs {
    /// Id of the croak, as shown by `feed`
    #[arg(value_name = "ID")]
    pub croak: LogIndex,
    /// Take it back
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub undo: bool,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client thread`.
#[derive(Debug, Args)]
pub struct ThreadArgs {
    /// Id of the croak, as shown by `feed`
    #[arg(value_name = "ID")]
    pub croak: LogIndex,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `client everyone`.
#[derive(Debug, Args)]
pub struct EveryoneArgs {
    /// Show croaks older than this id
    #[arg(long, value_name = "ID")]
    pub before: Option<LogIndex>,
    /// Maximum number of croaks
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..=1_000))]
    pub limit: u32,
    #[command(flatten)]
    pub output: OutputArgs,
}

impl ConversationVerb {
    /// Returns whether the output is JSON, and the flags that select the cluster.
    pub(crate) fn output(&self) -> (bool, &ClusterFlags) {
        let output = match self {
            ConversationVerb::Reply(arguments) => &arguments.post.text.output,
            ConversationVerb::Like(arguments)
            | ConversationVerb::Share(arguments)
            | ConversationVerb::Pin(arguments) => &arguments.output,
            ConversationVerb::Thread(arguments) => &arguments.output,
            ConversationVerb::Everyone(arguments) => &arguments.output,
        };
        (output.json, &output.cluster)
    }
}

const REPLY_HELP: &str = "\
A reply begins with the name of the person that it answers, which ribbit adds and does not count.

Examples:
  ribbit client reply 22 see you at the pond
  echo \"see you\" | ribbit client reply 22 -";
const LIKE_HELP: &str = "\
Examples:
  ribbit client like 22
  ribbit client like 22 --undo";
const SHARE_HELP: &str = "\
Examples:
  ribbit client share 22
  ribbit client share 22 --undo";
const PIN_HELP: &str = "\
Others see it first on your profile. It replaces the croak that was pinned before.

Examples:
  ribbit client pin 22
  ribbit client pin 22 --undo";
const THREAD_HELP: &str = "\
Examples:
  ribbit client thread 22
  ribbit client thread 22 --json";
const EVERYONE_HELP: &str = "\
Examples:
  ribbit client everyone
  ribbit client everyone --limit 100 --json";
