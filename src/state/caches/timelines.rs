//! Feeds of active readers, in memory: for each reader the accounts in the feed and the ids of its newest croaks.
//!
//! ```text
//!   newest window: before ────────────── through     older window: before ──── through
//!                  all croaks of the feed in between                all in between, after a jump to an older page
//! ```
//!
//! A timeline holds ids only. A page is made from the rows of the view that is read, so a croak or an account that is gone
//! from the rows is gone from the page. What a timeline says about follows is checked against the ring: it is dropped as
//! soon as its reader follows or unfollows an account ([`RingView::followed_since`]), and when the ring no longer reaches
//! back to the index at which it was read.
//!
//! The cache is not part of the replicated state. A feed is the same with a timeline and without one, only slower.

use super::ring::RingView;
use super::search_index::SearchIndex;
use crate::ids::{AccountId, LogIndex};
use crate::limits::{TIMELINE_WINDOW_MAX, TIMELINES_BYTES_MAX};
use crate::sync::MutexExt;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

/// Bits of the filter per author; its size is rounded up to a power of two.
const FILTER_BITS_PER_AUTHOR: usize = 16;

/// A set of accounts that is asked for many more accounts than it contains.
#[derive(Debug)]
pub(crate) struct Authors {
    sorted: Vec<AccountId>,
    /// A bit per hash of a member, which excludes most other accounts without a search.
    filter: Vec<u64>,
    /// Number of bits by which a hash is shifted to a bit of the filter.
    shift: u32,
}

impl Authors {
    pub(crate) fn new(authors: impl IntoIterator<Item = AccountId>) -> Authors {
        let mut sorted: Vec<AccountId> = authors.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let bits = (sorted.len() * FILTER_BITS_PER_AUTHOR).next_power_of_two().max(64);
        let mut authors = Authors { sorted, filter: vec![0; bits / 64], shift: 64 - bits.trailing_zeros() };
        for index in 0..authors.sorted.len() {
            let bit = authors.bit(authors.sorted[index]);
            authors.filter[bit / 64] |= 1 << (bit % 64);
        }
        authors
    }

    /// Returns the bit of an account: the upper bits of a multiplication by 2^64 divided by the golden ratio.
    fn bit(&self, account: AccountId) -> usize {
        (account.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    pub(crate) fn contains(&self, account: AccountId) -> bool {
        let bit = self.bit(account);
        self.filter[bit / 64] >> (bit % 64) & 1 == 1 && self.sorted.binary_search(&account).is_ok()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.sorted.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    fn bytes(&self) -> usize {
        size_of::<Authors>() + self.sorted.len() * size_of::<AccountId>() + self.filter.len() * 8
    }
}

/// All croaks of a feed with `through <= id < before`, newest first.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) before: LogIndex,
    pub(crate) through: LogIndex,
    pub(crate) croaks: VecDeque<(LogIndex, AccountId)>,
}

impl Window {
    /// Returns a window that ends where it begins.
    pub(crate) fn empty(before: LogIndex) -> Window {
        Window { before, through: before, croaks: VecDeque::new() }
    }

    /// Iterates over the croaks before `before`, newest first.
    pub(crate) fn before(&self, before: LogIndex) -> impl Iterator<Item = (LogIndex, AccountId)> + '_ {
        let newer = self.croaks.partition_point(|(croak, _)| *croak >= before);
        self.croaks.range(newer..).copied()
    }

    /// Returns true if `wanted` croaks before `before`, or all that exist, are in the window.
    fn has(&self, before: LogIndex, wanted: usize) -> bool {
        self.reaches(before) && (self.through == 0 || self.before(before).count() >= wanted)
    }

    /// Returns true if the window has every croak of a feed from just before `before` on, down to its end.
    fn reaches(&self, before: LogIndex) -> bool {
        before <= self.before && before >= self.through
    }

    /// Appends the next older croak.
    pub(crate) fn extend(&mut self, croak: LogIndex, author: AccountId) {
        self.croaks.push_back((croak, author));
        self.through = croak;
    }

    /// Drops the oldest croaks beyond the maximum, and unused memory after it was extended.
    pub(crate) fn settle(&mut self) {
        self.trim();
        self.croaks.shrink_to_fit();
    }

    /// Drops the oldest croaks beyond the maximum.
    fn trim(&mut self) {
        if self.croaks.len() > TIMELINE_WINDOW_MAX {
            self.croaks.truncate(TIMELINE_WINDOW_MAX);
            self.through = self.croaks.back().map_or(self.before, |(croak, _)| *croak);
        }
    }
}

/// The feed of one account as it was at an index.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    at: LogIndex,
    pub(crate) authors: Arc<Authors>,
    newest: Window,
    older: Option<Window>,
}

impl Timeline {
    /// Returns a timeline of which nothing but the authors is known, at the index of the ring's view.
    pub(crate) fn new(authors: Authors, ring: RingView<'_>) -> Timeline {
        let newest = Window::empty(ring.end());
        Timeline { at: ring.at(), authors: Arc::new(authors), newest, older: None }
    }

    /// Returns true if the timeline can be brought to the index of the ring's view: no account was followed or unfollowed
    /// since, and all newer croaks are in the ring.
    fn fits(&self, account: AccountId, ring: RingView<'_>) -> bool {
        self.at <= ring.at() && ring.covers(self.at) && !ring.followed_since(account, self.at)
    }

    /// Returns true if the timeline lacks croaks of the ring's view.
    pub(crate) fn is_behind(&self, ring: RingView<'_>) -> bool {
        self.at < ring.at()
    }

    /// Adds the croaks that are newer than the timeline.
    pub(crate) fn advance(&mut self, ring: RingView<'_>) {
        let newer = ring.before(LogIndex::MAX).take_while(|(croak, _)| *croak > self.at);
        let newer: Vec<_> = newer.filter(|(_, author)| self.authors.contains(*author)).collect();
        for croak in newer.into_iter().rev() {
            self.newest.croaks.push_front(croak);
        }
        (self.at, self.newest.before) = (ring.at(), ring.end());
        self.newest.trim();
    }

    /// Returns a window that already has a whole page before `before`.
    pub(crate) fn window_with(&self, before: LogIndex, wanted: usize) -> Option<&Window> {
        let windows = [Some(&self.newest), self.older.as_ref()];
        windows.into_iter().flatten().find(|window| window.has(before, wanted))
    }

    /// Returns the window to extend so that it has a page before `before`: the newest one while it may grow, otherwise a
    /// new one.
    pub(crate) fn window_for(&mut self, before: LogIndex, wanted: usize) -> &mut Window {
        let newest_grows = self.newest.croaks.len() + wanted <= TIMELINE_WINDOW_MAX;
        if self.newest.reaches(before) && newest_grows {
            &mut self.newest
        } else {
            self.older.insert(Window::empty(before))
        }
    }

    fn bytes(&self) -> usize {
        let older = self.older.as_ref().map_or(0, |window| window.croaks.capacity());
        let croaks = (self.newest.croaks.capacity() + older) * size_of::<(LogIndex, AccountId)>();
        2 * size_of::<Timeline>() + self.authors.bytes() + croaks
    }
}

/// State in memory beside the rows, as the view sees it.
#[derive(Debug, Clone, Copy)]
pub struct Caches<'a> {
    pub ring: RingView<'a>,
    pub timelines: &'a Timelines,
    pub search: &'a SearchIndex,
}

/// Timelines of the accounts that read their feeds most recently.
#[derive(Debug, Default)]
pub struct Timelines(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    of: HashMap<AccountId, KeptTimeline>,
    /// Counts uses.
    clock: u64,
    bytes: usize,
}

#[derive(Debug)]
struct KeptTimeline {
    timeline: Arc<Timeline>,
    used: u64,
    bytes: usize,
}

/// A copy of a store begins without timelines: it may continue differently.
impl Clone for Timelines {
    fn clone(&self) -> Timelines {
        Timelines::default()
    }
}

impl Timelines {
    /// Returns the timeline of an account, if one is kept that can be brought to the index of the ring's view.
    pub(crate) fn get(&self, account: AccountId, ring: RingView<'_>) -> Option<Arc<Timeline>> {
        let mut kept = self.0.locked();
        kept.clock += 1;
        let clock = kept.clock;
        let found = kept.of.get_mut(&account)?;
        found.used = clock;
        let timeline = found.timeline.clone();
        drop(kept);
        Some(timeline).filter(|timeline| timeline.fits(account, ring))
    }

    /// Keeps a timeline, unless a newer one of the account is kept. The longest unused ones are dropped when all together
    /// are larger than `TIMELINES_BYTES_MAX`.
    pub(crate) fn put(&self, account: AccountId, timeline: Arc<Timeline>) {
        let mut kept = self.0.locked();
        if kept.of.get(&account).is_some_and(|known| known.timeline.at > timeline.at) {
            return;
        }
        let (used, bytes) = (kept.clock, timeline.bytes());
        let replaced = kept.of.insert(account, KeptTimeline { timeline, used, bytes });
        kept.bytes = kept.bytes + bytes - replaced.map_or(0, |known| known.bytes);
        if kept.bytes > TIMELINES_BYTES_MAX {
            kept.drop_unused();
        }
    }

    /// Drops all timelines: another file took the store's place.
    pub fn clear(&self) {
        *self.0.locked() = Kept::default();
    }

    /// Returns the bytes of all timelines together.
    pub fn bytes(&self) -> usize {
        self.0.locked().bytes
    }
}

impl Kept {
    /// Drops the longest unused quarter, so that the search for them is rare.
    fn drop_unused(&mut self) {
        let mut used: Vec<u64> = self.of.values().map(|kept| kept.used).collect();
        let quarter = used.len() / 4;
        let (_, limit, _) = used.select_nth_unstable(quarter);
        let limit = *limit;
        self.of.retain(|_, kept| kept.used > limit);
        self.bytes = self.of.values().map(|kept| kept.bytes).sum();
    }
}
