//! IRC client that sends and reads lines byte for byte.

use crate::timeouts::PATIENCE;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

/// A connection to the IRC role.
#[derive(Debug)]
pub struct IrcClient {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    fences: u32,
}

impl IrcClient {
    #[track_caller]
    pub fn connect(address: &str) -> IrcClient {
        let stream = TcpStream::connect(address).expect("the port accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let reader = BufReader::new(stream.try_clone().expect("another handle"));
        IrcClient { stream, reader, fences: 0 }
    }

    /// Connects, asks for capabilities and logs in with `password`, and reads the greeting.
    #[track_caller]
    pub fn log_in(address: &str, nick: &str, capabilities: &str) -> IrcClient {
        let mut client = IrcClient::connect(address);
        client.send(&format!("CAP LS 302\r\nCAP REQ :{capabilities}\r\nPASS {nick}:password"));
        client.send(&format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\nCAP END"));
        client.awaits(&format!(" 001 {nick} "));
        client
    }

    /// Sends a line with one write.
    #[track_caller]
    pub fn send(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).expect("the server listens");
    }

    /// Sends bytes as they are, as far as the server takes them.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads a line without its end. `None` at the end of the connection. Answers PING.
    #[track_caller]
    pub fn receive(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            match self.reader.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no line: {error}"),
            }
            let line = line.strip_suffix("\r\n").unwrap_or_else(|| panic!("{line:?} has no end")).to_string();
            match line.strip_prefix(":irc.ribbit PING ") {
                Some(token) => self.send(&format!("PONG {token}")),
                None => return Some(line),
            }
        }
    }

    /// Reads lines until one contains `words`, and returns it.
    #[track_caller]
    pub fn awaits(&mut self, words: &str) -> String {
        let mut passed = Vec::new();
        loop {
            match self.receive() {
                Some(line) if line.contains(words) => return line,
                Some(line) => passed.push(line),
                None => panic!("the connection ended without {words:?}: {passed:#?}"),
            }
        }
    }

    /// Returns the lines that arrive until everything sent before is served.
    #[track_caller]
    pub fn served(&mut self) -> Vec<String> {
        self.fences += 1;
        let token = format!("fence-{}", self.fences);
        self.send(&format!("PING {token}"));
        let (mut lines, answer) = (Vec::new(), format!("PONG irc.ribbit :{token}"));
        loop {
            match self.receive() {
                Some(line) if line.ends_with(&answer) => return lines,
                Some(line) => lines.push(line),
                None => {
                    lines.push("(closed)".to_string());
                    return lines;
                }
            }
        }
    }

    /// Sends a line and returns what it causes on this connection.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Vec<String> {
        self.send(line);
        self.served()
    }
}
