//! Arguments that several verbs of `ribbit client` have in common.

use crate::common::cluster_selection::ClusterFlags;
use clap::builder::{BoolishValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args};
use ribbit_state::Audience;

/// Cluster and output format of a user's command.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Print one JSON object per line
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Arguments of a verb for one user name.
#[derive(Debug, Args)]
pub struct UserNameArgs {
    /// User name
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of a verb that sends a text.
#[derive(Debug, Args)]
pub struct TextArgs {
    /// Text to send; read from standard input if missing or -
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of a verb that posts a croak.
#[derive(Debug, Args)]
pub struct PostArgs {
    /// Readers of the croak: everyone or followers [default: as in your settings]
    #[arg(long, value_name = "WHO", value_parser = audience())]
    pub audience: Option<Audience>,
    #[command(flatten)]
    pub text: TextArgs,
}

/// Parses the readers of a croak.
pub(crate) fn audience() -> impl TypedValueParser<Value = Audience> {
    let names = [Audience::Everyone, Audience::Followers].map(Audience::name);
    PossibleValuesParser::new(names).map(|name| name.parse().unwrap_or_default())
}

/// Joins the words of a text; `None` if the text is on standard input.
pub(crate) fn joined(words: &[String]) -> Option<String> {
    match words {
        [] => None,
        [word] if word == "-" => None,
        words => Some(words.join(" ")),
    }
}
