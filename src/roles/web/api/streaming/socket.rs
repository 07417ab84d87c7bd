//! Streams on a WebSocket: those that the client names in its request and in messages.
//!
//! ```text
//!   client ──▶ {"type": "subscribe" | "unsubscribe", "stream": NAME, "tag": TAG}
//!   client ◀── {"stream": [NAME, TAG], "event": EVENT, "payload": JSON as a string, "id": CURSOR}
//!   client ◀── {"error": WORDS, "status": NUMBER}
//! ```
//!
//! One task reads and writes. While it writes, messages of the client wait in the socket, and events in their subscriptions.

use super::events::{StreamClient, StreamEnd, StreamEvent, StreamPiece, follow};
use super::may_follow;
use super::names::StreamName;
use crate::web::croaks::live::{StreamSlot, TooManyStreams};
use crate::web::http::client_origin::ClientOrigin;
use crate::web::http::connection::HttpStream;
use crate::web::limits::{LIVE_BEAT, SOCKET_MESSAGE_BYTES_MAX, SOCKET_STREAMS_MAX};
use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use hyper::StatusCode;
use hyper::body::Bytes;
use ribbit_state::Token;
use serde::{Deserialize, Serialize};
use smol::Timer;
use smol::stream::Stream;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

/// What a client asks for in a message.
#[derive(Debug, Deserialize)]
struct ClientMessage {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    tag: Option<String>,
}

/// An event in a message to the client.
#[derive(Debug, Serialize)]
struct EventMessage<'a> {
    stream: &'a [&'a str],
    event: &'a str,
    payload: &'a str,
    /// Position behind the events of one entry of the log; on the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

#[derive(Debug, Serialize)]
struct ErrorMessage<'a> {
    error: &'a str,
    status: u16,
}

/// A client whose connection becomes a WebSocket.
pub(super) struct SocketClient {
    pub(super) origin: ClientOrigin,
    pub(super) client: StreamClient,
    /// Place of the connection, held to its end. It is that of the only stream, too; each further stream has one of its own.
    pub(super) place: Arc<StreamSlot>,
    /// The stream that the request names, and its cursor.
    pub(super) first: Option<(StreamName, Token)>,
}

struct OpenStream {
    name: StreamName,
    pieces: Pin<Box<dyn Stream<Item = StreamPiece>>>,
}

/// What happens next on a socket.
enum Turn {
    Said(Message),
    Told(usize, StreamPiece),
    Beat,
    Stop,
    /// The client has closed the connection, or it is broken.
    Gone,
}

struct Socket {
    stream: WebSocketStream<HttpStream>,
    open: Vec<OpenStream>,
    beat: Timer,
}

/// Serves a socket to its end.
pub(super) async fn serve(wire: HttpStream, read: Bytes, mut session: SocketClient) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(SOCKET_MESSAGE_BYTES_MAX))
        .max_frame_size(Some(SOCKET_MESSAGE_BYTES_MAX))
        .read_buffer_size(SOCKET_MESSAGE_BYTES_MAX);
    let stream = WebSocketStream::from_partially_read(wire, read.to_vec(), Role::Server, Some(config)).await;
    let mut socket = Socket { stream, open: Vec::new(), beat: Timer::interval(LIVE_BEAT) };
    if let Some((name, cursor)) = session.first.take() {
        socket.begin(&session, name, session.place.clone(), cursor);
    }
    let streams = session.place.streams.clone();
    let mut stopped = pin!(streams.stopped());
    let end = loop {
        let turn = poll_fn(|cx| match stopped.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Turn::Stop),
            Poll::Pending => socket.poll_turn(cx),
        })
        .await;
        match socket.take(turn, &session).await {
            Ok(None) => {}
            Ok(Some(code)) => break Some(code),
            Err(error) => {
                log::debug!("a WebSocket ended: {error}");
                break None;
            }
        }
    };
    if let Some(code) = end {
        let frame = CloseFrame { code, reason: "".into() };
        if let Err(error) = socket.stream.close(Some(frame)).await {
            log::debug!("a WebSocket ended before it was closed: {error}");
        }
    }
    socket.stream.get_mut().say_end().await;
}

type SocketResult<T> = Result<T, async_tungstenite::tungstenite::Error>;

impl Socket {
    fn begin(&mut self, session: &SocketClient, name: StreamName, slot: Arc<StreamSlot>, cursor: Token) {
        let pieces = Box::pin(follow(slot, session.client.clone(), name.clone(), cursor));
        self.open.push(OpenStream { name, pieces });
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        if let Poll::Ready(said) = Pin::new(&mut self.stream).poll_next(cx) {
            return Poll::Ready(match said {
                Some(Ok(said)) => Turn::Said(said),
                Some(Err(_)) | None => Turn::Gone,
            });
        }
        for (number, open) in self.open.iter_mut().enumerate() {
            if let Poll::Ready(piece) = open.pieces.as_mut().poll_next(cx) {
                return Poll::Ready(Turn::Told(number, piece.unwrap_or(Err(StreamEnd::Lost))));
            }
        }
        Pin::new(&mut self.beat).poll_next(cx).map(|_| Turn::Beat)
    }

    /// Does what a turn asks for. Returns the code with which the socket is closed, if it is.
    async fn take(&mut self, turn: Turn, session: &SocketClient) -> SocketResult<Option<CloseCode>> {
        match turn {
            Turn::Stop => return Ok(Some(CloseCode::Away)),
            Turn::Gone => return Ok(Some(CloseCode::Normal)),
            Turn::Beat => self.stream.send(Message::Ping(Bytes::new())).await?,
            Turn::Told(number, Ok((cursor, events))) => self.tell(number, cursor, &events).await?,
            Turn::Told(_, Err(StreamEnd::Revoked)) => return Ok(Some(CloseCode::Policy)),
            // The client connects again, and reads what is missing from its timelines.
            Turn::Told(_, Err(StreamEnd::Lost | StreamEnd::Missed(_))) => return Ok(Some(CloseCode::Again)),
            Turn::Said(Message::Text(text)) => {
                if let Err((status, words)) = self.change(text.as_str(), session).await {
                    let message = ErrorMessage { error: words, status: status.as_u16() };
                    self.say(&message).await?;
                }
            }
            Turn::Said(_) => {}
        }
        Ok(None)
    }

    async fn tell(&mut self, number: usize, cursor: Token, events: &[StreamEvent]) -> SocketResult<()> {
        let name = self.open[number].name.clone();
        for (place, event) in events.iter().enumerate() {
            let last = place + 1 == events.len();
            self.say(&EventMessage {
                stream: &name.parts(),
                event: event.name,
                payload: &event.payload,
                id: last.then(|| cursor.to_string()),
            })
            .await?;
        }
        Ok(())
    }

    async fn say(&mut self, message: &impl Serialize) -> SocketResult<()> {
        let text = serde_json::to_string(message).expect("messages are plain values");
        self.stream.send(Message::text(text)).await
    }

    /// Opens or closes the stream that a message names.
    async fn change(&mut self, text: &str, session: &SocketClient) -> Result<(), (StatusCode, &'static str)> {
        let bad = |words| (StatusCode::BAD_REQUEST, words);
        let message: ClientMessage =
            serde_json::from_str(text).map_err(|_| bad("this is no message that the server knows"))?;
        let name = StreamName::parse(&message.stream, message.tag.as_deref())
            .ok_or(bad("there is no stream of this name"))?;
        let place = self.open.iter().position(|open| open.name == name);
        match (message.kind.as_str(), place) {
            ("subscribe", Some(_)) | ("unsubscribe", None) => Ok(()),
            ("unsubscribe", Some(place)) => {
                self.open.remove(place);
                Ok(())
            }
            ("subscribe", None) => {
                if !may_follow(session.client.scopes, &name) {
                    return Err((StatusCode::FORBIDDEN, "this token does not permit that"));
                }
                let many = |words| (StatusCode::TOO_MANY_REQUESTS, words);
                if self.open.len() == SOCKET_STREAMS_MAX {
                    return Err(many("too many streams on one connection; unsubscribe from one first"));
                }
                let slot = if self.open.is_empty() {
                    session.place.clone()
                } else {
                    let slot = session.place.streams.enter(session.origin, Some(session.client.me));
                    Arc::new(slot.map_err(|TooManyStreams(words)| many(words))?)
                };
                let cursor = session.place.streams.position(session.client.session).await.ok_or((
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the servers are unavailable; try again in a moment",
                ))?;
                self.begin(session, name, slot, cursor);
                Ok(())
            }
            _ => Err(bad("this is no message that the server knows")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_mastodon() {
        let message: ClientMessage =
            serde_json::from_str(r##"{"type":"subscribe","stream":"hashtag","tag":"rain","x":1}"##).unwrap();
        assert_eq!((message.kind.as_str(), message.tag.as_deref()), ("subscribe", Some("rain")));
        assert!(serde_json::from_str::<ClientMessage>("[]").is_err());
        let event = EventMessage { stream: &["user"], event: "delete", payload: "7", id: Some("a.7".into()) };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(text, r#"{"stream":["user"],"event":"delete","payload":"7","id":"a.7"}"#);
    }
}
