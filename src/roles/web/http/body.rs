//! Reads the body of a request, within bounds of size and time.

use crate::web::http::timeouts::ConnectionClock;
use crate::web::limits::BODY_DEADLINE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::{HeaderMap, StatusCode};
use smol::future::FutureExt;
use std::time::Instant;

/// Reason why a request was not read to its end: status, title and text of the answer.
pub(in crate::web) type Rejection = (StatusCode, &'static str, &'static str);

const TOO_LONG: Rejection =
    (StatusCode::PAYLOAD_TOO_LARGE, "Too long", "This is more text than a form can hold.");
const CUT_SHORT: Rejection = (
    StatusCode::BAD_REQUEST,
    "Connection lost",
    "The form did not arrive completely. Go back and try again.",
);
const TOO_SLOW: Rejection = (
    StatusCode::REQUEST_TIMEOUT,
    "Connection too slow",
    "The form did not arrive in time. Go back and try again.",
);

/// Returns the whole body, at most `bytes_max`. A longer one is refused before it is read if it says so.
///
/// # Errors
/// The answer to a body that is too large, incomplete or too slow.
pub(in crate::web) async fn read(
    headers: &HeaderMap,
    body: Incoming,
    bytes_max: usize,
    watch: &ConnectionClock,
    began: Instant,
) -> Result<Bytes, Rejection> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if declared_length(headers).is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(TOO_LONG);
    }
    let collected = async { Some(Limited::new(body, bytes_max).collect().await) };
    let late = async {
        smol::Timer::at(began + BODY_DEADLINE).await;
        None
    };
    // Polled last, so that a body that is complete counts.
    let ended = async {
        watch.ended().await;
        Err(CUT_SHORT)
    };
    let collected = async {
        match collected.or(late).await {
            Some(Ok(bytes)) => Ok(bytes.to_bytes()),
            Some(Err(error)) if error.is::<LengthLimitError>() => Err(TOO_LONG),
            Some(Err(_)) => Err(CUT_SHORT),
            None => Err(TOO_SLOW),
        }
    };
    collected.or(ended).await
}

/// Returns true if the body is of this content type.
pub(in crate::web) fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    content_type(headers).split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

/// Returns the content type of the body with its parameters. Empty if it has none.
pub(in crate::web) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Content type of posted forms.
pub(in crate::web) const FORM: &str = "application/x-www-form-urlencoded";
/// Content type of forms in parts, which programs post.
pub(in crate::web) const MULTIPART: &str = "multipart/form-data";

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
