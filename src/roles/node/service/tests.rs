//! Tests of the service of a backend that was founded here and has no links.

use super::super::Membership;
use super::*;
use crate::node::advertised_address::AdvertisedAddress;
use crate::node::arguments::NodeOptions;
use crate::node::digest_comparison::DigestComparison;
use crate::node::disk_quota::DiskQuota;
use crate::node::member_list::MemberList;
use crate::node::passwords::{self, PasswordHasher};
use crate::node::rate_limits::RateLimits;
use crate::node::seeds::SeedAddresses;
use crate::node::supervisor_status::MainThreadPulse;
use ribbit_db::{Configuration, FileDisk, Identity, Store};
use ribbit_net::keys::{KEY_BYTES, Keys};
use ribbit_net::limits::SUBSCRIBERS_MAX;
use ribbit_net::listener::{ConnectionLimits, Service as _};
use ribbit_net::protocol::Password;
use ribbit_net::tasks;
use ribbit_replica::{Core, CoreOptions, Replica, Writer};
use ribbit_state::{Consistency, Field, HistoryId, Page, Query, TokenHash, TreeCommand};
use smol::lock::Semaphore;
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::pin;
use std::sync::{Mutex, OnceLock};

fn on(plane: Plane) -> Caller {
    Caller { plane, from: Ipv4Addr::LOCALHOST.into(), operator: "pi@board1".into() }
}

/// Returns a backend that was founded with these voters and has no links.
pub(in crate::node) fn backend(folder: &Path, voters: &[u64]) -> Arc<NodeService> {
    backend_with(folder, voters, u64::MAX)
}

/// Returns the same with this disk quota.
fn backend_with(folder: &Path, voters: &[u64], quota_bytes: u64) -> Arc<NodeService> {
    let (role, cluster) = (Role::Backend, ClusterId(1));
    let identity = Identity { cluster, history: HistoryId(2), raft_id: 1, role, region: 1, id: 1 };
    let mut store = Store::open(FileDisk::new(folder)).unwrap();
    let founded = Configuration { voters: voters.to_vec(), ..Configuration::default() };
    store.identify(identity.clone(), Some(&founded)).unwrap();
    let (loaded, reader, disk) = (store.loaded().unwrap(), store.reader(), store.disk());
    let options = CoreOptions { me: 1, role, seed: 7, campaign: voters == [1], evict_ticks: 400 };
    let core = Core::new(options, reader, &loaded, Vec::new()).unwrap();
    let (failed, _) = smol::channel::bounded(1);
    let member_list = MemberList::new(&identity);
    let transport = links::transport(&member_list).0;
    let (replica, raft) = Replica::start(core, Writer::new(store), transport, failed.clone()).unwrap();
    tasks::spawn(raft).detach();
    let (digest_comparison, scrubbed) = (DigestComparison::default(), Mutex::default());
    let coordination = coordination::CoordinationState::default();
    let member =
        Membership { member_list, identity, replica, digest_comparison, scrubbed, disk, coordination };
    let options = NodeOptions {
        role,
        id: 1,
        listen: String::new(),
        advertise: None,
        data_dir: folder.to_path_buf(),
        cluster,
        keys: Keys::of_cluster(cluster, &[1; KEY_BYTES]),
        trusted_proxies: Vec::new(),
        coordinators: Vec::new(),
        discovery: false,
        cluster_name: String::new(),
        listed: Vec::new(),
        found_only: false,
        found_with: None,
        found: false,
        evict_after: Duration::from_secs(10),
        disk_quota_bytes: u64::MAX,
        posts_per_minute: 0,
        region: 1,
        heartbeat: Duration::from_secs(1),
        miss: 2,
        clusters: None,
    };
    let node = NodeState {
        keys: Default::default(),
        advertised: AdvertisedAddress::new(&options, "192.0.2.1:1".parse().unwrap()),
        seeds: SeedAddresses::new(&options),
        options,
        pulse: MainThreadPulse::default(),
        machine: String::new(),
        host: String::new(),
        load: Default::default(),
        incarnation: 1,
        rules_level: 1,
        deaf_to: None,
        gate: ConnectionLimits::new(),
        passwords: PasswordHasher::start(passwords::CURRENT_COST, passwords::IDLE_MAX).unwrap(),
        limits: RateLimits::new(60),
        disk: DiskQuota::new(folder.to_path_buf(), quota_bytes, 0),
        failed,
        subscribers: Semaphore::new(SUBSCRIBERS_MAX),
        search: Default::default(),
        is_empty: Default::default(),
        pins: Arc::default(),
        membership: OnceLock::from(member),
    };
    Arc::new(NodeService { node: Arc::new(node) })
}

fn asked(service: &Arc<NodeService>, plane: Plane, ask: Ask, limit: Duration) -> Answer {
    smol::block_on(service.clone().answer(on(plane), ask, Instant::now() + limit))
}

#[test]
fn a_join_before_the_founder_is_recorded_is_not_refused_permanently() {
    let folder = tempfile::tempdir().unwrap();
    let service = backend(folder.path(), &[1]);
    let member = NewMember {
        role: Role::Backend,
        id: 2,
        address: "b:1".into(),
        machine: String::new(),
        rules_level: 1,
        key: Default::default(),
    };
    let ask = Ask::Join { cluster: ClusterId(1), id: RequestId(7), region: 1, member };
    let answer = asked(&service, Plane::Control, ask, Duration::from_secs(5));
    assert_eq!(answer, Answer::Unavailable(UnavailableReason::Behind));
}

#[test]
fn a_command_that_is_too_long_does_not_enter_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let service = backend(folder.path(), &[1]);
    let session = TokenHash([0; 32]);
    let long = Command::croak(session, "\r\n".repeat(90_000));
    let ask = Ask::Write(Request { id: RequestId(8), submitted_at: 0, origin: None, command: long });
    assert!(matches!(asked(&service, Plane::Client, ask, Duration::from_secs(5)), Answer::Refused(_)));
}

fn read(service: &Arc<NodeService>, seen: Token) -> Answer {
    let (consistency, query) = (Consistency::Session, Query::Settings);
    let ask = Ask::Read { seen: Some(seen), consistency, query };
    asked(service, Plane::Client, ask, Duration::from_secs(5))
}

#[test]
fn a_token_that_no_server_issued_is_distinguished_from_one_not_reached_yet() {
    let folder = tempfile::tempdir().unwrap();
    let ahead = Token { history: HistoryId(2), index: 1_000 };
    let service = backend(folder.path(), &[1]);
    let begin = Instant::now();
    assert_eq!(read(&service, ahead), Answer::Unavailable(UnavailableReason::OtherHistory));
    assert!(begin.elapsed() < READ_WAIT, "{:?}", begin.elapsed());
    // Without a majority they cannot be distinguished.
    let folder = tempfile::tempdir().unwrap();
    let service = backend(folder.path(), &[1, 2, 3]);
    assert_eq!(read(&service, ahead), Answer::Unavailable(UnavailableReason::Behind));
}

#[test]
fn a_front_page_is_unchanged_while_nothing_was_applied() {
    let folder = tempfile::tempdir().unwrap();
    let service = backend(folder.path(), &[1]);
    let front = |seen, unless| {
        let query = Query::Front { session: TokenHash([1; 32]), before: None, limit: 1, known: None, unless };
        let ask = Ask::Read { seen, consistency: Consistency::Session, query };
        asked(&service, Plane::Client, ask, Duration::from_secs(5))
    };
    let Answer::Read { token, page: Err(_), .. } = front(None, None) else { panic!("there is no session") };
    let answer = front(Some(token), Some(token.index));
    assert_eq!(answer, Answer::Read { token, old: false, page: Ok(Page::Unchanged) });
    // Of another index, or of a history that the asker has not named.
    assert!(matches!(front(Some(token), Some(token.index - 1)), Answer::Read { page: Err(_), .. }));
    assert!(matches!(front(None, Some(token.index)), Answer::Read { page: Err(_), .. }));
    let other = Token { history: HistoryId(99), ..token };
    let answer = front(Some(other), Some(token.index));
    assert_eq!(answer, Answer::Unavailable(UnavailableReason::OtherHistory));
}

fn log_in(service: &Arc<NodeService>) -> Answer {
    let (username, password) = ("ada".to_string(), Password("long enough".into()));
    let (id, token) = (RequestId(9), TokenHash([9; 32]));
    let ask = Ask::LogIn { id, submitted_at: 0, username, password, token, device: String::new(), app: None };
    asked(service, Plane::Client, ask, Duration::from_secs(5))
}

#[test]
fn a_log_in_is_refused_only_by_the_newest_state() {
    let folder = tempfile::tempdir().unwrap();
    let service = backend(folder.path(), &[1]);
    let refused = Denied::of(Code::NoSuchUser, Field::Username);
    assert_eq!(log_in(&service), Answer::Refused(refused));
    // The account may have been created beyond this node's applied index.
    let folder = tempfile::tempdir().unwrap();
    let service = backend(folder.path(), &[1, 2, 3]);
    assert_eq!(log_in(&service), Answer::Unavailable(UnavailableReason::NoLeader));
}

/// The request is handled on the thread of the sockets and of Raft, which a slow disk must not block.
#[test]
fn while_disks_are_full_a_write_does_not_block_the_io_thread_on_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let service = backend_with(folder.path(), &[1], 0);
    service.node.disk.look();
    let command = TreeCommand::MakeFolder { path: "/a".parse().unwrap(), parents: true }.into();
    let ask = Ask::Write(Request { id: RequestId(8), submitted_at: 0, origin: None, command });
    assert!(!ask.reads_store(), "it is answered on the I/O thread");
    let held = service.node.membership.get().unwrap().replica.reader().lock_dedup_window();
    let (gave_way, way) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            let deadline = Instant::now() + Duration::from_secs(30);
            let mut answer = pin!(service.clone().answer(on(Plane::Control), ask, deadline));
            let first = smol::block_on(smol::future::poll_once(answer.as_mut()));
            gave_way.send(first.is_none()).unwrap();
            smol::block_on(answer)
        });
        let waited = way.recv_timeout(Duration::from_secs(10));
        drop(held);
        assert_eq!(answering.join().unwrap(), Answer::Refused(Denied::new(Code::DisksFull)));
        assert_eq!(waited, Ok(true), "it blocked on the writer's lock");
    });
}

#[test]
fn a_password_check_that_would_be_too_late_is_abandoned() {
    let folder = tempfile::tempdir().unwrap();
    let service = backend(folder.path(), &[1]);
    let limit = Duration::from_millis(5);
    let waiting: Vec<_> = (0..40)
        .map(|number| {
            let password = Password("long enough".into());
            let token = TokenHash([number; 32]);
            let ask = Ask::LogIn {
                id: RequestId(number.into()),
                submitted_at: 0,
                username: "unknown".into(),
                password,
                token,
                device: String::new(),
                app: None,
            };
            tasks::spawn(service.clone().answer(on(Plane::Client), ask, Instant::now() + limit))
        })
        .collect();
    let begin = Instant::now();
    for answer in waiting {
        let answer = smol::block_on(answer);
        assert!(matches!(answer, Answer::Unavailable(_) | Answer::Refused(_)), "{answer:?}");
    }
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}
