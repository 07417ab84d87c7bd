//! The Raft task and the store thread: failures, pending requests and read indexes.

use ribbit_replica::{
    Core, CoreOptions, Envelope, RaftMessage, Replica, ReplicaFailure, SubmitError, Transport, Writer,
};
use ribbit_state::{AccountId, Command, RaftId, Request, Role};
use smol::channel::Receiver;
use std::time::{Duration, Instant};
use testkit::rig::{ME, members_of, request};

/// Transport that panics in the Raft task with the first message.
struct Broken;

impl Transport for Broken {
    fn send(&self, _: RaftId, _: Envelope) {
        panic!("a bug");
    }
    fn send_snapshot(&self, _: RaftId, _: RaftMessage) -> bool {
        false
    }
}

/// Transport that drops every message.
struct Deaf;

impl Transport for Deaf {
    fn send(&self, _: RaftId, _: Envelope) {}
    fn send_snapshot(&self, _: RaftId, _: RaftMessage) -> bool {
        false
    }
}

fn start(voters: &[RaftId], transport: impl Transport) -> (Replica, Receiver<ReplicaFailure>) {
    let store = members_of(voters, &[]);
    let loaded = store.loaded().expect("a good disk");
    let reader = store.reader();
    let writer = Writer::new(store);
    let members = writer.members().expect("a good disk");
    let options = CoreOptions { me: ME, role: Role::Backend, seed: 7, campaign: false, evict_ticks: 2_000 };
    let core = Core::new(options, reader, &loaded, members).expect("a good store");
    let (failed, failure) = smol::channel::bounded(1);
    let (replica, raft) = Replica::start(core, writer, transport, failed).expect("a thread");
    smol::spawn(raft).detach();
    (replica, failure)
}

fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let late = async {
        smol::Timer::after(limit).await;
        None
    };
    smol::block_on(smol::future::or(async { Some(work.await) }, late))
}

#[test]
fn a_panic_of_a_thread_is_reported_so_that_the_process_ends() {
    let (replica, failure) = start(&[1, 2, 3], Broken);
    let why = within(Duration::from_secs(10), failure.recv());
    let Some(Ok(ReplicaFailure::Broken(why))) = why else { panic!("{why:?}") };
    assert!(why.contains("panicked"), "{why}");
    let deadline = Instant::now() + Duration::from_secs(1);
    assert_eq!(smol::block_on(replica.submit(request(1), deadline)), Err(SubmitError::Ending));
}

#[test]
fn clients_that_gave_up_do_not_count_as_waiting() {
    let (replica, _failure) = start(&[1, 2, 3], Deaf);
    let deadline = Instant::now() + Duration::from_secs(2);
    // Each client gives up at once, like a page that is reloaded again and again.
    for _ in 0..1_000 {
        let gone = within(Duration::ZERO, replica.submit(request(1), deadline));
        assert_ne!(gone, Some(Err(SubmitError::Busy)), "clients that gave up do not count");
    }
    let late = smol::block_on(replica.submit(request(1), deadline));
    assert_eq!(late, Err(SubmitError::Late));
    replica.stop();
}

#[test]
fn another_command_under_a_pending_id_is_refused() {
    let (replica, _failure) = start(&[1, 2, 3], Deaf);
    let deadline = Instant::now() + Duration::from_millis(700);
    let other = Request { command: Command::Sweep { account: AccountId(9) }, ..request(1) };
    let (first, (same, reused)) = smol::block_on(smol::future::zip(
        replica.submit(request(1), deadline),
        smol::future::zip(replica.submit(request(1), deadline), replica.submit(other.clone(), deadline)),
    ));
    assert_eq!((first, same), (Err(SubmitError::Late), Err(SubmitError::Late)));
    assert_eq!(reused, Err(SubmitError::Reused));
    // No client waits under that id any more and nothing was applied, so the id is free.
    let deadline = Instant::now() + Duration::from_millis(200);
    assert_eq!(smol::block_on(replica.submit(other, deadline)), Err(SubmitError::Late));
    replica.stop();
}

#[test]
fn a_read_index_needs_a_quorum() {
    let (alone, _failure) = start(&[ME], Deaf);
    let deadline = Instant::now() + Duration::from_secs(5);
    let index = smol::block_on(alone.read_index(deadline)).expect("a single voter is a quorum");
    assert!(smol::block_on(alone.wait_applied(index, deadline)));
    alone.stop();

    let (cut_off, _failure) = start(&[1, 2, 3], Deaf);
    let deadline = Instant::now() + Duration::from_millis(700);
    assert_eq!(smol::block_on(cut_off.read_index(deadline)), Err(SubmitError::Late));
    cut_off.stop();
}
