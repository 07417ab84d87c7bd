//! The rows at one index, kept for whoever makes a backup or compares members.
//!
//! ```text
//!   Begin ─▶ a place? ─▶ applied that far? ─▶ pinned, under a number by chance
//!   Rows, Sum, Marks ─▶ one step, on a thread that may wait for the disk
//!   End, or nobody asks for PIN_IDLE_MAX, or PIN_TIME_MAX is over ─▶ let go
//! ```
//!
//! A pin belongs to nobody's connection: one that was cut may be gone on with. What a step finds damaged goes the way of
//! lost stores, as what the scrub finds.

use super::service::Asking;
use crate::db::pin::{Pin, Sum};
use crate::db::{self, DbError};
use crate::net::limits::{PIN_IDLE_MAX, PIN_TIME_MAX, PINS_MAX};
use crate::net::pinned::{PinAnswer, PinAsk, PinHead, PinId};
use crate::net::protocol::{Answer, Why};
use crate::net::tasks;
use crate::replica::Failing;
use crate::state::Token;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The pins of one member.
#[derive(Debug)]
pub struct Pins {
    held: Mutex<BTreeMap<PinId, Held>>,
    idle_max: Duration,
    time_max: Duration,
    /// Before each step; for tests.
    pause: Option<Duration>,
}

struct Held {
    pin: Arc<Pin>,
    /// When it ends, whoever asks.
    end: Instant,
    used: Instant,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("end", &self.end).field("used", &self.used).finish_non_exhaustive()
    }
}

impl Default for Pins {
    fn default() -> Pins {
        Pins { held: Mutex::default(), idle_max: PIN_IDLE_MAX, time_max: PIN_TIME_MAX, pause: None }
    }
}

impl Pins {
    pub fn pausing(pause: Option<Duration>) -> Arc<Pins> {
        Arc::new(Pins { pause, ..Pins::default() })
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<PinId, Held>> {
        self.held.lock().expect("nobody panics while it holds this lock")
    }

    fn has_place(&self) -> bool {
        self.held().len() < PINS_MAX
    }

    /// Keeps it, if there is a place still, and lets go of it in time.
    fn keep(self: &Arc<Pins>, pin: Pin) -> Option<PinId> {
        let mut held = self.held();
        if held.len() >= PINS_MAX {
            return None;
        }
        let (id, now) = (super::random_u64(), Instant::now());
        held.insert(id, Held { pin: Arc::new(pin), end: now + self.time_max, used: now });
        drop(held);
        let pins = self.clone();
        tasks::spawn(async move {
            while let Some(until) = pins.until(id) {
                smol::Timer::at(until).await;
            }
        })
        .detach();
        Some(id)
    }

    /// When this one ends if nobody asks about it; nothing once it has ended.
    fn until(&self, id: PinId) -> Option<Instant> {
        let mut held = self.held();
        let it = held.get(&id)?;
        let until = it.end.min(it.used + self.idle_max);
        if until <= Instant::now() {
            held.remove(&id);
            log::info!("a pin of the rows was let go: nobody asked about it any more, or its time was over");
            return None;
        }
        Some(until)
    }

    /// The pin, for one step.
    fn of(&self, id: PinId) -> Option<Arc<Pin>> {
        let mut held = self.held();
        let it = held.get_mut(&id)?;
        it.used = Instant::now();
        Some(it.pin.clone())
    }

    fn end(&self, id: PinId) {
        self.held().remove(&id);
    }
}

impl Asking<'_> {
    pub(super) async fn pinned(&self, ask: PinAsk) -> Answer {
        let answered = match ask {
            PinAsk::Begin { at_least } => return self.begin_pin(at_least, None).await,
            PinAsk::BeginAt { at } => return self.begin_pin(Some(at), Some(at.index)).await,
            PinAsk::Rows { pin, after } => {
                self.step(pin, move |pin| Ok(PinAnswer::Rows(pin.next_rows(&after)?))).await
            }
            PinAsk::Sum { pin, after, to } => {
                let sum = move |pin: &Pin| {
                    let Sum { rows, sum, stopped_at } = pin.sum(&after, to.as_deref())?;
                    Ok(PinAnswer::Sum { rows, sum, stopped_at })
                };
                self.step(pin, sum).await
            }
            PinAsk::Marks { pin, after, to } => {
                let marks = move |pin: &Pin| {
                    let (marks, more) = pin.marks(&after, to.as_deref())?;
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
            return Answer::Unavailable(Why::OtherHistory);
        }
        if !self.node.pins.has_place() {
            return Answer::Unavailable(Why::Busy);
        }
        let reader = self.member.replica.reader().clone();
        // Before it is waited for: the writer stops there.
        let wanted = at.map(|index| reader.want_pin(index));
        if let Some(token) = at_least
            && !self.caught_up_with(token.index).await
        {
            return match at {
                Some(_) => Answer::Pin(PinAnswer::Passed { applied: reader.applied() }),
                None => Answer::Unavailable(Why::Behind),
            };
        }
        let pinned = smol::unblock(move || {
            db::reading(|| match wanted {
                Some(wanted) => wanted.take(),
                None => reader.pin().map(|pin| (Some(pin), 0)),
            })
        })
        .await;
        match pinned {
            Ok((None, applied)) => Answer::Pin(PinAnswer::Passed { applied }),
            Ok((Some(pin), _)) => self.held(pin),
            Err(error) => self.or_damaged(Err(error)),
        }
    }

    fn held(&self, pin: Pin) -> Answer {
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
        match self.node.pins.keep(pin) {
            Some(id) => {
                head.pin = id;
                Answer::Pin(PinAnswer::Held(head))
            }
            None => Answer::Unavailable(Why::Busy),
        }
    }

    async fn step(
        &self,
        id: PinId,
        step: impl FnOnce(&Pin) -> Result<PinAnswer, DbError> + Send + 'static,
    ) -> Result<PinAnswer, DbError> {
        let Some(pin) = self.node.pins.of(id) else { return Ok(PinAnswer::Gone) };
        if let Some(pause) = self.node.pins.pause {
            smol::Timer::after(pause).await;
        }
        smol::unblock(move || db::reading(|| step(&pin))).await
    }

    fn or_damaged(&self, answered: Result<PinAnswer, DbError>) -> Answer {
        let why = match answered {
            Ok(answer) => return Answer::Pin(answer),
            Err(error) => {
                log::error!("what is pinned cannot be read: {error}");
                let why = error.to_string();
                let _ = self.node.failed.try_send(Failing::from(error));
                why
            }
        };
        Answer::Pin(PinAnswer::Damaged { why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{FileDisk, Store};

    fn pins(idle_ms: u64, time_ms: u64) -> Arc<Pins> {
        let (idle_max, time_max) = (Duration::from_millis(idle_ms), Duration::from_millis(time_ms));
        Arc::new(Pins { idle_max, time_max, ..Pins::default() })
    }

    #[test]
    fn pins_are_few_and_end_by_themselves_even_when_somebody_goes_on_asking() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(FileDisk::new(folder.path()).unwrap()).unwrap();
        let pin = || store.reader().pin().unwrap();
        let many = pins(60_000, 60_000);
        let first = many.keep(pin()).unwrap();
        (1..PINS_MAX).for_each(|_| assert!(many.keep(pin()).is_some()));
        assert!(!many.has_place() && many.keep(pin()).is_none());
        many.end(first);
        assert!(many.of(first).is_none() && many.keep(pin()).is_some());

        let gone = |pins: &Arc<Pins>, asks: bool| {
            let id = pins.keep(pin()).unwrap();
            // However long: it comes to an end.
            while !pins.held().is_empty() {
                let _ = asks.then(|| pins.of(id));
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        gone(&pins(50, 60_000), false);
        gone(&pins(60_000, 50), true);
    }
}
