//! The front page of a reader: a page of their feed with everything that stands around it, in one answer from one view.
//!
//! A web server asks this once for each page that a browser loads. It keeps the croaks that it has shown, so an answer
//! leaves out the text of those between the two ids of `known`. Names are always part of the answer, each author once.

use super::feed::feed;
use super::talks;
use crate::caches::timelines::Caches;
use crate::ids::{AccountId, LogIndex};
use crate::lookup::profile_of;
use crate::query::{FeedCroak, FrontCroak, FrontPage, Page, Person};
use crate::rows::View;
use std::collections::BTreeMap;

/// Answers `Query::Front`.
pub(crate) fn page<V: View>(
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
    let mut people = PagePeople::default();
    let mut shown = Vec::with_capacity(croaks.len());
    for FeedCroak { id, author, body, numbers, share } in croaks {
        let author = people.position_of(author);
        let share = share.map(|share| (share.id, share.wall_ms, people.position_of(share.by)));
        // The ids between those of `known` say nothing about a croak that stands elsewhere because it was shared.
        let is_known = share.is_none() && known.is_some_and(|(from, to)| (from..=to).contains(&id));
        shown.push(FrontCroak { id, author, body: (!is_known).then_some(body), numbers, share });
    }
    let (authors, audience) = (people.authors, profile_of(view, me.account)?.audience);
    Ok(Page::Front(FrontPage { me, authors, croaks: shown, older, unread, audience }))
}

/// People of a page, each once.
#[derive(Default)]
struct PagePeople {
    authors: Vec<Person>,
    positions: BTreeMap<AccountId, u16>,
}

impl PagePeople {
    fn position_of(&mut self, person: Person) -> u16 {
        *self.positions.entry(person.account).or_insert_with(|| {
            self.authors.push(person);
            u16::try_from(self.authors.len() - 1).expect("a page has few authors")
        })
    }
}
