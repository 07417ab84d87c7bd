//! Timeouts of a browser's connection: 3 s for a request head, 30 s between requests.
//!
//! hyper's own header timeout starts with the wait for a head, so it cannot tell a slow head from an idle connection. Here the
//! first byte makes the difference:
//!
//! ```text
//!   Agreeing ──keys──▶ Head ──request──▶ Serving ──form──▶ Answering ──answer──▶ Idle ──first byte──▶ Head
//!   (bounded by        3 s               (bounded by the   │                     30 s
//!    `tls`)                               handler)         └─live─▶ Live
//!                                                                   as long as it is read
//! ```
//!
//! A browser that takes an answer very slowly is bounded by `TAKEN_DEADLINE`. One that sends without a pause has to yield to others
//! after `READS_IN_A_ROW_MAX` reads.

use crate::web::limits::{
    HEAD_DEADLINE, IDLE_DEADLINE, LIVE_SEND_BUFFER_BYTES, LIVE_SILENCE, READS_IN_A_ROW_MAX, TAKEN_DEADLINE,
    WRITE_STALL,
};
use async_net::TcpStream;
use rustix::net::sockopt;
use smol::Timer;
use smol::io::{AsyncRead, AsyncWrite};
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum ConnectionPhase {
    /// TLS handshake.
    Agreeing,
    /// Waiting for a request head.
    Head,
    /// Reading a form.
    Serving,
    /// Answering a request that is read completely.
    Answering,
    /// Between requests.
    Idle,
    /// Sending a live stream, which has no end.
    Live,
}

/// Phase of a connection and its start, shared by the connection and its handler.
#[derive(Clone)]
pub(in crate::web) struct ConnectionClock {
    phase: Rc<Cell<(ConnectionPhase, Instant)>>,
    /// True while an answer is made but not fully written.
    unsent: Rc<Cell<bool>>,
    /// True once the browser has closed its sending side.
    ended: Rc<Cell<bool>>,
}

impl ConnectionClock {
    pub(in crate::web) fn new() -> ConnectionClock {
        ConnectionClock {
            phase: Rc::new(Cell::new((ConnectionPhase::Head, Instant::now()))),
            unsent: Rc::default(),
            ended: Rc::default(),
        }
    }
    pub(in crate::web) fn enter(&self, phase: ConnectionPhase) {
        self.phase.set((phase, Instant::now()));
        if phase == ConnectionPhase::Idle {
            self.unsent.set(true);
        }
    }
    /// Records that all that was made is written.
    pub(in crate::web) fn sent(&self) {
        if matches!(self.phase(), ConnectionPhase::Idle | ConnectionPhase::Head) {
            self.unsent.set(false);
        }
    }
    /// Returns true if a request head has arrived and its answer is not fully written.
    pub(in crate::web) fn owes_an_answer(&self) -> bool {
        match self.phase() {
            ConnectionPhase::Serving | ConnectionPhase::Answering => true,
            ConnectionPhase::Idle | ConnectionPhase::Head => self.unsent.get(),
            ConnectionPhase::Agreeing | ConnectionPhase::Live => false,
        }
    }
    /// Records that the browser has closed its sending side.
    pub(in crate::web) fn end(&self) {
        self.ended.set(true);
    }
    /// Waits until the browser has closed its sending side: the rest of a form then never arrives. Only for the connection's own task,
    /// which is woken by its reads.
    pub(in crate::web) async fn ended(&self) {
        std::future::poll_fn(|_| if self.ended.get() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
    /// Returns true if no request is unanswered.
    pub(in crate::web) fn awaits_a_head(&self) -> bool {
        self.phase() == ConnectionPhase::Head && !self.unsent.get()
    }
    fn phase(&self) -> ConnectionPhase {
        self.phase.get().0
    }
    /// Returns the end of the current phase, if it has a timeout.
    fn ends(&self) -> Option<Instant> {
        let (phase, since) = self.phase.get();
        match phase {
            ConnectionPhase::Head => Some(since + HEAD_DEADLINE),
            ConnectionPhase::Idle => Some(since + IDLE_DEADLINE),
            ConnectionPhase::Agreeing
            | ConnectionPhase::Serving
            | ConnectionPhase::Answering
            | ConnectionPhase::Live => None,
        }
    }
    /// Returns the time by which an answer must have been taken.
    fn taken_by(&self) -> Option<Instant> {
        let (phase, since) = self.phase.get();
        (phase != ConnectionPhase::Live).then(|| since + TAKEN_DEADLINE)
    }
}

/// Timeout for a browser that does not send. It is polled beside the connection, not inside a read: once hyper knows that nothing can
/// be read it does not read again, so a waiting read would not notice a new phase.
pub(in crate::web) struct ReadTimeout {
    watch: ConnectionClock,
    /// Deadline that the timer is set to.
    timer: Timer,
    ends: Option<Instant>,
}

impl ReadTimeout {
    pub(in crate::web) fn new(watch: ConnectionClock) -> ReadTimeout {
        ReadTimeout { watch, timer: Timer::never(), ends: None }
    }

    /// Returns `Pending` until the current phase times out. Has to be polled after everything that may change the phase.
    pub(in crate::web) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(ends) = self.watch.ends() else { return Poll::Pending };
        if self.ends != Some(ends) {
            self.ends = Some(ends);
            self.timer.set_at(ends);
        }
        Pin::new(&mut self.timer).poll(cx).map(drop)
    }
}

/// The stream that hyper reads and writes, with a timeout for writes.
pub(in crate::web) struct TimedStream {
    stream: TcpStream,
    watch: ConnectionClock,
    /// Number of reads since one last found nothing.
    reads_in_a_row: u32,
    /// Runs while a write waits.
    write_timer: Option<Timer>,
}

impl TimedStream {
    pub(in crate::web) fn new(stream: TcpStream, watch: ConnectionClock) -> TimedStream {
        TimedStream { stream, watch, reads_in_a_row: 0, write_timer: None }
    }

    fn poll_written<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_timer = None;
            return match self.watch.taken_by() {
                Some(ends) if ends < Instant::now() => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                _ => written,
            };
        }
        let timer = self.write_timer.get_or_insert_with(|| Timer::after(WRITE_STALL));
        Pin::new(timer).poll(cx).map(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.reads_in_a_row == READS_IN_A_ROW_MAX {
            self.reads_in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Pending => {
                self.reads_in_a_row = 0;
                Poll::Pending
            }
            ready @ Poll::Ready(_) => {
                self.reads_in_a_row += 1;
                if self.watch.phase() == ConnectionPhase::Idle {
                    self.watch.enter(ConnectionPhase::Head);
                }
                ready
            }
        }
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.poll_written(cx, written)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.poll_written(cx, flushed)
    }
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Makes a live stream end when its browser stops reading or is cut off: a small send buffer, so that a write soon waits for the
/// reader, and a limit on unacknowledged data.
pub(in crate::web) fn end_with_its_reader(stream: &TcpStream) {
    let silence_ms = u32::try_from(LIVE_SILENCE.as_millis()).unwrap_or(u32::MAX);
    let set = sockopt::set_socket_send_buffer_size(stream, LIVE_SEND_BUFFER_BYTES)
        .and_then(|()| sockopt::set_tcp_user_timeout(stream, silence_ms));
    if let Err(error) = set {
        // The socket is already closed.
        log::debug!("live stream closed before it began: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::io::{AsyncReadExt, AsyncWriteExt};
    use std::time::Duration;

    async fn ends() -> (TcpStream, TcpStream) {
        let listener = async_net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (near, listener.accept().await.unwrap().0)
    }

    #[test]
    fn an_answer_that_trickles_ends_and_a_live_stream_does_not() {
        smol::block_on(async {
            let (near, mut far) = ends().await;
            let watch = ConnectionClock::new();
            let mut patient = TimedStream::new(near, watch.clone());
            let begin = |phase, ago| watch.phase.set((phase, Instant::now() - ago));
            begin(ConnectionPhase::Idle, TAKEN_DEADLINE / 2);
            patient.write_all(b"a").await.unwrap();
            begin(ConnectionPhase::Idle, TAKEN_DEADLINE + Duration::from_millis(1));
            let error = patient.write_all(b"b").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            begin(ConnectionPhase::Live, TAKEN_DEADLINE * 100);
            patient.write_all(b"c").await.unwrap();
            drop(patient);
            let mut came = String::new();
            far.read_to_string(&mut came).await.unwrap();
            assert!(came.starts_with('a') && came.ends_with('c'), "{came}");
        });
    }

    #[test]
    fn who_sends_without_a_pause_leaves_others_their_turn() {
        smol::block_on(async {
            let (near, mut far) = ends().await;
            far.write_all(&[7; 1_000]).await.unwrap();
            let mut patient = TimedStream::new(near, ConnectionClock::new());
            // One byte at a time, so there is always another.
            let mut reads_in_a_row = 0;
            while let Some(read) = smol::future::poll_once(patient.read(&mut [0])).await {
                assert_eq!(read.unwrap(), 1);
                reads_in_a_row += 1;
            }
            assert!(reads_in_a_row <= READS_IN_A_ROW_MAX, "{reads_in_a_row}");
            assert_eq!(patient.read(&mut [0]).await.unwrap(), 1, "and has its own again");
        });
    }
}
