//! HTTP responses: pages with security headers, redirects, files, and plain texts for programs.

use crate::web::http::connection::HttpStream;
use crate::web::limits::{HASTE_SECONDS, RETRY_AFTER_SECONDS};
use askama::Template;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use smol::stream::{Stream, StreamExt};
use std::pin::Pin;
use std::task::{Context, Poll};

pub(in crate::web) type WebResponse = Response<ResponseBody>;

/// Body of a response.
pub(in crate::web) enum ResponseBody {
    /// Complete body; `None` once it was taken.
    Whole(Option<Bytes>),
    /// Stream of pieces.
    Live(Pin<Box<dyn Stream<Item = Result<Bytes, IncompleteBody>>>>),
    /// None: the connection speaks another protocol once the head is sent.
    Upgrade(Option<Upgrade>),
}

/// Serves a connection after its change to another protocol, to its end. The bytes were read behind the request.
pub(in crate::web) type Upgrade = Box<dyn FnOnce(HttpStream, Bytes) -> Pin<Box<dyn Future<Output = ()>>>>;

/// The rest of a body cannot be read. The connection is cut, so that a truncated body is not taken for a complete one.
#[derive(Debug, thiserror::Error)]
#[error("an answer was cut short")]
pub(in crate::web) struct IncompleteBody;

impl ResponseBody {
    pub(in crate::web) fn is_live(&self) -> bool {
        matches!(self, ResponseBody::Live(_) | ResponseBody::Upgrade(_))
    }

    /// Takes the protocol that the connection changes to.
    pub(in crate::web) fn take_upgrade(&mut self) -> Option<Upgrade> {
        match self {
            ResponseBody::Upgrade(upgrade) => upgrade.take(),
            ResponseBody::Whole(_) | ResponseBody::Live(_) => None,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = IncompleteBody;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncompleteBody>>> {
        let piece = match &mut *self {
            ResponseBody::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
            ResponseBody::Live(pieces) => pieces.as_mut().poll_next(context),
            ResponseBody::Upgrade(_) => Poll::Ready(None),
        };
        piece.map(|piece| piece.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, ResponseBody::Whole(None) | ResponseBody::Upgrade(_))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            ResponseBody::Live(_) => SizeHint::default(),
            ResponseBody::Upgrade(_) => SizeHint::with_exact(0),
        }
    }
}

/// Only the site's own script runs in a page, nothing is loaded from or sent to other sites, and no page can be framed. Text becomes
/// HTML in one place of the script (its policy `ribbit`) and nowhere else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
                                       script-src 'self'; connect-src 'self'; form-action 'self'; \
                                       frame-ancestors 'none'; base-uri 'none'; \
                                       require-trusted-types-for 'script'; trusted-types ribbit";

/// Browser features that a page may use: none of these.
const PERMISSIONS_POLICY: &str =
    "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Headers of every response. `Referrer-Policy: same-origin` tells other sites nothing. With `no-referrer` browsers would send
/// `Origin: null` with this site's own forms, which could then not be told from another site's.
const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    // Other sites' pages can neither load content from here nor keep a reference to a window of this site.
    (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS_POLICY)),
];

pub(in crate::web) fn page(status: StatusCode, page: &impl Template) -> WebResponse {
    let html = page.render().expect("writing to a string cannot fail");
    let mut answer = with_type(status, "text/html; charset=utf-8", html.into());
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let seconds = match status {
        StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_AFTER_SECONDS),
        StatusCode::TOO_MANY_REQUESTS => Some(HASTE_SECONDS),
        _ => None,
    };
    if let Some(seconds) = seconds {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    answer
}

/// Answers with a page whose form leads to another site or to an app: browsers count the redirect after a form as a part of it.
/// `origin` is one of [`ribbit_state::redirect::origin`], which has no character of the policy's own.
pub(in crate::web) fn page_leading_to(
    status: StatusCode,
    shown: &impl Template,
    origin: &str,
) -> WebResponse {
    let mut answer = page(status, shown);
    let own = "form-action 'self'";
    let policy = CONTENT_SECURITY_POLICY.replace(own, &format!("{own} {origin}"));
    let policy = HeaderValue::from_str(&policy).expect("an origin is ASCII");
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    answer
}

/// Redirects with 303: a GET follows the posted form.
pub(in crate::web) fn see_other(path: &str) -> WebResponse {
    let mut answer = with_type(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
    let location = HeaderValue::from_str(path).expect("our paths are ASCII: names in them are checked");
    answer.headers_mut().insert(header::LOCATION, location);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Redirects with 302: the content is at another address for now.
pub(in crate::web) fn found(path: &'static str) -> WebResponse {
    let mut answer = see_other(path);
    *answer.status_mut() = StatusCode::FOUND;
    answer
}

/// Sends Server-Sent Events on a connection of their own.
pub(in crate::web) fn events(pieces: impl Stream<Item = Bytes> + 'static) -> WebResponse {
    live("text/event-stream", pieces.map(Ok))
}

/// Changes the protocol of the connection. The head is the answer to the client's proposal.
pub(in crate::web) fn switching(head: Response<()>, upgrade: Upgrade) -> WebResponse {
    head.map(|()| ResponseBody::Upgrade(Some(upgrade)))
}

/// Sends a file to download as it is made.
pub(in crate::web) fn attachment(
    name: &'static str,
    content_type: &'static str,
    pieces: impl Stream<Item = Result<Bytes, IncompleteBody>> + 'static,
) -> WebResponse {
    let mut answer = live(content_type, pieces);
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    answer.headers_mut().insert(header::CONTENT_DISPOSITION, disposition.expect("our file names are ASCII"));
    answer
}

fn live(
    content_type: &'static str,
    pieces: impl Stream<Item = Result<Bytes, IncompleteBody>> + 'static,
) -> WebResponse {
    let mut answer = answer(StatusCode::OK, content_type, ResponseBody::Live(Box::pin(pieces)));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    closing(answer)
}

/// Answers a program with 503: try again in a moment.
pub(in crate::web) fn later(words: &'static str) -> WebResponse {
    let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, words);
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    answer
}

/// Answers a program with a status and a short text.
pub(in crate::web) fn plain(status: StatusCode, words: &'static str) -> WebResponse {
    let mut answer = with_type(status, "text/plain; charset=utf-8", Bytes::from_static(words.as_bytes()));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Answers with a text of any content type.
pub(in crate::web) fn text(status: StatusCode, content_type: &'static str, text: String) -> WebResponse {
    let mut answer = with_type(status, content_type, text.into());
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Sends a file of the binary. Caches keep it briefly, since the next version may bring another.
pub(in crate::web) fn file(content_type: &'static str, text: &'static str) -> WebResponse {
    let mut answer = with_type(StatusCode::OK, content_type, Bytes::from_static(text.as_bytes()));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    answer
}

/// Sends an avatar. Caches keep it for a day: its address changes with the choice of its owner, and its drawing only with a
/// new version. Pages of other sites may show it: those of clients in the browser do.
pub(in crate::web) fn drawing(svg: String) -> WebResponse {
    let mut answer = with_type(StatusCode::OK, "image/svg+xml", svg.into());
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));
    for_other_sites(answer)
}

/// Lets pages of other sites show a picture.
pub(in crate::web) fn for_other_sites(mut answer: WebResponse) -> WebResponse {
    answer.headers_mut().insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    answer
}

/// Sends a feed to a feed reader, which may keep it and asks each time whether it has changed. Shared caches keep only
/// what everyone may read.
pub(in crate::web) fn feed(document: String, secret: bool) -> WebResponse {
    let mut answer = with_type(StatusCode::OK, "application/atom+xml; charset=utf-8", document.into());
    let keep = if secret { "private, no-cache" } else { "no-cache" };
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    answer
}

/// As [`file`], compressed with gzip.
pub(in crate::web) fn packed_file(content_type: &'static str, packed: Bytes) -> WebResponse {
    let mut answer = file(content_type, "");
    *answer.body_mut() = ResponseBody::Whole(Some(packed));
    answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    answer
}

/// Turns a response into a 304: the browser already has the file.
pub(in crate::web) fn unchanged(answer: WebResponse) -> WebResponse {
    let (mut head, _) = answer.into_parts();
    head.status = StatusCode::NOT_MODIFIED;
    head.headers.remove(header::CONTENT_TYPE);
    head.headers.remove(header::CONTENT_ENCODING);
    Response::from_parts(head, ResponseBody::Whole(None))
}

/// Closes the connection after a response, because a part of the request was not read.
pub(in crate::web) fn closing(mut answer: WebResponse) -> WebResponse {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// Serialises a response for a connection without hyper, which is closed afterwards.
pub(in crate::web) fn to_bytes(answer: WebResponse) -> Vec<u8> {
    let (head, body) = closing(answer).into_parts();
    let body = match body {
        ResponseBody::Whole(body) => body.unwrap_or_default(),
        ResponseBody::Live(_) | ResponseBody::Upgrade(_) => Bytes::new(),
    };
    let mut bytes = format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", head.status, body.len()).into_bytes();
    for (name, value) in &head.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body);
    bytes
}

/// Answers with a status alone.
pub(in crate::web) fn empty(status: StatusCode) -> WebResponse {
    let mut answer = plain(status, "");
    answer.headers_mut().remove(header::CONTENT_TYPE);
    answer
}

fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> WebResponse {
    answer(status, content_type, ResponseBody::Whole(Some(body)))
}

fn answer(status: StatusCode, content_type: &'static str, said: ResponseBody) -> WebResponse {
    let mut answer = Response::new(said);
    *answer.status_mut() = status;
    for (name, value) in ALWAYS {
        answer.headers_mut().insert(name, value);
    }
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
