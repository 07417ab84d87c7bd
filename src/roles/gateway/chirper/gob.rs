//! The gob values that Chirper's web server and its backends exchange. Pure: knows no socket.
//!
//! ```text
//!   stream       message*
//!   message      length, type id, then a definition (negative id, skipped) or the value (positive id)
//!   Request      SessionID string, Action int, Data map[string]interface{}; fields that are zero are left out
//!   interface    name of the type, type id, length of the rest, 0, value
//! ```
//!
//! A reply has the same type. Its definitions come first and never change; type ids are those of the seed.

use std::collections::BTreeMap;

/// Maximum size of a request with its definitions, in bytes. A post has at most 100 characters.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Maximum number of messages of a request: its definitions and its value.
const MESSAGES_MAX: usize = 16;
/// Maximum number of entries in the map of a request.
const ENTRIES_MAX: u64 = 32;

/// Definitions of the types 65 to 70: Request, its map, Post, Time, `[]main.Post` and `[]string`.
const DEFINITIONS: [&[u8]; 6] = [
    b"\x38\xff\x81\x03\x01\x01\x07Request\x01\xff\x82\x00\x01\x03\x01\x09SessionID\x01\x0c\x00\x01\x06Action\x01\x04\x00\x01\x04Data\x01\xff\x84\x00\x00\x00",
    b"\x27\xff\x83\x04\x01\x01\x17map[string]interface {}\x01\xff\x84\x00\x01\x0c\x01\x10\x00\x00",
    b"\x34\xff\x85\x03\x01\x01\x04Post\x01\xff\x86\x00\x01\x03\x01\x07Content\x01\x0c\x00\x01\x07Timestr\x01\x0c\x00\x01\x04Time\x01\xff\x88\x00\x00\x00",
    b"\x10\xff\x87\x05\x01\x01\x04Time\x01\xff\x88\x00\x00\x00",
    b"\x0d\xff\x89\x02\x01\x02\xff\x8a\x00\x01\xff\x86\x00\x00",
    b"\x0c\xff\x8b\x02\x01\x02\xff\x8c\x00\x01\x0c\x00\x00",
];
const REQUEST_TYPE: i64 = 65;
const BOOL_TYPE: i64 = 1;
const STRING_TYPE: i64 = 6;
const POSTS_TYPE: i64 = 69;
const STRINGS_TYPE: i64 = 70;

/// Seconds from the first day of year 1 to 1970.
const SECONDS_BEFORE_1970: u64 = 62_135_596_800;

/// A request of the web server. Entries of the map that are no text are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    pub session: String,
    pub action: i64,
    pub texts: BTreeMap<String, String>,
}

impl Request {
    /// Returns the text under a key of the map, or an empty one.
    pub fn text(&self, key: &str) -> &str {
        self.texts.get(key).map_or("", String::as_str)
    }
}

/// Reason why bytes are no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GobError {
    #[error("the bytes are no gob request")]
    Malformed,
    #[error("the gob request is too large")]
    TooLarge,
}

use GobError::{Malformed, TooLarge};

/// Reads a request from the beginning of a stream. Returns `None` while more bytes are needed.
///
/// # Errors
/// [`GobError`] if the bytes cannot become a request.
pub fn read_request(received: &[u8]) -> Result<Option<Request>, GobError> {
    let mut stream = Reader { rest: received };
    for _ in 0..MESSAGES_MAX {
        let Some(length) = stream.unsigned_if_complete()? else {
            return Ok(None);
        };
        let length = usize::try_from(length).map_err(|_| TooLarge)?;
        if length > REQUEST_BYTES_MAX || received.len() > REQUEST_BYTES_MAX {
            return Err(TooLarge);
        }
        let Some((message, rest)) = stream.rest.split_at_checked(length) else {
            return Ok(None);
        };
        stream.rest = rest;
        if message.is_empty() {
            continue;
        }
        let mut message = Reader { rest: message };
        if message.signed()? > 0 {
            return message.request().map(Some);
        }
    }
    Err(Malformed)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: u64) -> Result<&'a [u8], GobError> {
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Reads a number, or returns `None` if its bytes are not all there.
    fn unsigned_if_complete(&mut self) -> Result<Option<u64>, GobError> {
        let Some((&first, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        if first < 128 {
            self.rest = rest;
            return Ok(Some(first.into()));
        }
        let width = 256 - usize::from(first);
        if width > 8 {
            return Err(Malformed);
        }
        let Some((number, rest)) = rest.split_at_checked(width) else {
            return Ok(None);
        };
        self.rest = rest;
        Ok(Some(number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))))
    }

    fn unsigned(&mut self) -> Result<u64, GobError> {
        self.unsigned_if_complete()?.ok_or(Malformed)
    }

    fn signed(&mut self) -> Result<i64, GobError> {
        let number = self.unsigned()?;
        let half = (number >> 1).cast_signed();
        Ok(if number & 1 == 1 { !half } else { half })
    }

    fn text(&mut self) -> Result<String, GobError> {
        let length = self.unsigned()?;
        Ok(String::from_utf8_lossy(self.bytes(length)?).into_owned())
    }

    fn request(&mut self) -> Result<Request, GobError> {
        let mut request = Request::default();
        let mut field = 0;
        loop {
            match self.unsigned()? {
                0 => return Ok(request),
                step => field = step.checked_add(field).ok_or(Malformed)?,
            }
            match field {
                1 => request.session = self.text()?,
                2 => request.action = self.signed()?,
                3 => request.texts = self.texts()?,
                _ => return Err(Malformed),
            }
        }
    }

    fn texts(&mut self) -> Result<BTreeMap<String, String>, GobError> {
        let entries = self.unsigned()?;
        if entries > ENTRIES_MAX {
            return Err(TooLarge);
        }
        let mut texts = BTreeMap::new();
        for _ in 0..entries {
            let key = self.text()?;
            if let Some(text) = self.interface()? {
                texts.insert(key, text);
            }
        }
        Ok(texts)
    }

    /// Reads an interface value and returns it if it is a text. Its length lets every other one be skipped.
    fn interface(&mut self) -> Result<Option<String>, GobError> {
        if self.text()?.is_empty() {
            return Ok(None);
        }
        let kind = self.signed()?;
        let length = self.unsigned()?;
        let mut value = Reader { rest: self.bytes(length)? };
        if kind != STRING_TYPE {
            return Ok(None);
        }
        if value.unsigned()? != 0 {
            return Err(Malformed);
        }
        value.text().map(Some)
    }
}

/// A post as a page of Chirper shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub content: String,
    /// The time in words.
    pub shown_time: String,
    pub wall_ms: u64,
}

/// A value in the map of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Bool(bool),
    Text(String),
    Posts(Vec<Post>),
    Texts(Vec<String>),
}

/// A reply of a backend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Empty if the reply opens no session.
    pub session: String,
    pub entries: Vec<(&'static str, Value)>,
}

impl Reply {
    /// Returns the bytes of the reply with its definitions.
    pub fn encode(&self) -> Vec<u8> {
        let mut value = Vec::new();
        put_signed(&mut value, REQUEST_TYPE);
        if self.session.is_empty() {
            value.push(3);
        } else {
            value.push(1);
            put_text(&mut value, &self.session);
            value.push(2);
        }
        put_length(&mut value, self.entries.len());
        for (key, entry) in &self.entries {
            put_text(&mut value, key);
            put_interface(&mut value, entry);
        }
        value.push(0);
        let mut stream = DEFINITIONS.concat();
        put_bytes(&mut stream, &value);
        stream
    }
}

fn put_unsigned(out: &mut Vec<u8>, number: u64) {
    match u8::try_from(number) {
        Ok(byte) if byte < 128 => out.push(byte),
        _ => {
            let bytes = number.to_be_bytes();
            let leading_zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let width = bytes.len() - leading_zeros;
            out.extend(u8::try_from(256 - width));
            out.extend_from_slice(&bytes[leading_zeros..]);
        }
    }
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    let doubled = number.cast_unsigned() << 1;
    put_unsigned(out, if number < 0 { !doubled } else { doubled });
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    put_unsigned(out, u64::try_from(length).unwrap_or(u64::MAX));
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

fn put_interface(out: &mut Vec<u8>, value: &Value) {
    // The value of an interface begins with a zero.
    let mut body = vec![0];
    let (name, kind) = match value {
        Value::Bool(yes) => {
            body.push(u8::from(*yes));
            ("bool", BOOL_TYPE)
        }
        Value::Text(text) => {
            put_text(&mut body, text);
            ("string", STRING_TYPE)
        }
        Value::Posts(posts) => {
            put_length(&mut body, posts.len());
            posts.iter().for_each(|post| put_post(&mut body, post));
            ("[]main.Post", POSTS_TYPE)
        }
        Value::Texts(texts) => {
            put_length(&mut body, texts.len());
            texts.iter().for_each(|text| put_text(&mut body, text));
            ("[]string", STRINGS_TYPE)
        }
    };
    put_text(out, name);
    put_signed(out, kind);
    put_bytes(out, &body);
}

fn put_post(out: &mut Vec<u8>, post: &Post) {
    let mut step = 1;
    for text in [&post.content, &post.shown_time] {
        if text.is_empty() {
            step += 1;
        } else {
            out.push(step);
            put_text(out, text);
            step = 1;
        }
    }
    out.push(step);
    put_bytes(out, &time_bytes(post.wall_ms));
    out.push(0);
}

/// Returns a time as Go writes it: a version, the seconds since the year 1, nanoseconds, and UTC.
fn time_bytes(wall_ms: u64) -> Vec<u8> {
    let seconds = SECONDS_BEFORE_1970.saturating_add(wall_ms / 1000);
    let nanoseconds = u32::try_from(wall_ms % 1000 * 1_000_000).unwrap_or(0);
    [&[1], seconds.to_be_bytes().as_slice(), &nanoseconds.to_be_bytes(), &[0xFF, 0xFF]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a request as Go's library writes it, without definitions.
    fn request_value(session: &str, action: i64, texts: &[(&str, &str)]) -> Vec<u8> {
        let mut value = Vec::new();
        put_signed(&mut value, REQUEST_TYPE);
        let mut step = 1;
        if !session.is_empty() {
            value.push(1);
            put_text(&mut value, session);
            step = 0;
        }
        step += 1;
        if action != 0 {
            value.push(step);
            put_signed(&mut value, action);
            step = 0;
        }
        value.push(step + 1);
        put_length(&mut value, texts.len());
        for (key, text) in texts {
            put_text(&mut value, key);
            put_interface(&mut value, &Value::Text((*text).into()));
        }
        value.push(0);
        let mut message = Vec::new();
        put_bytes(&mut message, &value);
        message
    }

    fn request_bytes(session: &str, action: i64, texts: &[(&str, &str)]) -> Vec<u8> {
        [DEFINITIONS[..2].concat(), request_value(session, action, texts)].concat()
    }

    fn request(session: &str, action: i64, texts: &[(&str, &str)]) -> Request {
        let texts = texts.iter().map(|(key, text)| ((*key).into(), (*text).into())).collect();
        Request { session: session.into(), action, texts }
    }

    #[test]
    fn a_refused_log_in_has_these_bytes() {
        let bytes = Reply { entries: vec![("LoggedIn", Value::Bool(false))], ..Reply::default() }.encode();
        let definitions = DEFINITIONS.concat();
        assert_eq!(bytes[..definitions.len()], definitions[..]);
        let value = b"\x17\xff\x82\x03\x01\x08LoggedIn\x04bool\x02\x02\x00\x00\x00";
        assert_eq!(&bytes[definitions.len()..], value);
    }

    #[test]
    fn a_home_page_has_these_bytes() {
        let post = Post { content: "hi".into(), shown_time: "t".into(), wall_ms: 1_000 };
        let entries =
            vec![("Posts", Value::Posts(vec![post])), ("Follows", Value::Texts(vec!["bob".into()]))];
        let bytes = Reply { session: "s".into(), entries }.encode();
        let value = &bytes[DEFINITIONS.concat().len()..];
        let expected = b"\x52\xff\x82\x01\x01s\x02\x02\
            \x05Posts\x0b[]main.Post\xff\x8a\x1b\x00\x01\x01\x02hi\x01\x01t\x01\x0f\x01\x00\x00\x00\x0e\x77\x91\xf7\x01\x00\x00\x00\x00\xff\xff\x00\
            \x07Follows\x08[]string\xff\x8c\x06\x00\x01\x03bob\x00";
        assert_eq!(value.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn numbers_have_these_bytes() {
        for (number, expected) in [
            (0, &b"\x00"[..]),
            (127, b"\x7f"),
            (128, b"\xff\x80"),
            (256, b"\xfe\x01\x00"),
            (u64::MAX, b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff"),
        ] {
            let mut out = Vec::new();
            put_unsigned(&mut out, number);
            assert_eq!(out, expected);
            assert_eq!(Reader { rest: &out }.unsigned(), Ok(number));
        }
        for (number, expected) in
            [(0, &b"\x00"[..]), (1, b"\x02"), (-1, b"\x01"), (-65, b"\xff\x81"), (65, b"\xff\x82")]
        {
            let mut out = Vec::new();
            put_signed(&mut out, number);
            assert_eq!(out, expected);
            assert_eq!(Reader { rest: &out }.signed(), Ok(number));
        }
    }

    #[test]
    fn a_request_is_read_whole_and_only_then() {
        let texts = [("Method", "POST"), ("Username", "ada"), ("Password", "korrekt|é")];
        let bytes = request_bytes("", 1, &texts);
        for cut in 0..bytes.len() {
            assert_eq!(read_request(&bytes[..cut]), Ok(None), "{cut} bytes");
        }
        assert_eq!(read_request(&bytes), Ok(Some(request("", 1, &texts))));
        let bytes = request_bytes("token", 7, &[("Status", "")]);
        assert_eq!(read_request(&bytes), Ok(Some(request("token", 7, &[("Status", "")]))));
        assert_eq!(
            read_request(&request_value("s", 2, &[])),
            Ok(Some(request("s", 2, &[]))),
            "no definitions"
        );
    }

    #[test]
    fn values_that_are_no_texts_are_skipped() {
        let mut value = vec![0xFF, 0x82, 0x03, 3];
        put_text(&mut value, "Yes");
        put_interface(&mut value, &Value::Bool(true));
        put_text(&mut value, "Nil");
        put_text(&mut value, "");
        put_text(&mut value, "Status");
        put_interface(&mut value, &Value::Text("hi".into()));
        value.push(0);
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, &value);
        assert_eq!(read_request(&bytes), Ok(Some(request("", 0, &[("Status", "hi")]))));
    }

    #[test]
    fn hostile_lengths_are_refused() {
        let wrong: [(&[u8], GobError); 7] = [
            (b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff", TooLarge),
            (b"\xfd\x01\x00\x00", TooLarge),
            (b"\x80", Malformed),
            (b"\x03\xff\x82\x09", Malformed),
            (b"\x05\xff\x82\x03\x7f\x00", TooLarge),
            (b"\x06\xff\x82\x01\xf8\xff\xff", Malformed),
            (&[0; 64], Malformed),
        ];
        for (bytes, error) in wrong {
            assert_eq!(read_request(bytes), Err(error), "{}", bytes.escape_ascii());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_request_comes_back(session in "\\PC{0,40}", action in -300..300_i64, texts in proptest::collection::btree_map("\\PC{0,20}", "\\PC{0,200}", 0..8)) {
            let entries: Vec<(&str, &str)> = texts.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
            let bytes = request_bytes(&session, action, &entries);
            proptest::prop_assert_eq!(read_request(&bytes), Ok(Some(Request { session, action, texts })));
        }

        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>, message: Vec<u8>) {
            drop(read_request(&bytes));
            let mut framed = Vec::new();
            put_bytes(&mut framed, &[&[0xFF, 0x82], message.as_slice()].concat());
            proptest::prop_assert_ne!(read_request(&framed), Ok(None));
        }
    }
}
