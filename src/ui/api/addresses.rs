//! Absolute addresses of the site's pages, which clients open in a browser and compare with links in texts.

use crate::avatar;
use ribbit_state::query::Person;
use ribbit_state::{AccountId, LogIndex};

/// Scheme and host of the site as the client reached it: `https://pond.local:8088`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteAddresses(String);

impl SiteAddresses {
    /// `host` is the host of the request, which was checked.
    pub fn new(secure: bool, host: &str) -> SiteAddresses {
        SiteAddresses(format!("{}://{host}", if secure { "https" } else { "http" }))
    }

    /// Returns the address of a path of the site.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Returns the host and port.
    pub fn host(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, host)| host)
    }

    /// Returns the address of a person's profile.
    pub fn person(&self, username: &str) -> String {
        self.at(&format!("/@{username}"))
    }

    /// Returns an address that names an account that is deleted.
    pub(crate) fn deleted(&self, account: AccountId) -> String {
        self.at(&format!("/deleted/{}", account.0))
    }

    /// Returns the address of a croak in its thread.
    pub fn croak(&self, id: LogIndex) -> String {
        self.at(&format!("/croak/{id}"))
    }

    /// Returns the address of a person's avatar; `None` stands for a deleted account.
    pub(crate) fn avatar(&self, person: Option<&Person>) -> String {
        self.at(&avatar::path(person))
    }

    /// Returns the user name that an account is called by: `ada`, `@ada`, or `ada@HOST` with the host of this site.
    pub fn username<'a>(&self, acct: &'a str) -> Option<&'a str> {
        let acct = acct.trim();
        let acct = acct.strip_prefix('@').unwrap_or(acct);
        match acct.split_once('@') {
            None => Some(acct),
            Some((username, host)) => {
                let own = self.host();
                let without_port = own.rsplit_once(':').map_or(own, |(name, _)| name);
                (host.eq_ignore_ascii_case(own) || host.eq_ignore_ascii_case(without_port))
                    .then_some(username)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_called_by_its_name_with_or_without_this_host() {
        let site = SiteAddresses::new(false, "pond.local:8088");
        assert_eq!(site.person("ada"), "http://pond.local:8088/@ada");
        for acct in ["ada", "@ada", " ada@pond.local:8088", "@ada@POND.local"] {
            assert_eq!(site.username(acct), Some("ada"), "{acct}");
        }
        for other in ["ada@elsewhere", "@ada@", "ada@pond.local@x"] {
            assert_eq!(site.username(other), None, "{other}");
        }
    }
}
