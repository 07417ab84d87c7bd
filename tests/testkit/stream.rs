//! Live stream of a browser: Server-Sent Events over a socket.

use super::http::Browser;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    pub id: String,
    pub event: String,
    pub data: String,
}

pub struct Stream {
    reader: BufReader<TcpStream>,
    /// Last received cursor.
    pub last: String,
}

impl Stream {
    /// Opens a stream with the cookies of a browser. `last` is the `Last-Event-ID` of a reconnecting browser.
    #[track_caller]
    pub fn open(browser: &Browser, path: &str, last: Option<&str>) -> Stream {
        Stream::try_open(browser, path, last).unwrap_or_else(|status| panic!("no stream: {status}"))
    }

    /// Opens a stream, or returns the status line of the refusal.
    pub fn try_open(browser: &Browser, path: &str, last: Option<&str>) -> Result<Stream, String> {
        let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Stream::with_head(&browser.address, path, &format!("Cookie: {}\r\n", cookies.join("; ")), last)
    }

    /// Opens a stream with these header lines, or returns the status line of the refusal.
    pub fn with_head(address: &str, path: &str, head: &str, last: Option<&str>) -> Result<Stream, String> {
        let mut stream = TcpStream::connect(address).expect("the web role listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let last = last.map(|last| format!("Last-Event-ID: {last}\r\n")).unwrap_or_default();
        // HTTP/1.0 has no chunked encoding.
        let head = format!("GET {path} HTTP/1.0\r\nHost: a\r\n{head}{last}\r\n");
        stream.write_all(head.as_bytes()).expect("the web role reads");
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status).expect("the web role answers");
        if !status.contains(" 200 ") {
            return Err(status);
        }
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).expect("the web role answers");
        }
        Ok(Stream { reader, last: String::new() })
    }

    /// Waits for the next event; returns `None` at the end of the stream.
    pub fn next_event(&mut self) -> Option<Told> {
        let mut told = Told::default();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).expect("something is told in time") == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("id", id)) => {
                    told.id = id.to_string();
                    self.last = id.to_string();
                }
                Some(("event", event)) => told.event = event.to_string(),
                Some(("data", data)) if told.data.is_empty() => told.data = data.to_string(),
                Some(("data", data)) => told.data += &format!("\n{data}"),
                Some(("retry", _)) => {}
                _ if line.starts_with(':') => {}
                None if line == "\n" => return Some(told),
                _ if line == "data: \n" => told.data += "\n",
                other => panic!("not an event stream: {other:?}"),
            }
        }
    }

    /// Waits for the next event that is not a keep-alive.
    #[track_caller]
    pub fn news(&mut self) -> Told {
        loop {
            let told = self.next_event().expect("the stream goes on");
            if told.event != "beat" {
                return told;
            }
        }
    }

    /// Waits for the next croak and asserts its text.
    #[track_caller]
    pub fn croaks(&mut self, words: &str) -> Told {
        // The reader may be told of a notice in between.
        let mut told = self.news();
        while told.event == "notices" {
            told = self.news();
        }
        assert!(told.event == "croak" && told.data.contains(words), "no {words:?} in {told:?}");
        told
    }

    /// Reads to the end of the stream and returns the number of bytes.
    pub fn drain(&mut self) -> usize {
        let mut bytes = Vec::new();
        let _ = self.reader.read_to_end(&mut bytes);
        bytes.len()
    }
}
