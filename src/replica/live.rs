//! Ring buffer of the newest events of this node, for subscriptions to changes.
//!
//! ```text
//!   store thread ──publish──▶ ring of the newest events ◀──take── Follower: cursor, interest ──▶ Batch, bounded
//!                   since ▲                  ▲ through
//! ```
//!
//! Invariants:
//! - The ring has every event with `since < index <= through`. A follower with a cursor in this range misses no event and
//!   gets none twice.
//! - A follower with an older cursor gets [`Lapsed`] and has to read its whole view again. This also happens to a follower
//!   that is too slow. So a slow follower takes no more memory than a fast one.
//!
//! Publishing never waits for followers, which take events at their own pace. The ring is empty at a start, except for
//! entries that are applied again from the log, and after a snapshot was installed.
//!
//! Not here: events on disk, and connections of subscribers.

use super::limits::{LIVE_BATCH_MAX, LIVE_SCAN_MAX};
use ribbit_state::LogIndex;
use ribbit_state::events::{Event, EventKind, Interest};
use std::collections::VecDeque;
use std::sync::{RwLock, RwLockReadGuard};

/// Ring buffer of the newest events, shared by the store thread and the followers.
#[derive(Debug)]
pub struct Live {
    ring: RwLock<Ring>,
    /// Notified when `through` has risen.
    progress: event_listener::Event,
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Event>,
    events_max: usize,
    /// Index up to which events may be missing.
    since: LogIndex,
    /// Index up to which all entries are applied and their events published.
    through: LogIndex,
}

/// Error of a follower with a cursor from before the events in the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapsed {
    /// Index at which to resume: a reader whose state is at least this new can follow from there.
    pub resume_at: LogIndex,
}

/// Events that a follower takes at once.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    pub events: heapless::Vec<Event, LIVE_BATCH_MAX>,
    /// New cursor: the follower has got all matching events up to here.
    pub cursor: LogIndex,
    /// True if further events are waiting.
    pub more: bool,
    /// True if the last event may have ended the session of the follower. The batch ends with it.
    pub doubtful: bool,
}

/// Position and interest of one subscription.
#[derive(Debug)]
pub struct Follower {
    interest: Interest,
    cursor: LogIndex,
}

impl Live {
    /// Creates an empty ring of at most `events_max` events, on a node that has applied `applied`.
    pub fn new(applied: LogIndex, events_max: usize) -> Live {
        let ring = Ring { events: VecDeque::new(), events_max, since: applied, through: applied };
        Live { ring: RwLock::new(ring), progress: event_listener::Event::new() }
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().expect("no thread panics while it holds this lock")
    }

    /// Publishes the events of applied entries, in order, up to index `through`. If a snapshot was `installed`, the events
    /// before it are dropped: a snapshot has no events, so some would be missing.
    pub fn publish(
        &self,
        installed: Option<LogIndex>,
        applied: impl IntoIterator<Item = (LogIndex, Option<EventKind>)>,
        through: LogIndex,
    ) {
        let mut ring = self.ring.write().expect("no thread panics while it holds this lock");
        if let Some(index) = installed {
            ring.events.clear();
            ring.since = index;
        }
        for (index, what) in applied {
            if let Some(what) = what
                && index > ring.since
            {
                ring.push(Event { index, what });
            }
        }
        ring.through = through;
        drop(ring);
        self.progress.notify(usize::MAX);
    }

    /// Returns the index up to which everything is applied and published.
    pub fn through(&self) -> LogIndex {
        self.ring().through
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

impl Ring {
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

impl Follower {
    /// Creates a follower that knows all events up to `cursor`. `interest` is as of the later index `at`, up to which
    /// everything is published; it is wound back to the cursor.
    ///
    /// # Errors
    /// [`Lapsed`] when events behind the cursor may be missing.
    pub fn begin(
        live: &Live,
        mut interest: Interest,
        at: LogIndex,
        cursor: LogIndex,
    ) -> Result<Follower, Lapsed> {
        let ring = live.ring();
        let (first, end) = (ring.behind(cursor)?, ring.behind(at)?);
        ring.events.range(first..end.max(first)).rev().for_each(|event| interest.rewind(&event.what));
        Ok(Follower { interest, cursor })
    }

    /// Returns the next matching events. It examines at most `LIVE_SCAN_MAX`, so that no follower delays the others.
    ///
    /// # Errors
    /// [`Lapsed`] when the follower was too slow and events behind its cursor are missing.
    pub fn take(&mut self, live: &Live) -> Result<Batch, Lapsed> {
        let ring = live.ring();
        let first = ring.behind(self.cursor)?;
        let mut events = heapless::Vec::new();
        let mut doubtful = false;
        for event in ring.events.range(first..).take(LIVE_SCAN_MAX) {
            if self.interest.wants(&event.what) && events.push(event.clone()).is_err() {
                break;
            }
            self.interest.advance(&event.what);
            self.cursor = event.index;
            doubtful = self.interest.doubts(&event.what);
            if doubtful {
                break;
            }
        }
        let more = ring.events.back().is_some_and(|last| last.index > self.cursor);
        if !more {
            self.cursor = self.cursor.max(ring.through);
        }
        Ok(Batch { events, cursor: self.cursor, more, doubtful })
    }

    /// Returns the current interest.
    pub fn interest(&self) -> &Interest {
        &self.interest
    }

    /// Returns the index up to which this follower has got all matching events.
    pub fn cursor(&self) -> LogIndex {
        self.cursor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ribbit_state::command::{Command, Proposal, Stamp};
    use ribbit_state::events::Wanted;
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
        };
        let log_in = Command::LogIn { account: ME, credential_version: 1, token: session };
        let mut model = Model::new();
        for (index, command) in [(1, create), (2, log_in)] {
            let request = Request { id: RequestId(index.into()), born: 0, command };
            let stamp = Stamp { wall_ms: 0, age_ms: 0 };
            model.apply(index, &Proposal { stamp, request }).expect("carried out");
        }
        Interest::load(&model, &Wanted::Feed { session }).expect("readable").expect("open")
    }

    fn croaked(index: LogIndex) -> (LogIndex, Option<EventKind>) {
        (index, Some(EventKind::Croaked { author: ME }))
    }

    #[test]
    fn a_slow_follower_lapses_and_takes_no_memory() {
        let live = Live::new(2, HELD);
        let mut slow = Follower::begin(&live, interest(), 2, 2).expect("all is known");
        for index in 3..=10 {
            live.publish(None, [croaked(index)], index);
        }
        assert_eq!(slow.take(&live).expect("just in time").events.len(), HELD);
        for index in 11..=19 {
            live.publish(None, [croaked(index)], index);
        }
        assert_eq!(slow.take(&live), Err(Lapsed { resume_at: 19 }));
        assert_eq!(live.ring().events.len(), HELD);
        let begin = |cursor| Follower::begin(&live, interest(), 19, cursor).map(drop);
        assert_eq!((begin(10), begin(11)), (Err(Lapsed { resume_at: 19 }), Ok(())));
    }

    #[test]
    fn a_batch_is_bounded_and_ends_where_the_session_may_end() {
        let live = Live::new(2, 4 * LIVE_BATCH_MAX);
        let last = LIVE_BATCH_MAX as u64 + 10;
        live.publish(None, (3..=last).map(croaked), last);
        live.publish(None, [(last + 1, Some(EventKind::SessionClosed { account: ME }))], last + 1);
        live.publish(None, [croaked(last + 2)], last + 2);
        let mut reader = Follower::begin(&live, interest(), 2, 2).expect("all is known");
        let batch = reader.take(&live).expect("in time");
        assert_eq!((batch.events.len(), batch.more, batch.doubtful), (LIVE_BATCH_MAX, true, false));
        let batch = reader.take(&live).expect("in time");
        assert_eq!((batch.cursor, batch.more, batch.doubtful), (last + 1, true, true));
        assert_eq!(reader.take(&live).expect("in time").events.len(), 1);
    }

    #[test]
    fn events_that_do_not_match_move_the_cursor() {
        let live = Live::new(2, HELD);
        let mut reader = Follower::begin(&live, interest(), 2, 2).expect("all is known");
        for index in 3..100 {
            live.publish(None, [(index, Some(EventKind::Croaked { author: AccountId(9) }))], index);
            live.publish(None, [(index, None)], index);
            let batch = reader.take(&live).expect("in time");
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
        /// Begin a follower this many entries behind the applied index.
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

    /// Model of the ring: all events, and those that a follower has to get.
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
            self.events.extend(told.clone().map(|what| Event { index, what }));
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
            let live = Live::new(2, HELD);
            // A follower, its first cursor, and the events that it got.
            let mut reader: Option<(Follower, LogIndex, Vec<Event>)> = None;
            for step in steps {
                match step {
                    Step::Apply(entries) => {
                        let mut told = Vec::new();
                        for (gap, kind) in entries {
                            let index = oracle.applied + gap;
                            told.push((index, oracle.apply(index, happening(kind))));
                        }
                        live.publish(None, told, oracle.applied);
                    }
                    Step::Install(ahead) => {
                        oracle.applied += ahead;
                        oracle.installed = oracle.applied;
                        live.publish(Some(oracle.applied), [], oracle.applied);
                    }
                    Step::Begin(behind) => {
                        let cursor = oracle.applied.saturating_sub(behind);
                        let began = Follower::begin(&live, oracle.interest(), oracle.applied, cursor);
                        prop_assert_eq!(began.is_err(), cursor < oracle.since());
                        reader = began.ok().map(|follower| (follower, cursor, Vec::new()));
                    }
                    Step::Take => {
                        let Some((follower, began, told)) = reader.as_mut() else { continue };
                        let lapsed = follower.cursor() < oracle.since();
                        match follower.take(&live) {
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
