//! A person's one chat place: when to say that its holder is there, and what it means when nobody confirms it.
//!
//! ```text
//!   Out ──enter──▶ Held ── renewed a quarter of the lease apart, on any server ──▶ Held …  ──leave──▶ Out
//!                   └── the group says that it is over
//!                        ├── though it was confirmed within its length: somebody took it ──▶ Out, and that is said
//!                        └── else ──▶ Lapsed ── entered again, without taking over ──▶ Held, or Out if it is taken
//! ```
//!
//! Nobody is harmed when two clients show the same chat for a second. So, other than a lock's lease
//! ([`crate::locks::lease`]), this one is not given up when it is not confirmed in time: a group that elects a leader, or is
//! away for a while, costs nobody their place, as long as nobody else took it.
//!
//! Pure: the moments are given, and what is due is asked for.

use ribbit_state::TokenHash;
use std::time::{Duration, Instant};

/// The lease until a server has said how long it is.
const LEASE: Duration = Duration::from_secs(2);
/// Renewals are never closer together.
const RENEW_PAUSE_MIN: Duration = Duration::from_millis(100);
/// Between two tries to enter again a place that lapsed.
const ENTER_PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub struct Chat {
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Out,
    Held {
        token: TokenHash,
        lease: Duration,
        /// When the group was last asked,
        asked: Instant,
        /// and when it was asked what it has confirmed: it lasts for the lease from then on.
        confirmed: Instant,
    },
    /// It was over when the group was asked, for whatever reason.
    Lapsed { at: Instant },
}

/// What is to be done for the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Renew {
        token: TokenHash,
    },
    /// Under a new token, and without taking it from anybody.
    Enter,
}

impl Chat {
    /// Whether this is where the chat is, as far as is known.
    pub fn is_here(&self) -> bool {
        self.state != State::Out
    }

    /// What the group knows the place by.
    pub fn token(&self) -> Option<TokenHash> {
        match self.state {
            State::Held { token, .. } => Some(token),
            State::Out | State::Lapsed { .. } => None,
        }
    }

    /// The group gave the place to this token, asked for it at `asked_at`. How long the lease is it says when it is first
    /// renewed: at once.
    pub fn entered(&mut self, token: TokenHash, asked_at: Instant) {
        let asked = asked_at.checked_sub(LEASE).unwrap_or(asked_at);
        self.state = State::Held { token, lease: LEASE, asked, confirmed: asked_at };
    }

    pub fn left(&mut self) {
        self.state = State::Out;
    }

    /// What is to be done next, and when.
    pub fn due(&self) -> Option<(Instant, Due)> {
        match self.state {
            State::Out => None,
            State::Held { token, lease, asked, .. } => {
                let quarter = (lease / 4).max(RENEW_PAUSE_MIN);
                Some((asked + quarter, Due::Renew { token }))
            }
            State::Lapsed { at } => Some((at, Due::Enter)),
        }
    }

    /// The group was asked at this moment, and confirmed it if there is a length. What is not known is asked again.
    pub fn renewed(&mut self, token: TokenHash, asked_at: Instant, length: Option<Duration>) {
        if let State::Held { token: held, lease, asked, confirmed } = &mut self.state
            && *held == token
        {
            *asked = asked_at;
            if let Some(length) = length {
                (*confirmed, *lease) = (asked_at, length);
            }
        }
    }

    /// The group says that this token's lease is over. Whether somebody took the place: then it is not here any more.
    pub fn over(&mut self, token: TokenHash, now: Instant) -> bool {
        match self.state {
            State::Held { token: held, lease, confirmed, .. } if held == token => {
                let taken = now < confirmed + lease;
                self.state = if taken { State::Out } else { State::Lapsed { at: now } };
                taken
            }
            _ => false,
        }
    }

    /// The place could not be entered again yet.
    pub fn not_entered(&mut self, now: Instant) {
        if matches!(self.state, State::Lapsed { .. }) {
            self.state = State::Lapsed { at: now + ENTER_PAUSE };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: TokenHash = TokenHash([1; 32]);
    const TWO: TokenHash = TokenHash([2; 32]);

    #[test]
    fn it_is_renewed_a_quarter_apart_whether_it_was_confirmed_or_not() {
        let start = Instant::now() + Duration::from_secs(60);
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut chat = Chat::default();
        assert_eq!((chat.due(), chat.is_here()), (None, false));
        chat.entered(ONE, start);
        assert!(chat.due().unwrap().0 <= start, "it asks at once how long it is");
        chat.renewed(ONE, start, Some(Duration::from_secs(8)));
        let renew = |ms| Some((at(ms), Due::Renew { token: ONE }));
        assert_eq!(chat.due(), renew(2_000));
        // Nobody answers, for long: it is here still.
        chat.renewed(ONE, at(2_000), None);
        assert_eq!(chat.due(), renew(4_000));
        chat.renewed(ONE, at(60_000), None);
        assert_eq!((chat.due(), chat.is_here()), (renew(62_000), true));
    }

    #[test]
    fn what_lapsed_is_entered_again_and_an_old_word_ends_nothing() {
        let start = Instant::now();
        let late = start + LEASE;
        let mut chat = Chat::default();
        chat.entered(ONE, start);
        assert!(!chat.over(TWO, start));
        assert_eq!(chat.token(), Some(ONE), "that was another one's");
        assert!(!chat.over(ONE, late));
        assert_eq!((chat.due(), chat.token(), chat.is_here()), (Some((late, Due::Enter)), None, true));
        chat.not_entered(late);
        assert_eq!(chat.due(), Some((late + ENTER_PAUSE, Due::Enter)));
        chat.entered(TWO, late);
        chat.over(ONE, late);
        chat.renewed(ONE, late, Some(Duration::from_secs(60)));
        assert!(matches!(chat.due(), Some((at, Due::Renew { token: TWO })) if at <= late), "it asks at once");
        chat.left();
        chat.renewed(TWO, late, None);
        chat.over(TWO, late);
        assert_eq!((chat.due(), chat.is_here()), (None, false));
    }

    #[test]
    fn what_is_over_before_its_time_was_taken() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut chat = Chat::default();
        chat.entered(ONE, start);
        chat.renewed(ONE, at(1_500), Some(LEASE));
        chat.renewed(ONE, at(2_500), None);
        assert!(chat.over(ONE, at(3_499)));
        assert!(!chat.is_here());
    }
}
