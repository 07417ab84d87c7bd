//! `user registration`, `requests`, `approve` and `refuse`: who may create an account. `user invite`, `invitations`, `uninvite` and
//! `inviters`: invitations.

use super::Operator;
use super::announcements::duration_ms;
use super::links::{Link, PagesArgs};
use crate::client::arguments::OutputArgs;
use crate::client::session::request_error::RequestError;
use crate::client::verbs::{VerbError, say};
use crate::common::cluster_selection::ClusterFlags;
use clap::{Args, ValueEnum, value_parser};
use ribbit_net::secret::{new_code, to_hex, token_hash};
use ribbit_state::command::InvitationTerms;
use ribbit_state::limits::{INVITATION_MS_MAX, INVITATION_USES_MAX};
use ribbit_state::query::OperatorQuery;
use ribbit_state::text::fold_username;
use ribbit_state::{Inviters, LogIndex, OperatorCommand, Page, Registration, Reply};
use ribbit_ui::invitations;
use serde_json::json;

/// Arguments of `user registration`.
#[derive(Debug, Args)]
pub(crate) struct RegistrationArgs {
    /// Who may create an account
    #[arg(value_enum)]
    pub mode: RegistrationMode,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Registration mode, as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RegistrationMode {
    /// Everyone
    Open,
    /// People with an invitation
    Invitation,
    /// People with an invitation; others wait for your approval
    Request,
    /// People with an invitation by `user invite`
    Closed,
}

impl From<RegistrationMode> for Registration {
    fn from(mode: RegistrationMode) -> Registration {
        match mode {
            RegistrationMode::Open => Registration::Open,
            RegistrationMode::Invitation => Registration::Invitation,
            RegistrationMode::Request => Registration::Request,
            RegistrationMode::Closed => Registration::Closed,
        }
    }
}

/// Arguments of `user approve` and `user refuse`.
#[derive(Debug, Args)]
pub(crate) struct DecideRequestArgs {
    /// User names, as shown by `user requests`
    #[arg(value_name = "NAME", required = true)]
    pub usernames: Vec<String>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Arguments of `user invite`.
#[derive(Debug, Args)]
pub(crate) struct InviteArgs {
    /// Number of accounts that people create with the link
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u16).range(1..=i64::from(INVITATION_USES_MAX)))]
    pub uses: u16,
    /// Time for which the link works: 90m, 12h, 7d
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = lifetime_ms)]
    pub expires: u64,
    /// Room that the new people join
    #[arg(long, value_name = "ROOM")]
    pub room: Option<String>,
    #[command(flatten)]
    pub pages: PagesArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `user uninvite`.
#[derive(Debug, Args)]
pub(crate) struct UninviteArgs {
    /// Id of the invitation, as shown by `user invitations`
    #[arg(value_name = "ID")]
    pub invitation: LogIndex,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Arguments of `user inviters`.
#[derive(Debug, Args)]
pub(crate) struct InvitersArgs {
    /// People who may make invitations
    #[arg(value_enum)]
    pub who: InvitersArg,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// People who may make invitations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InvitersArg {
    Admins,
    /// Moderators and admins
    Moderators,
    Everyone,
}

impl From<InvitersArg> for Inviters {
    fn from(who: InvitersArg) -> Inviters {
        match who {
            InvitersArg::Admins => Inviters::Admins,
            InvitersArg::Moderators => Inviters::Moderators,
            InvitersArg::Everyone => Inviters::Everyone,
        }
    }
}

fn lifetime_ms(text: &str) -> Result<u64, String> {
    let fits = |ms: &u64| (1..=INVITATION_MS_MAX).contains(ms);
    duration_ms(text)
        .filter(fits)
        .ok_or("expected a duration such as 90m, 12h or 7d, at most 366d".to_string())
}

impl Operator {
    pub(super) async fn set_registration(&self, registration: Registration) -> Result<(), VerbError> {
        self.write(OperatorCommand::SetRegistration { registration }.into()).await?;
        say(match registration {
            Registration::Open => "registration is open",
            Registration::Invitation => "registration is by invitation",
            Registration::Request => {
                "registration is by request: approve people with `ribbit user approve NAME`"
            }
            Registration::Closed => "registration is closed",
        })
    }

    /// Lists the people who wait for approval.
    pub(super) async fn requests(&self, json: bool) -> Result<(), VerbError> {
        let mut after = None;
        loop {
            let page = self.read(OperatorQuery::JoinRequests { after }.into(), true).await?;
            let Page::JoinRequests { requests, more } = page else {
                return Err(RequestError::unexpected().into());
            };
            requests.iter().try_for_each(|request| match json {
                true => say(&invitations::request_json(request)),
                false => say(&invitations::request_line(request)),
            })?;
            match more {
                Some(_) => after = more,
                None => return Ok(()),
            }
        }
    }

    /// Approves or refuses requests, in the order given, up to the first that there is not.
    pub(super) async fn decide_requests(
        &self,
        usernames: Vec<String>,
        approved: bool,
    ) -> Result<(), VerbError> {
        for username in usernames {
            let username = fold_username(&username).map_err(RequestError::from)?;
            let words = match approved {
                true => format!("approved @{username}, who can log in now"),
                false => format!("refused @{username}"),
            };
            self.write(OperatorCommand::DecideRequest { username, approved }.into()).await?;
            say(&words)?;
        }
        Ok(())
    }

    /// Makes an invitation and prints its link, which is known nowhere else.
    pub(super) async fn invite(&self, arguments: InviteArgs) -> Result<(), VerbError> {
        let InviteArgs { uses, expires, room, pages, output } = arguments;
        let code = new_code();
        let terms = InvitationTerms { uses, for_ms: expires, room };
        let command = OperatorCommand::Invite { code: token_hash(&code), terms };
        let Reply::Invited { invitation } = self.write(command.into()).await? else {
            return Err(RequestError::unexpected().into());
        };
        let link = Link {
            path: "/create?invitation=",
            code: to_hex(&code),
            pages: pages.pages.as_deref(),
            qr: pages.qr,
        };
        if output.json {
            let (code, link) = (&link.code, link.address());
            return say(&json!({ "id": invitation, "code": code, "link": link }).to_string());
        }
        let uses = if uses == 1 { "one account".to_string() } else { format!("{uses} accounts") };
        let left = invitations::lasting(expires);
        say(&format!(
            "invitation {invitation}: people with this link can create {uses}{}, within {left}:\n{}\n\
             or with `ribbit client create NAME --invitation CODE` and the code {}{}",
            link.place(),
            link.address(),
            link.code,
            link.code().trim_end()
        ))
    }

    pub(super) async fn invitations(&self, json: bool) -> Result<(), VerbError> {
        let mut after = None;
        loop {
            let page = self.read(OperatorQuery::Invitations { after }.into(), true).await?;
            let Page::Invitations { invitations, more, .. } = page else {
                return Err(RequestError::unexpected().into());
            };
            invitations.iter().try_for_each(|item| match json {
                true => say(&invitations::json(item)),
                false => say(&invitations::line(item)),
            })?;
            match more {
                Some(_) => after = more,
                None => return Ok(()),
            }
        }
    }

    pub(super) async fn uninvite(&self, invitation: LogIndex) -> Result<(), VerbError> {
        self.write(OperatorCommand::Uninvite { invitation }.into()).await?;
        say(&format!("revoked invitation {invitation}"))
    }

    pub(super) async fn set_inviters(&self, inviters: Inviters) -> Result<(), VerbError> {
        self.write(OperatorCommand::SetInviters { inviters }.into()).await?;
        say(match inviters {
            Inviters::Admins => "admins may invite people",
            Inviters::Moderators => "moderators and admins may invite people",
            Inviters::Everyone => "everyone may invite people",
        })
    }
}

/// Text below the flags in `--help`.
pub(super) const REGISTRATION_HELP: &str = "\
An invitation needs no approval. While registration is closed, only invitations
made with `ribbit user invite` work. `ribbit user create` works in every mode.

Examples:
  ribbit user registration invitation
  ribbit user registration request       Then: ribbit user requests";

/// Text below the flags in `--help`.
pub(super) const REQUESTS_HELP: &str = "\
Examples:
  ribbit user requests
  ribbit user requests --json
    {\"username\":\"…\",\"name\":\"…\",\"email\":\"…\",\"time\":\"…\"}";

/// Text below the flags in `--help`.
pub(super) const APPROVE_HELP: &str = "\
Examples:
  ribbit user approve bob carl";

/// Text below the flags in `--help`.
pub(super) const REFUSE_HELP: &str = "\
A refused person may ask again, under the same name.

Examples:
  ribbit user refuse bob";

/// Text below the flags in `--help`.
pub(super) const INVITE_HELP: &str = "\
The link is shown only here. It works until it is used up, until its time in which
the cluster is running is over, or until `ribbit user uninvite ID`.

Examples:
  ribbit user invite --pages http://board1:8080         With a QR code
  ribbit user invite --uses 30 --expires 2d --room class-4b
  ribbit user invite --json
    {\"id\":N,\"code\":\"…\",\"link\":\"/create?invitation=…\"}";

/// Text below the flags in `--help`.
pub(super) const INVITATIONS_HELP: &str = "\
Examples:
  ribbit user invitations
  ribbit user invitations --json
    {\"id\":N,\"by\":\"…\" or null,\"uses\":N,\"used\":N,\"left_s\":N,\"room\":\"…\" or null,
     \"time\":\"…\"}";

/// Text below the flags in `--help`.
pub(super) const UNINVITE_HELP: &str = "\
Examples:
  ribbit user uninvite 1234";

/// Text below the flags in `--help`.
pub(super) const INVITERS_HELP: &str = "\
Invitations of people who may not invite any more stop working.

Examples:
  ribbit user inviters everyone";
