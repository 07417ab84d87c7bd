//! The hour in which an address is believed for a name.
//!
//! After a log-in the client's requests carry only a user name. They are accepted from the address that has logged in, under
//! a session that any gateway finds again ([`GatewayOperations::session_of`]), for [`BELIEVED`]. A gateway that has just started
//! does not know when the log-in was, and counts from the first request that it sees.

use super::NAME;
use super::codec::fits_cookie;
use crate::gateway::operations::GatewayOperations;
use crate::operations::{Refusal, Session};
use ribbit_state::Code;
use ribbit_state::sync::MutexExt;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Time after a log-in in which requests with the name alone are accepted from its address, as the client's cookie lasts.
const BELIEVED: Duration = Duration::from_secs(3_600);
/// Maximum number of log-ins that are remembered. Beyond it the oldest is forgotten.
const LOG_INS_MAX: usize = 4_096;

/// Times of log-ins, by address and user name.
#[derive(Debug, Default)]
pub(super) struct LogIns(Mutex<HashMap<(IpAddr, String), Instant>>);

impl LogIns {
    /// Records a log-in.
    pub(super) fn record(&self, from: IpAddr, username: &str, now: Instant) {
        self.since(from, username, now, true);
    }

    /// Returns the session of a name for requests from this address.
    pub(super) async fn session(
        &self,
        operations: &GatewayOperations,
        from: IpAddr,
        username: &str,
    ) -> Result<Session, Refusal> {
        if !fits_cookie(username) {
            return Err(Refusal::Denied(Code::NoSuchUser));
        }
        let session = operations.session_of(NAME, from, username).await?;
        let now = Instant::now();
        let since = self.since(from, &session.username, now, false);
        if now.saturating_duration_since(since) < BELIEVED {
            return Ok(session);
        }
        operations.log_out(&session).await?;
        self.0.locked().remove(&(from, session.username));
        Err(Refusal::Denied(Code::NotLoggedIn))
    }

    /// Returns the time of the log-in. Without one, or with `anew`, that is now.
    fn since(&self, from: IpAddr, username: &str, now: Instant, anew: bool) -> Instant {
        let key = (from, username.to_ascii_lowercase());
        let mut known = self.0.locked();
        if known.len() >= LOG_INS_MAX
            && !known.contains_key(&key)
            && let Some(oldest) = known.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone())
        {
            known.remove(&oldest);
        }
        let at = known.entry(key).or_insert(now);
        if anew {
            *at = now;
        }
        *at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_a_known_name_forgets_no_other() {
        let (log_ins, start) = (LogIns::default(), Instant::now());
        let from = IpAddr::from([10, 0, 0, 1]);
        for number in 0..LOG_INS_MAX {
            log_ins.record(from, &format!("name-{number}"), start + Duration::from_millis(number as u64));
        }
        let later = start + Duration::from_secs(60);
        assert_eq!(log_ins.since(from, "name-0", later, false), start);
        assert_eq!(log_ins.since(from, "name-1", later, false), start + Duration::from_millis(1));
    }

    #[test]
    fn the_hour_begins_with_the_log_in() {
        let (log_ins, start) = (LogIns::default(), Instant::now());
        let from = IpAddr::from([10, 0, 0, 1]);
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(log_ins.since(from, "ada", at(0), false), at(0));
        assert_eq!(log_ins.since(from, "ada", at(10), false), at(0));
        log_ins.record(from, "Ada", at(20));
        assert_eq!(log_ins.since(from, "ada", at(30), false), at(20));
        assert_eq!(log_ins.since(IpAddr::from([10, 0, 0, 2]), "ada", at(30), false), at(30));
        for n in 0..LOG_INS_MAX {
            log_ins.record(from, &n.to_string(), at(40));
        }
        assert_eq!(log_ins.0.locked().len(), LOG_INS_MAX);
    }
}
