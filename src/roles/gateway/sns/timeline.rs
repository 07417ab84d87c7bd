//! The timeline of Tiny SNS: a stream in both directions for as long as a client is in its chat.
//!
//! ```text
//!   client ── name, then posts ──▶ empty? dropped ──▶ too long? words on the stream ──▶ a croak
//!   client ◀── newest posts since each follow, then each new one ── timeline ◀── events
//! ```
//!
//! - Posts are carried out one after the other, also when the client has gone meanwhile. The next one waits in the client's window.
//! - At the end of its input the client sends empty messages as fast as it can. After `EMPTY_MAX` in a row the stream ends.
//! - The time of a post is the croak's. The one that a client sends along is only given back with the words about a refusal.
//! - A reader that takes nothing holds its own stream up and nothing else: events wait in the log.

use super::messages::{Post, Timestamp};
use super::{Caller, refused, undecided};
use crate::gateway::grpc::call::{Replies, Requests, decode};
use crate::gateway::grpc::status::{Status, StatusCode};
use crate::operations::croaks::Post as Croak;
use crate::operations::live::{LiveEvents, News};
use crate::operations::{Refusal, Session};
use ribbit_state::limits::CROAK_CHARS_MAX;
use ribbit_state::sync::MutexExt;
use ribbit_state::{Code, LogIndex};
use smol::Timer;
use smol::future::{or, pending};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Number of posts that a client gets when its stream begins.
const FIRST_POSTS: usize = 20;
/// Maximum number of posts that are sent for one event.
const NEW_POSTS_MAX: usize = 200;
/// Number of empty messages in a row after which the stream ends.
const EMPTY_MAX: usize = 1_000;
/// Maximum number of streams of one user on this gateway.
const STREAMS_PER_USER_MAX: usize = 8;
/// Maximum number of streams on this gateway.
const STREAMS_MAX: usize = 512;
/// Pause before a read that failed is tried again.
const READ_PAUSE: Duration = Duration::from_millis(500);
/// Author of the words that a client gets in place of a post.
const WORDS_FROM: &str = "ribbit";

/// Number of streams of each user.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<HashMap<String, usize>>);

/// Stream that is counted until it is dropped.
struct CountedStream {
    streams: Arc<Streams>,
    username: String,
}

impl Streams {
    fn enter(self: &Arc<Self>, username: &str) -> Result<CountedStream, Status> {
        let mut users = self.0.locked();
        let all: usize = users.values().sum();
        let own = users.get(username).copied().unwrap_or(0);
        if all >= STREAMS_MAX || own >= STREAMS_PER_USER_MAX {
            return Err(Status::new(StatusCode::ResourceExhausted, "There are too many timelines."));
        }
        users.insert(username.to_string(), own + 1);
        Ok(CountedStream { streams: self.clone(), username: username.to_string() })
    }
}

impl Drop for CountedStream {
    fn drop(&mut self) {
        let mut users = self.streams.0.locked();
        match users.get_mut(&self.username) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                users.remove(&self.username);
            }
        }
    }
}

impl Caller {
    pub(super) async fn timeline(
        self: Arc<Self>,
        mut requests: Requests,
        replies: Replies,
    ) -> Result<(), Status> {
        let Some(first) = or(next(&mut requests), stopped(&replies)).await? else { return Ok(()) };
        let session = self.enter(&first.username).await.map_err(no_stream)?;
        let _counted = self.sns.streams.enter(&session.username)?;
        let operations = &self.sns.operations;
        let mut live = operations.live(&session).await.map_err(no_stream)?;
        let newest = operations.timeline(&session, 0, FIRST_POSTS).await.map_err(no_stream)?;
        let through = newest.through.max(live.position());
        for croak in &newest.posts {
            replies.send(&shown(croak)).await?;
        }
        self.post(&session, &first, &replies).await?;
        let posting = self.post_all(&session, &mut requests, &replies);
        or(posting, self.show_new(&session, &mut live, through, &replies)).await
    }

    /// Posts what the client sends, until it ends its side, has gone, or sends nothing but empty messages.
    async fn post_all(
        &self,
        session: &Session,
        requests: &mut Requests,
        replies: &Replies,
    ) -> Result<(), Status> {
        let mut empty = 0;
        while let Some(post) = or(next(requests), stopped(replies)).await? {
            if is_empty(&post) {
                empty += 1;
                if empty == EMPTY_MAX {
                    log::debug!("a timeline of {} ends: nothing but empty messages", session.username);
                    return Ok(());
                }
                continue;
            }
            empty = 0;
            self.post(session, &post, replies).await?;
        }
        Ok(())
    }

    /// Posts one message, or says on the stream why not.
    async fn post(&self, session: &Session, post: &Post, replies: &Replies) -> Result<(), Status> {
        if is_empty(post) {
            return Ok(());
        }
        let text = post.msg.trim_end_matches(['\r', '\n']);
        let words = match self.sns.operations.post(self.from, session, text).await {
            Ok(_) => return Ok(()),
            Err(Refusal::Denied(Code::CroakTooLong)) => {
                format!("Your post is longer than {CROAK_CHARS_MAX} characters, so it was not posted.")
            }
            Err(refusal @ Refusal::Denied(Code::NotLoggedIn)) => return Err(no_stream(refusal)),
            Err(Refusal::Denied(code)) => format!("Not posted: {}", code.text()),
            Err(refusal) => format!("It is not certain that this was posted: {refusal}."),
        };
        let timestamp = post.timestamp.clone();
        replies.send(&Post { username: WORDS_FROM.to_string(), msg: words, timestamp }).await
    }

    /// Sends each new post, until the session ends.
    async fn show_new(
        &self,
        session: &Session,
        live: &mut LiveEvents,
        mut through: LogIndex,
        replies: &Replies,
    ) -> Result<(), Status> {
        loop {
            match self.sns.operations.news(live).await {
                News::Croaks | News::Anything => {}
                News::Messages => continue,
                News::Ended => return Ok(()),
            }
            let new = loop {
                match self.sns.operations.timeline(session, through, NEW_POSTS_MAX).await {
                    Ok(new) => break new,
                    Err(refusal) if refusal.lacks_session() => return Ok(()),
                    Err(refusal) => log::debug!("a timeline waits: {refusal}"),
                }
                Timer::after(READ_PAUSE).await;
            };
            for croak in new.posts.iter().rev() {
                if replies.send(&shown(croak)).await.is_err() {
                    // The client has gone. What it has sent before is still being posted.
                    return pending().await;
                }
            }
            through = new.through;
        }
    }
}

/// Returns the next message of the client.
async fn next(requests: &mut Requests) -> Result<Option<Post>, Status> {
    requests.next().await?.map(|message| decode(&message)).transpose()
}

async fn stopped<T>(replies: &Replies) -> Result<T, Status> {
    Err(replies.stopped().await)
}

fn is_empty(post: &Post) -> bool {
    post.msg.trim().is_empty()
}

fn shown(croak: &Croak) -> Post {
    let seconds = i64::try_from(croak.wall_ms / 1_000).unwrap_or(i64::MAX);
    let timestamp = Some(Timestamp { seconds, nanos: 0 });
    Post { username: croak.author.clone(), msg: croak.text.clone(), timestamp }
}

/// Returns the status of a stream that cannot begin or go on.
fn no_stream(refusal: Refusal) -> Status {
    match refused(refusal) {
        Ok(reply) => Status::new(StatusCode::NotFound, reply.msg),
        Err(_) => undecided(),
    }
}
