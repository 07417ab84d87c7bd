//! A client of etcd: just enough of HTTP/2 for unary gRPC. It has no dynamic header table, one stream at a time, and returns
//! flow-control windows as they are used. That is less work per request than in any general client, so the server is measured.
//! A put counts when its reply message and the end of its stream have arrived.

use ribbit_net::socket::SocketReader;
use smol::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use std::io::{Error, ErrorKind, Result};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Frames of the default size.
const FRAME_BYTES_MAX: usize = 16 * 1024;
/// Number of bytes after which the connection's window is returned.
const WINDOW_STEP: usize = 16 * 1024;

/// Connection with one put in progress at a time.
pub struct Etcd {
    reader: BufReader<SocketReader>,
    writer: smol::net::TcpStream,
    headers: Vec<u8>,
    stream: u32,
    used: usize,
}

impl Etcd {
    pub async fn open(endpoint: &str) -> Result<Etcd> {
        let mut writer = smol::net::TcpStream::connect(endpoint).await?;
        writer.set_nodelay(true)?;
        let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        // No dynamic table, no pushes.
        frame(&mut hello, SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
        writer.write_all(&hello).await?;
        let reader = BufReader::new(SocketReader::from(writer.clone()));
        Ok(Etcd { reader, writer, headers: request_headers(endpoint), stream: 1, used: 0 })
    }

    /// Puts a value and waits for the reply.
    pub async fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let mut message = Vec::with_capacity(key.len() + value.len() + 16);
        field(&mut message, 1, key);
        field(&mut message, 2, value);
        let mut body = vec![0];
        body.extend_from_slice(&(message.len() as u32).to_be_bytes());
        body.extend_from_slice(&message);
        let mut bytes = Vec::with_capacity(body.len() + self.headers.len() + 32);
        frame(&mut bytes, HEADERS, END_HEADERS, self.stream, &self.headers);
        frame(&mut bytes, DATA, END_STREAM, self.stream, &body);
        self.writer.write_all(&bytes).await?;
        self.reply().await?;
        self.stream += 2;
        Ok(())
    }

    async fn reply(&mut self) -> Result<()> {
        let mut answered = false;
        loop {
            let (kind, flags, stream, payload) = self.read().await?;
            match kind {
                SETTINGS if flags & ACK == 0 => self.send(SETTINGS, ACK, &[]).await?,
                PING if flags & ACK == 0 => self.send(PING, ACK, &payload).await?,
                GOAWAY | RST_STREAM => return Err(Error::new(ErrorKind::ConnectionReset, "refused")),
                DATA => {
                    answered |= stream == self.stream && !payload.is_empty();
                    self.used += payload.len();
                    if self.used >= WINDOW_STEP {
                        let used = (self.used as u32).to_be_bytes();
                        self.used = 0;
                        self.send(WINDOW_UPDATE, 0, &used).await?;
                    }
                }
                HEADERS if stream == self.stream && flags & END_STREAM != 0 => {
                    // Trailers without a message before them carry an error.
                    return if answered { Ok(()) } else { Err(Error::other("etcd refused a put")) };
                }
                _ => {}
            }
        }
    }

    async fn read(&mut self) -> Result<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.reader.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(Error::new(ErrorKind::InvalidData, "a frame is too long"));
        }
        let mut payload = vec![0; length];
        self.reader.read_exact(&mut payload).await?;
        Ok((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
    }

    async fn send(&mut self, kind: u8, flags: u8, payload: &[u8]) -> Result<()> {
        let mut bytes = Vec::new();
        frame(&mut bytes, kind, flags, 0, payload);
        self.writer.write_all(&bytes).await
    }
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}

/// A length-delimited protobuf field.
fn field(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    message.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        message.push(length as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(bytes);
}

/// HPACK without tables or Huffman codes: indexed names where the static table has them.
fn request_headers(authority: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let literal = |block: &mut Vec<u8>, name: &[u8], value: &str| {
        block.extend_from_slice(name);
        block.push(value.len() as u8);
        block.extend_from_slice(value.as_bytes());
    };
    literal(&mut block, &[0x04], "/etcdserverpb.KV/Put");
    literal(&mut block, &[0x01], authority);
    literal(&mut block, &[0x0f, 0x10], "application/grpc");
    literal(&mut block, &[0x00, 0x02, b't', b'e'], "trailers");
    block
}
