//! Asynchronous log output. Standard error may block (Ctrl-S in a terminal, a journal on a slow disk), and no role waits for
//! it. A thread writes the lines from a bounded queue; lines that find it full are dropped and counted.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::Duration;

/// Capacity of the queue, in lines.
const LINES_MAX: usize = 1_024;
/// Time that queued lines get at the end of the process.
const FLUSH_MAX: Duration = Duration::from_millis(300);

enum Item {
    Line(Vec<u8>),
    /// Signals the sender once everything before it is written.
    Flush(SyncSender<()>),
}

/// Writer for the logger; each write is one line.
pub(crate) struct Lines(SyncSender<Item>);

/// Number of dropped lines that have not been reported yet.
static DROPPED: AtomicU64 = AtomicU64::new(0);
/// Queue that [`flush`] waits for.
static QUEUE: OnceLock<SyncSender<Item>> = OnceLock::new();

impl Lines {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn to(out: impl Write + Send + 'static) -> io::Result<Lines> {
        let (lines, queue) = mpsc::sync_channel(LINES_MAX);
        std::thread::Builder::new().name("log".into()).spawn(move || write_all(&queue, out))?;
        Ok(Lines(lines))
    }

    /// Makes this the writer that [`flush`] waits for.
    pub(crate) fn for_this_process(self) -> Lines {
        let _ = QUEUE.set(self.0.clone());
        self
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_)) = self.0.try_send(Item::Line(line.to_vec())) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until everything logged so far is written, for at most `FLUSH_MAX`. Called before the process exits.
pub(crate) fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let (done, written) = mpsc::sync_channel(1);
    // A full queue means that standard error blocks: do not wait.
    if queue.try_send(Item::Flush(done)).is_ok() {
        let _: Result<(), RecvTimeoutError> = written.recv_timeout(FLUSH_MAX);
    }
}

/// Writes queued lines. Errors are ignored: there is no other place to report them.
fn write_all(queue: &Receiver<Item>, mut out: impl Write) {
    while let Ok(item) = queue.recv() {
        match item {
            Item::Line(line) => drop(out.write_all(&line)),
            Item::Flush(done) => drop(done.try_send(())),
        }
        let dropped = DROPPED.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let _ = writeln!(out, "({dropped} log lines were dropped because standard error was blocked)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    /// Writer that blocks until its channel is closed.
    struct Blocked(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn logging_does_not_wait_for_a_blocked_standard_error() {
        let (go, gone) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut lines = Lines::to(Blocked(gone, written.clone())).unwrap();
        for number in 0..3 * LINES_MAX {
            lines.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        drop(go);
        let begin = Instant::now();
        let all = || String::from_utf8(written.lock().unwrap().clone()).unwrap();
        while !all().contains("were dropped") && begin.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(all().starts_with("0\n"), "{}", all());
        assert!(all().contains("were dropped"));
    }
}
