//! A cluster member: the process behind the `backend` and `coordinator` subcommands.
//!
//! This file defines the state that all parts of a node share.
//!
//! ```text
//!   listen ─▶ open the store (READY) ─▶ found or join a cluster ─▶ replica + links ─▶ serve until told to stop
//! ```
//!
//! READY, the readiness message to systemd, means that the socket listens and that the store is open. It does not mean that
//! there is a leader: a node that still waits to join answers `NodeStatus`, and `Unavailable` to clients.
//!
//! Start, membership and shutdown:
//! - [`run`]: wires the store, the replica, the links to the other members and the listener together
//! - [`open_store`]: opens and checks the store
//! - [`join`]: founding a cluster or joining one
//! - [`store_loss`]: a member with a damaged or outdated store leaves and joins again as a new member
//! - [`duplicate_id_check`]: refuses to start a second server with the same role and number
//! - [`advertised_address`]: the address that this node advertises
//! - [`seeds`]: addresses at which this node looks for members
//! - [`supervisor_status`]: readiness, status and watchdog messages to systemd
//!
//! Between members:
//! - [`member_list`]: the member list
//! - [`links`]: one ordered link to each other member; [`hello`]: the handshake of members
//! - [`process_ends`]: notices that the process of another member has ended
//! - [`key_rotation`]: takes over new keys of the cluster
//! - [`snapshots`]: full state transfer over a link of its own
//! - [`coordination`]: heartbeats, leases and one master per region
//! - [`digest_comparison`]: stops a member when its state differs from the majority's
//! - [`background_commands`]: background commands that the leader proposes
//!
//! Requests:
//! - [`service`]: entry point for all requests; [`request`]: context of one request
//! - [`join_codes`]: answers new servers that ask for the cluster file
//! - [`consistency`]: consistency levels of queries
//! - [`credentials`]: requests that carry a password; [`passwords`]: the hashing threads
//! - [`session_tokens`]: session tokens as stored
//! - [`rate_limits`]: rate limits per account and address
//! - [`subscriptions`]: live event streams
//! - [`pins`]: rows pinned at one index for a backup or a comparison
//! - [`monitoring`]: `/metrics` and `/health`
//!
//! Disk:
//! - [`disk_quota`]: quota and free space
//! - [`scrub`]: slow background verification of everything stored

mod advertised_address;
pub(crate) mod arguments;
mod background_commands;
mod consistency;
mod coordination;
mod credentials;
mod digest_comparison;
mod disk_quota;
mod duplicate_id_check;
#[cfg(test)]
mod every_request;
mod hello;
mod join;
mod join_codes;
mod key_rotation;
mod links;
mod low_priority;
mod member_list;
mod monitoring;
mod open_store;
mod passwords;
mod pins;
mod process_ends;
mod rate_limits;
mod request;
mod run;
mod scrub;
mod search_coverage;
mod seeds;
mod service;
mod session_tokens;
mod snapshots;
mod store_loss;
mod subscriptions;
mod supervisor_status;
mod upgrade;

use crate::common::machine::LoadAverage;
use crate::common::network::Network;
use crate::node::arguments::NodeOptions;
use advertised_address::AdvertisedAddress;
use coordination::CoordinationState;
use digest_comparison::DigestComparison;
use disk_quota::DiskQuota;
use member_list::MemberList;
use passwords::PasswordHasher;
use pins::Pins;
use rate_limits::RateLimits;
use ribbit_db::Identity;
use ribbit_net::listener::ConnectionLimits;
use ribbit_net::peer::StoreReport;
use ribbit_net::protocol::{MemberInfo, StoreStatus};
use ribbit_replica::{Replica, ReplicaFailure};
use ribbit_state::RaftId;
use ribbit_state::sync::MutexExt;
use seeds::SeedAddresses;
use smol::lock::Semaphore;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;
use supervisor_status::MainThreadPulse;

pub use coordination::{confirmation, judge, renewals};
pub use run::run;

/// State shared by all parts of a running node.
struct NodeState {
    pub(crate) options: NodeOptions,
    pub(crate) advertised: AdvertisedAddress,
    pub(crate) seeds: SeedAddresses,
    /// Liveness of the main thread, for the watchdog.
    pub(crate) pulse: MainThreadPulse,
    /// Boot id of the machine, equal for all processes on one machine.
    pub(crate) machine: String,
    /// Host name of the machine, for people.
    pub(crate) host: String,
    pub(crate) load: LoadAverage,
    /// Random number of this run of the process, never 0.
    pub(crate) incarnation: u64,
    /// Highest rules level that this process understands.
    pub(crate) rules_level: u32,
    pub(crate) gate: Arc<ConnectionLimits>,
    pub(crate) passwords: PasswordHasher,
    pub(crate) keys: key_rotation::KeyStore,
    pub(crate) limits: RateLimits,
    pub(crate) disk: DiskQuota,
    /// Takes the reason why this process must end.
    pub(crate) failed: smol::channel::Sender<ReplicaFailure>,
    /// Permits for open subscriptions, `SUBSCRIBERS_MAX` in all.
    pub(crate) subscribers: Semaphore,
    pub(crate) pins: Arc<Pins>,
    search: search_coverage::SearchCoverage,
    /// True while the store has no data and this node waits to join or to found.
    is_empty: AtomicBool,
    /// Test hook: peer of which this node ignores direct heartbeats, see `run`.
    pub(crate) deaf_to: Option<RaftId>,
    /// Set once this node belongs to a cluster.
    pub(crate) membership: OnceLock<Membership>,
}

/// State of a node that belongs to a cluster.
struct Membership {
    pub(crate) identity: Identity,
    pub(crate) replica: Replica,
    pub(crate) member_list: Arc<MemberList>,
    pub(crate) digest_comparison: DigestComparison,
    /// End of the last complete scrub.
    pub(crate) scrubbed: Mutex<Option<Instant>>,
    pub(crate) disk: Arc<dyn ribbit_db::Disk>,
    pub(crate) coordination: CoordinationState,
}

impl NodeState {
    /// Returns true if many users share this address, so that per-address limits do not apply.
    pub(crate) fn is_crowded(&self, address: IpAddr) -> bool {
        Network::crowded(&self.options.trusted_proxies, address)
    }

    /// Returns the addresses at which members may be found.
    pub(crate) fn seed_addresses(&self) -> Vec<String> {
        self.seeds.addresses(&self.advertised.address())
    }

    /// Returns the addresses towards which this node looks up its own: those that were given, else all that are known.
    pub(crate) fn addresses_to_reach(&self) -> Vec<String> {
        let given = &self.options.coordinators;
        if !given.is_empty() {
            return given.clone();
        }
        let members = self.membership.get().map(|member| member.member_list.known()).unwrap_or_default();
        let members = members.into_iter().map(|info| info.address);
        self.seed_addresses().into_iter().chain(members).collect()
    }

    /// Returns this node's own entry of the member list.
    pub(crate) fn info(&self) -> MemberInfo {
        let member = self.membership.get();
        MemberInfo {
            raft_id: member.map_or(0, |it| it.identity.raft_id),
            role: self.options.role,
            id: self.options.id,
            address: self.advertised.address(),
            machine: self.machine.clone(),
            pid: std::process::id(),
            applied: member.map_or(0, |it| it.replica.reader().applied()),
            clients: self.gate.clients(),
            rules_level: self.rules_level,
            region: self.options.region,
            host: self.host.clone(),
            in_sync: member.is_some_and(|it| it.replica.status().in_sync),
            load_hundredths: self.load.hundredths(),
            incarnation: self.incarnation,
            key: self.options.keys.id(),
        }
    }

    /// Returns the store report for the member `to`: this member's newest digests, and the digest at the index that `to` has
    /// applied. The latter is the only one that a member can compare when it no longer receives the log.
    pub(crate) fn store_report(&self, to: RaftId) -> StoreReport {
        let digests = self.membership.get().map_or(Vec::new(), |member| {
            let reader = member.replica.reader();
            let applied = member.member_list.info(to).map(|info| info.applied);
            let theirs = applied.and_then(|index| Some((index, reader.digest_at(index)?)));
            let mut digests = reader.digests_to_publish();
            digests.extend(theirs);
            digests
        });
        StoreReport { digests, full: self.disk.status().full }
    }

    /// Returns the disk usage and the age of the last complete scrub.
    pub(crate) fn store_status(&self) -> StoreStatus {
        let scrubbed = |it: &Membership| *it.scrubbed.locked();
        let scrubbed_s = self.membership.get().and_then(scrubbed).map(|at| at.elapsed().as_secs());
        let is_empty = self.is_empty.load(Ordering::Relaxed);
        StoreStatus { scrubbed_s, is_empty, ..self.disk.status() }
    }

    /// Returns true while commands that grow the store are refused here.
    pub(crate) fn disks_are_full(&self) -> bool {
        let own = self.disk.status().full;
        let Some(member) = self.membership.get() else { return false };
        member.replica.with_status(|status| {
            let is_full = |id: RaftId| if id == status.me { own } else { member.member_list.is_full(id) };
            let voters = &status.configuration.voters;
            let full_voters = voters.iter().filter(|id| is_full(**id)).count();
            disk_quota::refuses(own, status.leader.is_some_and(is_full), full_voters, voters.len())
        })
    }
}

/// Returns the name of a member for logs, or its Raft id if its name is not known.
fn describe(id: RaftId, info: Option<&MemberInfo>) -> String {
    info.map_or_else(|| format!("member {id}"), MemberInfo::name)
}
