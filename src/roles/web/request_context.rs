//! Context of one HTTP request: its cookies and deadline, and the queries and commands it sends to the cluster.
//!
//! The web role keeps no state between requests. The `session` cookie identifies the user, and the `seen` cookie holds the newest
//! state this browser has seen, so any web process can serve any browser without going back in time.
//!
//! On encrypted connections the cookies are called `__Host-session` and `__Host-seen`, which browsers only accept and send
//! encrypted. They are independent of the unencrypted ones, which an attacker on the network could set.

use crate::common::address_rates::{AddressRateClass, AddressRates, RateLeft};
use crate::common::machine::wall_ms;
use crate::web::http::client_origin::ClientOrigin;
use crate::web::http::response::WebResponse;
use crate::web::limits::{ANSWER_DEADLINE, AROUND_DEADLINE, PAGE_MARGIN, POSITION_AGE_MAX};
use cookie::{Cookie, SameSite};
use hyper::HeaderMap;
use hyper::header::{COOKIE, HOST, HeaderValue, RETRY_AFTER, SET_COOKIE, USER_AGENT};
use ribbit_net::client::{Client, ClientError};
use ribbit_net::protocol::{self, Ask, UnavailableReason};
use ribbit_net::secret::{TOKEN_BYTES, from_hex, new_request_id, to_hex, token_hash};
use ribbit_state::limits::SESSION_AGE_MS_MAX;
use ribbit_state::query::{AnnouncementItem, Unread};
use ribbit_state::{
    AppCommand, Code, Command, Consistency, Denied, HistoryId, LogIndex, MessageCommand, NoticeCommand, Page,
    Query, Reply, Request, RoomCommand, Token, TokenHash,
};
use ribbit_ui::api::SiteAddresses;
use ribbit_ui::device;
use ribbit_ui::form::{Form, FormRequest, REQUEST_FIELD};
use ribbit_ui::pages::{AnnouncementMarkup, NavEntry, PageFrame};
use ribbit_ui::words::ServiceError;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SESSION_COOKIE: &str = "session";
const SEEN_COOKIE: &str = "seen";
/// Prefix of cookies on encrypted connections. Browsers enforce it: `Secure`, the whole site, and not settable by another host of the
/// domain.
const SECURE_PREFIX: &str = "__Host-";

/// Reason why a page or form could not be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageError {
    /// Refused. The same request is refused again.
    Denied(Denied),
    /// Not decided. Retrying with the same request id is safe.
    Service(ServiceError),
}

/// For the log.
impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PageError::Denied(denied) => denied.fmt(f),
            PageError::Service(error) => f.write_str(&error.words()),
        }
    }
}

impl PageError {
    pub(super) fn denied(&self) -> &[Denied] {
        match self {
            PageError::Denied(denied) => std::slice::from_ref(denied),
            PageError::Service(_) => &[],
        }
    }
    pub(super) fn service_error(&self) -> Option<ServiceError> {
        match self {
            PageError::Denied(_) => None,
            PageError::Service(error) => Some(*error),
        }
    }
    pub(super) fn lacks_session(&self) -> bool {
        matches!(self, PageError::Denied(Denied { code: Code::NotLoggedIn, .. }))
    }
}

impl From<ClientError> for PageError {
    fn from(unreachable: ClientError) -> PageError {
        PageError::Service(unreachable.into())
    }
}

impl From<Denied> for PageError {
    /// A full queue is reported as a refusal, but nothing was decided.
    fn from(denied: Denied) -> PageError {
        match denied.code {
            Code::Busy => PageError::Service(ServiceError::Busy),
            Code::Unavailable => PageError::Service(ServiceError::Undecided),
            _ => PageError::Denied(denied),
        }
    }
}

/// Result of a read.
pub(super) struct ReadPage {
    /// State that the page shows.
    pub(super) token: Token,
    pub(super) page: Page,
    /// True if this, or an earlier read for the same page, may be out of date: the server has lost touch with the others, or no server
    /// has reached what this browser has seen.
    pub(super) old: bool,
}

/// Change of the `session` cookie.
enum SessionCookie {
    Keep,
    Set([u8; TOKEN_BYTES]),
    Drop,
}

pub(super) struct RequestContext {
    client: Client,
    origin: ClientOrigin,
    rate_limiter: Arc<AddressRates>,
    /// What is left of the rate limit of the last write.
    rate_left: Option<RateLeft>,
    /// Seconds to wait after a rate limit was exceeded.
    wait_s: Option<u32>,
    deadline: Instant,
    /// Wall clock of this machine in milliseconds since 1970, for display only.
    now_ms: u64,
    session: Option<TokenHash>,
    /// Newest state that this browser has seen.
    seen: Option<Token>,
    /// Newest token in an answer to this request. Unlike `seen` it cannot be forged with a cookie.
    answered: Option<Token>,
    /// True if no server reached `seen` in time, so the other reads of this page do not wait for it again.
    gave_up_waiting: bool,
    /// True if something on this page may be out of date.
    old: bool,
    /// True once the log has decided about the last request, so the next one needs a new id.
    decided: bool,
    /// Value of the `seen` cookie as it was sent.
    seen_text: Option<String>,
    session_cookie: SessionCookie,
    /// Header `User-Agent`, which names the device of a log-in.
    agent: Option<HeaderValue>,
    /// Header `Host`.
    host: Option<HeaderValue>,
    /// True for a program that keeps no cookies, such as a feed reader.
    cookieless: bool,
    /// Announcements above the content of each page.
    announcements: Arc<[AnnouncementMarkup]>,
}

impl RequestContext {
    pub(super) fn new(
        client: Client,
        origin: ClientOrigin,
        rate_limiter: Arc<AddressRates>,
        headers: &HeaderMap,
        began: Instant,
    ) -> RequestContext {
        let mut context = RequestContext::of_program(client, origin, rate_limiter, headers, began);
        context.read_cookies(headers);
        context
    }

    /// Makes the context of a program's request, for which cookies count for nothing: a token is given to
    /// [`RequestContext::act_for`].
    pub(super) fn of_program(
        client: Client,
        origin: ClientOrigin,
        rate_limiter: Arc<AddressRates>,
        headers: &HeaderMap,
        began: Instant,
    ) -> RequestContext {
        RequestContext {
            client,
            origin,
            rate_limiter,
            rate_left: None,
            wait_s: None,
            deadline: began + ANSWER_DEADLINE - PAGE_MARGIN,
            now_ms: wall_ms(),
            session: None,
            seen: None,
            answered: None,
            gave_up_waiting: false,
            old: false,
            decided: false,
            seen_text: None,
            session_cookie: SessionCookie::Keep,
            agent: headers.get(USER_AGENT).cloned(),
            host: headers.get(HOST).cloned(),
            cookieless: false,
            announcements: Arc::default(),
        }
    }

    /// Acts for the owner of a session, who has seen at least this state.
    pub(super) fn act_for(&mut self, session: TokenHash, seen: Option<Token>) {
        self.session = Some(session);
        self.seen = seen;
    }

    fn read_cookies(&mut self, headers: &HeaderMap) {
        let origin = self.origin;
        let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        for cookie in lines.flat_map(Cookie::split_parse).flatten() {
            let name = match origin.secure {
                true => cookie.name().strip_prefix(SECURE_PREFIX).unwrap_or_default(),
                false => cookie.name(),
            };
            match name {
                SESSION_COOKIE => self.session = from_hex(cookie.value()).map(|token| token_hash(&token)),
                SEEN_COOKIE => {
                    self.seen = cookie.value().parse().ok();
                    self.seen_text = Some(cookie.value().to_string());
                }
                _ => {}
            }
        }
    }

    /// Returns the browser's session. Only the cluster knows whether it is still open.
    pub(super) fn session(&self) -> Option<TokenHash> {
        self.session
    }
    /// Returns true if the newest state that this browser has seen is of this history.
    pub(super) fn has_seen(&self, history: HistoryId) -> bool {
        self.seen.is_some_and(|seen| seen.history == history)
    }
    /// Returns what is left of the rate limit of the last write, if it counted.
    pub(super) fn rate_left(&self) -> Option<RateLeft> {
        self.rate_left
    }
    /// Returns the newest state that this client has seen.
    pub(super) fn seen(&self) -> Option<Token> {
        self.seen
    }
    /// Returns the newest token in an answer to this request, at which a live stream of the page continues.
    pub(super) fn answered(&self) -> Option<Token> {
        self.answered
    }
    /// Returns true if something that was read may be out of date.
    pub(super) fn is_old(&self) -> bool {
        self.old
    }
    /// Returns the name of the browser and its system, in fixed words.
    pub(super) fn device(&self) -> String {
        let agent = self.agent.as_ref().and_then(|agent| agent.to_str().ok());
        device::of_browser(agent.unwrap_or_default())
    }
    /// Returns the addresses of the site as this client reached it.
    pub(super) fn site(&self) -> SiteAddresses {
        SiteAddresses::new(self.origin.secure, self.host())
    }
    /// Returns the address of the site as this client reached it, without a slash at the end: `https://frogs.example`.
    pub(super) fn site_address(&self) -> String {
        self.site().at("")
    }
    /// Returns the name and port by which the client has asked.
    pub(super) fn host(&self) -> &str {
        self.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default()
    }
    /// Answers without cookies and as if none had been sent.
    pub(super) fn ignore_cookies(&mut self) {
        (self.cookieless, self.session, self.seen) = (true, None, None);
    }
    pub(super) fn has_session(&self) -> bool {
        self.session.is_some()
    }
    pub(super) fn origin(&self) -> ClientOrigin {
        self.origin
    }
    /// Returns the frame of a page for this browser.
    pub(super) fn frame(&self, title: &str, here: NavEntry) -> PageFrame {
        PageFrame {
            now_ms: self.now_ms,
            announcements: self.announcements.clone(),
            ..PageFrame::new(title, here, self.has_session())
        }
    }
    /// Sets what stands around the content of the page at this path.
    pub(super) fn surround(&mut self, path: &str, announcements: &[AnnouncementItem]) {
        let dismissible = self.has_session().then_some(path);
        self.announcements =
            announcements.iter().map(|item| AnnouncementMarkup::new(item, dismissible)).collect();
    }
    /// Returns the announcements for people without a session, if they can be read in time. What the browser has seen does not
    /// matter.
    pub(super) async fn announcements(&self) -> Option<Vec<AnnouncementItem>> {
        let deadline = Instant::now() + AROUND_DEADLINE.min(self.time_left());
        match self.ask_read(&Query::Announcements, None, deadline).await {
            Ok(protocol::Answer::Read { page: Ok(Page::Announcements(all)), .. }) => Some(all),
            _ => None,
        }
    }
    /// Returns the wall clock, as [`PageFrame::now_ms`].
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }
    pub(super) fn open_session(&mut self, token: [u8; TOKEN_BYTES]) {
        self.session = Some(token_hash(&token));
        self.session_cookie = SessionCookie::Set(token);
    }
    pub(super) fn drop_session(&mut self) {
        self.session = None;
        self.session_cookie = SessionCookie::Drop;
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Reads a state that is at least as new as what this browser has seen. If no server has reached it in half of the time, reads what
    /// there is and marks it as old. Removes the session cookie if the session is not valid.
    ///
    /// # Errors
    /// `Denied` if the query is refused, `Service` if it is not answered in time.
    pub(super) async fn read(&mut self, query: Query, limit: Duration) -> Result<ReadPage, PageError> {
        let limit = limit.min(self.time_left());
        let deadline = Instant::now() + limit;
        let answer = match self.seen {
            Some(seen) if !self.gave_up_waiting => {
                match self.ask_read(&query, Some(seen), Instant::now() + limit / 2).await {
                    Err(ClientError::Undecided(UnavailableReason::OtherHistory)) => {
                        // No server gave out this token, or its history no longer exists, so the browser starts without one.
                        self.seen = None;
                        self.ask_read(&query, None, deadline).await
                    }
                    Err(_) => self.ask_read(&query, None, deadline).await,
                    answer => answer,
                }
            }
            _ => self.ask_read(&query, None, deadline).await,
        };
        self.note_read(answer?)
    }

    /// Reads the newest state, which a majority has confirmed. Removes the session cookie if the session is not valid.
    ///
    /// # Errors
    /// As [`RequestContext::read`]. Without a majority it is `Service`.
    pub(super) async fn read_newest(&mut self, query: Query, limit: Duration) -> Result<ReadPage, PageError> {
        let limit = limit.min(self.time_left());
        let ask = Ask::Read { seen: None, consistency: Consistency::Linearizable, query };
        let answer = self.ask(ask, limit).await?;
        self.note_read(answer)
    }

    fn note_read(&mut self, answer: protocol::Answer) -> Result<ReadPage, PageError> {
        match answer {
            protocol::Answer::Read { token, old, page } => {
                self.gave_up_waiting = self.seen.is_some_and(|seen| token.is_before(seen));
                self.note_token(token);
                self.old |= old || self.gave_up_waiting;
                page.map(|page| ReadPage { token, page, old: self.old })
                    .map_err(|denied| self.refused(denied))
            }
            protocol::Answer::Refused(denied) => Err(self.refused(denied)),
            other => Err(unexpected(&other)),
        }
    }

    /// Adds the unread counts to a page's frame, if it can be read in time. The page is shown without it otherwise.
    pub(super) async fn count_unread(&mut self, frame: &mut PageFrame) {
        frame.cursor = frame.cursor.or(self.answered());
        frame.unread = self.unread().await;
        frame.old |= self.old;
    }

    /// Returns the unread counts, if they can be read in time.
    pub(super) async fn unread(&mut self) -> Option<Unread> {
        let session = self.session?;
        match self.read(Query::Unread { session }, AROUND_DEADLINE).await.ok()?.page {
            Page::Unread(unread) => Some(unread),
            _ => None,
        }
    }

    async fn ask_read(
        &self,
        query: &Query,
        seen: Option<Token>,
        deadline: Instant,
    ) -> Result<protocol::Answer, ClientError> {
        let ask = Ask::Read { seen, consistency: Consistency::Session, query: query.clone() };
        self.ask(ask, deadline.saturating_duration_since(Instant::now())).await
    }

    /// Sends a request to the cluster. `OtherHistory` is returned as an error, because only the caller can handle it.
    async fn ask(&self, ask: Ask, limit: Duration) -> Result<protocol::Answer, ClientError> {
        match self.client.ask(ask, limit).await? {
            protocol::Answer::Unavailable(why) => Err(ClientError::Undecided(why)),
            answer => Ok(answer),
        }
    }

    /// Sends a write, and retries with the same id until it is decided or the deadline has passed. Not sent if this address exceeds its
    /// rate limit.
    ///
    /// # Errors
    /// `Denied` if it is refused, `Service` if it is not decided in time or the rate limit is exceeded.
    pub(super) async fn write(&mut self, ask: Ask) -> Result<Reply, PageError> {
        self.decided = false;
        self.check_rate(rate_class(&ask))?;
        match self.ask(ask, self.time_left()).await? {
            protocol::Answer::Written { token, outcome } => {
                self.note_token(token);
                self.decided = true;
                outcome.map_err(|denied| self.refused(denied))
            }
            // Refused by a server, not by the log, so an earlier try may still be applied. The two codes report a decision of the log.
            protocol::Answer::Refused(denied) => {
                self.decided = matches!(denied.code, Code::RequestReused | Code::OutcomeUnknown);
                Err(self.refused(denied))
            }
            other => Err(unexpected(&other)),
        }
    }

    fn check_rate(&mut self, class: AddressRateClass) -> Result<(), PageError> {
        if self.origin.is_local() {
            return Ok(());
        }
        let taken = self.rate_limiter.take(self.origin.address, class, Instant::now());
        self.rate_left = taken.ok();
        taken.map(drop).map_err(|wait| {
            let wait_s = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
            log::debug!("{} exceeds the rate limit {class:?}: wait {wait_s} s", self.origin.address);
            self.wait_s = Some(wait_s);
            PageError::Service(ServiceError::RateLimited { wait_s })
        })
    }

    /// Sends a command that needs no password.
    pub(super) async fn command(
        &mut self,
        request: FormRequest,
        command: Command,
    ) -> Result<Reply, PageError> {
        let FormRequest { id, submitted_at } = request;
        self.write(Ask::Write(Request { id, submitted_at, origin: None, command })).await
    }

    fn refused(&mut self, denied: Denied) -> PageError {
        let error = PageError::from(denied);
        if error.lacks_session() {
            self.drop_session();
        }
        error
    }

    fn note_token(&mut self, token: Token) {
        for newest in [&mut self.seen, &mut self.answered] {
            if newest.is_none_or(|newest| !token.is_before(newest)) {
                *newest = Some(token);
            }
        }
    }

    /// Returns the request id that a form carries, or a new one if it carries none.
    pub(super) async fn request_of(&mut self, form: &Form) -> Result<FormRequest, PageError> {
        match form.get(REQUEST_FIELD) {
            Some(text) => text.parse().map_err(|_| PageError::Denied(Denied::new(Code::InvalidEntry))),
            None => self.new_request().await,
        }
    }

    /// Makes a new request id, valid from the newest state that was read for this page, or lately by this process.
    pub(super) async fn new_request(&mut self) -> Result<FormRequest, PageError> {
        // A browser that has seen more than this process may come from elsewhere, or show a token that no server gave out.
        let is_ahead = |lately: Token| self.seen.is_some_and(|seen| lately.is_before(seen));
        if self.answered.is_none()
            && let Some(lately) = self.client.seen_within(POSITION_AGE_MAX)
            && !is_ahead(lately)
        {
            return Ok(FormRequest { id: new_request_id(), submitted_at: lately.index });
        }
        if self.answered.is_none() {
            self.read(Query::Position, self.time_left()).await?;
        }
        Ok(self.request_here())
    }

    /// Makes a request id for a form, if something was read for this page.
    pub(super) fn request_if_read(&self) -> Option<FormRequest> {
        self.answered.map(|_| self.request_here())
    }

    /// Makes a request id for a form on a page that was just read.
    pub(super) fn request_here(&self) -> FormRequest {
        let submitted_at: LogIndex = self.answered.map_or(0, |answered| answered.index);
        FormRequest { id: new_request_id(), submitted_at }
    }

    /// Returns the request id for a form that is shown again. It stays the same until the log has decided about it, since an earlier
    /// try may still be applied and a new id would apply it twice. `tried` is the id that was used for a form without one.
    pub(super) async fn request_again(
        &mut self,
        form: &Form,
        tried: Option<FormRequest>,
        error: &PageError,
    ) -> Option<FormRequest> {
        let sent = tried.or_else(|| form.get(REQUEST_FIELD)?.parse().ok());
        match (sent.filter(|_| !self.decided), error) {
            (Some(sent), _) => Some(sent),
            (None, PageError::Denied(_)) => self.new_request().await.ok(),
            (None, PageError::Service(_)) => None,
        }
    }

    /// Adds the cookies that have changed, and `Retry-After`.
    pub(super) fn set_cookies(self, mut answer: WebResponse) -> WebResponse {
        let secure = self.origin.secure;
        if self.cookieless {
            return answer;
        }
        match self.session_cookie {
            SessionCookie::Keep => {}
            SessionCookie::Set(token) => set(&mut answer, SESSION_COOKIE, Some(to_hex(&token)), secure),
            SessionCookie::Drop => set(&mut answer, SESSION_COOKIE, None, secure),
        }
        let seen = self.seen.map(|seen| seen.to_string());
        if seen != self.seen_text {
            set(&mut answer, SEEN_COOKIE, seen, secure);
        }
        if let Some(wait_s) = self.wait_s {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait_s));
        }
        answer
    }
}

/// Returns the rate class of a request.
fn rate_class(ask: &Ask) -> AddressRateClass {
    match ask {
        Ask::CreateAccount { .. } => AddressRateClass::Creation,
        Ask::LogIn { .. }
        | Ask::DeleteAccount { .. }
        | Ask::Confirm { .. }
        | Ask::ChangePassword { .. }
        | Ask::ResetPassword { .. } => AddressRateClass::LogIn,
        Ask::Write(Request { command: Command::App(AppCommand::Register { .. }), .. }) => {
            AddressRateClass::Creation
        }
        Ask::Write(Request { command: Command::App(AppCommand::Exchange { .. }), .. }) => {
            AddressRateClass::LogIn
        }
        Ask::Write(Request {
            command:
                Command::Message(MessageCommand::Mark { .. } | MessageCommand::ReadFeed { .. })
                | Command::Notice(NoticeCommand::Read { .. })
                | Command::Room(RoomCommand::Mark { .. }),
            ..
        }) => AddressRateClass::Mark,
        _ => AddressRateClass::Post,
    }
}

fn unexpected(answer: &protocol::Answer) -> PageError {
    log::warn!("unexpected answer from a server: {answer:?}");
    PageError::Service(ServiceError::Undecided)
}

/// Sets or removes a cookie.
fn set(answer: &mut WebResponse, name: &str, value: Option<String>, secure: bool) {
    let age_s = if value.is_some() { SESSION_AGE_MS_MAX / 1000 } else { 0 };
    let age_s = i64::try_from(age_s).expect("a session lasts days");
    let prefix = if secure { SECURE_PREFIX } else { "" };
    let cookie = Cookie::build((format!("{prefix}{name}"), value.unwrap_or_default()))
        .path("/")
        .secure(secure)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(time::Duration::seconds(age_s))
        .build();
    let line = HeaderValue::from_str(&cookie.to_string()).expect("our cookies are ASCII");
    answer.headers_mut().append(SET_COOKIE, line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_net::keys::{Keys, PublicKey};

    fn context(cookies: &'static str) -> RequestContext {
        context_by(false, cookies)
    }

    fn context_by(secure: bool, cookies: &'static str) -> RequestContext {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static(cookies));
        let origin = ClientOrigin { address: std::net::Ipv4Addr::LOCALHOST.into(), secure };
        let client = Client::new(Vec::new(), Keys::pinned(PublicKey([0; 32])));
        RequestContext::new(client, origin, Arc::default(), &headers, Instant::now())
    }

    #[test]
    fn an_encrypted_way_has_cookies_of_its_own() {
        let token = "ab".repeat(32);
        let plain: &'static str = format!("session={token}").leak();
        let secure: &'static str = format!("__Host-session={token}").leak();
        assert!(context_by(false, plain).has_session() && context_by(true, secure).has_session());
        assert!(!context_by(true, plain).has_session(), "others on the network may have set that");
        assert!(!context_by(false, secure).has_session());
        let mut context = context_by(true, "");
        context.open_session([7; TOKEN_BYTES]);
        let answer = context.set_cookies(crate::web::http::response::see_other("/main"));
        let line = answer.headers()[SET_COOKIE].to_str().unwrap();
        assert!(line.starts_with("__Host-session=0707") && line.contains("; Secure"), "{line}");
        assert!(line.contains("Path=/") && !line.contains("Domain"), "{line}");
    }

    #[test]
    fn bad_cookies_count_as_none_and_are_removed() {
        let context = context("session=zz; seen=nonsense; other=1");
        assert!(!context.has_session());
        let answer = context.set_cookies(crate::web::http::response::see_other("/login"));
        let line = answer.headers()[SET_COOKIE].to_str().unwrap().to_string();
        assert!(line.starts_with("seen=;") && line.contains("Max-Age=0"), "{line}");
    }

    #[test]
    fn seen_never_falls_within_a_history() {
        let mut context = context("seen=0000000000000000000000000000000a.7");
        let history = HistoryId(10);
        context.note_token(Token { history, index: 5 });
        assert_eq!(context.seen, Some(Token { history, index: 7 }));
        let other = Token { history: HistoryId(11), index: 2 };
        context.note_token(other);
        assert_eq!(context.seen, Some(other));
    }
}
