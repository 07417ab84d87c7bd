//! Becoming a member.
//!
//! A name that the group knows, with an empty store behind it, has lost its store: the group lets the old member go
//! first, then this one joins under a new Raft id.
//!
//! An empty store founds only when told to, and never votes before the group gave it a Raft id. It asks every
//! address it knows ([`super::seeds`]), backends' too, again and again, with one request that it keeps in its store:
//! asking twice, even after a crash, is joining once.

use super::seeds::{self, Seeds};
use super::{Node, lost};
use crate::db::{Configuration, Identity, Store};
use crate::net::client::{ask_once, ask_status};
use crate::net::frame::{FrameError, Plane};
use crate::net::protocol::{Answer, Ask};
use crate::net::secret::new_request_id;
use crate::roles::failure::{Exit, Failure};
use crate::roles::options::NodeOptions;
use crate::state::command::NewMember;
use crate::state::limits::RULES_LEVEL;
use crate::state::{Code, Denied, HistoryId, Reply, RequestId};
use std::sync::Arc;
use std::time::Duration;

/// One attempt to join, at one address.
const JOIN_DEADLINE: Duration = Duration::from_secs(3);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Makes sure that the store belongs to a group. Answers whether this node founded one.
///
/// # Errors
/// The group refuses, or the store fails. A group that cannot be reached is waited for.
pub async fn belong(node: &Arc<Node>, store: &mut Store) -> Result<bool, Failure> {
    if let Some(identity) = store.identity() {
        return Ok(identity.raft_id == 1);
    }
    if node.options.found {
        found(&node.options, store).await?;
        return Ok(true);
    }
    let broken = |error: crate::db::DbError| Failure::new(Exit::Refused, error.to_string());
    loop {
        let fresh = new_request_id();
        let (id, member) = store.joining(fresh, introduction(node)).map_err(broken)?;
        if let Some((raft_id, history)) = join(node, id, &member).await? {
            identify(&node.options, store, raft_id, history, None)?;
            return Ok(false);
        }
        log::warn!(
            "{} belongs to the group already, and its store is empty: it comes back as new",
            node.options.name()
        );
        lost::leave(node).await?;
        store.not_joining().map_err(broken)?;
    }
}

/// How this node introduces itself.
pub fn introduction(node: &Node) -> NewMember {
    NewMember {
        role: node.options.role,
        id: node.options.id,
        address: node.whereabouts.address(),
        machine: node.machine.clone(),
        rules_level: RULES_LEVEL,
    }
}

/// Makes a store without an identity the first of a group.
///
/// # Errors
/// 1: a member answers, so there is a group already, or the store fails.
pub async fn found(options: &NodeOptions, store: &mut Store) -> Result<(), Failure> {
    for address in &Seeds::new(options).addresses("") {
        if let Ok(status) = ask_status(address, Plane::Control, &options.keys).await
            && let Some(history) = status.history
        {
            let text = format!(
                "--found is refused: {} at {address} belongs to history {history} already; start without --found to \
                 join it",
                status.me.name()
            );
            return Err(Failure::new(Exit::Refused, text));
        }
    }
    let history = super::random_history();
    log::info!("founding history {history} of cluster {}", options.cluster);
    let alone = Configuration { voters: vec![1], ..Configuration::default() };
    identify(options, store, 1, history, Some(&alone))
}

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
        site: options.site,
        id: options.id,
    };
    store.identify(identity, founded).map_err(|error| Failure::new(Exit::Refused, error.to_string()))
}

/// Answers the Raft id and the history, or nothing when a member of this name exists.
async fn join(
    node: &Arc<Node>,
    id: RequestId,
    member: &NewMember,
) -> Result<Option<(u64, HistoryId)>, Failure> {
    let mut pause = PAUSE_MIN;
    let mut told = false;
    loop {
        for address in &node.seed_addresses() {
            let ask = Ask::Join {
                cluster: node.options.cluster,
                id,
                site: node.options.site,
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
                Err(error) => not_answered(address, &error),
            }
        }
        if !told && pause == PAUSE_MAX {
            log::info!("waiting for a group to join; asked {}", node.seed_addresses().join(", "));
            told = true;
        }
        seeds::ask_around(node).await;
        smol::Timer::after(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Somebody who is not of this cluster is worth a word: one of the two boards has the wrong file.
pub fn not_answered(address: &str, error: &FrameError) {
    match error.is_stranger() {
        true => log::warn!("{address}: {error}"),
        false => log::debug!("{address}: {error}"),
    }
}

fn refused(node: &Node, address: &str, denied: Denied) -> Failure {
    Failure::new(Exit::Configuration, format!("{address} refuses {}: {denied}", node.options.name()))
}
