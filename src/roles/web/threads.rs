//! The threads that serve connections.
//!
//! ```text
//!   first thread:    accept ──▶ the thread with the fewest connections          signals, certificate, stop
//!   every thread:    its connections ── requests ──▶ its client ──▶ a backend   one executor each, nothing in between
//! ```
//!
//! A connection stays on its thread, and so does the thread's own connection to the cluster. So a request is read, asked,
//! rendered and answered without waking another thread. What threads share is behind locks that are held for a look-up.

use crate::web::Purpose;
use crate::web::connection;
use crate::web::connections::CountedConnection;
use crate::web::limits::{CONNECTIONS_MAX, THREADS_MAX};
use async_net::TcpStream;
use ribbit_net::client::Client;
use smol::channel::{self, Receiver, Sender};
use smol::{Executor, LocalExecutor};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

/// A connection on its way to its thread.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) purpose: Purpose,
    pub(super) counted: CountedConnection,
}

/// State with which a thread serves its connections.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) client: Client,
    /// Executor of the client's connection.
    executor: Arc<Executor<'static>>,
    /// Number of its connections.
    connections: Arc<AtomicUsize>,
}

impl Worker {
    /// Creates a worker. `connect` makes its client, whose connection runs on the executor.
    pub(super) fn new(connect: impl Fn(Arc<Executor<'static>>) -> Client) -> Worker {
        let executor = Arc::new(Executor::new());
        Worker { client: connect(executor.clone()), executor, connections: Arc::default() }
    }

    /// Runs a future on this thread, with the connections that it spawns and that of the client.
    pub(super) async fn run<T>(&self, local: &LocalExecutor<'_>, future: impl Future<Output = T>) -> T {
        local.run(self.executor.run(future)).await
    }

    /// Serves a connection on this thread.
    pub(super) fn serve(&self, local: &LocalExecutor<'_>, arrival: Arrival) {
        let Arrival { stream, peer, purpose, counted } = arrival;
        let worker = self.clone();
        let serving = async move {
            connection(stream, peer, purpose, Rc::new(counted), &worker.client).await;
            worker.connections.fetch_sub(1, Ordering::Relaxed);
        };
        local.spawn(serving).detach();
    }
}

/// All threads: the first one, and those beside it.
pub(super) struct Workers {
    pub(super) first: Worker,
    others: Vec<(Worker, Sender<Arrival>, JoinHandle<()>)>,
}

impl Workers {
    /// Starts the threads beside this one: one for each core, at most `THREADS_MAX` in total.
    pub(super) fn start(connect: impl Fn(Arc<Executor<'static>>) -> Client) -> Workers {
        let first = Worker::new(&connect);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let start = |number: usize| {
            let worker = Worker::new(&connect);
            let (arrivals, queue) = channel::bounded(CONNECTIONS_MAX);
            let own = worker.clone();
            let name = format!("web-{number}");
            let spawned = thread::Builder::new().name(name).spawn(move || serve_all(&own, queue));
            // Without another thread, those that there are serve all connections.
            spawned.ok().map(|thread| (worker, arrivals, thread))
        };
        Workers { first, others: (2..=cores.min(THREADS_MAX)).filter_map(start).collect() }
    }

    /// Passes a connection to the thread with the fewest. Returns it if that is the first thread.
    pub(super) fn pass_on(&self, arrival: Arrival) -> Option<Arrival> {
        let count = |worker: &Worker| worker.connections.load(Ordering::Relaxed);
        let other = self.others.iter().min_by_key(|(worker, ..)| count(worker));
        match other {
            Some((worker, arrivals, _)) if count(worker) < count(&self.first) => {
                worker.connections.fetch_add(1, Ordering::Relaxed);
                // Fails if the thread has ended; the connection is closed then.
                if arrivals.try_send(arrival).is_err() {
                    worker.connections.fetch_sub(1, Ordering::Relaxed);
                }
                None
            }
            _ => {
                self.first.connections.fetch_add(1, Ordering::Relaxed);
                Some(arrival)
            }
        }
    }

    /// Ends the other threads, with the connections that are left there.
    pub(super) fn end(self) {
        for (_, arrivals, thread) in self.others {
            arrivals.close();
            // A panic ends the process, so the thread returns.
            let _ = thread.join();
        }
    }
}

/// Serves the connections of one thread until the queue is closed.
fn serve_all(worker: &Worker, queue: Receiver<Arrival>) {
    let local = LocalExecutor::new();
    smol::block_on(worker.run(&local, async {
        while let Ok(arrival) = queue.recv().await {
            worker.serve(&local, arrival);
        }
    }));
}
