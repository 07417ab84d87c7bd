//! The streaming API: new statuses, deletions, notifications and conversations, as Server-Sent Events and on WebSockets.
//!
//! ```text
//!   GET /api/v1/streaming/…    ──▶ token, scope ──▶ slot ──▶ cursor: Last-Event-ID, ?last_event_id=, else now ──▶ SSE
//!   GET /api/v1/streaming      ──▶ the same for ?stream=NAME
//!     Upgrade: websocket       ──▶ the same, also without a stream ──▶ 101 ──▶ messages both ways
//! ```
//!
//! - [`names`]: which streams there are; [`events`]: what their clients receive
//! - [`sse`], [`socket`]: the two ways to receive it
//!
//! Streams are those of the pages (`live`): pulled from a cursor, so that a backend or a leader may die without an event lost or
//! doubled, with the same slots, and cut off when their clients do not read. A client that has lost its connection sends the cursor
//! of its last event and continues at any web process.

mod events;
mod names;
mod socket;
mod sse;

use super::ApiError;
use super::admission::{Caller, is_upgrade};
use super::request::ApiRequest;
use crate::web::croaks::live::TooManyStreams;
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::READ_DEADLINE;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use events::StreamClient;
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{HeaderMap, Response, StatusCode};
use names::StreamName;
use ribbit_state::{Page, Query, Scope, Scopes, Token};
use socket::SocketClient;
use std::sync::Arc;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Version of the WebSocket protocol (RFC 6455).
const SOCKET_VERSION: &str = "13";

/// Answers `/api/v1/streaming/health`.
pub(super) fn health() -> WebResponse {
    response::plain(StatusCode::OK, "OK")
}

/// Follows the stream that the parameter `stream` names. A WebSocket may begin without one.
///
/// # Errors
/// 400 without a known stream, 403 if the token does not permit it, 429 if there are too many, 503 without servers.
pub(super) async fn named(it: ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let asked = it.params.get("stream").map(|name| StreamName::parse(name, it.params.get("tag")));
    let name = match asked {
        Some(Some(name)) => Some(name),
        None if is_upgrade(it.headers) => None,
        _ => return Err(no_such_stream()),
    };
    begin(it, name).await
}

/// Follows the stream at a path below `/api/v1/streaming/`.
///
/// # Errors
/// As [`named`].
pub(super) async fn at(it: ApiRequest<'_>, path: &str) -> Result<WebResponse, ApiError> {
    let name = StreamName::at_path(path, it.params.get("tag")).ok_or_else(no_such_stream)?;
    begin(it, Some(name)).await
}

fn no_such_stream() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "There is no such stream, or its tag is missing.")
}

/// Returns true if a token permits a stream. Notifications of the client's own stream are left out where it permits statuses alone.
fn may_follow(scopes: Scopes, name: &StreamName) -> bool {
    scopes.allows(if name.has_statuses() { Scope::ReadStatuses } else { Scope::ReadNotifications })
}

async fn begin(it: ApiRequest<'_>, name: Option<StreamName>) -> Result<WebResponse, ApiError> {
    let ApiRequest { services, context, params, headers, caller, .. } = it;
    let Caller::Person { scopes } = caller else { return Err(ApiError::no_token()) };
    let session = context.session().ok_or_else(ApiError::no_token)?;
    if name.as_ref().is_some_and(|name| !may_follow(scopes, name)) {
        return Err(ApiError::no_scope());
    }
    let Page::Me(me) = context.read(Query::Me { session }, READ_DEADLINE).await?.page else {
        return Err(WRONG_PAGE.into());
    };
    let now = context.answered().ok_or(WRONG_PAGE)?;
    let last = headers.get(LAST_EVENT_ID).and_then(|last| last.to_str().ok());
    let last: Option<Token> = last.or(params.get("last_event_id")).and_then(|last| last.parse().ok());
    let cursor = last.unwrap_or(now);
    let (origin, site) = (context.origin(), context.site());
    let client = StreamClient { session, me: me.account, site, scopes };
    let slot = services.streams.enter(origin, Some(me.account));
    let slot = slot.map_err(|TooManyStreams(words)| ApiError::new(StatusCode::TOO_MANY_REQUESTS, words))?;
    let slot = Arc::new(slot);
    if is_upgrade(headers) {
        let head = accepted(headers)?;
        let first = name.map(|name| (name, cursor));
        let client = SocketClient { origin, client, place: slot, first };
        return Ok(response::switching(
            head,
            Box::new(move |wire, read| Box::pin(socket::serve(wire, read, client))),
        ));
    }
    let name = name.ok_or_else(no_such_stream)?;
    Ok(response::events(sse::bytes(
        services.streams.clone(),
        events::follow(slot, client, name, cursor),
        last.is_some(),
    )))
}

/// Returns the head that accepts a WebSocket.
///
/// # Errors
/// 400 if the proposal is not one of this protocol, 426 for another version.
fn accepted(headers: &HeaderMap) -> Result<Response<()>, ApiError> {
    let bad = |words: &str| ApiError::new(StatusCode::BAD_REQUEST, words);
    let connection = headers.get_all(CONNECTION).into_iter().filter_map(|line| line.to_str().ok());
    let mut names = connection.flat_map(|line| line.split(','));
    if !names.any(|name| name.trim().eq_ignore_ascii_case("upgrade")) {
        return Err(bad("The header Connection has to name the upgrade."));
    }
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version.as_bytes() != SOCKET_VERSION.as_bytes())
    {
        return Err(ApiError::new(StatusCode::UPGRADE_REQUIRED, "Only WebSocket version 13 is served."));
    }
    let key =
        headers.get(SEC_WEBSOCKET_KEY).ok_or_else(|| bad("The header Sec-WebSocket-Key is missing."))?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).expect("base64 is ASCII");
    let mut head = Response::new(());
    *head.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in [
        (CONNECTION, HeaderValue::from_static("upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, accept),
    ] {
        head.headers_mut().insert(name, value);
    }
    // A browser's script can send its token only as the name of a protocol, which has to be accepted.
    if let Some(protocol) = headers.get(SEC_WEBSOCKET_PROTOCOL) {
        head.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol.clone());
    }
    Ok(head)
}
