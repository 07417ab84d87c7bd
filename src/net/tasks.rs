//! The threads that run tasks, so that nothing that takes its time stops what must not wait.
//!
//! ```text
//!   spawn          sockets, the Raft core, writes: never waits for a disk      one thread, and its epoll
//!   spawn_reader   questions that read the store                               READER_THREADS threads
//! ```
//!
//! A group that does not hear a member for a third of a second elects another leader, and a read from an SD card
//! can take longer: so the two never share a thread. All sockets share one: what comes in on a link reaches the
//! core, and what the core sends reaches the link, without waking another thread, which costs more than the work
//! itself. Readers sleep on a plain parker: only the sockets' thread waits in epoll. What blocks for seconds
//! (writing a whole snapshot) belongs on neither: `smol::unblock`. Threads start with the first task.

use super::limits::READER_THREADS;
use smol::{Executor, Task};
use std::sync::Once;
use std::thread;

struct Pool {
    executor: Executor<'static>,
    started: Once,
    name: &'static str,
    threads: usize,
    /// Whether its threads wait for sockets and timers themselves.
    reactor: bool,
}

static SOCKETS: Pool = Pool::new("sockets", 1, true);
static READERS: Pool = Pool::new("reader", READER_THREADS, false);

/// Runs a task that never blocks.
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    SOCKETS.spawn(future)
}

/// Runs a task that may read the store.
pub fn spawn_reader<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    READERS.spawn(future)
}

impl Pool {
    const fn new(name: &'static str, threads: usize, reactor: bool) -> Pool {
        Pool { executor: Executor::new(), started: Once::new(), name, threads, reactor }
    }

    fn spawn<T: Send + 'static>(&'static self, future: impl Future<Output = T> + Send + 'static) -> Task<T> {
        self.started.call_once(|| self.start());
        self.executor.spawn(future)
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
    use std::time::{Duration, Instant};

    #[test]
    fn a_socket_never_waits_for_what_is_read() {
        let block = Duration::from_millis(600);
        let _slow: Vec<_> =
            (0..2 * READER_THREADS).map(|_| spawn_reader(async move { thread::sleep(block) })).collect();
        let begin = Instant::now();
        smol::block_on(spawn(async {}));
        assert!(begin.elapsed() < block);
    }
}
