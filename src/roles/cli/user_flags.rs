//! The flags of `ribbit user`, and what they come to.

use super::client_flags::AskingFlags;
use super::flags::GroupFlags;
use super::{help, own_group};
use crate::common::failure::Failure;
use crate::common::options::{UserOptions, UserVerb};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, ArgMatches, Args, Subcommand, ValueEnum};
use ribbit_state::LogIndex;

#[derive(Debug, Subcommand)]
pub enum UserVerbFlags {
    /// Show all accounts, or those whose user names fit
    #[command(after_help = help::USER_LIST)]
    List(ListFlags),
    /// Give somebody a new password, asked for or a line on standard input; closes their sessions
    #[command(after_help = help::USER_PASSWD)]
    Passwd(AccountFlags),
    /// Keep somebody from logging in, and close their sessions; nothing of theirs is lost
    #[command(after_help = help::USER_SUSPEND)]
    Suspend(AccountFlags),
    /// Let somebody log in again
    #[command(after_help = help::USER_RESUME)]
    Resume(AccountFlags),
    /// Delete somebody's account and everything they wrote, for good
    #[command(after_help = help::USER_DELETE)]
    Delete(DeleteFlags),
    /// Remove one croak, whoever wrote it, for good
    #[command(after_help = help::USER_UNCROAK)]
    Uncroak(UncroakFlags),
    /// Let anybody create an account, or nobody
    #[command(after_help = help::USER_REGISTRATION)]
    Registration(RegistrationFlags),
}

#[derive(Debug, Args)]
pub struct ListFlags {
    /// Only user names that fit: * stands for anything, ? for a letter, [a-f] for one of these
    #[arg(value_name = "GLOB", default_value = "*")]
    pub names: String,
    #[command(flatten)]
    pub asking: AskingFlags,
}

#[derive(Debug, Args)]
pub struct AccountFlags {
    /// A user name
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub group: GroupFlags,
}

#[derive(Debug, Args)]
pub struct DeleteFlags {
    /// Do not ask first
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    #[command(flatten)]
    pub account: AccountFlags,
}

#[derive(Debug, Args)]
pub struct UncroakFlags {
    /// Its number: the end of its page's address, and what `--json` shows as its id
    #[arg(value_name = "ID")]
    pub croak: LogIndex,
    #[command(flatten)]
    pub group: GroupFlags,
}

#[derive(Debug, Args)]
pub struct RegistrationFlags {
    /// What it is to be
    #[arg(value_enum)]
    pub state: RegistrationFlag,
    #[command(flatten)]
    pub group: GroupFlags,
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
    Ok(UserOptions { group: own_group(named, matches)?, verb, json })
}
