//! Consistency levels: the index that a node must have applied before it answers a query from its own store.
//!
//! ```text
//!   stale ─────────▶ none: answers from the store as it is
//!   session ───────▶ the index that the client has seen; beyond the commit index: another history, the client starts over
//!   linearizable ──▶ the read index: the leader's commit index, once the leader has confirmed that it still leads
//! ```

use super::request::{NodeRequest, store_unreadable, undecided};
use ribbit_net::protocol::{Answer, UnavailableReason};
use ribbit_replica::ReachError;
use ribbit_state::{Code, Consistency, Denied, LogIndex, Page, Query, Token};
use std::time::{Duration, Instant};

/// Maximum time that a read waits for an index.
pub(super) const READ_WAIT: Duration = Duration::from_secs(1);

impl NodeRequest<'_> {
    /// Answers a query at a consistency level. `seen`: the newest position that the client has seen.
    pub(super) async fn read(&self, seen: Option<Token>, consistency: Consistency, query: &Query) -> Answer {
        let history = self.member.identity.history;
        let mut at_least = 0;
        if let (Some(seen), Consistency::Session | Consistency::Linearizable) = (seen, consistency) {
            if seen.history != history {
                return Answer::Unavailable(UnavailableReason::OtherHistory);
            }
            at_least = seen.index;
        }
        if consistency == Consistency::Linearizable {
            match self.member.replica.read_index(self.deadline).await {
                Ok(index) => at_least = at_least.max(index),
                Err(why) => return undecided(why),
            }
        }
        let ends = self.deadline.min(Instant::now() + READ_WAIT);
        match self.member.replica.reach(at_least, ends).await {
            Ok(()) => {}
            Err(ReachError::Late) => return Answer::Unavailable(UnavailableReason::Behind),
            // No server of this history issued this token, so waiting for it would never end.
            Err(ReachError::NeverCommitted) => return Answer::Unavailable(UnavailableReason::OtherHistory),
        }
        let reader = self.member.replica.reader();
        let old = || !self.member.replica.with_status(|status| status.in_sync);
        // Answers depend on the history and the index alone. So the asker has this one, and the store is not read. Its
        // history is that of `seen`, which was compared above.
        if let (Query::Front { unless: Some(unless), .. }, Some(_)) = (query, seen)
            && *unless == reader.applied()
            && consistency != Consistency::Stale
        {
            let token = Token { history, index: *unless };
            return Answer::Read { token, old: old(), page: Ok(Page::Unchanged) };
        }
        let answer = reader.answer(query);
        if matches!(query, Query::Search { .. }) {
            self.node.search.begin(reader);
        }
        match answer {
            Ok((index, page)) => Answer::Read { token: Token { history, index }, old: old(), page },
            Err(error) => store_unreadable(&error),
        }
    }

    /// Waits until this node has applied the read index, that is, all writes acknowledged before this request arrived.
    /// Refusals decided here instead of in the log (no such user, wrong password, no such session) are then never outdated.
    ///
    /// # Errors
    /// The answer to send: `Unavailable` when no leader confirmed the read index or this node is too far behind, `Refused`
    /// with `OutcomeUnknown` when the request's submitted-at index is beyond the commit index.
    pub(super) async fn wait_for_read_index(&self, submitted_at: LogIndex) -> Result<(), Answer> {
        let ends = self.deadline.min(Instant::now() + READ_WAIT);
        let committed = self.member.replica.read_index(ends).await.map_err(undecided)?;
        if submitted_at > committed {
            return Err(Answer::Refused(Denied::new(Code::OutcomeUnknown)));
        }
        match self.member.replica.wait_applied(committed, ends).await {
            true => Ok(()),
            false => Err(Answer::Unavailable(UnavailableReason::Behind)),
        }
    }

    /// Waits for at most `READ_WAIT` until this node has applied `index`. Returns false if it has not.
    pub(super) async fn wait_applied(&self, index: LogIndex) -> bool {
        let deadline = self.deadline.min(Instant::now() + READ_WAIT);
        self.member.replica.wait_applied(index, deadline).await
    }
}
