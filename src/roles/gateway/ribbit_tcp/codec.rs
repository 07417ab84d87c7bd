//! Wire of Ribbit's web client: one request and one answer per connection, in text with commas. Pure.
//!
//! ```text
//!   balancer:  read · write · down,PORT
//!   backend:   create,U,NAME,EMAIL,PASSWORD · login,U,PASSWORD · post,TEXT,U · manage,U,FRIEND,CHOICE · delete,U · getUserFeed,U
//! ```
//!
//! The client uses its request as a format string, so a percent sign arrives mangled and is [`repair`]ed first. There is no
//! quoting: which commas are text follows from the number of fields.

use serde::Serialize;

/// Maximum size of a feed in bytes: the client reads once.
pub const FEED_BYTES_MAX: usize = 1_024;

/// Request to the balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalancerRequest {
    Read,
    Write,
    /// The client could not connect to this port.
    Down(u16),
    /// Not answered.
    Other,
}

/// Request to a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Create { username: String, name: String, email: String, password: String },
    LogIn { username: String, password: String },
    Post { username: String, text: String },
    Manage { username: String, friend: String, choice: Choice },
    Delete { username: String },
    Feed { username: String },
    Malformed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Add,
    Remove,
    /// Neither of the two that the client sends.
    Other,
}

/// Answer of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Code(u16),
    Feed(Vec<FeedPost>),
    /// The connection is closed without an answer.
    Nothing,
}

/// A post in a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedPost {
    #[serde(rename = "Username")]
    pub username: String,
    #[serde(rename = "Post_data")]
    pub text: String,
    #[serde(rename = "Time_id")]
    pub id: u64,
}

/// Parses a request to the balancer.
pub fn balancer_request(bytes: &[u8]) -> BalancerRequest {
    match bytes {
        b"read" => BalancerRequest::Read,
        b"write" => BalancerRequest::Write,
        _ => {
            let port =
                bytes.strip_prefix(b"down,").and_then(|port| std::str::from_utf8(port).ok()?.parse().ok());
            port.map_or(BalancerRequest::Other, BalancerRequest::Down)
        }
    }
}

/// Parses a request to a backend. Invalid UTF-8 is replaced.
pub fn request(bytes: &[u8]) -> Request {
    parse(&repair(&String::from_utf8_lossy(bytes))).unwrap_or(Request::Malformed)
}

fn parse(text: &str) -> Option<Request> {
    let (word, rest) = text.split_once(',').unwrap_or((text, ""));
    let owned = str::to_string;
    Some(match word {
        "create" => create(rest)?,
        "login" => {
            // Also what is cut off is a log-in: the client takes most answers for a successful one.
            let (username, password) = rest.split_once(',').unwrap_or((rest, ""));
            Request::LogIn { username: owned(username), password: owned(password) }
        }
        "post" => {
            let (text, username) = rest.rsplit_once(',')?;
            Request::Post { username: owned(username), text: owned(text) }
        }
        "manage" => {
            let mut fields = rest.splitn(3, ',');
            let (username, friend) = (owned(fields.next()?), owned(fields.next()?));
            let choice = match fields.next()? {
                "add" => Choice::Add,
                "remove" => Choice::Remove,
                _ => Choice::Other,
            };
            Request::Manage { username, friend, choice }
        }
        "delete" if !rest.is_empty() => Request::Delete { username: owned(rest) },
        "getUserFeed" if !rest.is_empty() => Request::Feed { username: owned(rest) },
        _ => return None,
    })
}

/// Parses `U,NAME,EMAIL,PASSWORD`. With more commas, the name ends before the first field with an `@`, and the password has
/// all the rest.
fn create(rest: &str) -> Option<Request> {
    let fields: Vec<&str> = rest.split(',').collect();
    let at = match fields.len() {
        0..4 => return None,
        4 => 2,
        _ => (2..fields.len() - 1).find(|at| fields[*at].contains('@'))?,
    };
    Some(Request::Create {
        username: fields[0].to_string(),
        name: fields[1..at].join(","),
        email: fields[at].to_string(),
        password: fields[at + 1..].join(","),
    })
}

/// Restores percent signs that the client has used as verbs of a format: `%!C(MISSING)` was `%C`, and `%!(NOVERB)` at the end
/// was `%`.
pub fn repair(text: &str) -> String {
    const MISSING: &str = "(MISSING)";
    const NO_VERB: &str = "(NOVERB)";
    let mut repaired = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("%!") {
        repaired.push_str(&rest[..at]);
        let behind = &rest[at + 2..];
        let verb = behind.chars().next();
        let missing = verb.and_then(|verb| Some((verb, behind[verb.len_utf8()..].strip_prefix(MISSING)?)));
        rest = match (missing, behind.strip_prefix(NO_VERB)) {
            (Some((verb, after)), _) => {
                repaired.extend(['%', verb]);
                after
            }
            (None, Some(after)) => {
                repaired.push('%');
                after
            }
            (None, None) => {
                repaired.push_str("%!");
                behind
            }
        };
    }
    repaired + rest
}

/// Returns true if the client's cookie can carry the name. Other names come back as those of other people.
pub fn fits_cookie(username: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !username.is_empty() && username.bytes().all(plain)
}

/// Formats the answer to `read`: one port.
pub fn read_answer(port: Option<u16>) -> Vec<u8> {
    port_text(port).into_bytes()
}

/// Formats the answer to `write`: three fields.
pub fn write_answer(ports: [Option<u16>; 3]) -> Vec<u8> {
    ports.map(port_text).join(",").into_bytes()
}

fn port_text(port: Option<u16>) -> String {
    port.map_or("nil".to_string(), |port| port.to_string())
}

/// Formats an answer. Of a feed, as many of the first posts as fit in [`FEED_BYTES_MAX`].
pub fn answer(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Code(code) => code.to_string().into_bytes(),
        Answer::Feed(posts) => feed(posts),
        Answer::Nothing => Vec::new(),
    }
}

fn feed(posts: &[FeedPost]) -> Vec<u8> {
    let mut text = b"[".to_vec();
    for post in posts {
        let row = serde_json::to_vec(post).expect("texts and a number are JSON");
        let comma = usize::from(text.len() > 1);
        if text.len() + comma + row.len() + 1 > FEED_BYTES_MAX {
            break;
        }
        text.extend_from_slice(&b","[..comma]);
        text.extend(row);
    }
    text.push(b']');
    if text == b"[]" { b"null".to_vec() } else { text }
}
