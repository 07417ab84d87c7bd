//! Clients of the streaming API: Server-Sent Events and a WebSocket over plain sockets.

use crate::stream::Stream;
use serde_json::Value;
use std::net::TcpStream;
use std::time::Duration;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

/// An event that a client has received.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiEvent {
    pub event: String,
    /// JSON, or the text of a deleted status's id.
    pub payload: Value,
    /// Cursor; empty if it has none.
    pub id: String,
    /// Name of the stream and its tag, on a WebSocket.
    pub stream: Vec<String>,
}

impl ApiEvent {
    /// Returns the text of the status in the payload, without its markup.
    pub fn text(&self) -> String {
        let html = self.payload["content"].as_str().unwrap_or_default();
        html.trim_start_matches("<p>").trim_end_matches("</p>").to_string()
    }
}

/// Stream of Server-Sent Events.
pub struct ApiEvents(Stream);

impl ApiEvents {
    /// Opens the stream at this path, or returns the status line of the refusal.
    pub fn open(address: &str, path: &str, token: &str, last: Option<&str>) -> Result<ApiEvents, String> {
        let head = format!("Authorization: Bearer {token}\r\n");
        Stream::with_head(address, path, &head, last).map(ApiEvents)
    }

    /// Waits for the next event; `None` at the end of the stream.
    pub fn next_event(&mut self) -> Option<ApiEvent> {
        let told = self.0.next_event()?;
        let payload = serde_json::from_str(&told.data).unwrap_or_else(|_| told.data.clone().into());
        Some(ApiEvent { event: told.event, payload, id: told.id, stream: Vec::new() })
    }
}

/// A WebSocket.
pub struct ApiSocket(WebSocket<TcpStream>);

impl ApiSocket {
    /// Opens a socket at this path, with the token as a protocol if one is given, or returns the status of the refusal.
    pub fn open(address: &str, path: &str, protocol: Option<&str>) -> Result<ApiSocket, u16> {
        let stream = TcpStream::connect(address).expect("the web role listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let mut request = format!("ws://{address}{path}").into_client_request().expect("an address");
        if let Some(protocol) = protocol {
            let protocol = HeaderValue::from_str(protocol).expect("ASCII");
            request.headers_mut().insert("sec-websocket-protocol", protocol);
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(ApiSocket(socket)),
            Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => Err(answer.status().as_u16()),
            Err(error) => panic!("no WebSocket: {error}"),
        }
    }

    pub fn say(&mut self, message: &Value) {
        self.say_text(&message.to_string());
    }

    pub fn say_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).expect("the web role reads");
    }

    /// Waits for the next message as JSON; `Err` has the code with which the server closes the socket.
    pub fn next_message(&mut self) -> Result<Value, u16> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Close(frame)) => return Err(frame.map_or(0, |frame| frame.code.into())),
                Ok(_) => {}
                Err(_) => return Err(0),
            }
        }
    }

    /// Waits for the next event.
    pub fn next_event(&mut self) -> Option<ApiEvent> {
        let message = self.next_message().ok()?;
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_string();
        let payload = text("payload");
        let payload = serde_json::from_str(&payload).unwrap_or(Value::String(payload));
        let stream = message["stream"].as_array().into_iter().flatten();
        let stream = stream.map(|part| part.as_str().unwrap_or_default().to_string()).collect();
        Some(ApiEvent { event: text("event"), payload, id: text("id"), stream })
    }
}
