//! The front page of a reader: a page of their feed with everything that stands around it, in one answer from one view.
//!
//! A web server asks this once for each page that a browser loads. It keeps the croaks that it has shown, so an answer
//! leaves out the text of those between the two ids of `known`. Names are always part of the answer, each author once.

use super::feed::feed;
use super::ids::{AccountId, LogIndex};
use super::query::{FrontCroak, FrontPage, Page, Person};
use super::rows::View;
use super::talks;
use super::timelines::Caches;
use std::collections::BTreeMap;

/// Answers `Query::Front`.
pub(super) fn page<V: View>(
    view: &V,
    caches: Caches<'_>,
    me: Person,
    before: Option<LogIndex>,
    limit: usize,
    known: Option<(LogIndex, LogIndex)>,
) -> Result<Page, V::Error> {
    let unread = talks::unread(view, caches, &me)?;
    let Page::Feed { me, croaks, older } = feed(view, caches, me, before, limit)? else {
        unreachable!("a feed is answered with a feed")
    };
    let mut authors: Vec<Person> = Vec::new();
    let mut positions: BTreeMap<AccountId, u16> = BTreeMap::new();
    let mut shown = Vec::with_capacity(croaks.len());
    for croak in croaks {
        let author = *positions.entry(croak.author.account).or_insert_with(|| {
            authors.push(croak.author);
            u16::try_from(authors.len() - 1).expect("a page has few authors")
        });
        let is_known = known.is_some_and(|(from, to)| (from..=to).contains(&croak.id));
        let body = (!is_known).then_some(croak.body);
        shown.push(FrontCroak { id: croak.id, author, body });
    }
    Ok(Page::Front(FrontPage { me, authors, croaks: shown, older, unread }))
}
