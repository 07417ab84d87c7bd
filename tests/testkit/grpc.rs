//! A gRPC client on a connection of its own, without encryption: what the clients of two older systems send and read.
//!
//! Messages are bytes: a test says what lies on the wire, see [`text`] and [`fields`].

use async_net::TcpStream;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{HeaderMap, Request, Response};
use ribbit_roles::gateway::grpc::wire::{WireReader, WireValue, write_bytes};
use smol::channel::{self, Receiver, Sender};
use smol::stream::Stream;
use smol_hyper::rt::FuturesIo;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// End of a call: the code of gRPC and the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcStatus {
    pub code: i32,
    pub words: String,
}

/// Code for a connection that broke, as gRPC numbers it.
pub const UNAVAILABLE: i32 = 14;

impl GrpcStatus {
    fn broken(error: impl std::fmt::Debug) -> GrpcStatus {
        GrpcStatus { code: UNAVAILABLE, words: format!("broken: {error:?}") }
    }

    fn read(headers: &HeaderMap) -> Option<GrpcStatus> {
        let code = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
        let words = headers.get("grpc-message").and_then(|words| words.to_str().ok()).unwrap_or_default();
        Some(GrpcStatus { code, words: words.to_string() })
    }
}

/// Connection to a server.
pub struct GrpcChannel {
    sender: SendRequest<AskBody>,
    _driver: smol::Task<()>,
}

#[derive(Clone)]
struct GlobalExecutor;

impl<F: Future<Output: Send + 'static> + Send + 'static> hyper::rt::Executor<F> for GlobalExecutor {
    fn execute(&self, future: F) {
        smol::spawn(future).detach();
    }
}

impl GrpcChannel {
    /// Connects.
    ///
    /// # Errors
    /// If nothing listens there, or it does not speak HTTP/2.
    pub async fn connect(address: &str) -> Result<GrpcChannel, GrpcStatus> {
        let stream = TcpStream::connect(address).await.map_err(GrpcStatus::broken)?;
        stream.set_nodelay(true).map_err(GrpcStatus::broken)?;
        let (sender, connection) =
            http2::handshake(GlobalExecutor, FuturesIo::new(stream)).await.map_err(GrpcStatus::broken)?;
        let driver = smol::spawn(async move {
            let _ = connection.await;
        });
        Ok(GrpcChannel { sender, _driver: driver })
    }

    /// Makes a unary call and returns the message of the reply.
    ///
    /// # Errors
    /// The status, if it is not OK.
    pub async fn call(&self, path: &str, message: &[u8]) -> Result<Vec<u8>, GrpcStatus> {
        let mut stream = self.open(path).await?;
        stream.send(message).await;
        stream.end();
        let reply = stream.next().await;
        match (reply, stream.status().await) {
            (Some(reply), GrpcStatus { code: 0, .. }) => Ok(reply),
            (_, status) => Err(status),
        }
    }

    /// Opens a stream of messages in both directions.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn open(&self, path: &str) -> Result<GrpcStream, GrpcStatus> {
        let (asks, queue) = channel::unbounded();
        let request = Request::post(path)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(AskBody(Box::pin(queue)))
            .expect("a path");
        let mut sender = self.sender.clone();
        let response = smol::spawn(async move {
            sender.ready().await?;
            sender.send_request(request).await
        });
        Ok(GrpcStream {
            asks: Some(asks),
            answers: Answers::Waiting(response),
            buffer: BytesMut::new(),
            ready: VecDeque::new(),
        })
    }
}

/// Messages in both directions.
pub struct GrpcStream {
    asks: Option<Sender<Bytes>>,
    answers: Answers,
    buffer: BytesMut,
    ready: VecDeque<Vec<u8>>,
}

enum Answers {
    Waiting(smol::Task<hyper::Result<Response<Incoming>>>),
    Open(Incoming),
    Ended(GrpcStatus),
}

impl GrpcStream {
    pub async fn send(&mut self, message: &[u8]) {
        let mut framed = BytesMut::new();
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len()).expect("a short message"));
        framed.extend_from_slice(message);
        self.send_raw(&framed).await;
    }

    /// Sends bytes as they are, without a length in front.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        if let Some(asks) = &self.asks {
            // Fails if the server has ended the call.
            let _ = asks.send(Bytes::copy_from_slice(bytes)).await;
        }
    }

    /// Sends nothing more.
    pub fn end(&mut self) {
        self.asks = None;
    }

    /// Waits for the next message. Returns `None` when the call has ended.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            match &mut self.answers {
                Answers::Ended(_) => return None,
                Answers::Waiting(response) => {
                    self.answers = match response.await {
                        Err(error) => Answers::Ended(GrpcStatus::broken(error)),
                        Ok(response) => match GrpcStatus::read(response.headers()) {
                            Some(status) => Answers::Ended(status),
                            None if response.status() != 200 => {
                                Answers::Ended(GrpcStatus::broken(response.status()))
                            }
                            None => Answers::Open(response.into_body()),
                        },
                    };
                }
                Answers::Open(body) => match body.frame().await {
                    None => self.answers = Answers::Ended(GrpcStatus::broken("no trailers")),
                    Some(Err(error)) => self.answers = Answers::Ended(GrpcStatus::broken(error)),
                    Some(Ok(part)) => match part.into_data() {
                        Ok(bytes) => {
                            self.buffer.extend_from_slice(&bytes);
                            self.take_messages();
                        }
                        Err(part) => {
                            let status = part.trailers_ref().and_then(GrpcStatus::read);
                            let status = status.unwrap_or_else(|| GrpcStatus::broken("no status"));
                            self.answers = Answers::Ended(status);
                        }
                    },
                },
            }
        }
    }

    /// Waits for the end of the call, and returns its status. Messages before it are dropped.
    pub async fn status(&mut self) -> GrpcStatus {
        while self.next().await.is_some() {}
        match &self.answers {
            Answers::Ended(status) => status.clone(),
            Answers::Waiting(_) | Answers::Open(_) => unreachable!("the call has ended"),
        }
    }

    fn take_messages(&mut self) {
        while let Some(head) = self.buffer.first_chunk::<5>() {
            assert_eq!(head[0], 0, "no message is compressed");
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            if self.buffer.len() < 5 + length {
                break;
            }
            self.ready.push_back(self.buffer.split_to(5 + length)[5..].to_vec());
        }
    }
}

/// Body of a request.
struct AskBody(Pin<Box<Receiver<Bytes>>>);

impl Body for AskBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = ready!(self.0.as_mut().poll_next(context));
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Returns a message of text fields, in this order.
pub fn text(fields: &[(u32, &str)]) -> Vec<u8> {
    fields.iter().fold(Vec::new(), |mut out, (number, text)| {
        write_bytes(&mut out, *number, text.as_bytes());
        out
    })
}

/// Returns the fields of a message as text, each with its number: strings as they are, numbers in decimal.
pub fn fields(message: &[u8]) -> Vec<(u32, String)> {
    let mut reader = WireReader::new(message);
    let mut fields = Vec::new();
    while let Some((number, value)) = reader.field().expect("a message") {
        let value = match value {
            WireValue::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            WireValue::Varint(value) => value.to_string(),
            WireValue::Fixed32(_) | WireValue::Fixed64(_) => panic!("no message has such a field"),
        };
        fields.push((number, value));
    }
    fields
}
