//! One client's connection to its backend: bytes both ways, and whether anybody would notice if it ended now.
//!
//! A splice is quiet when the backend had the last word and nothing has moved for a second: a client that is owed an
//! answer pings sooner than that (`net::line`). Whoever has not said anything for longer than any question may take is
//! owed nothing either: a stream, which goes on elsewhere from where it was.

use super::limits::{QUIET, QUIET_CLIENT, QUIET_MOMENT};
use async_net::TcpStream;
use smol::channel::{self, Receiver, Sender};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::convert::Infallible;
use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Held for each direction: a side that does not read stops the other.
const BUFFER_BYTES: usize = 8 * 1024;

/// What is known of a splice from outside.
#[derive(Debug)]
pub struct Splice {
    began: Instant,
    /// When bytes last came from either side, in nanoseconds since it began: an answer and the next question
    /// may be less than a millisecond apart.
    client_ns: AtomicU64,
    backend_ns: AtomicU64,
    /// Nothing is ever sent: the channel's end is the signal.
    goes_on: Sender<Infallible>,
    over: Receiver<Infallible>,
}

impl Splice {
    pub fn begin() -> Splice {
        let (goes_on, over) = channel::bounded(1);
        Splice {
            began: Instant::now(),
            client_ns: AtomicU64::new(0),
            backend_ns: AtomicU64::new(0),
            goes_on,
            over,
        }
    }

    /// Ends it: its client comes back by itself and goes where the fewest are.
    pub fn end(&self) {
        self.goes_on.close();
    }

    /// Waits for [`Splice::end`].
    pub async fn ended(&self) {
        let _ = self.over.recv().await;
    }

    /// Whether it could end now without anybody noticing.
    pub fn is_quiet(&self) -> bool {
        let now = nanos(self.began.elapsed());
        let since = |at: &AtomicU64| Duration::from_nanos(now.saturating_sub(at.load(Ordering::Relaxed)));
        !self.goes_on.is_closed() && quiet(since(&self.client_ns), since(&self.backend_ns))
    }

    /// Carries bytes both ways until both sides have closed theirs.
    ///
    /// # Errors
    /// Either side's.
    pub async fn carry(&self, client: TcpStream, backend: TcpStream) -> io::Result<()> {
        let up = self.one_way(client.clone(), backend.clone(), &self.client_ns);
        let down = self.one_way(backend, client, &self.backend_ns);
        smol::future::try_zip(up, down).await?;
        Ok(())
    }

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

/// From how long either side has been silent.
fn quiet(client: Duration, backend: Duration) -> bool {
    let backend_spoke_last = backend <= client;
    let nothing_owed = (backend_spoke_last && backend >= QUIET) || client >= QUIET_CLIENT;
    nothing_owed && client.min(backend) >= QUIET_MOMENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_owed_an_answer_is_not_quiet() {
        let seconds = Duration::from_secs;
        assert!(quiet(seconds(3), seconds(2)));
        assert!(!quiet(seconds(2), seconds(3)), "asked, not answered");
        assert!(!quiet(seconds(2), Duration::from_millis(500)), "answered just now");
        // A stream says something every second, and its reader nothing.
        assert!(quiet(seconds(60), Duration::from_millis(300)));
        assert!(!quiet(seconds(60), Duration::from_millis(10)), "in the middle of a word");
        assert!(!quiet(Duration::ZERO, Duration::ZERO));
    }
}
