//! HTTPS: the TLS handshake.
//!
//! ```text
//!   connection ──▶ first byte ──letter──▶ plain HTTP, redirected (`https_redirect`)
//!                      └──handshake──▶ rustls, within HANDSHAKE_DEADLINE ──▶ hyper
//! ```
//!
//! Certificate and key are read in [`crate::common::tls`].

use crate::common::tls::ServerTls;
use crate::web::http::connection::PlainOrTls;
use crate::web::http::timeouts::{ConnectionClock, TimedStream};
use crate::web::limits::{HANDSHAKE_DEADLINE, TLS_BUFFER_BYTES_MAX};
use async_net::TcpStream;
use futures_rustls::TlsAcceptor;
use smol::Timer;
use smol::future::FutureExt;
use std::io;

/// Name of HTTP in the negotiation of the protocol (ALPN).
pub(in crate::web) const ALPN: &[u8] = b"http/1.1";
/// First byte of a TLS connection: the record type of a handshake.
const HANDSHAKE_RECORD: u8 = 22;

/// Performs the TLS handshake. Returns `None` if it fails. Plain HTTP is recognised by its first byte and returned as such.
pub(in crate::web) async fn accept(
    tls: &ServerTls,
    stream: &TcpStream,
    watch: &ConnectionClock,
) -> Option<PlainOrTls> {
    let config = tls.config();
    let agreed = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let patient = TimedStream::new(stream.clone(), watch.clone());
        match first[0] {
            HANDSHAKE_RECORD => {
                let mut stream = TlsAcceptor::from(config).accept(patient).await?;
                stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER_BYTES_MAX));
                Ok(PlainOrTls::Tls(Box::new(stream)))
            }
            letter if letter.is_ascii_alphabetic() => Ok(PlainOrTls::Plain(Box::new(patient))),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "neither a TLS handshake nor HTTP")),
        }
    };
    let late = async {
        Timer::after(HANDSHAKE_DEADLINE).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    match agreed.or(late).await {
        Ok(stream) => Some(stream),
        Err(error) => {
            log::debug!("TLS handshake failed: {error}");
            None
        }
    }
}
