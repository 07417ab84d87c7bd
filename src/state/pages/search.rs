//! Search: people by any part of their names, croaks by the beginnings of words and by tags.
//!
//! ```text
//!   "nor pond #rain" ──▶ terms ──▶ SearchIndex: parts that may have them all ──▶ rows ──▶ visible to the reader ──▶ page
//! ```
//!
//! A croak is found if it has all the terms, in any order. A term is the beginning of a word, or a whole tag. An answer looks
//! at a bounded number of rows, so a page may be short or empty although `older` is set.

use super::people::seen;
use super::shown::shown;
use crate::caches::search_index::{SearchIndex, entries};
use crate::caches::words::{Word, fold, words};
use crate::code::{Code, Denied, Field};
use crate::ids::{AccountId, LogIndex};
use crate::limits::{
    NAMES_COMPARED_MAX, SEARCH_PARTS_MAX, SEARCH_PEOPLE_MAX, SEARCH_ROWS_MAX, SEARCH_TERMS_MAX,
};
use crate::query::{FeedCroak, Found, Page, Person, PersonRelation};
use crate::rows::{Accounts, Croaks, Names, Order, StoredCroak, View, get, scan};
use crate::rule::checked;
use crate::visibility::Reader;

/// Number of rows read at a time.
const STEP: usize = 128;

/// Words and tags that a croak has to contain.
pub(crate) struct Terms(Vec<Word>);

impl Terms {
    /// Reads the words that a person entered.
    ///
    /// # Errors
    /// 606 on the field `q`: no word, or more than `SEARCH_TERMS_MAX`.
    pub(crate) fn parse(entered: &str) -> Result<Terms, Denied> {
        let all = words(entered);
        let tags: Vec<&str> = all.iter().filter(|word| word.is_tag).map(|word| word.text.as_str()).collect();
        // The name of a tag is among the words, too; the tag alone says more.
        let terms: Vec<Word> =
            all.iter().filter(|word| word.is_tag || !tags.contains(&word.text.as_str())).cloned().collect();
        match terms.len() {
            1..=SEARCH_TERMS_MAX => Ok(Terms(terms)),
            _ => Err(Denied::of(Code::InvalidEntry, Field::Search)),
        }
    }

    fn are_in(&self, text: &str) -> bool {
        let words = words(text);
        self.0.iter().all(|term| {
            words.iter().any(|word| match term.is_tag {
                true => word.is_tag && word.text == term.text,
                false => !word.is_tag && word.text.starts_with(&term.text),
            })
        })
    }
}

/// Answers `Query::Search`.
pub(crate) fn search<V: View>(
    view: &V,
    index: &SearchIndex,
    me: Person,
    entered: &str,
    before: Option<LogIndex>,
    limit: usize,
) -> Result<Result<Page, Denied>, V::Error> {
    let terms = checked!(Terms::parse(entered));
    let (people, all_people) = match before {
        None => people(view, me.account, entered)?,
        Some(_) => (Vec::new(), true),
    };
    let before = before.unwrap_or(LogIndex::MAX);
    let (croaks, older) = croaks(view, index, me.account, &terms, before, limit)?;
    Ok(Ok(Page::Found(Box::new(Found { me, people, all_people, croaks, older }))))
}

fn croaks<V: View>(
    view: &V,
    index: &SearchIndex,
    me: AccountId,
    terms: &Terms,
    before: LogIndex,
    limit: usize,
) -> Result<(Vec<FeedCroak>, Option<LogIndex>), V::Error> {
    let wanted: Vec<u64> = terms.0.iter().flat_map(entries).collect();
    let (parts, rest) = index.parts(&wanted, before, SEARCH_PARTS_MAX);
    let mut reader = Reader::new(view, me);
    let (mut found, mut left) = (Vec::new(), SEARCH_ROWS_MAX);
    for part in parts {
        let mut to = part.to;
        loop {
            let step = STEP.min(left);
            if step == 0 {
                return Ok((found, Some(to)));
            }
            let rows = scan::<Croaks, V>(view, &part.from, &to, Order::NewestFirst, step)?;
            left -= rows.len();
            let more = rows.len() == step;
            for (id, StoredCroak { croak, .. }) in rows {
                to = id;
                if !terms.are_in(&croak.text) {
                    continue;
                }
                if let Some(author) = reader.author_in_list(id, &croak)? {
                    found.push(shown(&mut reader, id, author, croak, None)?);
                }
                if found.len() == limit {
                    return Ok((found, Some(id)));
                }
            }
            if !more {
                break;
            }
        }
    }
    Ok((found, rest))
}

/// Returns people whose user name or shown name contains the text, those whose user name begins with it first. The second
/// value is false if there are too many names to compare all of them.
fn people<V: View>(view: &V, me: AccountId, entered: &str) -> Result<(Vec<PersonRelation>, bool), V::Error> {
    let part = fold(entered.trim().trim_start_matches('@'));
    if part.is_empty() {
        return Ok((Vec::new(), true));
    }
    let mut accounts: Vec<AccountId> = Vec::new();
    let beginning = (part.clone(), format!("{part}~"));
    for (_, account) in
        scan::<Names, V>(view, &beginning.0, &beginning.1, Order::OldestFirst, SEARCH_PEOPLE_MAX)?
    {
        accounts.push(account);
    }
    let all =
        scan::<Names, V>(view, &String::new(), &"~".to_string(), Order::OldestFirst, NAMES_COMPARED_MAX)?;
    let compared_all = all.len() < NAMES_COMPARED_MAX;
    for (username, account) in all {
        if accounts.len() >= SEARCH_PEOPLE_MAX {
            break;
        }
        let is_known = accounts.contains(&account);
        if !is_known && (username.contains(&part) || has_name(view, account, &part)?) {
            accounts.push(account);
        }
    }
    Ok((seen(view, me, accounts)?, compared_all))
}

fn has_name<V: View>(view: &V, account: AccountId, part: &str) -> Result<bool, V::Error> {
    Ok(get::<Accounts, V>(view, &account)?.is_some_and(|row| fold(&row.name).contains(part)))
}
