//! Context of one request, and the steps that several kinds of requests share.

use super::{Membership, NodeState, upgrade};
use ribbit_db::DbError;
use ribbit_net::listener::Caller;
use ribbit_net::protocol::{Answer, UnavailableReason};
use ribbit_net::tasks;
use ribbit_replica::SubmitError;
use ribbit_state::command::{MemberChange, Origin};
use ribbit_state::{Code, Command, Denied, LogIndex, Outcome, Request, RequestId, Token};
use smol::lock::Semaphore;
use std::sync::Arc;
use std::time::Instant;

/// Permit for looking up the recorded outcome of a request, one lookup at a time.
static OUTCOMES: Semaphore = Semaphore::new(1);

/// Context of one request.
pub(super) struct NodeRequest<'a> {
    pub(super) node: &'a Arc<NodeState>,
    pub(super) member: &'a Membership,
    pub(super) deadline: Instant,
    pub(super) caller: &'a Caller,
}

/// Returns the answer to a request for which the store could not be read. The store's writer meets the same error and ends
/// the process. Until then this node does not serve.
pub(super) fn store_unreadable(error: &DbError) -> Answer {
    log::error!("cannot read the store: {error}");
    Answer::Unavailable(UnavailableReason::NotServing)
}

/// Returns the answer to a request that the replica did not decide.
pub(super) fn undecided(why: SubmitError) -> Answer {
    match why {
        SubmitError::Late => Answer::Unavailable(UnavailableReason::NoLeader),
        SubmitError::Busy => Answer::Unavailable(UnavailableReason::Busy),
        SubmitError::Ending => Answer::Unavailable(UnavailableReason::NotServing),
        SubmitError::Reused => Answer::Refused(Denied::new(Code::RequestReused)),
        SubmitError::TooNew => Answer::Refused(Denied::new(Code::TooNew)),
    }
}

impl NodeRequest<'_> {
    /// Submits a command to the replica and waits for its outcome. Refuses it here if it is too long, if it grows the store while
    /// disks are full, if it removes a member that is running without saying so, or if it finishes an upgrade of which not every member is
    /// heard. Begins the handover that it decides.
    pub(super) async fn submit(&self, id: RequestId, submitted_at: LogIndex, command: Command) -> Answer {
        let origin = command.is_audited().then(|| {
            let Caller { operator, from, plane: _ } = self.caller;
            Box::new(Origin { operator: operator.to_string(), address: from.to_string() })
        });
        let request = Request { id, submitted_at, origin, command };
        if !request.fits() {
            return Answer::Refused(Denied::new(Code::InvalidEntry));
        }
        if request.command.grows() && self.node.disks_are_full() {
            // A retry of a request that was already applied gets its outcome even while the disk is full.
            match self.first_outcome(id).await {
                Ok(Some(_)) => {}
                Ok(None) => return Answer::Refused(Denied::new(Code::DisksFull)),
                Err(error) => return store_unreadable(&error),
            }
        }
        let change = request.command.member_change();
        if let Some((name, MemberChange::Remove { alive: false })) = change
            && self.is_running(name)
        {
            return Answer::Refused(Denied::new(Code::MemberAlive));
        }
        if let Some(denied) =
            request.command.raised_level().and_then(|level| upgrade::obstacle(self.node, level))
        {
            return Answer::Refused(denied);
        }
        match self.member.replica.submit(request, self.deadline).await {
            Ok((index, outcome)) => {
                if let Some((name, MemberChange::Lead)) = change
                    && outcome.is_ok()
                {
                    return Box::pin(self.transfer(name)).await;
                }
                let token = Token { history: self.member.identity.history, index };
                Answer::Written { token, outcome }
            }
            Err(why) => undecided(why),
        }
    }

    /// Returns the recorded outcome of a request that is still in the deduplication window.
    ///
    /// This reads the store and waits for the writer's lock. It runs on a reader thread, one lookup at a time, so that
    /// other reads go on.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn first_outcome(&self, id: RequestId) -> Result<Option<(LogIndex, Outcome)>, DbError> {
        let _turn = OUTCOMES.acquire().await;
        let node = self.node.clone();
        tasks::spawn_reader(async move {
            let Some(member) = node.membership.get() else { return Ok(None) };
            member.replica.reader().first_outcome(id)
        })
        .await
    }
}
