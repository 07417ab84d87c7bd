//! A multiplexed connection to one server: it carries many requests at once, matched to their answers by tag.
//!
//! ```text
//!   ask ──▶ table: tag → waiting caller     ┌─ writer: joins waiting frames
//!     └───▶ queue of frames ──▶ driver task ┼─ reader: passes answers to the waiting callers
//!                                           └─ watch:  ends the connection when answers are due and the server is silent
//! ```
//!
//! A server that is stopped or unreachable keeps its connections open and never answers. A server that hashes a password
//! takes a second to answer. To tell them apart, a silent server is pinged while answers are due. Silence after the ping
//! ends the connection; a slow answer does not.
//!
//! Dropping the future of a request frees its entry. Dropping the connection closes it.
//!
//! Not here: reconnecting ([`super::client`]), and the limit of pending requests (the caller).

use super::channel::{Channel, ChannelReader};
use super::frame::{self, FrameError, Plane};
use super::keys::Keys;
use super::limits::{
    ASK_BYTES_MAX, ASKS_UNDER_WAY_MAX, FRAME_BYTES_MAX, SILENCE_STEP, SILENT_STEPS_MAX, SILENT_STEPS_PING,
};
use super::protocol::{Answer, AnswerFrame, Ask, AskFrame};
use super::{handshake, tasks};
use futures_channel::oneshot;
use ribbit_state::sync::MutexExt;
use smol::Executor;
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Tag of a ping. No caller waits for its answer: receiving it is enough.
const PING_TAG: u32 = 0;

/// Open connection to a server. It is shared in an `Arc`.
#[derive(Debug)]
pub struct MultiplexedConnection {
    shared: Arc<ConnectionShared>,
    /// Task that owns the socket. It ends when the connection is dropped.
    driver: smol::Task<()>,
}

#[derive(Debug)]
struct ConnectionShared {
    table: Mutex<Table>,
    frames: Sender<Vec<u8>>,
    /// Wakes the watch, because an answer is due.
    owing: Sender<()>,
    /// Number of answers received.
    received: AtomicU32,
}

/// Pending requests.
#[derive(Debug, Default)]
struct Table {
    /// Set once the connection has ended.
    end: Option<End>,
    last_tag: u32,
    /// Waiting callers by tag.
    waiting: HashMap<u32, oneshot::Sender<Answer>>,
}

/// Reason why a connection ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The server closed it, or it failed.
    Closed,
    /// The server was silent for too long.
    Silent,
}

impl MultiplexedConnection {
    /// Opens a connection to HOST:PORT, which runs on the executor of all sockets.
    ///
    /// # Errors
    /// As [`handshake::connect`].
    pub async fn open(address: &str, plane: Plane, keys: &Keys) -> Result<MultiplexedConnection, FrameError> {
        MultiplexedConnection::open_on(address, plane, keys, None).await
    }

    /// Opens a connection to HOST:PORT, which runs on this executor, or else on that of all sockets.
    ///
    /// # Errors
    /// As [`handshake::connect`].
    pub async fn open_on(
        address: &str,
        plane: Plane,
        keys: &Keys,
        executor: Option<&Executor<'static>>,
    ) -> Result<MultiplexedConnection, FrameError> {
        let channel = handshake::connect(address, plane, keys).await?;
        let (frames, queue) = channel::bounded(ASKS_UNDER_WAY_MAX);
        let (owing, owed) = channel::bounded(1);
        let shared = Arc::new(ConnectionShared {
            table: Mutex::default(),
            frames,
            owing,
            received: AtomicU32::new(0),
        });
        let driven = shared.clone();
        let address = address.to_string();
        let driver = async move {
            let end = driven.drive(channel, queue, owed).await;
            log::debug!("the connection to {address} ended: {end}");
            driven.end(if matches!(end, FrameError::TimedOut) { End::Silent } else { End::Closed });
        };
        Ok(MultiplexedConnection { shared, driver: tasks::spawn_on(executor, driver) })
    }

    /// Returns true until the connection has ended.
    pub fn is_open(&self) -> bool {
        self.shared.table().end.is_none() && !self.driver.is_finished()
    }

    /// Sends a request and waits for its answer. The server is told to answer within `limit`; `grace` is added for the
    /// answer to travel.
    ///
    /// # Errors
    /// - `Unsent` when the connection had ended before the request was sent.
    /// - `TooLong` when the request is longer than a server accepts. The connection stays open.
    /// - `Closed` when the connection ends before the answer.
    /// - `TimedOut` when the answer is late, or the server was silent for too long.
    pub async fn ask(&self, ask: &Ask, limit: Duration, grace: Duration) -> Result<Answer, FrameError> {
        let (answer_to, answer) = oneshot::channel();
        let waiting = self.shared.enter(answer_to)?;
        let deadline_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        let frame = frame::encode(&AskFrame { tag: waiting.tag, deadline_ms, ask: ask.clone() });
        let length = frame.len() - size_of::<u32>();
        if length > ASK_BYTES_MAX {
            return Err(FrameError::TooLong { length, limit: ASK_BYTES_MAX });
        }
        frame::with_timeout(limit.saturating_add(grace), async {
            self.shared.frames.send(frame).await.map_err(|_| FrameError::Unsent)?;
            answer.await.map_err(|_| self.shared.ended())
        })
        .await
    }
}

/// Guard of a pending request. Dropping it removes the request from the table.
struct RequestGuard<'a> {
    shared: &'a ConnectionShared,
    tag: u32,
}

impl Drop for RequestGuard<'_> {
    fn drop(&mut self) {
        self.shared.table().waiting.remove(&self.tag);
    }
}

impl ConnectionShared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.locked()
    }

    /// Adds a pending request under a new tag, and wakes the watch.
    fn enter(&self, answer_to: oneshot::Sender<Answer>) -> Result<RequestGuard<'_>, FrameError> {
        let mut table = self.table();
        if table.end.is_some() {
            return Err(FrameError::Unsent);
        }
        // Tags wrap around after 2^32 requests, of which one may still be pending.
        let mut tag = table.last_tag.wrapping_add(1);
        while tag == PING_TAG || table.waiting.contains_key(&tag) {
            tag = tag.wrapping_add(1);
        }
        table.last_tag = tag;
        table.waiting.insert(tag, answer_to);
        drop(table);
        let _ = self.owing.try_send(()); // fails when it is full: the watch is awake or about to wake
        Ok(RequestGuard { shared: self, tag })
    }

    /// Ends the connection. Pending requests fail, and new ones are refused.
    fn end(&self, how: End) {
        let mut table = self.table();
        table.end = Some(how);
        table.waiting.clear();
    }

    /// Returns the error of a request that was sent before the connection ended.
    fn ended(&self) -> FrameError {
        match self.table().end {
            Some(End::Silent) => FrameError::TimedOut,
            Some(End::Closed) | None => FrameError::Closed,
        }
    }

    /// Reads, writes and watches until one of them fails.
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

    /// Passes answers to their waiting callers.
    async fn read(&self, mut reader: ChannelReader) -> FrameError {
        loop {
            match frame::read(&mut reader, FRAME_BYTES_MAX).await {
                Ok(AnswerFrame { tag, answer }) => {
                    self.received.fetch_add(1, Ordering::Relaxed);
                    if let Some(answer_to) = self.table().waiting.remove(&tag) {
                        let _ = answer_to.send(answer); // fails when the caller has just given up
                    }
                }
                Err(error) => return error,
            }
        }
    }

    /// Ends when answers are due and the server was silent for `SILENT_STEPS_MAX` steps, a ping included. Sleeps while no
    /// answer is due.
    async fn watch(&self, owed: Receiver<()>) -> FrameError {
        loop {
            if owed.recv().await.is_err() {
                return FrameError::Closed;
            }
            let mut silent = 0;
            while !self.table().waiting.is_empty() {
                let received = self.received.load(Ordering::Relaxed);
                smol::Timer::after(SILENCE_STEP).await;
                silent = if self.received.load(Ordering::Relaxed) == received { silent + 1 } else { 0 };
                match silent {
                    SILENT_STEPS_PING => self.ping(),
                    SILENT_STEPS_MAX.. => return FrameError::TimedOut,
                    _ => {}
                }
            }
        }
    }

    /// Sends a status request, which every server answers at once.
    fn ping(&self) {
        let rest = SILENCE_STEP * (SILENT_STEPS_MAX - SILENT_STEPS_PING);
        let deadline_ms = u32::try_from(rest.as_millis()).unwrap_or(u32::MAX);
        // Sending fails when the queue is full, which means that the server does not even read.
        let _ = self.frames.try_send(frame::encode(&AskFrame {
            tag: PING_TAG,
            deadline_ms,
            ask: Ask::NodeStatus,
        }));
    }
}
