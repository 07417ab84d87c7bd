//! The recipe of a node: opens the store, listens, becomes a member, serves until it is told to stop, and shuts down.

use super::advertised_address::{self, AdvertisedAddress};
use super::background_commands::Conditions;
use super::coordination::{self, CoordinationState};
use super::digest_comparison::{self, DigestComparison};
use super::disk_quota::{self, DiskQuota};
use super::key_rotation::KeyOverlap;
use super::key_rotation::KeyStore;
use super::links;
use super::member_list::MemberList;
use super::passwords;
use super::pins::Pins;
use super::rate_limits::RateLimits;
use super::seeds::{self, SeedAddresses};
use super::service::NodeService;
use super::supervisor_status::{self, MainThreadPulse};
use super::upgrade::{self, HEALTHY_FOR, Lasting, TEST_HEALTHY_FOR_MS};
use super::{Membership, NodeState, background_commands, join, key_rotation, open_store, scrub};
use crate::common::discovery;
use crate::common::disk_space::RESERVE_BYTES;
use crate::common::failure::{Exit, Failure};
use crate::common::key_following::{KEY_OVERLAP, TEST_KEY_OVERLAP_MS};
use crate::common::machine::{LoadAverage, boot_id, host_name};
use crate::common::network::Network;
use crate::common::random::random_u64;
use crate::common::systemd::{notify, sockets};
use crate::common::{panics, test_hooks};
use crate::node::arguments::NodeOptions;
use async_net::TcpListener;
use ribbit_db::{DbError, Store};
use ribbit_net::limits::SUBSCRIBERS_MAX;
use ribbit_net::listener::{self, ConnectionLimits};
use ribbit_net::mdns::SiteAddress;
use ribbit_net::tasks;
use ribbit_replica::limits::TICK_MS;
use ribbit_replica::{Core, CoreOptions, Replica, ReplicaFailure, Writer};
use ribbit_state::limits::ADDRESS_BYTES_MAX;
use smol::channel::Sender;
use smol::future::FutureExt;
use smol::lock::Semaphore;
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// Time limit of the leadership transfer at shutdown.
const TRANSFER_MAX: Duration = Duration::from_millis(150);

/// Time limit of the last checkpoint at shutdown. Rows that it does not write are replayed from the log at the next start.
const CHECKPOINT_MAX: Duration = Duration::from_secs(2);

/// Test hook: Raft id of a member. Its direct heartbeats are ignored, as if its link were cut.
const TEST_DEAF: &str = "DEAF";
/// Test hook: pause between two scrub steps, in milliseconds.
const TEST_SCRUB_MS: &str = "SCRUB_MS";
/// Test hook: pause before each step of reading a pin, in milliseconds.
const TEST_PIN_STEP_MS: &str = "PIN_STEP_MS";
/// Test hook: bytes that have to be free on the disk.
const TEST_DISK_RESERVE: &str = "DISK_RESERVE";

/// Runs a backend or a coordinator until `stop`.
///
/// # Errors
/// - `Refused` when the address is taken, the store is damaged or marked as lost, or a thread cannot be started
/// - `Configuration` when the store belongs to another server or a newer version, the cluster refuses or has removed this
///   member, its number is in use, or its state differs from the majority's
/// - `Disk` when the disk is full or fails
pub async fn run(options: NodeOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let name = options.name();
    let marking = options.clone();
    panics::on_damage(move |why| open_store::lost_store(&marking, why));
    if options.found_only {
        return found_only(&options).await;
    }
    let listener = match sockets::inherited()? {
        Some(listener) => listener,
        None => listen(&options.listen, &name).await?,
    };
    let bound = listener.local_addr().map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
    let (failed, failure) = smol::channel::bounded(1);
    let node = Arc::new(new_node(options, bound, failed)?);
    let gate = node.gate.clone();
    let service = Arc::new(NodeService { node: node.clone() });
    let serving = tasks::spawn(listener::serve(listener, service, gate.clone(), node.options.keys.clone()));
    log::info!("listening on {bound}, store {}", node.options.store_dir().display());

    let living = async {
        let starting = notify::starting(&format!("{name} is opening its store"));
        let store = open_store::open_trusted(&node).await?;
        drop(starting);
        let _supervised = supervisor_status::ready(&node).await?;
        if node.seed_addresses().is_empty() {
            seeds::look_around(&node).await;
        }
        node.advertised.first_lookup(&node.addresses_to_reach()).await;
        let work = become_member(&node, store).await?;
        smol::future::zip(work, node.pulse.beat()).await;
        Ok(())
    };
    let failing = async {
        match failure.recv().await {
            Ok(failing) => Err(open_store::failure_of(&node.options, failing)),
            Err(_) => std::future::pending().await,
        }
    };
    let stopping = async {
        stop.await;
        Ok(())
    };
    // Not dropped before the shutdown below: this future owns the links, over which leadership is transferred.
    let mut living = std::pin::pin!(living);
    let looking = async {
        advertised_address::watch(&node).await;
        Ok(())
    };
    let (name, options) = ((node.options.role.name(), node.options.name()), &node.options);
    let announcing =
        discovery::announce(options.discovery, Ok(bound), name, Some(options.cluster), SiteAddress::None);
    let ended = living.as_mut().or(failing).or(stopping).or(looking).or(announcing).await;
    if ended.is_ok() {
        log::info!("stopping");
        coordination::leave(&node).await;
        transfer_leadership(&node).await;
    }
    gate.close();
    serving.cancel().await;
    checkpoint(&node).await;
    // The disk may fail after the stop began, too.
    let ended = match failure.try_recv() {
        Ok(failing @ (ReplicaFailure::Disk(_) | ReplicaFailure::Lost(_))) if ended.is_ok() => {
            Err(open_store::failure_of(&node.options, failing))
        }
        _ => ended,
    };
    // Closing the store with its last reader would write to it again, and the process ends before that is done.
    let _open = ManuallyDrop::new(node.clone());
    ended
}

/// Returns the state of a node that belongs to no cluster yet. `bound`: the address of its socket.
///
/// # Errors
/// `Refused` when the hashing threads cannot be started, `Configuration` when a test hook's value is not a number.
fn new_node(
    options: NodeOptions,
    bound: SocketAddr,
    failed: Sender<ReplicaFailure>,
) -> Result<NodeState, Failure> {
    let trusted = options.trusted_proxies.clone();
    Ok(NodeState {
        advertised: AdvertisedAddress::new(&options, bound),
        seeds: SeedAddresses::new(&options),
        pulse: MainThreadPulse::default(),
        machine: boot_id(),
        // Truncated so that it fits the other members' bound in bytes, with four bytes per character at most.
        host: host_name().chars().take(ADDRESS_BYTES_MAX / 4).collect(),
        load: LoadAverage::default(),
        incarnation: random_u64().max(1),
        rules_level: upgrade::understood()?,
        gate: ConnectionLimits::with_address_limit(move |address| Network::crowded(&trusted, address)),
        passwords: passwords::start()?,
        keys: KeyStore::default(),
        limits: RateLimits::new(options.posts_per_minute),
        failed,
        subscribers: Semaphore::new(SUBSCRIBERS_MAX),
        search: Default::default(),
        is_empty: Default::default(),
        pins: Pins::pausing(test_hooks::number(TEST_PIN_STEP_MS)?.map(Duration::from_millis)),
        deaf_to: test_hooks::number(TEST_DEAF)?,
        membership: OnceLock::new(),
        disk: DiskQuota::new(
            options.store_dir(),
            options.disk_quota_bytes,
            test_hooks::number(TEST_DISK_RESERVE)?.unwrap_or(RESERVE_BYTES),
        ),
        options,
    })
}

/// Founds a cluster in an unused store and returns without serving it (`--found-only`).
async fn found_only(options: &NodeOptions) -> Result<(), Failure> {
    let mut store = open_store::open(options).await?;
    let Some(identity) = store.identity() else { return join::found(options, &mut store).await };
    open_store::check_identity(identity, options)?;
    log::info!("nothing to found: {} already belongs to history {}", options.name(), identity.history);
    Ok(())
}

/// Transfers leadership before the process ends, so that the cluster needs no election.
async fn transfer_leadership(node: &NodeState) {
    let Some(member) = node.membership.get() else { return };
    if !member.replica.status().leads {
        return;
    }
    member.replica.hand_over();
    let handed_over = async {
        while member.replica.status().leads {
            member.replica.progressed().await;
        }
    };
    let late = async {
        smol::Timer::after(TRANSFER_MAX).await;
    };
    handed_over.or(late).await;
}

/// Makes the applied rows durable and stops the replica.
async fn checkpoint(node: &NodeState) {
    let Some(member) = node.membership.get() else { return };
    member.replica.stop();
    let late = async {
        smol::Timer::after(CHECKPOINT_MAX).await;
    };
    member.replica.ended().or(late).await;
}

/// Binds the listening socket.
///
/// # Errors
/// `Refused` when the address cannot be bound.
async fn listen(address: &str, name: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let text =
            format!("{name} cannot listen on {address}: {error}. Choose another address with --listen");
        Failure::new(Exit::Refused, text)
    })
}

/// Founds or joins a cluster if the store is empty, then starts the replica and the links. Returns the background work of
/// the member, a future that ends only with the process.
async fn become_member(
    node: &Arc<NodeState>,
    mut store: Store,
) -> Result<impl Future<Output = ()> + use<>, Failure> {
    let founding = join::belong(node, &mut store).await?;
    let unusable = |error: DbError| open_store::unusable(&node.options, error);
    let loaded = store.loaded().map_err(unusable)?;
    let Some(identity) = loaded.identity.clone() else {
        return Err(Failure::new(Exit::Refused, "the store has no identity after joining".to_string()));
    };
    log::info!(
        "{} is member {} of history {}, applied {}, log up to {}",
        node.options.name(),
        identity.raft_id,
        identity.history,
        loaded.applied.index,
        loaded.last.index
    );
    let alone = loaded.configuration.voters == [identity.raft_id];
    let options = CoreOptions {
        me: identity.raft_id,
        role: identity.role,
        seed: random_u64(),
        campaign: alone,
        evict_ticks: ticks_of(node.options.evict_after),
    };
    let reader = store.reader();
    key_rotation::check(&node.options, &reader)?;
    let disk = store.disk();
    let writer = Writer::new(store);
    let members = writer.members().map_err(unusable)?;
    let core = Core::new(options, reader, &loaded, members)
        .map_err(|error| Failure::new(Exit::Refused, format!("cannot use the log: {error}")))?;
    let member_list = MemberList::new(&identity);
    let (transport, wanted) = links::transport(&member_list);
    let (replica, raft) = Replica::start(core, writer, transport, node.failed.clone()).map_err(|error| {
        Failure::new(Exit::Refused, format!("cannot start a thread for the store: {error}"))
    })?;
    tasks::spawn(raft).detach();
    let (digest_comparison, scrubbed) = (DigestComparison::default(), Mutex::default());
    let coordination = CoordinationState::default();
    let member =
        Membership { identity, replica, member_list, digest_comparison, scrubbed, disk, coordination };
    assert!(node.membership.set(member).is_ok(), "a node becomes a member once");
    let overlap = test_hooks::number(TEST_KEY_OVERLAP_MS)?.map_or(KEY_OVERLAP, Duration::from_millis);
    let links = links::run(node.clone(), wanted);
    let healthy = test_hooks::number(TEST_HEALTHY_FOR_MS)?.map_or(HEALTHY_FOR, Duration::from_millis);
    let conditions = Conditions { key: KeyOverlap::new(overlap), upgrade: Lasting::new(healthy) };
    let commands = background_commands::run(node.clone(), founding, conditions);
    let coordinating = coordination::run(node.clone());
    let comparing = digest_comparison::watch(node.clone());
    let measuring = disk_quota::watch(node.clone());
    let pause = test_hooks::number(TEST_SCRUB_MS)?.map_or(scrub::PAUSE, Duration::from_millis);
    let scrubbing = scrub::run(node.clone(), pause);
    let rotating = key_rotation::run(node.clone());
    Ok(async move {
        let work =
            smol::future::zip(smol::future::zip(links, commands), smol::future::zip(measuring, coordinating));
        let slow = smol::future::zip(comparing, smol::future::zip(scrubbing, rotating));
        smol::future::zip(work, slow).await;
    })
}

/// Returns a duration in ticks of the Raft engine.
fn ticks_of(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / TICK_MS
}
