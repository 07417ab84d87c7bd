//! Lease of this process, under which it holds locks.
//!
//! ```text
//!   open ──▶ good ── renewed every quarter of its length, on any member ──▶ good … ──▶ close: the next client gets the locks
//!              ├── not confirmed for half of its length ──▶ lost         the leader releases the locks after the full length
//!              └── the servers report that it is over ──▶ lost
//! ```
//!
//! - A lease is good for half of its length, counted from when the last confirmed renewal was *sent*. The holder therefore
//!   stops before the leader gives a lock to another client, however long an answer took.
//! - A lost lease stays lost: its holder may have stopped already, so a late confirmation does not restore it.
//! - Time comes from the monotonic clock, which stands still while a machine sleeps. Writes that must not happen after the
//!   lease are prevented by the fencing token, not by this module.

use crate::common::failure::{Exit, Failure};
use crate::common::machine::host_name;
use crate::locks::namespace::Namespace;
use event_listener::Event;
use ribbit_net::client::Client;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::{new_token, token_hash};
use ribbit_net::tasks;
use ribbit_state::limits::LEASE_DESCRIPTION_BYTES_MAX;
use ribbit_state::sync::MutexExt;
use ribbit_state::{LeaseCommand, TokenHash};
use smol::Timer;
use smol::future::or;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Time limit of the request that closes a lease. A lease that is not closed expires by itself.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// Longer than any process runs.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// An open lease, renewed in the background until it is dropped.
#[derive(Debug)]
pub(crate) struct HeldLease {
    shared: Arc<LeaseState>,
    namespace: Namespace,
    _renewing: smol::Task<()>,
}

#[derive(Debug)]
struct LeaseState {
    token: TokenHash,
    length: Duration,
    validity: Mutex<LeaseValidity>,
    /// Notified when the lease was renewed or is over.
    changed: Event,
}

/// Validity of a lease.
#[derive(Debug)]
struct LeaseValidity {
    /// Time until which no other client can hold the locks, by the last confirmed renewal.
    confirmed_until: Instant,
    /// Time for which the lease counts as good beyond it.
    unconfirmed_max: Duration,
    /// Reason of the loss, once the lease is lost.
    over: Option<String>,
}

/// Timing of renewals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RenewalTimes {
    pub(crate) every: Duration,
    /// Time limit of one attempt on one member.
    pub(crate) answer_max: Duration,
}

impl HeldLease {
    /// Opens a lease. `what` is the purpose that other users see with the holder: `lock` or `shell`.
    ///
    /// # Errors
    /// `Refused` (1) when there are too many leases; `Unreachable` (3) when no server answers.
    pub(crate) async fn open(
        namespace: &Namespace,
        what: &str,
        length: Duration,
    ) -> Result<HeldLease, Failure> {
        let times = RenewalTimes { every: length / 4, answer_max: length / 8 };
        HeldLease::open_with(times, namespace, what, length).await
    }

    /// Opens a lease that counts as good until the servers report that it is over, however long none of them answers. For
    /// locks of which two holders may believe for a moment that they have it, without harm.
    ///
    /// # Errors
    /// Those of [`HeldLease::open`].
    pub(crate) async fn open_until_over(
        namespace: &Namespace,
        what: &str,
        length: Duration,
    ) -> Result<HeldLease, Failure> {
        let lease = HeldLease::open(namespace, what, length).await?;
        lease.shared.validity().unconfirmed_max = FOR_EVER;
        Ok(lease)
    }

    /// Opens a lease with other renewal times.
    ///
    /// # Errors
    /// Those of [`HeldLease::open`].
    pub(crate) async fn open_with(
        times: RenewalTimes,
        namespace: &Namespace,
        what: &str,
        length: Duration,
    ) -> Result<HeldLease, Failure> {
        let token = token_hash(&new_token());
        let lease_ms = u32::try_from(length.as_millis()).ok();
        let sent_at = Instant::now();
        let open = LeaseCommand::Open { token, description: description(what), lease_ms };
        if let (_, Err(denied)) = namespace.write(open).await? {
            return Err(Failure::new(Exit::Refused, denied.to_string()));
        }
        Ok(HeldLease::begin(times, namespace, token, length, sent_at))
    }

    /// Returns a lease of which no server knows.
    #[cfg(test)]
    pub(crate) fn unconfirmed(namespace: &Namespace, length: Duration) -> HeldLease {
        let times = RenewalTimes { every: length, answer_max: length };
        HeldLease::begin(times, namespace, token_hash(&new_token()), length, Instant::now())
    }

    fn begin(
        times: RenewalTimes,
        namespace: &Namespace,
        token: TokenHash,
        length: Duration,
        sent_at: Instant,
    ) -> HeldLease {
        let validity = Mutex::new(LeaseValidity::begin(sent_at + length / 2));
        let shared = Arc::new(LeaseState { token, length, validity, changed: Event::new() });
        let renewing = tasks::spawn(renew(namespace.clone(), shared.clone(), sent_at, times));
        HeldLease { shared, namespace: namespace.clone(), _renewing: renewing }
    }

    /// Returns the token that identifies the lease.
    pub(crate) fn token(&self) -> TokenHash {
        self.shared.token
    }

    /// Returns true while no other client can hold the locks of this lease.
    pub(crate) fn is_good(&self) -> bool {
        self.why_lost().is_none()
    }

    /// Returns the reason of the loss, if the lease is lost.
    pub(crate) fn why_lost(&self) -> Option<String> {
        self.shared.validity().loss_at(Instant::now(), self.shared.length)
    }

    /// Returns the time until which the lease is good, or `None` if it is lost.
    pub(crate) fn good_until(&self) -> Option<Instant> {
        let mut validity = self.shared.validity();
        let over = validity.loss_at(Instant::now(), self.shared.length);
        over.is_none().then_some(validity.good_until())
    }

    /// Completes when the lease was renewed, or reported as over by the servers. It does not complete when the lease expires
    /// here, so the caller also waits for [`HeldLease::good_until`].
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.shared.changed.listen()
    }

    /// Waits for a renewal, unless the last one was confirmed less than half of the lease ago. Returns false once the lease is lost.
    /// Cancel safe.
    pub(crate) fn confirmed(&self) -> impl Future<Output = bool> + Send + use<> {
        let shared = self.shared.clone();
        async move {
            loop {
                let changed = shared.changed.listen();
                let now = Instant::now();
                {
                    let mut validity = shared.validity();
                    let is_lost = validity.loss_at(now, shared.length).is_some();
                    if is_lost || now < validity.confirmed_until {
                        return !is_lost;
                    }
                }
                changed.await;
            }
        }
    }

    /// Completes when the lease is lost, with the reason. Cancel safe.
    pub(crate) fn lost(&self) -> impl Future<Output = String> + Send + use<> {
        let shared = self.shared.clone();
        async move {
            loop {
                let changed = shared.changed.listen();
                let good_until = {
                    let mut validity = shared.validity();
                    if let Some(why) = validity.loss_at(Instant::now(), shared.length) {
                        return why;
                    }
                    validity.good_until()
                };
                or(changed, async move {
                    Timer::at(good_until).await;
                })
                .await;
            }
        }
    }

    /// Closes the lease and releases its locks. Without an answer within [`CLOSE_MAX`], the lease is left to expire.
    pub(crate) async fn close(self) {
        let close = LeaseCommand::Close { token: self.shared.token };
        let told = async { self.namespace.write(close).await.map(drop) };
        let late = async {
            Timer::after(CLOSE_MAX).await;
            Ok(())
        };
        if let Err(failure) = or(told, late).await {
            log::debug!("the lease could not be closed and will expire: {failure}");
        }
    }
}

impl LeaseState {
    fn validity(&self) -> MutexGuard<'_, LeaseValidity> {
        self.validity.locked()
    }
}

impl LeaseValidity {
    fn begin(confirmed_until: Instant) -> LeaseValidity {
        LeaseValidity { confirmed_until, unconfirmed_max: Duration::ZERO, over: None }
    }

    fn good_until(&self) -> Instant {
        self.confirmed_until + self.unconfirmed_max
    }

    /// Returns the reason of the loss, if the lease is lost at `now`.
    fn loss_at(&mut self, now: Instant, length: Duration) -> Option<String> {
        if self.over.is_none() && now >= self.good_until() {
            let half = length.as_secs_f64() / 2.0;
            self.over = Some(format!("no server has confirmed the lease for {half} s, half of its length"));
        }
        self.over.clone()
    }

    /// Records that a renewal sent at `sent_at` was confirmed at `now`.
    fn extend(&mut self, sent_at: Instant, now: Instant, length: Duration) {
        if self.loss_at(now, length).is_none() {
            self.confirmed_until = self.confirmed_until.max(sent_at + length / 2);
        }
    }
}

/// Renews the lease until it is over. A member that does not answer in time is dropped for another one, so a hanging member
/// does not cost the lease.
async fn renew(namespace: Namespace, shared: Arc<LeaseState>, mut sent_at: Instant, times: RenewalTimes) {
    let RenewalTimes { every, answer_max } = times;
    let mut client: Option<Client> = None;
    while shared.validity().over.is_none() {
        Timer::at(sent_at + every).await;
        loop {
            sent_at = Instant::now();
            let asking = client.get_or_insert_with(|| namespace.another_client());
            match asking.ask(Ask::Renew { token: shared.token }, answer_max).await {
                Ok(Answer::Renewed { lease_ms }) => {
                    let length = shared.length.min(Duration::from_millis(lease_ms.into()));
                    shared.validity().extend(sent_at, Instant::now(), length);
                    break;
                }
                Ok(Answer::Refused(denied)) => {
                    let words = denied.code.text();
                    shared.validity().over.get_or_insert_with(|| format!("the servers say: {words}"));
                    break;
                }
                other => log::debug!("the lease is not renewed: {other:?}"),
            }
            client = None;
            if shared.validity().loss_at(Instant::now(), shared.length).is_some() {
                break;
            }
        }
        shared.changed.notify(usize::MAX);
    }
}

/// Returns the description of a lease's holder: `lock on board1, pid 99`.
pub(crate) fn description(what: &str) -> String {
    let (host, pid) = (host_name(), std::process::id());
    let mut words = format!("{what} on {host}, pid {pid}");
    if words.len() > LEASE_DESCRIPTION_BYTES_MAX {
        words = format!("{what}, pid {pid}");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_counts_from_sending_and_a_lost_lease_stays_lost() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let length = Duration::from_secs(10);
        let mut validity = LeaseValidity::begin(at(5_000));
        validity.extend(at(2_500), at(4_900), length);
        assert_eq!((validity.good_until(), validity.loss_at(at(7_499), length)), (at(7_500), None));
        // A late confirmation of an older renewal does not shorten the lease.
        validity.extend(at(1_000), at(7_000), length);
        assert_eq!(validity.good_until(), at(7_500));
        assert!(validity.loss_at(at(7_500), length).unwrap().contains("5 s"));
        validity.extend(at(7_400), at(7_501), length);
        assert!(validity.loss_at(at(7_502), length).is_some(), "too late");
        let mut until_over = LeaseValidity { unconfirmed_max: FOR_EVER, ..LeaseValidity::begin(at(5_000)) };
        assert_eq!(until_over.loss_at(at(60_000), length), None);
        assert_eq!(until_over.confirmed_until, at(5_000), "it counts as good and is not confirmed");
    }

    #[test]
    fn a_holder_is_described_by_purpose_and_process() {
        let words = description("lock");
        assert!(words.starts_with("lock") && words.ends_with(&format!("pid {}", std::process::id())));
    }
}
