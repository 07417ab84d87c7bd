//! `ribbit user`: account management for operators.
//!
//! It asks any member on the control plane, which needs the cluster key and no login. The user types a name; it is resolved
//! to the account's id first, and the change uses the id. So an account that is deleted meanwhile is not confused with a
//! later one of the same name.

pub(crate) mod announcements;
pub(crate) mod arguments;
pub(crate) mod import;
pub(crate) mod invitations;
mod link_files;
mod links;

use crate::client::session::request_error::RequestError;
use crate::client::verbs::{VerbError, ended, input, say, usage};
use crate::common::cluster_selection::ClusterAccess;
use crate::common::failure::{Exit, Failure};
use crate::common::survey;
use arguments::{
    AccountArgs, CloseRoomArgs, CreateArgs, DecideArgs, DeleteArgs, DeleteCroakArgs, ListArgs, ResetArgs,
    RoleArgs, RoomsArgs, SiteArgs, UnsayArgs, UserVerb,
};
use links::{Link, PagesArgs};
use ribbit_net::client::{Client, ClientError};
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::{new_code, new_request_id, to_hex, token_hash};
use ribbit_state::command::{NewPerson, UnreplicatedAct};
use ribbit_state::query::{AccountSummary, OperatorQuery};
use ribbit_state::text::{check_password, fold_username};
use ribbit_state::{
    AccountId, AccountRole, Code, Command, Consistency, Denied, Field, OperatorCommand, Page, Query, Reply,
    Request,
};
use ribbit_ui::{lines, person_json, report_words, rooms};
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

/// Path of the page on which a link sets a password, before its code.
const RESET_PATH: &str = "/reset/";
/// Timeout of a request.
const ASK_MAX: Duration = Duration::from_secs(10);
/// Timeout of a linearizable read, after which a stale one may be made.
const NEWEST_MAX: Duration = Duration::from_secs(3);

/// Performs the verb and returns the exit code.
///
/// # Errors
/// 1: refused. 2: an input is missing. 3: no server answers.
pub(crate) async fn run(cluster: &ClusterAccess, verb: UserVerb) -> Result<u8, Failure> {
    let operator = Operator::reach(cluster).await?;
    ended(operator.perform(verb).await)
}

/// A client of an operator on the control plane.
pub(super) struct Operator {
    client: Client,
}

impl Operator {
    /// Surveys the cluster and creates a client of its members.
    ///
    /// # Errors
    /// 3: no member answers.
    pub(super) async fn reach(cluster: &ClusterAccess) -> Result<Operator, Failure> {
        let survey = survey::reached(cluster).await?;
        let client = Client::operating(survey.answering(), survey.silent(), cluster.keys.clone());
        Ok(Operator { client })
    }

    /// Enters an act that changes nothing in the replicated state in the audit log. It stays done without. `what` names it.
    pub(super) async fn record(cluster: &ClusterAccess, act: UnreplicatedAct, what: &str) {
        let recorded = async {
            let operator = Operator::reach(cluster).await?;
            operator.write(OperatorCommand::Record { act }.into()).await?;
            Ok::<(), Failure>(())
        };
        if let Err(failure) = recorded.await {
            eprintln!("warning: the audit log does not record this {what}: {failure}");
        }
    }

    async fn perform(&self, verb: UserVerb) -> Result<(), VerbError> {
        match verb {
            UserVerb::List(ListArgs { names, output }) => self.list(&names, output.json).await,
            UserVerb::Create(arguments) => self.create(arguments).await,
            UserVerb::Import(arguments) => self.import(arguments).await,
            UserVerb::Export(output) => self.export(&output).await,
            UserVerb::Passwd(AccountArgs { username, .. }) => self.set_password(&username).await,
            UserVerb::Reset(ResetArgs { username, revoke: true, .. }) => self.revoke_reset(&username).await,
            UserVerb::Reset(ResetArgs { username, revoke: false, pages, output }) => {
                self.reset(&username, &pages, output.json).await
            }
            UserVerb::Suspend(AccountArgs { username, .. }) => self.suspend(&username, true).await,
            UserVerb::Resume(AccountArgs { username, .. }) => self.suspend(&username, false).await,
            UserVerb::Role(RoleArgs { role, account }) => self.set_role(&account.username, role.into()).await,
            UserVerb::Unsay(UnsayArgs { room, message, .. }) => {
                self.write(OperatorCommand::RemoveRoomMessage { room, message }.into()).await?;
                say(&format!("deleted message {message}"))
            }
            UserVerb::Rooms(RoomsArgs { names, output }) => self.rooms(names, output.json).await,
            UserVerb::CloseRoom(CloseRoomArgs { room, yes, .. }) => {
                if !yes {
                    confirm(&format!("the room {room} and everything that was said in it"))?;
                }
                self.write(OperatorCommand::CloseRoom { room: room.clone() }.into()).await?;
                say(&format!("closed the room {room}"))
            }
            UserVerb::Delete(DeleteArgs { yes, account }) => self.delete(&account.username, yes).await,
            UserVerb::Uncroak(DeleteCroakArgs { croak, .. }) => {
                self.write(OperatorCommand::RemoveCroak { croak }.into()).await?;
                say(&format!("deleted croak {croak}"))
            }
            UserVerb::Reports(output) => self.reports(output.json).await,
            UserVerb::Announce(arguments) => self.announce(arguments).await,
            UserVerb::Announcements(output) => self.announcements(output.json).await,
            UserVerb::Withdraw(arguments) => self.withdraw(arguments).await,
            UserVerb::Decide(DecideArgs { report, verdict, .. }) => {
                let verdict = verdict.into();
                self.write(OperatorCommand::DecideReport { report, verdict }.into()).await?;
                say(&format!("decided report {report}: {}", verdict.name()))
            }
            UserVerb::Registration(arguments) => self.set_registration(arguments.mode.into()).await,
            UserVerb::Requests(output) => self.requests(output.json).await,
            UserVerb::Approve(arguments) => self.decide_requests(arguments.usernames, true).await,
            UserVerb::Refuse(arguments) => self.decide_requests(arguments.usernames, false).await,
            UserVerb::Invite(arguments) => self.invite(arguments).await,
            UserVerb::Invitations(output) => self.invitations(output.json).await,
            UserVerb::Uninvite(arguments) => self.uninvite(arguments.invitation).await,
            UserVerb::Inviters(arguments) => self.set_inviters(arguments.who.into()).await,
            UserVerb::Site(SiteArgs { name, welcome, .. }) => {
                self.write(OperatorCommand::DescribeSite { name, welcome }.into()).await?;
                say("changed the texts of the first page")
            }
        }
    }

    async fn suspend(&self, username: &str, suspended: bool) -> Result<(), VerbError> {
        let (account, username) = self.account(username).await?;
        self.write(OperatorCommand::Suspend { account, suspended }.into()).await?;
        say(&match suspended {
            true => format!("suspended @{username} and ended their sessions"),
            false => format!("lifted the suspension of @{username}"),
        })
    }

    async fn set_role(&self, username: &str, role: AccountRole) -> Result<(), VerbError> {
        let (account, username) = self.account(username).await?;
        self.write(OperatorCommand::SetRole { account, role }.into()).await?;
        say(&format!("@{username} is {} now", role.with_article()))
    }

    async fn delete(&self, username: &str, confirmed: bool) -> Result<(), VerbError> {
        let (account, username) = self.account(username).await?;
        if !confirmed {
            confirm(&format!("@{username} and everything they wrote"))?;
        }
        self.write(OperatorCommand::RemoveAccount { account }.into()).await?;
        say(&format!("deleted @{username} and everything they wrote"))
    }

    async fn list(&self, names: &str, json: bool) -> Result<(), VerbError> {
        let accounts = self.accounts(names, true).await?;
        match json {
            true => accounts.iter().try_for_each(|account| say(&person_json::account_line(account))),
            false => say(lines::accounts(&accounts).trim_end()),
        }
    }

    async fn rooms(&self, names: String, json: bool) -> Result<(), VerbError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let query = OperatorQuery::Rooms { names: names.clone(), after };
            let Page::AllRooms { rooms, more } = self.read(query.into(), true).await? else {
                return Err(RequestError::unexpected().into());
            };
            all.extend(rooms);
            match more {
                Some(_) => after = more,
                None => break,
            }
        }
        match json {
            true => all.iter().try_for_each(|listed| say(&rooms::listed_json(listed))),
            false => say(rooms::listed_table(&all).trim_end()),
        }
    }

    /// Lists the undecided reports, oldest first.
    async fn reports(&self, json: bool) -> Result<(), VerbError> {
        let mut after = None;
        loop {
            let Page::Reports { reports, more } =
                self.read(OperatorQuery::Reports { after }.into(), true).await?
            else {
                return Err(RequestError::unexpected().into());
            };
            for report in &reports {
                say(&match json {
                    true => report_words::json(report),
                    false => report_words::lines(report),
                })?;
            }
            match more {
                Some(_) => after = more,
                None => return Ok(()),
            }
        }
    }

    async fn set_password(&self, username: &str) -> Result<(), VerbError> {
        let username = fold_username(username).map_err(RequestError::from)?;
        // Checks that the account exists before the password is typed.
        self.account(&username).await?;
        let password = input::new_password(&format!("New password for @{username}: "))?;
        check_password(&password.0).map_err(RequestError::from)?;
        let (id, submitted_at) = (new_request_id(), self.submitted_at().await?);
        self.written(Ask::SetPassword { id, submitted_at, username: username.clone(), password }).await?;
        say(&format!("changed the password of @{username} and ended their sessions"))
    }

    /// Creates an account with a one-time link to set its password, and prints the link. It is known nowhere else.
    async fn create(&self, arguments: CreateArgs) -> Result<(), VerbError> {
        let CreateArgs { username, name, email, pages: PagesArgs { pages, qr }, output } = arguments;
        let username = fold_username(&username).map_err(RequestError::from)?;
        let code = new_code();
        let name = name.unwrap_or_else(|| username.clone());
        let person = NewPerson { username: username.clone(), name, email, ..NewPerson::default() };
        let command = OperatorCommand::CreateWithLink { person: Box::new(person), code: token_hash(&code) };
        self.write(command.into()).await?;
        let link = Link { path: RESET_PATH, code: to_hex(&code), pages: pages.as_deref(), qr };
        link.say_password(
            &username,
            output.json,
            &format!("created @{username}, who can set a password"),
            "30 days",
        )
    }

    /// Makes a one-time link to set a new password, and prints it. It is known nowhere else.
    async fn reset(&self, username: &str, pages: &PagesArgs, json: bool) -> Result<(), VerbError> {
        let (account, username) = self.account(username).await?;
        let code = new_code();
        let command = OperatorCommand::MakeResetLink { account, code: token_hash(&code) };
        self.write(command.into()).await?;
        let link =
            Link { path: RESET_PATH, code: to_hex(&code), pages: pages.pages.as_deref(), qr: pages.qr };
        link.say_password(&username, json, &format!("@{username} can set a new password"), "a day")
    }

    /// Ends the account's link to set a password.
    async fn revoke_reset(&self, username: &str) -> Result<(), VerbError> {
        let (account, username) = self.account(username).await?;
        self.write(OperatorCommand::RevokeResetLink { account }.into()).await?;
        say(&format!("no link sets the password of @{username} any more"))
    }

    /// Returns the id of the account with this name, and the name as stored.
    async fn account(&self, username: &str) -> Result<(AccountId, String), RequestError> {
        let username = fold_username(username)?;
        // A user name contains no wildcard character, so it matches itself only.
        let found = self.accounts(&username, false).await?;
        let account = found.first().ok_or(Denied::of(Code::NoSuchUser, Field::Username))?;
        Ok((account.person.account, username))
    }

    /// Reads all accounts whose names match, page by page; `or_old` as in [`Operator::read`].
    async fn accounts(&self, names: &str, or_old: bool) -> Result<Vec<AccountSummary>, RequestError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page =
                self.read(OperatorQuery::Accounts { names: names.to_string(), after }.into(), or_old).await?;
            let Page::Accounts { accounts, more } = page else {
                return Err(RequestError::unexpected());
            };
            all.extend(accounts);
            match more {
                Some(_) => after = more,
                None => return Ok(all),
            }
        }
    }

    /// Makes a linearizable read. Without a quorum, `or_old` allows a stale read with a warning; no change is based on it.
    pub(super) async fn read(&self, query: Query, or_old: bool) -> Result<Page, RequestError> {
        let ask = |consistency| Ask::Read { seen: None, consistency, query: query.clone() };
        let newest = self.client.ask(ask(Consistency::Linearizable), NEWEST_MAX).await;
        let answer = match newest {
            Ok(answer @ (Answer::Read { .. } | Answer::Refused(_))) => answer,
            Err(ClientError::Abandoned) => return Err(RequestError::unanswered_read(ClientError::Abandoned)),
            Err(why) if !or_old => return Err(RequestError::unanswered_read(why)),
            _ => {
                eprintln!("warning: there is no quorum at the moment, so this list may be outdated");
                self.client
                    .ask(ask(Consistency::Stale), ASK_MAX)
                    .await
                    .map_err(RequestError::unanswered_read)?
            }
        };
        page_of(answer)
    }

    /// Reads a state at least as new as the last answer.
    pub(super) async fn read_on(&self, query: Query) -> Result<Page, RequestError> {
        let ask = Ask::Read { seen: self.client.seen(), consistency: Consistency::Session, query };
        page_of(self.client.ask(ask, ASK_MAX).await.map_err(RequestError::unanswered_read)?)
    }

    pub(super) async fn write(&self, command: Command) -> Result<Reply, RequestError> {
        let (id, submitted_at) = (new_request_id(), self.submitted_at().await?);
        self.written(Ask::Write(Request { id, submitted_at, origin: None, command })).await
    }

    async fn submitted_at(&self) -> Result<u64, RequestError> {
        match self.client.seen() {
            Some(seen) => Ok(seen.index),
            None => Ok(self.client.position(ASK_MAX).await.map_err(RequestError::unanswered_read)?.index),
        }
    }

    async fn written(&self, ask: Ask) -> Result<Reply, RequestError> {
        match self.client.ask(ask, ASK_MAX).await? {
            Answer::Written { outcome, .. } => Ok(outcome?),
            Answer::Refused(denied) => Err(denied.into()),
            _ => Err(RequestError::unexpected()),
        }
    }
}

/// Returns the page of an answer to a read.
fn page_of(answer: Answer) -> Result<Page, RequestError> {
    match answer {
        Answer::Read { page, .. } => Ok(page?),
        Answer::Refused(denied) => Err(denied.into()),
        _ => Err(RequestError::unexpected()),
    }
}

/// Asks for confirmation of a deletion.
fn confirm(what: &str) -> Result<(), VerbError> {
    if !io::stdin().is_terminal() {
        return Err(usage(format!("add --yes to delete {what}, for good")));
    }
    let mut out = io::stderr().lock();
    let question = format!("Delete {what}, for good? [y/N] ");
    let _ = write!(out, "{question}").and_then(|()| out.flush());
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match (read, answer.trim()) {
        (Ok(_), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new(Exit::Refused, "cancelled: nothing was deleted").into()),
    }
}
