//! A client of Redis: a put is `SET` followed by `WAIT 2`, sent together, and counts when two replicas have acknowledged it.
//!
//! With `appendfsync always` the primary has synced the value before it answers `SET`. `WAIT` counts replicas that have received
//! it; whether they have synced it, only `WAITAOF` of Redis 7.2 could tell.

use ribbit_net::socket::SocketReader;
use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use std::fmt::Write;
use std::io::{Error, Result};

/// Number of replicas that a put waits for.
const REPLICAS: &str = "2";
/// Milliseconds that a put waits for them.
const WAIT_MS: &str = "5000";

/// Connection with one put in progress at a time.
pub struct Redis {
    reader: BufReader<SocketReader>,
    writer: smol::net::TcpStream,
    line: String,
}

impl Redis {
    pub async fn open(endpoint: &str) -> Result<Redis> {
        let writer = smol::net::TcpStream::connect(endpoint).await?;
        writer.set_nodelay(true)?;
        let reader = BufReader::new(SocketReader::from(writer.clone()));
        Ok(Redis { reader, writer, line: String::new() })
    }

    /// Puts a value and waits for the primary and both replicas.
    pub async fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let mut bytes = Vec::with_capacity(key.len() + value.len() + 96);
        command(&mut bytes, &[b"SET", key, value]);
        command(&mut bytes, &[b"WAIT", REPLICAS.as_bytes(), WAIT_MS.as_bytes()]);
        self.writer.write_all(&bytes).await?;
        self.expect("+OK").await?;
        self.expect(":2").await
    }

    async fn expect(&mut self, reply: &str) -> Result<()> {
        self.line.clear();
        self.reader.read_line(&mut self.line).await?;
        if self.line.trim_end() == reply {
            Ok(())
        } else {
            Err(Error::other(format!("Redis answered {:?} instead of {reply}", self.line)))
        }
    }
}

/// Appends a command in RESP: an array of bulk strings.
fn command(bytes: &mut Vec<u8>, words: &[&[u8]]) {
    let mut head = String::new();
    let _ = write!(head, "*{}\r\n", words.len());
    bytes.extend_from_slice(head.as_bytes());
    for word in words {
        head.clear();
        let _ = write!(head, "${}\r\n", word.len());
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
}
