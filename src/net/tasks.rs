//! The threads that run tasks, so that nothing that takes its time stops what must not wait.
//!
//! ```text
//!   spawn       people's questions, dialling, watching: may read the store    PEOPLE_THREADS threads
//!   spawn_link  links between members: heartbeats; never touches a disk       one thread
//! ```
//!
//! A group that does not hear a member for a third of a second elects another leader, and a read from an SD card
//! can take longer: so the two never share a thread. What blocks for seconds (writing a whole snapshot) belongs
//! on neither: `smol::unblock`. Threads start with the first task.

use super::limits::PEOPLE_THREADS;
use smol::{Executor, Task};
use std::panic::catch_unwind;
use std::sync::Once;
use std::thread;

struct Pool {
    executor: Executor<'static>,
    started: Once,
    name: &'static str,
    threads: usize,
}

static PEOPLE: Pool = Pool::new("people", PEOPLE_THREADS);
static LINKS: Pool = Pool::new("links", 1);

/// Runs a task for people.
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    PEOPLE.spawn(future)
}

/// Runs a task of a link between members: it must never block.
pub fn spawn_link<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    LINKS.spawn(future)
}

impl Pool {
    const fn new(name: &'static str, threads: usize) -> Pool {
        Pool { executor: Executor::new(), started: Once::new(), name, threads }
    }

    fn spawn<T: Send + 'static>(&'static self, future: impl Future<Output = T> + Send + 'static) -> Task<T> {
        self.started.call_once(|| self.start());
        self.executor.spawn(future)
    }

    fn start(&'static self) {
        for number in 1..=self.threads {
            let name = format!("{}-{number}", self.name);
            let run = || {
                loop {
                    // A task that panics ends alone; its thread goes on.
                    let _ = catch_unwind(|| smol::block_on(self.executor.run(smol::future::pending::<()>())));
                }
            };
            thread::Builder::new().name(name).spawn(run).expect("a process can start its few threads");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_link_never_waits_for_what_people_ask() {
        let block = Duration::from_millis(600);
        let _slow: Vec<_> =
            (0..2 * PEOPLE_THREADS).map(|_| spawn(async move { thread::sleep(block) })).collect();
        let begin = Instant::now();
        smol::block_on(spawn_link(async {}));
        assert!(begin.elapsed() < block);
    }

    #[test]
    fn a_task_that_panics_ends_alone() {
        for _ in 0..2 * PEOPLE_THREADS {
            spawn(async { panic!("on purpose") }).detach();
        }
        assert_eq!(smol::block_on(spawn(async { 7 })), 7);
    }
}
