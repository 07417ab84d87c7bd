//! Answers new servers that ask for the cluster file with a join code.
//!
//! ```text
//!   Knock ─▶ row of its slot ─▶ code, derived from the cluster key ─▶ proof of the server
//!                └ over: refused                                          │
//!         files ◀── used ◀─────────────── TryJoinCode, committed ◀────────┘
//!       refusal ◀── one try less, or over
//! ```
//!
//! The result of the proof leaves this member only after the cluster has recorded it. If no leader decides, neither the files nor a
//! refusal is sent.

use super::NodeState;
use super::request::NodeRequest;
use crate::common::cluster_file::ClusterFile;
use ribbit_net::frame::{FrameError, Plane};
use ribbit_net::joining::{JoinAnswer, JoinFiles, Knock};
use ribbit_net::limits::ASK_DEADLINE_MAX;
use ribbit_net::listener::Caller;
use ribbit_net::protocol::{Answer, UnavailableReason};
use ribbit_net::secret::new_request_id;
use ribbit_net::tasks;
use ribbit_state::cluster::{join_codes, members};
use ribbit_state::{Code, Command, Denied, HOME_REGION, Role};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time limit of catching up with the leader before a code is looked up.
const CATCH_UP_MAX: Duration = Duration::from_secs(3);

/// Answers one server.
///
/// # Errors
/// The connection fails.
pub(super) async fn answer(node: &Arc<NodeState>, knock: Knock) -> Result<(), FrameError> {
    let unavailable = JoinAnswer::Unavailable;
    let Some(member) = node.membership.get() else {
        return knock.refuse(unavailable(UnavailableReason::NotServing)).await;
    };
    // A member that lags does not know the code yet.
    let soon = Instant::now() + CATCH_UP_MAX;
    let caught_up = match member.replica.read_index(soon).await {
        Ok(index) => member.replica.reach(index, soon).await.is_ok(),
        Err(_) => return knock.refuse(unavailable(UnavailableReason::NoLeader)).await,
    };
    if !caught_up {
        return knock.refuse(unavailable(UnavailableReason::Behind)).await;
    }
    let slot = knock.slot();
    let reader = member.replica.reader().clone();
    let found =
        tasks::spawn_reader(async move { join_codes::working(&reader.view()?, slot, reader.age_ms()) });
    let row = match found.await {
        Ok(Ok(row)) => row,
        Ok(Err(denied)) => return knock.refuse(JoinAnswer::Refused(denied)).await,
        Err(error) => {
            log::error!("cannot read the store: {error}");
            return knock.refuse(unavailable(UnavailableReason::NotServing)).await;
        }
    };
    let Some(code) = node.options.keys.join_code(row.key, row.nonce, slot) else {
        return knock.refuse(JoinAnswer::Refused(Denied::new(Code::JoinCodeOldKey))).await;
    };
    let caller = Caller { plane: Plane::Join, from: knock.from(), operator: "".into() };
    let meeting = knock.meet(code).await?;
    let proven = meeting.is_proven();
    let request = NodeRequest { node, member, deadline: Instant::now() + ASK_DEADLINE_MAX, caller: &caller };
    let command = Command::TryJoinCode { slot, nonce: row.nonce, proven };
    let submitted_at = member.replica.reader().applied();
    let refusal = match request.submit(new_request_id(), submitted_at, command).await {
        Answer::Written { outcome: Ok(_), .. } if proven => {
            log::warn!("{} gets the cluster file with a join code", caller.from);
            return meeting.give(&files(node)).await;
        }
        Answer::Written { outcome: Ok(_), .. } => {
            log::warn!("{} has tried a wrong join code", caller.from);
            JoinAnswer::Refused(Denied::new(Code::JoinCodeWrong))
        }
        Answer::Written { outcome: Err(denied), .. } | Answer::Refused(denied) => JoinAnswer::Refused(denied),
        Answer::Unavailable(reason) => unavailable(reason),
        _ => unavailable(UnavailableReason::NotServing),
    };
    meeting.refuse(refusal).await
}

/// Returns what a new server needs: the cluster file with the newest keys, and where the members are. Coordinator N has the Nth
/// address of the file, so only the addresses of those that it lists are brought up to date.
fn files(node: &NodeState) -> JoinFiles {
    let options = &node.options;
    let listed = node.membership.get().and_then(|member| member.replica.reader().view().ok());
    let listed = listed.and_then(|view| members::all(&view).ok()).unwrap_or_default();
    let mut coordinators = options.listed.clone();
    for (_, member) in &listed {
        let is_listed = member.role == Role::Coordinator && member.region == HOME_REGION;
        let position = usize::try_from(member.id).ok().and_then(|id| id.checked_sub(1));
        if let Some(address) = position.filter(|_| is_listed).and_then(|at| coordinators.get_mut(at)) {
            address.clone_from(&member.address);
        }
    }
    let (name, cluster) = (options.cluster_name.clone(), options.cluster);
    // A member has the key.
    let text = options.keys.ring().map(|ring| ClusterFile { name, cluster, ring, coordinators }.to_text());
    let members = listed.into_iter().map(|(_, member)| member.address).collect();
    JoinFiles { cluster_file: text.unwrap_or_default(), members }
}
