//! Request error: the reason why a request of a user failed, its message and its exit code.

use crate::common::failure::{Exit, Failure};
use ribbit_net::client::ClientError;
use ribbit_net::protocol::UnavailableReason;
use ribbit_state::{Code, Denied};
use ribbit_ui::words::{self, ServiceError};

/// Reason why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// Refused by the cluster; a retry gives the same result.
    Denied(Denied),
    /// A write whose outcome is unknown.
    UndecidedWrite(ClientError),
    /// A read without an answer.
    UnansweredRead(ClientError),
}

impl RequestError {
    /// Creates the error of a read.
    pub(crate) fn unanswered_read(why: ClientError) -> RequestError {
        RequestError::UnansweredRead(why)
    }
    /// Creates the error of a write.
    pub(crate) fn undecided_write(why: UnavailableReason) -> RequestError {
        RequestError::UndecidedWrite(ClientError::Undecided(why))
    }
    /// Creates the error of an answer of the wrong kind.
    pub(crate) fn unexpected() -> RequestError {
        RequestError::undecided_write(UnavailableReason::NotServing)
    }
    /// Returns true if there is no session, or it is over.
    pub(crate) fn lacks_session(self) -> bool {
        matches!(self, RequestError::Denied(Denied { code: Code::NotLoggedIn, .. }))
    }
    /// Returns true if no server could be reached in several rounds over all servers.
    pub(crate) fn no_server_reachable(self) -> bool {
        match self {
            RequestError::Denied(_) => false,
            RequestError::UndecidedWrite(why) | RequestError::UnansweredRead(why) => {
                matches!(
                    why,
                    ClientError::Unreachable | ClientError::Undecided(UnavailableReason::NotServing)
                )
            }
        }
    }
    /// Returns true if servers were reached but could not answer, so a retry may succeed.
    pub(crate) fn is_transient(self) -> bool {
        self.is_unanswered()
            && !self.no_server_reachable()
            && self != RequestError::UnansweredRead(ClientError::Abandoned)
    }
    /// Returns true if no server decided the request.
    pub(crate) fn is_unanswered(self) -> bool {
        !matches!(self, RequestError::Denied(_))
    }
}

impl From<Denied> for RequestError {
    fn from(denied: Denied) -> RequestError {
        RequestError::Denied(denied)
    }
}
impl From<ClientError> for RequestError {
    /// Converts the error of a write. Errors of reads use [`RequestError::unanswered_read`].
    fn from(why: ClientError) -> RequestError {
        RequestError::UndecidedWrite(why)
    }
}

/// Formats as a sentence without a full stop.
impl std::fmt::Display for RequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RequestError::Denied(denied) => f.write_str(&words::denied(*denied)),
            RequestError::UndecidedWrite(why) => write!(f, "{why}"),
            RequestError::UnansweredRead(why) => match ServiceError::from(*why) {
                ServiceError::Unreachable => write!(f, "{}", ClientError::Unreachable),
                // `TooMany` occurs in the web role only.
                ServiceError::Busy | ServiceError::RateLimited { .. } => write!(f, "{}", Code::Busy),
                ServiceError::Undecided => write!(f, "{}", Code::Unavailable),
                ServiceError::Abandoned => write!(f, "{}", ClientError::Abandoned),
            },
        }
    }
}
impl std::error::Error for RequestError {}

impl From<RequestError> for Failure {
    fn from(stop: RequestError) -> Failure {
        let exit = match stop {
            _ if stop.lacks_session() => Exit::NotLoggedIn,
            RequestError::Denied(_) => Exit::Refused,
            RequestError::UndecidedWrite(_) | RequestError::UnansweredRead(_) => Exit::Unreachable,
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
        let reported = |stop: RequestError| (Failure::from(stop).exit, stop.to_string());
        let denied = |code| RequestError::from(Denied::new(code));
        assert_eq!(
            reported(denied(Code::NotLoggedIn)),
            (Exit::NotLoggedIn, "you are not logged in (609)".into())
        );
        assert_eq!(
            reported(denied(Code::NoSuchUser)),
            (Exit::Refused, "there is no user with that name (601)".into())
        );
        let email = Denied::of(Code::InvalidEntry, Field::Email);
        let words = "email: that entry is not valid (606): for example ada@example.org";
        assert_eq!(reported(email.into()), (Exit::Refused, words.into()));
        let unreachable = "no servers are running, or none can be reached";
        let silent = ClientError::Undecided(UnavailableReason::NotServing);
        assert_eq!(reported(RequestError::unanswered_read(silent)), (Exit::Unreachable, unreachable.into()));
        assert_eq!(reported(ClientError::Unreachable.into()), (Exit::Unreachable, unreachable.into()));
        // Servers were reachable, and a retry may stop the next one, so the error differs from an unreachable cluster.
        let spared = RequestError::unanswered_read(ClientError::Abandoned);
        let (exit, words) = reported(spared);
        assert!(exit == Exit::Unreachable && words.starts_with("2 servers stopped while"), "{words}");
        assert!(!spared.is_transient() && !spared.no_server_reachable());
        // The message of a write whose outcome is unknown says so.
        let (exit, words) = reported(silent.into());
        assert!(exit == Exit::Unreachable && words.ends_with("may or may not have been done"), "{words}");
    }
}
