//! A cluster member: the process behind the `backend` and `coordinator` subcommands.
//!
//! This file wires the store, the replica, the links to the other members and the listener together.
//!
//! ```text
//!   open store ─▶ listen (READY) ─▶ found or join a cluster ─▶ replica + links ─▶ serve until told to stop
//! ```
//!
//! READY means that the store is open and that the socket listens. It does not mean that there is a leader: a node that
//! still waits to join answers `NodeStatus`, and `Unavailable` to clients.
//!
//! Start, membership and shutdown:
//! - [`join`]: founding a cluster or joining one
//! - [`lost`]: store loss: a member whose store is damaged or outdated leaves and joins again as a new member
//! - [`twin`]: duplicate-id check: refuses to start a second server with the same role and number
//! - [`whereabouts`]: the address that this node advertises
//! - [`seeds`]: addresses at which this node looks for members
//! - [`supervised`]: readiness, status and watchdog messages to systemd
//!
//! Between members:
//! - [`roster`]: the member list
//! - [`peers`]: one ordered link to each other member
//! - [`snapshots`]: full state transfer over a link of its own
//! - [`coordination`]: heartbeats, leases and one master per region
//! - [`agreement`]: digest comparison: stops a member whose state differs from the majority's
//! - [`chores`]: background commands that the leader proposes
//!
//! Requests:
//! - [`service`]: entry point for all requests
//! - [`reading`]: consistency levels of queries
//! - [`credentials`]: requests that carry a password; [`passwords`]: the hashing threads
//! - [`tokens`]: session tokens as stored
//! - [`limits`]: rate limits per account and address
//! - [`subscriptions`]: live event streams
//! - [`pins`]: rows pinned at one index for a backup or a comparison
//! - [`pages`]: `/metrics` and `/health`
//!
//! Disk:
//! - [`disk`]: quota and free space
//! - [`scrub`]: slow background verification of everything stored

mod agreement;
mod chores;
mod coordination;
mod credentials;
pub mod disk;
#[cfg(test)]
mod every_ask;
mod join;
mod limits;
mod lost;
mod pages;
mod passwords;
mod peers;
mod pins;
mod reading;
mod roster;
mod scrub;
mod seeds;
mod service;
mod snapshots;
mod subscriptions;
mod supervised;
mod tokens;
mod twin;
mod whereabouts;

use crate::common::failure::{Exit, Failure};
use crate::common::network::Network;
use crate::common::options::NodeOptions;
use crate::common::panics;
use crate::common::systemd::{notify, sockets};
use agreement::Agreement;
use async_net::TcpListener;
use coordination::Coordination;
use disk::Disk;
use limits::Limits;
use passwords::Passwords;
use pins::Pins;
use ribbit_db::{self, DbError, FileDisk, Identity, Store};
use ribbit_net::limits::SUBSCRIBERS_MAX;
use ribbit_net::listener::{self, Gate};
use ribbit_net::peer::StoreNews;
use ribbit_net::protocol::{MemberInfo, StoreStatus};
use ribbit_net::tasks;
use ribbit_replica::limits::TICK_MS;
use ribbit_replica::{Core, CoreOptions, Failing, Replica, Writer};
use ribbit_state::limits::{ADDRESS_BYTES_MAX, RULES_LEVEL};
use ribbit_state::{HistoryId, RaftId};
use roster::Peers;
use seeds::Seeds;
use service::Service;
use smol::future::FutureExt;
use smol::lock::Semaphore;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use supervised::Pulse;
use whereabouts::Whereabouts;

/// Time that a starting process waits for the store's lock: on a restart the old process may still hold it.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// Time limit of the leadership transfer at shutdown.
const FAREWELL: Duration = Duration::from_millis(150);

/// Time limit of the last checkpoint at shutdown. Rows that it does not write are replayed from the log at the next start.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// State shared by all parts of a running node.
pub(crate) struct Node {
    pub options: NodeOptions,
    pub whereabouts: Whereabouts,
    pub seeds: Seeds,
    /// Liveness of the main thread, for the watchdog.
    pub pulse: Pulse,
    /// Boot id of the machine, equal for all processes on one machine.
    pub machine: String,
    /// Host name of the machine, for people.
    pub host: String,
    /// Random number of this run of the process, never 0.
    pub incarnation: u64,
    pub gate: Arc<Gate>,
    pub passwords: Passwords,
    pub limits: Limits,
    pub disk: Disk,
    /// Takes the reason why this process must end.
    pub failed: smol::channel::Sender<Failing>,
    /// Permits for open subscriptions, `SUBSCRIBERS_MAX` in all.
    pub subscribers: Semaphore,
    pub pins: Arc<Pins>,
    /// Test hook: the peer whose direct heartbeats this node ignores, see [`TEST_DEAF`].
    pub deaf_to: Option<RaftId>,
    /// Set once this node belongs to a cluster.
    pub member: OnceLock<Member>,
}

/// State of a node that belongs to a cluster.
pub(crate) struct Member {
    pub identity: Identity,
    pub replica: Replica,
    pub peers: Arc<Peers>,
    pub agreement: Agreement,
    /// End of the last complete scrub.
    pub scrubbed: Mutex<Option<Instant>>,
    pub disk: Arc<dyn ribbit_db::Disk>,
    pub coordination: Coordination,
}

impl Node {
    /// Returns true if many users share this address, so that per-address limits do not apply.
    pub fn is_crowded(&self, address: IpAddr) -> bool {
        Network::crowded(&self.options.trusted_proxies, address)
    }

    /// Returns the addresses at which members may be found.
    pub fn seed_addresses(&self) -> Vec<String> {
        self.seeds.addresses(&self.whereabouts.address())
    }

    /// Returns this node's own entry of the member list.
    pub fn info(&self) -> MemberInfo {
        let member = self.member.get();
        MemberInfo {
            raft_id: member.map_or(0, |it| it.identity.raft_id),
            role: self.options.role,
            id: self.options.id,
            address: self.whereabouts.address(),
            machine: self.machine.clone(),
            pid: std::process::id(),
            applied: member.map_or(0, |it| it.replica.reader().applied()),
            clients: self.gate.clients(),
            rules_level: RULES_LEVEL,
            site: self.options.site,
            host: self.host.clone(),
            in_sync: member.is_some_and(|it| it.replica.status().in_sync),
            load_hundredths: load_hundredths(),
            incarnation: self.incarnation,
        }
    }

    /// Returns the store news for the member `to`: this member's newest digests, and the digest at the index that `to` has
    /// applied. The latter is the only one that a member can compare when it no longer receives the log.
    pub fn store_news(&self, to: RaftId) -> StoreNews {
        let digests = self.member.get().map_or(Vec::new(), |member| {
            let reader = member.replica.reader();
            let applied = member.peers.info(to).map(|info| info.applied);
            let theirs = applied.and_then(|index| Some((index, reader.digest_at(index)?)));
            let mut digests = reader.digests_to_tell();
            digests.extend(theirs);
            digests
        });
        StoreNews { digests, full: self.disk.status().full }
    }

    /// Returns the disk usage and the age of the last complete scrub.
    pub fn store_status(&self) -> StoreStatus {
        let scrubbed = |it: &Member| *it.scrubbed.lock().expect("nobody panics while it holds this lock");
        let scrubbed_s = self.member.get().and_then(scrubbed).map(|at| at.elapsed().as_secs());
        StoreStatus { scrubbed_s, ..self.disk.status() }
    }

    /// Returns true while commands that grow the store are refused here.
    pub fn disks_are_full(&self) -> bool {
        let own = self.disk.status().full;
        let Some(member) = self.member.get() else { return false };
        member.replica.with_status(|status| {
            let is_full = |id: RaftId| if id == status.me { own } else { member.peers.is_full(id) };
            let voters = &status.configuration.voters;
            let full_voters = voters.iter().filter(|id| is_full(**id)).count();
            disk::refuses(own, status.leader.is_some_and(is_full), full_voters, voters.len())
        })
    }
}

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
    panics::on_damage(move |why| lost_store(&marking, why));
    if options.found_only {
        return found_only(&options).await;
    }
    let listener = match sockets::inherited()? {
        Some(listener) => listener,
        None => listen(&options.listen, &name).await?,
    };
    let bound = listener.local_addr().map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
    let whereabouts = Whereabouts::new(&options, bound);
    let trusted = options.trusted_proxies.clone();
    let gate = Gate::counting(move |address| Network::crowded(&trusted, address));
    let (failed, failure) = smol::channel::bounded(1);
    let node = Arc::new(Node {
        whereabouts,
        seeds: Seeds::new(&options),
        pulse: Pulse::default(),
        machine: machine_id(),
        // Truncated so that it fits the other members' bound in bytes, with four bytes per character at most.
        host: host_name().chars().take(ADDRESS_BYTES_MAX / 4).collect(),
        incarnation: random_u64().max(1),
        gate: gate.clone(),
        passwords: passwords::start()?,
        limits: Limits::new(options.posts_per_minute),
        failed: failed.clone(),
        subscribers: Semaphore::new(SUBSCRIBERS_MAX),
        pins: Pins::pausing(number_for_tests(TEST_PIN_STEP_MS)?.map(Duration::from_millis)),
        deaf_to: number_for_tests(TEST_DEAF)?,
        member: OnceLock::new(),
        disk: Disk::new(
            options.store_dir(),
            options.disk_quota_bytes,
            number_for_tests(TEST_DISK_RESERVE)?.unwrap_or(disk::RESERVE_BYTES),
        ),
        options,
    });
    let service = Arc::new(Service { node: node.clone() });
    let serving = tasks::spawn(listener::serve(listener, service, gate.clone(), node.options.keys.clone()));
    log::info!("listening on {bound}, store {}", node.options.store_dir().display());

    let living = async {
        let starting = notify::starting(&format!("{name} is opening its store"));
        let store = trusted_store(&node).await?;
        drop(starting);
        let _supervised = supervised::ready(&node).await?;
        node.whereabouts.settle(&node.options.coordinators).await;
        let chores = become_member(&node, store, failed).await?;
        smol::future::zip(chores, node.pulse.beat()).await;
        Ok(())
    };
    let failing = async {
        match failure.recv().await {
            Ok(Failing::Broken(why)) => Err(Failure::new(Exit::Refused, format!("{name}: {why}"))),
            Ok(Failing::Disk(why)) => Err(disk::failed(&node.options, &why)),
            Ok(Failing::Lost(why)) => Err(lost_store(&node.options, &why)),
            Ok(Failing::Differs(why)) => Err(agreement::halt(&node.options, &why)),
            Ok(Failing::TooNew(why)) => Err(too_new(&node.options, &why)),
            Ok(Failing::Removed(why)) => Err(removed(&node.options, &why)),
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
        whereabouts::watch(&node).await;
        Ok(())
    };
    let ended = living.as_mut().or(failing).or(stopping).or(looking).await;
    if ended.is_ok() {
        log::info!("stopping");
        coordination::leave(&node).await;
        say_farewell(&node).await;
    }
    gate.close();
    serving.cancel().await;
    if let Some(member) = node.member.get() {
        member.replica.stop();
        let late = async {
            smol::Timer::after(LAST_WRITES).await;
        };
        member.replica.ended().or(late).await;
    }
    ended
}

/// Founds a cluster in an unused store and returns without serving it (`--found-only`).
async fn found_only(options: &NodeOptions) -> Result<(), Failure> {
    let mut store = open_store(options).await?;
    let Some(identity) = store.identity() else { return join::found(options, &mut store).await };
    check_identity(identity, options)?;
    log::info!("nothing to found: {} already belongs to history {}", options.name(), identity.history);
    Ok(())
}

/// Transfers leadership before the process ends, so that the cluster needs no election.
async fn say_farewell(node: &Node) {
    let Some(member) = node.member.get() else { return };
    if !member.replica.status().leads {
        return;
    }
    member.replica.step_aside();
    let handed_over = async {
        while member.replica.status().leads {
            member.replica.progressed().await;
        }
    };
    let late = async {
        smol::Timer::after(FAREWELL).await;
    };
    handed_over.or(late).await;
}

/// Marks the store as lost, so that the next start joins as a new member. Returns the failure to end with.
fn lost_store(options: &NodeOptions, why: &str) -> Failure {
    let folder = options.store_dir();
    let text = match lost::mark(&folder, lost::LOST, why) {
        Ok(()) => format!(
            "{}: {why}. Start it again: it then leaves the cluster, moves {} aside and joins as a new member",
            options.name(),
            folder.display()
        ),
        Err(error) => {
            format!("{}: {why}. {} could not be marked as lost: {error}", options.name(), folder.display())
        }
    };
    Failure::new(Exit::Refused, text)
}

/// Returns the failure of a member that was removed from the cluster. It does not join again by itself, because an
/// operator removed it on purpose.
fn removed(options: &NodeOptions, why: &str) -> Failure {
    let text = format!(
        "{}: {why}. To join again as a new member, delete {} and start it",
        options.name(),
        options.store_dir().display()
    );
    Failure::new(Exit::Configuration, text)
}

/// Returns the failure for a store of a newer version. The store is intact, but this version must not run on it.
fn too_new(options: &NodeOptions, why: &str) -> Failure {
    let text =
        format!("{}: cannot use the store in {}: {why}", options.name(), options.store_dir().display());
    Failure::new(Exit::Configuration, text)
}

/// Opens the store. If it is marked as lost, first waits until the cluster has removed the old member, and moves the old
/// store aside.
async fn trusted_store(node: &Arc<Node>) -> Result<Store, Failure> {
    let options = &node.options;
    let folder = options.store_dir();
    if let Some(failure) = agreement::halted_before(options) {
        return Err(failure);
    }
    if let Some(why) = lost::marked(&folder, lost::LOST) {
        log::warn!("not using the store in {}: {why}", folder.display());
        lost::leave(node).await?;
        lost::set_aside(&folder)
            .map_err(|error| Failure::new(Exit::Refused, format!("{}: {error}", folder.display())))?;
        log::warn!("moved the old store aside in {}", folder.display());
    }
    let store = open_store(options).await?;
    node.disk.look();
    if let Some(identity) = store.identity() {
        check_identity(identity, options)?;
        twin::refuse_copy(node, &store).await?;
    }
    Ok(store)
}

async fn open_store(options: &NodeOptions) -> Result<Store, Failure> {
    let folder = options.store_dir();
    let started = Instant::now();
    loop {
        let level = number_for_tests(TEST_RULES_LEVEL)?.and_then(|level| u32::try_from(level).ok());
        let open = |disk| Store::open_at_level(disk, level.unwrap_or(RULES_LEVEL));
        match FileDisk::new(&folder).and_then(open) {
            Ok(mut store) => {
                if let Some(entries) = number_for_tests(TEST_LOG_KEEP)? {
                    store.set_log_keep_entries(entries);
                }
                return Ok(store);
            }
            // Retrying does not help: a sector that is unreadable at open stays unreadable.
            Err(error) if error.is_damage() || error.is_unreadable() => {
                return Err(lost_store(options, &error.to_string()));
            }
            Err(DbError::InUse(_)) if started.elapsed() < STORE_WAIT => {
                smol::Timer::after(Duration::from_millis(50)).await;
            }
            Err(error @ DbError::Format(_)) => return Err(disk::other_format(&folder, &error)),
            Err(error @ DbError::InUse(_)) => {
                let text = format!("{error}: is {} running already?", options.name());
                return Err(Failure::new(Exit::Configuration, text));
            }
            Err(error) => {
                return Err(match Failing::from(error) {
                    Failing::Disk(why) => disk::failed(options, &why),
                    Failing::TooNew(why) => too_new(options, &why),
                    other => Failure::new(Exit::Refused, format!("{}: {other:?}", folder.display())),
                });
            }
        }
    }
}

/// Test hook: number of log entries to keep, so small that a short absence requires a snapshot.
const TEST_LOG_KEEP: &str = "RIBBIT_TEST_LOG_KEEP";
/// Test hook: Raft id of the member whose direct heartbeats are ignored, as if its own link were cut.
const TEST_DEAF: &str = "RIBBIT_TEST_DEAF";
/// Test hook: pause between two scrub steps, in milliseconds.
const TEST_SCRUB_MS: &str = "RIBBIT_TEST_SCRUB_MS";
/// Test hook: pause before each step of reading a pin, in milliseconds.
const TEST_PIN_STEP_MS: &str = "RIBBIT_TEST_PIN_STEP_MS";
/// Test hook: highest rules level that a store may have, as if this version were an older one.
const TEST_RULES_LEVEL: &str = "RIBBIT_TEST_RULES_LEVEL";
/// Test hook: bytes that have to be free on the disk.
const TEST_DISK_RESERVE: &str = "RIBBIT_TEST_DISK_RESERVE";

/// Returns the value of a test hook's environment variable, or `None` if it is not set.
///
/// # Errors
/// `Configuration` when the value is not a number.
pub(crate) fn number_for_tests(name: &str) -> Result<Option<u64>, Failure> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(Failure::new(Exit::Configuration, format!("{name} is not a number"))),
    }
}

/// Checks that the store belongs to this cluster and to this server.
///
/// # Errors
/// `Configuration` when it does not.
fn check_identity(identity: &Identity, options: &NodeOptions) -> Result<(), Failure> {
    if identity.cluster != options.cluster {
        let text = format!(
            "the store in {} belongs to cluster {}, but the cluster file names {}",
            options.store_dir().display(),
            identity.cluster,
            options.cluster
        );
        return Err(Failure::new(Exit::Configuration, text));
    }
    if identity.who() != options.who() {
        let text = format!(
            "the store in {} belongs to {}, not to {}",
            options.store_dir().display(),
            identity.name(),
            options.name()
        );
        return Err(Failure::new(Exit::Configuration, text));
    }
    Ok(())
}

async fn listen(address: &str, name: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let text =
            format!("{name} cannot listen on {address}: {error}; choose another address with --listen");
        Failure::new(Exit::Refused, text)
    })
}

/// Returns the machine's boot id, which is the same for all processes on one machine.
fn machine_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or(String::new(), |id| id.trim().to_string())
}

/// Founds or joins a cluster if the store is empty, then starts the replica and the links. Returns the background work of
/// the member, a future that ends only with the process.
async fn become_member(
    node: &Arc<Node>,
    mut store: Store,
    failed: smol::channel::Sender<Failing>,
) -> Result<impl Future<Output = ()> + use<>, Failure> {
    let founding = join::belong(node, &mut store).await?;
    let broken = |error: DbError| Failure::new(Exit::Refused, error.to_string());
    let loaded = store.loaded().map_err(broken)?;
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
    let disk = store.disk();
    let writer = Writer::new(store);
    let members = writer.members().map_err(broken)?;
    let core = Core::new(options, reader, &loaded, members)
        .map_err(|error| Failure::new(Exit::Refused, format!("the log cannot be used: {error}")))?;
    let peers = Peers::new(&identity);
    let (transport, wanted) = peers::transport(&peers);
    let (replica, raft) = Replica::start(core, writer, transport, failed)
        .map_err(|error| Failure::new(Exit::Refused, format!("no thread for the store: {error}")))?;
    tasks::spawn(raft).detach();
    let (agreement, scrubbed) = (Agreement::default(), Mutex::default());
    let coordination = Coordination::default();
    let member = Member { identity, replica, peers, agreement, scrubbed, disk, coordination };
    assert!(node.member.set(member).is_ok(), "a node becomes a member once");
    let links = peers::run(node.clone(), wanted);
    let chores = chores::run(node.clone(), founding);
    let coordinating = coordination::run(node.clone());
    let comparing = agreement::watch(node.clone());
    let measuring = disk::watch(node.clone());
    let pause = number_for_tests(TEST_SCRUB_MS)?.map_or(scrub::PAUSE, Duration::from_millis);
    let scrubbing = scrub::run(node.clone(), pause);
    Ok(async move {
        let work =
            smol::future::zip(smol::future::zip(links, chores), smol::future::zip(measuring, coordinating));
        smol::future::zip(work, smol::future::zip(comparing, scrubbing)).await;
    })
}

/// Returns the machine's host name, or an empty string if it has none.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_string()
}

/// Returns the load average of the last minute, in hundredths.
fn load_hundredths() -> u32 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    // "0.52 0.58 …"
    let load = text.split(' ').next().unwrap_or_default();
    load.replace('.', "").parse().unwrap_or_default()
}

fn ticks_of(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / TICK_MS
}

pub(crate) fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}

pub(crate) fn random_history() -> HistoryId {
    let mut bytes = [0; 16];
    fill_random(&mut bytes);
    HistoryId(u128::from_le_bytes(bytes))
}

fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the kernel has random bytes");
}

/// Returns the name of a member for logs, or its Raft id if its name is not known.
pub(crate) fn describe(id: RaftId, info: Option<&MemberInfo>) -> String {
    info.map_or_else(|| format!("member {id}"), MemberInfo::name)
}
