//! TO BE REPLACED: a private copy of the failover client's interface, only so that the web role compiles and can
//! be tested here. One connection per question, servers tried in turn.

use super::frame::{self, FrameError, PREFACE_BYTES, Plane, within};
use super::limits::{CONNECT_DEADLINE, FRAME_BYTES_MAX};
use super::protocol::{Answer, AnswerFrame, Ask, AskFrame, Why};
use crate::state::{Consistency, Query, Token};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Cheap to clone.
#[derive(Clone)]
pub struct Client {
    servers: Arc<Vec<String>>,
    newest: Arc<Mutex<Option<Token>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// No server answered at all.
    Nobody,
    /// Somebody answered, but nothing was decided in time.
    Undecided(Why),
}

impl Client {
    pub fn new(servers: Vec<String>) -> Client {
        Client { servers: Arc::new(servers), newest: Arc::default() }
    }

    /// Asks until there is a final answer or the deadline passes.
    ///
    /// # Errors
    /// `Unreachable` when the deadline passed without a final answer.
    pub async fn ask(&self, ask: Ask, deadline: Duration) -> Result<Answer, Unreachable> {
        let end = Instant::now() + deadline;
        let mut unreachable = Unreachable::Nobody;
        loop {
            for server in self.servers.iter() {
                let left = end.saturating_duration_since(Instant::now());
                match once(server, &ask, left).await {
                    Ok(Answer::Unavailable(why)) => {
                        unreachable = Unreachable::Undecided(why);
                        if why == Why::OtherHistory {
                            return Err(unreachable);
                        }
                    }
                    Ok(answer) => {
                        if let Answer::Written { token, .. } | Answer::Read { token, .. } = &answer {
                            *self.newest.lock().expect("nobody panics with the lock") = Some(*token);
                        }
                        return Ok(answer);
                    }
                    Err(_) => {}
                }
            }
            if end.saturating_duration_since(Instant::now()) < Duration::from_millis(100) {
                return Err(unreachable);
            }
            smol::Timer::after(Duration::from_millis(50)).await;
        }
    }

    /// The newest position this process has seen in any answer; asks for one if none yet.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn position(&self, deadline: Duration) -> Result<Token, Unreachable> {
        if let Some(token) = *self.newest.lock().expect("nobody panics with the lock") {
            return Ok(token);
        }
        let ask = Ask::Read { seen: None, consistency: Consistency::Stale, query: Query::Position };
        match self.ask(ask, deadline).await? {
            Answer::Read { token, .. } => Ok(token),
            _ => Err(Unreachable::Undecided(Why::NotServing)),
        }
    }
}

async fn once(server: &str, ask: &Ask, left: Duration) -> Result<Answer, FrameError> {
    within(left, async {
        let mut stream = within(CONNECT_DEADLINE, async {
            let mut stream = async_net::TcpStream::connect(server).await?;
            stream.write_all(&frame::preface(Plane::Client)).await?;
            let mut theirs = [0; PREFACE_BYTES];
            stream.read_exact(&mut theirs).await?;
            frame::parse_preface(&theirs)?;
            Ok(stream)
        })
        .await?;
        let deadline_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
        frame::write(&mut stream, &AskFrame { tag: 1, deadline_ms, ask: ask.clone() }).await?;
        let answer: AnswerFrame = frame::read(&mut stream, FRAME_BYTES_MAX).await?;
        Ok(answer.answer)
    })
    .await
}
