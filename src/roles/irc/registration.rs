//! Registration: capabilities, name and password, until a client is logged in.
//!
//! ```text
//!   CAP LS … CAP REQ … AUTHENTICATE ──┐
//!   PASS, NICK, USER ─────────────────┴─▶ log-in ──▶ CAP END ──▶ welcome
//! ```
//!
//! A client logs in by SASL PLAIN, or by `PASS NAME:PASSWORD`, or by `PASS PASSWORD` with its user name as NICK. The nick of a client is
//! its user name, whatever it called itself. Passwords are never logged.

use super::capabilities::{Capabilities, Capability};
use super::codec::line::Line;
use super::codec::lines::Input;
use super::codec::message::Message;
use super::codec::sasl::{Payload, Step};
use super::limits::{LOG_INS_MAX, REGISTRATION_DEADLINE};
use super::replies::{numeric, pong, source, words};
use super::transport::{Output, Transport};
use super::{End, Irc, SERVER};
use crate::operations::{Refusal, Session};
use ribbit_net::protocol::Password;
use ribbit_net::secret::{new_token, token_hash};
use ribbit_state::query::Person;
use ribbit_state::text::fold_username;
use ribbit_state::{Code, TokenHash};
use smol::Timer;
use smol::future::or;
use std::net::IpAddr;

/// Commands of other protocols. A browser that was led here says one of them, and the rest of its request is not heard.
const FOREIGN: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT"];
/// How to log in, in words.
const HOW: &str = "Log in with SASL PLAIN, or with NAME:PASSWORD as the server password";

/// A client that has logged in.
pub(super) struct LoggedIn {
    pub(super) capabilities: Capabilities,
    pub(super) session: Session,
    pub(super) me: Person,
}

/// Progress of a registration.
struct Registration<'a> {
    irc: &'a Irc,
    out: &'a mut Output,
    from: IpAddr,
    capabilities: Capabilities,
    /// The client has begun to negotiate capabilities and has not ended it.
    negotiating: bool,
    nick: Option<String>,
    /// The client has sent USER.
    introduced: bool,
    password: Option<String>,
    /// A log-in by SASL is in progress.
    sasl: Option<Payload>,
    log_ins: u32,
    /// Session that may be open.
    opened: &'a mut Option<TokenHash>,
    logged_in: Option<(Session, Person)>,
}

/// Serves a client until it is logged in. `opened` is the session that the caller has to end, also if this fails or is dropped.
///
/// # Errors
/// The end of the connection.
pub(super) async fn register(
    irc: &Irc,
    transport: &mut Transport,
    from: IpAddr,
    opened: &mut Option<TokenHash>,
) -> Result<LoggedIn, End> {
    let Transport { inputs, output: out, .. } = transport;
    let mut registration = Registration {
        irc,
        out,
        from,
        capabilities: Capabilities::default(),
        negotiating: false,
        nick: None,
        introduced: false,
        password: None,
        sasl: None,
        log_ins: 0,
        opened,
        logged_in: None,
    };
    let late = async {
        Timer::after(REGISTRATION_DEADLINE).await;
        Err(End::Told("You did not log in in time".to_string()))
    };
    let served = async {
        loop {
            let input =
                inputs.recv().await.map_err(|_| End::Lost(std::io::ErrorKind::UnexpectedEof.into()))?;
            registration.input(input).await?;
            if let Some(logged_in) = registration.completed().await? {
                return Ok(logged_in);
            }
            registration.out.flush().await?;
        }
    };
    or(served, late).await
}

impl Registration<'_> {
    fn nick(&self) -> &str {
        self.nick.as_deref().unwrap_or("*")
    }

    fn say(&mut self, number: &str, words: impl Into<String>) {
        let line = numeric(self.nick(), number).with(words);
        self.out.push(&line);
    }

    async fn input(&mut self, input: Input) -> Result<(), End> {
        let message = match input {
            Input::Line(line) => Message::parse(&line),
            Input::NotUtf8 | Input::TooLong => {
                return Err(End::Told("This is no line of IRC".to_string()));
            }
        };
        let Some(message) = message else { return Ok(()) };
        match message.command.as_str() {
            "CAP" => self.capability(&message),
            "AUTHENTICATE" => self.authenticate(message.param(0).unwrap_or_default()).await?,
            // Several clients send a password with blanks as it is, without the colon that would make it one parameter.
            "PASS" => self.password = Some(message.params.join(" ")).filter(|typed| !typed.is_empty()),
            "NICK" => match message.param(0).map(fold_username) {
                Some(Ok(nick)) => self.nick = Some(nick),
                Some(Err(_)) => {
                    let line = numeric(self.nick(), "432").with(message.param(0).unwrap_or_default());
                    self.out.push(&line.with("A nick is a user name: up to 32 of a-z, 0-9, _ and -"));
                }
                None => self.say("431", "No nickname given"),
            },
            "USER" => self.introduced = true,
            "PING" => self.out.push(&pong(&message)),
            "PONG" => {}
            "QUIT" => return Err(End::Told("Bye".to_string())),
            foreign if FOREIGN.contains(&foreign) => {
                return Err(End::Told("This is an IRC server".to_string()));
            }
            _ => self.say("451", format!("You have not registered. {HOW}")),
        }
        Ok(())
    }

    fn capability(&mut self, message: &Message) {
        let replies = capability_replies(&mut self.capabilities, self.nick.as_deref(), message);
        match message.param(0).unwrap_or_default().to_ascii_uppercase().as_str() {
            "LS" | "REQ" => self.negotiating = true,
            "END" => self.negotiating = false,
            _ => {}
        }
        replies.iter().for_each(|line| self.out.push(line));
    }

    async fn authenticate(&mut self, piece: &str) -> Result<(), End> {
        if self.logged_in.is_some() {
            self.say("907", "You have already authenticated using SASL");
            return Ok(());
        }
        if !self.capabilities.has(Capability::Sasl) {
            self.say("904", "Ask for the capability sasl first");
            return Ok(());
        }
        let Some(payload) = &mut self.sasl else {
            if piece.eq_ignore_ascii_case("PLAIN") {
                self.sasl = Some(Payload::default());
                self.out.push(&Line::new(SERVER, "AUTHENTICATE").with("+"));
            } else {
                let line = numeric(self.nick(), "908").with("PLAIN").with("are available SASL mechanisms");
                self.out.push(&line);
                self.say("904", "SASL authentication failed");
            }
            return Ok(());
        };
        let step = payload.receive(piece);
        if step == Step::More {
            return Ok(());
        }
        self.sasl = None;
        match step {
            Step::Plain { username, password } => match self.log_in(&username, password).await {
                Ok(()) => {
                    let name = self.logged_in.as_ref().map(|(_, me)| me.username.clone()).unwrap_or_default();
                    let line = numeric(self.nick(), "900").with(source(&name)).with(&name);
                    self.out.push(&line.with(format!("You are now logged in as {name}")));
                    self.say("903", "SASL authentication successful");
                }
                Err(refusal) => self.sasl_refused(refusal)?,
            },
            Step::Aborted => self.say("906", "SASL authentication aborted"),
            Step::TooLong => self.say("905", "SASL message too long"),
            Step::More | Step::Malformed => self.say("904", "SASL authentication failed"),
        }
        Ok(())
    }

    fn sasl_refused(&mut self, refusal: Refusal) -> Result<(), End> {
        let words = log_in_words(refusal);
        self.say("904", format!("SASL authentication failed: {words}"));
        if self.log_ins >= LOG_INS_MAX { Err(End::Told(words)) } else { Ok(()) }
    }

    async fn log_in(&mut self, username: &str, password: String) -> Result<(), Refusal> {
        self.log_ins += 1;
        let operations = &self.irc.operations;
        // One of an earlier try that was not decided in time.
        if let Some(earlier) = self.opened.take() {
            operations.end(earlier).await?;
        }
        let token = token_hash(&new_token());
        *self.opened = Some(token);
        let logged_in = operations.log_in_as(self.from, username, Password(password), token).await;
        if matches!(logged_in, Err(Refusal::Denied(_) | Refusal::NotByName)) {
            *self.opened = None;
        }
        let session = logged_in?;
        let me = operations.owner(&session).await?;
        self.logged_in = Some((session, me));
        Ok(())
    }

    /// Returns the logged-in client once it has said everything.
    async fn completed(&mut self) -> Result<Option<LoggedIn>, End> {
        if self.negotiating || self.nick.is_none() || !self.introduced {
            return Ok(None);
        }
        if self.logged_in.is_none() {
            let Some((username, password)) = self.typed_credentials() else {
                self.say("464", HOW);
                return Err(End::Told(HOW.to_string()));
            };
            if let Err(refusal) = self.log_in(&username, password).await {
                let words = log_in_words(refusal);
                self.say("464", words.clone());
                return Err(End::Told(words));
            }
        }
        let capabilities = self.capabilities;
        Ok(self.logged_in.take().map(|(session, me)| LoggedIn { capabilities, session, me }))
    }

    /// Returns user name and password of PASS and NICK. A password alone belongs to the nick.
    fn typed_credentials(&mut self) -> Option<(String, String)> {
        let typed = self.password.take()?;
        let named = typed.split_once(':').filter(|(name, _)| fold_username(name).is_ok());
        Some(match named {
            Some((name, password)) => (name.to_string(), password.to_string()),
            None => (self.nick.clone()?, typed),
        })
    }
}

/// Returns words for a log-in that failed. They do not say whether the account exists.
fn log_in_words(refusal: Refusal) -> String {
    match refusal {
        Refusal::Denied(Code::NoSuchUser | Code::WrongPassword | Code::InvalidEntry) => {
            "Wrong user name or password".to_string()
        }
        other => words(other),
    }
}

/// Changes the capabilities as a CAP message says, and returns the replies.
pub(super) fn capability_replies(
    capabilities: &mut Capabilities,
    nick: Option<&str>,
    message: &Message,
) -> Option<Line> {
    let nick = nick.unwrap_or("*");
    let reply = |subcommand: &str, list: String| {
        Some(Line::new(SERVER, "CAP").with(nick).with(subcommand).text(list))
    };
    let subcommand = message.param(0).unwrap_or_default().to_ascii_uppercase();
    match subcommand.as_str() {
        "LS" => {
            let version = message.param(1).and_then(|version| version.parse::<u32>().ok());
            reply("LS", Capabilities::offered(version.is_some_and(|version| version >= 302)))
        }
        "LIST" => reply("LIST", capabilities.names()),
        "REQ" => {
            let names = message.param(1).unwrap_or_default();
            let answer = if capabilities.request(names) { "ACK" } else { "NAK" };
            reply(answer, names.to_string())
        }
        "END" => None,
        other => Some(numeric(nick, "410").with(other.to_string()).with("Invalid CAP command")),
    }
}
