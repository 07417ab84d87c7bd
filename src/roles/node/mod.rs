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
//! - [`peers`]: ordered links to the other members, and what is known of them
//! - [`snapshots`]: the whole state on a link of its own
//! - [`service`]: what is answered
//! - [`passwords`]: hashing, off the executor's threads
//! - [`chores`]: bounded work that the leader proposes when nobody asks

mod chores;
mod join;
mod passwords;
mod peers;
mod service;
mod snapshots;

use super::failure::{Exit, Failure};
use super::options::NodeOptions;
use crate::db::{DbError, FileDisk, Identity, Store};
use crate::net::listener::{self, Gate};
use crate::net::protocol::MemberInfo;
use crate::net::tasks;
use crate::replica::{Core, CoreOptions, Replica, Writer};
use crate::state::RaftId;
use async_net::TcpListener;
use passwords::Passwords;
use peers::Peers;
use service::Service;
use smol::future::FutureExt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A store that another process is about to let go of is waited for this long: a restart overlaps a little.
const STORE_WAIT: Duration = Duration::from_secs(2);
/// After handing leadership over, the last answers get this long to leave.
const FAREWELL: Duration = Duration::from_millis(150);

/// What all parts of a running member share.
pub(super) struct Node {
    pub options: NodeOptions,
    /// HOST:PORT that others are told.
    pub address: String,
    pub machine: String,
    pub gate: Arc<Gate>,
    pub passwords: Passwords,
    /// Once this node belongs to a group.
    pub member: OnceLock<Member>,
}

/// What exists once a node belongs to a group.
pub(super) struct Member {
    pub identity: Identity,
    pub replica: Replica,
    pub peers: Arc<Peers>,
    pub disk: Arc<dyn crate::db::Disk>,
}

impl Node {
    /// What this node says of itself.
    pub fn info(&self) -> MemberInfo {
        let member = self.member.get();
        MemberInfo {
            raft_id: member.map_or(0, |it| it.identity.raft_id),
            role: self.options.role,
            id: self.options.id,
            address: self.address.clone(),
            machine: self.machine.clone(),
            pid: std::process::id(),
            applied: member.map_or(0, |it| it.replica.reader().applied()),
            clients: self.gate.clients(),
        }
    }
}

/// Runs a backend or a coordinator until `stop`.
///
/// # Errors
/// The address is taken, the store cannot be used, the group refuses this member, or the disk fails.
pub async fn run(options: NodeOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let name = options.name();
    let store = open_store(&options).await?;
    if let Some(identity) = store.identity() {
        check_identity(identity, &options)?;
    }
    let listener = listen(&options.listen, &name).await?;
    let bound = listener.local_addr().map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
    let address = advertised(&options, bound);
    let gate = Gate::new();
    let node = Arc::new(Node {
        address,
        machine: machine_id(),
        gate: gate.clone(),
        passwords: Passwords::start()
            .map_err(|error| Failure::new(Exit::Refused, format!("no thread for passwords: {error}")))?,
        member: OnceLock::new(),
        options,
    });
    let (failed, failure) = smol::channel::bounded(1);
    let service = Arc::new(Service { node: node.clone() });
    let serving = tasks::spawn(listener::serve(listener, service, gate.clone()));
    log::info!("listening on {bound}, store {}", node.options.store_dir().display());

    let living = async {
        let chores = become_member(&node, store, failed).await?;
        chores.await;
        Ok(())
    };
    let failing = async {
        match failure.recv().await {
            Ok(why) => Err(Failure::new(Exit::Refused, format!("{name}: {why}"))),
            Err(_) => std::future::pending().await,
        }
    };
    let stopping = async {
        stop.await;
        Ok(())
    };
    let ended = living.or(failing).or(stopping).await;
    if ended.is_ok() {
        log::info!("stopping");
        say_farewell(&node).await;
    }
    gate.close();
    serving.cancel().await;
    if let Some(member) = node.member.get() {
        member.replica.stop();
    }
    ended
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

async fn open_store(options: &NodeOptions) -> Result<Store, Failure> {
    let folder = options.store_dir();
    let started = std::time::Instant::now();
    loop {
        match FileDisk::new(&folder).and_then(Store::open) {
            Ok(store) => return Ok(store),
            Err(DbError::InUse(_)) if started.elapsed() < STORE_WAIT => {
                smol::Timer::after(Duration::from_millis(50)).await;
            }
            Err(error @ DbError::InUse(_)) => {
                let text = format!("{error}: is {} running already?", options.name());
                return Err(Failure::new(Exit::Configuration, text));
            }
            Err(error) => {
                return Err(Failure::new(Exit::Refused, format!("{}: {error}", folder.display())));
            }
        }
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
    if (identity.role, identity.id) != (options.role, options.id) {
        let text = format!(
            "the store in {} is {}'s, not {}'s",
            options.store_dir().display(),
            crate::state::rows::member_name(identity.role, identity.id),
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

/// What others are told: what was given, else the bound address; where that says "all of this machine's", the
/// address from which this machine reaches the others.
fn advertised(options: &NodeOptions, bound: std::net::SocketAddr) -> String {
    if let Some(given) = &options.advertise {
        return given.clone();
    }
    if !bound.ip().is_unspecified() {
        return bound.to_string();
    }
    let towards = |address: &String| {
        // Sends nothing: it only asks the kernel which way it would go.
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.connect(address).ok()?;
        socket.local_addr().ok()
    };
    let ip = options
        .coordinators
        .iter()
        .find_map(towards)
        .map_or("127.0.0.1".into(), |found| found.ip().to_string());
    format!("{ip}:{}", bound.port())
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
    failed: smol::channel::Sender<String>,
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
    let options =
        CoreOptions { me: identity.raft_id, role: identity.role, seed: random_u64(), campaign: alone };
    let reader = store.reader();
    let disk = store.disk();
    let writer = Writer::new(store);
    let members = writer.members().map_err(broken)?;
    let core = Core::new(options, reader, &loaded, members)
        .map_err(|error| Failure::new(Exit::Refused, format!("the log cannot be used: {error}")))?;
    let (transport, outgoing) = peers::transport();
    let replica = Replica::start(core, writer, transport, failed)
        .map_err(|error| Failure::new(Exit::Refused, format!("no thread for the replica: {error}")))?;
    let peers = Peers::new(&identity);
    let member = Member { identity, replica, peers, disk };
    assert!(node.member.set(member).is_ok(), "a node becomes a member once");
    let links = peers::run(node.clone(), outgoing);
    let chores = chores::run(node.clone(), founding);
    Ok(async move {
        smol::future::zip(links, chores).await;
    })
}

pub(super) fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}

pub(super) fn random_u128() -> u128 {
    let mut bytes = [0; 16];
    fill_random(&mut bytes);
    u128::from_le_bytes(bytes)
}

fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the kernel has random bytes");
}

/// The Raft id of whoever is known under this address and name; for logs.
pub(super) fn describe(id: RaftId, info: Option<&MemberInfo>) -> String {
    info.map_or_else(|| format!("member {id}"), MemberInfo::name)
}
