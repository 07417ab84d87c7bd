//! Arguments of `ribbit user`.

use super::announcements::{self, AnnounceArgs, WithdrawArgs};
use super::import::{self, ImportArgs};
use super::invitations::{self, DecideRequestArgs, InviteArgs, InvitersArgs, RegistrationArgs, UninviteArgs};
use super::links::PagesArgs;
use crate::client::arguments::OutputArgs;
use crate::common::cluster_selection::ClusterFlags;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Subcommand, ValueEnum};
use ribbit_state::command::Verdict;
use ribbit_state::{AccountRole, LogIndex};

/// Verbs of `user`, with which operators manage accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum UserVerb {
    /// List accounts
    #[command(after_help = LIST_HELP)]
    List(ListArgs),
    /// Create an account, and a one-time link with which its owner sets a password
    #[command(after_help = CREATE_HELP)]
    Create(CreateArgs),
    /// Create accounts from a table, each with a one-time link
    #[command(after_help = import::IMPORT_HELP)]
    Import(ImportArgs),
    /// Print a table of all accounts
    #[command(after_help = import::EXPORT_HELP)]
    Export(OutputArgs),
    /// Set the password of an account and end its sessions
    #[command(after_help = PASSWD_HELP)]
    Passwd(AccountArgs),
    /// Make a one-time link with which a person sets a new password
    #[command(after_help = RESET_HELP)]
    Reset(ResetArgs),
    /// Suspend an account and end its sessions, without deleting anything
    #[command(after_help = SUSPEND_HELP)]
    Suspend(AccountArgs),
    /// Lift the suspension of an account
    #[command(after_help = RESUME_HELP)]
    Resume(AccountArgs),
    /// Give an account the role of a moderator or an admin, or take it away
    #[command(after_help = ROLE_HELP)]
    Role(RoleArgs),
    /// Delete an account and everything it wrote, for good
    #[command(after_help = DELETE_HELP)]
    Delete(DeleteArgs),
    /// Delete a croak of any account, for good
    #[command(after_help = UNCROAK_HELP)]
    Uncroak(DeleteCroakArgs),
    /// Delete a message in any room, for good
    #[command(after_help = UNSAY_HELP)]
    Unsay(UnsayArgs),
    /// List all rooms
    #[command(after_help = ROOMS_HELP)]
    Rooms(RoomsArgs),
    /// Close any room with everything that was said in it, for good
    #[command(after_help = CLOSE_ROOM_HELP)]
    CloseRoom(CloseRoomArgs),
    /// List the reports that wait for a decision
    #[command(after_help = REPORTS_HELP)]
    Reports(OutputArgs),
    /// Decide about a report; the person who reported it is told
    #[command(after_help = DECIDE_HELP)]
    Decide(DecideArgs),
    /// Decide who may create an account
    #[command(after_help = invitations::REGISTRATION_HELP)]
    Registration(RegistrationArgs),
    /// List the people who wait for the approval of their account
    #[command(after_help = invitations::REQUESTS_HELP)]
    Requests(OutputArgs),
    /// Approve people who wait
    #[command(after_help = invitations::APPROVE_HELP)]
    Approve(DecideRequestArgs),
    /// Refuse people who wait
    #[command(after_help = invitations::REFUSE_HELP)]
    Refuse(DecideRequestArgs),
    /// Make a link with which people create accounts
    #[command(after_help = invitations::INVITE_HELP)]
    Invite(InviteArgs),
    /// List the invitations of operators and of people
    #[command(after_help = invitations::INVITATIONS_HELP)]
    Invitations(OutputArgs),
    /// Revoke an invitation
    #[command(after_help = invitations::UNINVITE_HELP)]
    Uninvite(UninviteArgs),
    /// Decide who may make invitations on the pages
    #[command(after_help = invitations::INVITERS_HELP)]
    Inviters(InvitersArgs),
    /// Tell everyone something, on every page and in the terminal
    #[command(after_help = announcements::ANNOUNCE_HELP)]
    Announce(AnnounceArgs),
    /// List the announcements that are shown
    #[command(after_help = announcements::ANNOUNCEMENTS_HELP)]
    Announcements(OutputArgs),
    /// Withdraw an announcement
    #[command(after_help = announcements::WITHDRAW_HELP)]
    Withdraw(WithdrawArgs),
    /// Set the name and the sentence that visitors see on the first page
    #[command(after_help = SITE_HELP)]
    Site(SiteArgs),
}

/// Arguments of `user list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Pattern of user names: * matches any text, ? one character, [a-f] one character of a range
    #[arg(value_name = "GLOB", default_value = "*")]
    pub names: String,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `user rooms`.
#[derive(Debug, Args)]
pub(crate) struct RoomsArgs {
    /// Pattern of room names: * matches any text, ? one character, [a-f] one character of a range
    #[arg(value_name = "GLOB", default_value = "*")]
    pub names: String,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `user close-room`.
#[derive(Debug, Args)]
pub(crate) struct CloseRoomArgs {
    /// Name of the room
    #[arg(value_name = "ROOM")]
    pub room: String,
    /// Do not ask for confirmation
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Arguments of a verb for one account.
#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    /// User name
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Arguments of `user create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// User name
    #[arg(value_name = "NAME")]
    pub username: String,
    /// Name that others see; the user name without it
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// E-mail address, which operators alone see
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    #[command(flatten)]
    pub pages: PagesArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `user reset`.
#[derive(Debug, Args)]
pub(crate) struct ResetArgs {
    /// User name
    #[arg(value_name = "NAME")]
    pub username: String,
    /// Revoke the link that the account has, and make none
    #[arg(long, conflicts_with_all = ["pages", "qr", "json"], action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub revoke: bool,
    #[command(flatten)]
    pub pages: PagesArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `user delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// Do not ask for confirmation
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    #[command(flatten)]
    pub account: AccountArgs,
}

/// Arguments of `user uncroak`.
#[derive(Debug, Args)]
pub(crate) struct DeleteCroakArgs {
    /// Id of the croak: the end of its page's address, or the id in `feed --json`
    #[arg(value_name = "ID")]
    pub croak: LogIndex,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Arguments of `user unsay`.
#[derive(Debug, Args)]
pub(crate) struct UnsayArgs {
    /// Name of the room
    #[arg(value_name = "ROOM")]
    pub room: String,
    /// Id of the message, as in `ribbit client room ROOM --json`
    #[arg(value_name = "ID")]
    pub message: LogIndex,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Arguments of `user role`.
#[derive(Debug, Args)]
pub(crate) struct RoleArgs {
    #[command(flatten)]
    pub account: AccountArgs,
    /// Role
    #[arg(value_enum)]
    pub role: RoleArg,
}

/// Role of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    /// No more than every person
    Person,
    /// Decides reports, deletes croaks and messages, suspends people
    Moderator,
    /// Changes everything that needs no cluster file
    Admin,
}

impl From<RoleArg> for AccountRole {
    fn from(role: RoleArg) -> AccountRole {
        match role {
            RoleArg::Person => AccountRole::Person,
            RoleArg::Moderator => AccountRole::Moderator,
            RoleArg::Admin => AccountRole::Admin,
        }
    }
}

/// Arguments of `user site`.
#[derive(Debug, Args)]
#[group(id = "texts", required = true, multiple = true, args = ["name", "welcome"])]
pub(crate) struct SiteArgs {
    /// Name of this installation, up to 64 characters; '' for "ribbit"
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Sentence below the name, up to 200 characters; '' for none
    #[arg(long, value_name = "TEXT")]
    pub welcome: Option<String>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Arguments of `user decide`.
#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// Id of the report, as shown by `user reports`
    #[arg(value_name = "ID")]
    pub report: LogIndex,
    /// Decision
    #[arg(value_enum)]
    pub verdict: VerdictArg,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Decision about a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerdictArg {
    /// Change nothing
    Nothing,
    /// Delete the reported croak
    Remove,
    /// Warn the reported person
    Warn,
    /// Suspend the reported person
    Suspend,
}

impl From<VerdictArg> for Verdict {
    fn from(verdict: VerdictArg) -> Verdict {
        match verdict {
            VerdictArg::Nothing => Verdict::Nothing,
            VerdictArg::Remove => Verdict::Remove,
            VerdictArg::Warn => Verdict::Warn,
            VerdictArg::Suspend => Verdict::Suspend,
        }
    }
}

impl UserVerb {
    /// Returns the flags that select the cluster.
    pub(crate) fn cluster(&self) -> ClusterFlags {
        match self {
            UserVerb::List(arguments) => &arguments.output.cluster,
            UserVerb::Passwd(account) | UserVerb::Suspend(account) | UserVerb::Resume(account) => {
                &account.cluster
            }
            UserVerb::Create(arguments) => &arguments.output.cluster,
            UserVerb::Reset(arguments) => &arguments.output.cluster,
            UserVerb::Delete(arguments) => &arguments.account.cluster,
            UserVerb::Role(arguments) => &arguments.account.cluster,
            UserVerb::Uncroak(arguments) => &arguments.cluster,
            UserVerb::Unsay(arguments) => &arguments.cluster,
            UserVerb::Rooms(arguments) => &arguments.output.cluster,
            UserVerb::CloseRoom(arguments) => &arguments.cluster,
            UserVerb::Import(arguments) => &arguments.cluster,
            UserVerb::Export(output) | UserVerb::Reports(output) | UserVerb::Announcements(output) => {
                &output.cluster
            }
            UserVerb::Announce(arguments) => &arguments.output.cluster,
            UserVerb::Withdraw(arguments) => &arguments.output.cluster,
            UserVerb::Decide(arguments) => &arguments.cluster,
            UserVerb::Registration(arguments) => &arguments.cluster,
            UserVerb::Requests(output) | UserVerb::Invitations(output) => &output.cluster,
            UserVerb::Approve(arguments) | UserVerb::Refuse(arguments) => &arguments.cluster,
            UserVerb::Invite(arguments) => &arguments.output.cluster,
            UserVerb::Uninvite(arguments) => &arguments.cluster,
            UserVerb::Inviters(arguments) => &arguments.cluster,
            UserVerb::Site(arguments) => &arguments.cluster,
        }
        .clone()
    }
}

/// Text below the flags in `--help`.
const LIST_HELP: &str = "\
Examples:
  ribbit user list
  ribbit user list 'b*' --json
    {\"account\":N,\"username\":\"…\",\"name\":\"…\",\"email\":\"…\",\"created\":\"…\",
     \"suspended\":false,\"role\":\"person\" or \"moderator\" or \"admin\",
     \"sessions\":N,\"password\":true}";

/// Text below the flags in `--help`.
const ROOMS_HELP: &str = "\
Examples:
  ribbit user rooms
  ribbit user rooms 'p*' --json
    {\"room\":\"…\",\"topic\":\"…\",\"open\":true,\"members\":N,\"owner\":\"…\" or null,
     \"newest\":\"…\" or null}";

/// Text below the flags in `--help`.
const CLOSE_ROOM_HELP: &str = "\
Its name is free at once. Examples:
  ribbit user close-room pond";

/// Text below the flags in `--help`.
const PASSWD_HELP: &str = "\
The new password is asked for at a terminal; otherwise it is the first line of
standard input.

Examples:
  ribbit user passwd ada
  ribbit user passwd ada < password-file";

/// Text below the flags in `--help`.
const CREATE_HELP: &str = "\
Works whether registration is open or not. The link works once, for 30 days in
which the cluster is running, and until you make another one with `ribbit user
reset`. It is shown only here: give it to that person alone. The account cannot be
used before.

Examples:
  ribbit user create ada --name 'Ada L' --pages http://board1:8080
  ribbit user create bob --email bob@pond.example --json
    {\"username\":\"bob\",\"code\":\"…\",\"link\":\"/reset/…\"}";

/// Text below the flags in `--help`.
const RESET_HELP: &str = "\
The link works once, for a day in which the cluster is running, and until you
make another one. It is shown only here: give it to that person alone. An
account without a password, made through a gateway, gets one in this way too.

Examples:
  ribbit user reset ada
  ribbit user reset ada --pages http://board1:8080
  ribbit user reset ada --revoke
  ribbit user reset ada --json
    {\"username\":\"ada\",\"code\":\"…\",\"link\":\"/reset/…\"}";

/// Text below the flags in `--help`.
const SUSPEND_HELP: &str = "\
A suspended user cannot log in. `ribbit user resume bob` lifts the suspension.

Examples:
  ribbit user suspend bob";

/// Text below the flags in `--help`.
const RESUME_HELP: &str = "\
Examples:
  ribbit user resume bob";

/// Text below the flags in `--help`.
const ROLE_HELP: &str = "\
A moderator decides reports, deletes croaks and messages in rooms, and suspends
people who are neither moderators nor admins. An admin makes every change that
`ribbit user` makes, except setting a password. This command needs the cluster
file, so it can always make an admin.

Examples:
  ribbit user role ada admin
  ribbit user role bob person            Takes a role away";

/// Text below the flags in `--help`.
const DELETE_HELP: &str = "\
Examples:
  ribbit user delete bob
  ribbit user delete bob --yes           In a script";

/// Text below the flags in `--help`.
const UNCROAK_HELP: &str = "\
Examples:
  ribbit user uncroak 1234               http://board1:8080/croak/1234";

/// Text below the flags in `--help`.
const UNSAY_HELP: &str = "\
Examples:
  ribbit user unsay pond 1234";

/// Text below the flags in `--help`.
const REPORTS_HELP: &str = "\
Examples:
  ribbit user reports
  ribbit user reports --json
    {\"id\":N,\"from\":\"…\",\"about\":\"…\",\"kind\":\"person\" or \"croak\" or \"message\",
     \"of\":N,\"words\":\"…\",\"text\":\"…\",\"at\":\"…\"}";

/// Text below the flags in `--help`.
const DECIDE_HELP: &str = "\
Examples:
  ribbit user decide 1234 nothing
  ribbit user decide 1234 remove         Deletes the reported croak
  ribbit user decide 1234 warn           Tells the reported person to be kind
  ribbit user decide 1234 suspend        As ribbit user suspend does";

/// Text below the flags in `--help`.
const SITE_HELP: &str = "\
Examples:
  ribbit user site --name 'The north pond' --welcome 'Croaks of the rowing club.'
  ribbit user site --welcome ''";
