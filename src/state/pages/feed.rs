//! Pages of croaks: the feed of an account, and the croaks of one author.
//!
//! ```text
//!   ring, filtered by the authors ──▶ index by author, merged ──▶ ids, newest first ──▶ rows ──▶ page
//!   └──────────── kept for active readers as a timeline ─────────────────┘
//! ```
//!
//! Ids come from the timeline of the reader as far as it goes. Behind its end they are searched: first in the ring, then in
//! the index by author. The search of the index opens every author once; after that, each croak costs one author.

use super::people;
use super::shown;
use crate::caches::ring::RingView;
use crate::caches::timelines::{Authors, Caches, Timeline, Window};
use crate::ids::{AccountId, LogIndex};
use crate::limits::{FEED_AHEAD_PAGES, TIMELINE_WINDOW_MAX};
use crate::query::{FeedCroak, Page, Person};
use crate::rows::{CroaksBy, Order, View, scan};
use crate::visibility::Reader;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

/// Number of index rows of an author that are read at a time after the first.
const REFILL_ROWS: usize = 4;

/// Croaks of one page, and the `before` of the next older page, if there is one.
pub(crate) type CroakPage = (Vec<FeedCroak>, Option<LogIndex>);

/// Returns one page of the croaks of `me` and of the accounts they follow.
pub(crate) fn feed<V: View>(
    view: &V,
    caches: Caches<'_>,
    me: Person,
    before: Option<LogIndex>,
    limit: usize,
) -> Result<Page, V::Error> {
    let kept = caches.timelines.get(me.account, caches.ring);
    let (mut timeline, mut changed) = match kept {
        Some(timeline) => (timeline, false),
        None => {
            let authors = Authors::new(people::feed_authors(view, me.account)?);
            (Arc::new(Timeline::new(authors, caches.ring)), true)
        }
    };
    if timeline.is_behind(caches.ring) {
        Arc::make_mut(&mut timeline).advance(caches.ring);
        changed = true;
    }
    let start = before.unwrap_or(LogIndex::MAX).min(caches.ring.end());
    let mut page = FeedPage::new(view, me.account, Some(timeline.authors.clone()), limit);
    if let Some(window) = timeline.window_with(start, page.wanted) {
        page.read(window, start)?;
    }
    if !page.is_full() {
        let timeline = Arc::make_mut(&mut timeline);
        let authors = timeline.authors.clone();
        let window = timeline.window_for(start, page.wanted);
        page = FeedPage::new(view, me.account, Some(authors.clone()), limit);
        // A reader of an older page usually goes on to the next.
        let ahead = if before.is_some() { FEED_AHEAD_PAGES * page.wanted } else { 0 };
        page.read_and_extend(window, start, &authors, caches.ring, ahead)?;
        window.settle();
        changed = true;
    }
    if changed {
        caches.timelines.put(me.account, timeline);
    }
    let (croaks, older) = page.finish();
    Ok(Page::Feed { me, croaks, older })
}

/// Returns the accounts in the feed of `me`.
pub(crate) fn authors<V: View>(
    view: &V,
    caches: Caches<'_>,
    me: AccountId,
) -> Result<Arc<Authors>, V::Error> {
    match caches.timelines.get(me, caches.ring) {
        Some(timeline) => Ok(timeline.authors.clone()),
        None => Ok(Arc::new(Authors::new(people::feed_authors(view, me)?))),
    }
}

/// Returns one page of the croaks of one account that `me` may see.
pub(crate) fn croaks_by<V: View>(
    view: &V,
    ring: RingView<'_>,
    me: AccountId,
    author: AccountId,
    before: LogIndex,
    limit: usize,
) -> Result<CroakPage, V::Error> {
    let mut page = FeedPage::new(view, me, None, limit);
    page.read_and_extend(&mut Window::empty(before), before, &Authors::new([author]), ring, 0)?;
    Ok(page.finish())
}

/// Croaks of a set of authors before an index, newest first.
struct Search<'a, V, I> {
    view: &'a V,
    authors: &'a Authors,
    /// The ring, from the start of the search on.
    ring: I,
    /// The last croak that was looked at in the ring, or the start.
    cursor: LogIndex,
    index: Option<Merge>,
    /// Authors whose croaks are skipped.
    gone: BTreeSet<AccountId>,
    /// Number of croaks that the caller is likely to take.
    wanted: usize,
}

/// The index by author, merged. Each author's run is sorted, and the heap has the newest croak of each.
struct Merge {
    runs: Vec<Run>,
    newest: BinaryHeap<(LogIndex, usize)>,
    /// The run of the croak that was taken last. It is refilled when another croak is needed.
    taken: Option<usize>,
}

struct Run {
    author: AccountId,
    /// Croaks that were read and not taken, oldest first.
    read: Vec<LogIndex>,
    /// The oldest croak that was read, if there may be older ones.
    more_before: Option<LogIndex>,
}

impl Run {
    fn new<V: View>(view: &V, author: AccountId, before: LogIndex, rows: usize) -> Result<Run, V::Error> {
        let mut run = Run { author, read: Vec::new(), more_before: Some(before) };
        run.fill(view, rows)?;
        Ok(run)
    }

    fn fill<V: View>(&mut self, view: &V, rows: usize) -> Result<(), V::Error> {
        let Some(before) = self.more_before else { return Ok(()) };
        let (from, to) = ((self.author, 0), (self.author, before));
        let found = scan::<CroaksBy, V>(view, &from, &to, Order::NewestFirst, rows)?;
        self.read = found.iter().rev().map(|((_, croak), ())| *croak).collect();
        self.more_before = self.read.first().copied().filter(|_| found.len() == rows);
        Ok(())
    }

    fn take<V: View>(&mut self, view: &V) -> Result<Option<LogIndex>, V::Error> {
        if self.read.is_empty() {
            self.fill(view, REFILL_ROWS)?;
        }
        Ok(self.read.pop())
    }
}

impl<V: View, I: Iterator<Item = (LogIndex, AccountId)>> Search<'_, V, I> {
    /// Returns the next older croak.
    fn next(&mut self) -> Result<Option<(LogIndex, AccountId)>, V::Error> {
        for (croak, author) in self.ring.by_ref() {
            self.cursor = croak;
            if self.authors.contains(author) && !self.gone.contains(&author) {
                return Ok(Some((croak, author)));
            }
        }
        let merge = match &mut self.index {
            Some(merge) => merge,
            None => {
                // As many rows of each author as a page has if all croak alike.
                let rows = (2 * self.wanted).div_ceil(self.authors.len().max(1)).clamp(1, self.wanted.max(1));
                self.index.insert(Merge::open(self.view, self.authors, &self.gone, self.cursor, rows)?)
            }
        };
        merge.next(self.view, &self.gone)
    }
}

impl Merge {
    fn open<V: View>(
        view: &V,
        authors: &Authors,
        gone: &BTreeSet<AccountId>,
        before: LogIndex,
        rows: usize,
    ) -> Result<Merge, V::Error> {
        let mut merge = Merge { runs: Vec::new(), newest: BinaryHeap::new(), taken: None };
        for author in authors.iter().filter(|author| !gone.contains(author)) {
            let mut run = Run::new(view, author, before, rows)?;
            if let Some(croak) = run.read.pop() {
                merge.newest.push((croak, merge.runs.len()));
                merge.runs.push(run);
            }
        }
        Ok(merge)
    }

    fn next<V: View>(
        &mut self,
        view: &V,
        gone: &BTreeSet<AccountId>,
    ) -> Result<Option<(LogIndex, AccountId)>, V::Error> {
        if let Some(number) = self.taken.take() {
            let run = &mut self.runs[number];
            if !gone.contains(&run.author)
                && let Some(croak) = run.take(view)?
            {
                self.newest.push((croak, number));
            }
        }
        let Some((croak, number)) = self.newest.pop() else { return Ok(None) };
        self.taken = Some(number);
        Ok(Some((croak, self.runs[number].author)))
    }
}

/// A page that is being filled. Croaks without a row are skipped (their author is deleted and not swept yet), so a page is
/// full whenever there are enough croaks to fill it.
struct FeedPage<'a, V> {
    view: &'a V,
    limit: usize,
    /// Number of croaks to find: one beyond the page shows whether there is an older page.
    wanted: usize,
    reader: Reader<'a, V>,
    /// Accounts of the feed; `None` for the croaks of one account.
    feed: Option<Arc<Authors>>,
    croaks: Vec<FeedCroak>,
}

impl<'a, V: View> FeedPage<'a, V> {
    fn new(view: &'a V, me: AccountId, feed: Option<Arc<Authors>>, limit: usize) -> FeedPage<'a, V> {
        let wanted = limit + 1;
        let reader = Reader::new(view, me);
        FeedPage { view, limit, wanted, reader, feed, croaks: Vec::with_capacity(wanted) }
    }

    fn is_full(&self) -> bool {
        self.croaks.len() == self.wanted
    }

    /// Fills the page from a window.
    fn read(&mut self, window: &Window, before: LogIndex) -> Result<(), V::Error> {
        for (croak, author) in window.before(before) {
            if self.is_full() {
                break;
            }
            self.add(croak, author)?;
        }
        Ok(())
    }

    /// Fills the page from a window, and extends the window by what the page needs and `ahead` croaks more.
    fn read_and_extend(
        &mut self,
        window: &mut Window,
        before: LogIndex,
        authors: &Authors,
        ring: RingView<'_>,
        ahead: usize,
    ) -> Result<(), V::Error> {
        self.read(window, before)?;
        let mut search = Search {
            view: self.view,
            authors,
            ring: ring.before(window.through),
            cursor: window.through,
            index: None,
            gone: BTreeSet::new(),
            wanted: self.wanted - self.croaks.len() + ahead,
        };
        let mut ahead = ahead;
        while window.through > 0 && (!self.is_full() || ahead > 0) {
            let Some((croak, author)) = search.next()? else {
                window.through = 0;
                break;
            };
            window.extend(croak, author);
            if self.is_full() {
                ahead = if window.croaks.len() < TIMELINE_WINDOW_MAX { ahead - 1 } else { 0 };
            } else if !self.add(croak, author)? {
                search.gone.insert(author);
            }
        }
        Ok(())
    }

    /// Adds a croak if it exists and the reader may see it. Returns false if its author is deleted.
    fn add(&mut self, id: LogIndex, author: AccountId) -> Result<bool, V::Error> {
        if self.reader.person(author)?.is_none() {
            return Ok(false);
        }
        let entry = match &self.feed {
            Some(authors) => shown::feed_entry(&mut self.reader, id, authors)?,
            None => shown::entry(&mut self.reader, id)?,
        };
        self.croaks.extend(entry);
        Ok(true)
    }

    fn finish(self) -> CroakPage {
        let FeedPage { limit, mut croaks, .. } = self;
        let older = (croaks.len() > limit).then(|| croaks[limit - 1].cursor());
        croaks.truncate(limit);
        (croaks, older)
    }
}
