//! Handles one request, from its head to its answer.
//!
//! ```text
//!   host? ─400, 421   length given? ─411   path? ─404   method? ─405
//!   same origin? ─403   content type? ─415   size? ─413   in time? ─408   ──▶ handler ─429 rate limit
//! ```

use crate::common::address_rates::AddressRates;
use crate::common::machine::host_name;
use crate::common::network::Network;
use crate::common::shutdown::Shutdown;
use crate::web::accounts::export::RunningExports;
use crate::web::accounts::known_tokens::KnownTokens;
use crate::web::api::{self, Api, ApiError};
use crate::web::arguments::WebOptions;
use crate::web::croaks::front_cache::FrontCache;
use crate::web::croaks::live::LiveStreams;
use crate::web::error_pages::{message, no_such_page};
use crate::web::http::body::{self, Rejection};
use crate::web::http::client_origin::{ClientOrigin, PeerInfo};
use crate::web::http::cross_site;
use crate::web::http::files::Files;
use crate::web::http::hosts::{AllowedHosts, HostError};
use crate::web::http::https_redirect;
use crate::web::http::response::{self, WebResponse, closing};
use crate::web::http::timeouts::{ConnectionClock, ConnectionPhase};
use crate::web::limits::{ANSWER_DEADLINE, FORM_BYTES_MAX};
use crate::web::monitoring::cluster::ClusterMonitor;
use crate::web::monitoring::metrics::WebCounters;
use crate::web::request_context::RequestContext;
use crate::web::routes::{GetRequest, PostRequest, RequestBody, Route, RouteAccess, RouteOption, Routes};
use crate::web::services::SiteServices;
use crate::web::talks::announcements::KnownAnnouncements;
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, HeaderValue, STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use ribbit_net::client::Client;
use ribbit_ui::form::Form;
use ribbit_ui::pages::{MessagePage, NavEntry};
use ribbit_ui::words::ServiceError;
use smol::future::FutureExt;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The web site: what all connections share.
pub(super) struct Site {
    pub(super) services: SiteServices,
    hosts: AllowedHosts,
    trusted_proxies: Vec<Network>,
    rate_limiter: Arc<AddressRates>,
    /// Value of `Strict-Transport-Security` on encrypted connections.
    hsts: Option<HeaderValue>,
    routes: Routes,
    /// The API for programs, unless it is off.
    api: Option<Api>,
}

impl Site {
    /// Makes a site that asks `client`.
    pub(super) fn new(client: Client, options: WebOptions, shutdown: Arc<Shutdown>) -> Site {
        let WebOptions {
            servers,
            keys,
            hosts,
            trusted_proxies,
            security_contact,
            hsts_days,
            chirper_pages,
            public_feeds,
            api,
            ..
        } = options;
        let added = [
            (chirper_pages, RouteOption::Chirper),
            (public_feeds, RouteOption::PublicFeeds),
            (api, RouteOption::Api),
        ];
        let added: Vec<RouteOption> = added.iter().filter(|(on, _)| *on).map(|(_, option)| *option).collect();
        let cluster = ClusterMonitor::new(client.clone(), servers, keys);
        let streams = LiveStreams::new(client.clone(), shutdown);
        Site {
            services: SiteServices {
                client,
                cluster,
                streams,
                announcements: KnownAnnouncements::default(),
                fronts: FrontCache::default(),
                exports: RunningExports::default(),
                files: Files::new(),
                security_contact,
                metrics: WebCounters::default(),
                chirper_pages,
                public_feeds,
                tokens: KnownTokens::default(),
            },
            hosts: AllowedHosts::new(&hosts, &host_name()),
            trusted_proxies,
            rate_limiter: Arc::default(),
            hsts: hsts_days.map(hsts),
            routes: Routes::new(&added),
            api: api.then(Api::new),
        }
    }

    /// Returns true if connections from an address are limited as one client's. A proxy's and this machine's may belong to many
    /// people.
    pub(super) fn is_single_client(&self, peer: IpAddr) -> bool {
        !peer.is_loopback() && !self.trusted_proxies.iter().any(|proxy| proxy.holds(peer))
    }

    /// Answers one request, within `limits::ANSWER_DEADLINE` of `began`. `client` is the one of this thread.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: PeerInfo,
        client: &Client,
        watch: &ConnectionClock,
        began: Instant,
    ) -> WebResponse {
        let origin = ClientOrigin::of(peer, request.headers(), &self.trusted_proxies);
        let mut answer = self.answer_on(origin, request, client, watch, began).await;
        self.services.metrics.count(answer.status(), began.elapsed());
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
        let answer = match self.check(request.uri(), request.headers(), origin) {
            Ok(()) => https_redirect::answer(request.method(), request.uri(), request.headers(), port),
            Err(refused) => refused.to_person(false),
        };
        self.services.metrics.count(answer.status(), Duration::ZERO);
        answer
    }

    async fn answer_on(
        &self,
        origin: ClientOrigin,
        request: Request<Incoming>,
        client: &Client,
        watch: &ConnectionClock,
        began: Instant,
    ) -> WebResponse {
        let (head, body) = request.into_parts();
        let checked = self.check(&head.uri, &head.headers, origin);
        if let Some(api) = self.api.as_ref().filter(|_| api::serves(head.uri.path())) {
            if let Err(refused) = checked {
                return refused.to_program();
            }
            let limiter = self.rate_limiter.clone();
            let context = RequestContext::of_program(client.clone(), origin, limiter, &head.headers, began);
            return api.answer(&self.services, context, (&head, body), watch, began).await;
        }
        let mut context =
            RequestContext::new(client.clone(), origin, self.rate_limiter.clone(), &head.headers, began);
        let has_session = context.has_session();
        if let Err(refused) = checked {
            return refused.to_person(has_session);
        }
        let Some((route, named)) = self.routes.find(head.uri.path()) else {
            return no_such_page(has_session);
        };
        let handled = async {
            match head.method {
                Method::GET | Method::HEAD => {
                    let query = &Form::parse(head.uri.query().unwrap_or_default().as_bytes());
                    let headers = &head.headers;
                    if route.row().access == RouteAccess::OwnPages && cross_site::load(headers, origin.secure)
                    {
                        return response::plain(StatusCode::FORBIDDEN, "this was requested by another site");
                    }
                    if route.row().page {
                        let announcements = self.services.announcements.of_page(&mut context).await;
                        context.surround(head.uri.path(), &announcements);
                    }
                    route
                        .get(GetRequest {
                            services: &self.services,
                            context: &mut context,
                            query,
                            headers,
                            named,
                        })
                        .await
                }
                Method::POST if route.row().body == RequestBody::Form => {
                    let form = read_form(&head.headers, origin.secure, body, watch, began).await;
                    watch.enter(ConnectionPhase::Answering);
                    match form {
                        Ok(form) => {
                            let services = &self.services;
                            let request = PostRequest { services, context: &mut context, form: &form, named };
                            route.post(request).await.unwrap_or_else(|| wrong_method(route, has_session))
                        }
                        Err(rejection) => refuse(rejection, has_session),
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
        context.set_cookies(answer)
    }

    /// Makes the checks that come before the path is looked at.
    ///
    /// # Errors
    /// The refusal of a request without a valid host, for a host that is not this site, or with a body in chunks.
    fn check(&self, uri: &Uri, headers: &HeaderMap, origin: ClientOrigin) -> Result<(), RefusedHead> {
        match self.hosts.check(uri, headers) {
            Ok(()) if headers.contains_key(TRANSFER_ENCODING) => Err(RefusedHead::of(NO_LENGTH)),
            Ok(()) => Ok(()),
            Err(HostError::Invalid) => Err(RefusedHead::of(WHICH_HOST)),
            Err(HostError::Unknown(name)) => {
                log::debug!("{} requested the unknown host {name}", origin.address);
                let words = format!(
                    "This site is not set up for the name {name}. To allow it, start the web pages with --host {name}."
                );
                let status = StatusCode::MISDIRECTED_REQUEST;
                Err(RefusedHead { status, title: "Wrong site name", words: words.into() })
            }
        }
    }
}

/// Refusal of a request by its head alone.
struct RefusedHead {
    status: StatusCode,
    title: &'static str,
    words: Cow<'static, str>,
}

impl RefusedHead {
    fn of((status, title, words): Rejection) -> RefusedHead {
        RefusedHead { status, title, words: words.into() }
    }

    /// Answers with a page. The body is not read, so the connection ends.
    fn to_person(&self, logged_in: bool) -> WebResponse {
        closing(message(self.status, self.title, &self.words, logged_in))
    }

    /// Answers with JSON.
    fn to_program(&self) -> WebResponse {
        closing(ApiError::new(self.status, self.words.to_string()).into_response())
    }
}

/// Returns the value of `Strict-Transport-Security`. Without `includeSubDomains`: other hosts of the domain are not this site's
/// to decide about.
fn hsts(days: u32) -> HeaderValue {
    let seconds = u64::from(days) * 24 * 3600;
    HeaderValue::from_str(&format!("max-age={seconds}")).expect("digits are ASCII")
}

/// Answers 405 with the allowed methods.
fn wrong_method(route: Route, logged_in: bool) -> WebResponse {
    let words = "This address does not support that kind of request.";
    let mut answer = message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", words, logged_in);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(route.row().body.methods()));
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
/// Reads the posted form. A body that cannot be a valid form is refused before it is read.
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
    if !body::is_of_type(headers, body::FORM) {
        return Err(NOT_A_FORM);
    }
    let bytes = body::read(headers, body, FORM_BYTES_MAX, watch, began).await?;
    Ok(Form::parse(&bytes))
}
