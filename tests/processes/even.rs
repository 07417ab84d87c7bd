//! Clients are spread evenly again after every backend was restarted, without failed requests.

use crate::test_cluster::{Status, TestCluster, keys};
use ribbit_net::client::Client;
use rustix::process::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

const CLIENTS: u32 = 12;
/// Pause between two requests of a client: longer than a connection must be idle to be moved.
const PAUSE: Duration = Duration::from_millis(1_500);
/// Time limit of a request during restarts.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Clients that send a request now and then, each over its own connection, until this is dropped.
struct Crowd {
    stopping: Arc<AtomicBool>,
    unanswered: Arc<AtomicU32>,
    thread: std::thread::JoinHandle<()>,
}

impl Crowd {
    fn start(balancer: &str) -> Crowd {
        let (stopping, unanswered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let servers = vec![balancer.to_string()];
        let (stop, failed) = (stopping.clone(), unanswered.clone());
        let thread = std::thread::spawn(move || {
            let executor = smol::LocalExecutor::new();
            let person = || async {
                let client = Client::new(servers.clone(), keys());
                while !stop.load(Ordering::SeqCst) {
                    if client.position(ANSWER_MAX).await.is_err() {
                        failed.fetch_add(1, Ordering::SeqCst);
                    }
                    smol::Timer::after(PAUSE).await;
                }
            };
            let people: Vec<_> = (0..CLIENTS).map(|_| executor.spawn(person())).collect();
            smol::block_on(executor.run(async {
                for person in people {
                    person.await;
                }
            }));
        });
        Crowd { stopping, unanswered, thread }
    }

    fn stop(self) -> u32 {
        self.stopping.store(true, Ordering::SeqCst);
        self.thread.join().expect("the crowd ends well");
        self.unanswered.load(Ordering::SeqCst)
    }
}

fn is_even(status: &Status) -> bool {
    let clients: Vec<u32> = status.backends().map(|backend| backend.clients).collect();
    let (most, fewest) = (clients.iter().max(), clients.iter().min());
    clients.iter().sum::<u32>() >= CLIENTS
        && most.zip(fewest).is_some_and(|(most, fewest)| most - fewest <= 1)
}

#[test]
fn after_a_rolling_restart_everybody_has_as_many_clients_again() {
    let mut pond = TestCluster::empty();
    // Rebalance within seconds instead of minutes.
    pond.environment = vec![("RIBBIT_TEST_EVEN_STEPS", "3".into())];
    pond.up(&["--restart", "never"]);
    pond.await_whole();
    let crowd = Crowd::start(&pond.address("BALANCER"));
    pond.await_status("all members are alive and clients are spread evenly", is_even);
    for id in 1..=3 {
        let name = format!("backend-{id}");
        pond.signal(&[&name], Signal::TERM);
        // The backend is away until all its clients have moved to the others.
        pond.await_status("the others have them all", |status| {
            let others = status.backends().filter(|backend| backend.alive && backend.name != name);
            status.leader.is_some() && others.map(|backend| backend.clients).sum::<u32>() >= CLIENTS
        });
        pond.backend_by_hand(id);
        pond.await_status("it is there again", |status| {
            let well =
                |member: &crate::test_cluster::MemberStatus| member.alive && member.voter && member.in_sync;
            status.leader.is_some() && status.members.iter().all(well)
        });
    }
    pond.await_status("as many clients for each", is_even);
    assert_eq!(crowd.stop(), 0, "every question was answered");
    pond.stop();
}
