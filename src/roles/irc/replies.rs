//! Lines of the server itself: numerics, and refusals in words.

use super::codec::line::Line;
use super::codec::message::Message;
use super::limits::{CHANNELS_MAX, HISTORY_MAX, RECIPIENTS_MAX};
use super::{HOST, NETWORK, SERVER};
use crate::operations::Refusal;
use ribbit_state::limits::{TOPIC_CHARS_MAX, USERNAME_CHARS_MAX};
use ribbit_state::{Code, Denied};
use ribbit_ui::words;

/// Maximum number of tokens in one line of ISUPPORT.
const TOKENS_MAX: usize = 13;

/// Returns a numeric for this client.
pub(super) fn numeric(nick: &str, number: &str) -> Line {
    Line::new(SERVER, number).with(nick)
}

/// Returns the source of a person's lines.
pub(super) fn source(username: &str) -> String {
    format!("{username}!{username}@{HOST}")
}

/// Returns the lines that greet a client that has logged in, without the message of the day.
pub(super) fn welcome(nick: &str) -> Vec<Line> {
    let version = concat!("ribbit-", env!("CARGO_PKG_VERSION"));
    let mut lines = vec![
        numeric(nick, "001").with(format!("Welcome to {NETWORK}, {nick}")),
        numeric(nick, "002").with(format!("Your host is {SERVER}, running {version}")),
        numeric(nick, "003").with("What you say is kept by the cluster; this server keeps nothing"),
        numeric(nick, "004").with(SERVER).with(version).with("i").with("int"),
    ];
    let tokens = [
        "CASEMAPPING=ascii".to_string(),
        "CHANTYPES=#&".to_string(),
        "CHANMODES=b,,,int".to_string(),
        "PREFIX=(qo)~@".to_string(),
        format!("CHANLIMIT=#:{CHANNELS_MAX},&:1"),
        format!("CHANNELLEN={}", USERNAME_CHARS_MAX + 1),
        format!("NICKLEN={USERNAME_CHARS_MAX}"),
        format!("TOPICLEN={TOPIC_CHARS_MAX}"),
        format!("TARGMAX=PRIVMSG:{RECIPIENTS_MAX},NOTICE:{RECIPIENTS_MAX},WHOIS:1,KICK:1,NAMES:1"),
        "MODES=1".to_string(),
        format!("NETWORK={NETWORK}"),
        format!("CHATHISTORY={HISTORY_MAX}"),
        "MSGREFTYPES=msgid,timestamp".to_string(),
        "CLIENTTAGDENY=*,-draft/reply".to_string(),
        "UTF8ONLY".to_string(),
        "SAFELIST".to_string(),
    ];
    lines.extend(tokens.chunks(TOKENS_MAX).map(|tokens| {
        let line = tokens.iter().fold(numeric(nick, "005"), Line::with);
        line.with("are supported by this server")
    }));
    lines
}

/// Returns the answer to a PING.
pub(super) fn pong(message: &Message) -> Line {
    Line::new(SERVER, "PONG").with(SERVER).text(message.params.last().cloned().unwrap_or_default())
}

/// Returns words for a refusal.
pub(super) fn words(refusal: Refusal) -> String {
    match refusal {
        Refusal::Denied(code) => words::refusal(Denied::new(code)),
        // A log-in with a password is refused so if there is none to compare with.
        Refusal::NotByName => words::refusal(Denied::new(Code::NoPassword)),
        Refusal::AlreadyOnline => refusal.to_string(),
        Refusal::Unavailable => words::refusal(Denied::new(Code::Unavailable)),
    }
}

/// Returns the numeric that RFC 2812 has for a refusal about a channel or person, if it has one.
pub(super) fn number_for(refusal: Refusal) -> Option<&'static str> {
    let Refusal::Denied(code) = refusal else { return None };
    Some(match code {
        Code::NoSuchUser => "401",
        Code::NoSuchRoom => "403",
        Code::NotInRoom => "442",
        Code::InTooManyRooms => "405",
        Code::PersonNotInRoom => "441",
        Code::AlreadyInRoom => "443",
        Code::RoomFull => "471",
        Code::NotInvited => "473",
        Code::RemovedFromRoom => "474",
        Code::NotRoomModerator | Code::NotRoomOwner => "482",
        _ => return None,
    })
}

/// Returns the word that FAIL lines have for a refusal of a text.
pub(super) fn fail_code(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Denied(Code::CroakTooLong | Code::MessageTooLong) => "TOO_LONG",
        Refusal::Denied(code) if code.is_rate_limit() => "RATE_LIMITED",
        Refusal::Denied(_) => "REFUSED",
        Refusal::NotByName | Refusal::AlreadyOnline | Refusal::Unavailable => "UNDECIDED",
    }
}
