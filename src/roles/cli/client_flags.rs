//! The flags of `ribbit client`, as they were typed.

use super::flags::{ClientServerFlags, GroupFlags, WebFlags};
use super::help;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Subcommand};

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
}
