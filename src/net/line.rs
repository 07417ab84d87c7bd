//! One connection to one server with many questions on it at once, matched to their answers by tag.
//!
//! ```text
//!   ask ──▶ table: tag → who waits          ┌─ writer: joins what waits
//!     └───▶ queue of frames ──▶ driver task ┼─ reader: answers go to who waits
//!                                           └─ watch:  silence while answers are owed ends the line
//! ```
//!
//! A server that is stopped or cut off keeps its connections open and never answers, one that hashes a
//! password takes a second over it: so while answers are owed and nothing is heard, the other side is pinged,
//! and silence after the ping ends the line. A slow answer alone does not.
//!
//! Dropping an ask frees its entry; dropping the line closes the connection. It never reconnects: that is
//! [`super::client`]'s. How many questions are under way is bounded by who asks them.

use super::channel::{Channel, Reader};
use super::frame::{self, FrameError, Plane};
use super::keys::Keys;
use super::limits::{
    ASK_BYTES_MAX, ASKS_UNDER_WAY_MAX, FRAME_BYTES_MAX, SILENCE_STEP, SILENT_STEPS_MAX, SILENT_STEPS_PING,
};
use super::protocol::{Answer, AnswerFrame, Ask, AskFrame};
use super::{handshake, tasks};
use futures_channel::oneshot;
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Nobody waits for the answer to a ping: hearing anything is enough.
const PING_TAG: u32 = 0;

/// An open connection. Share it in an `Arc`.
#[derive(Debug)]
pub struct Line {
    shared: Arc<Shared>,
    /// Owns the socket; dropping the line drops it.
    driver: smol::Task<()>,
}

#[derive(Debug)]
struct Shared {
    table: Mutex<Table>,
    frames: Sender<Vec<u8>>,
    /// Wakes the watch: an answer is owed from now on.
    owing: Sender<()>,
    /// Counts the answers heard.
    heard: AtomicU32,
}

#[derive(Debug, Default)]
struct Table {
    end: Option<End>,
    last_tag: u32,
    waiting: HashMap<u32, oneshot::Sender<Answer>>,
}

/// The reason why a line ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The other side closed it, or something broke.
    Closed,
    /// Nothing was heard any more.
    Silent,
}

impl Line {
    /// Opens a connection.
    ///
    /// # Errors
    /// As [`handshake::connect`].
    pub async fn open(address: &str, plane: Plane, keys: &Keys) -> Result<Line, FrameError> {
        let channel = handshake::connect(address, plane, keys).await?;
        let (frames, queue) = channel::bounded(ASKS_UNDER_WAY_MAX);
        let (owing, owed) = channel::bounded(1);
        let shared = Arc::new(Shared { table: Mutex::default(), frames, owing, heard: AtomicU32::new(0) });
        let driven = shared.clone();
        let address = address.to_string();
        let driver = tasks::spawn(async move {
            let end = driven.drive(channel, queue, owed).await;
            log::debug!("the connection to {address} ended: {end}");
            driven.end(if matches!(end, FrameError::TimedOut) { End::Silent } else { End::Closed });
        });
        Ok(Line { shared, driver })
    }

    /// Whether questions may still be asked on it.
    pub fn is_open(&self) -> bool {
        self.shared.table().end.is_none() && !self.driver.is_finished()
    }

    /// Asks, and waits for the answer. The server is told to answer within `limit`; `grace` more is left for
    /// the answer to travel.
    ///
    /// # Errors
    /// - `Unsent` when the line had ended before: the question did not leave.
    /// - `TooLong` when the question is longer than a server reads. The line goes on.
    /// - `Closed` when the other side ends the line before it has answered.
    /// - `TimedOut` when there is no answer in time, or nothing was heard for too long.
    pub async fn ask(&self, ask: &Ask, limit: Duration, grace: Duration) -> Result<Answer, FrameError> {
        let (answer_to, answer) = oneshot::channel();
        let waiting = self.shared.enter(answer_to)?;
        let deadline_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        let frame = frame::encode(&AskFrame { tag: waiting.tag, deadline_ms, ask: ask.clone() });
        let length = frame.len() - size_of::<u32>();
        if length > ASK_BYTES_MAX {
            return Err(FrameError::TooLong { length, limit: ASK_BYTES_MAX });
        }
        frame::within(limit.saturating_add(grace), async {
            self.shared.frames.send(frame).await.map_err(|_| FrameError::Unsent)?;
            answer.await.map_err(|_| self.shared.ended())
        })
        .await
    }
}

/// An entry in the table; dropping it takes it out again.
struct Waiting<'a> {
    shared: &'a Shared,
    tag: u32,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.table().waiting.remove(&self.tag);
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("nothing panics while it holds this lock")
    }

    fn enter(&self, answer_to: oneshot::Sender<Answer>) -> Result<Waiting<'_>, FrameError> {
        let mut table = self.table();
        if table.end.is_some() {
            return Err(FrameError::Unsent);
        }
        // The count comes round after four thousand million questions; one of them may still be waiting.
        let mut tag = table.last_tag.wrapping_add(1);
        while tag == PING_TAG || table.waiting.contains_key(&tag) {
            tag = tag.wrapping_add(1);
        }
        table.last_tag = tag;
        table.waiting.insert(tag, answer_to);
        drop(table);
        let _ = self.owing.try_send(()); // full: the watch is awake or about to be
        Ok(Waiting { shared: self, tag })
    }

    /// Nobody waits for an answer on this line any more, and nobody will.
    fn end(&self, how: End) {
        let mut table = self.table();
        table.end = Some(how);
        table.waiting.clear();
    }

    /// Why a question that was sent has no answer.
    fn ended(&self) -> FrameError {
        match self.table().end {
            Some(End::Silent) => FrameError::TimedOut,
            Some(End::Closed) | None => FrameError::Closed,
        }
    }

    async fn drive(&self, channel: Channel, queue: Receiver<Vec<u8>>, owed: Receiver<()>) -> FrameError {
        let Channel { reader, mut writer } = channel;
        let writing = async {
            match frame::write_queue(&mut writer, &queue).await {
                Ok(()) => FrameError::Closed,
                Err(error) => error,
            }
        };
        self.read(reader).or(writing).or(self.watch(owed)).await
    }

    async fn read(&self, mut reader: Reader) -> FrameError {
        loop {
            match frame::read(&mut reader, FRAME_BYTES_MAX).await {
                Ok(AnswerFrame { tag, answer }) => {
                    self.heard.fetch_add(1, Ordering::Relaxed);
                    if let Some(answer_to) = self.table().waiting.remove(&tag) {
                        let _ = answer_to.send(answer); // fails when the asker has just given up
                    }
                }
                Err(error) => return error,
            }
        }
    }

    /// Ends when answers are owed and nothing was heard for `SILENT_STEPS_MAX` steps, a ping included. Sleeps
    /// while nothing is owed.
    async fn watch(&self, owed: Receiver<()>) -> FrameError {
        loop {
            if owed.recv().await.is_err() {
                return FrameError::Closed;
            }
            let mut silent = 0;
            while !self.table().waiting.is_empty() {
                let heard = self.heard.load(Ordering::Relaxed);
                smol::Timer::after(SILENCE_STEP).await;
                silent = if self.heard.load(Ordering::Relaxed) == heard { silent + 1 } else { 0 };
                match silent {
                    SILENT_STEPS_PING => self.ping(),
                    SILENT_STEPS_MAX.. => return FrameError::TimedOut,
                    _ => {}
                }
            }
        }
    }

    fn ping(&self) {
        let rest = SILENCE_STEP * (SILENT_STEPS_MAX - SILENT_STEPS_PING);
        let deadline_ms = u32::try_from(rest.as_millis()).unwrap_or(u32::MAX);
        // A full queue means that the other side does not even read.
        let _ = self.frames.try_send(frame::encode(&AskFrame {
            tag: PING_TAG,
            deadline_ms,
            ask: Ask::NodeStatus,
        }));
    }
}
