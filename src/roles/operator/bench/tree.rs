//! Benchmarks of the lock namespace: `bench --op lock` and `bench --op list`.
//!
//! - lock: each client has a lease and a lock of its own; one request acquires and releases it.
//! - list: a folder of [`LIST_NODES`] nodes is created first; one request reads all of it, page by page, as `ls` does.
//!
//! All nodes are in a folder with a random name, which is removed at the end.

use super::arguments::{BenchOp, BenchOptions};
use super::figures::BenchCounters;
use super::{Attempt, Connection, PAUSE, SETUP_MAX, outcome, request};
use crate::common::failure::{Exit, Failure};
use crate::locks::namespace::Namespace;
use ribbit_net::frame::Plane;
use ribbit_net::protocol::Ask;
use ribbit_net::secret::{new_token, to_hex, token_hash};
use ribbit_state::limits::LEASE_MS_MAX;
use ribbit_state::{
    Command, Consistency, LeaseCommand, Query, Reply, Token, TokenHash, TreeCommand, TreePath,
};
use smol::future::or;
use smol::{LocalExecutor, Timer};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

/// Number of files to list.
const LIST_NODES: usize = 10_000;
/// Number of files per inner folder.
const LIST_FOLDER: usize = 100;
/// Number of concurrent writers while the files are created.
const MAKERS: usize = 64;

/// Runs the benchmark. Returns the counters of all clients and the number of pages per listing.
///
/// # Errors
/// 1: the cluster refuses a request. 3: no server answers.
pub(crate) async fn run(
    options: &BenchOptions,
    servers: &[String],
) -> Result<(BenchCounters, Option<usize>), Failure> {
    let namespace = Namespace::reach(&options.cluster).await?;
    let random = to_hex(&new_token());
    let folder: TreePath =
        format!("/bench-{}", &random[..8]).parse().expect("letters and digits make a path");
    namespace.change(TreeCommand::MakeFolder { path: folder.clone(), parents: true }).await?;
    let measured = match options.op {
        BenchOp::List => list(options, &namespace, &folder).await,
        _ => {
            let leases = Rc::default();
            let tally = locks(options, servers, &folder, &leases).await;
            // Ends the leases of clients that were stopped in the middle of a request.
            for token in leases.take() {
                let _ = namespace.write(LeaseCommand::Close { token }).await; // The lease may have expired already.
            }
            Ok((tally, None))
        }
    };
    remove(&namespace, &folder).await;
    measured
}

/// Removes the folder. If that fails, it stays behind under its recognizable name.
async fn remove(namespace: &Namespace, folder: &TreePath) {
    let all = TreeCommand::Remove { path: folder.clone(), recursive: true, guard: None };
    loop {
        match namespace.change(all.clone()).await {
            Ok(Reply::Stepped { more: true }) => {}
            Ok(_) => return,
            Err(failure) => return log::warn!("cannot remove {folder}: {failure}"),
        }
    }
}

/// Runs one task per client until the time is over.
async fn together<F: Future<Output = ()>>(
    options: &BenchOptions,
    client: impl Fn(usize, Instant, Rc<RefCell<BenchCounters>>) -> F,
) -> BenchCounters {
    let executor = LocalExecutor::new();
    let start = Instant::now();
    let end = start + options.time;
    let tally = Rc::new(RefCell::new(BenchCounters::new(start)));
    for number in 0..options.clients as usize {
        executor.spawn(client(number, end, Rc::clone(&tally))).detach();
    }
    executor.run(Timer::at(end)).await;
    drop(executor);
    let mut tally = Rc::into_inner(tally).expect("every client was dropped").into_inner();
    tally.end_gap(end);
    tally
}

/// All leases that were opened.
type Leases = Rc<RefCell<Vec<TokenHash>>>;

async fn locks(
    options: &BenchOptions,
    servers: &[String],
    folder: &TreePath,
    leases: &Leases,
) -> BenchCounters {
    together(options, |number, end, tally| {
        let path = folder.join(&format!("lock-{number}")).expect("a short name");
        let connection = Connection::new(Plane::Control, servers, &options.cluster.keys, number);
        let (lease, leases) = (token_hash(&new_token()), leases.clone());
        let locker = LockClient { connection, path, lease, leases, seen: None, end, tally };
        locker.drive()
    })
    .await
}

struct LockClient<'a> {
    connection: Connection<'a>,
    path: TreePath,
    lease: TokenHash,
    leases: Leases,
    seen: Option<Token>,
    end: Instant,
    tally: Rc<RefCell<BenchCounters>>,
}

impl LockClient<'_> {
    async fn drive(mut self) {
        self.open().await;
        while Instant::now() < self.end {
            let asked = Instant::now();
            let (path, lease) = (self.path.clone(), self.lease);
            let acquire = TreeCommand::Acquire { path: path.clone(), lease, content: Vec::new() };
            if self.settle(acquire.into()).await
                && self.settle(TreeCommand::Release { path, lease }.into()).await
            {
                self.tally.borrow_mut().answered(asked, Instant::now());
            } else {
                // The longest benchmark is longer than the longest lease.
                self.lease = token_hash(&new_token());
                self.open().await;
            }
        }
    }

    async fn open(&mut self) {
        let position = Ask::Read { seen: None, consistency: Consistency::Stale, query: Query::Position };
        self.ask(position).await;
        let words = "a benchmark".to_string();
        self.leases.borrow_mut().push(self.lease);
        let open = LeaseCommand::Open { token: self.lease, description: words, lease_ms: Some(LEASE_MS_MAX) };
        self.settle(open.into()).await;
    }

    async fn settle(&mut self, command: Command) -> bool {
        let submitted_at = self.seen.map_or(0, |token| token.index);
        self.ask(Ask::Write(request(command, submitted_at))).await
    }

    /// Repeats a request until it is decided. Returns whether it succeeded.
    async fn ask(&mut self, ask: Ask) -> bool {
        while Instant::now() < self.end {
            let what = match outcome(self.connection.ask(ask.clone()).await.ok()) {
                Attempt::Done(token) => {
                    self.seen = Some(token);
                    return true;
                }
                Attempt::Refused(what) => {
                    self.tally.borrow_mut().failed(what);
                    Timer::after(PAUSE).await;
                    return false;
                }
                Attempt::Again(what) => what,
            };
            self.tally.borrow_mut().failed(what.to_string());
            Timer::after(PAUSE).await;
        }
        false
    }
}

async fn list(
    options: &BenchOptions,
    namespace: &Namespace,
    folder: &TreePath,
) -> Result<(BenchCounters, Option<usize>), Failure> {
    let too_long = async {
        Timer::after(SETUP_MAX).await;
        let message = format!("{LIST_NODES} nodes could not be created within {} s", SETUP_MAX.as_secs());
        Err(Failure::new(Exit::Unreachable, message))
    };
    or(make(namespace, folder), too_long).await?;
    let (_, listing) = namespace.list(folder, None, Consistency::Linearizable).await?;
    let (nodes, pages) = (listing.nodes.len(), listing.pages);
    let tally = together(options, |_, end, tally| {
        let namespace = namespace.with_own_connection();
        async move {
            while Instant::now() < end {
                let asked = Instant::now();
                match namespace.list(folder, None, Consistency::Linearizable).await {
                    Ok((_, listing)) if listing.nodes.len() == nodes => {
                        tally.borrow_mut().answered(asked, Instant::now());
                    }
                    Ok(_) => tally.borrow_mut().failed("a listing was incomplete".to_string()),
                    Err(failure) => tally.borrow_mut().failed(failure.to_string()),
                }
            }
        }
    })
    .await;
    Ok((tally, Some(pages)))
}

async fn make(namespace: &Namespace, folder: &TreePath) -> Result<(), Failure> {
    let executor = LocalExecutor::new();
    let makers: Vec<_> = (0..MAKERS)
        .map(|maker| {
            executor.spawn(async move {
                for number in (maker..LIST_NODES / LIST_FOLDER).step_by(MAKERS) {
                    make_folder(namespace, folder, number).await?;
                }
                Ok::<(), Failure>(())
            })
        })
        .collect();
    executor
        .run(async {
            for maker in makers {
                maker.await?;
            }
            Ok(())
        })
        .await
}

async fn make_folder(namespace: &Namespace, folder: &TreePath, number: usize) -> Result<(), Failure> {
    let inner = folder.join(&format!("folder-{number:03}")).expect("a short name");
    namespace.change(TreeCommand::MakeFolder { path: inner.clone(), parents: true }).await?;
    for file in 0..LIST_FOLDER {
        let path = inner.join(&format!("file-{file:03}")).expect("a short name");
        namespace.change(TreeCommand::Touch { path, lease: None }).await?;
    }
    Ok(())
}
