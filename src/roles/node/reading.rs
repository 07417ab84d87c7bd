//! How new a node's own store has to be before it answers from it.
//!
//! ```text
//!   stale ─────────▶ as it is
//!   session ───────▶ as far as the client has seen; a token beyond all that is committed: start afresh
//!   linearizable ──▶ as far as the leader has committed, and confirmed that it still leads
//! ```

use super::service::{Asking, broken, undecided};
use crate::net::protocol::{Answer, Why};
use crate::replica::Unreached;
use crate::state::{Code, Consistency, Denied, LogIndex, Query, Token};
use std::time::{Duration, Instant};

/// How long a read waits for what its client has seen elsewhere.
pub(super) const READ_WAIT: Duration = Duration::from_secs(1);

impl Asking<'_> {
    pub(super) async fn read(&self, seen: Option<Token>, consistency: Consistency, query: &Query) -> Answer {
        let history = self.member.identity.history;
        let mut at_least = 0;
        if let (Some(seen), Consistency::Session | Consistency::Linearizable) = (seen, consistency) {
            if seen.history != history {
                return Answer::Unavailable(Why::OtherHistory);
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
            Err(Unreached::Late) => return Answer::Unavailable(Why::Behind),
            // No server of this history gave out that token: to wait for it is to wait for ever.
            Err(Unreached::NeverCommitted) => return Answer::Unavailable(Why::OtherHistory),
        }
        match self.member.replica.reader().answer(query) {
            Ok((index, page)) => {
                let old = !self.member.replica.with_status(|status| status.in_sync);
                Answer::Read { token: Token { history, index }, old, page }
            }
            Err(error) => broken(&error),
        }
    }

    /// Waits until this node has applied all that was acknowledged before it was asked, and what the client has seen. What is
    /// decided here and not in the log (no such user, wrong password, no such session) is then never an old answer.
    ///
    /// # Errors
    /// The answer: no leader confirmed it, this node is too far behind, or the request is born in the future.
    pub(super) async fn newest(&self, born: LogIndex) -> Result<(), Answer> {
        let ends = self.deadline.min(Instant::now() + READ_WAIT);
        let committed = self.member.replica.read_index(ends).await.map_err(undecided)?;
        if born > committed {
            return Err(Answer::Refused(Denied::new(Code::OutcomeUnknown)));
        }
        match self.member.replica.wait_applied(committed, ends).await {
            true => Ok(()),
            false => Err(Answer::Unavailable(Why::Behind)),
        }
    }

    pub(super) async fn caught_up_with(&self, index: LogIndex) -> bool {
        let deadline = self.deadline.min(Instant::now() + READ_WAIT);
        self.member.replica.wait_applied(index, deadline).await
    }
}
