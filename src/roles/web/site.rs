//! One request from its head to its answer.
//!
//! ```text
//!   path? ─404   method? ─405   whose form? ─403   kind? ─415   size? ─413   in time? ─408   ──▶ handler
//! ```

use super::answer::{self, Answer, closing};
use super::export::Exports;
use super::group::Group;
use super::limits::{ANSWER_DEADLINE, BODY_DEADLINE, FORM_BYTES_MAX};
use super::live::{Stopping, Streams, cursor};
use super::tally::Tally;
use super::visit::Visit;
use super::{account, croak, feed, friends, health, messages, people, settings, shown, status};
use crate::net::client::Client;
use crate::net::keys::Keys;
use crate::ui::form::Form;
use crate::ui::pages::{FAVICON, MessagePage, Place, SCRIPT, STYLE, Shell};
use crate::ui::words::Trouble;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::{HeaderMap, Method, Request, StatusCode};
use smol::future::FutureExt;
use std::rc::Rc;
use std::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Home,
    Create,
    Login,
    Logout,
    Main,
    Manage,
    Delete,
    Style,
    Favicon,
    Livez,
    Readyz,
    Health,
    Metrics,
    Status,
    About,
    Script,
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
}

/// What a path leads to, and what it names there: a person, a croak.
#[derive(Debug, Clone, Copy)]
struct Address<'a> {
    route: Route,
    named: &'a str,
}

pub struct Site {
    client: Client,
    group: Group,
    pub streams: Rc<Streams>,
    exports: Exports,
    pub tally: Tally,
    routes: matchit::Router<Route>,
}

impl Site {
    pub fn new(client: Client, servers: Vec<String>, keys: Keys, stopping: Rc<Stopping>) -> Site {
        let mut routes = matchit::Router::new();
        for (path, route) in [
            ("/", Route::Home),
            ("/create", Route::Create),
            ("/login", Route::Login),
            ("/logout", Route::Logout),
            ("/main", Route::Main),
            ("/manage", Route::Manage),
            ("/delete", Route::Delete),
            ("/style.css", Route::Style),
            ("/favicon.svg", Route::Favicon),
            ("/livez", Route::Livez),
            ("/readyz", Route::Readyz),
            ("/health", Route::Health),
            ("/metrics", Route::Metrics),
            ("/status", Route::Status),
            ("/about", Route::About),
            ("/script.js", Route::Script),
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
        let group = Group::new(client.clone(), servers, keys);
        let streams = Streams::new(client.clone(), stopping);
        Site { group, streams, client, exports: Exports::default(), tally: Tally::default(), routes }
    }

    /// Answers one request, within `limits::ANSWER_DEADLINE` of `began`.
    pub async fn answer(&self, request: Request<Incoming>, began: Instant) -> Answer {
        let (head, body) = request.into_parts();
        let mut visit = Visit::new(self.client.clone(), &head.headers, began);
        let has_session = visit.has_session();
        let Ok(found) = self.routes.at(head.uri.path()) else {
            self.tally.count(StatusCode::NOT_FOUND, began.elapsed());
            return message(StatusCode::NOT_FOUND, "No such page", "There is nothing here.", has_session);
        };
        let route = *found.value;
        let place = Address { route, named: found.params.iter().next().map_or("", |(_, named)| named) };
        let handled = async {
            match head.method {
                Method::GET | Method::HEAD => {
                    let query = Form::parse(head.uri.query().unwrap_or_default().as_bytes());
                    self.get(place, &mut visit, &query, &head.headers).await
                }
                Method::POST if route.takes_forms() => match read_form(&head.headers, body, began).await {
                    Ok(form) => post(place, &mut visit, &form).await,
                    Err((status, title, words)) => closing(message(status, title, words, has_session)),
                },
                _ => wrong_method(route, has_session),
            }
        };
        // The handlers bound their own waits; this is the last resort that keeps the promise.
        let overdue = async {
            smol::Timer::at(began + ANSWER_DEADLINE).await;
            let page = MessagePage::trouble(Place::Nowhere, has_session, Trouble::Disagree);
            answer::page(StatusCode::SERVICE_UNAVAILABLE, &page)
        };
        let answer = handled.or(overdue).await;
        self.tally.count(answer.status(), began.elapsed());
        visit.seal(answer)
    }

    async fn get(&self, at: Address<'_>, visit: &mut Visit, query: &Form, headers: &HeaderMap) -> Answer {
        match at.route {
            Route::Home if visit.has_session() => answer::see_other("/main"),
            Route::Home => answer::see_other("/login"),
            Route::Create => account::show_create(visit).await,
            Route::Login => account::show_login(visit, query).await,
            Route::Logout => account::show_logout(visit).await,
            Route::Delete => account::show_delete(visit).await,
            Route::Main => feed::show(visit, query).await,
            Route::Manage => friends::show(visit, query).await,
            Route::Style => answer::file("text/css; charset=utf-8", STYLE),
            Route::Favicon => answer::file("image/svg+xml", FAVICON),
            Route::Livez => answer::plain(StatusCode::OK, "ok"),
            Route::Readyz => health::ready(&self.client).await,
            Route::Health => health::health(&self.group.look().await.survey),
            Route::Metrics => self.tally.show(self.streams.open()),
            Route::Status => status::show(visit, &self.group, query).await,
            Route::About => status::about(visit),
            Route::Script => answer::file("text/javascript; charset=utf-8", SCRIPT),
            Route::Live => {
                let last = headers.get("last-event-id").and_then(|last| cursor(last.to_str().ok()));
                self.streams.begin(visit, last, cursor(query.get("from"))).await
            }
            Route::People => people::show(visit, query).await,
            Route::Profile => people::profile(visit, at.named, query).await,
            Route::Croak => croak::show(visit, at.named).await,
            Route::Talks => messages::list(visit, query).await,
            Route::Talk => messages::show(visit, at.named, query).await,
            Route::Settings => settings::show(visit, query).await,
            Route::Shown => shown::show(visit, query, headers).await,
            Route::Export => self.exports.begin(visit, &self.client).await,
        }
    }
}

async fn post(at: Address<'_>, visit: &mut Visit, form: &Form) -> Answer {
    match at.route {
        Route::Create => account::create(visit, form).await,
        Route::Login => account::login(visit, form).await,
        Route::Logout => account::logout(visit, form).await,
        Route::Delete => account::delete(visit, form).await,
        Route::Main => feed::croak(visit, form).await,
        Route::Manage => friends::manage(visit, form).await,
        Route::Croak => croak::take_back(visit, at.named, form).await,
        Route::Talk => messages::send(visit, at.named, form).await,
        Route::Settings => settings::change(visit, form).await,
        _ => wrong_method(at.route, visit.has_session()),
    }
}

fn message(status: StatusCode, title: &str, words: &str, logged_in: bool) -> Answer {
    let shell = Shell::new(title, Place::Nowhere, logged_in);
    answer::page(status, &MessagePage { shell, words: words.to_string() })
}

fn wrong_method(route: Route, logged_in: bool) -> Answer {
    let words = "This address cannot be used in that way.";
    let mut answer = message(StatusCode::METHOD_NOT_ALLOWED, "Not like that", words, logged_in);
    let allowed = if route.takes_forms() { "GET, HEAD, POST" } else { "GET, HEAD" };
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// Why a posted form was not read: status, title and words of the page that says so.
type Unread = (StatusCode, &'static str, &'static str);

const FOREIGN: Unread =
    (StatusCode::FORBIDDEN, "Not from here", "That form was sent from another site, so nothing was done.");
const NOT_A_FORM: Unread =
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Not a form", "Only forms are understood here.");
const TOO_LONG: Unread =
    (StatusCode::PAYLOAD_TOO_LARGE, "Too long", "That is far more than a form can hold.");
const CUT_SHORT: Unread = (StatusCode::BAD_REQUEST, "Cut short", "The form did not arrive whole.");
const TOO_SLOW: Unread = (StatusCode::REQUEST_TIMEOUT, "Too slow", "The form did not arrive in time.");

/// The form that was posted. What it cannot be is refused before anything of it is read.
async fn read_form(headers: &HeaderMap, body: Incoming, began: Instant) -> Result<Form, Unread> {
    if is_foreign(headers) {
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
    match collected.or(late).await {
        Some(Ok(bytes)) => Ok(Form::parse(&bytes.to_bytes())),
        Some(Err(error)) if error.is::<LengthLimitError>() => Err(TOO_LONG),
        Some(Err(_)) => Err(CUT_SHORT),
        None => Err(TOO_SLOW),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether a browser says that a form was sent from somebody else's page. Programs that are no browsers say
/// neither of the two headers; nobody can make their cookies go along with a stranger's form.
fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return true;
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    if origin == "null" {
        // A page without an origin (a file, a sandboxed frame), unless the browser vouches that it is ours.
        return site.is_none();
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let origin_host = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
    match (origin_host, host) {
        (Some(origin), Some(host)) => !origin.eq_ignore_ascii_case(host),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(lines: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        is_foreign(&headers)
    }

    #[test]
    fn forms_of_other_sites_are_told_from_ours() {
        let host = ("host", "frogs.lan:8080");
        assert!(!foreign(&[host]));
        assert!(!foreign(&[host, ("origin", "http://FROGS.lan:8080")]));
        assert!(!foreign(&[host, ("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(foreign(&[host, ("origin", "http://frogs.lan")]));
        assert!(foreign(&[host, ("origin", "null")]));
        assert!(foreign(&[host, ("sec-fetch-site", "same-site")]));
        assert!(foreign(&[host, ("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")]));
        assert!(foreign(&[("origin", "http://frogs.lan:8080")]));
    }
}
