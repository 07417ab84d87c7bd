//! Scene one: messages wait for somebody who is away, everything is switched off, and on again.

use super::stage::{PROCESSES, Stage, VOTERS, seconds};
use super::{Teller, begin};
use crate::client::session::UserSession;
use crate::common::failure::Failure;
use ribbit_state::LogIndex;
use ribbit_state::limits::TALK_PAGE_MAX;
use ribbit_state::query::TalkPartner;

const READ_BEFORE: &str = "are you there?";
const WAITING: [&str; 3] = ["the pond is full", "frogs everywhere", "come and see"];
const CROAKS: [&str; 2] = ["it rains", "it still rains"];
const FEED_MAX: usize = 10;

pub async fn play(stage: &mut Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.title("Everything goes off while messages wait. Then it comes on again.");
    let (took, survey) = begin(stage, teller).await?;
    let leader = survey.leader.clone().unwrap_or_else(|| "nobody".into());
    let alive = survey.members.iter().filter(|member| member.alive).count();
    let seen = format!("{leader} leads, {alive} are there, after {}", seconds(took));
    teller
        .claim("all five members are there, one leads", seen, alive == VOTERS && survey.leader.is_some())
        .await;

    let (read_through, alice) = before(stage, teller).await?;
    off(stage, teller, alice).await?;
    teller.does("The power comes back: everything is started again, on what is on the disk.").await;
    let took = stage.switch_on().await?;
    let survey = stage.survey().await;
    let alive = survey.members.iter().filter(|member| member.alive).count();
    let seen = format!("{alive} are there, after {}", seconds(took));
    teller.claim("all five members are there again", seen, alive == VOTERS).await;
    after(stage, teller, read_through).await
}

/// Who wrote what. Answers how far bob has read, and alice.
async fn before(stage: &Stage, teller: &mut Teller) -> Result<(LogIndex, UserSession), Failure> {
    teller.does("alice and bob make accounts, and bob follows alice.").await;
    let visitor = stage.visitor("visitor").await?;
    visitor.create(stage.form("alice", "Alice")).await?;
    visitor.create(stage.form("bob", "Bob")).await?;
    let alice = stage.log_in("alice").await?;
    let bob = stage.log_in("bob").await?;
    bob.follow("alice").await?;
    bob.log_out().await?;
    teller.does(&format!("alice writes \"{READ_BEFORE}\" to bob, who comes, reads it and goes away.")).await;
    let id = alice.send("bob", READ_BEFORE).await?;
    // Whoever logs in sees all that was acknowledged before.
    let bob = stage.log_in("bob").await?;
    let first = bob.unread_messages().await?;
    let seen = format!("{} waited for him", first.len());
    teller
        .claim("bob has one message, and reads it", seen, first.len() == 1 && first[0].message.id == id)
        .await;
    for waiting in &first {
        bob.mark(waiting.talk.with_account, waiting.message.id, waiting.message.id).await?;
    }
    bob.log_out().await?;
    teller.does("While bob is away alice writes three more messages to him, and croaks twice.").await;
    let mut acknowledged = 0;
    for text in WAITING {
        alice.send("bob", text).await?;
        acknowledged += 1;
    }
    for text in CROAKS {
        alice.post(text).await?;
        acknowledged += 1;
    }
    let said = WAITING.len() + CROAKS.len();
    let seen = format!("{acknowledged} acknowledged");
    teller
        .claim(
            format!("all {said} are acknowledged: they are on a majority's disks"),
            seen,
            acknowledged == said,
        )
        .await;
    Ok((id, alice))
}

async fn off(stage: &mut Stage, teller: &mut Teller, alice: UserSession) -> Result<(), Failure> {
    teller
        .does("The power goes: kill -9 of every process at the same time. Nobody says farewell to anybody.")
        .await;
    drop(alice);
    let killed = stage.switch_off().await?;
    teller
        .claim(format!("{PROCESSES} processes are gone"), format!("{killed} are gone"), killed == PROCESSES)
        .await;
    let anyone = stage.survey().await.anyone();
    let seen = if anyone { "somebody answers" } else { "nobody answers" };
    teller.claim("nobody answers any more", seen, !anyone).await;
    Ok(())
}

/// What bob finds.
async fn after(stage: &Stage, teller: &mut Teller, read_through: LogIndex) -> Result<(), Failure> {
    teller.does("bob comes back and logs in with his password.").await;
    let bob = stage.log_in("bob").await?;
    let unread = bob.unread().await?;
    let (messages, croaks) = (unread.messages as usize, unread.croaks as usize);
    let seen = format!("{messages} messages and {croaks} croaks");
    let expected = format!("{} messages and {} croaks are marked as not read", WAITING.len(), CROAKS.len());
    teller.claim(expected, seen, messages == WAITING.len() && croaks == CROAKS.len()).await;

    let waiting: Vec<String> = bob.unread_messages().await?.into_iter().map(|it| it.message.text).collect();
    teller.same("what waits, in order, each once", &WAITING.map(String::from), &waiting).await;

    let talk = bob.conversation(TalkPartner::Named("alice".into()), None, TALK_PAGE_MAX).await?;
    let all: Vec<String> = talk.messages.iter().rev().map(|message| message.text.clone()).collect();
    let expected: Vec<String> = std::iter::once(READ_BEFORE).chain(WAITING).map(String::from).collect();
    teller.same("the whole talk with alice", &expected, &all).await;
    let seen = if talk.read_through == read_through { "it is" } else { "it is not" };
    teller.claim("what bob had read is still marked as read", seen, talk.read_through == read_through).await;

    let feed = bob.feed(None, FEED_MAX).await?.value.croaks;
    let texts: Vec<String> = feed.into_iter().map(|croak| croak.text).collect();
    teller.same("his feed", &CROAKS.map(String::from), &texts).await;

    teller.does("bob answers.").await;
    bob.send("alice", "on my way").await?;
    let alice = stage.log_in("alice").await?;
    let texts: Vec<String> = alice.unread_messages().await?.into_iter().map(|it| it.message.text).collect();
    teller.same("alice has his answer", &["on my way".to_string()], &texts).await;
    Ok(())
}
