//! Founding a cluster or joining one.
//!
//! A node with an empty store founds a cluster only when told to: at once (`--found`), or when enough servers with empty stores wait
//! (`--found-with`). Otherwise it asks every address it knows
//! ([`super::seeds`]), including backends, until a leader has added it. It does not vote before the cluster has assigned a
//! Raft id to it. The join request's id is kept in the store as an idempotency key, so repeated requests, even after a
//! crash, join once.
//!
//! If the cluster already has a member of this role and number, that member has lost its store. The cluster first removes
//! the old member ([`super::store_loss`]), then this node joins under a new Raft id.

use super::seeds::{self, SeedAddresses};
use super::{NodeState, open_store, store_loss};
use crate::common::failure::{Exit, Failure};
use crate::common::random::random_history;
use crate::node::arguments::NodeOptions;
use ribbit_db::{Configuration, Identity, Store};
use ribbit_net::backoff::Backoff;
use ribbit_net::frame::Plane;
use ribbit_net::oneshot::{ask_once, ask_status};
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::new_request_id;
use ribbit_state::command::NewMember;
use ribbit_state::{Code, Denied, HistoryId, Reply, RequestId};
use smol::future::zip;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time limit of one join request.
const JOIN_DEADLINE: Duration = Duration::from_secs(3);

/// First pause between two rounds of join requests. Doubles up to `PAUSE_MAX`.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// Longest pause between two rounds of join requests.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Founds or joins a cluster unless the store already belongs to one. Returns true if this node is the founder. Waits
/// until a cluster can be reached.
///
/// # Errors
/// `Configuration` when the cluster refuses this node, `Refused` when the store fails or `--found` meets a running cluster.
pub(crate) async fn belong(node: &Arc<NodeState>, store: &mut Store) -> Result<bool, Failure> {
    if let Some(identity) = store.identity() {
        return Ok(identity.raft_id == 1);
    }
    node.is_empty.store(true, Ordering::Relaxed);
    let founds = match node.options.found_with {
        Some(servers) => enough_wait(node, servers).await,
        None => node.options.found,
    };
    if founds {
        found(&node.options, store).await?;
        node.is_empty.store(false, Ordering::Relaxed);
        return Ok(true);
    }
    await_addresses(node).await;
    let broken = |error| open_store::unusable(&node.options, error);
    loop {
        let fresh = new_request_id();
        let (id, member) = store.joining(fresh, introduction(node)).map_err(broken)?;
        if let Some((raft_id, history)) = join(node, id, &member).await? {
            identify(&node.options, store, raft_id, history, None)?;
            node.is_empty.store(false, Ordering::Relaxed);
            return Ok(false);
        }
        log::warn!(
            "the cluster already has a {}, but the store here is empty: replacing that member by a new one",
            node.options.name()
        );
        store_loss::leave(node).await?;
        store.clear_join_request().map_err(broken)?;
    }
}

/// Waits until so many servers of this cluster wait with empty stores, this one included, and returns true. Returns false as soon as a
/// member answers.
///
/// A majority of the servers makes this safe to repeat, also with a new card: once the cluster exists, so few have no data that a
/// founder without data finds a member, or waits.
async fn enough_wait(node: &Arc<NodeState>, servers: u32) -> bool {
    let mut is_said = false;
    loop {
        node.seeds.forget_waiting();
        zip(seeds::ask_around(node), seeds::look_around(node)).await;
        if !node.seeds.heard_members().is_empty() {
            return false;
        }
        match node.seeds.waiting(node.options.member_name(), node.incarnation) {
            Some(waiting) if waiting >= servers as usize => return true,
            Some(waiting) if !is_said => {
                log::info!("waiting for {servers} servers to found the cluster with, {waiting} are here");
                is_said = true;
            }
            Some(_) => {}
            None => log::warn!("not founding the cluster: another {} waits, too", node.options.name()),
        }
        smol::Timer::after(PAUSE_MAX).await;
    }
}

/// Waits until a server is known that may be asked. The route to it tells this node's own address, which the request to join has.
async fn await_addresses(node: &Arc<NodeState>) {
    while node.options.discovery && node.seed_addresses().is_empty() {
        seeds::look_around(node).await;
        smol::Timer::after(PAUSE_MIN).await;
    }
}

/// Returns this node's description for the join request.
pub(crate) fn introduction(node: &NodeState) -> NewMember {
    NewMember {
        role: node.options.role,
        id: node.options.id,
        address: node.advertised.address(),
        machine: node.machine.clone(),
        rules_level: node.rules_level,
        key: node.options.keys.id(),
    }
}

/// Makes an unused store the first of a new cluster.
///
/// # Errors
/// `Refused` when a member of an existing cluster answers at a known address, or the store fails.
pub(crate) async fn found(options: &NodeOptions, store: &mut Store) -> Result<(), Failure> {
    for address in &SeedAddresses::new(options).addresses("") {
        if let Ok(status) = ask_status(address, Plane::Control, &options.keys).await
            && let Some(history) = status.history
        {
            let text = format!(
                "cannot found a cluster: {} at {address} already belongs to history {history}. Start without --found to \
                 join it",
                status.me.name()
            );
            return Err(Failure::new(Exit::Refused, text));
        }
    }
    let history = random_history();
    log::info!("founding history {history} of cluster {}", options.cluster);
    let alone = Configuration { voters: vec![1], ..Configuration::default() };
    identify(options, store, 1, history, Some(&alone))
}

/// Writes this node's identity into the store. `founded`: the first configuration, if this node is the founder.
fn identify(
    options: &NodeOptions,
    store: &mut Store,
    raft_id: u64,
    history: HistoryId,
    founded: Option<&Configuration>,
) -> Result<(), Failure> {
    let identity = Identity {
        cluster: options.cluster,
        history,
        raft_id,
        role: options.role,
        region: options.region,
        id: options.id,
    };
    store.identify(identity, founded).map_err(|error| open_store::unusable(options, error))
}

/// Asks all known addresses until the cluster has added this node. Returns its Raft id and the history, or `None` if a
/// member of this role and number exists.
///
/// # Errors
/// `Configuration` when the cluster refuses this node.
async fn join(
    node: &Arc<NodeState>,
    id: RequestId,
    member: &NewMember,
) -> Result<Option<(u64, HistoryId)>, Failure> {
    let mut backoff = Backoff::new(PAUSE_MIN, PAUSE_MAX);
    let mut told = false;
    loop {
        for address in &node.seed_addresses() {
            let ask = Ask::Join {
                cluster: node.options.cluster,
                id,
                region: node.options.region,
                member: member.clone(),
            };
            match ask_once(address, Plane::Control, &node.options.keys, ask, JOIN_DEADLINE).await {
                Ok(Answer::Written { outcome: Ok(Reply::Joined { raft_id, history }), .. }) => {
                    return Ok(Some((raft_id, history)));
                }
                Ok(Answer::Written { outcome: Err(denied), .. }) if denied.code == Code::MemberExists => {
                    return Ok(None);
                }
                Ok(Answer::Written { outcome: Err(denied), .. } | Answer::Refused(denied)) => {
                    return Err(refused(node, address, denied));
                }
                Ok(_) => {}
                Err(error) => seeds::not_answered(address, &error),
            }
        }
        if !told && backoff.is_longest() {
            log::info!("waiting to join a cluster; tried {}", node.seed_addresses().join(", "));
            told = true;
        }
        seeds::ask_around(node).await;
        if backoff.is_longest() || node.seed_addresses().is_empty() {
            seeds::look_around(node).await;
        }
        backoff.wait().await;
    }
}

fn refused(node: &NodeState, address: &str, denied: Denied) -> Failure {
    Failure::new(Exit::Configuration, format!("{address} refused {}: {denied}", node.options.name()))
}
