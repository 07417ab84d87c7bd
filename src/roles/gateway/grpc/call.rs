//! One call: messages from a client and to it.

use super::framing::{Frames, frame};
use super::limits::REPLIES_QUEUED_MAX;
use super::message::Message;
use super::status::{Status, StatusCode};
use crate::common::shutdown::Shutdown;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use smol::channel::{self, Receiver, Sender};
use smol::stream::Stream;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Decodes the message of a client.
///
/// # Errors
/// `INVALID_ARGUMENT` if the bytes are no such message.
pub(crate) fn decode<M: Message>(bytes: &[u8]) -> Result<M, Status> {
    M::decode(bytes).map_err(|error| Status::new(StatusCode::InvalidArgument, error.to_string()))
}

/// Messages from a client, in order.
pub(crate) struct Requests {
    body: Incoming,
    frames: Frames,
}

impl Requests {
    pub(super) fn new(body: Incoming) -> Requests {
        Requests { body, frames: Frames::default() }
    }

    /// Waits for the next message. Returns `None` once the client has sent its last one.
    ///
    /// # Errors
    /// `CANCELLED` if the client has gone, `RESOURCE_EXHAUSTED` for a long message, `UNIMPLEMENTED` for a compressed one,
    /// `INVALID_ARGUMENT` if the stream ends inside a message.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(message) = self.frames.take()? {
                return Ok(Some(message));
            }
            match self.body.frame().await {
                Some(Ok(part)) => {
                    if let Some(bytes) = part.data_ref() {
                        self.frames.push(bytes);
                    }
                }
                Some(Err(error)) => return Err(Status::new(StatusCode::Cancelled, error.to_string())),
                None if self.frames.is_empty() => return Ok(None),
                None => {
                    return Err(Status::new(StatusCode::InvalidArgument, "The last message is cut off."));
                }
            }
        }
    }

    /// Waits for the only message of a unary call.
    ///
    /// # Errors
    /// As [`Requests::next`], and `INVALID_ARGUMENT` if there is not exactly one message.
    pub(super) async fn only(&mut self) -> Result<Bytes, Status> {
        let message = self.next().await?;
        match (message, self.next().await?) {
            (Some(message), None) => Ok(message),
            _ => Err(Status::new(StatusCode::InvalidArgument, "The method takes one message.")),
        }
    }
}

/// Queue of replies to a client. It is closed when the client has gone.
#[derive(Clone)]
pub(crate) struct Replies {
    queue: Sender<StreamItem>,
    shutdown: Arc<Shutdown>,
}

/// Item in the queue of a stream.
pub(super) enum StreamItem {
    Frame(Bytes),
    End(Status),
}

impl Replies {
    /// Creates a queue, and the body that it fills.
    pub(super) fn new(shutdown: Arc<Shutdown>) -> (Replies, ReplyBody) {
        let (queue, items) = channel::bounded(REPLIES_QUEUED_MAX);
        (Replies { queue, shutdown }, ReplyBody::Stream(Box::pin(items)))
    }

    /// Waits until the role is being stopped, and returns the status for it.
    pub(crate) async fn stopped(&self) -> Status {
        self.shutdown.wait().await;
        Status::new(StatusCode::Unavailable, "The gateway is stopping.")
    }

    /// Sends a message, when there is room for it.
    ///
    /// # Errors
    /// `CANCELLED` if the client has gone, `RESOURCE_EXHAUSTED` if the message is too long.
    pub(crate) async fn send(&self, message: &impl Message) -> Result<(), Status> {
        let item = StreamItem::Frame(frame(&message.encode())?);
        self.queue.send(item).await.map_err(|_| Status::new(StatusCode::Cancelled, "The client has gone."))
    }

    /// Waits for this long.
    ///
    /// # Errors
    /// `CANCELLED` if the client has gone.
    pub(crate) async fn pause(&self, time: Duration) -> Result<(), Status> {
        smol::Timer::after(time).await;
        if self.queue.is_closed() {
            return Err(Status::new(StatusCode::Cancelled, "The client has gone."));
        }
        Ok(())
    }

    /// Ends the stream with a status.
    pub(super) async fn end(self, status: Status) {
        // Fails if the client has gone.
        let _ = self.queue.send(StreamItem::End(status)).await;
    }
}

/// Body of a response: messages, then the status as trailers.
pub(super) enum ReplyBody {
    Unary(Bytes),
    Stream(Pin<Box<Receiver<StreamItem>>>),
    /// The status follows.
    Status(Status),
    Ended,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let item = match &mut *self {
            ReplyBody::Unary(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = ReplyBody::Status(Status::OK);
                StreamItem::Frame(bytes)
            }
            ReplyBody::Stream(items) => ready!(items.as_mut().poll_next(context)).unwrap_or_else(|| {
                // The handler was dropped with its connection.
                StreamItem::End(Status::new(StatusCode::Unavailable, "The connection is closing."))
            }),
            ReplyBody::Status(status) => StreamItem::End(status.clone()),
            ReplyBody::Ended => return Poll::Ready(None),
        };
        Poll::Ready(Some(Ok(match item {
            StreamItem::Frame(bytes) => Frame::data(bytes),
            StreamItem::End(status) => {
                *self = ReplyBody::Ended;
                let mut trailers = HeaderMap::with_capacity(2);
                status.write(&mut trailers);
                Frame::trailers(trailers)
            }
        })))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, ReplyBody::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
