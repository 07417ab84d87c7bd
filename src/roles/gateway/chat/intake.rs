//! Reading a connection apart from serving it. Bytes are taken from the socket as soon as they come: a socket that is closed
//! with unread bytes is reset, and a reset ends the client's listener.

use super::REQUESTS_WAITING_MAX;
use super::changes::{Change, Changes};
use super::codec::{Request, requests, take_text};
use crate::common::service::limits::READ_BYTES;
use async_net::TcpStream;
use ribbit_net::tasks;
use smol::Timer;
use smol::channel::{self, Receiver, Sender};
use smol::future::or;
use smol::io::AsyncReadExt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Size from which a read may be the beginning of a longer request, in bytes. A line of the client has at most 1 120.
const LONG_READ_BYTES: usize = 1_024;
/// Time to wait for the rest of a longer request.
const REST_PAUSE: Duration = Duration::from_millis(5);

/// Input that arrived on a connection.
#[derive(Debug)]
pub(super) enum Incoming {
    Request(Request),
    /// The client has closed its side, or ended. The log-out is on its way.
    Closed(Change),
    /// The connection is lost, or was reset. The log-out is on its way.
    Lost(Change),
    /// The end has been taken from the queue.
    Ended,
}

/// Requests of a connection, in their order. Dropping it ends the reading.
#[derive(Debug)]
pub(super) struct Intake {
    queue: Receiver<Incoming>,
    _reading: smol::Task<()>,
}

impl Intake {
    pub(super) fn begin(stream: TcpStream, changes: Arc<Changes>) -> Intake {
        let (sender, queue) = channel::bounded(REQUESTS_WAITING_MAX);
        Intake { queue, _reading: tasks::spawn(read(stream, sender, changes)) }
    }

    /// Waits for what comes next. Cancel safe.
    pub(super) async fn next(&self) -> Incoming {
        // The task ends after it has sent the end.
        self.queue.recv().await.unwrap_or(Incoming::Ended)
    }
}

async fn read(mut stream: TcpStream, queue: Sender<Incoming>, changes: Arc<Changes>) {
    let end_of = |read: io::Result<usize>| match read {
        Ok(0) => Some(Incoming::Closed(changes.begin())),
        Err(_) => Some(Incoming::Lost(changes.begin())),
        Ok(_) => None,
    };
    let mut bytes = vec![0; READ_BYTES];
    let mut received = Vec::new();
    loop {
        let read = stream.read(&mut bytes).await;
        received.extend_from_slice(&bytes[..*read.as_ref().unwrap_or(&0)]);
        let mut end = end_of(read);
        while end.is_none() && (LONG_READ_BYTES..READ_BYTES).contains(&received.len()) {
            let late = async {
                Timer::after(REST_PAUSE).await;
                None
            };
            let Some(read) = or(async { Some(stream.read(&mut bytes).await) }, late).await else { break };
            received.extend_from_slice(&bytes[..*read.as_ref().unwrap_or(&0)]);
            end = end_of(read);
        }
        for request in requests(&take_text(&mut received)) {
            if queue.send(Incoming::Request(request)).await.is_err() {
                return;
            }
        }
        if let Some(end) = end {
            // Fails if the conversation has ended.
            let _ = queue.send(end).await;
            return;
        }
    }
}
