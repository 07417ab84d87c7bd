//! Request error: the reason why a request of a user failed, its message and its exit code.

use crate::common::failure::{Exit, Failure};
use ribbit_net::client::ClientError;
use ribbit_net::protocol::Why;
use ribbit_state::{Code, Denied};
use ribbit_ui::words::{self, Trouble};

/// Reason why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Refused by the cluster; a retry gives the same result.
    Denied(Denied),
    /// A write whose outcome is unknown.
    Undecided(ClientError),
    /// A read without an answer.
    Unread(ClientError),
}

impl Stop {
    /// Creates the error of a read.
    pub fn unread(why: ClientError) -> Stop {
        Stop::Unread(why)
    }
    /// Creates the error of a write.
    pub fn undecided(why: Why) -> Stop {
        Stop::Undecided(ClientError::Undecided(why))
    }
    /// Returns true if there is no session, or it is over.
    pub fn lacks_session(self) -> bool {
        matches!(self, Stop::Denied(Denied { code: Code::NotLoggedIn, .. }))
    }
    /// Returns true if no server could be reached in several rounds over all servers.
    pub fn finds_nobody(self) -> bool {
        match self {
            Stop::Denied(_) => false,
            Stop::Undecided(why) | Stop::Unread(why) => {
                matches!(why, ClientError::Unreachable | ClientError::Undecided(Why::NotServing))
            }
        }
    }
    /// Returns true if servers were reached but could not answer, so a retry may succeed.
    pub fn may_pass(self) -> bool {
        self.is_unreachable() && !self.finds_nobody() && self != Stop::Unread(ClientError::Abandoned)
    }
    /// Returns true if no server decided the request.
    pub fn is_unreachable(self) -> bool {
        !matches!(self, Stop::Denied(_))
    }
}

impl From<Denied> for Stop {
    fn from(denied: Denied) -> Stop {
        Stop::Denied(denied)
    }
}
impl From<ClientError> for Stop {
    /// Converts the error of a write. Errors of reads use [`Stop::unread`].
    fn from(why: ClientError) -> Stop {
        Stop::Undecided(why)
    }
}

/// Formats as a sentence without a full stop.
impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Denied(denied) => f.write_str(&words::denied(*denied)),
            Stop::Undecided(why) => write!(f, "{why}"),
            Stop::Unread(why) => match Trouble::from(*why) {
                Trouble::Nobody => write!(f, "{}", ClientError::Unreachable),
                // `TooMany` occurs in the web role only.
                Trouble::Busy | Trouble::TooMany { .. } => write!(f, "{}", Code::Busy),
                Trouble::Disagree => write!(f, "{}", Code::Unavailable),
                Trouble::Spared => write!(f, "{}", ClientError::Abandoned),
            },
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

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::Field;

    #[test]
    fn errors_have_a_message_and_an_exit_code() {
        let told = |stop: Stop| (Failure::from(stop).exit, stop.to_string());
        let denied = |code| Stop::from(Denied::new(code));
        assert_eq!(
            told(denied(Code::NotLoggedIn)),
            (Exit::NotLoggedIn, "you are not logged in (609)".into())
        );
        assert_eq!(
            told(denied(Code::NoSuchUser)),
            (Exit::Refused, "there is no user with that name (601)".into())
        );
        let email = Denied::of(Code::InvalidEntry, Field::Email);
        let words = "email: that entry is not valid (606): for example ada@example.org";
        assert_eq!(told(email.into()), (Exit::Refused, words.into()));
        let nobody = "no servers are running, or none can be reached";
        let silent = ClientError::Undecided(Why::NotServing);
        assert_eq!(told(Stop::unread(silent)), (Exit::Unreachable, nobody.into()));
        assert_eq!(told(ClientError::Unreachable.into()), (Exit::Unreachable, nobody.into()));
        // Servers were reachable, and a retry may stop the next one, so the error differs from an unreachable cluster.
        let spared = Stop::unread(ClientError::Abandoned);
        let (exit, words) = told(spared);
        assert!(exit == Exit::Unreachable && words.starts_with("2 servers stopped while"), "{words}");
        assert!(!spared.may_pass() && !spared.finds_nobody());
        // The message of a write whose outcome is unknown says so.
        let (exit, words) = told(silent.into());
        assert!(exit == Exit::Unreachable && words.ends_with("may or may not have been done"), "{words}");
    }
}
