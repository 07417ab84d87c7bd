//! A lease of this process: what locks are held under.
//!
//! ```text
//!   open ──▶ good ── renewed a quarter of it apart, on any member ──▶ good … ──▶ close: the next one gets it at once
//!              ├── nobody confirmed it for half of it ──▶ lost          the leader lets go after all of it
//!              └── the group says that it is over ──▶ lost
//! ```
//!
//! It counts from when the last renewal that was confirmed was *sent*, and half of it is good: so who holds it stops
//! before the leader gives the lock to somebody else, however long an answer took. Lost is lost: a confirmation that
//! comes behind the half does not bring it back, since its holder may have stopped by then.
//!
//! Time is the monotonic clock's, which stands still while a machine sleeps. What must not happen after a lease is over
//! is guarded by the fence, not by this.

use crate::common::failure::{Exit, Failure};
use crate::locks::namespace::Namespace;
use crate::node::host_name;
use event_listener::Event;
use ribbit_net::client::Client;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::{new_token, token_hash};
use ribbit_net::tasks;
use ribbit_state::limits::LEASE_WORDS_BYTES_MAX;
use ribbit_state::{LeaseCommand, TokenHash};
use smol::Timer;
use smol::future::or;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// A lease that nobody could be told the end of ends by itself.
const CLOSE_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Lease {
    shared: Arc<Shared>,
    namespace: Namespace,
    _renewing: smol::Task<()>,
}

#[derive(Debug)]
struct Shared {
    token: TokenHash,
    length: Duration,
    term: Mutex<Term>,
    /// Notified when it is over, or good for longer.
    changed: Event,
}

/// How long it is good for.
#[derive(Debug)]
struct Term {
    good_until: Instant,
    over: Option<String>,
}

/// How a lease is renewed.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub every: Duration,
    /// What a member may take to answer.
    pub answer_max: Duration,
}

impl Lease {
    /// Begins one. `what` is for: `lock` or `shell`, for those who wonder who holds something.
    ///
    /// # Errors
    /// 1: there are too many; 3: nobody answers.
    pub async fn open(namespace: &Namespace, what: &str, length: Duration) -> Result<Lease, Failure> {
        let pace = Pace { every: length / 4, answer_max: length / 8 };
        Lease::at_pace(pace, namespace, what, length).await
    }

    /// The same, renewed at another pace.
    ///
    /// # Errors
    /// As [`Lease::open`].
    pub async fn at_pace(
        pace: Pace,
        namespace: &Namespace,
        what: &str,
        length: Duration,
    ) -> Result<Lease, Failure> {
        let token = token_hash(&new_token());
        let lease_ms = u32::try_from(length.as_millis()).ok();
        let asked = Instant::now();
        let open = LeaseCommand::Open { token, words: words_for(what), lease_ms };
        if let (_, Err(denied)) = namespace.write(open).await? {
            return Err(Failure::new(Exit::Refused, denied.to_string()));
        }
        let term = Mutex::new(Term { good_until: asked + length / 2, over: None });
        let shared = Arc::new(Shared { token, length, term, changed: Event::new() });
        let renewing = tasks::spawn(renew(namespace.clone(), shared.clone(), asked, pace));
        Ok(Lease { shared, namespace: namespace.clone(), _renewing: renewing })
    }

    /// What the group knows it by.
    pub fn token(&self) -> TokenHash {
        self.shared.token
    }

    /// Whether what is held under it is surely its holder's.
    pub fn is_good(&self) -> bool {
        self.why_lost().is_none()
    }

    /// Why it is lost, if it is.
    pub fn why_lost(&self) -> Option<String> {
        self.shared.term().over_by(Instant::now(), self.shared.length)
    }

    /// Until when it is good, as it is now; nothing when it is lost.
    pub fn good_until(&self) -> Option<Instant> {
        let mut term = self.shared.term();
        let over = term.over_by(Instant::now(), self.shared.length);
        over.is_none().then_some(term.good_until)
    }

    /// Completes when it is good for longer than it was when this was called, or over by somebody's word. That its time
    /// has run out nobody notices here: whoever waits looks at the clock, too.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.shared.changed.listen()
    }

    /// Completes when it is lost, with words that say why. May be given up and asked again.
    pub fn lost(&self) -> impl Future<Output = String> + Send + use<> {
        let shared = self.shared.clone();
        async move {
            loop {
                let changed = shared.changed.listen();
                let good_until = {
                    let mut term = shared.term();
                    if let Some(why) = term.over_by(Instant::now(), shared.length) {
                        return why;
                    }
                    term.good_until
                };
                or(changed, async move {
                    Timer::at(good_until).await;
                })
                .await;
            }
        }
    }

    /// Lets go of everything that is held under it, as far as somebody can be told.
    pub async fn close(self) {
        let close = LeaseCommand::Close { token: self.shared.token };
        let told = async { self.namespace.write(close).await.map(drop) };
        let late = async {
            Timer::after(CLOSE_MAX).await;
            Ok(())
        };
        if let Err(failure) = or(told, late).await {
            log::debug!("nobody was told that the lease is over: {failure}");
        }
    }
}

impl Shared {
    fn term(&self) -> MutexGuard<'_, Term> {
        self.term.lock().expect("nothing panics while it holds this lock")
    }
}

impl Term {
    /// Why it is lost, if it is.
    fn over_by(&mut self, now: Instant, length: Duration) -> Option<String> {
        if self.over.is_none() && now >= self.good_until {
            let half = length.as_secs_f64() / 2.0;
            self.over = Some(format!("no server has confirmed the lease for {half} s, half of it"));
        }
        self.over.clone()
    }

    /// A renewal that was sent at `asked` was confirmed at `now`.
    fn extend(&mut self, asked: Instant, now: Instant, length: Duration) {
        if self.over_by(now, length).is_none() {
            self.good_until = self.good_until.max(asked + length / 2);
        }
    }
}

/// Says that the lease's holder is there, until it is over. Who does not answer in time is left: so one that hangs costs
/// no lease.
async fn renew(namespace: Namespace, shared: Arc<Shared>, mut asked: Instant, pace: Pace) {
    let Pace { every, answer_max } = pace;
    let mut client: Option<Client> = None;
    while shared.term().over.is_none() {
        Timer::at(asked + every).await;
        loop {
            asked = Instant::now();
            let asking = client.get_or_insert_with(|| namespace.another_client());
            match asking.ask(Ask::Renew { token: shared.token }, answer_max).await {
                Ok(Answer::Renewed { lease_ms }) => {
                    let length = shared.length.min(Duration::from_millis(lease_ms.into()));
                    shared.term().extend(asked, Instant::now(), length);
                    break;
                }
                Ok(Answer::Refused(denied)) => {
                    let words = denied.code.words();
                    shared.term().over.get_or_insert_with(|| format!("the servers say: {words}"));
                    break;
                }
                other => log::debug!("the lease is not renewed: {other:?}"),
            }
            client = None;
            if shared.term().over_by(Instant::now(), shared.length).is_some() {
                break;
            }
        }
        shared.changed.notify(usize::MAX);
    }
}

/// `lock on board1, pid 99`.
pub fn words_for(what: &str) -> String {
    let (host, pid) = (host_name(), std::process::id());
    let mut words = format!("{what} on {host}, pid {pid}");
    if words.len() > LEASE_WORDS_BYTES_MAX {
        words = format!("{what}, pid {pid}");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_when_a_renewal_was_sent_and_lost_is_lost() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let length = Duration::from_secs(10);
        let mut term = Term { good_until: at(5_000), over: None };
        term.extend(at(2_500), at(4_900), length);
        assert_eq!((term.good_until, term.over_by(at(7_499), length)), (at(7_500), None));
        // An older one that comes late takes nothing away.
        term.extend(at(1_000), at(7_000), length);
        assert_eq!(term.good_until, at(7_500));
        assert!(term.over_by(at(7_500), length).unwrap().contains("5 s"));
        term.extend(at(7_400), at(7_501), length);
        assert!(term.over_by(at(7_502), length).is_some(), "too late");
    }

    #[test]
    fn a_holder_says_who_it_is() {
        let words = words_for("lock");
        assert!(words.starts_with("lock") && words.ends_with(&format!("pid {}", std::process::id())));
    }
}
