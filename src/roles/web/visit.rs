//! One request of one browser: its cookies, its deadline, and what it asks of the group.
//!
//! The web role keeps no state between requests. Who it is stands in the `session` cookie, how much this browser
//! has seen in `seen`: any web process serves any browser, and nobody travels back in time.

use super::answer::Answer;
use super::limits::{ANSWER_DEADLINE, AROUND_DEADLINE, PAGE_MARGIN};
use crate::net::client::{Client, Unreachable};
use crate::net::protocol::{self, Ask, Why};
use crate::net::secret::{TOKEN_BYTES, from_hex, new_request_id, to_hex, token_hash};
use crate::state::limits::SESSION_AGE_MS_MAX;
use crate::state::talks::Unread;
use crate::state::{
    Code, Command, Consistency, Denied, LogIndex, Page, Query, Reply, Request, Token, TokenHash,
};
use crate::ui::form::{Form, FormRequest, REQUEST_FIELD};
use crate::ui::pages::{Place, Shell};
use crate::ui::words::Trouble;
use cookie::{Cookie, SameSite};
use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue, SET_COOKIE};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SESSION_COOKIE: &str = "session";
const SEEN_COOKIE: &str = "seen";

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

impl From<Unreachable> for Stop {
    fn from(unreachable: Unreachable) -> Stop {
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
    /// The server that answered lost touch: this may be old.
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
    ends: Instant,
    /// This machine's wall clock, for display alone.
    now_ms: u64,
    session: Option<TokenHash>,
    /// The newest thing this browser has seen.
    seen: Option<Token>,
    /// `seen` comes from an answer of this visit, not from a cookie alone.
    answered: bool,
    /// The `seen` cookie as it came.
    seen_text: Option<String>,
    session_cookie: SessionCookie,
}

impl Visit {
    pub fn new(client: Client, headers: &HeaderMap, began: Instant) -> Visit {
        let mut visit = Visit {
            client,
            ends: began + ANSWER_DEADLINE - PAGE_MARGIN,
            now_ms: wall_ms(),
            session: None,
            seen: None,
            answered: false,
            seen_text: None,
            session_cookie: SessionCookie::Keep,
        };
        let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        for cookie in lines.flat_map(Cookie::split_parse).flatten() {
            match cookie.name() {
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
    /// The newest thing this browser has seen.
    pub fn seen(&self) -> Option<Token> {
        self.seen
    }
    pub fn has_session(&self) -> bool {
        self.session.is_some()
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

    /// Reads, at least as new as what this browser has seen. Refused for want of a session: the cookie goes.
    pub async fn read(&mut self, query: Query, limit: Duration) -> Result<Got, Stop> {
        let ends = Instant::now() + limit.min(self.left());
        let mut answer = self.ask_read(&query, ends).await;
        if answer == Err(Unreachable::Undecided(Why::OtherHistory)) {
            // What this browser has seen is in a history that is no more: it starts afresh.
            self.seen = None;
            answer = self.ask_read(&query, ends).await;
        }
        match answer? {
            protocol::Answer::Read { token, old, page } => {
                self.saw(token);
                page.map(|page| Got { page, old }).map_err(|denied| self.stopped(denied))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Puts into a page's frame what waits to be read, where that is known in time: a page is not worth less without.
    pub async fn count_unread(&mut self, shell: &mut Shell) {
        shell.unread = self.unread().await.map(|unread| unread.messages);
    }

    /// What waits to be read, where that is known in time.
    pub async fn unread(&mut self) -> Option<Unread> {
        let session = self.session?;
        match self.read(Query::Unread { session }, AROUND_DEADLINE).await.ok()?.page {
            Page::Unread(unread) => Some(unread),
            _ => None,
        }
    }

    async fn ask_read(&self, query: &Query, ends: Instant) -> Result<protocol::Answer, Unreachable> {
        let ask = Ask::Read { seen: self.seen, consistency: Consistency::Session, query: query.clone() };
        self.ask(ask, ends.saturating_duration_since(Instant::now())).await
    }

    /// Asks the group. The client gives `OtherHistory` back as an answer, since only who asked can mend it.
    async fn ask(&self, ask: Ask, limit: Duration) -> Result<protocol::Answer, Unreachable> {
        match self.client.ask(ask, limit).await? {
            protocol::Answer::Unavailable(why) => Err(Unreachable::Undecided(why)),
            answer => Ok(answer),
        }
    }

    /// Writes: asks with the same id until it is decided or this visit's time is over.
    pub async fn write(&mut self, ask: Ask) -> Result<Reply, Stop> {
        match self.ask(ask, self.left()).await? {
            protocol::Answer::Written { token, outcome } => {
                self.saw(token);
                outcome.map_err(|denied| self.stopped(denied))
            }
            protocol::Answer::Refused(denied) => Err(self.stopped(denied)),
            other => Err(unexpected(&other)),
        }
    }

    /// Writes a command that needs no password.
    pub async fn command(&mut self, request: FormRequest, command: Command) -> Result<Reply, Stop> {
        let FormRequest { id, born } = request;
        self.write(Ask::Write(Request { id, born, command })).await
    }

    fn stopped(&mut self, denied: Denied) -> Stop {
        let stop = Stop::from(denied);
        if stop.lacks_session() {
            self.drop_session();
        }
        stop
    }

    fn saw(&mut self, token: Token) {
        self.answered = true;
        match self.seen {
            Some(seen) if seen.history == token.history && seen.index >= token.index => {}
            _ => self.seen = Some(token),
        }
    }

    /// The request that a form was made with; a new one for a form without.
    pub async fn request_of(&mut self, form: &Form) -> Result<FormRequest, Stop> {
        match form.get(REQUEST_FIELD) {
            Some(text) => text.parse().map_err(|_| Stop::Denied(Denied::new(Code::InvalidEntry))),
            None => self.new_request().await,
        }
    }

    /// A request of its own, born now.
    pub async fn new_request(&mut self) -> Result<FormRequest, Stop> {
        if self.answered {
            return Ok(self.request_here());
        }
        let born = self.client.position(self.left()).await?.index;
        Ok(FormRequest { id: new_request_id(), born })
    }

    /// The request for a form on a page that was just read.
    pub fn request_here(&self) -> FormRequest {
        let born: LogIndex = self.seen.map_or(0, |seen| seen.index);
        FormRequest { id: new_request_id(), born }
    }

    /// The request for a form that comes back: the same if it may have been carried out, a new one if it was
    /// refused, since what is typed next is something else.
    pub async fn request_again(&mut self, tried: Option<FormRequest>, stop: &Stop) -> Option<FormRequest> {
        match (stop, tried) {
            (Stop::Trouble(_), tried) => tried,
            (Stop::Denied(_), _) => self.new_request().await.ok(),
        }
    }

    /// Adds the cookies that changed.
    pub fn seal(self, mut answer: Answer) -> Answer {
        match self.session_cookie {
            SessionCookie::Keep => {}
            SessionCookie::Set(token) => set(&mut answer, SESSION_COOKIE, Some(to_hex(&token))),
            SessionCookie::Drop => set(&mut answer, SESSION_COOKIE, None),
        }
        let seen = self.seen.map(|seen| seen.to_string());
        if seen != self.seen_text {
            set(&mut answer, SEEN_COOKIE, seen);
        }
        answer
    }
}

/// This machine's wall clock, in milliseconds since 1970; zero when it stands before that.
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

fn unexpected(answer: &protocol::Answer) -> Stop {
    log::warn!("a server answered what was not asked: {answer:?}");
    Stop::Trouble(Trouble::Disagree)
}

/// Sets a cookie, or removes it.
fn set(answer: &mut Answer, name: &str, value: Option<String>) {
    let age_s = if value.is_some() { SESSION_AGE_MS_MAX / 1000 } else { 0 };
    let age_s = i64::try_from(age_s).expect("a session lasts days");
    let cookie = Cookie::build((name, value.unwrap_or_default()))
        .path("/")
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
    use crate::net::keys::{Keys, PublicKey};

    fn visit(cookies: &'static str) -> Visit {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static(cookies));
        Visit::new(Client::new(Vec::new(), Keys::pinned(PublicKey([0; 32]))), &headers, Instant::now())
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
        let history = crate::state::HistoryId(10);
        visit.saw(Token { history, index: 5 });
        assert_eq!(visit.seen, Some(Token { history, index: 7 }));
        let other = Token { history: crate::state::HistoryId(11), index: 2 };
        visit.saw(other);
        assert_eq!(visit.seen, Some(other));
    }
}
