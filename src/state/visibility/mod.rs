//! The one place that decides who may see a croak. Every query and every rule that shows or touches a croak asks here.
//!
//! ```text
//!   croak ──▶ author deleted?             ──▶ hidden
//!             one has blocked the other?  ──▶ hidden
//!             written by the reader?      ──▶ seen
//!             for everyone?               ──▶ seen
//!             reader follows the author?  ──▶ seen
//!             text mentions the reader?   ──▶ seen
//!             otherwise                   ──▶ hidden
//!   share ──▶ its author as above, then the croak that it shares
//! ```
//!
//! A hidden croak and one that does not exist are answered alike, so that an answer does not reveal that there is one.

pub(crate) mod blocks;
pub mod mentions;
pub(crate) mod rooms;

use self::blocks::{blocks_anyone, is_blocked_pair, is_muted};
use self::mentions::mentions_name;
use crate::croaks;
use crate::ids::{AccountId, LogIndex};
use crate::lookup::{person, profile_of};
use crate::query::Person;
use crate::rows::{Audience, Croak, CroakKind, Friends, View, get};
use std::collections::BTreeMap;

/// Reader without an account, who sees what is for everyone. No account has this id.
pub(crate) const STRANGER: AccountId = AccountId(0);

/// Decides for one reader, and remembers what it has read for as long as one answer takes.
pub(crate) struct Reader<'a, V> {
    view: &'a V,
    me: AccountId,
    /// Accounts met so far; `None` for one that the reader does not see.
    people: BTreeMap<AccountId, Option<Person>>,
    followed: BTreeMap<AccountId, bool>,
    /// True if the reader is one of any blocked pair; `None` until it was looked up.
    blocks_anyone: Option<bool>,
    /// Croak that the reader has pinned; `None` until it was looked up.
    pinned: Option<Option<LogIndex>>,
}

impl<'a, V: View> Reader<'a, V> {
    pub(crate) fn new(view: &'a V, me: AccountId) -> Reader<'a, V> {
        Reader {
            view,
            me,
            people: BTreeMap::new(),
            followed: BTreeMap::new(),
            blocks_anyone: None,
            pinned: None,
        }
    }

    pub(crate) fn view(&self) -> &'a V {
        self.view
    }

    pub(crate) fn me(&self) -> AccountId {
        self.me
    }

    /// Returns an account, or `None` if the reader does not see it: it is deleted, or one of the two has blocked the other.
    pub(crate) fn person(&mut self, account: AccountId) -> Result<Option<Person>, V::Error> {
        if let Some(person) = self.people.get(&account) {
            return Ok(person.clone());
        }
        let person = if self.is_blocked(account)? { None } else { person(self.view, account)? };
        self.people.insert(account, person.clone());
        Ok(person)
    }

    /// Returns true if the reader has blocked the account or is blocked by it.
    pub(crate) fn is_blocked(&mut self, account: AccountId) -> Result<bool, V::Error> {
        let any = match self.blocks_anyone {
            Some(any) => any,
            None => *self.blocks_anyone.insert(blocks_anyone(self.view, self.me)?),
        };
        Ok(any && is_blocked_pair(self.view, self.me, account)?)
    }

    /// Returns true if the reader has pinned this croak to their profile.
    pub(crate) fn has_pinned(&mut self, croak: LogIndex) -> Result<bool, V::Error> {
        let pinned = match self.pinned {
            Some(pinned) => pinned,
            None => *self.pinned.insert(profile_of(self.view, self.me)?.pinned),
        };
        Ok(pinned == Some(croak))
    }

    /// Returns true if the reader follows the account.
    pub(crate) fn follows(&mut self, account: AccountId) -> Result<bool, V::Error> {
        if let Some(followed) = self.followed.get(&account) {
            return Ok(*followed);
        }
        let followed = get::<Friends, V>(self.view, &(self.me, account.0))?.is_some();
        self.followed.insert(account, followed);
        Ok(followed)
    }

    /// Returns the author of a croak, or `None` if the reader may not see the croak.
    pub(crate) fn author_of(&mut self, id: LogIndex, croak: &Croak) -> Result<Option<Person>, V::Error> {
        let Some(author) = self.person(croak.author)? else { return Ok(None) };
        let seen = match (croak.kind, croak.audience) {
            (CroakKind::Share { of }, _) => self.read(of)?.is_some(),
            (_, Audience::Everyone) => true,
            (_, Audience::Followers) => {
                author.account == self.me || self.follows(author.account)? || self.is_mentioned(id, croak)?
            }
        };
        Ok(seen.then_some(author))
    }

    /// As [`Self::author_of`] for a list of croaks of many authors: leaves out authors whom the reader has muted.
    pub(crate) fn author_in_list(&mut self, id: LogIndex, croak: &Croak) -> Result<Option<Person>, V::Error> {
        if is_muted(self.view, self.me, croak.author)? { Ok(None) } else { self.author_of(id, croak) }
    }

    /// Returns a croak that is no share, with its author, or `None` if there is none that the reader may see.
    pub(crate) fn read(&mut self, id: LogIndex) -> Result<Option<(Croak, Person)>, V::Error> {
        let Some(croak) = croaks::read(self.view, id)? else { return Ok(None) };
        if matches!(croak.kind, CroakKind::Share { .. }) {
            return Ok(None);
        }
        Ok(self.author_of(id, &croak)?.map(|author| (croak, author)))
    }

    /// Returns true if the text meant the reader's account when it was written. An account's id is the index of its
    /// creation, so a later account that took the name of a deleted one is not meant.
    fn is_mentioned(&mut self, id: LogIndex, croak: &Croak) -> Result<bool, V::Error> {
        let me = self.person(self.me)?;
        Ok(me.is_some_and(|me| me.account.0 < id && mentions_name(&croak.text, &me.username)))
    }
}
