//! Entities of the Mastodon client API as JSON, made from the answers of queries. Pure, as the pages are.
//!
//! ```text
//!   FeedCroak, TalkMessage ──▶ Status        Person, Profile ──▶ Account, Relationship
//!   NoticeItem ──▶ Notification              TalkSummary ──▶ Conversation
//! ```
//!
//! - [`account`]: people; [`status`]: croaks, shares and direct messages; [`notification`]: notices; [`other`]: the rest
//! - [`instance`]: this installation; [`oauth`]: apps and tokens; [`pkce`]: proof of an app that ends a log-in
//! - [`params`]: parameters of a request
//! - [`html`]: texts as HTML; [`addresses`]: absolute addresses of the site's pages
//!
//! Ids are the decimal digits of log indexes, so the greater id is the newer item:
//!
//! | entity | id |
//! |---|---|
//! | account | index of the account's creation |
//! | status of a croak or direct message | index of the croak or message |
//! | status of a share ("reblog") | index of the share; `reblog` is the status of the croak |
//! | notification | index of the command that caused it |
//! | conversation | id of the other account |
//!
//! An entity has the fields of Mastodon 4.2, also those of which ribbit has no notion: they are constant.

pub mod account;
pub mod addresses;
pub mod html;
pub mod instance;
pub mod notification;
pub mod oauth;
pub mod other;
pub mod params;
pub mod pkce;
pub mod status;

pub use account::{AccountEntity, CredentialAccountEntity, RelationshipEntity};
pub use addresses::SiteAddresses;
pub use notification::NotificationEntity;
pub use other::{
    AnnouncementEntity, ConversationEntity, FoundEntities, FoundTag, MarkerEntity, MarkersEntity,
    PreferencesEntity, ReportEntity, StatusSource,
};
pub use status::{DeletedStatusEntity, Entities, StatusEntity, StatusThread, names_in};

use crate::time;

/// A field that is always `[]`.
pub(crate) type Nothing = [(); 0];

/// Returns a time as clients parse it: RFC 3339 in UTC with milliseconds. The entities that contain one require it, so a time of a
/// clock that was not set is 1970.
pub fn timestamp(wall_ms: u64) -> String {
    match time::shown(wall_ms) {
        Some(shown) => format!("{}.{:03}Z", shown.machine.trim_end_matches('Z'), wall_ms % 1000),
        None => "1970-01-01T00:00:00.000Z".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn times_have_milliseconds() {
        assert_eq!(timestamp(1_709_251_199_007), "2024-02-29T23:59:59.007Z");
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(u64::MAX), "1970-01-01T00:00:00.000Z");
    }
}
