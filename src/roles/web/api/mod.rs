//! The Mastodon client API: the same rules, sessions and limits as those of the pages, for programs of others.
//!
//! ```text
//!   path? ─404   method? ─405   body ─400, 413   token? ─401   scope? ─403   ──▶ handler ──▶ JSON
//! ```
//!
//! - [`routes`]: the table of all calls, which says who may make each
//! - [`admission`]: tokens and scopes
//! - [`request`]: one call, with its parameters; [`error`]: refusals as JSON
//! - [`streaming`]: live streams
//! - [`openapi`]: the same for programs
//! - [`oauth`]: apps and their tokens; [`sign_up`]: accounts; [`instance`]: this installation
//! - [`paging`]: pages of lists; [`reading`]: what several calls read
//! - [`accounts`], [`timelines`], [`statuses`], [`posting`], [`notifications`], [`conversations`], [`search`], [`others`]: the calls by
//!   subject
//!
//! What the JSON says is in `ribbit_ui::api`. No rule is here: handlers ask and write as the pages do.

mod accounts;
mod admission;
mod conversations;
mod error;
mod instance;
mod notifications;
mod oauth;
pub mod openapi;
mod others;
mod paging;
mod posting;
mod reading;
mod request;
pub mod routes;
mod search;
mod sign_up;
mod statuses;
pub(super) mod streaming;
mod timelines;

use crate::web::accounts::known_tokens::KnownToken;
use crate::web::http::body;
use crate::web::http::response::{WebResponse, closing};
use crate::web::http::timeouts::{ConnectionClock, ConnectionPhase};
use crate::web::limits::{ANSWER_DEADLINE, API_BODY_BYTES_MAX, POSTS};
use crate::web::request_context::RequestContext;
use crate::web::services::SiteServices;
use admission::{Caller, bearer};
pub(super) use error::ApiError;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use request::ApiRequest;
use ribbit_ui::api::params::Params;
use ribbit_ui::api::timestamp;
use ribbit_ui::words::ServiceError;
use routes::ApiRoute;
use smol::future::FutureExt;
use std::time::Instant;

/// Beginning of the paths that belong to the API, whether there is a call or not.
const PREFIX: &str = "/api/";

/// Words for a body beyond `API_BODY_BYTES_MAX`, which most often is a picture.
const TOO_LARGE: &str = "A call can have at most 64 KiB. Ribbit has no pictures or other media.";

/// Headers that pages of others may send and read. Cookies are none of them: a program shows its token.
const SENT_HEADERS: &str = "authorization, content-type, idempotency-key";
const READ_HEADERS: &str = "link, retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset";
/// Seconds for which a browser keeps the answer to a preflight.
const PREFLIGHT_SECONDS: &str = "86400";

/// All calls, by path.
pub(super) struct Api {
    router: matchit::Router<Vec<ApiRoute>>,
}

/// Returns true if a path belongs to the API and not to the pages.
pub(super) fn serves(path: &str) -> bool {
    path.starts_with(PREFIX) || routes::ROWS.iter().any(|row| row.path == path.trim_end_matches('/'))
}

impl Api {
    pub(super) fn new() -> Api {
        Api { router: ApiRoute::router() }
    }

    /// Answers one call, within `limits::ANSWER_DEADLINE` of `began`.
    pub(super) async fn answer(
        &self,
        services: &SiteServices,
        mut context: RequestContext,
        (head, body): (&Parts, Incoming),
        watch: &ConnectionClock,
        began: Instant,
    ) -> WebResponse {
        let handled = self.handle(services, &mut context, (head, body), watch, began);
        // The handlers bound their own waits; this is the last resort that keeps the deadline.
        let overdue = async {
            smol::Timer::at(began + ANSWER_DEADLINE).await;
            Err(ApiError::from(ServiceError::Undecided))
        };
        let mut answer = handled.or(overdue).await.unwrap_or_else(ApiError::into_response);
        set_rate(&mut answer, &context);
        let headers = answer.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ_HEADERS));
        answer
    }

    async fn handle(
        &self,
        services: &SiteServices,
        context: &mut RequestContext,
        (head, body): (&Parts, Incoming),
        watch: &ConnectionClock,
        began: Instant,
    ) -> Result<WebResponse, ApiError> {
        let found = self.router.at(head.uri.path().trim_end_matches('/'));
        let found = found.map_err(|_| ApiError::new(StatusCode::NOT_FOUND, "There is no such call."))?;
        if head.method == Method::OPTIONS {
            return Ok(preflight(found.value));
        }
        let method = if head.method == Method::HEAD { "GET" } else { head.method.as_str() };
        let route = found.value.iter().copied().find(|route| route.row().method == method);
        let route = route.ok_or_else(|| wrong_method(found.value))?;
        let named = found.params.iter().next().map_or("", |(_, named)| named);
        let read = body::read(&head.headers, body, API_BODY_BYTES_MAX, watch, began).await;
        watch.enter(ConnectionPhase::Answering);
        let params = match read {
            Ok(bytes) => parse_params(head, bytes)?,
            // A part of the request was not read.
            Err((status, _, words)) => {
                let words = if status == StatusCode::PAYLOAD_TOO_LARGE { TOO_LARGE } else { words };
                return Ok(closing(ApiError::new(status, words).into_response()));
            }
        };
        let caller = route.row().admit(services, context, bearer(&head.headers, &params)?).await?;
        let headers = &head.headers;
        let request = ApiRequest {
            services,
            context: &mut *context,
            params: &params,
            headers,
            named,
            path: head.uri.path(),
            caller,
        };
        // The context forgets a session that has ended.
        let session = request.context.session();
        let answer = route.handle(request).await;
        if let (Caller::Person { scopes }, Some(session)) = (caller, session) {
            match &answer {
                Err(error) if error.lacks_session() => services.tokens.forget(session),
                _ => services.tokens.note(session, KnownToken { scopes, seen: context.seen() }),
            }
        }
        answer
    }
}

/// Adds what is left of the rate limit that a write has used, or that it has exceeded.
fn set_rate(answer: &mut WebResponse, context: &RequestContext) {
    let refused = answer.status() == StatusCode::TOO_MANY_REQUESTS;
    let (limit, left, wait_s) = match context.rate_left().filter(|_| !refused) {
        Some(rate) => {
            let missing = u64::from(rate.limit.saturating_sub(rate.left));
            let wait_ms = u64::try_from(rate.every.as_millis()).unwrap_or(u64::MAX).saturating_mul(missing);
            (rate.limit, rate.left, wait_ms.div_ceil(1000))
        }
        None if refused => {
            let wait = answer.headers().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok());
            (POSTS.burst, 0, wait.and_then(|wait| wait.parse().ok()).unwrap_or_default())
        }
        None => return,
    };
    let reset = timestamp(context.now_ms().saturating_add(wait_s.saturating_mul(1000)));
    for (name, value) in [
        ("x-ratelimit-limit", limit.to_string()),
        ("x-ratelimit-remaining", left.to_string()),
        ("x-ratelimit-reset", reset),
    ] {
        let value = HeaderValue::from_str(&value).expect("digits and times are ASCII");
        answer.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

/// Returns the parameters of the body and of the query. The first of a name counts, so that of the body.
fn parse_params(head: &Parts, bytes: Bytes) -> Result<Params, ApiError> {
    let is = |kind| body::is_of_type(&head.headers, kind);
    let mut params = Params::default();
    // Some programs name a type although they send nothing.
    if !bytes.is_empty() {
        if is("application/json") {
            params.add_json(&bytes)?;
        } else if is(body::FORM) {
            params.add_form(&bytes)?;
        } else if is(body::MULTIPART) {
            params.add_multipart(body::content_type(&head.headers), bytes)?;
        } else {
            let words = "The body has to be a form or JSON.";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words));
        }
    }
    params.add_form(head.uri.query().unwrap_or_default().as_bytes())?;
    Ok(params)
}

/// Answers a browser that asks whether a page of another site may make the calls of a path: each may, with a token.
fn preflight(routes: &[ApiRoute]) -> WebResponse {
    let mut answer = super::response::empty(StatusCode::NO_CONTENT);
    let methods = methods(routes);
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods.as_str()),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, SENT_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
        (header::ALLOW, methods.as_str()),
    ] {
        let value = HeaderValue::from_str(value).expect("methods and names of headers are ASCII");
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// Returns the methods that a path has.
fn methods(routes: &[ApiRoute]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|route| route.row().method).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.join(", ")
}

/// Refuses a method with those that the path has.
fn wrong_method(routes: &[ApiRoute]) -> ApiError {
    ApiError::wrong_method(methods(routes))
}
