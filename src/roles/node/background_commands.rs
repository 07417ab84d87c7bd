//! Background commands that the leader proposes: entering the founder, removing lost members, finishing upgrades, refusing old keys, sweeping
//! deleted accounts and croaks, indexing old croaks, recording new addresses.
//!
//! Each is an ordinary command of bounded size. An idle cluster has none to propose.

use super::key_rotation::KeyOverlap;
use super::upgrade::{self, Lasting};
use super::{NodeState, join};
use ribbit_db::DbError;
use ribbit_net::secret::new_request_id;
use ribbit_net::tasks;
use ribbit_state::cluster::members;
use ribbit_state::limits::RING_CROAKS;
use ribbit_state::rows::{CroakSweeps, Order, Standing, Sweeps, books, scan};
use ribbit_state::{AccountId, Command, ConversationCommand, LogIndex, OperatorCommand, Request};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Minimum interval between two looks for work while there is none.
const LOOK: Duration = Duration::from_millis(500);

/// Maximum interval between two looks, for work that no entry of the log announces.
const LOOK_IDLE: Duration = Duration::from_secs(2);

/// Time limit of one command.
const DEADLINE: Duration = Duration::from_secs(5);

/// Number of unindexed croaks in the ring above which they are indexed.
const UNINDEXED_MAX: usize = RING_CROAKS / 4 * 3;

/// Conditions that have to last before a command follows.
pub(crate) struct Conditions {
    /// Every member has a new key.
    pub(crate) key: KeyOverlap,
    /// The cluster is ready to rise to this rules level by itself.
    pub(crate) upgrade: Lasting<u32>,
}

/// Proposes background commands while this node leads. `founding`: this node founded the cluster.
pub(crate) async fn run(node: Arc<NodeState>, founding: bool, mut conditions: Conditions) {
    let Some(member) = node.membership.get() else { return };
    loop {
        let progress = member.replica.next_progress();
        let next = if member.replica.status().leads {
            next(&node, founding, &mut conditions)
        } else {
            conditions.upgrade.lasted(None, Instant::now());
            Ok(None)
        };
        match next {
            Ok(Some(command)) => {
                let request = Request {
                    id: new_request_id(),
                    submitted_at: member.replica.reader().applied(),
                    origin: None,
                    command,
                };
                if let Err(why) = member.replica.submit(request, Instant::now() + DEADLINE).await {
                    log::debug!("a background command is retried later: {why:?}");
                    smol::Timer::after(LOOK).await;
                }
            }
            Ok(None) => {
                let changed = async {
                    progress.await;
                    smol::Timer::after(LOOK).await;
                };
                smol::future::or(changed, tasks::aligned_pause(LOOK_IDLE)).await;
            }
            Err(error) => {
                log::error!("cannot look for background commands: {error}");
                smol::Timer::after(LOOK).await;
            }
        }
    }
}

/// Returns the most urgent background command, or `None` if there is nothing to do.
///
/// # Errors
/// The store cannot be read.
fn next(node: &NodeState, founding: bool, conditions: &mut Conditions) -> Result<Option<Command>, DbError> {
    let Some(member) = node.membership.get() else { return Ok(None) };
    let reader = member.replica.reader();
    let view = reader.view()?;
    let rows = members::all(&view)?;
    if founding && rows.is_empty() {
        let history = member.identity.history;
        return Ok(Some(Command::FoundCluster { history, member: join::introduction(node) }));
    }
    let configuration = member.replica.status().configuration;
    let gone = rows.iter().find(|(id, row)| row.standing == Standing::Lost && !configuration.contains(*id));
    if let Some((raft_id, _)) = gone {
        return Ok(Some(Command::RemoveMember { raft_id: *raft_id }));
    }
    let books = books(&view)?;
    if let Some(level) = conditions.upgrade.lasted(upgrade::auto_level(node, &books, &rows), Instant::now()) {
        return Ok(Some(OperatorCommand::RaiseRules { level }.into()));
    }
    if let Some(key) = conditions.key.ends(books.key, &rows, Instant::now()) {
        return Ok(Some(Command::RaiseKey { key }));
    }
    let sweeps = scan::<Sweeps, _>(&view, &AccountId(0), &AccountId(u64::MAX), Order::OldestFirst, 1)?;
    if let Some((account, ())) = sweeps.first() {
        return Ok(Some(Command::Sweep { account: *account }));
    }
    let sweeps = scan::<CroakSweeps, _>(&view, &0, &LogIndex::MAX, Order::OldestFirst, 1)?;
    if let Some((croak, ())) = sweeps.first() {
        return Ok(Some(ConversationCommand::SweepCroak { croak: *croak }.into()));
    }
    if reader.ring_len_from(books.indexed_through + 1) > UNINDEXED_MAX {
        return Ok(Some(Command::IndexCroaks));
    }
    let mut heard = member.member_list.known();
    heard.push(node.info());
    for (raft_id, row) in rows {
        let said = heard.iter().find(|info| info.raft_id == raft_id && info.pid != 0);
        if let Some(info) = said
            && (&info.address, &info.machine, info.rules_level, info.key)
                != (&row.address, &row.machine, row.rules_level, row.key)
        {
            let (address, machine) = (info.address.clone(), info.machine.clone());
            return Ok(Some(Command::DescribeMember {
                raft_id,
                address,
                machine,
                rules_level: info.rules_level,
                key: info.key,
            }));
        }
    }
    Ok(None)
}
