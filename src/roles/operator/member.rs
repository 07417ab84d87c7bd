//! `ribbit member remove|drain|undrain` and `ribbit transfer`: what is to become of a member.
//!
//! ```text
//!   survey ─▶ can it be? ─▶ ask whoever takes it, again and again ─▶ survey until it shows ─▶ say so
//! ```
//!
//! Who is asked passes the command on to the leader. Every command may be asked twice: what is done already is
//! done. Each wait has an end, and its failure says what is missing.

use crate::common::failure::{Exit, Failure};
use crate::common::options::{Fate, MemberOptions};
use crate::common::output;
use crate::operator::status;
use crate::operator::status::surveyed;
use ribbit_net::client::ask_once;
use ribbit_net::frame::Plane;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::new_request_id;
use ribbit_net::survey::{MemberView, Survey};
use ribbit_state::{Code, Denied, MemberName, Outcome, Reply, Role};
use smol::Timer;
use std::time::{Duration, Instant};

/// Until a member has gone, or stopped voting.
const CHANGE_MAX: Duration = Duration::from_secs(30);
/// Until the member leads.
const TRANSFER_MAX: Duration = Duration::from_secs(5);
/// A handover that does not show by then came to nothing: it is asked for again.
const HANDOVER_MAX: Duration = Duration::from_secs(1);
/// A process that just died may be taken for alive by the others for a moment.
const ALIVE_PATIENCE: Duration = Duration::from_secs(5);
/// One question, at one address.
const ASK_DEADLINE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(150);

/// # Errors
/// 1: it is refused, or not done in time; 3: nobody answers.
pub async fn run(options: &MemberOptions) -> Result<(), Failure> {
    let survey = status::reached(&options.group).await?;
    let wish = Wish { options, began: Instant::now() };
    let Some(member) = survey.member(options.name) else {
        return Err(wish.denied(Code::NoSuchMember, ""));
    };
    let said = match options.fate {
        Fate::Remove { alive } => wish.remove(&survey, member, alive).await,
        Fate::Drain => wish.drain(&survey).await,
        Fate::Undrain => wish.undrain(&survey).await,
        Fate::Lead => wish.lead(&survey, member).await,
    }?;
    output::line(&said);
    Ok(())
}

/// What somebody wants done with a member. Each way of doing it answers what to say at its end.
struct Wish<'a> {
    options: &'a MemberOptions,
    began: Instant,
}

impl Wish<'_> {
    async fn remove(&self, survey: &Survey, member: &MemberView, alive: bool) -> Result<String, Failure> {
        if member.alive && !alive {
            return Err(self.denied(Code::MemberAlive, "; --yes removes it nevertheless"));
        }
        let mut said = false;
        let lose = || Ask::Lose { id: new_request_id(), name: self.options.name, alive };
        loop {
            match self.ask(survey, &lose).await {
                Some(Ok(Reply::Done)) => break,
                Some(Err(denied)) if denied.code == Code::MemberAlive => {
                    if self.began.elapsed() > ALIVE_PATIENCE {
                        return Err(self.denied(Code::MemberAlive, "; --yes removes it nevertheless"));
                    }
                }
                Some(Err(denied)) => return Err(self.denied(denied.code, "")),
                // On its way out, or nobody decided.
                Some(Ok(_)) | None => self.say_who_is_missing(&mut said).await,
            }
            self.in_time(CHANGE_MAX, "is not gone").await?;
        }
        let name = self.options.name;
        Ok(match member.alive {
            true => {
                format!("{name} is removed; its process ends. To let it join anew, delete its folder first")
            }
            false => format!("{name} is removed. To let it join anew, delete its folder first"),
        })
    }

    async fn drain(&self, survey: &Survey) -> Result<String, Failure> {
        self.set_drained(survey, true).await?;
        let mut said = false;
        while self.look().await.is_none_or(|member| member.voter) {
            self.say_who_is_missing(&mut said).await;
            self.in_time(CHANGE_MAX, "is drained, but still has its vote").await?;
        }
        let name = self.options.name;
        Ok(format!("{name} learns and does not vote; `ribbit member undrain {name}` takes it back"))
    }

    async fn undrain(&self, survey: &Survey) -> Result<String, Failure> {
        self.set_drained(survey, false).await?;
        let name = self.options.name;
        Ok(format!("{name} may vote again: it will once it has caught up and there is a seat"))
    }

    async fn set_drained(&self, survey: &Survey, drained: bool) -> Result<(), Failure> {
        let drain = || Ask::Drain { id: new_request_id(), name: self.options.name, drained };
        loop {
            match self.ask(survey, &drain).await {
                Some(Ok(_)) => return Ok(()),
                Some(Err(denied)) => return Err(self.denied(denied.code, "")),
                None => self.in_time(CHANGE_MAX, "is as it was").await?,
            }
        }
    }

    async fn lead(&self, survey: &Survey, member: &MemberView) -> Result<String, Failure> {
        let name = self.options.name;
        let hindrance = match member {
            _ if name.role == Role::Coordinator => Some("is a coordinator: it hands leadership to a backend"),
            member if !member.alive => Some("is dead"),
            member if !member.voter => Some("does not vote, so it cannot lead"),
            _ => None,
        };
        if let Some(hindrance) = hindrance {
            return Err(Failure::new(Exit::Refused, format!("{name} {hindrance}")));
        }
        if survey.leader.as_ref() == Some(&name.to_string()) {
            return Ok(format!("{name} leads already, term {}", survey.term));
        }
        loop {
            let asked = Instant::now();
            let transfer = || Ask::Transfer { name };
            if let Some(Err(denied)) = self.ask(survey, &transfer).await {
                return Err(self.denied(denied.code, ""));
            }
            while asked.elapsed() < HANDOVER_MAX {
                let survey = self.survey().await;
                if survey.leader.as_ref() == Some(&name.to_string()) {
                    return Ok(format!("{name} leads, term {}", survey.term));
                }
                self.in_time(TRANSFER_MAX, "does not lead").await?;
            }
        }
    }

    /// Asks one after the other, the leader first and the member itself last, until somebody decides.
    async fn ask(&self, survey: &Survey, ask: &dyn Fn() -> Ask) -> Option<Outcome> {
        let name = self.options.name.to_string();
        let mut members: Vec<&MemberView> = survey.members.iter().filter(|member| member.alive).collect();
        members.sort_by_key(|member| {
            (member.info.name() == name, survey.leader.as_ref() != Some(&member.info.name()))
        });
        for member in members {
            let address = &member.info.address;
            match ask_once(address, Plane::Control, &self.options.group.keys, ask(), ASK_DEADLINE).await {
                Ok(Answer::Written { outcome, .. }) => return Some(outcome),
                Ok(Answer::Refused(denied)) => return Some(Err(denied)),
                Ok(other) => log::debug!("{address}: {other:?}"),
                Err(error) => log::debug!("{address}: {error}"),
            }
        }
        None
    }

    async fn survey(&self) -> Survey {
        surveyed(&self.options.group).await
    }

    /// How the member is now; nothing while nobody leads who knows.
    async fn look(&self) -> Option<MemberView> {
        let survey = self.survey().await;
        survey.leader.as_ref()?;
        survey.member(self.options.name).cloned()
    }

    /// Says once why the leader lets it keep its vote for now.
    async fn say_who_is_missing(&self, said: &mut bool) {
        let why = if *said { None } else { missing(&self.survey().await, self.options.name) };
        if let Some(why) = why {
            output::line(&format!("{} keeps its vote for now: {why}", self.options.name));
            *said = true;
        }
    }

    /// Waits a little, while there is time.
    async fn in_time(&self, limit: Duration, what: &str) -> Result<(), Failure> {
        if self.began.elapsed() < limit {
            Timer::after(PAUSE).await;
            return Ok(());
        }
        let name = self.options.name;
        let survey = self.survey().await;
        let missing = missing(&survey, name);
        let why = match survey.leader {
            None => "nobody leads".to_string(),
            Some(_) if let Some(missing) = missing => missing,
            Some(leader) if leader == name.to_string() => {
                "it leads, and no other backend can yet".to_string()
            }
            Some(leader) => format!("{leader} leads"),
        };
        Err(Failure::new(Exit::Refused, format!("{name} {what} after {} s: {why}", limit.as_secs())))
    }

    fn denied(&self, code: Code, hint: &str) -> Failure {
        Failure::new(Exit::Refused, format!("{}: {}{hint}", self.options.name, Denied::new(code)))
    }
}

/// Why a voter cannot go now: of those who would be left to vote, no majority answers. The leader goes by the same
/// (`replica::membership`), as it hears them.
fn missing(survey: &Survey, name: MemberName) -> Option<String> {
    let mut voters: Vec<&MemberView> = survey.members.iter().filter(|member| member.voter).collect();
    let voter = voters.iter().position(|member| member.info.who() == name)?;
    voters.remove(voter);
    let silent: Vec<String> =
        voters.iter().filter(|member| !member.alive).map(|member| member.info.name()).collect();
    if voters.is_empty() {
        return Some("nobody else votes".to_string());
    }
    let (left, answer) = (voters.len(), voters.len() - silent.len());
    (answer <= left / 2).then(|| {
        let silent = silent.join(" and ");
        format!("without it {left} would vote, and only {answer} of them would answer: {silent} must be back first")
    })
}
