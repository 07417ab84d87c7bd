//! People as entities.

use super::addresses::SiteAddresses;
use super::html::content;
use super::{Nothing, timestamp};
use ribbit_state::query::{OwnAccount, Person, PersonRelation, Profile};
use ribbit_state::{AccountId, Audience};
use serde::Serialize;

/// An account. In lists of statuses and people it has no numbers, no text about itself, and no time of its creation: clients read
/// the account itself when they show a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountEntity {
    pub id: String,
    username: String,
    acct: String,
    display_name: String,
    locked: bool,
    bot: bool,
    discoverable: bool,
    group: bool,
    created_at: String,
    /// HTML.
    note: String,
    url: String,
    uri: String,
    avatar: String,
    avatar_static: String,
    header: String,
    header_static: String,
    followers_count: u32,
    following_count: u32,
    statuses_count: u32,
    last_status_at: (),
    emojis: Nothing,
    roles: Nothing,
    fields: Vec<AccountField>,
}

/// A link of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct AccountField {
    name: String,
    /// HTML; plain text in [`AccountSource`].
    value: String,
    verified_at: (),
}

/// The client's own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialAccountEntity {
    #[serde(flatten)]
    account: AccountEntity,
    source: AccountSource,
}

/// The parts of an account that its owner may change, as they were entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct AccountSource {
    privacy: &'static str,
    sensitive: bool,
    language: (),
    note: String,
    fields: Vec<AccountField>,
    follow_requests_count: u32,
}

/// Relation of an account to the client's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RelationshipEntity {
    id: String,
    following: bool,
    showing_reblogs: bool,
    notifying: bool,
    languages: (),
    followed_by: bool,
    blocking: bool,
    blocked_by: bool,
    muting: bool,
    muting_notifications: bool,
    requested: bool,
    requested_by: bool,
    domain_blocking: bool,
    endorsed: bool,
    note: &'static str,
}

impl AccountEntity {
    /// Returns the entity of a person in a list.
    pub fn listed(site: &SiteAddresses, person: &Person) -> AccountEntity {
        let (url, avatar) = (site.person(&person.username), site.avatar(Some(person)));
        AccountEntity::new(site, person.account, &person.username, &person.name, url, avatar)
    }

    /// Returns the entity of a deleted account that is still part of a conversation.
    pub fn deleted(site: &SiteAddresses, account: AccountId) -> AccountEntity {
        let username = format!("deleted-{}", account.0);
        AccountEntity::new(
            site,
            account,
            &username,
            "Deleted account",
            site.deleted(account),
            site.avatar(None),
        )
    }

    fn new(
        site: &SiteAddresses,
        account: AccountId,
        username: &str,
        name: &str,
        url: String,
        avatar: String,
    ) -> AccountEntity {
        let header = site.at("/favicon.svg");
        AccountEntity {
            id: account.0.to_string(),
            username: username.to_string(),
            acct: username.to_string(),
            display_name: name.to_string(),
            locked: false,
            bot: false,
            discoverable: true,
            group: false,
            created_at: timestamp(0),
            note: String::new(),
            uri: url.clone(),
            url,
            avatar_static: avatar.clone(),
            avatar,
            header_static: header.clone(),
            header,
            followers_count: 0,
            following_count: 0,
            statuses_count: 0,
            last_status_at: (),
            emojis: [],
            roles: [],
            fields: Vec::new(),
        }
    }

    /// Returns the entity of a person with their profile.
    pub fn described(site: &SiteAddresses, profile: &Profile) -> AccountEntity {
        AccountEntity {
            created_at: timestamp(profile.created_wall_ms),
            note: if profile.bio.is_empty() { String::new() } else { content(site, &profile.bio) },
            followers_count: profile.followers,
            following_count: profile.friends,
            statuses_count: profile.croaks,
            fields: fields(&profile.links, |link| {
                let html = content(site, link);
                html.trim_start_matches("<p>").trim_end_matches("</p>").to_string()
            }),
            ..AccountEntity::listed(site, &profile.relation.person)
        }
    }
}

/// Numbers the links of a profile, which have no names.
fn fields(links: &[String], value: impl Fn(&str) -> String) -> Vec<AccountField> {
    let field = |(number, link): (usize, &String)| AccountField {
        name: if number == 0 { "Link".to_string() } else { format!("Link {}", number + 1) },
        value: value(link),
        verified_at: (),
    };
    links.iter().enumerate().map(field).collect()
}

impl CredentialAccountEntity {
    /// Returns the entity of the client's own account.
    pub fn new(site: &SiteAddresses, profile: &Profile, own: &OwnAccount) -> CredentialAccountEntity {
        let source = AccountSource {
            privacy: visibility(own.audience),
            sensitive: false,
            language: (),
            note: own.bio.clone(),
            fields: fields(&own.links, str::to_string),
            follow_requests_count: 0,
        };
        CredentialAccountEntity { account: AccountEntity::described(site, profile), source }
    }
}

impl From<&PersonRelation> for RelationshipEntity {
    fn from(relation: &PersonRelation) -> RelationshipEntity {
        let PersonRelation { person, followed, follows, muted, blocked, blocks } = relation;
        RelationshipEntity {
            id: person.account.0.to_string(),
            following: *followed,
            showing_reblogs: *followed,
            notifying: false,
            languages: (),
            followed_by: *follows,
            blocking: *blocked,
            blocked_by: *blocks,
            muting: *muted,
            muting_notifications: *muted,
            requested: false,
            requested_by: false,
            domain_blocking: false,
            endorsed: false,
            note: "",
        }
    }
}

/// Returns the word of an audience.
pub fn visibility(audience: Audience) -> &'static str {
    match audience {
        Audience::Everyone => "public",
        Audience::Followers => "private",
    }
}
