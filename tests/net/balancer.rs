//! The balancer over real sockets, in front of members that answer with the status set by the test.

// A test that cannot continue may panic anywhere.

use async_net::{TcpListener, TcpStream};
use ribbit_net::channel::Channel;
use ribbit_net::client::Client;
use ribbit_net::frame::{self, Plane};
use ribbit_net::handshake::{Preface, connect};
use ribbit_net::limits::FRAME_BYTES_MAX;
use ribbit_net::listener::{Caller, ConnectionLimits, Service, serve};
use ribbit_net::multiplexed::MultiplexedConnection;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{
    Answer, AnswerFrame, Ask, AskFrame, DirectoryAnswer, DirectoryAsk, DownCheck, MemberInfo, NodeStatus,
    UnavailableReason,
};
use ribbit_net::survey::survey;
use ribbit_roles::balancer;
use ribbit_roles::balancer::arguments::BalancerOptions;
use ribbit_roles::balancer::limits::REBALANCE_STEPS;
use ribbit_roles::common::failure::Exit;
use ribbit_state::{ClusterId, Code, Denied, HistoryId, Role};
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::keys::keys;

const LONG: Duration = Duration::from_secs(8);

/// A member that answers status queries only.
struct Member {
    status: Mutex<NodeStatus>,
    gate: Arc<ConnectionLimits>,
    /// Accepts and reads, but never answers, like a stopped process.
    stopped: AtomicBool,
    /// Gets the number of clients each time a watcher has been told it.
    told: Sender<u32>,
    tellings: Receiver<u32>,
}

impl Service for Member {
    async fn answer(self: Arc<Self>, asker: Caller, _ask: Ask, _deadline: Instant) -> Answer {
        if self.stopped.load(Ordering::SeqCst) {
            return smol::future::pending().await;
        }
        let mut status = self.status.lock().unwrap().clone();
        status.me.clients = self.gate.clients();
        if asker.plane == Plane::Status {
            let _ = self.told.force_send(status.me.clients);
        }
        Answer::NodeStatus(Box::new(status))
    }
    async fn peer(self: Arc<Self>, _plane: Plane, _channel: Channel) {}
}

impl Member {
    fn set(&self, change: impl FnOnce(&mut NodeStatus)) {
        change(&mut self.status.lock().unwrap());
    }
    fn address(&self) -> String {
        self.status.lock().unwrap().me.address.clone()
    }
    /// Waits until a watcher has been told a wanted number twice: when it queries again, it has processed the answer before.
    async fn has_told(&self, wanted: impl Fn(u32) -> bool) {
        // An answer from before this call may be outdated.
        let _ = self.tellings.try_recv();
        for _ in 0..2 {
            while !wanted(self.tellings.recv().await.unwrap()) {}
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.gate.close();
    }
}

async fn member(role: Role, id: u32) -> Arc<Member> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let me = MemberInfo {
        raft_id: u64::from(id) + if role == Role::Backend { 0 } else { 10 },
        role,
        id,
        address,
        machine: "here".into(),
        pid: 100 + id,
        applied: 1,
        clients: 0,
        rules_level: 1,
        key: Default::default(),
        ..MemberInfo::default()
    };
    let status = NodeStatus {
        cluster: ClusterId(1),
        history: Some(HistoryId(1)),
        me,
        leader: None,
        term: 1,
        voters: vec![1, 2, 3, 11],
        learners: vec![],
        in_sync: true,
        stalled_s: 0,
        lagging: Vec::new(),
        others: vec![],
        store: Default::default(),
        leases: Default::default(),
        accepts_old_key: false,
        build: String::new(),
        rules_level: 1,
        auto_finish: false,
    };
    let (told, tellings) = channel::bounded(1);
    let gate = ConnectionLimits::new();
    let stopped = AtomicBool::new(false);
    let member = Arc::new(Member { status: Mutex::new(status), gate: gate.clone(), stopped, told, tellings });
    smol::spawn(serve(listener, member.clone(), gate, keys())).detach();
    member
}

/// Returns a coordinator that names `backends` backends, and these.
async fn group(backends: u32) -> (Arc<Member>, Vec<Arc<Member>>) {
    let coordinator = member(Role::Coordinator, 1).await;
    let mut members = Vec::new();
    for id in 1..=backends {
        members.push(member(Role::Backend, id).await);
    }
    let infos = members.iter().map(|member| member.status.lock().unwrap().me.clone()).collect();
    coordinator.set(|status| status.others = infos);
    (coordinator, members)
}

fn options(listen: &str, seeds: Vec<String>) -> BalancerOptions {
    let (listen, trusted_proxies) = (listen.to_string(), Vec::new());
    BalancerOptions {
        listen,
        seeds,
        region: 1,
        keys: keys(),
        trusted_proxies,
        floating: None,
        discovery: false,
    }
}

/// Starts a balancer that has queried all `members`. It ends with the task.
async fn balance(seeds: &[&Member], members: &[Arc<Member>]) -> (String, smol::Task<()>) {
    balance_with_steps(REBALANCE_STEPS, seeds, members).await
}

async fn balance_with_steps(
    steps: u64,
    seeds: &[&Member],
    members: &[Arc<Member>],
) -> (String, smol::Task<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seeds = seeds.iter().map(|seed| seed.address()).collect();
    let task =
        smol::spawn(balancer::serve(listener, options(&address, seeds), steps, smol::future::pending()));
    for member in members {
        member.has_told(|_| true).await;
    }
    (address, task)
}

async fn who(line: &MultiplexedConnection) -> u32 {
    match line.ask(&Ask::NodeStatus, LONG, Duration::ZERO).await.unwrap() {
        Answer::NodeStatus(status) => status.me.id,
        other => panic!("{other:?}"),
    }
}

async fn who_on(channel: &mut Channel) -> u32 {
    frame::write(&mut channel.writer, &AskFrame { tag: 1, deadline_ms: 5_000, ask: Ask::NodeStatus })
        .await
        .unwrap();
    match frame::read(&mut channel.reader, FRAME_BYTES_MAX).await.unwrap() {
        AnswerFrame { answer: Answer::NodeStatus(status), .. } => status.me.id,
        other => panic!("{other:?}"),
    }
}

fn clients(members: &[Arc<Member>]) -> Vec<u32> {
    members.iter().map(|member| member.gate.clients()).collect()
}

async fn end_of(mut stream: impl AsyncRead + Unpin) {
    // A preface may come before the end.
    let end = async { Some(stream.read_to_end(&mut Vec::new()).await) };
    let end = end
        .or(async {
            smol::Timer::after(LONG).await;
            None
        })
        .await;
    assert!(end.is_some(), "the stream does not end");
}

#[test]
fn connections_go_to_the_backend_with_the_fewest_and_counts_fall_when_they_end() {
    smol::block_on(async {
        let (coordinator, members) = group(3).await;
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        let mut lines = Vec::new();
        for _ in 0..9 {
            lines.push(MultiplexedConnection::open(&address, Plane::Client, &keys()).await.unwrap());
        }
        assert_eq!(clients(&members), [3, 3, 3]);

        let mut left = Vec::new();
        for line in lines {
            if who(&line).await != 2 {
                left.push(line);
            }
        }
        members[1].has_told(|clients| clients == 0).await;
        for _ in 0..3 {
            left.push(MultiplexedConnection::open(&address, Plane::Client, &keys()).await.unwrap());
        }
        assert_eq!(clients(&members), [3, 3, 3]);
        // No connection is spliced to a coordinator.
        assert_eq!(coordinator.gate.clients(), 0);
    });
}

#[test]
fn a_stopped_backend_is_left_out_and_its_connections_are_closed_within_a_second() {
    smol::block_on(async {
        let (coordinator, members) = group(2).await;
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        let mut one = connect(&address, Plane::Client, &keys()).await.unwrap();
        let mut other = connect(&address, Plane::Client, &keys()).await.unwrap();
        if who_on(&mut one).await == 2 {
            std::mem::swap(&mut one, &mut other);
        }
        members[0].stopped.store(true, Ordering::SeqCst);
        let begin = Instant::now();
        end_of(one.reader).await;
        assert!(begin.elapsed() < Duration::from_millis(1_500), "{:?}", begin.elapsed());
        assert_eq!(who_on(&mut other).await, 2);
        drop(other);
        for _ in 0..3 {
            assert_eq!(
                who(&MultiplexedConnection::open(&address, Plane::Client, &keys()).await.unwrap()).await,
                2
            );
        }
        // The backend comes back.
        members[0].stopped.store(false, Ordering::SeqCst);
        members[0].has_told(|_| true).await;
        let mut seen = Vec::new();
        let mut open = Vec::new();
        for _ in 0..2 {
            let line = MultiplexedConnection::open(&address, Plane::Client, &keys()).await.unwrap();
            seen.push(who(&line).await);
            open.push(line);
        }
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
    });
}

#[test]
fn a_client_that_was_cut_comes_back_through_the_balancer_by_itself() {
    smol::block_on(async {
        let (coordinator, members) = group(2).await;
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        let client = Client::new(vec![address], keys());
        let id = |answer: Answer| match answer {
            Answer::NodeStatus(status) => status.me.id,
            other => panic!("{other:?}"),
        };
        let first = id(client.ask(Ask::NodeStatus, LONG).await.unwrap());
        members[first as usize - 1].stopped.store(true, Ordering::SeqCst);
        let begin = Instant::now();
        let second = id(client.ask(Ask::NodeStatus, LONG).await.unwrap());
        assert_ne!(first, second);
        assert!(begin.elapsed() < Duration::from_millis(2_500), "{:?}", begin.elapsed());
    });
}

/// Passes connections on to `to`, until the task is dropped.
async fn relay(to: String) -> (String, smol::Task<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = smol::spawn(async move {
        let mut passed_on = Vec::new();
        while let Ok((here, _)) = listener.accept().await {
            let there = TcpStream::connect(&to).await.unwrap();
            passed_on.push(smol::spawn(async move {
                let up = smol::io::copy(here.clone(), there.clone());
                let _ = smol::future::or(up, smol::io::copy(there, here)).await;
            }));
        }
    });
    (address, task)
}

#[test]
fn a_client_in_direct_mode_goes_on_without_the_balancer_and_finds_another_backend_through_it() {
    let executor = Arc::new(smol::Executor::new());
    smol::block_on(executor.clone().run(async move {
        let (coordinator, members) = group(2).await;
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        let (address, relay) = relay(address).await;
        let client = Client::direct(vec![address], keys(), executor.clone());
        let backend = async || match client.ask(Ask::NodeStatus, LONG).await.unwrap() {
            Answer::NodeStatus(status) => status.me.id,
            other => panic!("{other:?}"),
        };
        let first = backend().await;
        members[first as usize - 1].stopped.store(true, Ordering::SeqCst);
        let second = backend().await;
        assert_ne!(first, second);
        // Nothing passes through the balancer any more.
        drop(relay);
        assert_eq!(backend().await, second);
    }));
}

#[test]
fn a_client_in_direct_mode_uses_a_backend_that_names_none() {
    let executor = Arc::new(smol::Executor::new());
    smol::block_on(executor.clone().run(async move {
        let (_coordinator, members) = group(1).await;
        let client = Client::direct(vec![members[0].address()], keys(), executor.clone());
        assert!(matches!(client.ask(Ask::NodeStatus, LONG).await, Ok(Answer::NodeStatus(_))));
    }));
}

#[test]
fn in_sync_is_preferred_and_an_open_store_is_enough() {
    smol::block_on(async {
        let (coordinator, members) = group(2).await;
        members[0].set(|status| status.in_sync = false);
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        let first = MultiplexedConnection::open(&address, Plane::Client, &keys()).await.unwrap();
        let second = MultiplexedConnection::open(&address, Plane::Client, &keys()).await.unwrap();
        assert_eq!((who(&first).await, who(&second).await), (2, 2));
        members[1].set(|status| status.history = None);
        members[1].has_told(|_| true).await;
        let third = MultiplexedConnection::open(&address, Plane::Client, &keys()).await.unwrap();
        assert_eq!(who(&third).await, 1);
    });
}

#[test]
fn without_a_backend_a_connection_is_closed_at_once() {
    smol::block_on(async {
        let (coordinator, members) = group(0).await;
        let (address, balancer) = balance(&[&coordinator], &members).await;
        let begin = Instant::now();
        assert!(connect(&address, Plane::Client, &keys()).await.is_err());
        assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
        balancer.cancel().await;
        assert!(TcpStream::connect(&address).await.is_err(), "it listens after its end");
    });
}

#[test]
fn pending_bytes_are_delivered_after_a_half_close() {
    smol::block_on(async {
        let (coordinator, members) = group(1).await;
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        let mut stream = connect(&address, Plane::Client, &keys()).await.unwrap();
        for tag in 1..=3 {
            let ask = AskFrame { tag, deadline_ms: 5_000, ask: Ask::NodeStatus };
            frame::write(&mut stream.writer, &ask).await.unwrap();
        }
        stream.writer.socket().shutdown(std::net::Shutdown::Write).unwrap();
        for _ in 0..3 {
            let answer: AnswerFrame = frame::read(&mut stream.reader, FRAME_BYTES_MAX).await.unwrap();
            assert!((1..=3).contains(&answer.tag));
        }
        end_of(stream.reader).await;
    });
}

async fn told(address: &str, ask: DirectoryAsk) -> Answer {
    ask_once(address, Plane::Directory, &keys(), Ask::Directory(ask), LONG).await.unwrap()
}

/// Returns the number of the backend that a reader is sent to, and the reader's id.
async fn sent(address: &str, client: Option<u64>) -> (u32, u64) {
    match told(address, DirectoryAsk::Read { client }).await {
        Answer::Directory(DirectoryAnswer::Read { client, lease_ms, backend }) => {
            assert!(lease_ms > 0 && backend.in_sync && !backend.address.is_empty());
            (backend.name.id, client)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn readers_are_spread_and_their_assignments_end_when_they_leave() {
    smol::block_on(async {
        let (coordinator, members) = group(3).await;
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        let mut readers = Vec::new();
        for _ in 0..6 {
            readers.push(sent(&address, None).await);
        }
        let mut ids: Vec<u32> = readers.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 1, 2, 2, 3, 3]);
        // A reader that queries again keeps its backend; one that leaves makes room.
        assert_eq!(sent(&address, Some(readers[4].1)).await, readers[4]);
        for (id, client) in &readers {
            if *id == 2 {
                let left = told(&address, DirectoryAsk::Left { client: *client }).await;
                assert_eq!(left, Answer::Directory(DirectoryAnswer::Left { known: true }));
            }
        }
        assert_eq!(sent(&address, Some(17)).await, (2, 17));
        assert_eq!(sent(&address, None).await.0, 2);
        let left = told(&address, DirectoryAsk::Left { client: 4_711 }).await;
        assert_eq!(left, Answer::Directory(DirectoryAnswer::Left { known: false }));
        // Connections count as clients, too.
        let _open = MultiplexedConnection::open(&members[0].address(), Plane::Client, &keys()).await.unwrap();
        members[0].has_told(|clients| clients == 1).await;
        for _ in 0..2 {
            assert_ne!(sent(&address, None).await.0, 1);
        }
    });
}

#[test]
fn writers_are_told_the_leader_first() {
    smol::block_on(async {
        let (coordinator, members) = group(3).await;
        members[0].set(|status| status.in_sync = false);
        members[2].set(|status| status.leader = Some(3));
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        let Answer::Directory(DirectoryAnswer::Write(backends)) = told(&address, DirectoryAsk::Write).await
        else {
            panic!()
        };
        let said: Vec<(u32, bool)> =
            backends.iter().map(|backend| (backend.name.id, backend.leads)).collect();
        assert_eq!(said, [(3, true), (2, false)]);
        assert_eq!(backends[0].address, members[2].address());
        // No backend is in sync: writes are unavailable, reads still work.
        for member in &members {
            member.set(|status| status.in_sync = false);
            member.has_told(|_| true).await;
        }
        assert_eq!(
            told(&address, DirectoryAsk::Write).await,
            Answer::Unavailable(UnavailableReason::NoLeader)
        );
        for member in &members {
            member.set(|status| status.history = None);
            member.has_told(|_| true).await;
        }
        for ask in [DirectoryAsk::Write, DirectoryAsk::Read { client: None }] {
            assert_eq!(told(&address, ask).await, Answer::Unavailable(UnavailableReason::NotServing));
        }
    });
}

#[test]
fn a_backend_reported_down_is_probed_and_a_wrong_report_changes_nothing() {
    smol::block_on(async {
        let (coordinator, members) = group(2).await;
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        let mut open = connect(&address, Plane::Client, &keys()).await.unwrap();
        let (here, there) = if who_on(&mut open).await == 1 { (0, 1) } else { (1, 0) };
        let (one, other) = (members[here].address(), members[there].address());
        let report = |address: &str| DirectoryAsk::Down { address: address.into() };
        let found = |finding| Answer::Directory(DirectoryAnswer::Down(finding));
        assert_eq!(told(&address, report(&one)).await, found(DownCheck::Answers));
        assert_eq!(told(&address, report("127.0.0.1:1")).await, found(DownCheck::Unknown));
        assert_eq!(who_on(&mut open).await, here as u32 + 1);

        members[here].stopped.store(true, Ordering::SeqCst);
        assert_eq!(told(&address, report(&one)).await, found(DownCheck::Silent));
        assert_eq!(sent(&address, None).await.0, there as u32 + 1);
        end_of(open.reader).await;
        assert_eq!(told(&address, report(&other)).await, found(DownCheck::Answers));
        // The backend comes back by itself.
        members[here].stopped.store(false, Ordering::SeqCst);
        members[here].has_told(|_| true).await;
        assert_eq!(sent(&address, None).await.0, here as u32 + 1);
    });
}

#[test]
fn the_directory_answers_on_its_own_plane_and_other_planes_reach_a_backend() {
    smol::block_on(async {
        let (coordinator, members) = group(1).await;
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        for plane in [Plane::Control, Plane::Status, Plane::Client] {
            let line = MultiplexedConnection::open(&address, plane, &keys()).await.unwrap();
            assert_eq!((who(&line).await, who(&line).await), (1, 1), "{plane:?}");
        }
        // One connection may send several directory queries, and no other requests.
        let line = MultiplexedConnection::open(&address, Plane::Directory, &keys()).await.unwrap();
        for _ in 0..2 {
            let answer = line.ask(&Ask::Directory(DirectoryAsk::Write), LONG, Duration::ZERO).await.unwrap();
            assert!(matches!(answer, Answer::Directory(DirectoryAnswer::Write(_))), "{answer:?}");
        }
        let answer = line.ask(&Ask::NodeStatus, LONG, Duration::ZERO).await.unwrap();
        assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    });
}

#[test]
fn hostile_bytes_and_slow_prefaces_end_their_connection_alone() {
    smol::block_on(async {
        let (coordinator, members) = group(1).await;
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        let directory = Preface { plane: Plane::Directory, cluster: None, key: 0 }.to_bytes();
        for bytes in
            [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\0\0\0\0\0", b"ribbit\x01\x63", b"rib", b"", &directory]
        {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            let begin = Instant::now();
            end_of(stream).await;
            assert!(begin.elapsed() < Duration::from_secs(4), "{bytes:?}: {:?}", begin.elapsed());
        }
        for plane in [Plane::Control, Plane::Directory] {
            // An unknown request is refused, and the connection stays open.
            let mut channel = connect(&address, plane, &keys()).await.unwrap();
            for tag in [1_u32, 2] {
                frame::write(&mut channel.writer, &(tag, 5_000_u32, 200_u32)).await.unwrap();
                let answer = Answer::Refused(Denied::new(Code::InvalidEntry));
                let refused: AnswerFrame = frame::read(&mut channel.reader, FRAME_BYTES_MAX).await.unwrap();
                assert_eq!(refused, AnswerFrame { tag, answer });
            }
            let mut endless = connect(&address, plane, &keys()).await.unwrap();
            endless.writer.write_all(&u32::MAX.to_le_bytes()).await.unwrap();
            endless.writer.flush().await.unwrap();
            end_of(endless.reader).await;
        }
        assert_eq!(
            who(&MultiplexedConnection::open(&address, Plane::Client, &keys()).await.unwrap()).await,
            1
        );
    });
}

#[test]
fn rebalancing_ends_only_quiet_connections() {
    smol::block_on(async {
        let (coordinator, members) = group(2).await;
        members[1].set(|status| status.in_sync = false);
        let (address, _balancer) = balance_with_steps(1, &[&coordinator], &members).await;
        let (mut busy, mut idle) = (Vec::new(), Vec::new());
        for number in 0..4 {
            let mut stream = connect(&address, Plane::Client, &keys()).await.unwrap();
            assert_eq!(who_on(&mut stream).await, 1);
            if number < 2 {
                // A client that sent the last bytes may be waiting for an answer.
                stream.writer.write_all(&[9, 0, 0]).await.unwrap();
                stream.writer.flush().await.unwrap();
                busy.push(stream);
            } else {
                idle.push(stream);
            }
        }
        members[1].set(|status| status.in_sync = true);
        for stream in idle {
            end_of(stream.reader).await;
        }
        members[0].has_told(|clients| clients == 2).await;
        // One connection each would be even, but busy connections stay.
        smol::Timer::after(Duration::from_millis(2_500)).await;
        assert_eq!(clients(&members), [2, 0]);
        assert_eq!(
            who(&MultiplexedConnection::open(&address, Plane::Client, &keys()).await.unwrap()).await,
            2
        );
        drop(busy);
    });
}

#[test]
fn a_port_in_use_is_reported_with_its_address() {
    smol::block_on(async {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = taken.local_addr().unwrap().to_string();
        let failure = balancer::run(options(&listen, vec![]), smol::future::pending()).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Refused);
        assert!(failure.message.contains(&listen) && failure.message.contains("--listen"), "{failure}");
        balancer::run(options("127.0.0.1:0", vec![]), async {}).await.unwrap();
    });
}

#[test]
fn a_survey_finds_all_members_from_one_address_or_through_a_balancer() {
    smol::block_on(async {
        let (coordinator, members) = group(3).await;
        let others = coordinator.status.lock().unwrap().clone();
        for member in &members {
            member.set(|status| {
                status.others = others.others.clone();
                status.others.push(others.me.clone());
                (status.leader, status.term) = (Some(3), 4);
            });
        }
        let (address, _balancer) = balance(&[&coordinator], &members).await;
        for seed in [coordinator.address(), address] {
            let survey = survey(&[seed], &keys()).await;
            assert_eq!((survey.leader.as_deref(), survey.term), (Some("backend-3"), 4));
            assert_eq!(survey.members.len(), 4);
            assert!(survey.members.iter().all(|member| member.alive && member.voter));
            assert_eq!((survey.can_lose_processes, survey.can_lose_machines), (1, 0));
        }
        // Two members die: one closes its connections, the other one stops answering.
        members[2].gate.close();
        members[1].stopped.store(true, Ordering::SeqCst);
        let begin = Instant::now();
        let survey = survey(&[coordinator.address()], &keys()).await;
        assert!(begin.elapsed() < Duration::from_millis(1_500), "{:?}", begin.elapsed());
        let alive: Vec<bool> = survey.members.iter().map(|member| member.alive).collect();
        assert_eq!(alive, [true, false, false, true]);
        assert_eq!((survey.leader, survey.can_lose_processes), (None, 0));
        assert_eq!(survey.members[2].info.pid, 103);
        let stopped = members[1].address();
        let short = Duration::from_millis(100);
        assert!(ask_once(&stopped, Plane::Control, &keys(), Ask::NodeStatus, short).await.is_err());
    });
}
