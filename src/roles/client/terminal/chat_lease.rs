//! Chat lease of an account's single chat slot: when to renew it, and how to react when it has expired.
//!
//! ```text
//!   Out ──enter──▶ Held ── renewed every quarter of the lease, on any server ──▶ Held …  ──leave──▶ Out
//!                   └── the servers report that the lease is over
//!                        ├── within its confirmed length: taken over by another terminal ──▶ Out, reported to the user
//!                        └── after it ──▶ Lapsed ── entered again, without take-over ──▶ Held, or Out if taken meanwhile
//! ```
//!
//! Two terminals that show the same chat for a second do no harm. Unlike a lock's lease ([`crate::locks::lease`]), this one is
//! therefore kept when a renewal is late: an election or an outage does not end live chat unless another terminal has taken
//! the slot.
//!
//! Pure state machine: the caller passes in the time and asks for the next action.

use ribbit_state::TokenHash;
use std::time::{Duration, Instant};

/// Assumed length of the lease until a server reports the real one.
const LEASE: Duration = Duration::from_secs(2);
/// Minimum time between two renewals.
const RENEW_PAUSE_MIN: Duration = Duration::from_millis(100);
/// Pause between two attempts to enter the chat again after the lease expired.
const ENTER_PAUSE: Duration = Duration::from_millis(500);

/// State machine of the chat lease.
#[derive(Debug, Default)]
pub(crate) struct ChatLease {
    state: ChatState,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ChatState {
    #[default]
    Out,
    Held {
        token: TokenHash,
        lease: Duration,
        /// Time when the last renewal was sent.
        sent: Instant,
        /// Time when the last confirmed renewal was sent. The lease runs from then on.
        confirmed: Instant,
    },
    /// The lease had expired when a server was asked. The chat is entered again at `at`.
    Lapsed { at: Instant },
}

/// Next action for the chat lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChatAction {
    Renew {
        token: TokenHash,
    },
    /// Enter the chat under a new token, without take-over.
    Enter,
}

impl ChatLease {
    /// Returns true while live chat is on in this terminal, as far as is known here.
    pub(crate) fn is_live(&self) -> bool {
        self.state != ChatState::Out
    }

    /// Returns the token of the lease, if it is held.
    pub(crate) fn token(&self) -> Option<TokenHash> {
        match self.state {
            ChatState::Held { token, .. } => Some(token),
            ChatState::Out | ChatState::Lapsed { .. } => None,
        }
    }

    /// Records that the chat was entered with `token` by a request sent at `sent_at`. The first renewal is due at once,
    /// because only its answer tells the length of the lease.
    pub(crate) fn entered(&mut self, token: TokenHash, sent_at: Instant) {
        let sent = sent_at.checked_sub(LEASE).unwrap_or(sent_at);
        self.state = ChatState::Held { token, lease: LEASE, sent, confirmed: sent_at };
    }

    /// Records that the chat was left.
    pub(crate) fn left(&mut self) {
        self.state = ChatState::Out;
    }

    /// Returns the next action and its time, if there is one.
    pub(crate) fn due(&self) -> Option<(Instant, ChatAction)> {
        match self.state {
            ChatState::Out => None,
            ChatState::Held { token, lease, sent, .. } => {
                let quarter = (lease / 4).max(RENEW_PAUSE_MIN);
                Some((sent + quarter, ChatAction::Renew { token }))
            }
            ChatState::Lapsed { at } => Some((at, ChatAction::Enter)),
        }
    }

    /// Records a renewal sent at `sent_at`. `length` is the confirmed length of the lease, or `None` without an answer; the
    /// renewal is then repeated.
    pub(crate) fn renewed(&mut self, token: TokenHash, sent_at: Instant, length: Option<Duration>) {
        if let ChatState::Held { token: held, lease, sent, confirmed } = &mut self.state
            && *held == token
        {
            *sent = sent_at;
            if let Some(length) = length {
                (*confirmed, *lease) = (sent_at, length);
            }
        }
    }

    /// Records that the servers report the lease of `token` as over. Returns true if another terminal has taken the slot,
    /// which is the case when the lease ends within its confirmed length.
    pub(crate) fn over(&mut self, token: TokenHash, now: Instant) -> bool {
        match self.state {
            ChatState::Held { token: held, lease, confirmed, .. } if held == token => {
                let taken = now < confirmed + lease;
                self.state = if taken { ChatState::Out } else { ChatState::Lapsed { at: now } };
                taken
            }
            _ => false,
        }
    }

    /// Records a failed attempt to enter the chat again; the next one follows after [`ENTER_PAUSE`].
    pub(crate) fn not_entered(&mut self, now: Instant) {
        if matches!(self.state, ChatState::Lapsed { .. }) {
            self.state = ChatState::Lapsed { at: now + ENTER_PAUSE };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: TokenHash = TokenHash([1; 32]);
    const TWO: TokenHash = TokenHash([2; 32]);

    #[test]
    fn renewals_are_a_quarter_of_the_lease_apart_with_and_without_answers() {
        let start = Instant::now() + Duration::from_secs(60);
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut chat = ChatLease::default();
        assert_eq!((chat.due(), chat.is_live()), (None, false));
        chat.entered(ONE, start);
        assert!(chat.due().unwrap().0 <= start, "the first renewal is due at once");
        chat.renewed(ONE, start, Some(Duration::from_secs(8)));
        let renew = |ms| Some((at(ms), ChatAction::Renew { token: ONE }));
        assert_eq!(chat.due(), renew(2_000));
        // Live chat stays on without an answer, for however long.
        chat.renewed(ONE, at(2_000), None);
        assert_eq!(chat.due(), renew(4_000));
        chat.renewed(ONE, at(60_000), None);
        assert_eq!((chat.due(), chat.is_live()), (renew(62_000), true));
    }

    #[test]
    fn an_expired_lease_is_entered_again_and_answers_for_other_tokens_are_ignored() {
        let start = Instant::now();
        let late = start + LEASE;
        let mut chat = ChatLease::default();
        chat.entered(ONE, start);
        assert!(!chat.over(TWO, start));
        assert_eq!(chat.token(), Some(ONE), "the answer was for another token");
        assert!(!chat.over(ONE, late));
        assert_eq!((chat.due(), chat.token(), chat.is_live()), (Some((late, ChatAction::Enter)), None, true));
        chat.not_entered(late);
        assert_eq!(chat.due(), Some((late + ENTER_PAUSE, ChatAction::Enter)));
        chat.entered(TWO, late);
        chat.over(ONE, late);
        chat.renewed(ONE, late, Some(Duration::from_secs(60)));
        assert!(
            matches!(chat.due(), Some((at, ChatAction::Renew { token: TWO })) if at <= late),
            "due at once"
        );
        chat.left();
        chat.renewed(TWO, late, None);
        chat.over(TWO, late);
        assert_eq!((chat.due(), chat.is_live()), (None, false));
    }

    #[test]
    fn a_lease_that_ends_early_was_taken_over() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut chat = ChatLease::default();
        chat.entered(ONE, start);
        chat.renewed(ONE, at(1_500), Some(LEASE));
        chat.renewed(ONE, at(2_500), None);
        assert!(chat.over(ONE, at(3_499)));
        assert!(!chat.is_live());
    }
}
