//! Messages of multicast DNS: a strict, bounded parser, and a writer. Pure.
//!
//! Only what `_ribbit._tcp` needs is understood (RFC 1035, 6762, 6763): pointers, services, texts and IPv4 addresses of one class. A
//! record of another kind is skipped. A message that is malformed anywhere is refused as a whole.
//!
//! Every length is bounded: the message by the caller, its counts by [`ENTRIES_MAX`], a name by [`NAME_BYTES_MAX`]. A compressed name
//! points backwards only, so reading ends.

use std::net::Ipv4Addr;

/// Maximum number of questions and records of a message together.
const ENTRIES_MAX: usize = 64;
/// Maximum size of a name as text, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Maximum number of strings in a text record.
const STRINGS_MAX: usize = 16;

/// Bit of the flags that marks a response; it is authoritative.
const RESPONSE: u16 = 0x8000;
const AUTHORITATIVE: u16 = 0x0400;
/// Bits of the flags that are zero in every message that counts: the operation and the result.
const ODD_FLAGS: u16 = 0x780f;
/// Class of all records: Internet.
const INTERNET: u16 = 1;
/// Bit of the class: in a question, a unicast answer is wanted; in a record, it replaces older ones.
const TOP_BIT: u16 = 0x8000;

const TYPE_ADDRESS: u16 = 1;
const TYPE_POINTER: u16 = 12;
const TYPE_TEXT: u16 = 16;
const TYPE_SERVICE: u16 = 33;
/// Type of a question for all types.
const TYPE_ANY: u16 = 255;

/// A message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    pub id: u16,
    pub is_response: bool,
    pub questions: Vec<Question>,
    pub records: Vec<Record>,
}

/// Question for the records of a name. Names are in lower case, without the last dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub name: String,
    pub kind: u16,
    /// A unicast answer is wanted.
    pub unicast: bool,
}

/// Record of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub name: String,
    /// Lifetime in seconds.
    pub ttl_s: u32,
    pub data: Data,
}

/// Content of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    Pointer(String),
    Service { port: u16, host: String },
    Text(Vec<String>),
    Address(Ipv4Addr),
}

impl Data {
    fn kind(&self) -> u16 {
        match self {
            Data::Pointer(_) => TYPE_POINTER,
            Data::Service { .. } => TYPE_SERVICE,
            Data::Text(_) => TYPE_TEXT,
            Data::Address(_) => TYPE_ADDRESS,
        }
    }
}

impl Question {
    /// Returns the question for the services of a type.
    pub fn services(name: &str) -> Question {
        Question { name: name.to_string(), kind: TYPE_POINTER, unicast: true }
    }

    /// Returns true if a record answers this question.
    pub fn is_answered_by(&self, record: &Record) -> bool {
        self.name == record.name && (self.kind == TYPE_ANY || self.kind == record.data.kind())
    }
}

/// Reads a message; `None` if it is malformed or beyond a bound.
pub fn parse(bytes: &[u8]) -> Option<Message> {
    let mut reader = Reader { bytes, at: 0 };
    let [id, flags, questions, answers, authorities, more] = [(); 6].map(|()| reader.number());
    let (id, flags) = (id?, flags?);
    let questions = usize::from(questions?);
    let records = usize::from(answers?) + usize::from(authorities?) + usize::from(more?);
    if flags & ODD_FLAGS != 0 || questions + records > ENTRIES_MAX {
        return None;
    }
    let mut message = Message { id, is_response: flags & RESPONSE != 0, ..Message::default() };
    for _ in 0..questions {
        let (name, kind, class) = (reader.name()?, reader.number()?, reader.number()?);
        if class & !TOP_BIT == INTERNET {
            message.questions.push(Question { name, kind, unicast: class & TOP_BIT != 0 });
        }
    }
    for _ in 0..records {
        message.records.extend(reader.record()?);
    }
    (reader.at == bytes.len()).then_some(message)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// Reads a name. A label that is no plain text becomes `?`, which no name of ours has.
    fn name(&mut self) -> Option<String> {
        let (mut name, mut at, mut end) = (String::new(), self.at, None);
        loop {
            let length = *self.bytes.get(at)?;
            match length {
                0 => break,
                1..=63 => {
                    let label = self.bytes.get(at + 1..at + 1 + usize::from(length))?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                    match label.iter().all(is_plain) {
                        true => name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase()))),
                        false => name.push('?'),
                    }
                    at += 1 + label.len();
                }
                0xc0.. => {
                    let target = usize::from(length & 0x3f) << 8 | usize::from(*self.bytes.get(at + 1)?);
                    end.get_or_insert(at + 2);
                    if target >= at {
                        return None;
                    }
                    at = target;
                }
                _ => return None,
            }
            if name.len() > NAME_BYTES_MAX {
                return None;
            }
        }
        self.at = end.unwrap_or(at + 1);
        Some(name)
    }

    /// Reads a record; `Some(None)` for one of another kind or class.
    fn record(&mut self) -> Option<Option<Record>> {
        let (name, kind, class) = (self.name()?, self.number()?, self.number()?);
        let ttl_s = u32::from_be_bytes(self.take(4)?.try_into().ok()?);
        let length = usize::from(self.number()?);
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        let data = match (class & !TOP_BIT, kind) {
            (INTERNET, TYPE_POINTER) => Some(Data::Pointer(self.name()?)),
            (INTERNET, TYPE_SERVICE) => {
                self.take(4)?; // priority and weight
                Some(Data::Service { port: self.number()?, host: self.name()? })
            }
            (INTERNET, TYPE_TEXT) => Some(Data::Text(self.texts(end)?)),
            (INTERNET, TYPE_ADDRESS) => {
                let octets: [u8; 4] = self.take(4)?.try_into().ok()?;
                Some(Data::Address(octets.into()))
            }
            _ => {
                self.at = end;
                None
            }
        };
        (self.at == end).then(|| data.map(|data| Record { name, ttl_s, data }))
    }

    fn texts(&mut self, end: usize) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        while self.at < end && texts.len() < STRINGS_MAX {
            let length = usize::from(*self.take(1)?.first()?);
            texts.push(String::from_utf8_lossy(self.take(length)?).into_owned());
        }
        Some(texts)
    }
}

/// Encodes a message. Names are written without compression.
pub fn encode(message: &Message) -> Vec<u8> {
    let flags = if message.is_response { RESPONSE | AUTHORITATIVE } else { 0 };
    let mut bytes = Vec::with_capacity(512);
    // A message of ours has a few entries.
    let counts = [message.questions.len() as u16, message.records.len() as u16, 0, 0];
    for number in [message.id, flags].into_iter().chain(counts) {
        put(&mut bytes, number);
    }
    for Question { name, kind, unicast } in &message.questions {
        put_name(&mut bytes, name);
        put(&mut bytes, *kind);
        put(&mut bytes, INTERNET | if *unicast { TOP_BIT } else { 0 });
    }
    for Record { name, ttl_s, data } in &message.records {
        put_name(&mut bytes, name);
        put(&mut bytes, data.kind());
        // Several instances share a pointer and, for one name of all boards, the address.
        put(&mut bytes, INTERNET);
        bytes.extend(ttl_s.to_be_bytes());
        let length_at = bytes.len();
        put(&mut bytes, 0);
        match data {
            Data::Pointer(name) => put_name(&mut bytes, name),
            Data::Service { port, host } => {
                bytes.extend([0; 4]);
                put(&mut bytes, *port);
                put_name(&mut bytes, host);
            }
            Data::Text(texts) => texts.iter().for_each(|text| put_label(&mut bytes, text, 255)),
            Data::Address(address) => bytes.extend(address.octets()),
        }
        let length = (bytes.len() - length_at - 2) as u16;
        bytes[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, number: u16) {
    bytes.extend(number.to_be_bytes());
}

fn put_name(bytes: &mut Vec<u8>, name: &str) {
    name.split('.').filter(|label| !label.is_empty()).for_each(|label| put_label(bytes, label, 63));
    bytes.push(0);
}

/// Writes a string with its length, cut to a maximum.
fn put_label(bytes: &mut Vec<u8>, label: &str, max: u8) {
    let length = u8::try_from(label.len()).unwrap_or(max).min(max);
    bytes.push(length);
    bytes.extend(&label.as_bytes()[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Size of the head of a message, in bytes.
    const HEAD_BYTES: usize = 12;

    fn message() -> Message {
        let record = |name: &str, data| Record { name: name.to_string(), ttl_s: 120, data };
        Message {
            id: 7,
            is_response: true,
            questions: vec![Question::services("_ribbit._tcp.local")],
            records: vec![
                record("_ribbit._tcp.local", Data::Pointer("backend-2._ribbit._tcp.local".into())),
                record(
                    "backend-2._ribbit._tcp.local",
                    Data::Service { port: 10_002, host: "board2.local".into() },
                ),
                record("backend-2._ribbit._tcp.local", Data::Text(vec!["cluster=00".into(), String::new()])),
                record("board2.local", Data::Address(Ipv4Addr::new(10, 0, 0, 2))),
            ],
        }
    }

    #[test]
    fn a_message_is_read_back() {
        assert_eq!(parse(&encode(&message())), Some(message()));
        let [pointer, service, ..] = &message().records[..] else { panic!() };
        let question = Question::services("_ribbit._tcp.local");
        assert!(question.is_answered_by(pointer) && !question.is_answered_by(service));
        let any = Question { kind: TYPE_ANY, name: service.name.clone(), unicast: false };
        assert!(any.is_answered_by(service) && !any.is_answered_by(pointer));
    }

    #[test]
    fn a_truncated_or_changed_message_is_refused_and_never_panics() {
        let bytes = encode(&message());
        for length in 0..bytes.len() {
            assert_eq!(parse(&bytes[..length]), None, "{length}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let _ = parse(&changed);
            }
        }
    }

    #[test]
    fn names_are_compressed_backwards_only() {
        let mut bytes =
            encode(&Message { questions: vec![Question::services("local")], ..Message::default() });
        let question = bytes.split_off(HEAD_BYTES);
        let ask = |name: &[u8]| parse(&[&bytes[..], name, &question[7..]].concat());
        assert!(ask(b"\x01a\x00").is_some_and(|read| read.questions[0].name == "a"));
        // To itself, forwards, and into the head, which is no name.
        assert_eq!(ask(&[0xc0, 12]), None);
        assert_eq!(ask(&[0xc0, 40]), None);
        assert!(ask(&[0xc0, 0]).is_some_and(|read| read.questions[0].name.is_empty()));
        // A name of the longest labels, which is too long.
        let long = [&[63][..], &[b'a'; 63]].concat().repeat(5);
        assert_eq!(ask(&[&long[..], &[0]].concat()), None);
        // A service that avahi knows by a name with a blank.
        assert!(ask(b"\x03a b\x05LOCAL\x00").is_some_and(|read| read.questions[0].name == "?.local"));
        let many = [&[0, 0, 0, 0, 0, 65, 0, 0, 0, 0, 0, 0][..], &[0, 0, 1, 0, 1].repeat(65)].concat();
        assert_eq!(parse(&many), None);
    }
}
