//! Croaks, shares and direct messages as statuses.

use super::account::{AccountEntity, visibility};
use super::addresses::SiteAddresses;
use super::html::content;
use super::{Nothing, timestamp};
use crate::pages::text::tag_path;
use ribbit_state::caches::words::tags;
use ribbit_state::limits::PERSONS_NAMED_MAX;
use ribbit_state::query::{FeedCroak, Person, TalkMessage, Thread, ThreadCroak};
use ribbit_state::visibility::mentions::mentions;
use ribbit_state::{AccountId, LogIndex};
use serde::Serialize;
use std::collections::BTreeMap;

/// A croak, a share of one, or a direct message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusEntity {
    pub id: String,
    created_at: String,
    in_reply_to_id: Option<String>,
    in_reply_to_account_id: Option<String>,
    sensitive: bool,
    spoiler_text: &'static str,
    visibility: &'static str,
    language: (),
    uri: String,
    url: String,
    replies_count: u32,
    reblogs_count: u32,
    favourites_count: u32,
    edited_at: (),
    favourited: bool,
    reblogged: bool,
    muted: bool,
    bookmarked: bool,
    pinned: bool,
    /// HTML.
    content: String,
    filtered: Nothing,
    /// The croak, in the status of a share.
    reblog: Option<Box<StatusEntity>>,
    application: (),
    account: AccountEntity,
    media_attachments: Nothing,
    mentions: Vec<StatusMention>,
    tags: Vec<StatusTag>,
    emojis: Nothing,
    card: (),
    poll: (),
}

/// A person whom a status mentions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusMention {
    id: String,
    username: String,
    url: String,
    acct: String,
}

/// A tag of a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusTag {
    name: String,
    url: String,
}

/// A status that was deleted, with its text, so that it can be written again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeletedStatusEntity {
    #[serde(flatten)]
    status: StatusEntity,
    text: String,
}

impl DeletedStatusEntity {
    pub fn new(status: StatusEntity, text: String) -> DeletedStatusEntity {
        DeletedStatusEntity { status, text }
    }
}

/// The statuses around another one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StatusThread {
    /// The first of the thread first.
    pub ancestors: Vec<StatusEntity>,
    /// Each reply is followed by the replies to it.
    pub descendants: Vec<StatusEntity>,
}

/// Makes statuses for one answer.
#[derive(Debug, Clone)]
pub struct Entities {
    pub site: SiteAddresses,
    /// User name → the person, for the names that [`names_in`] has found.
    named: BTreeMap<String, Person>,
}

/// Returns the user names that texts mention, each once, at most `PERSONS_NAMED_MAX`.
pub fn names_in<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for mention in texts.into_iter().flat_map(mentions) {
        if names.len() == PERSONS_NAMED_MAX {
            break;
        }
        if !names.contains(&mention.username) {
            names.push(mention.username);
        }
    }
    names
}

impl Entities {
    /// `people` are those whom the texts mention, as far as the reader sees them.
    pub fn new(site: SiteAddresses, people: Vec<Person>) -> Entities {
        let named = people.into_iter().map(|person| (person.username.clone(), person)).collect();
        Entities { site, named }
    }

    /// Returns the entity of a person in a list.
    pub fn account(&self, person: &Person) -> AccountEntity {
        AccountEntity::listed(&self.site, person)
    }

    /// Returns the status of a croak, or of the share because of which it is in a list.
    pub fn status(&self, croak: &FeedCroak) -> StatusEntity {
        let status = self.croak(croak);
        let Some(share) = &croak.share else { return status };
        StatusEntity {
            id: share.id.to_string(),
            uri: self.site.croak(share.id),
            created_at: timestamp(share.wall_ms),
            account: self.account(&share.by),
            in_reply_to_id: None,
            in_reply_to_account_id: None,
            pinned: false,
            reblog: Some(Box::new(status.clone())),
            ..status
        }
    }

    fn croak(&self, croak: &FeedCroak) -> StatusEntity {
        let FeedCroak { id, author, body, numbers, .. } = croak;
        let mut status = self.text(*id, author.account, body.wall_ms, &body.text, self.account(author));
        status.visibility = visibility(body.audience);
        status.uri = self.site.croak(*id);
        status.url = self.site.croak(*id);
        status.replies_count = numbers.replies;
        status.reblogs_count = numbers.shares;
        status.favourites_count = numbers.likes;
        status.favourited = numbers.liked;
        status.reblogged = numbers.shared;
        status.pinned = numbers.pinned;
        status.in_reply_to_id = body.reply_to.map(|to| to.to_string());
        status.in_reply_to_account_id = body.reply_to.and_then(|_| self.answered(author.account, &body.text));
        status
    }

    /// Returns the account that a reply answers: the one that it begins with, or its own author.
    fn answered(&self, author: AccountId, text: &str) -> Option<String> {
        match mentions(text).next().filter(|mention| mention.begin == 0) {
            Some(mention) => self.named.get(&mention.username).map(|person| person.account.0.to_string()),
            None => Some(author.0.to_string()),
        }
    }

    /// Returns the status of a direct message. `with` is the other person, or `None` if their account is deleted.
    pub fn message(
        &self,
        me: &Person,
        with: Option<&Person>,
        with_account: AccountId,
        message: &TalkMessage,
    ) -> StatusEntity {
        let other =
            with.map_or_else(|| AccountEntity::deleted(&self.site, with_account), |with| self.account(with));
        let (author, account) =
            if message.mine { (me.account, self.account(me)) } else { (with_account, other) };
        let mut status = self.text(message.id, author, message.wall_ms, &message.text, account);
        status.visibility = "direct";
        // Clients answer those whom a direct status mentions.
        let recipient = if message.mine { with } else { Some(me) };
        if let Some(recipient) = recipient.map(|person| self.mention(person))
            && !status.mentions.contains(&recipient)
        {
            status.mentions.insert(0, recipient);
        }
        let page = with.map_or("/messages".to_string(), |with| format!("/messages/{}", with.username));
        status.url = self.site.at(&page);
        status.uri = self.site.at(&format!("{page}#message-{}", message.id));
        status
    }

    /// Returns a status with what follows from its text.
    fn text(
        &self,
        id: LogIndex,
        author: AccountId,
        wall_ms: u64,
        text: &str,
        account: AccountEntity,
    ) -> StatusEntity {
        debug_assert_eq!(account.id, author.0.to_string());
        let mut mentioned: Vec<StatusMention> = Vec::new();
        for person in mentions(text).filter_map(|mention| self.named.get(&mention.username)) {
            let mention = self.mention(person);
            if !mentioned.contains(&mention) {
                mentioned.push(mention);
            }
        }
        let tag = |name: String| StatusTag { url: self.site.at(&tag_path(&name)), name };
        StatusEntity {
            id: id.to_string(),
            created_at: timestamp(wall_ms),
            in_reply_to_id: None,
            in_reply_to_account_id: None,
            sensitive: false,
            spoiler_text: "",
            visibility: "public",
            language: (),
            uri: String::new(),
            url: String::new(),
            replies_count: 0,
            reblogs_count: 0,
            favourites_count: 0,
            edited_at: (),
            favourited: false,
            reblogged: false,
            muted: false,
            bookmarked: false,
            pinned: false,
            content: content(&self.site, text),
            filtered: [],
            reblog: None,
            application: (),
            account,
            media_attachments: [],
            mentions: mentioned,
            tags: tags(text).into_iter().map(|found| tag(found.name)).collect(),
            emojis: [],
            card: (),
            poll: (),
        }
    }

    fn mention(&self, person: &Person) -> StatusMention {
        StatusMention {
            id: person.account.0.to_string(),
            username: person.username.clone(),
            url: self.site.person(&person.username),
            acct: person.username.clone(),
        }
    }

    /// Returns the statuses around the croak of a thread. Gaps are left out.
    pub fn thread(&self, thread: &Thread) -> StatusThread {
        let shown = |entry: &ThreadCroak| match entry {
            ThreadCroak::Croak(croak) => Some(self.status(croak)),
            ThreadCroak::Gap => None,
        };
        let mut descendants = Vec::new();
        for reply in &thread.replies {
            descendants.extend(shown(&reply.croak));
            descendants.extend(reply.replies.iter().filter_map(shown));
        }
        StatusThread { ancestors: thread.above.iter().filter_map(shown).collect(), descendants }
    }
}

/// Returns the texts of a thread.
pub fn texts_of(thread: &Thread) -> impl Iterator<Item = &str> {
    let replies = thread.replies.iter().flat_map(|reply| std::iter::once(&reply.croak).chain(&reply.replies));
    thread.above.iter().chain(replies).filter_map(|entry| match entry {
        ThreadCroak::Croak(croak) => Some(croak.body.text.as_str()),
        ThreadCroak::Gap => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::query::{CroakBody, CroakNumbers, CroakShare, DeliveryStatus};
    use ribbit_state::{Audience, Avatar};
    use serde_json::{Value, json};

    fn person(account: u64, username: &str) -> Person {
        Person {
            account: AccountId(account),
            username: username.into(),
            name: username.to_uppercase(),
            avatar: Avatar::Drawn,
        }
    }

    fn entities() -> Entities {
        Entities::new(SiteAddresses::new(false, "pond"), vec![person(3, "ada"), person(4, "bob")])
    }

    fn reply() -> FeedCroak {
        let body = CroakBody {
            wall_ms: 1_709_251_199_007,
            text: "@ada <yes> #Rain".into(),
            audience: Audience::Followers,
            reply_to: Some(7),
        };
        let numbers =
            CroakNumbers { replies: 1, likes: 2, shares: 3, liked: true, shared: true, pinned: true };
        FeedCroak { id: 9, author: person(4, "bob"), body, numbers, share: None }
    }

    fn value(entity: &impl Serialize) -> Value {
        serde_json::to_value(entity).unwrap()
    }

    #[test]
    fn a_reply_has_every_field_of_a_status() {
        let mut status = value(&entities().status(&reply()));
        let account = status.as_object_mut().unwrap().remove("account").unwrap();
        assert_eq!(
            account,
            json!({
                "id": "4", "username": "bob", "acct": "bob", "display_name": "BOB", "locked": false, "bot": false,
                "discoverable": true, "group": false, "created_at": "1970-01-01T00:00:00.000Z", "note": "",
                "url": "http://pond/@bob", "uri": "http://pond/@bob", "avatar": "http://pond/avatar/bob.svg",
                "avatar_static": "http://pond/avatar/bob.svg", "header": "http://pond/favicon.svg",
                "header_static": "http://pond/favicon.svg", "followers_count": 0, "following_count": 0,
                "statuses_count": 0, "last_status_at": null, "emojis": [], "roles": [], "fields": [],
            })
        );
        assert_eq!(
            status,
            json!({
                "id": "9", "created_at": "2024-02-29T23:59:59.007Z", "in_reply_to_id": "7",
                "in_reply_to_account_id": "3", "sensitive": false, "spoiler_text": "", "visibility": "private",
                "language": null, "uri": "http://pond/croak/9", "url": "http://pond/croak/9", "replies_count": 1,
                "reblogs_count": 3, "favourites_count": 2, "edited_at": null, "favourited": true,
                "reblogged": true, "muted": false, "bookmarked": false, "pinned": true,
                "content": "<p><span class=\"h-card\"><a href=\"http://pond/@ada\" class=\"u-url mention\">@<span>ada\
                            </span></a></span> &lt;yes&gt; <a href=\"http://pond/tag/rain\" class=\"mention hashtag\" \
                            rel=\"tag\">#<span>Rain</span></a></p>",
                "filtered": [], "reblog": null, "application": null, "media_attachments": [],
                "mentions": [{ "id": "3", "username": "ada", "url": "http://pond/@ada", "acct": "ada" }],
                "tags": [{ "name": "rain", "url": "http://pond/tag/rain" }], "emojis": [], "card": null, "poll": null,
            })
        );
    }

    #[test]
    fn a_share_is_a_status_of_its_own_around_that_of_the_croak() {
        let share = Some(Box::new(CroakShare { id: 12, by: person(5, "carl"), wall_ms: 1_709_251_260_000 }));
        let status = value(&entities().status(&FeedCroak { share, ..reply() }));
        assert_eq!(status["id"], "12");
        assert_eq!(status["account"]["acct"], "carl");
        assert_eq!(status["created_at"], "2024-03-01T00:01:00.000Z");
        assert_eq!(status["in_reply_to_id"], Value::Null);
        assert_eq!(status["reblog"], value(&entities().status(&reply())));
    }

    #[test]
    fn a_reply_without_a_mention_answers_its_own_author() {
        let mut croak = reply();
        croak.body.text = "and more".into();
        assert_eq!(value(&entities().status(&croak))["in_reply_to_account_id"], "4");
        croak.body.text = "@nobody gone".into();
        let status = value(&entities().status(&croak));
        assert_eq!(status["in_reply_to_account_id"], Value::Null);
        assert_eq!(status["mentions"], json!([]));
    }

    #[test]
    fn a_message_is_a_direct_status_that_mentions_its_recipient() {
        let (ada, bob) = (person(3, "ada"), person(4, "bob"));
        let message = |mine| TalkMessage {
            id: 9,
            mine,
            wall_ms: 0,
            text: "hi @bob".into(),
            status: DeliveryStatus::Saved,
        };
        let sent = value(&entities().message(&ada, Some(&bob), bob.account, &message(true)));
        assert_eq!((&sent["visibility"], &sent["account"]["id"]), (&json!("direct"), &json!("3")));
        assert_eq!(sent["mentions"].as_array().unwrap().len(), 1);
        assert_eq!(sent["mentions"][0]["acct"], "bob");
        let got = value(&entities().message(&ada, Some(&bob), bob.account, &message(false)));
        assert_eq!(got["account"]["id"], "4");
        assert_eq!(got["mentions"][0]["acct"], "ada");
        let gone = value(&entities().message(&ada, None, AccountId(8), &message(false)));
        assert_eq!(gone["account"]["acct"], "deleted-8");
    }

    #[test]
    fn names_are_collected_once_and_up_to_a_bound() {
        assert_eq!(names_in(["@Ada @bob", "@ada a@b"]), ["ada", "bob"]);
        let many: String = (0..500).map(|number| format!("@n{number} ")).collect();
        assert_eq!(names_in([many.as_str()]).len(), PERSONS_NAMED_MAX);
    }
}
