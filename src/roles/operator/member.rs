//! `ribbit member remove|drain|undrain` and `ribbit transfer`: changes of the membership.
//!
//! ```text
//!   survey ─▶ allowed? ─▶ send the command, retrying ─▶ survey until the change shows ─▶ print it
//! ```
//!
//! Every member forwards the command to the leader. Every command is idempotent, so it can be sent again. Each wait has a
//! timeout, and its failure says what is missing.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::cluster_selection::{ClusterFlags, select_with_key};
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::common::survey::{self, surveyed};
use crate::common::values;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, ArgMatches, Args, Subcommand};
use ribbit_net::frame::Plane;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::new_request_id;
use ribbit_net::survey::{MemberView, Survey};
use ribbit_state::command::MemberChange;
use ribbit_state::{
    Code, Command, Denied, MemberName, OperatorCommand, Outcome, Reply, Request, RequestId, Role,
};
use smol::Timer;
use std::time::{Duration, Instant};

/// Verbs of `member`.
#[derive(Debug, Subcommand)]
pub(crate) enum MemberVerb {
    /// Remove a member for good and wait until it is gone
    #[command(after_help = REMOVE_HELP)]
    Remove(RemoveArgs),
    /// Make a voter a learner and wait until it is one
    #[command(after_help = DRAIN_HELP)]
    Drain(MemberArgs),
    /// Allow a drained member to vote again
    #[command(after_help = UNDRAIN_HELP)]
    Undrain(MemberArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MemberArgs {
    /// Member, such as backend-2 or coordinator-1
    #[arg(value_parser = values::member)]
    pub name: MemberName,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    /// Backend that shall lead, such as backend-2
    #[arg(value_parser = values::member)]
    pub name: MemberName,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Remove the member even if it is running
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    #[command(flatten)]
    pub named: MemberArgs,
}

/// Options of `member remove`, `member drain`, `member undrain` and `transfer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberOptions {
    pub cluster: ClusterAccess,
    pub name: MemberName,
    pub change: MemberChange,
}

/// Text below the flags in `--help`.
pub(crate) const REMOVE_HELP: &str = "\
Examples:
  ribbit member remove backend-3         A dead member that will not return
  ribbit member remove backend-3 --yes   A running member; its process exits

A removed member that still has its store is not accepted back. Delete the
member's folder to let it join as a new member.";

/// Text below the flags in `--help`.
pub(crate) const DRAIN_HELP: &str = "\
Examples:
  ribbit member drain backend-2

Use this before taking a machine away for a while. The member keeps replicating
and serving clients but does not vote. `ribbit member undrain backend-2` reverts it.";

/// Text below the flags in `--help`.
pub(crate) const UNDRAIN_HELP: &str = "\
Examples:
  ribbit member undrain backend-2

The member becomes a voter as soon as a voter seat is free.";

/// Text below the flags in `--help`.
pub(crate) const TRANSFER_HELP: &str = "\
Examples:
  ribbit transfer backend-2";

impl MemberVerb {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select_with_key`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<MemberOptions, Failure> {
        match self {
            MemberVerb::Remove(RemoveArgs { yes, named }) => {
                named.options(MemberChange::Remove { alive: yes }, matches)
            }
            MemberVerb::Drain(named) => named.options(MemberChange::Drain, matches),
            MemberVerb::Undrain(named) => named.options(MemberChange::Undrain, matches),
        }
    }
}

impl MemberArgs {
    /// Returns the options of this change.
    ///
    /// # Errors
    /// As [`select_with_key`].
    pub(crate) fn options(
        self,
        change: MemberChange,
        matches: &ArgMatches,
    ) -> Result<MemberOptions, Failure> {
        Ok(MemberOptions { cluster: select_with_key(self.cluster, matches)?, name: self.name, change })
    }
}

impl TransferArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select_with_key`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<MemberOptions, Failure> {
        MemberArgs { name: self.name, cluster: self.cluster }.options(MemberChange::Lead, matches)
    }
}

/// Timeout for a member to be removed or to stop voting.
const CHANGE_MAX: Duration = Duration::from_secs(30);
/// Timeout for a member to become leader.
const TRANSFER_MAX: Duration = Duration::from_secs(5);
/// Time after which a leadership transfer is requested again.
const HANDOVER_MAX: Duration = Duration::from_secs(1);
/// Time for the cluster to notice that a process has just died.
const DEATH_NOTICE_MAX: Duration = Duration::from_secs(5);
/// Timeout of one request to one address.
const ASK_DEADLINE: Duration = Duration::from_secs(3);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(150);

/// Makes the change and waits until it shows.
///
/// # Errors
/// 1: the change is refused, or did not happen in time. 3: no member answers.
pub(crate) async fn run(options: &MemberOptions) -> Result<(), Failure> {
    let survey = survey::reached(&options.cluster).await?;
    let operation = MemberOperation { options, began: Instant::now() };
    let Some(member) = survey.member(options.name) else {
        return Err(operation.denied(Code::NoSuchMember, ""));
    };
    let said = match options.change {
        MemberChange::Remove { alive } => operation.remove(&survey, member, alive).await,
        MemberChange::Drain => operation.drain(&survey).await,
        MemberChange::Undrain => operation.undrain(&survey).await,
        MemberChange::Lead => operation.lead(&survey, member).await,
    }?;
    output::line(&said);
    Ok(())
}

/// A requested change of a member. Each method that performs one returns the message to print.
struct MemberOperation<'a> {
    options: &'a MemberOptions,
    began: Instant,
}

impl MemberOperation<'_> {
    async fn remove(&self, survey: &Survey, member: &MemberView, alive: bool) -> Result<String, Failure> {
        if member.alive && !alive {
            return Err(self.denied(Code::MemberAlive, "; add --yes to remove it anyway"));
        }
        let mut said = false;
        loop {
            match self.send(survey, new_request_id()).await {
                Some(Ok(Reply::Done)) => break,
                Some(Err(denied)) if denied.code == Code::MemberAlive => {
                    if self.began.elapsed() > DEATH_NOTICE_MAX {
                        return Err(self.denied(Code::MemberAlive, "; add --yes to remove it anyway"));
                    }
                }
                Some(Err(denied)) => return Err(self.denied(denied.code, "")),
                // The removal is in progress, or no member has decided it.
                Some(Ok(_)) | None => self.print_what_is_missing(&mut said).await,
            }
            self.in_time(CHANGE_MAX, "has not been removed").await?;
        }
        let name = self.options.name;
        Ok(match member.alive {
            true => {
                format!("{name} was removed and its process exits. To let it rejoin, delete its folder first")
            }
            false => format!("{name} was removed. To let it rejoin, delete its folder first"),
        })
    }

    async fn drain(&self, survey: &Survey) -> Result<String, Failure> {
        self.decide(survey).await?;
        let mut said = false;
        while self.look().await.is_none_or(|member| member.voter) {
            self.print_what_is_missing(&mut said).await;
            self.in_time(CHANGE_MAX, "is drained but still a voter").await?;
        }
        let name = self.options.name;
        Ok(format!("{name} is now a learner and does not vote; `ribbit member undrain {name}` reverts this"))
    }

    async fn undrain(&self, survey: &Survey) -> Result<String, Failure> {
        self.decide(survey).await?;
        let name = self.options.name;
        Ok(format!("{name} may vote again: it becomes a voter once it is in sync and a seat is free"))
    }

    /// Sends the command until it is decided.
    async fn decide(&self, survey: &Survey) -> Result<(), Failure> {
        loop {
            match self.send(survey, new_request_id()).await {
                Some(Ok(_)) => return Ok(()),
                Some(Err(denied)) => return Err(self.denied(denied.code, "")),
                None => self.in_time(CHANGE_MAX, "was not changed").await?,
            }
        }
    }

    async fn lead(&self, survey: &Survey, member: &MemberView) -> Result<String, Failure> {
        let name = self.options.name;
        let obstacle = match member {
            _ if name.role == Role::Coordinator => Some("is a coordinator: name a backend instead"),
            member if !member.alive => Some("does not answer"),
            member if !member.voter => Some("does not vote, so it cannot lead"),
            _ => None,
        };
        if let Some(obstacle) = obstacle {
            return Err(Failure::new(Exit::Refused, format!("{name} {obstacle}")));
        }
        if survey.leader.as_ref() == Some(&name.to_string()) {
            return Ok(format!("{name} is already the leader, term {}", survey.term));
        }
        let id = new_request_id();
        loop {
            let asked = Instant::now();
            if let Some(Err(denied)) = self.send(survey, id).await {
                return Err(self.denied(denied.code, ""));
            }
            while asked.elapsed() < HANDOVER_MAX {
                let survey = self.survey().await;
                if survey.leader.as_ref() == Some(&name.to_string()) {
                    return Ok(format!("{name} is the leader, term {}", survey.term));
                }
                self.in_time(TRANSFER_MAX, "is not the leader").await?;
            }
        }
    }

    /// Sends the command to one member after the other, the leader first and the member itself last, until one answers
    /// with an outcome.
    async fn send(&self, survey: &Survey, id: RequestId) -> Option<Outcome> {
        let name = self.options.name.to_string();
        let MemberOptions { name: member, change, .. } = *self.options;
        let command: Command = OperatorCommand::ChangeMember { name: member, change }.into();
        let mut members: Vec<&MemberView> = survey.members.iter().filter(|member| member.alive).collect();
        members.sort_by_key(|member| {
            (member.info.name() == name, survey.leader.as_ref() != Some(&member.info.name()))
        });
        for member in members {
            let address = &member.info.address;
            // Every change is idempotent, so it does not matter that a later try names a later index.
            let submitted_at = member.info.applied;
            let ask = Ask::Write(Request { id, submitted_at, origin: None, command: command.clone() });
            match ask_once(address, Plane::Control, &self.options.cluster.keys, ask, ASK_DEADLINE).await {
                Ok(Answer::Written { outcome, .. }) => return Some(outcome),
                Ok(Answer::Refused(denied)) => return Some(Err(denied)),
                Ok(other) => log::debug!("{address}: {other:?}"),
                Err(error) => log::debug!("{address}: {error}"),
            }
        }
        None
    }

    async fn survey(&self) -> Survey {
        surveyed(&self.options.cluster).await
    }

    /// Returns the member's current state; `None` while there is no leader to tell it.
    async fn look(&self) -> Option<MemberView> {
        let survey = self.survey().await;
        survey.leader.as_ref()?;
        survey.member(self.options.name).cloned()
    }

    /// Prints once why the member has to stay a voter for now.
    async fn print_what_is_missing(&self, said: &mut bool) {
        let why = if *said { None } else { missing(&self.survey().await, self.options.name) };
        if let Some(why) = why {
            output::line(&format!("{} stays a voter for now: {why}", self.options.name));
            *said = true;
        }
    }

    /// Waits for one pause; fails once `limit` has passed since the start.
    async fn in_time(&self, limit: Duration, what: &str) -> Result<(), Failure> {
        if self.began.elapsed() < limit {
            Timer::after(PAUSE).await;
            return Ok(());
        }
        let name = self.options.name;
        let survey = self.survey().await;
        let missing = missing(&survey, name);
        let why = match survey.leader {
            None => "there is no leader".to_string(),
            Some(_) if let Some(missing) = missing => missing,
            Some(leader) if leader == name.to_string() => {
                "it is the leader, and no other backend can take over yet".to_string()
            }
            Some(leader) => format!("the leader is {leader}"),
        };
        Err(Failure::new(Exit::Refused, format!("{name} {what} after {} s: {why}", limit.as_secs())))
    }

    fn denied(&self, code: Code, hint: &str) -> Failure {
        Failure::new(Exit::Refused, format!("{}: {}{hint}", self.options.name, Denied::new(code)))
    }
}

/// Returns why a voter cannot be removed now: of the voters that would remain, no majority answers. The leader applies the
/// same rule (`replica::membership`) to the heartbeats it receives.
fn missing(survey: &Survey, name: MemberName) -> Option<String> {
    let mut voters: Vec<&MemberView> = survey.members.iter().filter(|member| member.voter).collect();
    let voter = voters.iter().position(|member| member.info.member_name() == name)?;
    voters.remove(voter);
    let silent: Vec<String> =
        voters.iter().filter(|member| !member.alive).map(|member| member.info.name()).collect();
    if voters.is_empty() {
        return Some("it is the only voter".to_string());
    }
    let (left, answer) = (voters.len(), voters.len() - silent.len());
    (answer <= left / 2).then(|| {
        let silent = silent.join(" and ");
        format!("of the {left} voters that would remain, only {answer} answer; start {silent} first")
    })
}
