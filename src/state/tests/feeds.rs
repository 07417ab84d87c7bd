//! Feeds with a timeline: long ones, read in any order, while croaks, follows and deletions come between.

use super::{Log, token};
use crate::caches::ring::{Ring, RingChange};
use crate::caches::timelines::{Authors, Timeline, Timelines};
use crate::command::Command;
use crate::ids::{AccountId, LogIndex};
use crate::limits::{FOLLOW_CHANGES_KEPT, TIMELINES_BYTES_MAX};
use crate::model::Model;
use crate::rule::Bounds;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

const PEOPLE: [&str; 6] = ["ada", "ben", "cid", "dot", "eve", "fay"];

/// Step between pages.
#[derive(Debug, Clone)]
enum Step {
    Croaks {
        by: usize,
        count: u64,
    },
    Follow {
        whom: usize,
    },
    Unfollow {
        whom: usize,
    },
    Index,
    /// Reads a page before the croak at this permille of the log; the newest page for 1000.
    Read {
        at: u64,
        limit: u16,
    },
    /// Reads pages one after the other.
    Turn {
        pages: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6usize, 1..120u64).prop_map(|(by, count)| Step::Croaks { by, count }),
        1 => (1..6usize).prop_map(|whom| Step::Follow { whom }),
        1 => (1..6usize).prop_map(|whom| Step::Unfollow { whom }),
        1 => Just(Step::Index),
        3 => (0..=1000u64, 1..=50u16).prop_map(|(at, limit)| Step::Read { at, limit }),
        2 => (1..12usize).prop_map(|pages| Step::Turn { pages }),
    ];
    proptest::collection::vec(step, 10..60)
}

/// A history with what ada's feed has to show.
struct Pond {
    log: Log,
    croaks: Vec<(LogIndex, usize)>,
    followed: BTreeSet<usize>,
}

impl Pond {
    fn new() -> Pond {
        let mut log = Log::new(Model::within(Bounds::PRODUCTION, 200));
        for name in PEOPLE {
            log.person(name);
        }
        Pond { log, croaks: Vec::new(), followed: BTreeSet::from([0]) }
    }

    fn expected(&self, before: LogIndex, limit: usize) -> (Vec<LogIndex>, Option<LogIndex>) {
        let heard = self.croaks.iter().rev().filter(|(id, by)| *id < before && self.followed.contains(by));
        let ids: Vec<LogIndex> = heard.map(|(id, _)| *id).collect();
        let older = ids.get(limit).map(|_| ids[limit - 1]);
        (ids.into_iter().take(limit).collect(), older)
    }

    fn read(&self, before: Option<LogIndex>, limit: u16) -> Option<LogIndex> {
        let page = self.log.feed("ada", before, limit);
        assert_eq!(page, self.expected(before.unwrap_or(LogIndex::MAX), limit.into()), "before {before:?}");
        page.1
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Croaks { by, count } => {
                for _ in 0..count {
                    self.croaks.push((self.log.croak(PEOPLE[by], "ribbit"), by));
                }
            }
            Step::Follow { whom } => {
                if self.followed.insert(whom) {
                    self.log.befriend("ada", PEOPLE[whom]).unwrap();
                }
            }
            Step::Unfollow { whom } => {
                if self.followed.remove(&whom) {
                    let username = PEOPLE[whom].into();
                    self.log.run(Command::RemoveFriend { session: token("ada"), username }).unwrap();
                }
            }
            Step::Index => {
                self.log.steps(&Command::IndexCroaks);
            }
            Step::Read { at, limit } => {
                let before = (at < 1000).then(|| self.log.index() * at / 1000);
                self.read(before, limit);
            }
            Step::Turn { pages } => {
                let mut before = None;
                for _ in 0..pages {
                    before = self.read(before, 50);
                    if before.is_none() {
                        break;
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_feed_shows_the_same_with_a_timeline(steps in steps()) {
        let mut pond = Pond::new();
        steps.iter().for_each(|step| pond.run(step));
    }
}

#[test]
fn a_deleted_friend_is_gone_from_a_timeline_that_was_read() {
    let mut pond = Pond::new();
    for by in [1, 2, 1, 0] {
        pond.run(&Step::Follow { whom: by.max(1) });
        pond.run(&Step::Croaks { by, count: 60 });
    }
    pond.run(&Step::Turn { pages: 5 });
    pond.log.delete("ben");
    pond.croaks.retain(|(_, by)| *by != 1);
    pond.run(&Step::Turn { pages: 5 });
}

#[test]
fn a_timeline_of_an_older_view_is_not_used_after_a_follow_change() {
    let (reader, friend) = (AccountId(1), AccountId(2));
    let mut ring = Ring::with_capacity(4);
    ring.follow(RingChange::Croak(3, friend));
    let timelines = Timelines::default();
    let known = |ring: &Ring, at| timelines.get(reader, ring.seen_at(at)).is_some();
    let read_at = |ring: &Ring, at| {
        let timeline = Timeline::new(Authors::new([reader]), ring.seen_at(at));
        timelines.put(reader, Arc::new(timeline));
    };
    read_at(&ring, 5);
    assert!(known(&ring, 5) && known(&ring, 9) && !known(&ring, 4));
    // The change is known before its transaction is committed, and a reader still sees the state at 5.
    ring.follow(RingChange::Followed(6, reader));
    read_at(&ring, 5);
    assert!(!known(&ring, 6));
    read_at(&ring, 6);
    assert!(known(&ring, 7));
    for index in 0..=FOLLOW_CHANGES_KEPT as u64 {
        ring.follow(RingChange::Followed(8 + index, friend));
    }
    assert!(!known(&ring, 1 << 20), "the changes since then are not all kept");
}

#[test]
fn the_timelines_of_all_readers_together_are_bounded() {
    let (ring, timelines) = (Ring::default(), Timelines::default());
    let friends = || (0..1_000).map(AccountId);
    for reader in 0..4_000 {
        let timeline = Timeline::new(Authors::new(friends()), ring.seen_at(1));
        timelines.put(AccountId(reader), Arc::new(timeline));
        assert!(timelines.bytes() <= TIMELINES_BYTES_MAX);
        timelines.get(AccountId(0), ring.seen_at(1)).expect("one that is used stays");
    }
}
