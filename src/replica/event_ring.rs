//! Ring buffer of the newest events of this node, for subscriptions to changes.
//!
//! ```text
//!   store thread ──publish──▶ ring of the newest events ◀──take── EventReader: cursor, interest ──▶ EventBatch, bounded
//!                   since ▲                  ▲ through
//! ```
//!
//! Invariants:
//! - The ring has every event with `since < index <= through`. A reader with a cursor in this range misses no event and
//!   gets none twice.
//! - A reader with an older cursor gets [`Lapsed`] and has to read its whole view again. This also happens to a reader
//!   that is too slow. So a slow reader takes no more memory than a fast one.
//!
//! Publishing never waits for readers, which take events at their own pace. The ring is empty at a start, except for
//! entries that are applied again from the log, and after a snapshot was installed.
//!
//! Not here: events on disk, and connections of subscribers.

use super::limits::{EVENT_BATCH_MAX, EVENT_SCAN_MAX};
use ribbit_state::LogIndex;
use ribbit_state::events::Event;
use ribbit_state::interest::Interest;
use ribbit_state::sync::RwLockExt;
use std::collections::VecDeque;
use std::sync::{RwLock, RwLockReadGuard};

/// Ring buffer of the newest events, shared by the store thread and the readers.
#[derive(Debug)]
pub struct EventRing {
    buffer: RwLock<Buffer>,
    /// Notified when `through` has risen.
    progress: event_listener::Event,
}

#[derive(Debug)]
struct Buffer {
    events: VecDeque<Event>,
    events_max: usize,
    /// Index up to which events may be missing.
    since: LogIndex,
    /// Index up to which all entries are applied and their events published.
    through: LogIndex,
}

/// Error of a reader with a cursor from before the events in the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapsed {
    /// Index at which to resume: a reader whose state is at least this new can follow from there.
    pub resume_at: LogIndex,
}

/// Events that a reader takes at once.
#[derive(Debug, PartialEq, Eq)]
pub struct EventBatch {
    pub events: heapless::Vec<Event, EVENT_BATCH_MAX>,
    /// New cursor: the reader has got all matching events up to here.
    pub cursor: LogIndex,
    /// True if further events are waiting.
    pub more: bool,
    /// True if the last event may have ended the session of the reader. The batch ends with it.
    pub doubtful: bool,
}

/// Position and interest of one subscription.
#[derive(Debug)]
pub struct EventReader {
    interest: Interest,
    cursor: LogIndex,
}

impl EventRing {
    /// Creates an empty ring of at most `events_max` events, on a node that has applied `applied`.
    pub fn new(applied: LogIndex, events_max: usize) -> EventRing {
        let buffer = Buffer { events: VecDeque::new(), events_max, since: applied, through: applied };
        EventRing { buffer: RwLock::new(buffer), progress: event_listener::Event::new() }
    }

    fn buffer(&self) -> RwLockReadGuard<'_, Buffer> {
        self.buffer.read_locked()
    }

    /// Publishes the events of applied entries, in order, up to index `through`. If a snapshot was `installed`, the events
    /// before it are dropped: a snapshot has no events, so some would be missing.
    pub fn publish(
        &self,
        installed: Option<LogIndex>,
        events: impl IntoIterator<Item = Event>,
        through: LogIndex,
    ) {
        let mut ring = self.buffer.write_locked();
        if let Some(index) = installed {
            ring.events.clear();
            ring.since = index;
        }
        for event in events {
            if event.index > ring.since {
                ring.push(event);
            }
        }
        ring.through = through;
        drop(ring);
        self.progress.notify(usize::MAX);
    }

    /// Returns the index up to which everything is applied and published.
    pub fn through(&self) -> LogIndex {
        self.buffer().through
    }

    /// Waits until a later index is published.
    pub async fn beyond(&self, index: LogIndex) {
        while self.through() <= index {
            let progress = self.progress.listen();
            if self.through() > index {
                return;
            }
            progress.await;
        }
    }
}

impl Buffer {
    fn push(&mut self, event: Event) {
        if self.events.len() == self.events_max
            && let Some(oldest) = self.events.pop_front()
        {
            self.since = oldest.index;
        }
        self.events.push_back(event);
    }

    /// Returns the place in the ring of the first event behind this index.
    ///
    /// # Errors
    /// [`Lapsed`] when events behind the index may be missing.
    fn behind(&self, index: LogIndex) -> Result<usize, Lapsed> {
        if index < self.since {
            return Err(Lapsed { resume_at: self.through });
        }
        Ok(self.events.partition_point(|event| event.index <= index))
    }
}

impl EventReader {
    /// Creates a reader that knows all events up to `cursor`. `interest` is as of the later index `at`, up to which
    /// everything is published; it is wound back to the cursor.
    ///
    /// # Errors
    /// [`Lapsed`] when events behind the cursor may be missing.
    pub fn begin(
        ring: &EventRing,
        mut interest: Interest,
        at: LogIndex,
        cursor: LogIndex,
    ) -> Result<EventReader, Lapsed> {
        let buffer = ring.buffer();
        let (first, end) = (buffer.behind(cursor)?, buffer.behind(at)?);
        buffer.events.range(first..end.max(first)).rev().for_each(|event| interest.rewind(&event.what));
        Ok(EventReader { interest, cursor })
    }

    /// Returns the next matching events. It examines at most `EVENT_SCAN_MAX`, so that no reader delays the others.
    ///
    /// # Errors
    /// [`Lapsed`] when the reader was too slow and events behind its cursor are missing.
    pub fn take(&mut self, ring: &EventRing) -> Result<EventBatch, Lapsed> {
        let buffer = ring.buffer();
        let first = buffer.behind(self.cursor)?;
        let mut events = heapless::Vec::new();
        let mut doubtful = false;
        for event in buffer.events.range(first..).take(EVENT_SCAN_MAX) {
            if let Some(received) = self.interest.received(event)
                && events.push(received).is_err()
            {
                break;
            }
            self.interest.advance(&event.what);
            self.cursor = event.index;
            doubtful = self.interest.may_end_session(&event.what);
            if doubtful {
                break;
            }
        }
        let more = buffer.events.back().is_some_and(|last| last.index > self.cursor);
        if !more {
            self.cursor = self.cursor.max(buffer.through);
        }
        Ok(EventBatch { events, cursor: self.cursor, more, doubtful })
    }

    /// Returns the current interest.
    pub fn interest(&self) -> &Interest {
        &self.interest
    }

    /// Returns the index up to which this reader has got all matching events.
    pub fn cursor(&self) -> LogIndex {
        self.cursor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ribbit_state::command::{Command, Proposal, Stamp};
    use ribbit_state::events::EventKind;
    use ribbit_state::interest::Topic;
    use ribbit_state::model::Model;
    use ribbit_state::{AccountId, Request, RequestId, TokenHash};

    const ME: AccountId = AccountId(1);
    /// Capacity of the ring.
    const HELD: usize = 8;

    /// Returns the feed interest of a user that follows no one.
    fn interest() -> Interest {
        let session = TokenHash([1; 32]);
        let create = Command::CreateAccount {
            username: "ada".into(),
            name: "Ada".into(),
            email: "a@b".into(),
            password_hash: String::new(),
            invitation: None,
        };
        let log_in = Command::LogIn {
            account: ME,
            credential_version: 1,
            token: session,
            device: String::new(),
            app: None,
        };
        let mut model = Model::new();
        for (index, command) in [(1, create), (2, log_in)] {
            let request = Request { id: RequestId(index.into()), submitted_at: 0, origin: None, command };
            let stamp = Stamp { wall_ms: 0, age_ms: 0 };
            model.apply(index, &Proposal { stamp, request }).expect("carried out");
        }
        Interest::load(&model, &Topic::feed(session)).expect("readable").expect("open")
    }

    fn croaked(index: LogIndex) -> Event {
        Event::new(index, EventKind::Croaked { author: ME })
    }

    #[test]
    fn a_slow_follower_lapses_and_takes_no_memory() {
        let ring = EventRing::new(2, HELD);
        let mut slow = EventReader::begin(&ring, interest(), 2, 2).expect("all is known");
        for index in 3..=10 {
            ring.publish(None, [croaked(index)], index);
        }
        assert_eq!(slow.take(&ring).expect("just in time").events.len(), HELD);
        for index in 11..=19 {
            ring.publish(None, [croaked(index)], index);
        }
        assert_eq!(slow.take(&ring), Err(Lapsed { resume_at: 19 }));
        assert_eq!(ring.buffer().events.len(), HELD);
        let begin = |cursor| EventReader::begin(&ring, interest(), 19, cursor).map(drop);
        assert_eq!((begin(10), begin(11)), (Err(Lapsed { resume_at: 19 }), Ok(())));
    }

    #[test]
    fn a_batch_is_bounded_and_ends_where_the_session_may_end() {
        let ring = EventRing::new(2, 4 * EVENT_BATCH_MAX);
        let last = EVENT_BATCH_MAX as u64 + 10;
        ring.publish(None, (3..=last).map(croaked), last);
        ring.publish(None, [Event::new(last + 1, EventKind::SessionClosed { account: ME })], last + 1);
        ring.publish(None, [croaked(last + 2)], last + 2);
        let mut reader = EventReader::begin(&ring, interest(), 2, 2).expect("all is known");
        let batch = reader.take(&ring).expect("in time");
        assert_eq!((batch.events.len(), batch.more, batch.doubtful), (EVENT_BATCH_MAX, true, false));
        let batch = reader.take(&ring).expect("in time");
        assert_eq!((batch.cursor, batch.more, batch.doubtful), (last + 1, true, true));
        assert_eq!(reader.take(&ring).expect("in time").events.len(), 1);
    }

    #[test]
    fn events_that_do_not_match_move_the_cursor() {
        let ring = EventRing::new(2, HELD);
        let mut reader = EventReader::begin(&ring, interest(), 2, 2).expect("all is known");
        for index in 3..100 {
            ring.publish(None, [Event::new(index, EventKind::Croaked { author: AccountId(9) })], index);
            ring.publish(None, [], index);
            let batch = reader.take(&ring).expect("in time");
            assert!(batch.events.is_empty() && batch.cursor == index);
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// Apply entries: for each its distance from the previous one, and its kind.
        Apply(Vec<(u64, u8)>),
        /// Install a snapshot this many entries ahead.
        Install(u64),
        Take,
        /// Begin a reader this many entries behind the applied index.
        Begin(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => proptest::collection::vec((1..4u64, 0..6u8), 0..6).prop_map(Step::Apply),
            1 => (1..5u64).prop_map(Step::Install),
            4 => Just(Step::Take),
            2 => (0..30u64).prop_map(Step::Begin),
        ]
    }

    fn happening(kind: u8) -> Option<EventKind> {
        let (account, friend) = (ME, AccountId(9));
        Some(match kind {
            0 => return None,
            1 => EventKind::Croaked { author: ME },
            2 => EventKind::FriendAdded { account, friend },
            3 => EventKind::FriendRemoved { account, friend },
            _ => EventKind::Croaked { author: friend },
        })
    }

    /// Model of the ring: all events, and those that a reader has to get.
    #[derive(Default)]
    struct Oracle {
        events: Vec<Event>,
        follows: Vec<(LogIndex, bool)>,
        installed: LogIndex,
        applied: LogIndex,
    }

    impl Oracle {
        fn follows(&self, before: LogIndex) -> bool {
            self.follows.iter().rev().find(|(at, _)| *at < before).is_some_and(|(_, follows)| *follows)
        }
        /// Applies an entry as the rules do: adding a friend twice has no event.
        fn apply(&mut self, index: LogIndex, what: Option<EventKind>) -> Option<EventKind> {
            self.applied = index;
            let told = what.filter(|what| match what {
                EventKind::FriendAdded { .. } => !self.follows(index),
                EventKind::FriendRemoved { .. } => self.follows(index),
                _ => true,
            });
            match told {
                Some(EventKind::FriendAdded { .. }) => self.follows.push((index, true)),
                Some(EventKind::FriendRemoved { .. }) => self.follows.push((index, false)),
                _ => {}
            }
            self.events.extend(told.clone().map(|what| Event::new(index, what)));
            told
        }
        fn wanted(&self, from: LogIndex, to: LogIndex) -> Vec<Event> {
            let between = self.events.iter().filter(|event| from < event.index && event.index <= to);
            let wanted = |event: &&Event| match event.what {
                EventKind::Croaked { author } => author == ME || self.follows(event.index),
                _ => true,
            };
            between.filter(wanted).cloned().collect()
        }
        /// Returns the index up to which events may be missing.
        fn since(&self) -> LogIndex {
            let kept: Vec<_> = self.events.iter().filter(|event| event.index > self.installed).collect();
            kept.len().checked_sub(HELD + 1).map_or(self.installed, |place| kept[place].index)
        }
        /// Returns the current interest.
        fn interest(&self) -> Interest {
            let mut interest = interest();
            if self.follows(LogIndex::MAX) {
                interest.advance(&EventKind::FriendAdded { account: ME, friend: AccountId(9) });
            }
            interest
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        #[test]
        fn no_event_is_missed_or_delivered_twice(steps in proptest::collection::vec(step(), 0..60)) {
            let mut oracle = Oracle { installed: 2, applied: 2, ..Oracle::default() };
            let ring = EventRing::new(2, HELD);
            // A reader, its first cursor, and the events that it got.
            let mut reader: Option<(EventReader, LogIndex, Vec<Event>)> = None;
            for step in steps {
                match step {
                    Step::Apply(entries) => {
                        let mut told = Vec::new();
                        for (gap, kind) in entries {
                            let index = oracle.applied + gap;
                            told.extend(oracle.apply(index, happening(kind)).map(|what| Event::new(index, what)));
                        }
                        ring.publish(None, told, oracle.applied);
                    }
                    Step::Install(ahead) => {
                        oracle.applied += ahead;
                        oracle.installed = oracle.applied;
                        ring.publish(Some(oracle.applied), [], oracle.applied);
                    }
                    Step::Begin(behind) => {
                        let cursor = oracle.applied.saturating_sub(behind);
                        let began = EventReader::begin(&ring, oracle.interest(), oracle.applied, cursor);
                        prop_assert_eq!(began.is_err(), cursor < oracle.since());
                        reader = began.ok().map(|follower| (follower, cursor, Vec::new()));
                    }
                    Step::Take => {
                        let Some((follower, began, told)) = reader.as_mut() else { continue };
                        let lapsed = follower.cursor() < oracle.since();
                        match follower.take(&ring) {
                            Ok(batch) => {
                                prop_assert!(!lapsed && !batch.more);
                                prop_assert_eq!(batch.cursor, oracle.applied);
                                told.extend(batch.events);
                                prop_assert_eq!(&*told, &oracle.wanted(*began, batch.cursor));
                            }
                            Err(Lapsed { resume_at }) => {
                                prop_assert!(lapsed && resume_at == oracle.applied);
                                reader = None;
                            }
                        }
                    }
                }
            }
        }
    }
}
