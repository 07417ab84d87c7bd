//! Scene two: two users talk, the leader is killed during the conversation, then another backend.

use super::stage::{DemoCluster, PAUSE, VOTERS, seconds};
use super::{Narrator, begin};
use crate::client::session::UserSession;
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use ribbit_state::Role;
use ribbit_state::limits::TALK_PAGE_MAX;
use ribbit_state::query::TalkPartner;
use smol::Timer;
use std::time::{Duration, Instant};

/// Lines of the conversation: speaker and text. A member is killed while the fourth and the eighth line are being sent.
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
/// Indexes of the lines during which a member is killed.
const KILLED_AT: [usize; 2] = [3, 7];
/// Longest acceptable delay of a line after a failure.
const GAP_MAX: Duration = Duration::from_secs(3);

/// Plays the scene.
///
/// # Errors
/// 1: the cluster does not start, or no member can be killed. Otherwise the failure of a request.
pub(crate) async fn play(stage: &mut DemoCluster, narrator: &mut Narrator) -> Result<(), Failure> {
    narrator.title("The leader dies during a conversation, then another member");
    let (took, survey) = begin(stage, narrator).await?;
    let spare = survey.can_lose_processes;
    let seen = format!("{spare} may fail, after {}", seconds(took));
    narrator.claim("the cluster is up: any two of its five members may fail", seen, spare == 2).await;

    narrator.does("alice and bob sign up and start talking.").await;
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
            narrator.claim(format!("the other user reads \"{text}\""), seen, false).await;
        }
        if let Some(killed) = killed {
            let seen = format!("after {} ms", gap.as_millis());
            let expected =
                format!("without {killed}, this line was sent and read within {}", seconds(GAP_MAX));
            narrator.claim(expected, seen, gap <= GAP_MAX).await;
            leads(stage, narrator, &killed).await;
        }
        narrator.breath().await;
    }
    narrator.does("Both read the whole conversation again.").await;
    for (at, name) in ["alice", "bob"].iter().enumerate() {
        whole(narrator, &people[at], name).await?;
    }
    let survey = stage.survey().await;
    let alive = survey.members.iter().filter(|member| member.alive).count();
    let expected = format!("{} members are up, two are down", VOTERS - KILLED_AT.len());
    narrator.claim(expected, format!("{alive} are up"), alive == VOTERS - KILLED_AT.len()).await;
    Ok(())
}

/// Kills the leader, or any other backend. Returns the member's name.
async fn kill(stage: &mut DemoCluster, leader: bool) -> Result<String, Failure> {
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
    let name = name.ok_or_else(|| Failure::new(Exit::Refused, "there is no member to kill"))?;
    let pid = stage.kill(&name).await?;
    let what = if leader { ", the leader," } else { "" };
    output::line(&format!("\n> kill -9 {pid}: {name}{what} is dead. The conversation goes on."));
    Ok(name)
}

/// Claims that a living member leads.
async fn leads(stage: &DemoCluster, narrator: &mut Narrator, dead: &str) {
    let leader = stage.led().await.leader;
    let seen = leader.clone().map_or("there is no leader".to_string(), |leader| format!("{leader} leads"));
    let holds = leader.is_some_and(|leader| leader != dead);
    narrator.claim("a living member leads", seen, holds).await;
}

/// Returns the newest message that the reader has from the speaker. Waits until it is this text, for at most `GAP_MAX`: the
/// reader's backend may apply it a moment after the writer's.
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

/// Claims that the conversation of this user is complete and in order.
async fn whole(narrator: &mut Narrator, person: &UserSession, name: &str) -> Result<(), Failure> {
    let other = if name == "alice" { "bob" } else { "alice" };
    let talk = person.conversation(TalkPartner::Named(other.to_string()), None, TALK_PAGE_MAX).await?;
    let said = |mine: bool| if mine { name } else { other };
    let found: Vec<(&str, &str)> =
        talk.messages.iter().rev().map(|message| (said(message.mine), message.text.as_str())).collect();
    let same = found == LINES;
    let seen = match same {
        true => format!("{} lines, as they were sent", found.len()),
        false => format!("{found:?}"),
    };
    narrator.claim(format!("{name} has all {} lines, in order, each once", LINES.len()), seen, same).await;
    Ok(())
}
