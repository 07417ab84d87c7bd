//! Conversations, search results, announcements, preferences, markers and reports as entities.

use super::account::{AccountEntity, visibility};
use super::addresses::SiteAddresses;
use super::html::content;
use super::status::{Entities, StatusEntity};
use super::{Nothing, timestamp};
use crate::pages::text::tag_path;
use ribbit_state::query::{AnnouncementItem, Person, Profile, TalkSummary};
use ribbit_state::{Audience, LogIndex};
use serde::Serialize;

/// A talk with its newest message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConversationEntity {
    id: String,
    unread: bool,
    accounts: [AccountEntity; 1],
    last_status: StatusEntity,
}

impl ConversationEntity {
    pub fn new(entities: &Entities, me: &Person, talk: &TalkSummary) -> ConversationEntity {
        let TalkSummary { with, with_account, newest, waiting } = talk;
        let account = with.as_ref().map_or_else(
            || AccountEntity::deleted(&entities.site, *with_account),
            |with| entities.account(with),
        );
        ConversationEntity {
            id: with_account.0.to_string(),
            unread: *waiting > 0,
            accounts: [account],
            last_status: entities.message(me, with.as_ref(), *with_account, newest),
        }
    }
}

/// Results of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FoundEntities {
    pub accounts: Vec<AccountEntity>,
    pub statuses: Vec<StatusEntity>,
    pub hashtags: Vec<FoundTag>,
}

/// A tag that croaks may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundTag {
    name: String,
    url: String,
    history: Nothing,
    following: bool,
}

impl FoundTag {
    /// `name` is folded and has no `#`.
    pub fn new(site: &SiteAddresses, name: String) -> FoundTag {
        FoundTag { url: site.at(&tag_path(&name)), name, history: [], following: false }
    }
}

/// Text of the people who run the servers for everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnnouncementEntity {
    id: String,
    /// HTML.
    content: String,
    starts_at: (),
    ends_at: Option<String>,
    all_day: bool,
    published_at: String,
    updated_at: String,
    /// One that was dismissed is not listed any more.
    read: bool,
    mentions: Nothing,
    statuses: Nothing,
    tags: Nothing,
    emojis: Nothing,
    reactions: Nothing,
}

impl AnnouncementEntity {
    pub fn new(site: &SiteAddresses, item: &AnnouncementItem, now_ms: u64) -> AnnouncementEntity {
        let AnnouncementItem { id, text, wall_ms, left_ms } = item;
        AnnouncementEntity {
            id: id.to_string(),
            content: content(site, text),
            starts_at: (),
            ends_at: left_ms.map(|left_ms| timestamp(now_ms.saturating_add(left_ms))),
            all_day: false,
            published_at: timestamp(*wall_ms),
            updated_at: timestamp(*wall_ms),
            read: false,
            mentions: [],
            statuses: [],
            tags: [],
            emojis: [],
            reactions: [],
        }
    }
}

/// Settings of the client's account for all its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PreferencesEntity {
    #[serde(rename = "posting:default:visibility")]
    visibility: &'static str,
    #[serde(rename = "posting:default:sensitive")]
    sensitive: bool,
    #[serde(rename = "posting:default:language")]
    language: (),
    #[serde(rename = "reading:expand:media")]
    expand_media: &'static str,
    #[serde(rename = "reading:expand:spoilers")]
    expand_spoilers: bool,
}

impl From<Audience> for PreferencesEntity {
    fn from(audience: Audience) -> PreferencesEntity {
        PreferencesEntity {
            visibility: visibility(audience),
            sensitive: false,
            language: (),
            expand_media: "default",
            expand_spoilers: false,
        }
    }
}

/// Read position in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarkerEntity {
    last_read_id: String,
    version: u64,
    updated_at: String,
}

impl MarkerEntity {
    /// The position only moves forward, so it is its own version.
    pub fn new(through: LogIndex, now_ms: u64) -> MarkerEntity {
        MarkerEntity { last_read_id: through.to_string(), version: through, updated_at: timestamp(now_ms) }
    }
}

/// Read positions of the client's account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MarkersEntity {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<MarkerEntity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notifications: Option<MarkerEntity>,
}

/// A report that the client has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportEntity {
    id: String,
    action_taken: bool,
    action_taken_at: (),
    category: &'static str,
    comment: String,
    forwarded: bool,
    created_at: String,
    status_ids: Vec<String>,
    rule_ids: Nothing,
    target_account: AccountEntity,
}

impl ReportEntity {
    pub fn new(
        site: &SiteAddresses,
        about: &Profile,
        (id, now_ms): (LogIndex, u64),
        comment: String,
        statuses: &[LogIndex],
    ) -> ReportEntity {
        ReportEntity {
            id: id.to_string(),
            action_taken: false,
            action_taken_at: (),
            category: "other",
            comment,
            forwarded: false,
            created_at: timestamp(now_ms),
            status_ids: statuses.iter().map(ToString::to_string).collect(),
            rule_ids: [],
            target_account: AccountEntity::described(site, about),
        }
    }
}

/// Text of a status as it was entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusSource {
    pub id: String,
    pub text: String,
    pub spoiler_text: &'static str,
}
