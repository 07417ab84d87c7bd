//! Scopes: what a person lets an app do, under the names that the Mastodon API has for them.
//!
//! A set keeps the scopes as they were asked for. A wide one, such as `read`, permits the narrow ones within it.

use super::code::{Code, Denied};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The table of scopes. Columns: variant; name; the wider scopes that permit it, too.
macro_rules! scopes {
    ($($variant:ident $name:literal $(in $($wider:ident)+)?;)*) => {
        /// A permission of an app. New ones go at the end: sessions store the position.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Scope { $($variant,)* }

        impl Scope {
            /// Every scope, in the order of the sets.
            pub const ALL: &[Scope] = &[$(Scope::$variant,)*];

            /// Returns the name in requests and answers.
            pub fn name(self) -> &'static str {
                match self { $(Scope::$variant => $name,)* }
            }

            /// Returns the wider scopes that permit it, too.
            fn wider(self) -> &'static [Scope] {
                match self { $(Scope::$variant => &[$($(Scope::$wider),+)?],)* }
            }
        }
    };
}

scopes! {
    Read "read";
    Write "write";
    Follow "follow";
    Push "push";
    Profile "profile" in Read ReadAccounts;
    ReadAccounts "read:accounts" in Read;
    ReadBlocks "read:blocks" in Read Follow;
    ReadBookmarks "read:bookmarks" in Read;
    ReadFavourites "read:favourites" in Read;
    ReadFilters "read:filters" in Read;
    ReadFollows "read:follows" in Read Follow;
    ReadLists "read:lists" in Read;
    ReadMutes "read:mutes" in Read Follow;
    ReadNotifications "read:notifications" in Read;
    ReadSearch "read:search" in Read;
    ReadStatuses "read:statuses" in Read;
    WriteAccounts "write:accounts" in Write;
    WriteBlocks "write:blocks" in Write Follow;
    WriteBookmarks "write:bookmarks" in Write;
    WriteConversations "write:conversations" in Write;
    WriteFavourites "write:favourites" in Write;
    WriteFilters "write:filters" in Write;
    WriteFollows "write:follows" in Write Follow;
    WriteLists "write:lists" in Write;
    WriteMedia "write:media" in Write;
    WriteMutes "write:mutes" in Write Follow;
    WriteNotifications "write:notifications" in Write;
    WriteReports "write:reports" in Write;
    WriteStatuses "write:statuses" in Write;
}

const _: () = assert!(Scope::ALL.len() <= 32);

/// A set of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(u32);

impl Scopes {
    /// Every scope.
    pub fn all() -> Scopes {
        Scope::ALL.iter().copied().collect()
    }

    /// Returns true if one of its scopes is this one, or a wider one.
    pub fn allows(self, scope: Scope) -> bool {
        self.has(scope) || scope.wider().iter().any(|wider| self.has(*wider))
    }

    /// Returns true if the other set allows each of its scopes.
    pub fn is_within(self, other: Scopes) -> bool {
        self.iter().all(|scope| other.allows(scope))
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns its scopes, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.has(*scope))
    }

    /// Returns true if it has no bits beyond those of the table.
    pub(crate) fn is_known(self) -> bool {
        self.0 & !Scopes::all().0 == 0
    }

    fn has(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }
}

fn bit(scope: Scope) -> u32 {
    1 << scope as u32
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Scopes {
        Scopes(scopes.into_iter().map(bit).fold(0, |set, bit| set | bit))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { " " }, scope.name())?;
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = Denied;
    /// Parses names between spaces; none of them is the empty set.
    ///
    /// # Errors
    /// 684 if a name is unknown.
    fn from_str(text: &str) -> Result<Scopes, Denied> {
        let scope = |name| Scope::ALL.iter().copied().find(|scope| scope.name() == name);
        text.split_whitespace().map(|name| scope(name).ok_or(Denied::new(Code::ScopeNotAllowed))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Scopes {
        text.parse().unwrap()
    }

    #[test]
    fn sets_are_read_and_written_as_they_were_asked_for() {
        for text in ["", "read", "read write follow push", "profile read:accounts write:statuses"] {
            assert_eq!(set(text).to_string(), text);
        }
        assert_eq!(set("  write   read\nwrite "), set("read write"));
        for wrong in ["admin:read", "Read", "read,write", "read:", "läsa"] {
            assert_eq!(wrong.parse::<Scopes>(), Err(Denied::new(Code::ScopeNotAllowed)), "{wrong}");
        }
        assert!(Scopes::all().is_known() && !Scopes(1 << 31).is_known());
    }

    #[test]
    fn a_wide_scope_permits_the_narrow_ones_within_it() {
        assert!(set("read").allows(Scope::ReadStatuses) && set("read").allows(Scope::Profile));
        assert!(!set("read").allows(Scope::WriteStatuses) && !set("read:statuses").allows(Scope::Read));
        assert!(set("follow").allows(Scope::WriteBlocks) && !set("follow").allows(Scope::WriteStatuses));
        assert!(set("read:accounts profile").is_within(set("read")));
        assert!(!set("read follow").is_within(set("read write")), "as it is named");
        assert!(Scopes::default().is_within(Scopes::default()) && Scopes::default().is_empty());
    }
}
