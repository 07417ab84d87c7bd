//! Requests and replies of the wire-protocol chat as bytes. Pure: knows no socket.
//!
//! ```text
//!   request   op|params                                   no length, no terminator; several may arrive as one
//!   reply     chr(length) chr(status) indicator message   UTF-8; length counts the characters of the message
//! ```
//!
//! The client asks for as many bytes as it misses characters, and decodes each piece alone. [`Reply::encode`] therefore pads
//! a message so that the client's first read ends at the end of its text.

/// Maximum length of a list, in characters. A length from 55 296 on would be a surrogate, which UTF-8 cannot encode.
const MESSAGE_CHARS_MAX: usize = 0xD800 - 1;
/// Beginning of the message from whose last word the client takes its name.
const LOGGED_IN_AS: &str = "Logged in as";

/// A request of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Create {
        name: String,
    },
    LogIn {
        name: String,
    },
    /// `None` if a field is missing.
    Send {
        message: Option<(String, String)>,
    },
    /// An empty pattern lists everyone.
    List {
        pattern: String,
    },
    Delete,
    Exit,
    /// Sent by a client that lost its server while it was logged in. It expects no reply.
    Resume {
        name: String,
    },
    Invalid,
}

/// Returns the requests in what one read brought, in their order.
pub fn requests(received: &str) -> Requests<'_> {
    Requests { rest: received }
}

/// Iterator over glued requests.
///
/// Names and patterns contain no `|`. So where a second `|` follows one of the operations 1, 2, 4, 5 and 6, the digit before
/// it is the next operation. `7|U|` ends at its second `|`. Everything after `3|` is its text.
#[derive(Debug)]
pub struct Requests<'a> {
    rest: &'a str,
}

impl Iterator for Requests<'_> {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        if self.rest.is_empty() {
            return None;
        }
        let (op, params) = self.rest.split_once('|').unwrap_or((self.rest, ""));
        let (params, rest) = match op.trim() {
            "1" | "2" | "4" | "5" | "6" => until_next_operation(params),
            "7" => params.split_once('|').unwrap_or((params, "")),
            _ => (params, ""),
        };
        self.rest = rest;
        let field = || params.trim().to_string();
        Some(match op.trim() {
            "1" => Request::Create { name: field() },
            "2" => Request::LogIn { name: field() },
            "3" => Request::Send { message: recipient_and_text(params) },
            "4" => Request::List { pattern: field() },
            "5" => Request::Delete,
            "6" => Request::Exit,
            "7" => Request::Resume { name: field() },
            _ => Request::Invalid,
        })
    }
}

fn until_next_operation(params: &str) -> (&str, &str) {
    match params.find('|') {
        Some(at) if at > 0 && params.as_bytes()[at - 1].is_ascii_digit() => params.split_at(at - 1),
        _ => (params, ""),
    }
}

fn recipient_and_text(params: &str) -> Option<(String, String)> {
    let (recipient, text) = params.split_once('|')?;
    let (recipient, text) = (recipient.trim(), text.trim());
    (!recipient.is_empty() && !text.is_empty()).then(|| (recipient.to_string(), text.to_string()))
}

/// Removes the longest prefix of `received` that ends with a whole character and returns it as text. Bytes that are no UTF-8
/// are replaced. At most three bytes remain, the beginning of a character.
pub fn take_text(received: &mut Vec<u8>) -> String {
    let cut = match std::str::from_utf8(received) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // Behind invalid bytes, too, the last character may have come in part.
        Err(_) => received.len() - unfinished_bytes(received),
        Ok(_) => received.len(),
    };
    let rest = received.split_off(cut);
    let text = String::from_utf8_lossy(received).into_owned();
    *received = rest;
    text
}

/// Returns the number of bytes at the end that begin a character and do not complete it.
fn unfinished_bytes(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    (0..tail.len())
        .find(|&at| {
            std::str::from_utf8(&tail[at..])
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .map_or(0, |at| tail.len() - at)
}

/// Status of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Done = 0,
    Refused = 1,
    /// Remark about the messages that were missed.
    Note = 2,
}

/// A message to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Server { status: Status, text: String },
    Chat { sender: String, deleted: bool, text: String },
}

impl Reply {
    pub fn done(text: impl Into<String>) -> Reply {
        Reply::Server { status: Status::Done, text: text.into() }
    }

    pub fn refused(text: impl Into<String>) -> Reply {
        Reply::Server { status: Status::Refused, text: text.into() }
    }

    /// Returns the bytes of the message. It is never empty, since an empty one ends the client's listener.
    pub fn encode(&self) -> Vec<u8> {
        let (status, indicator, mut message) = match self {
            Reply::Server { status, text } => (*status, '0', text.clone()),
            Reply::Chat { sender, deleted, text } => {
                (Status::Done, '1', format!("{sender}{}|{text}", if *deleted { " [deleted]" } else { "" }))
            }
        };
        pad(&mut message, status == Status::Done && indicator == '0');
        let length = u32::try_from(message.chars().count()).ok().and_then(char::from_u32).unwrap_or('\0');
        let header = [length, char::from(status as u8), indicator];
        header.iter().collect::<String>().into_bytes().into_iter().chain(message.into_bytes()).collect()
    }
}

/// Cuts a message to a length that can be encoded, and appends one character for each byte that it has more than characters.
/// The client strips blanks, and around its own name dots.
fn pad(message: &mut String, may_name: bool) {
    if message.is_empty() {
        message.push(' ');
    }
    let mut end = 0;
    for (at, char) in message.char_indices() {
        // The padded message has as many characters as the text has bytes.
        if at + char.len_utf8() > MESSAGE_CHARS_MAX {
            break;
        }
        end = at + char.len_utf8();
    }
    message.truncate(end);
    let missing = message.len() - message.chars().count();
    let filler = if may_name && message.contains(LOGGED_IN_AS) { "." } else { " " };
    message.push_str(&filler.repeat(missing));
}

/// Returns the reply to a list of names. Names that do not fit are left out.
pub fn listing<'a>(names: impl IntoIterator<Item = &'a str>) -> Reply {
    let mut text = "\n".to_string();
    for name in names {
        let line = format!("- {name}\n");
        if text.len() + line.len() > MESSAGE_CHARS_MAX {
            break;
        }
        text.push_str(&line);
    }
    Reply::done(text)
}

/// Returns true if a shell pattern matches a whole name: `*`, `?`, `[ab]`, `[a-c]` and `[!a]`, case-sensitive.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Behind the last `*`, and the part of the name that it leaves to the rest of the pattern.
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, seen));
                at += 1;
                continue;
            }
            Some(_) => {
                let (fits, length) = one_matches(&pattern[at..], name[seen]);
                if fits {
                    (at, seen) = (at + length, seen + 1);
                    continue;
                }
            }
            None => {}
        }
        let Some((behind, left)) = star else { return false };
        star = Some((behind, left + 1));
        (at, seen) = (behind, left + 1);
    }
    pattern[at..].iter().all(|char| *char == '*')
}

/// Returns true if the first element of a pattern matches a character, and the length of the element.
fn one_matches(pattern: &[char], char: char) -> (bool, usize) {
    match pattern {
        ['?', ..] => (true, 1),
        ['[', rest @ ..] => {
            let negated = rest.first() == Some(&'!');
            let set = &rest[usize::from(negated)..];
            // A `]` that comes first belongs to the set.
            let Some(end) = set.iter().skip(1).position(|char| *char == ']').map(|end| end + 1) else {
                return (char == '[', 1);
            };
            (in_set(&set[..end], char) != negated, 1 + usize::from(negated) + end + 1)
        }
        [first, ..] => (*first == char, 1),
        [] => (false, 0),
    }
}

fn in_set(set: &[char], char: char) -> bool {
    match set {
        [from, '-', to, rest @ ..] => (*from..=*to).contains(&char) || in_set(rest, char),
        [first, rest @ ..] => *first == char || in_set(rest, char),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(name: &str) -> Request {
        Request::Create { name: name.into() }
    }

    fn send(to: &str, text: &str) -> Request {
        Request::Send { message: Some((to.into(), text.into())) }
    }

    fn list(pattern: &str) -> Request {
        Request::List { pattern: pattern.into() }
    }

    fn resume(name: &str) -> Request {
        Request::Resume { name: name.into() }
    }

    fn log_in(name: &str) -> Request {
        Request::LogIn { name: name.into() }
    }

    #[test]
    fn requests_are_split() {
        let none = Request::Send { message: None };
        let expected: &[(&str, &[Request])] = &[
            ("", &[]),
            ("1|u5", &[create("u5")]),
            (" 1 | u5 ", &[create("u5")]),
            ("1|u53|bob|hi", &[create("u5"), send("bob", "hi")]),
            ("2|ada4|a*5|6|", &[log_in("ada"), list("a*"), Request::Delete, Request::Exit]),
            ("3|bob|a|b 1|c", &[send("bob", "a|b 1|c")]),
            ("3| bob | hi ", &[send("bob", "hi")]),
            ("3|", std::slice::from_ref(&none)),
            ("3|bob", std::slice::from_ref(&none)),
            ("3|bob| ", std::slice::from_ref(&none)),
            ("3||hi", std::slice::from_ref(&none)),
            ("4", &[list("")]),
            ("4|", &[list("")]),
            ("4|4|u[!a]?", &[list(""), list("u[!a]?")]),
            ("5|anything", &[Request::Delete]),
            ("7|u7|", &[resume("u7")]),
            ("7|u7|3|bob|hi", &[resume("u7"), send("bob", "hi")]),
            ("7|u7", &[resume("u7")]),
            ("1|a|b", &[create("a|b")]),
            ("8|x", &[Request::Invalid]),
            ("9|x|3|y|z", &[Request::Invalid]),
            ("hello", &[Request::Invalid]),
            ("|", &[Request::Invalid]),
            ("1|é1|ü", &[create("é"), create("ü")]),
        ];
        for (received, wanted) in expected {
            assert_eq!(requests(received).collect::<Vec<_>>(), *wanted, "{received:?}");
        }
    }

    #[test]
    fn a_character_that_came_in_part_waits_for_its_rest() {
        let mut received = "3|bob|caf".as_bytes().to_vec();
        received.push(0xC3);
        assert_eq!(take_text(&mut received), "3|bob|caf");
        received.push(0xA9);
        assert_eq!((take_text(&mut received).as_str(), received.len()), ("é", 0));
        let mut wrong = vec![0xFF, b'a', 0xF0, 0x9F, 0x90];
        assert_eq!((take_text(&mut wrong).as_str(), wrong.len()), ("\u{FFFD}a", 3));
        let mut wrong = vec![0xFF, 0xA9, 0xA9, 0xA9];
        assert_eq!((take_text(&mut wrong).chars().count(), wrong.len()), (4, 0));
    }

    fn bytes(reply: &Reply) -> String {
        String::from_utf8(reply.encode()).unwrap()
    }

    fn chat(sender: &str, deleted: bool, text: &str) -> Reply {
        Reply::Chat { sender: sender.into(), deleted, text: text.into() }
    }

    #[test]
    fn replies_have_these_bytes() {
        assert_eq!(
            bytes(&Reply::done("Account created! Logged in as U.")),
            "\x20\x000Account created! Logged in as U."
        );
        assert_eq!(bytes(&Reply::refused("no")), "\x02\x010no");
        let note = Reply::Server { status: Status::Note, text: "You have 1 missed messages above.".into() };
        assert_eq!(bytes(&note), "\x21\x020You have 1 missed messages above.");
        assert_eq!(bytes(&chat("bob", false, "café")), "\x09\x001bob|café ");
        assert_eq!(bytes(&chat("bob", false, "🐸")), "\x08\x001bob|🐸   ");
        assert_eq!(bytes(&chat("bob", true, "hi")), "\x10\x001bob [deleted]|hi");
        assert_eq!(bytes(&Reply::done("Logged in as né.")), "\x11\x000Logged in as né..");
        assert_eq!(bytes(&Reply::done("")), "\x01\x000 ", "an empty message ends the client's listener");
        assert_eq!(bytes(&listing(["ada", "bob"])), "\x0D\x000\n- ada\n- bob\n");
        assert_eq!(bytes(&listing([])), "\x01\x000\n");
        let long = Reply::done("x".repeat(128)).encode();
        assert_eq!((&long[..4], long.len()), ([0xC2, 0x80, 0, b'0'].as_slice(), 132));
    }

    #[test]
    fn patterns_are_those_of_a_shell() {
        let expected = [
            ("*", "ada", true),
            ("", "ada", false),
            ("a*", "ada", true),
            ("*a", "ada", true),
            ("*d*", "ada", true),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyybz", false),
            ("A*", "ada", false),
            ("?d?", "ada", true),
            ("??", "ada", false),
            ("[ab]da", "ada", true),
            ("[!ab]da", "ada", false),
            ("[!x]da", "ada", true),
            ("[a-c]*", "bob", true),
            ("[b-c]*", "ada", false),
            ("[]x]", "]", true),
            ("[!]]", "a", true),
            ("[a-]", "-", true),
            ("[", "[", true),
            ("[a", "a", false),
            ("{ada,bob}", "ada", false),
            ("!ada", "bob", false),
            ("a**a", "ada", true),
        ];
        for (pattern, name, fits) in expected {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
        assert!(!matches(&"*a".repeat(500), &"a".repeat(400)), "many stars take no long time");
    }

    /// Reads a reply as the client does: the header, then pieces of as many bytes as characters are missing, each of which
    /// must be whole UTF-8.
    fn read_as_client(mut bytes: &[u8]) -> (u8, char, String) {
        let width = match bytes[0] {
            0..0x80 => 1,
            0xC0..0xE0 => 2,
            _ => 3,
        };
        let length = std::str::from_utf8(&bytes[..width]).unwrap().chars().next().unwrap() as usize;
        let (status, indicator) = (bytes[width], char::from(bytes[width + 1]));
        bytes = &bytes[width + 2..];
        let mut message = String::new();
        let mut chars = 0;
        while chars < length {
            let (piece, rest) = bytes.split_at((length - chars).min(bytes.len()));
            let piece = std::str::from_utf8(piece).expect("a piece ends inside a character");
            assert!(!piece.is_empty(), "the length promises more than there is");
            chars += piece.chars().count();
            message.push_str(piece);
            bytes = rest;
        }
        assert!(bytes.is_empty(), "bytes are left over");
        (status, indicator, message)
    }

    #[test]
    fn long_lists_and_texts_are_cut_before_the_surrogates() {
        let names: Vec<String> = (0..20_000).map(|number| format!("user{number:05}")).collect();
        let (.., text) = read_as_client(&listing(names.iter().map(String::as_str)).encode());
        assert!(text.chars().count() < 0xD800 && text.ends_with('\n'));
        for char in ["x", "é", "🐸"] {
            let (.., text) = read_as_client(&Reply::done(char.repeat(60_000)).encode());
            assert!((50_000..0xD800).contains(&text.chars().count()), "{char}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_client_reads_every_reply(sender in "[a-z]{1,8}", text in "\\PC{1,300}", deleted: bool) {
            let (status, indicator, read) = read_as_client(&chat(&sender, deleted, &text).encode());
            proptest::prop_assert_eq!((status, indicator), (0, '1'));
            let (from, said) = read.split_once('|').unwrap();
            proptest::prop_assert_eq!(from, if deleted { format!("{sender} [deleted]") } else { sender });
            proptest::prop_assert_eq!(said.trim(), text.trim());
            let (.., read) = read_as_client(&Reply::done(format!("Logged in as {text}.")).encode());
            proptest::prop_assert!(read.trim_end_matches('.').starts_with("Logged in as "));
        }

        #[test]
        fn any_bytes_are_split_wherever_they_are_cut(bytes: Vec<u8>, cut: proptest::sample::Index) {
            let at = cut.index(bytes.len() + 1);
            let mut received = bytes[..at].to_vec();
            let first = take_text(&mut received);
            proptest::prop_assert!(received.len() < 4);
            received.extend_from_slice(&bytes[at..]);
            let second = take_text(&mut received);
            let whole = String::from_utf8_lossy(&bytes).into_owned();
            proptest::prop_assert!(whole.starts_with(&[first, second].concat()));
            proptest::prop_assert!(requests(&whole).count() <= bytes.len());
        }
    }
}
