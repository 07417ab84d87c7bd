//! Why something that a person asked for did not come to pass, and how a script is told.

use crate::net::client::Unreachable;
use crate::net::protocol::Why;
use crate::roles::failure::{Exit, Failure};
use crate::state::{Code, Denied};
use crate::ui::words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Refused, for good.
    Denied(Denied),
    /// A write that nobody has decided.
    Undecided(Unreachable),
    /// A read that nobody has answered.
    Unread(Unreachable),
}

impl Stop {
    pub fn unread(why: Unreachable) -> Stop {
        Stop::Unread(why)
    }
    pub fn undecided(why: Why) -> Stop {
        Stop::Undecided(Unreachable::Undecided(why))
    }
    /// Nobody is logged in, or not any more.
    pub fn lacks_session(self) -> bool {
        matches!(self, Stop::Denied(Denied { code: Code::NotLoggedIn, .. }))
    }
    /// Nobody answered: it may be asked again.
    pub fn is_unreachable(self) -> bool {
        !matches!(self, Stop::Denied(_))
    }
}

impl From<Denied> for Stop {
    fn from(denied: Denied) -> Stop {
        Stop::Denied(denied)
    }
}
impl From<Unreachable> for Stop {
    /// Of a write.
    fn from(why: Unreachable) -> Stop {
        Stop::Undecided(why)
    }
}

/// A sentence without a full stop.
impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Denied(denied) => f.write_str(&words::denied(*denied)),
            Stop::Undecided(why) => write!(f, "{why}"),
            Stop::Unread(why) => f.write_str(words::Trouble::from(*why).words().trim_end_matches('.')),
        }
    }
}
impl std::error::Error for Stop {}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Failure {
        let exit = match stop {
            _ if stop.lacks_session() => Exit::NotLoggedIn,
            Stop::Denied(_) => Exit::Refused,
            Stop::Undecided(_) | Stop::Unread(_) => Exit::Unreachable,
        };
        Failure::new(exit, stop.to_string())
    }
}
