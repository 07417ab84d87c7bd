//! A stream as Server-Sent Events.

use super::events::{StreamEnd, StreamEvent, StreamPiece};
use crate::web::croaks::live::LiveStreams;
use crate::web::limits::LIVE_BEAT;
use hyper::body::Bytes;
use ribbit_state::Token;
use smol::future::FutureExt;
use smol::stream::{self, Stream, StreamExt};
use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;

/// Heartbeat: a comment, which clients know by this word. Without an empty line, at which some of them expect an event.
const BEAT: &[u8] = b":thump\n";

struct EventSource {
    streams: Arc<LiveStreams>,
    pieces: Pin<Box<dyn Stream<Item = StreamPiece>>>,
    /// The client has sent a cursor.
    resumes: bool,
    over: bool,
}

/// Returns the bytes of a stream, with heartbeats. `resumes` says whether the client has sent a cursor.
pub(super) fn bytes(
    streams: Arc<LiveStreams>,
    pieces: impl Stream<Item = StreamPiece> + 'static,
    resumes: bool,
) -> impl Stream<Item = Bytes> {
    let source = EventSource { streams, pieces: Box::pin(pieces), resumes, over: false };
    // A client learns at once that the stream is open.
    stream::once(Bytes::from_static(BEAT)).chain(stream::unfold(source, EventSource::next))
}

impl EventSource {
    async fn next(mut self) -> Option<(Bytes, EventSource)> {
        if self.over {
            return None;
        }
        let stop = async {
            self.streams.stopped().await;
            None
        };
        let beat = async {
            smol::Timer::after(LIVE_BEAT).await;
            Some(Bytes::from_static(BEAT))
        };
        let pieces = &mut self.pieces;
        let (resumes, over) = (self.resumes, &mut self.over);
        let piece = async {
            match pieces.next().await? {
                Ok((cursor, events)) => Some(written(cursor, &events)),
                Err(StreamEnd::Missed(resume)) if resumes => {
                    *over = true;
                    // The client connects again behind what is missing. Others take an event without a name for an error.
                    Some(format!("id: {resume}\n\n").into())
                }
                Err(StreamEnd::Revoked | StreamEnd::Lost | StreamEnd::Missed(_)) => None,
            }
        };
        let bytes = piece.or(beat).or(stop).await?;
        Some((bytes, self))
    }
}

/// Writes events. The last one carries the cursor, so that a client that has only some of them gets all again.
fn written(cursor: Token, events: &[StreamEvent]) -> Bytes {
    let mut text = String::new();
    for (number, StreamEvent { name, payload }) in events.iter().enumerate() {
        if number + 1 == events.len() {
            writeln!(text, "id: {cursor}").expect("writing to a string cannot fail");
        }
        write!(text, "event: {name}\ndata: {payload}\n\n").expect("writing to a string cannot fail");
    }
    text.into()
}
