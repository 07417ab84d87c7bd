//! Flags of `ribbit user`, and their conversion to options.

use super::client_flags::AskingFlags;
use super::help;
use crate::common::cluster_selection::{ClusterFlags, select_with_key};
use crate::common::failure::Failure;
use crate::common::options::{UserOptions, UserVerb};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, ArgMatches, Args, Subcommand, ValueEnum};
use ribbit_state::LogIndex;

#[derive(Debug, Subcommand)]
pub enum UserVerbFlags {
    /// List accounts
    #[command(after_help = help::USER_LIST)]
    List(ListFlags),
    /// Set the password of an account and end its sessions
    #[command(after_help = help::USER_PASSWD)]
    Passwd(AccountFlags),
    /// Suspend an account and end its sessions, without deleting anything
    #[command(after_help = help::USER_SUSPEND)]
    Suspend(AccountFlags),
    /// Lift the suspension of an account
    #[command(after_help = help::USER_RESUME)]
    Resume(AccountFlags),
    /// Delete an account and everything it wrote, for good
    #[command(after_help = help::USER_DELETE)]
    Delete(DeleteFlags),
    /// Delete a croak of any account, for good
    #[command(after_help = help::USER_UNCROAK)]
    Uncroak(UncroakFlags),
    /// Open or close registration of new accounts
    #[command(after_help = help::USER_REGISTRATION)]
    Registration(RegistrationFlags),
}

#[derive(Debug, Args)]
pub struct ListFlags {
    /// Pattern of user names: * matches any text, ? one character, [a-f] one character of a range
    #[arg(value_name = "GLOB", default_value = "*")]
    pub names: String,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct AccountFlags {
    /// User name
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub group: ClusterFlags,
}

#[derive(Debug, Args)]
pub struct DeleteFlags {
    /// Do not ask for confirmation
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    #[command(flatten)]
    pub account: AccountFlags,
}

#[derive(Debug, Args)]
pub struct UncroakFlags {
    /// Id of the croak: the end of its page's address, or the id in `feed --json`
    #[arg(value_name = "ID")]
    pub croak: LogIndex,
    #[command(flatten)]
    pub group: ClusterFlags,
}

#[derive(Debug, Args)]
pub struct RegistrationFlags {
    /// Whether new accounts can be created
    #[arg(value_enum)]
    pub state: RegistrationFlag,
    #[command(flatten)]
    pub group: ClusterFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RegistrationFlag {
    Open,
    Closed,
}

pub fn user(verb: UserVerbFlags, matches: &ArgMatches) -> Result<UserOptions, Failure> {
    let suspend = |AccountFlags { username, group }, suspended| {
        (UserVerb::Suspend { username, suspended }, group, false)
    };
    let (verb, named, json) = match verb {
        UserVerbFlags::List(ListFlags { names, asking }) => {
            (UserVerb::List { names }, asking.group, asking.json)
        }
        UserVerbFlags::Passwd(AccountFlags { username, group }) => {
            (UserVerb::Password { username }, group, false)
        }
        UserVerbFlags::Suspend(flags) => suspend(flags, true),
        UserVerbFlags::Resume(flags) => suspend(flags, false),
        UserVerbFlags::Delete(DeleteFlags { yes, account: AccountFlags { username, group } }) => {
            (UserVerb::Delete { username, yes }, group, false)
        }
        UserVerbFlags::Uncroak(UncroakFlags { croak, group }) => {
            (UserVerb::RemoveCroak { croak }, group, false)
        }
        UserVerbFlags::Registration(RegistrationFlags { state, group }) => {
            (UserVerb::Registration { open: matches!(state, RegistrationFlag::Open) }, group, false)
        }
    };
    Ok(UserOptions { group: select_with_key(named, matches)?, verb, json })
}
