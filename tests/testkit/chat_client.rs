//! Client of the wire-protocol chat, which reads as the original does: it asks for as many bytes as it misses characters and
//! decodes each piece alone.

use crate::timeouts::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A connection to a port of the chat.
#[derive(Debug)]
pub struct ChatClient {
    stream: TcpStream,
}

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub status: u8,
    /// `0` for the server's own words, `1` for a chat.
    pub indicator: char,
    /// Without the blanks that the original strips.
    pub text: String,
}

impl ChatClient {
    /// Connects, as the original does at its start.
    ///
    /// # Errors
    /// If the port refuses.
    pub fn try_connect(address: &str) -> std::io::Result<ChatClient> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(ChatClient { stream })
    }

    #[track_caller]
    pub fn connect(address: &str) -> ChatClient {
        ChatClient::try_connect(address).expect("the port accepts")
    }

    /// Sends bytes with one write.
    #[track_caller]
    pub fn send(&mut self, line: &str) {
        self.stream.write_all(line.as_bytes()).expect("the server listens");
    }

    /// Reads a message, or returns `None` at the end of the connection.
    ///
    /// # Errors
    /// If the connection is reset, or nothing comes.
    pub fn try_receive(&mut self) -> std::io::Result<Option<Received>> {
        let mut byte = [0];
        if self.stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        let width = match byte[0] {
            0..0x80 => 1,
            0xC0..0xE0 => 2,
            _ => 3,
        };
        let mut length = vec![byte[0]];
        length.resize(width, 0);
        self.stream.read_exact(&mut length[1..])?;
        let length = std::str::from_utf8(&length).expect("the length is a character");
        let missing = length.chars().next().expect("one character") as usize;
        assert!(missing > 0, "an empty message ends the original's listener");
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        let mut text = String::new();
        let mut chars = 0;
        while chars < missing {
            let mut piece = vec![0; missing - chars];
            self.stream.read_exact(&mut piece)?;
            let piece = std::str::from_utf8(&piece).expect("no piece ends inside a character");
            chars += piece.chars().count();
            text.push_str(piece);
        }
        let text = if head[1] == b'1' { text.trim().to_string() } else { text };
        Ok(Some(Received { status: head[0], indicator: char::from(head[1]), text }))
    }

    #[track_caller]
    pub fn receive(&mut self) -> Received {
        self.try_receive().expect("a message comes").expect("the connection stays open")
    }

    /// Asserts the next message of the server.
    #[track_caller]
    pub fn says(&mut self, status: u8, text: &str) {
        let expected = Received { status, indicator: '0', text: text.into() };
        assert_eq!(self.receive(), expected);
    }

    /// Asserts a chat as the next message.
    #[track_caller]
    pub fn chats(&mut self, text: &str) {
        let expected = Received { status: 0, indicator: '1', text: text.into() };
        assert_eq!(self.receive(), expected);
    }

    /// Sends a request and asserts its reply.
    #[track_caller]
    pub fn ask(&mut self, line: &str, status: u8, text: &str) {
        self.send(line);
        self.says(status, text);
    }

    /// Asserts that nothing comes for some time.
    #[track_caller]
    pub fn is_quiet_for(&mut self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).expect("a socket");
        let quiet = self.try_receive();
        let timed_out =
            |error: &std::io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(quiet.as_ref().is_err_and(timed_out), "something came: {quiet:?}");
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    }

    /// Asserts that the server ends the connection without a reset.
    #[track_caller]
    pub fn is_closed(&mut self) {
        assert_eq!(self.try_receive().expect("no reset"), None);
    }

    /// Ends the sending side and waits until the server has closed the connection.
    #[track_caller]
    pub fn hang_up(mut self) {
        self.stream.shutdown(Shutdown::Write).expect("a socket");
        while self.try_receive().expect("no reset").is_some() {}
    }
}
