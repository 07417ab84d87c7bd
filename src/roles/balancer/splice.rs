//! A splice: one client's connection to its backend, with bytes copied both ways.
//!
//! A splice that is quiet can be ended without failing a request. It is quiet when the backend sent the last bytes and
//! nothing has moved for a second: a client that waits for an answer pings sooner than that (`net::line`). It is also quiet
//! when the client has sent nothing for longer than any request may take. That is an event stream, which the client resumes on
//! another backend at the same event.

use super::limits::{QUIET, QUIET_CLIENT, QUIET_MOMENT};
use async_net::TcpStream;
use smol::channel::{self, Receiver, Sender};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::convert::Infallible;
use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Buffer size per direction. Not more, so that a side that does not read stops the other one.
const BUFFER_BYTES: usize = 8 * 1024;

/// Traffic times and end signal of one splice.
#[derive(Debug)]
pub(crate) struct Splice {
    began: Instant,
    /// Time of the last bytes from the client, in nanoseconds since `began`: an answer and the next request may be less than a
    /// millisecond apart.
    client_ns: AtomicU64,
    /// Time of the last bytes from the backend, in the same unit.
    backend_ns: AtomicU64,
    /// Never used to send: closing the channel is the signal.
    goes_on: Sender<Infallible>,
    over: Receiver<Infallible>,
}

impl Splice {
    /// Returns a splice that begins now.
    pub(crate) fn begin() -> Splice {
        let (goes_on, over) = channel::bounded(1);
        Splice {
            began: Instant::now(),
            client_ns: AtomicU64::new(0),
            backend_ns: AtomicU64::new(0),
            goes_on,
            over,
        }
    }

    /// Ends the splice. Its client reconnects and gets the backend with the fewest clients.
    pub(crate) fn end(&self) {
        self.goes_on.close();
    }

    /// Waits for [`Splice::end`].
    pub(crate) async fn ended(&self) {
        let _ = self.over.recv().await;
    }

    /// Returns true if the splice can be ended now without failing a request.
    pub(crate) fn is_quiet(&self) -> bool {
        let now = nanos(self.began.elapsed());
        let since = |at: &AtomicU64| Duration::from_nanos(now.saturating_sub(at.load(Ordering::Relaxed)));
        !self.goes_on.is_closed() && quiet(since(&self.client_ns), since(&self.backend_ns))
    }

    /// Copies bytes both ways until both sides have closed.
    ///
    /// # Errors
    /// The I/O error of either side.
    pub(crate) async fn carry(&self, client: TcpStream, backend: TcpStream) -> io::Result<()> {
        let up = self.one_way(client.clone(), backend.clone(), &self.client_ns);
        let down = self.one_way(backend, client, &self.backend_ns);
        smol::future::try_zip(up, down).await?;
        Ok(())
    }

    /// Copies bytes in one direction and records the time of the last ones.
    async fn one_way(&self, mut from: TcpStream, mut to: TcpStream, last_ns: &AtomicU64) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match from.read(&mut buffer).await? {
                0 => return to.shutdown(Shutdown::Write),
                bytes => {
                    last_ns.store(nanos(self.began.elapsed()), Ordering::Relaxed);
                    to.write_all(&buffer[..bytes]).await?;
                    last_ns.store(nanos(self.began.elapsed()), Ordering::Relaxed);
                }
            }
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Decides from the times since the last bytes of the client and of the backend.
fn quiet(client: Duration, backend: Duration) -> bool {
    let backend_spoke_last = backend <= client;
    let nothing_owed = (backend_spoke_last && backend >= QUIET) || client >= QUIET_CLIENT;
    nothing_owed && client.min(backend) >= QUIET_MOMENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_waits_for_an_answer_is_not_quiet() {
        let seconds = Duration::from_secs;
        assert!(quiet(seconds(3), seconds(2)));
        assert!(!quiet(seconds(2), seconds(3)), "not answered yet");
        assert!(!quiet(seconds(2), Duration::from_millis(500)), "answered just now");
        // A stream sends a heartbeat every second, and its reader sends nothing.
        assert!(quiet(seconds(60), Duration::from_millis(300)));
        assert!(!quiet(seconds(60), Duration::from_millis(10)), "an event is in flight");
        assert!(!quiet(Duration::ZERO, Duration::ZERO));
    }
}
