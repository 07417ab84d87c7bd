//! Scene two: two people talk, the leader is killed in the middle of it, then one more.

use super::stage::{PAUSE, Stage, VOTERS, seconds};
use super::{Teller, begin};
use crate::client::session::UserSession;
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use ribbit_state::Role;
use ribbit_state::limits::TALK_PAGE_MAX;
use ribbit_state::query::TalkPartner;
use smol::Timer;
use std::time::{Duration, Instant};

/// Who speaks, and what is said. Somebody is killed while the fourth and the eighth are on their way.
const LINES: [(&str, &str); 10] = [
    ("alice", "did you hear that?"),
    ("bob", "hear what?"),
    ("alice", "the pond, it gurgles"),
    ("bob", "that is only rain"),
    ("alice", "rain does not sing"),
    ("bob", "frogs do"),
    ("alice", "then it is frogs"),
    ("bob", "a whole choir"),
    ("alice", "what do they sing?"),
    ("bob", "always the same: ribbit"),
];
const KILLED_AT: [usize; 2] = [3, 7];
/// What people put up with.
const GAP_MAX: Duration = Duration::from_secs(3);

pub async fn play(stage: &mut Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.title("The leader dies in the middle of a conversation. Then another one dies.");
    let (took, survey) = begin(stage, teller).await?;
    let spare = survey.can_lose_processes;
    let seen = format!("{spare} may die, after {}", seconds(took));
    teller.claim("it stands: any two of its five members may die", seen, spare == 2).await;

    teller.does("alice and bob make accounts, and begin to talk.").await;
    let visitor = stage.visitor("visitor").await?;
    visitor.create(stage.form("alice", "Alice")).await?;
    visitor.create(stage.form("bob", "Bob")).await?;
    let people = [stage.log_in("alice").await?, stage.log_in("bob").await?];
    for (at, (speaker, text)) in LINES.iter().enumerate() {
        let killed = match KILLED_AT.contains(&at) {
            true => Some(kill(stage, at == KILLED_AT[0]).await?),
            false => None,
        };
        let (from, to) = if *speaker == "alice" { (0, 1) } else { (1, 0) };
        let began = Instant::now();
        people[from].send(["alice", "bob"][to], text).await?;
        let newest = heard(&people[to], speaker, text).await?;
        let gap = began.elapsed();
        output::line(&format!("  {speaker}: {text}"));
        if newest.as_deref() != Some(*text) {
            let seen = newest.unwrap_or_else(|| "nothing".into());
            teller.claim(format!("the other one reads \"{text}\""), seen, false).await;
        }
        if let Some(killed) = killed {
            let seen = format!("after {} ms", gap.as_millis());
            let expected = format!("without {killed} this was said, and read, within {}", seconds(GAP_MAX));
            teller.claim(expected, seen, gap <= GAP_MAX).await;
            leads(stage, teller, &killed).await;
        }
        teller.breath().await;
    }
    teller.does("Both look at the whole conversation again.").await;
    for (at, name) in ["alice", "bob"].iter().enumerate() {
        whole(teller, &people[at], name).await?;
    }
    let survey = stage.survey().await;
    let alive = survey.members.iter().filter(|member| member.alive).count();
    let expected = format!("{} members are there, two are not", VOTERS - KILLED_AT.len());
    teller.claim(expected, format!("{alive} are there"), alive == VOTERS - KILLED_AT.len()).await;
    Ok(())
}

/// Kills the leader, or any other backend. Answers who that was.
async fn kill(stage: &mut Stage, leader: bool) -> Result<String, Failure> {
    let survey = stage.led().await;
    let name = match leader {
        true => survey.leader,
        false => {
            let other = survey.members.iter().find(|member| {
                let name = member.info.name();
                member.alive && member.info.role == Role::Backend && Some(&name) != survey.leader.as_ref()
            });
            other.map(|member| member.info.name())
        }
    };
    let name = name.ok_or_else(|| Failure::new(Exit::Refused, "there is nobody to kill"))?;
    let pid = stage.kill(&name).await?;
    let what = if leader { ", which leads," } else { "" };
    output::line(&format!("\n> kill -9 {pid}: {name}{what} is dead. They go on talking."));
    Ok(name)
}

async fn leads(stage: &Stage, teller: &mut Teller, dead: &str) {
    let leader = stage.led().await.leader;
    let seen = leader.clone().map_or("nobody leads".to_string(), |leader| format!("{leader} leads"));
    let holds = leader.is_some_and(|leader| leader != dead);
    teller.claim("somebody who lives leads", seen, holds).await;
}

/// The newest that this person has of the other: once it is this text, which may get to the reader's backend a moment after
/// the writer's, or after `GAP_MAX`.
async fn heard(reader: &UserSession, speaker: &str, text: &str) -> Result<Option<String>, Failure> {
    let began = Instant::now();
    loop {
        let talk = reader.conversation(TalkPartner::Named(speaker.to_string()), None, 1).await?;
        let newest = talk.messages.into_iter().find(|message| !message.mine).map(|message| message.text);
        if newest.as_deref() == Some(text) || began.elapsed() > GAP_MAX {
            return Ok(newest);
        }
        Timer::after(PAUSE).await;
    }
}

/// What this person finds is what was said.
async fn whole(teller: &mut Teller, person: &UserSession, name: &str) -> Result<(), Failure> {
    let other = if name == "alice" { "bob" } else { "alice" };
    let talk = person.conversation(TalkPartner::Named(other.to_string()), None, TALK_PAGE_MAX).await?;
    let said = |mine: bool| if mine { name } else { other };
    let found: Vec<(&str, &str)> =
        talk.messages.iter().rev().map(|message| (said(message.mine), message.text.as_str())).collect();
    let same = found == LINES;
    let seen = match same {
        true => format!("{} lines, as they were said", found.len()),
        false => format!("{found:?}"),
    };
    teller.claim(format!("{name} finds all {} lines, in order, each once", LINES.len()), seen, same).await;
    Ok(())
}
