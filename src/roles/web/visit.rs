//! One request of one browser: its cookies, its deadline, and what it asks of the group.
//!
//! The web role keeps no state between requests. Who it is stands in the `session` cookie, how much this browser
//! has seen in `seen`: any web process serves any browser, and nobody travels back in time.
//!
//! Where the way is encrypted the cookies are called `__Host-session` and `__Host-seen`, and browsers take and send them
//! on encrypted ways alone. They have nothing to do with those of the plain way: whoever can write on the network could
//! give somebody those.

use super::answer::Answer;
use super::limits::{ANSWER_DEADLINE, AROUND_DEADLINE, PAGE_MARGIN};
use super::pace::{Kind, Paces};
use super::way::Way;
use cookie::{Cookie, SameSite};
use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue, RETRY_AFTER, SET_COOKIE};
use ribbit_net::client::{Client, ClientError};
use ribbit_net::protocol::{self, Ask, UnavailableReason};
use ribbit_net::secret::{TOKEN_BYTES, from_hex, new_request_id, to_hex, token_hash};
use ribbit_state::limits::SESSION_AGE_MS_MAX;
use ribbit_state::talks::Unread;
use ribbit_state::{
    Code, Command, Consistency, Denied, LogIndex, MessageCommand, Page, Query, Reply, Request, Token,
    TokenHash,
};
use ribbit_ui::form::{Form, FormRequest, REQUEST_FIELD};
use ribbit_ui::pages::{Place, Shell};
use ribbit_ui::words::Trouble;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SESSION_COOKIE: &str = "session";
const SEEN_COOKIE: &str = "seen";
/// Before the names of cookies that only encrypted ways know. Browsers hold us to it: `Secure`, the whole site, and no
/// other machine of the same domain can set one.
const SECURE_PREFIX: &str = "__Host-";

/// Why something asked of the group did not come to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Refused, for good.
    Denied(Denied),
    /// Not decided: asking again under the same id is safe.
    Trouble(Trouble),
}

impl Stop {
    pub fn denied(&self) -> &[Denied] {
        match self {
            Stop::Denied(denied) => std::slice::from_ref(denied),
            Stop::Trouble(_) => &[],
        }
    }
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Stop::Denied(_) => None,
            Stop::Trouble(trouble) => Some(*trouble),
        }
    }
    pub fn lacks_session(&self) -> bool {
        matches!(self, Stop::Denied(Denied { code: Code::NotLoggedIn, .. }))
    }
}

impl From<ClientError> for Stop {
    fn from(unreachable: ClientError) -> Stop {
        Stop::Trouble(unreachable.into())
    }
}

impl From<Denied> for Stop {
    /// A full queue is a refusal in form only: nothing was decided.
    fn from(denied: Denied) -> Stop {
        match denied.code {
            Code::Busy => Stop::Trouble(Trouble::Busy),
            Code::Unavailable => Stop::Trouble(Trouble::Disagree),
            _ => Stop::Denied(denied),
        }
    }
}

/// What a read brought.
pub struct Got {
    pub page: Page,
    /// This, or what was read before it for the same page, may be old: the server that answered lost touch with the others, or no
    /// server has come as far as this browser has seen.
    pub old: bool,
}

/// What becomes of the `session` cookie with the answer.
enum SessionCookie {
    Keep,
    Set([u8; TOKEN_BYTES]),
    Drop,
}

pub struct Visit {
    client: Client,
    way: Way,
    paces: Rc<Paces>,
    /// What was tried too often has to wait this long.
    wait_s: Option<u32>,
    ends: Instant,
    /// This machine's wall clock, for display alone.
    now_ms: u64,
    session: Option<TokenHash>,
    /// The newest thing this browser has seen.
    seen: Option<Token>,
    /// The newest token that an answer of this visit carried. Unlike `seen`, no cookie can make it up.
    answered: Option<Token>,
    /// No server reached `seen` in time: the rest of this page does not wait for it again.
    outwaited: bool,
    /// Something that this page shows is old, or may be.
    old: bool,
    /// The log has decided about the form's request: what is sent next is another one.
    settled: bool,
    /// The `seen` cookie as it came.
    seen_text: Option<String>,
    session_cookie: SessionCookie,
}

impl Visit {
    pub fn new(client: Client, way: Way, paces: Rc<Paces>, headers: &HeaderMap, began: Instant) -> Visit {
        let mut visit = Visit {
            client,
            way,
            paces,
            wait_s: None,
            ends: began + ANSWER_DEADLINE - PAGE_MARGIN,
            now_ms: wall_ms(),
            session: None,
            seen: None,
            answered: None,
            outwaited: false,
            old: false,
            settled: false,
            seen_text: None,
            session_cookie: SessionCookie::Keep,
        };
        let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        for cookie in lines.flat_map(Cookie::split_parse).flatten() {
            let name = match way.secure {
                true => cookie.name().strip_prefix(SECURE_PREFIX).unwrap_or_default(),
                false => cookie.name(),
            };
            match name {
                SESSION_COOKIE => visit.session = from_hex(cookie.value()).map(|token| token_hash(&token)),
                SEEN_COOKIE => {
                    visit.seen = cookie.value().parse().ok();
                    visit.seen_text = Some(cookie.value().to_string());
                }
                _ => {}
            }
        }
        visit
    }

    /// The session this browser holds; whether it is still open only the group knows.
    pub fn session(&self) -> Option<TokenHash> {
        self.session
    }
    /// The newest token of this visit's answers: where what the page shows ends, and a stream goes on.
    pub fn answered(&self) -> Option<Token> {
        self.answered
    }
    /// Whether something that was read so far may be old.
    pub fn is_old(&self) -> bool {
        self.old
    }
    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }
    pub fn way(&self) -> Way {
        self.way
    }
    /// What a page of this browser has around its content.
    pub fn shell(&self, title: &str, here: Place) -> Shell {
        Shell { now_ms: self.now_ms, ..Shell::new(title, here, self.has_session()) }
    }
    /// As [`Shell::now_ms`].
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }
    pub fn open_session(&mut self, token: [u8; TOKEN_BYTES]) {
        self.session_cookie = SessionCookie::Set(token);
    }
    pub fn drop_session(&mut self) {
        self.session = None;
        self.session_cookie = SessionCookie::Drop;
    }

    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// Reads, at least as new as what this browser has seen. Where no server has come that far when half of the time is over, it
    /// takes what there is, marked as old. Refused for want of a session: the cookie goes.
    pub async fn read(&mut self, query: Query, limit: Duration) -> Result<Got, Stop> {
        let limit = limit.min(self.left());
        let ends = Instant::now() + limit;
        let answer = match self.seen {
            Some(seen) if !self.outwaited => {
                match self.ask_read(&query, Some(seen), Instant::now() + limit / 2).await {
                    Err(ClientError::Undecided(UnavailableReason::OtherHistory)) => {
                        // No server gave that out, or only those of a history that is no more: the browser starts afresh.
                        self.seen = None;
                        self.ask_read(&query, None, ends).await
                    }
                    Err(_) => self.ask_read(&query, None, ends).await,
                    answer => answer,
                }
            }
            _ => self.ask_read(&query, None, ends).await,
        };
        match answer? {
            protocol::Answer::Read { token, old, page } => {
                self.outwaited = self.seen.is_some_and(|seen| is_before(token, seen));
                self.saw(token);
                self.old |= old || self.outwaited;
                page.map(|page| Got { page, old: self.old }).map_err(|denied| self.stopped(denied))
            }
            protocol::Answer::Refused(denied) => Err(self.stopped(denied)),
            other => Err(unexpected(&other)),
        }
    }

    /// Puts into a page's frame what waits to be read, where that is known in time: a page is not worth less without.
    pub async fn count_unread(&mut self, shell: &mut Shell) {
        shell.unread = self.unread().await.map(|unread| unread.messages);
        shell.old |= self.old;
    }

    /// What waits to be read, where that is known in time.
    pub async fn unread(&mut self) -> Option<Unread> {
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
        ends: Instant,
    ) -> Result<protocol::Answer, ClientError> {
        let ask = Ask::Read { seen, consistency: Consistency::Session, query: query.clone() };
        self.ask(ask, ends.saturating_duration_since(Instant::now())).await
    }

    /// Asks the group. The client gives `OtherHistory` back as an answer, since only who asked can mend it.
    async fn ask(&self, ask: Ask, limit: Duration) -> Result<protocol::Answer, ClientError> {
        match self.client.ask(ask, limit).await? {
            protocol::Answer::Unavailable(why) => Err(ClientError::Undecided(why)),
            answer => Ok(answer),
        }
    }

    /// Writes: asks with the same id until it is decided or this visit's time is over. Not asked at all when this
    /// address has tried that too often.
    pub async fn write(&mut self, ask: Ask) -> Result<Reply, Stop> {
        self.keep_pace(kind(&ask))?;
        match self.ask(ask, self.left()).await? {
            protocol::Answer::Written { token, outcome } => {
                self.saw(token);
                self.settled = true;
                outcome.map_err(|denied| self.stopped(denied))
            }
            // By a server, not by the log: an earlier try may be on its way still. Unless the log is what the server tells of.
            protocol::Answer::Refused(denied) => {
                self.settled = matches!(denied.code, Code::RequestReused | Code::OutcomeUnknown);
                Err(self.stopped(denied))
            }
            other => Err(unexpected(&other)),
        }
    }

    fn keep_pace(&mut self, kind: Kind) -> Result<(), Stop> {
        if self.way.is_local() {
            return Ok(());
        }
        self.paces.take(self.way.person, kind, Instant::now()).map_err(|wait| {
            let wait_s = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
            log::debug!("{} has to wait {wait_s} s: {kind:?}", self.way.person);
            self.wait_s = Some(wait_s);
            Stop::Trouble(Trouble::TooMany { wait_s })
        })
    }

    /// Writes a command that needs no password.
    pub async fn command(&mut self, request: FormRequest, command: Command) -> Result<Reply, Stop> {
        let FormRequest { id, submitted_at } = request;
        self.write(Ask::Write(Request { id, submitted_at, command })).await
    }

    fn stopped(&mut self, denied: Denied) -> Stop {
        let stop = Stop::from(denied);
        if stop.lacks_session() {
            self.drop_session();
        }
        stop
    }

    fn saw(&mut self, token: Token) {
        for newest in [&mut self.seen, &mut self.answered] {
            if newest.is_none_or(|newest| !is_before(token, newest)) {
                *newest = Some(token);
            }
        }
    }

    /// The request that a form was made with; a new one for a form without.
    pub async fn request_of(&mut self, form: &Form) -> Result<FormRequest, Stop> {
        match form.get(REQUEST_FIELD) {
            Some(text) => text.parse().map_err(|_| Stop::Denied(Denied::new(Code::InvalidEntry))),
            None => self.new_request().await,
        }
    }

    /// Makes a request of its own, born now: not before what this browser has seen.
    pub async fn new_request(&mut self) -> Result<FormRequest, Stop> {
        if self.answered.is_none() {
            self.read(Query::Position, self.left()).await?;
        }
        Ok(self.request_here())
    }

    /// Makes the request for a form beside what was read, or could not be.
    pub fn request_if_read(&self) -> Option<FormRequest> {
        self.answered.map(|_| self.request_here())
    }

    /// Makes the request for a form on a page that was just read.
    pub fn request_here(&self) -> FormRequest {
        let submitted_at: LogIndex = self.answered.map_or(0, |answered| answered.index);
        FormRequest { id: new_request_id(), submitted_at }
    }

    /// Returns the request for a form that comes back. It is the same as long as the log has not decided about it: an earlier
    /// try of it may be carried out still, and a new id would do it twice. `tried` is what a form without a request was
    /// sent with.
    pub async fn request_again(
        &mut self,
        form: &Form,
        tried: Option<FormRequest>,
        stop: &Stop,
    ) -> Option<FormRequest> {
        let sent = tried.or_else(|| form.get(REQUEST_FIELD)?.parse().ok());
        match (sent.filter(|_| !self.settled), stop) {
            (Some(sent), _) => Some(sent),
            (None, Stop::Denied(_)) => self.new_request().await.ok(),
            (None, Stop::Trouble(_)) => None,
        }
    }

    /// Adds the cookies that changed, and how long to wait.
    pub fn seal(self, mut answer: Answer) -> Answer {
        let secure = self.way.secure;
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

/// Whether a token is of the same history as another, and older.
fn is_before(token: Token, other: Token) -> bool {
    token.history == other.history && token.index < other.index
}

/// This machine's wall clock, in milliseconds since 1970; zero when it stands before that.
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

/// As what something counts that is asked.
fn kind(ask: &Ask) -> Kind {
    match ask {
        Ask::CreateAccount { .. } => Kind::Creation,
        Ask::LogIn { .. } | Ask::DeleteAccount { .. } | Ask::ChangePassword { .. } => Kind::LogIn,
        Ask::Write(Request {
            command: Command::Message(MessageCommand::Mark { .. } | MessageCommand::ReadFeed { .. }),
            ..
        }) => Kind::Mark,
        _ => Kind::Post,
    }
}

fn unexpected(answer: &protocol::Answer) -> Stop {
    log::warn!("a server answered what was not asked: {answer:?}");
    Stop::Trouble(Trouble::Disagree)
}

/// Sets a cookie, or removes it.
fn set(answer: &mut Answer, name: &str, value: Option<String>, secure: bool) {
    let age_s = if value.is_some() { SESSION_AGE_MS_MAX / 1000 } else { 0 };
    let age_s = i64::try_from(age_s).expect("a session lasts days");
    let prefix = if secure { SECURE_PREFIX } else { "" };
    let cookie = Cookie::build((format!("{prefix}{name}"), value.unwrap_or_default()))
        .path("/")
        .secure(secure)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(cookie::time::Duration::seconds(age_s))
        .build();
    let line = HeaderValue::from_str(&cookie.to_string()).expect("our cookies are ASCII");
    answer.headers_mut().append(SET_COOKIE, line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_net::keys::{Keys, PublicKey};

    fn visit(cookies: &'static str) -> Visit {
        visit_by(false, cookies)
    }

    fn visit_by(secure: bool, cookies: &'static str) -> Visit {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static(cookies));
        let way = Way { person: std::net::Ipv4Addr::LOCALHOST.into(), secure };
        let client = Client::new(Vec::new(), Keys::pinned(PublicKey([0; 32])));
        Visit::new(client, way, Rc::default(), &headers, Instant::now())
    }

    #[test]
    fn an_encrypted_way_has_cookies_of_its_own() {
        let token = "ab".repeat(32);
        let plain: &'static str = format!("session={token}").leak();
        let secure: &'static str = format!("__Host-session={token}").leak();
        assert!(visit_by(false, plain).has_session() && visit_by(true, secure).has_session());
        assert!(!visit_by(true, plain).has_session(), "anybody on the network may have set that");
        assert!(!visit_by(false, secure).has_session());
        let mut visit = visit_by(true, "");
        visit.open_session([7; TOKEN_BYTES]);
        let answer = visit.seal(super::super::answer::see_other("/main"));
        let line = answer.headers()[SET_COOKIE].to_str().unwrap();
        assert!(line.starts_with("__Host-session=0707") && line.contains("; Secure"), "{line}");
        assert!(line.contains("Path=/") && !line.contains("Domain"), "{line}");
    }

    #[test]
    fn bad_cookies_count_as_none_and_are_removed() {
        let visit = visit("session=zz; seen=nonsense; other=1");
        assert!(!visit.has_session());
        let answer = visit.seal(super::super::answer::see_other("/login"));
        let line = answer.headers()[SET_COOKIE].to_str().unwrap().to_string();
        assert!(line.starts_with("seen=;") && line.contains("Max-Age=0"), "{line}");
    }

    #[test]
    fn seen_never_falls_within_a_history() {
        let mut visit = visit("seen=0000000000000000000000000000000a.7");
        let history = ribbit_state::HistoryId(10);
        visit.saw(Token { history, index: 5 });
        assert_eq!(visit.seen, Some(Token { history, index: 7 }));
        let other = Token { history: ribbit_state::HistoryId(11), index: 2 };
        visit.saw(other);
        assert_eq!(visit.seen, Some(other));
    }
}
