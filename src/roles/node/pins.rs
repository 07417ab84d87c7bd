//! Pins: read views of all rows at one index, kept open for a backup or a comparison of members.
//!
//! ```text
//!   Begin ─▶ a slot free? ─▶ applied up to the index? ─▶ pinned under a random number
//!   Rows, Sum, Marks ─▶ one step, on a thread that may wait for the disk
//!   End, or no request for PIN_IDLE_MAX, or PIN_TIME_MAX is over ─▶ released
//! ```
//!
//! A pin does not belong to a connection, so a client can go on with it after its connection broke. Damage found by a step is
//! treated like damage found by the scrub: the store counts as lost.

use super::request::NodeRequest;
use crate::common::random::random_u64;
use ribbit_db::pin::{Pin, RowSum};
use ribbit_db::{self, DbError};
use ribbit_net::limits::{PIN_IDLE_MAX, PIN_TIME_MAX, PINS_MAX};
use ribbit_net::pinned::{PinAnswer, PinAsk, PinHead, PinId};
use ribbit_net::protocol::{Answer, UnavailableReason};
use ribbit_net::tasks;
use ribbit_replica::ReplicaFailure;
use ribbit_state::Token;
use ribbit_state::sync::MutexExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The pins of one member.
#[derive(Debug)]
pub(crate) struct Pins {
    open: Mutex<BTreeMap<PinId, OpenPin>>,
    idle_max: Duration,
    time_max: Duration,
    /// Test hook: pause before each step.
    pause: Option<Duration>,
}

/// An open pin.
struct OpenPin {
    pin: Arc<Pin>,
    /// Time at which it is released even if it is in use.
    end: Instant,
    /// Time of the last request.
    used: Instant,
}

impl std::fmt::Debug for OpenPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenPin").field("end", &self.end).field("used", &self.used).finish_non_exhaustive()
    }
}

impl Default for Pins {
    fn default() -> Pins {
        Pins { open: Mutex::default(), idle_max: PIN_IDLE_MAX, time_max: PIN_TIME_MAX, pause: None }
    }
}

impl Pins {
    /// Returns an empty set of pins. `pause`: test hook, the pause before each step.
    pub(crate) fn pausing(pause: Option<Duration>) -> Arc<Pins> {
        Arc::new(Pins { pause, ..Pins::default() })
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<PinId, OpenPin>> {
        self.open.locked()
    }

    fn has_place(&self) -> bool {
        self.open().len() < PINS_MAX
    }

    /// Keeps a pin until its time is over, and returns its number. `None` if all `PINS_MAX` slots are taken.
    fn insert(self: &Arc<Pins>, pin: Pin) -> Option<PinId> {
        let mut open = self.open();
        if open.len() >= PINS_MAX {
            return None;
        }
        let (id, now) = (random_u64(), Instant::now());
        open.insert(id, OpenPin { pin: Arc::new(pin), end: now + self.time_max, used: now });
        drop(open);
        let pins = self.clone();
        tasks::spawn(async move {
            while let Some(expiry) = pins.expiry(id) {
                smol::Timer::at(expiry).await;
            }
        })
        .detach();
        Some(id)
    }

    /// Returns the time at which a pin expires unless it is used. Removes it if that time has come. `None` once it is gone.
    fn expiry(&self, id: PinId) -> Option<Instant> {
        let mut open = self.open();
        let it = open.get(&id)?;
        let expiry = it.end.min(it.used + self.idle_max);
        if expiry <= Instant::now() {
            open.remove(&id);
            log::info!("released a pin: it was not used for too long, or its time limit is over");
            return None;
        }
        Some(expiry)
    }

    /// Returns a pin for one step, and records its use.
    fn get(&self, id: PinId) -> Option<Arc<Pin>> {
        let mut open = self.open();
        let it = open.get_mut(&id)?;
        it.used = Instant::now();
        Some(it.pin.clone())
    }

    fn end(&self, id: PinId) {
        self.open().remove(&id);
    }
}

impl NodeRequest<'_> {
    /// Answers a request about pins.
    pub(super) async fn pinned(&self, ask: PinAsk) -> Answer {
        let answered = match ask {
            PinAsk::Begin { at_least } => return self.begin_pin(at_least, None).await,
            PinAsk::BeginAt { at } => return self.begin_pin(Some(at), Some(at.index)).await,
            PinAsk::Rows { pin, after } => {
                self.step(pin, move |pin| Ok(PinAnswer::Rows(pin.next_rows(&after)?))).await
            }
            PinAsk::Sum { pin, after, to } => {
                let sum = move |pin: &Pin| {
                    let RowSum { rows, sum, stopped_at } = pin.sum(&after, to.as_deref())?;
                    Ok(PinAnswer::Sum { rows, sum, stopped_at })
                };
                self.step(pin, sum).await
            }
            PinAsk::Marks { pin, after, to } => {
                let marks = move |pin: &Pin| {
                    let (marks, more) = pin.hashes(&after, to.as_deref())?;
                    Ok(PinAnswer::Marks { marks, more })
                };
                self.step(pin, marks).await
            }
            PinAsk::End { pin } => {
                self.node.pins.end(pin);
                Ok(PinAnswer::Ended)
            }
        };
        self.or_damaged(answered)
    }

    async fn begin_pin(&self, at_least: Option<Token>, at: Option<u64>) -> Answer {
        if at_least.is_some_and(|token| token.history != self.member.identity.history) {
            return Answer::Unavailable(UnavailableReason::OtherHistory);
        }
        if !self.node.pins.has_place() {
            return Answer::Unavailable(UnavailableReason::Busy);
        }
        let reader = self.member.replica.reader().clone();
        // Registered before waiting, so that the writer ends a batch at this index.
        let wanted = at.map(|index| reader.request_pin(index));
        if let Some(token) = at_least
            && !self.wait_applied(token.index).await
        {
            return match at {
                Some(_) => Answer::Pin(PinAnswer::Passed { applied: reader.applied() }),
                None => Answer::Unavailable(UnavailableReason::Behind),
            };
        }
        let pinned = smol::unblock(move || {
            ribbit_db::catch_read_panics(|| match wanted {
                Some(wanted) => wanted.take(),
                None => reader.pin().map(|pin| (Some(pin), 0)),
            })
        })
        .await;
        match pinned {
            Ok((None, applied)) => Answer::Pin(PinAnswer::Passed { applied }),
            Ok((Some(pin), _)) => self.keep(pin),
            Err(error) => self.or_damaged(Err(error)),
        }
    }

    /// Keeps the pin and returns its head.
    fn keep(&self, pin: Pin) -> Answer {
        let identity = &self.member.identity;
        let mut head = PinHead {
            pin: 0,
            cluster: identity.cluster,
            history: identity.history,
            index: pin.position.index,
            term: pin.position.term,
            rules_level: pin.rules_level,
            rows: pin.rows,
            digest: pin.digest,
        };
        match self.node.pins.insert(pin) {
            Some(id) => {
                head.pin = id;
                Answer::Pin(PinAnswer::Held(head))
            }
            None => Answer::Unavailable(UnavailableReason::Busy),
        }
    }

    /// Runs one step on a pin, on a blocking thread.
    ///
    /// # Errors
    /// The store cannot be read or is damaged.
    async fn step(
        &self,
        id: PinId,
        step: impl FnOnce(&Pin) -> Result<PinAnswer, DbError> + Send + 'static,
    ) -> Result<PinAnswer, DbError> {
        let Some(pin) = self.node.pins.get(id) else { return Ok(PinAnswer::Gone) };
        if let Some(pause) = self.node.pins.pause {
            smol::Timer::after(pause).await;
        }
        smol::unblock(move || ribbit_db::catch_read_panics(|| step(&pin))).await
    }

    /// Turns a step's result into an answer. An error ends the process, as a damaged or failing store.
    fn or_damaged(&self, answered: Result<PinAnswer, DbError>) -> Answer {
        let why = match answered {
            Ok(answer) => return Answer::Pin(answer),
            Err(error) => {
                log::error!("cannot read pinned rows: {error}");
                let why = error.to_string();
                let _ = self.node.failed.try_send(ReplicaFailure::from(error));
                why
            }
        };
        Answer::Pin(PinAnswer::Damaged { why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_db::{FileDisk, Store};

    fn pins(idle_ms: u64, time_ms: u64) -> Arc<Pins> {
        let (idle_max, time_max) = (Duration::from_millis(idle_ms), Duration::from_millis(time_ms));
        Arc::new(Pins { idle_max, time_max, ..Pins::default() })
    }

    #[test]
    fn pins_are_bounded_and_expire_even_while_they_are_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(FileDisk::new(folder.path())).unwrap();
        let pin = || store.reader().pin().unwrap();
        let many = pins(60_000, 60_000);
        let first = many.insert(pin()).unwrap();
        (1..PINS_MAX).for_each(|_| assert!(many.insert(pin()).is_some()));
        assert!(!many.has_place() && many.insert(pin()).is_none());
        many.end(first);
        assert!(many.get(first).is_none() && many.insert(pin()).is_some());

        let gone = |pins: &Arc<Pins>, asks: bool| {
            let id = pins.insert(pin()).unwrap();
            // Ends, because the pin expires.
            while !pins.open().is_empty() {
                let _ = asks.then(|| pins.get(id));
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        gone(&pins(50, 60_000), false);
        gone(&pins(60_000, 50), true);
    }
}
