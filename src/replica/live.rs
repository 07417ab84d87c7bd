//! What this node has applied lately, for readers who follow it.
//!
//! ```text
//!   store thread ──publish──▶ ring of the newest events ◀──take── Follower: cursor, interest ──▶ Batch, bounded
//!                   since ▲                  ▲ through
//! ```
//!
//! Invariants: the ring holds every event with `since < index <= through`, so a follower whose cursor lies in there
//! misses nothing and gets nothing twice; one whose cursor lies before it is told so ([`Lapsed`]) and reads again
//! what it shows. It is told the same after it fell so far behind that the ring has turned over: a slow reader costs
//! no more memory than a quick one.
//!
//! Publishing never waits for readers: they look when they like. The ring begins empty at a start, with what is
//! applied again from the log behind it, and where a snapshot was installed. What it does not do: keep events on disk, or know who reads.

use super::limits::{LIVE_BATCH_MAX, LIVE_SCAN_MAX};
use crate::state::LogIndex;
use crate::state::events::{Event, Happening, Interest};
use std::collections::VecDeque;
use std::sync::{RwLock, RwLockReadGuard};

/// The newest events of this node.
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
    /// Up to here, events may be missing.
    since: LogIndex,
    /// Up to here, everything was applied.
    through: LogIndex,
}

/// What followed the cursor is not known here any more, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapsed {
    /// A reader who reads again, at least as new as this, can follow from there.
    pub resume_at: LogIndex,
}

/// What a follower is told in one go.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    pub events: heapless::Vec<Event, LIVE_BATCH_MAX>,
    /// Everything that the follower wants up to here has been told with this batch.
    pub cursor: LogIndex,
    /// There may be more at once.
    pub more: bool,
    /// The last event may have ended the session that it is read under: nothing behind it is in this batch.
    pub doubtful: bool,
}

/// One reader's place in the stream.
#[derive(Debug)]
pub struct Follower {
    interest: Interest,
    cursor: LogIndex,
}

impl Live {
    /// An empty ring of at most so many events, on a node that has applied this far.
    pub fn new(applied: LogIndex, events_max: usize) -> Live {
        let ring = Ring { events: VecDeque::new(), events_max, since: applied, through: applied };
        Live { ring: RwLock::new(ring), progress: event_listener::Event::new() }
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().expect("nobody panics while holding this lock")
    }

    /// Takes in what was applied, up to `through`, in order. A snapshot that was `installed` on the way is no list
    /// of events: nothing is known of what came before.
    pub fn publish(
        &self,
        installed: Option<LogIndex>,
        applied: impl IntoIterator<Item = (LogIndex, Option<Happening>)>,
        through: LogIndex,
    ) {
        let mut ring = self.ring.write().expect("nobody panics while holding this lock");
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

    /// Up to where everything was applied and published.
    pub fn through(&self) -> LogIndex {
        self.ring().through
    }

    /// Waits until there is something behind this index.
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

    /// The first place behind this index; `Lapsed` when something behind it may be missing.
    fn behind(&self, index: LogIndex) -> Result<usize, Lapsed> {
        if index < self.since {
            return Err(Lapsed { resume_at: self.through });
        }
        Ok(self.events.partition_point(|event| event.index <= index))
    }
}

impl Follower {
    /// A reader that knows everything up to `cursor`, with its interest as of the later index `at`, up to which
    /// everything is published.
    ///
    /// # Errors
    /// The cursor lies before what is known here.
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

    /// The next events that are wanted. Looks at no more than `LIVE_SCAN_MAX`, so that nobody holds up the rest.
    ///
    /// # Errors
    /// The follower has fallen behind what is known here.
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

    pub fn interest(&self) -> &Interest {
        &self.interest
    }

    pub fn cursor(&self) -> LogIndex {
        self.cursor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::command::{Command, Proposal, Stamp};
    use crate::state::events::Wanted;
    use crate::state::model::Model;
    use crate::state::{AccountId, Request, RequestId, TokenHash};
    use proptest::prelude::*;

    const ME: AccountId = AccountId(1);
    const HELD: usize = 8;

    /// Of somebody who follows nobody yet.
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

    fn croaked(index: LogIndex) -> (LogIndex, Option<Happening>) {
        (index, Some(Happening::Croaked { author: ME }))
    }

    #[test]
    fn who_looks_too_late_is_told_so_and_costs_nothing() {
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
    fn a_batch_is_bounded_and_ends_where_the_session_may() {
        let live = Live::new(2, 4 * LIVE_BATCH_MAX);
        let last = LIVE_BATCH_MAX as u64 + 10;
        live.publish(None, (3..=last).map(croaked), last);
        live.publish(None, [(last + 1, Some(Happening::SessionClosed { account: ME }))], last + 1);
        live.publish(None, [croaked(last + 2)], last + 2);
        let mut reader = Follower::begin(&live, interest(), 2, 2).expect("all is known");
        let batch = reader.take(&live).expect("in time");
        assert_eq!((batch.events.len(), batch.more, batch.doubtful), (LIVE_BATCH_MAX, true, false));
        let batch = reader.take(&live).expect("in time");
        assert_eq!((batch.cursor, batch.more, batch.doubtful), (last + 1, true, true));
        assert_eq!(reader.take(&live).expect("in time").events.len(), 1);
    }

    #[test]
    fn what_nobody_wants_moves_the_cursor_all_the_same() {
        let live = Live::new(2, HELD);
        let mut reader = Follower::begin(&live, interest(), 2, 2).expect("all is known");
        for index in 3..100 {
            live.publish(None, [(index, Some(Happening::Croaked { author: AccountId(9) }))], index);
            live.publish(None, [(index, None)], index);
            let batch = reader.take(&live).expect("in time");
            assert!(batch.events.is_empty() && batch.cursor == index);
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// So many events, each so far behind the one before it.
        Apply(Vec<(u64, u8)>),
        /// A snapshot this far ahead.
        Install(u64),
        Take,
        /// Another reader, this far behind what is applied.
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

    fn happening(kind: u8) -> Option<Happening> {
        let (account, friend) = (ME, AccountId(9));
        Some(match kind {
            0 => return None,
            1 => Happening::Croaked { author: ME },
            2 => Happening::FriendAdded { account, friend },
            3 => Happening::FriendRemoved { account, friend },
            _ => Happening::Croaked { author: friend },
        })
    }

    /// All that ever happened, and what a reader of it is told: known without a ring.
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
        /// As the rules do: who is a friend already is not added again.
        fn apply(&mut self, index: LogIndex, what: Option<Happening>) -> Option<Happening> {
            self.applied = index;
            let told = what.filter(|what| match what {
                Happening::FriendAdded { .. } => !self.follows(index),
                Happening::FriendRemoved { .. } => self.follows(index),
                _ => true,
            });
            match told {
                Some(Happening::FriendAdded { .. }) => self.follows.push((index, true)),
                Some(Happening::FriendRemoved { .. }) => self.follows.push((index, false)),
                _ => {}
            }
            self.events.extend(told.clone().map(|what| Event { index, what }));
            told
        }
        fn wanted(&self, from: LogIndex, to: LogIndex) -> Vec<Event> {
            let between = self.events.iter().filter(|event| from < event.index && event.index <= to);
            let wanted = |event: &&Event| match event.what {
                Happening::Croaked { author } => author == ME || self.follows(event.index),
                _ => true,
            };
            between.filter(wanted).cloned().collect()
        }
        /// Up to where something may be missing.
        fn since(&self) -> LogIndex {
            let kept: Vec<_> = self.events.iter().filter(|event| event.index > self.installed).collect();
            kept.len().checked_sub(HELD + 1).map_or(self.installed, |place| kept[place].index)
        }
        /// Somebody's interest as of now.
        fn interest(&self) -> Interest {
            let mut interest = interest();
            if self.follows(LogIndex::MAX) {
                interest.advance(&Happening::FriendAdded { account: ME, friend: AccountId(9) });
            }
            interest
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        #[test]
        fn nobody_misses_anything_or_is_told_twice(steps in proptest::collection::vec(step(), 0..60)) {
            let mut oracle = Oracle { installed: 2, applied: 2, ..Oracle::default() };
            let live = Live::new(2, HELD);
            // A reader, where it began, and what it was told.
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
