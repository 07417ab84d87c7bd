//! The threads that run tasks, arranged so that slow work does not block urgent work.
//!
//! ```text
//!   spawn          sockets, the Raft core, writes: never waits for a disk      one thread, with epoll
//!   spawn_reader   requests that read the store                                READER_THREADS threads
//! ```
//!
//! The members elect a new leader after a third of a second without heartbeats, and a read from an SD card may take longer.
//! So the two never share a thread. All sockets share one thread: messages travel between a connection and the Raft core
//! without waking another thread, which would cost more than the work itself. Only this thread waits in epoll; the readers
//! sleep on a plain parker. Work that blocks for seconds, such as writing a whole snapshot, belongs on neither and uses
//! `smol::unblock`. The threads of a pool start with its first task.
//!
//! Futures are boxed before they are spawned, so the code around a task exists once for each result and not once for each future.

use super::limits::READER_THREADS;
use smol::future::FutureExt;
use smol::{Executor, Task};
use std::sync::{Once, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// Executor with its threads.
struct Pool {
    executor: Executor<'static>,
    started: Once,
    name: &'static str,
    /// Number of threads.
    threads: usize,
    /// True if the threads wait for sockets and timers themselves.
    reactor: bool,
}

static SOCKETS: Pool = Pool::new("sockets", 1, true);
static READERS: Pool = Pool::new("reader", READER_THREADS, false);

/// Runs a task that never blocks.
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    SOCKETS.spawn(future)
}

/// Runs a task that never blocks on this executor, or else on that of all sockets.
pub(crate) fn spawn_on<T: Send + 'static>(
    executor: Option<&Executor<'static>>,
    future: impl Future<Output = T> + Send + 'static,
) -> Task<T> {
    match executor {
        Some(executor) => executor.spawn(future.boxed()),
        None => spawn(future),
    }
}

/// Runs a task that may read the store.
pub fn spawn_reader<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    READERS.spawn(future)
}

/// Waits until the next multiple of this interval since the process began to use such pauses. Periodic work of a process that
/// waits like this happens together, so an idle process wakes up seldom.
pub async fn aligned_pause(interval: Duration) {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let begin = *BEGIN.get_or_init(Instant::now);
    let into = begin.elapsed().as_nanos() % interval.as_nanos().max(1);
    let rest = interval - Duration::from_nanos(u64::try_from(into).unwrap_or(0));
    smol::Timer::after(rest).await;
}

impl Pool {
    const fn new(name: &'static str, threads: usize, reactor: bool) -> Pool {
        Pool { executor: Executor::new(), started: Once::new(), name, threads, reactor }
    }

    fn spawn<T: Send + 'static>(&'static self, future: impl Future<Output = T> + Send + 'static) -> Task<T> {
        self.started.call_once(|| self.start());
        self.executor.spawn(future.boxed())
    }

    fn start(&'static self) {
        for number in 1..=self.threads {
            let name = format!("{}-{number}", self.name);
            thread::Builder::new()
                .name(name)
                .spawn(|| self.run())
                .expect("a process can start its few threads");
        }
    }

    fn run(&self) {
        let forever = self.executor.run(smol::future::pending::<()>());
        if self.reactor { smol::block_on(forever) } else { smol::future::block_on(forever) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_of_the_sockets_does_not_wait_for_blocked_readers() {
        let block = Duration::from_millis(600);
        let _slow: Vec<_> =
            (0..2 * READER_THREADS).map(|_| spawn_reader(async move { thread::sleep(block) })).collect();
        let begin = Instant::now();
        smol::block_on(spawn(async {}));
        assert!(begin.elapsed() < block);
    }
}
