//! Closing a connection without losing the answer on its way.

use async_net::TcpStream;
use smol::Timer;
use smol::future::FutureExt;
use smol::io::AsyncReadExt;
use std::time::Duration;

/// Closes a connection so that the answer arrives. Closing a socket with unread bytes resets it, and the client would lose the
/// answer. So the sending side is closed first, then incoming data is dropped, within bounds.
pub(crate) async fn linger(mut stream: TcpStream, bytes_max: usize, limit: Duration) {
    if stream.shutdown(std::net::Shutdown::Write).is_err() {
        return;
    }
    let drop_rest = async {
        let mut buffer = vec![0; 16 * 1024];
        let mut dropped = 0;
        while dropped < bytes_max {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(bytes) => dropped += bytes,
            }
        }
    };
    drop_rest
        .or(async {
            Timer::after(limit).await;
        })
        .await;
}
