//! Loads etcd or Redis as `ribbit bench --op post` loads ribbit: a closed loop, each client with one put in flight on a connection
//! of its own, values of a given size under new keys. For `benches/beside-etcd`. An error ends the program.
//!
//! ```text
//!   peer_load etcd --endpoints 127.0.0.1:2379,127.0.0.1:22379 --clients 64 --seconds 10 [--bytes 128]
//! ```

mod etcd;
mod redis;

use clap::{Parser, ValueEnum};
use etcd::Etcd;
use redis::Redis;
use smol::{LocalExecutor, Timer};
use std::cell::RefCell;
use std::io::Result;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[derive(Debug, Parser)]
struct Options {
    system: System,
    /// HOST:PORT of the servers; clients are spread over them
    #[arg(long, value_delimiter = ',', required = true)]
    endpoints: Vec<String>,
    #[arg(long, default_value_t = 1)]
    clients: usize,
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Size of each value
    #[arg(long, default_value_t = 128)]
    bytes: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum System {
    Etcd,
    Redis,
}

enum Connection {
    Etcd(Etcd),
    Redis(Redis),
}

impl Connection {
    async fn open(system: System, endpoint: &str) -> Result<Connection> {
        match system {
            System::Etcd => Etcd::open(endpoint).await.map(Connection::Etcd),
            System::Redis => Redis::open(endpoint).await.map(Connection::Redis),
        }
    }

    async fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match self {
            Connection::Etcd(etcd) => etcd.put(key, value).await,
            Connection::Redis(redis) => redis.put(key, value).await,
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let latencies = Rc::new(RefCell::new(Vec::<Duration>::new()));
    let executor = LocalExecutor::new();
    let end = Instant::now() + Duration::from_secs(options.seconds);
    for client in 0..options.clients {
        let system = options.system;
        let endpoint = options.endpoints[client % options.endpoints.len()].clone();
        let value = vec![b'x'; options.bytes];
        let latencies = latencies.clone();
        executor
            .spawn(async move {
                let done = drive(system, &endpoint, client, &value, end, &latencies).await;
                if let Err(error) = done {
                    eprintln!("peer_load: {endpoint}: {error}");
                    std::process::exit(1);
                }
            })
            .detach();
    }
    smol::block_on(executor.run(Timer::at(end)));
    drop(executor);
    let mut latencies = latencies.borrow_mut();
    latencies.sort_unstable();
    let at =
        |percent: usize| latencies.get(latencies.len() * percent / 100).map_or(0.0, Duration::as_secs_f64);
    println!(
        "{{\"clients\":{},\"total\":{},\"per_second\":{:.1},\"p50_ms\":{:.3},\"p99_ms\":{:.3}}}",
        options.clients,
        latencies.len(),
        latencies.len() as f64 / options.seconds as f64,
        at(50) * 1e3,
        at(99) * 1e3,
    );
    Ok(())
}

async fn drive(
    system: System,
    endpoint: &str,
    client: usize,
    value: &[u8],
    end: Instant,
    latencies: &RefCell<Vec<Duration>>,
) -> Result<()> {
    let mut connection = Connection::open(system, endpoint).await?;
    let mut number = 0_u64;
    while Instant::now() < end {
        let asked = Instant::now();
        connection.put(format!("croak/{client:04}/{number:012}").as_bytes(), value).await?;
        latencies.borrow_mut().push(asked.elapsed());
        number += 1;
    }
    Ok(())
}
