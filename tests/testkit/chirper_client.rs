//! Client of Chirper's backends: one gob value per connection, written in the pieces and read in the way of Go's library.
//!
//! Not here: the check by that library itself, which is `chirper_go`.

use crate::timeouts::PATIENCE;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

/// The two definitions that Go's library sends before the first request of a connection.
pub const DEFINITIONS: [&[u8]; 2] = [
    b"\x38\xff\x81\x03\x01\x01\x07Request\x01\xff\x82\x00\x01\x03\x01\x09SessionID\x01\x0c\x00\x01\x06Action\x01\x04\x00\x01\x04Data\x01\xff\x84\x00\x00\x00",
    b"\x27\xff\x83\x04\x01\x01\x17map[string]interface {}\x01\xff\x84\x00\x01\x0c\x01\x10\x00\x00",
];

/// A value in the map of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GobValue {
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    Posts(Vec<GobPost>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GobPost {
    pub content: String,
    pub shown_time: String,
    /// Time as the 15 bytes of Go.
    pub time: Vec<u8>,
}

/// A reply of a backend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GobReply {
    pub session: String,
    pub entries: BTreeMap<String, GobValue>,
}

impl GobReply {
    #[track_caller]
    pub fn is(&self, key: &str) -> bool {
        match self.entries.get(key) {
            Some(GobValue::Bool(value)) => *value,
            other => panic!("{key} is {other:?}"),
        }
    }

    #[track_caller]
    pub fn text(&self, key: &str) -> &str {
        match self.entries.get(key) {
            Some(GobValue::Text(text)) => text,
            other => panic!("{key} is {other:?}"),
        }
    }

    #[track_caller]
    pub fn texts(&self, key: &str) -> Vec<&str> {
        match self.entries.get(key) {
            Some(GobValue::Texts(texts)) => texts.iter().map(String::as_str).collect(),
            other => panic!("{key} is {other:?}"),
        }
    }

    /// Returns the texts of the posts.
    #[track_caller]
    pub fn posts(&self) -> Vec<&str> {
        match self.entries.get("Posts") {
            Some(GobValue::Posts(posts)) => posts.iter().map(|post| post.content.as_str()).collect(),
            other => panic!("Posts is {other:?}"),
        }
    }
}

/// Returns the value of a request as Go's library writes it.
pub fn request(session: &str, action: i64, texts: &[(&str, &str)]) -> Vec<u8> {
    let mut value = vec![0xFF, 0x82];
    let mut last = 0;
    if !session.is_empty() {
        value.push(1);
        put_text(&mut value, session);
        last = 1;
    }
    if action != 0 {
        value.push(2 - last);
        put_number(&mut value, u64::try_from(2 * action).expect("no action is negative"));
        last = 2;
    }
    value.push(3 - last);
    put_length(&mut value, texts.len());
    for (key, text) in texts {
        put_text(&mut value, key);
        put_text(&mut value, "string");
        value.push(12);
        let mut body = vec![0];
        put_text(&mut body, text);
        put_length(&mut value, body.len());
        value.extend_from_slice(&body);
    }
    value.push(0);
    let mut message = Vec::new();
    put_length(&mut message, value.len());
    message.extend_from_slice(&value);
    message
}

/// Sends a request in three writes, as Go's library does, and reads the reply.
///
/// # Errors
/// If the port refuses, or the connection ends without a reply.
pub fn try_ask(
    address: &str,
    session: &str,
    action: i64,
    texts: &[(&str, &str)],
) -> std::io::Result<GobReply> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    for piece in [DEFINITIONS[0], DEFINITIONS[1], &request(session, action, texts)] {
        stream.write_all(piece)?;
    }
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(reply(&bytes))
}

#[track_caller]
pub fn ask(address: &str, session: &str, action: i64, texts: &[(&str, &str)]) -> GobReply {
    try_ask(address, session, action, texts).expect("the port answers")
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    put_number(out, length as u64);
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    if number < 128 {
        out.push(u8::try_from(number).expect("below 128"));
        return;
    }
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    out.push(u8::try_from(256 - bytes.len()).expect("at most eight bytes"));
    out.extend_from_slice(&bytes);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Reads a reply, whose definitions all come first.
#[track_caller]
fn reply(bytes: &[u8]) -> GobReply {
    let mut stream = Cursor(bytes);
    loop {
        let length = stream.length();
        let mut message = Cursor(stream.take(length));
        if message.signed() > 0 {
            assert!(stream.0.is_empty(), "one value");
            return message.reply();
        }
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> u64 {
        match self.take(1)[0] {
            small @ 0..128 => small.into(),
            width => {
                self.take(256 - usize::from(width)).iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
            }
        }
    }

    fn length(&mut self) -> usize {
        usize::try_from(self.number()).expect("a length")
    }

    fn signed(&mut self) -> i64 {
        let number = self.number();
        let half = (number >> 1).cast_signed();
        if number & 1 == 1 { !half } else { half }
    }

    fn text(&mut self) -> String {
        let length = self.length();
        String::from_utf8(self.take(length).to_vec()).expect("UTF-8")
    }

    fn reply(&mut self) -> GobReply {
        let mut reply = GobReply::default();
        let mut field = 0;
        loop {
            match self.number() {
                0 => return reply,
                step => field += step,
            }
            match field {
                1 => reply.session = self.text(),
                3 => {
                    for _ in 0..self.length() {
                        let key = self.text();
                        reply.entries.insert(key, self.interface());
                    }
                }
                other => panic!("field {other} of a reply"),
            }
        }
    }

    fn interface(&mut self) -> GobValue {
        let name = self.text();
        let kind = self.signed();
        let length = self.length();
        let mut value = Cursor(self.take(length));
        assert_eq!(value.take(1), [0]);
        let read = match (name.as_str(), kind) {
            ("bool", 1) => GobValue::Bool(value.take(1) == [1]),
            ("string", 6) => GobValue::Text(value.text()),
            ("[]main.Post", 69) => {
                let posts = value.length();
                GobValue::Posts((0..posts).map(|_| value.post()).collect())
            }
            ("[]string", 70) => {
                let texts = value.length();
                GobValue::Texts((0..texts).map(|_| value.text()).collect())
            }
            other => panic!("a value of type {other:?}"),
        };
        assert!(value.0.is_empty(), "the length fits the value");
        read
    }

    fn post(&mut self) -> GobPost {
        let mut post = GobPost::default();
        let mut field = 0;
        loop {
            match self.number() {
                0 => return post,
                step => field += step,
            }
            match field {
                1 => post.content = self.text(),
                2 => post.shown_time = self.text(),
                3 => {
                    let length = self.length();
                    post.time = self.take(length).to_vec();
                }
                other => panic!("field {other} of a post"),
            }
        }
    }
}
