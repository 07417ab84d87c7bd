//! A member: backend or coordinator. The recipe that wires store, replica, links and listener.
//!
//! ```text
//!   open store ─▶ listen (READY) ─▶ found or join ─▶ replica + links ─▶ serve until told to stop
//! ```
//!
//! READY means that the store is open and the socket listens, never that there is a leader: a member that waits
//! for its group answers `NodeStatus`, and `Unavailable` to people.
//!
//! - [`join`]: becoming a member: founding, joining
//! - [`lost`]: a store that cannot be trusted any more
//! - [`agreement`]: whether the members have the same state
//! - [`coordination`]: who is there: beats, leases, masters
//! - [`scrub`]: everything that is stored, read again slowly
//! - [`disk`]: how much of its disk a store may take
//! - [`twin`]: two servers of one name
//! - [`whereabouts`]: where others reach this one; [`seeds`]: where it looks for others
//! - [`peers`]: ordered links to the other members; [`roster`]: what is known of them
//! - [`pins`]: the rows at one index, kept for a backup or a comparison
//! - [`snapshots`]: the whole state on a link of its own
//! - [`service`]: what is answered; [`credentials`]: what needs a password
//! - [`subscriptions`]: what is applied, told to who follows it
//! - [`tokens`]: sessions as they are stored
//! - [`pages`]: `/metrics` and `/health`
//! - [`limits`]: how much one account may do here
//! - [`supervised`]: what its supervisor is told
//! - [`passwords`]: hashing, off the executor's threads
//! - [`chores`]: bounded work that the leader proposes when nobody asks

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

use super::failure::{Exit, Failure};
use super::network::Network;
use super::options::NodeOptions;
use super::panics;
use super::systemd::{notify, sockets};
use crate::db::{self, DbError, FileDisk, Identity, Store};
use crate::net::limits::SUBSCRIBERS_MAX;
use crate::net::listener::{self, Gate};
use crate::net::peer::StoreNews;
use crate::net::protocol::{MemberInfo, StoreStatus};
use crate::net::tasks;
use crate::replica::limits::TICK_MS;
use crate::replica::{Core, CoreOptions, Failing, Replica, Writer};
use crate::state::limits::{ADDRESS_BYTES_MAX, RULES_LEVEL};
use crate::state::{HistoryId, RaftId};
use agreement::Agreement;
use async_net::TcpListener;
use coordination::Coordination;
use disk::Disk;
use limits::Limits;
use passwords::Passwords;
use pins::Pins;
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

/// A store that another process is about to let go of is waited for this long: a restart overlaps a little.
const STORE_WAIT: Duration = Duration::from_secs(2);
/// After handing leadership over, the last answers get this long to leave.
const FAREWELL: Duration = Duration::from_millis(150);

/// What is applied and not durable yet gets this long to become so; else the log has it.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// What all parts of a running member share.
pub(super) struct Node {
    pub options: NodeOptions,
    pub whereabouts: Whereabouts,
    pub seeds: Seeds,
    /// Whether the main thread turns.
    pub pulse: Pulse,
    pub machine: String,
    /// The machine's name, for people.
    pub host: String,
    /// This life of the process, by chance and never 0.
    pub incarnation: u64,
    pub gate: Arc<Gate>,
    pub passwords: Passwords,
    pub limits: Limits,
    pub disk: Disk,
    /// Says why this process cannot go on.
    pub failed: smol::channel::Sender<Failing>,
    /// Places for those who follow what is applied here.
    pub subscribers: Semaphore,
    pub pins: Arc<Pins>,
    /// Whose own word is not heard; for tests, see [`TEST_DEAF`].
    pub deaf_to: Option<RaftId>,
    /// Once this node belongs to a group.
    pub member: OnceLock<Member>,
}

/// What exists once a node belongs to a group.
pub(super) struct Member {
    pub identity: Identity,
    pub replica: Replica,
    pub peers: Arc<Peers>,
    pub agreement: Agreement,
    /// When everything was last read and checked.
    pub scrubbed: Mutex<Option<Instant>>,
    pub disk: Arc<dyn db::Disk>,
    pub coordination: Coordination,
}

impl Node {
    /// Whether many are behind this address: it is not limited as one person's.
    pub fn is_crowded(&self, address: IpAddr) -> bool {
        Network::crowded(&self.options.trusted_proxies, address)
    }

    /// Returns the addresses at which members may be found.
    pub fn seed_addresses(&self) -> Vec<String> {
        self.seeds.addresses(&self.whereabouts.address())
    }

    /// What this node says of itself.
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

    /// Returns what the member `to` should know of this member's store: its newest digests, and the one at the index that
    /// `to` has applied. A member that no longer follows can compare that one alone.
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

    pub fn store_status(&self) -> StoreStatus {
        let scrubbed = |it: &Member| *it.scrubbed.lock().expect("nobody panics while it holds this lock");
        let scrubbed_s = self.member.get().and_then(scrubbed).map(|at| at.elapsed().as_secs());
        StoreStatus { scrubbed_s, ..self.disk.status() }
    }

    /// Returns whether commands that grow the store are refused here now.
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
/// The address is taken, the store cannot be used, the group refuses this member, or the disk fails.
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
        // So short that others have room for it, whatever its letters.
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
        let starting = notify::starting(&format!("{name} opens its store"));
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
    // It owns the links: without them nobody would hear the farewell.
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

/// Founds a group in a store that belongs to none, and leaves it to whoever runs it.
async fn found_only(options: &NodeOptions) -> Result<(), Failure> {
    let mut store = open_store(options).await?;
    let Some(identity) = store.identity() else { return join::found(options, &mut store).await };
    check_identity(identity, options)?;
    log::info!("nothing to found: {} belongs to history {} already", options.name(), identity.history);
    Ok(())
}

/// Leadership goes to somebody else before this process does.
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

/// Marks the store, so that the next start comes back as another member.
fn lost_store(options: &NodeOptions, why: &str) -> Failure {
    let folder = options.store_dir();
    let text = match lost::mark(&folder, lost::LOST, why) {
        Ok(()) => format!(
            "{}: {why}. Started again, it asks the group to let it go, sets {} aside and joins anew",
            options.name(),
            folder.display()
        ),
        Err(error) => {
            format!("{}: {why}; and {} cannot be written: {error}", options.name(), folder.display())
        }
    };
    Failure::new(Exit::Refused, text)
}

/// A member that people removed does not come back by itself: somebody wanted it gone.
fn removed(options: &NodeOptions, why: &str) -> Failure {
    let text = format!(
        "{}: {why}. To let it join again as a new member, delete {} and start it",
        options.name(),
        options.store_dir().display()
    );
    Failure::new(Exit::Configuration, text)
}

/// A store of a newer version: it is whole, and this version must not run on it.
fn too_new(options: &NodeOptions, why: &str) -> Failure {
    let text =
        format!("{}: the store in {} cannot be used: {why}", options.name(), options.store_dir().display());
    Failure::new(Exit::Configuration, text)
}

/// A store that may be used: the one in the folder, or a new one once the group has let go of a lost one.
async fn trusted_store(node: &Arc<Node>) -> Result<Store, Failure> {
    let options = &node.options;
    let folder = options.store_dir();
    if let Some(failure) = agreement::halted_before(options) {
        return Err(failure);
    }
    if let Some(why) = lost::marked(&folder, lost::LOST) {
        log::warn!("the store in {} is not used: {why}", folder.display());
        lost::leave(node).await?;
        lost::set_aside(&folder)
            .map_err(|error| Failure::new(Exit::Refused, format!("{}: {error}", folder.display())))?;
        log::warn!("the old store is set aside in {}", folder.display());
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
            // A sector that cannot be read when the store is opened cannot be read the next time either.
            Err(error) if error.is_damage() || error.is_unreadable() => {
                return Err(lost_store(options, &error.to_string()));
            }
            Err(DbError::InUse(_)) if started.elapsed() < STORE_WAIT => {
                smol::Timer::after(Duration::from_millis(50)).await;
            }
            Err(error @ DbError::Format(_)) => {
                let text = format!(
                    "the store in {} cannot be used: {error}; nothing in it was changed. The version that wrote it can \
                     still start on it: export or back up what it holds there",
                    folder.display()
                );
                return Err(Failure::new(Exit::Configuration, text));
            }
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

/// For tests: keeps so few log entries that a short absence is too long for the log, and needs a snapshot.
const TEST_LOG_KEEP: &str = "RIBBIT_TEST_LOG_KEEP";
/// For tests: the member with this Raft id is heard only by way of coordinators, as if its own link were cut.
const TEST_DEAF: &str = "RIBBIT_TEST_DEAF";
/// For tests: how long the scrub pauses, in milliseconds.
const TEST_SCRUB_MS: &str = "RIBBIT_TEST_SCRUB_MS";
/// For tests: how long each step of reading what is pinned pauses, in milliseconds.
const TEST_PIN_STEP_MS: &str = "RIBBIT_TEST_PIN_STEP_MS";
/// For tests: the highest rules level that a store may have, as if this version were an older one.
const TEST_RULES_LEVEL: &str = "RIBBIT_TEST_RULES_LEVEL";
/// For tests: bytes that have to be free on the disk.
const TEST_DISK_RESERVE: &str = "RIBBIT_TEST_DISK_RESERVE";

pub(super) fn number_for_tests(name: &str) -> Result<Option<u64>, Failure> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(Failure::new(Exit::Configuration, format!("{name} is not a number"))),
    }
}

fn check_identity(identity: &Identity, options: &NodeOptions) -> Result<(), Failure> {
    if identity.cluster != options.cluster {
        let text = format!(
            "the store in {} belongs to cluster {}, the cluster file says {}",
            options.store_dir().display(),
            identity.cluster,
            options.cluster
        );
        return Err(Failure::new(Exit::Configuration, text));
    }
    if identity.who() != options.who() {
        let text = format!(
            "the store in {} is {}'s, not {}'s",
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

/// The machine's boot id: the same for all processes of one machine.
fn machine_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or(String::new(), |id| id.trim().to_string())
}

/// Founds or joins if the store is empty, then starts replica and links. Answers the work that goes on.
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

/// The machine's name; empty if it has none.
pub(super) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_string()
}

/// How many processes want to run, over the last minute, in hundredths.
fn load_hundredths() -> u32 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    // "0.52 0.58 …"
    let load = text.split(' ').next().unwrap_or_default();
    load.replace('.', "").parse().unwrap_or_default()
}

fn ticks_of(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / TICK_MS
}

pub(super) fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}

pub(super) fn random_history() -> HistoryId {
    let mut bytes = [0; 16];
    fill_random(&mut bytes);
    HistoryId(u128::from_le_bytes(bytes))
}

fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the kernel has random bytes");
}

/// The Raft id of whoever is known under this address and name; for logs.
pub(super) fn describe(id: RaftId, info: Option<&MemberInfo>) -> String {
    info.map_or_else(|| format!("member {id}"), MemberInfo::name)
}
