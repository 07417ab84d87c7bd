//! Handles one request, from its head to its answer.
//!
//! ```text
//!   host? ─400, 421   length given? ─411   path? ─404   method? ─405
//!   same origin? ─403   content type? ─415   size? ─413   in time? ─408   ──▶ handler ─429 rate limit
//! ```

use super::client_origin::{ClientOrigin, PeerInfo};
use super::cluster::ClusterMonitor;
use super::cross_site;
use super::export::RunningExports;
use super::files::{self, Asset, Files};
use super::hosts::{AllowedHosts, HostError};
use super::https_redirect;
use super::limits::{ANSWER_DEADLINE, BODY_DEADLINE, FORM_BYTES_MAX};
use super::live::{LiveStreams, Shutdown, cursor};
use super::metrics::WebCounters;
use super::rate_limit::RateLimiter;
use super::request_context::RequestContext;
use super::response::{self, WebResponse, closing};
use super::timeouts::{ConnectionClock, ConnectionPhase};
use super::{account, croak, feed, friends, health, messages, people, receipts, settings, status};
use crate::common::machine::host_name;
use crate::common::network::Network;
use crate::web::arguments::WebOptions;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING,
};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use ribbit_net::client::Client;
use ribbit_ui::form::Form;
use ribbit_ui::pages::{MessagePage, NavEntry, PageFrame};
use ribbit_ui::words::ServiceError;
use smol::future::FutureExt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Home,
    Create,
    Login,
    Logout,
    Main,
    Manage,
    Delete,
    File(Asset),
    SecurityText,
    ChangePassword,
    Livez,
    Readyz,
    Health,
    Metrics,
    Status,
    About,
    Live,
    People,
    Profile,
    Croak,
    Talks,
    Talk,
    Settings,
    Shown,
    Export,
}

impl Route {
    fn takes_forms(self) -> bool {
        use Route::{Create, Croak, Delete, Login, Logout, Main, Manage, Settings, Talk};
        matches!(self, Create | Login | Logout | Main | Manage | Delete | Croak | Talk | Settings)
    }

    /// Returns true if a GET has an effect or returns the user's own data, so only this site's pages may send it.
    fn is_ours_to_load(self) -> bool {
        matches!(self, Route::Live | Route::Shown | Route::Export)
    }
}

/// A route, with the parameter of its path: a username, a croak's id.
#[derive(Debug, Clone, Copy)]
struct MatchedRoute<'a> {
    route: Route,
    named: &'a str,
}

/// The web site: what all connections share.
pub(super) struct Site {
    client: Client,
    hosts: AllowedHosts,
    trusted_proxies: Vec<Network>,
    rate_limiter: Rc<RateLimiter>,
    cluster: ClusterMonitor,
    pub(super) streams: Rc<LiveStreams>,
    exports: RunningExports,
    files: Files,
    security_contact: Option<String>,
    /// Value of `Strict-Transport-Security` on encrypted connections.
    hsts: Option<HeaderValue>,
    pub(super) metrics: WebCounters,
    routes: matchit::Router<Route>,
}

impl Site {
    /// Makes a site that asks `client`.
    pub(super) fn new(client: Client, options: WebOptions, shutdown: Rc<Shutdown>) -> Site {
        let WebOptions { servers, keys, hosts, trusted_proxies, security_contact, hsts_days, .. } = options;
        let mut routes = matchit::Router::new();
        for (path, route) in [
            ("/", Route::Home),
            ("/create", Route::Create),
            ("/login", Route::Login),
            ("/logout", Route::Logout),
            ("/main", Route::Main),
            ("/manage", Route::Manage),
            ("/delete", Route::Delete),
            ("/style.css", Route::File(Asset::Style)),
            ("/script.js", Route::File(Asset::Script)),
            ("/favicon.svg", Route::File(Asset::Favicon)),
            ("/robots.txt", Route::File(Asset::Robots)),
            ("/.well-known/security.txt", Route::SecurityText),
            ("/.well-known/change-password", Route::ChangePassword),
            ("/livez", Route::Livez),
            ("/readyz", Route::Readyz),
            ("/health", Route::Health),
            ("/metrics", Route::Metrics),
            ("/status", Route::Status),
            ("/about", Route::About),
            ("/live", Route::Live),
            ("/people", Route::People),
            ("/@{name}", Route::Profile),
            ("/croak/{id}", Route::Croak),
            ("/messages", Route::Talks),
            ("/messages/{name}", Route::Talk),
            ("/settings", Route::Settings),
            ("/shown", Route::Shown),
            ("/export", Route::Export),
        ] {
            routes.insert(path, route).expect("the paths differ");
        }
        let cluster = ClusterMonitor::new(client.clone(), servers, keys);
        let streams = LiveStreams::new(client.clone(), shutdown);
        Site {
            cluster,
            streams,
            client,
            hosts: AllowedHosts::new(&hosts, &host_name()),
            trusted_proxies,
            rate_limiter: Rc::default(),
            exports: RunningExports::default(),
            files: Files::new(),
            security_contact,
            hsts: hsts_days.map(hsts),
            metrics: WebCounters::default(),
            routes,
        }
    }

    /// Returns true if connections from an address are limited as one client's. A proxy's and this machine's may belong to many
    /// people.
    pub(super) fn is_single_client(&self, peer: IpAddr) -> bool {
        !peer.is_loopback() && !self.trusted_proxies.iter().any(|proxy| proxy.holds(peer))
    }

    /// Answers one request, within `limits::ANSWER_DEADLINE` of `began`.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: PeerInfo,
        watch: &ConnectionClock,
        began: Instant,
    ) -> WebResponse {
        let origin = ClientOrigin::of(peer, request.headers(), &self.trusted_proxies);
        let mut answer = self.answer_on(origin, request, watch, began).await;
        if let Some(hsts) = self.hsts.as_ref().filter(|_| origin.secure) {
            answer.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        answer
    }

    /// Redirects a request over HTTP to HTTPS.
    pub(super) fn redirect<B>(
        &self,
        request: &Request<B>,
        peer: PeerInfo,
        port: https_redirect::RedirectPort,
    ) -> WebResponse {
        let origin = ClientOrigin::of(peer, request.headers(), &self.trusted_proxies);
        let answer = match self.check(request.uri(), request.headers(), origin, false) {
            Ok(()) => https_redirect::answer(request.method(), request.uri(), request.headers(), port),
            Err(refused) => *refused,
        };
        self.metrics.count(answer.status(), Duration::ZERO);
        answer
    }

    async fn answer_on(
        &self,
        origin: ClientOrigin,
        request: Request<Incoming>,
        watch: &ConnectionClock,
        began: Instant,
    ) -> WebResponse {
        let (head, body) = request.into_parts();
        let mut context =
            RequestContext::new(self.client.clone(), origin, self.rate_limiter.clone(), &head.headers, began);
        let has_session = context.has_session();
        if let Err(refused) = self.check(&head.uri, &head.headers, origin, has_session) {
            self.metrics.count(refused.status(), began.elapsed());
            return *refused;
        }
        let Ok(found) = self.routes.at(head.uri.path()) else {
            self.metrics.count(StatusCode::NOT_FOUND, began.elapsed());
            return no_such_page(has_session);
        };
        let route = *found.value;
        let place = MatchedRoute { route, named: found.params.iter().next().map_or("", |(_, named)| named) };
        let handled = async {
            match head.method {
                Method::GET | Method::HEAD => {
                    let query = Form::parse(head.uri.query().unwrap_or_default().as_bytes());
                    self.get(place, &mut context, &query, &head.headers).await
                }
                Method::POST if route.takes_forms() => {
                    let form = read_form(&head.headers, origin.secure, body, watch, began).await;
                    watch.enter(ConnectionPhase::Answering);
                    match form {
                        Ok(form) => post(place, &mut context, &form).await,
                        Err(unread) => refuse(unread, has_session),
                    }
                }
                _ => wrong_method(route, has_session),
            }
        };
        // The handlers bound their own waits; this is the last resort that keeps the deadline.
        let overdue = async {
            smol::Timer::at(began + ANSWER_DEADLINE).await;
            let page = MessagePage::service_error(NavEntry::Nowhere, has_session, ServiceError::Undecided);
            response::page(StatusCode::SERVICE_UNAVAILABLE, &page)
        };
        let answer = handled.or(overdue).await;
        self.metrics.count(answer.status(), began.elapsed());
        context.set_cookies(answer)
    }

    /// Makes the checks that come before the path is looked at.
    ///
    /// # Errors
    /// The answer to a request without a valid host, for a host that is not this site, or with a body in chunks.
    fn check(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        origin: ClientOrigin,
        has_session: bool,
    ) -> Result<(), Box<WebResponse>> {
        let refused = match self.hosts.check(uri, headers) {
            Ok(()) if headers.contains_key(TRANSFER_ENCODING) => refuse(NO_LENGTH, has_session),
            Ok(()) => return Ok(()),
            Err(HostError::Invalid) => refuse(WHICH_HOST, has_session),
            Err(HostError::Unknown(name)) => {
                log::debug!("{} requested the unknown host {name}", origin.address);
                let words = format!(
                    "This site is not set up for the name {name}. To allow it, start the web pages with --host {name}."
                );
                closing(message(StatusCode::MISDIRECTED_REQUEST, "HostError site name", &words, false))
            }
        };
        Err(Box::new(refused))
    }

    async fn get(
        &self,
        at: MatchedRoute<'_>,
        context: &mut RequestContext,
        query: &Form,
        headers: &HeaderMap,
    ) -> WebResponse {
        match at.route {
            route if route.is_ours_to_load() && cross_site::load(headers, context.origin().secure) => {
                response::plain(StatusCode::FORBIDDEN, "this was requested by another site")
            }
            Route::Home if context.has_session() => response::see_other("/main"),
            Route::Home => response::see_other("/login"),
            Route::Create => account::show_create(context).await,
            Route::Login => account::show_login(context, query).await,
            Route::Logout => account::show_logout(context).await,
            Route::Delete => account::show_delete(context).await,
            Route::Main => feed::show(context, query).await,
            Route::Manage => friends::show(context, query).await,
            Route::File(which) => self.files.answer(which, headers),
            Route::SecurityText => files::security_text(self.security_contact.as_deref())
                .unwrap_or_else(|| no_such_page(context.has_session())),
            Route::ChangePassword => response::found("/settings#change-password"),
            Route::Livez => response::plain(StatusCode::OK, "ok"),
            Route::Readyz => health::ready(&self.client).await,
            Route::Health => health::health(&self.cluster.look().await.survey),
            Route::Metrics => self.metrics.show(self.streams.open()),
            Route::Status => status::show(context, &self.cluster, query).await,
            Route::About => status::about(context),
            Route::Live => {
                let last = headers.get("last-event-id").and_then(|last| cursor(last.to_str().ok()));
                self.streams.begin(context, last, cursor(query.get("from"))).await
            }
            Route::People => people::show(context, query).await,
            Route::Profile => people::profile(context, at.named, query).await,
            Route::Croak => croak::show(context, at.named).await,
            Route::Talks => messages::list(context, query).await,
            Route::Talk => messages::show(context, at.named, query).await,
            Route::Settings => settings::show(context, query).await,
            Route::Shown => receipts::show(context, query, headers).await,
            Route::Export => self.exports.begin(context, &self.client).await,
        }
    }
}

async fn post(at: MatchedRoute<'_>, context: &mut RequestContext, form: &Form) -> WebResponse {
    match at.route {
        Route::Create => account::create(context, form).await,
        Route::Login => account::login(context, form).await,
        Route::Logout => account::logout(context, form).await,
        Route::Delete => account::delete(context, form).await,
        Route::Main => feed::croak(context, form).await,
        Route::Manage => friends::manage(context, form).await,
        Route::Croak => croak::take_back(context, at.named, form).await,
        Route::Talk => messages::send(context, at.named, form).await,
        Route::Settings => settings::change(context, form).await,
        _ => wrong_method(at.route, context.has_session()),
    }
}

/// Returns the value of `Strict-Transport-Security`. Without `includeSubDomains`: other hosts of the domain are not this site's
/// to decide about.
fn hsts(days: u32) -> HeaderValue {
    let seconds = u64::from(days) * 24 * 3600;
    HeaderValue::from_str(&format!("max-age={seconds}")).expect("digits are ASCII")
}

fn message(status: StatusCode, title: &str, words: &str, logged_in: bool) -> WebResponse {
    let frame = PageFrame::new(title, NavEntry::Nowhere, logged_in);
    response::page(status, &MessagePage { frame, words: words.to_string() })
}

fn no_such_page(logged_in: bool) -> WebResponse {
    message(StatusCode::NOT_FOUND, "Page not found", "There is nothing at this address.", logged_in)
}

fn wrong_method(route: Route, logged_in: bool) -> WebResponse {
    let words = "This address does not support that kind of request.";
    let mut answer = message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", words, logged_in);
    let allowed = if route.takes_forms() { "GET, HEAD, POST" } else { "GET, HEAD" };
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// Returns the answer to a request head that hyper rejected with this status.
pub(super) fn no_request(status: u16) -> Option<WebResponse> {
    let status = StatusCode::from_u16(status).ok()?;
    let (title, words) = match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG => {
            ("Request too long", "The address or the headers of this request are too long.")
        }
        _ => ("Bad request", "The request could not be understood."),
    };
    Some(message(status, title, words, false))
}

/// Reason why a request was not read to its end: status, title and text of the answer.
type Rejection = (StatusCode, &'static str, &'static str);

fn refuse((status, title, words): Rejection, logged_in: bool) -> WebResponse {
    closing(message(status, title, words, logged_in))
}

const WHICH_HOST: Rejection =
    (StatusCode::BAD_REQUEST, "Bad request", "The request has to name exactly one host.");
/// Refusal of chunked bodies, which no browser sends with a form. If a proxy and this server disagreed about where a request
/// ends, a body could be taken for the next request (request smuggling).
const NO_LENGTH: Rejection =
    (StatusCode::LENGTH_REQUIRED, "Bad request", "The request has to give its length exactly once.");
const FOREIGN: Rejection =
    (StatusCode::FORBIDDEN, "Blocked", "This form was sent from another site, so nothing was changed.");
const NOT_A_FORM: Rejection =
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Bad request", "This address only accepts forms.");
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

/// Reads the posted form. Whatever cannot be a valid form is refused before its body is read.
///
/// # Errors
/// The answer to a form from another site, of another content type, too large, incomplete or too slow.
async fn read_form(
    headers: &HeaderMap,
    secure: bool,
    body: Incoming,
    watch: &ConnectionClock,
    began: Instant,
) -> Result<Form, Rejection> {
    if cross_site::form(headers, secure) {
        return Err(FOREIGN);
    }
    if body.is_end_stream() {
        return Ok(Form::default());
    }
    if !is_form(headers) {
        return Err(NOT_A_FORM);
    }
    if declared_length(headers).is_some_and(|bytes| bytes > FORM_BYTES_MAX as u64) {
        return Err(TOO_LONG);
    }
    let collected = async { Some(Limited::new(body, FORM_BYTES_MAX).collect().await) };
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
            Some(Ok(bytes)) => Ok(Form::parse(&bytes.to_bytes())),
            Some(Err(error)) if error.is::<LengthLimitError>() => Err(TOO_LONG),
            Some(Err(_)) => Err(CUT_SHORT),
            None => Err(TOO_SLOW),
        }
    };
    collected.or(ended).await
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
