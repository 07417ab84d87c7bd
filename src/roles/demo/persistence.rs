//! Scene one: messages wait for a user who is offline, all processes are killed and started again.

use super::stage::{DemoCluster, PROCESSES, VOTERS, seconds};
use super::{Narrator, begin};
use crate::client::session::UserSession;
use crate::common::failure::Failure;
use ribbit_state::LogIndex;
use ribbit_state::limits::TALK_PAGE_MAX;
use ribbit_state::query::TalkPartner;

/// Message that bob reads before the power cut.
const READ_BEFORE: &str = "are you there?";
/// Messages that wait for bob during the power cut.
const WAITING: [&str; 3] = ["the pond is full", "frogs everywhere", "come and see"];
/// Croaks by alice before the power cut.
const CROAKS: [&str; 2] = ["it rains", "it still rains"];
/// Number of croaks to read of bob's feed.
const FEED_MAX: usize = 10;

/// Plays the scene.
///
/// # Errors
/// 1: the cluster does not start or stop. Otherwise the failure of a request.
pub(crate) async fn play(stage: &mut DemoCluster, narrator: &mut Narrator) -> Result<(), Failure> {
    narrator.title("A power cut while messages wait");
    let (took, survey) = begin(stage, narrator).await?;
    let leader = survey.leader.clone().unwrap_or_else(|| "none".into());
    let alive = survey.members.iter().filter(|member| member.alive).count();
    let seen = format!("leader: {leader}, {alive} members are up, after {}", seconds(took));
    narrator
        .claim("all five members are up, with a leader", seen, alive == VOTERS && survey.leader.is_some())
        .await;

    let (read_through, alice) = before(stage, narrator).await?;
    off(stage, narrator, alice).await?;
    narrator.does("Power is back: start all processes again, from the data on disk.").await;
    let took = stage.switch_on().await?;
    let survey = stage.survey().await;
    let alive = survey.members.iter().filter(|member| member.alive).count();
    let seen = format!("{alive} are up, after {}", seconds(took));
    narrator.claim("all five members are up again", seen, alive == VOTERS).await;
    after(stage, narrator, read_through).await
}

/// Plays everything before the power cut. Returns the last message that bob has read, and alice's session.
async fn before(stage: &DemoCluster, narrator: &mut Narrator) -> Result<(LogIndex, UserSession), Failure> {
    narrator.does("alice and bob sign up, and bob follows alice.").await;
    let visitor = stage.visitor("visitor").await?;
    visitor.create(stage.form("alice", "Alice")).await?;
    visitor.create(stage.form("bob", "Bob")).await?;
    let alice = stage.log_in("alice").await?;
    let bob = stage.log_in("bob").await?;
    bob.follow("alice").await?;
    bob.log_out().await?;
    narrator
        .does(&format!("alice sends \"{READ_BEFORE}\" to bob, who logs in, reads it and logs out."))
        .await;
    let id = alice.send("bob", READ_BEFORE).await?;
    // A new session sees everything that was acknowledged before it.
    let bob = stage.log_in("bob").await?;
    let first = bob.unread_messages().await?;
    let seen = format!("{} unread", first.len());
    narrator
        .claim(
            "bob has one unread message, and reads it",
            seen,
            first.len() == 1 && first[0].message.id == id,
        )
        .await;
    for waiting in &first {
        bob.mark(waiting.talk.with_account, waiting.message.id, waiting.message.id).await?;
    }
    bob.log_out().await?;
    narrator.does("While bob is offline, alice sends him three more messages and posts two croaks.").await;
    let mut acknowledged = 0;
    for text in WAITING {
        alice.send("bob", text).await?;
        acknowledged += 1;
    }
    for text in CROAKS {
        alice.post(text, None).await?;
        acknowledged += 1;
    }
    let said = WAITING.len() + CROAKS.len();
    let seen = format!("{acknowledged} acknowledged");
    narrator
        .claim(
            format!("all {said} writes are acknowledged: they are on the disks of a majority"),
            seen,
            acknowledged == said,
        )
        .await;
    Ok((id, alice))
}

async fn off(stage: &mut DemoCluster, narrator: &mut Narrator, alice: UserSession) -> Result<(), Failure> {
    narrator.does("Power cut: kill -9 of all processes at the same time, without any shutdown.").await;
    drop(alice);
    let killed = stage.switch_off().await?;
    narrator
        .claim(format!("{PROCESSES} processes are gone"), format!("{killed} are gone"), killed == PROCESSES)
        .await;
    let anyone = stage.survey().await.has_answers();
    let seen = if anyone { "a server answers" } else { "no server answers" };
    narrator.claim("no server answers any more", seen, !anyone).await;
    Ok(())
}

/// Checks what bob finds after the power cut.
async fn after(stage: &DemoCluster, narrator: &mut Narrator, read_through: LogIndex) -> Result<(), Failure> {
    narrator.does("bob logs in with his password.").await;
    let bob = stage.log_in("bob").await?;
    let unread = bob.unread().await?;
    let (messages, croaks) = (unread.messages as usize, unread.croaks as usize);
    let seen = format!("{messages} messages and {croaks} croaks");
    let expected = format!("{} messages and {} croaks are unread", WAITING.len(), CROAKS.len());
    narrator.claim(expected, seen, messages == WAITING.len() && croaks == CROAKS.len()).await;

    let waiting: Vec<String> = bob.unread_messages().await?.into_iter().map(|it| it.message.text).collect();
    narrator.same("unread messages, in order, each once", &WAITING.map(String::from), &waiting).await;

    let talk = bob.conversation(TalkPartner::Named("alice".into()), None, TALK_PAGE_MAX).await?;
    let all: Vec<String> = talk.messages.iter().rev().map(|message| message.text.clone()).collect();
    let expected: Vec<String> = std::iter::once(READ_BEFORE).chain(WAITING).map(String::from).collect();
    narrator.same("whole conversation with alice", &expected, &all).await;
    let seen = if talk.read_through == read_through { "it is" } else { "it is not" };
    narrator
        .claim(
            "the message that bob had read is still marked as read",
            seen,
            talk.read_through == read_through,
        )
        .await;

    let feed = bob.feed(None, FEED_MAX).await?.value.croaks;
    let texts: Vec<String> = feed.into_iter().map(|croak| croak.body.text).collect();
    narrator.same("bob's feed", &CROAKS.map(String::from), &texts).await;

    narrator.does("bob replies.").await;
    bob.send("alice", "on my way").await?;
    let alice = stage.log_in("alice").await?;
    let texts: Vec<String> = alice.unread_messages().await?.into_iter().map(|it| it.message.text).collect();
    narrator.same("alice has his reply", &["on my way".to_string()], &texts).await;
    Ok(())
}
