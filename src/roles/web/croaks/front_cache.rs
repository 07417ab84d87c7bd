//! Rendered croaks and the newest front page of each active reader, kept so that a page is asked for once and its croaks are
//! rendered once.
//!
//! ```text
//!   reader ──▶ kept page, token ──▶ Front { known: its ids, unless: its token } ──▶ Unchanged ──▶ the kept page
//!                                                                               └─▶ ids, names, new texts ──▶ rendered, kept
//! ```
//!
//! Nothing here decides what a reader sees. Each page is what a server has answered for this session at the token of the
//! answer; the cache only saves texts that the server would send again:
//!
//! - A croak's text never changes under its id, so its markup needs no invalidation. A deleted or hidden croak is not part
//!   of an answer, and is then not shown. Names are part of every answer.
//! - `Unchanged` means that no entry was applied since the kept page, so any server would answer the same. A session that has
//!   ended or a changed setting is an entry, too.
//! - Ids are only comparable within a history. Another history clears the cache.
//!
//! A full cache drops what was kept first.

use crate::web::limits::{CROAKS_KEPT_BYTES_MAX, FRONT_PAGES_KEPT_MAX};
use ribbit_state::query::{CroakNumbers, CroakShare, FrontPage, Unread};
use ribbit_state::sync::MutexExt;
use ribbit_state::{Audience, HistoryId, LogIndex, Token, TokenHash};
use ribbit_ui::pages::FeedItem;
use ribbit_ui::pages::croak::{AuthorMarkup, CroakMarkup};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

/// A front page with rendered croaks.
pub(in crate::web) struct RenderedFront {
    /// State that the page shows.
    pub(in crate::web) token: Token,
    /// User name of the reader.
    pub(in crate::web) me: String,
    /// Newest first.
    pub(in crate::web) croaks: Vec<RenderedCroak>,
    /// The `before` of the next older page, if there is one.
    pub(in crate::web) older: Option<LogIndex>,
    pub(in crate::web) unread: Unread,
    /// Usual audience of the reader's croaks.
    pub(in crate::web) audience: Audience,
}

/// A croak with its author, both rendered.
pub(in crate::web) struct RenderedCroak {
    pub(in crate::web) id: LogIndex,
    pub(in crate::web) croak: Arc<CroakMarkup>,
    pub(in crate::web) author: Arc<AuthorMarkup>,
    numbers: CroakNumbers,
    /// The share by which the croak is in the feed.
    share: Option<Box<CroakShare>>,
    /// The reader wrote it.
    mine: bool,
}

impl RenderedCroak {
    /// Returns the croak for a page that is shown at this time, as [`FeedItem::now_ms`].
    pub(in crate::web) fn item(&self, now_ms: u64) -> FeedItem {
        FeedItem {
            id: self.id,
            croak: self.croak.clone(),
            author: self.author.clone(),
            numbers: self.numbers,
            share: self.share.clone(),
            mine: self.mine,
            now_ms,
        }
    }
}

impl RenderedFront {
    /// Returns the oldest and the newest id on the page, if there is a croak on it. Shared croaks do not count: their ids
    /// are not in the order of the page.
    pub(in crate::web) fn range(&self) -> Option<(LogIndex, LogIndex)> {
        let mut in_order = self.croaks.iter().filter(|croak| croak.share.is_none()).map(|croak| croak.id);
        let newest = in_order.next()?;
        Some((in_order.next_back().unwrap_or(newest), newest))
    }
}

/// An answer leaves out the text of a croak that is not kept.
#[derive(Debug)]
pub(in crate::web) struct MissingText;

#[derive(Default)]
pub(in crate::web) struct FrontCache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// History of everything that is kept.
    history: Option<HistoryId>,
    croaks: HashMap<LogIndex, Arc<CroakMarkup>>,
    /// Keys of `croaks` in the order in which they were kept.
    croak_order: VecDeque<LogIndex>,
    /// Sum of the sizes of `croaks`.
    croak_bytes: usize,
    pages: HashMap<TokenHash, Arc<RenderedFront>>,
    /// Keys of `pages` in the order in which they were kept.
    page_order: VecDeque<TokenHash>,
}

impl FrontCache {
    /// Returns the newest page that was shown to a reader.
    pub(in crate::web) fn page_of(&self, session: TokenHash) -> Option<Arc<RenderedFront>> {
        self.0.locked().pages.get(&session).cloned()
    }

    /// Renders an answer. `last` is the page whose range was named as known.
    ///
    /// # Errors
    /// [`MissingText`] if a text that the answer leaves out is not kept any more, or belongs to another history.
    pub(in crate::web) fn render(
        &self,
        token: Token,
        front: FrontPage,
        last: Option<&RenderedFront>,
    ) -> Result<Arc<RenderedFront>, MissingText> {
        let authors: Vec<Arc<AuthorMarkup>> =
            front.authors.iter().map(|author| Arc::new(AuthorMarkup::new(author.clone()))).collect();
        let last = last.filter(|last| last.token.history == token.history);
        let mut kept = self.0.locked();
        kept.enter(token.history);
        let mut croaks = Vec::with_capacity(front.croaks.len());
        for croak in front.croaks {
            let author = authors.get(usize::from(croak.author)).ok_or(MissingText)?.clone();
            let markup = match (kept.croaks.get(&croak.id), croak.body) {
                (Some(markup), _) => markup.clone(),
                (None, Some(body)) => kept.keep(croak.id, CroakMarkup::new(croak.id, &body)),
                (None, None) => {
                    let last =
                        last.into_iter().flat_map(|last| &last.croaks).find(|last| last.id == croak.id);
                    last.ok_or(MissingText)?.croak.clone()
                }
            };
            let share = match croak.share {
                Some((id, wall_ms, by)) => {
                    let by = front.authors.get(usize::from(by)).ok_or(MissingText)?.clone();
                    Some(Box::new(CroakShare { id, by, wall_ms }))
                }
                None => None,
            };
            let numbers = croak.numbers;
            let writer = front.authors.get(usize::from(croak.author)).ok_or(MissingText)?;
            let mine = writer.account == front.me.account;
            croaks.push(RenderedCroak { id: croak.id, croak: markup, author, numbers, share, mine });
        }
        drop(kept);
        let FrontPage { me, older, unread, audience, .. } = front;
        Ok(Arc::new(RenderedFront { token, me: me.username, croaks, older, unread, audience }))
    }

    /// Keeps the newest page of a reader.
    pub(in crate::web) fn keep_page(&self, session: TokenHash, page: &Arc<RenderedFront>) {
        let mut kept = self.0.locked();
        // Another request may have met a newer history, or a newer state, meanwhile.
        if kept.history != Some(page.token.history)
            || kept.pages.get(&session).is_some_and(|last| last.token.index > page.token.index)
        {
            return;
        }
        if kept.pages.insert(session, page.clone()).is_none() {
            kept.page_order.push_back(session);
        }
        if kept.pages.len() > FRONT_PAGES_KEPT_MAX
            && let Some(oldest) = kept.page_order.pop_front()
        {
            kept.pages.remove(&oldest);
        }
    }
}

impl Kept {
    /// Clears the cache if it is of another history.
    fn enter(&mut self, history: HistoryId) {
        if self.history != Some(history) {
            *self = Kept { history: Some(history), ..Kept::default() };
        }
    }

    fn keep(&mut self, id: LogIndex, markup: CroakMarkup) -> Arc<CroakMarkup> {
        let markup = Arc::new(markup);
        self.croak_bytes += markup.bytes();
        self.croaks.insert(id, markup.clone());
        self.croak_order.push_back(id);
        while self.croak_bytes > CROAKS_KEPT_BYTES_MAX
            && let Some(oldest) = self.croak_order.pop_front()
        {
            self.croak_bytes -= self.croaks.remove(&oldest).map_or(0, |markup| markup.bytes());
        }
        markup
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use askama::Template;
    use ribbit_state::query::{CroakBody, FrontCroak, Person};
    use ribbit_state::{AccountId, Avatar};
    use ribbit_ui::pages::{Feed, MainPage, NavEntry, PageFrame};

    const SESSION: TokenHash = TokenHash([1; 32]);

    fn at(history: u128, index: LogIndex) -> Token {
        Token { history: HistoryId(history), index }
    }

    /// Returns an answer with these croaks, each with its text or without, by an author of this name.
    fn front(name: &str, croaks: &[(LogIndex, Option<&str>)]) -> FrontPage {
        let author = Person {
            account: AccountId(1),
            username: "ada".into(),
            name: name.into(),
            avatar: Avatar::Drawn,
        };
        let body = |text: &str| CroakBody::original(0, text);
        let croaks = croaks.iter();
        let croaks = croaks
            .map(|(id, text)| FrontCroak {
                id: *id,
                author: 0,
                body: text.map(body),
                numbers: CroakNumbers::default(),
                share: None,
            })
            .collect();
        FrontPage {
            me: author.clone(),
            authors: vec![author],
            croaks,
            older: None,
            unread: Unread::default(),
            audience: Audience::Everyone,
        }
    }

    fn shown(page: &RenderedFront) -> String {
        let croaks = page.croaks.iter().map(|croak| croak.item(0)).collect();
        let feed = Feed { croaks, older: None, newest: true, new: None, receipt: None };
        MainPage::new(PageFrame::new("Home", NavEntry::Main, true), feed).render().unwrap()
    }

    #[test]
    fn a_known_croak_is_shown_under_the_newest_name_and_only_while_it_is_in_the_answer() {
        let cache = FrontCache::default();
        let first = cache
            .render(at(1, 9), front("Ada", &[(5, Some("quak five")), (3, Some("quak three"))]), None)
            .unwrap();
        cache.keep_page(SESSION, &first);
        let last = cache.page_of(SESSION).unwrap();
        assert_eq!(last.range(), Some((3, 5)));
        let next = cache
            .render(at(1, 12), front("Ada B", &[(11, Some("quak new")), (5, None)]), Some(&last))
            .unwrap();
        let html = shown(&next);
        assert!(html.contains("quak new") && html.contains("quak five") && !html.contains("three"), "{html}");
        assert_eq!(html.matches("Ada B").count(), 2);
        cache.keep_page(SESSION, &first);
        cache.keep_page(SESSION, &next);
        cache.keep_page(SESSION, &first);
        assert_eq!(
            cache.page_of(SESSION).unwrap().token,
            at(1, 12),
            "an older page does not replace a newer one"
        );
    }

    #[test]
    fn nothing_is_used_across_histories() {
        let cache = FrontCache::default();
        let first = cache.render(at(1, 9), front("Ada", &[(5, Some("old five"))]), None).unwrap();
        cache.keep_page(SESSION, &first);
        assert!(cache.render(at(2, 9), front("Ada", &[(5, None)]), Some(&first)).is_err());
        assert!(cache.page_of(SESSION).is_none());
        let other = cache.render(at(2, 9), front("Ada", &[(5, Some("new five"))]), Some(&first)).unwrap();
        assert!(shown(&other).contains("new five"));
        cache.keep_page(SESSION, &first);
        assert!(cache.page_of(SESSION).is_none(), "a page of the history before is not kept");
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = FrontCache::default();
        let text = "x".repeat(400);
        for id in 1..20_000 {
            cache.render(at(1, id), front("Ada", &[(id, Some(&text))]), None).unwrap();
        }
        let page = cache.render(at(1, 20_000), front("Ada", &[]), None).unwrap();
        for n in 0..2 * FRONT_PAGES_KEPT_MAX {
            let mut session = [0; 32];
            session[..8].copy_from_slice(&n.to_le_bytes());
            cache.keep_page(TokenHash(session), &page);
        }
        let kept = cache.0.locked();
        assert!(kept.croak_bytes <= CROAKS_KEPT_BYTES_MAX && kept.croaks.len() == kept.croak_order.len());
        assert!(kept.croaks.contains_key(&19_999) && !kept.croaks.contains_key(&1));
        assert_eq!((kept.pages.len(), kept.page_order.len()), (FRONT_PAGES_KEPT_MAX, FRONT_PAGES_KEPT_MAX));
        drop(kept);
        let gone = cache.render(at(1, 20_001), front("Ada", &[(1, None)]), None);
        assert!(gone.is_err(), "the caller asks again for the whole page");
    }
}
