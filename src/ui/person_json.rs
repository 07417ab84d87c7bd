//! People, croaks and messages as JSON for scripts, one object a line. `docs/scripting.md` describes the fields.
//!
//! Fields are added, never renamed or removed. A time is RFC 3339 in UTC, or null if the clock of the server was not set. An id
//! is a log index; newer items have greater ids.

use super::{plain, time};
use ribbit_state::query::{AccountSummary, OpenSession, OwnAccount, PersonRelation, Profile};
use ribbit_state::query::{CroakBody, FeedCroak, Person};
use ribbit_state::query::{DeliveryStatus, TalkMessage};
use ribbit_state::rows::Credential;
use ribbit_state::{AccountRole, Audience, LogIndex};
use serde::Serialize;

/// A person.
#[derive(Debug, Serialize)]
pub struct WhoJson<'a> {
    account: u64,
    username: &'a str,
    name: &'a str,
}

impl<'a> From<&'a Person> for WhoJson<'a> {
    fn from(person: &'a Person) -> WhoJson<'a> {
        WhoJson { account: person.account.0, username: &person.username, name: &person.name }
    }
}

#[derive(Debug, Serialize)]
struct CroakJson<'a> {
    id: LogIndex,
    author: WhoJson<'a>,
    text: &'a str,
    time: Option<String>,
    audience: Audience,
    /// The croak that this one answers. It may be deleted.
    reply_to: Option<LogIndex>,
    replies: u32,
    likes: u32,
    shares: u32,
    /// The reader likes it.
    liked: bool,
    /// The reader shared it.
    shared: bool,
    /// Set if it is listed because an account shared it.
    share: Option<ShareJson<'a>>,
}

#[derive(Debug, Serialize)]
struct ShareJson<'a> {
    id: LogIndex,
    by: WhoJson<'a>,
}

#[derive(Debug, Serialize)]
struct MessageJson<'a> {
    id: LogIndex,
    /// Null if the account was deleted; also in `to`.
    from: Option<WhoJson<'a>>,
    to: Option<WhoJson<'a>>,
    text: &'a str,
    time: Option<String>,
    fate: DeliveryStatus,
}

#[derive(Debug, Serialize)]
struct AcquaintanceJson<'a> {
    #[serde(flatten)]
    who: WhoJson<'a>,
    followed: bool,
    follows: bool,
    muted: bool,
    blocked: bool,
}

#[derive(Debug, Serialize)]
struct AccountJson<'a> {
    #[serde(flatten)]
    who: WhoJson<'a>,
    email: &'a str,
    created: Option<String>,
}

#[derive(Debug, Serialize)]
struct OwnAccountJson<'a> {
    #[serde(flatten)]
    account: AccountJson<'a>,
    bio: &'a str,
    links: &'a [String],
    avatar: String,
    /// Audience of croaks that name none.
    audience: Audience,
    role: AccountRole,
}

#[derive(Debug, Serialize)]
struct ProfileJson<'a> {
    #[serde(flatten)]
    who: WhoJson<'a>,
    bio: &'a str,
    links: &'a [String],
    avatar: String,
    created: Option<String>,
    croaks: u32,
    following: u32,
    followers: u32,
    followed: bool,
    follows: bool,
    muted: bool,
    blocked: bool,
    /// Id of the pinned croak.
    pinned: Option<LogIndex>,
    /// The user's own profile only; so is the audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<Audience>,
}

#[derive(Debug, Serialize)]
struct AccountLineJson<'a> {
    #[serde(flatten)]
    account: AccountJson<'a>,
    suspended: bool,
    role: AccountRole,
    sessions: u32,
    /// False if the account is open by its name alone, through gateways.
    password: bool,
}

#[derive(Debug, Serialize)]
struct SessionJson {
    opened: LogIndex,
    time: Option<String>,
    this: bool,
    /// Empty if it is not known.
    device: String,
    /// Day of the last write in UTC.
    used: Option<String>,
    /// What the person lets the app do, if the session is an app's.
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<String>,
}

/// Returns a croak as a line of JSON.
pub fn croak(croak: &FeedCroak) -> String {
    line(&croak_json(croak))
}

/// Returns a message as a line of JSON. `with` is the other person, or `None` if their account was deleted.
pub fn message(message: &TalkMessage, with: Option<&Person>, me: &Person) -> String {
    line(&message_json(message, with, me))
}

/// Returns a person as a line of JSON, with who follows whom.
pub fn acquaintance(person: &PersonRelation) -> String {
    let PersonRelation { person, followed, follows, muted, blocked, .. } = person;
    let (followed, follows, muted, blocked) = (*followed, *follows, *muted, *blocked);
    line(&AcquaintanceJson { who: person.into(), followed, follows, muted, blocked })
}

/// Returns an account as a line of JSON, for operators.
pub fn account_line(account: &AccountSummary) -> String {
    let AccountSummary { person, email, created_wall_ms, suspended, role, credential, sessions } = account;
    let account = AccountJson { who: person.into(), email, created: time_of(*created_wall_ms) };
    let password = matches!(credential, Credential::Password(()));
    line(&AccountLineJson { account, suspended: *suspended, role: *role, sessions: *sessions, password })
}

/// Returns a person as a line of JSON.
pub fn person(person: &Person) -> String {
    line(&WhoJson::from(person))
}

/// Returns the user's own account as a line of JSON.
pub fn own_account(account: &OwnAccount) -> String {
    let OwnAccount { person, email, created_wall_ms, bio, links, audience, role } = account;
    let avatar = person.avatar.to_string();
    let account = AccountJson { who: person.into(), email, created: time_of(*created_wall_ms) };
    line(&OwnAccountJson { account, bio, links, avatar, audience: *audience, role: *role })
}

pub fn session(session: &OpenSession) -> String {
    let OpenSession { opened, opened_wall_ms, device, used_wall_ms, this, scopes } = session;
    let (time, used) = (time_of(*opened_wall_ms), time::date(*used_wall_ms));
    let scopes = scopes.map(|scopes| scopes.to_string());
    line(&SessionJson { opened: *opened, time, this: *this, device: device.clone(), used, scopes })
}

/// Returns a profile as a line of JSON; the user's own with what only they see.
pub fn profile(profile: &Profile, pinned: Option<&FeedCroak>, own: Option<&OwnAccount>) -> String {
    let Profile { relation, created_wall_ms, bio, links, croaks, friends, followers } = profile;
    let PersonRelation { person, followed, follows, muted, blocked, blocks: _ } = relation;
    line(&ProfileJson {
        who: person.into(),
        bio,
        links,
        avatar: person.avatar.to_string(),
        created: time_of(*created_wall_ms),
        croaks: *croaks,
        following: *friends,
        followers: *followers,
        followed: *followed,
        follows: *follows,
        muted: *muted,
        blocked: *blocked,
        pinned: pinned.map(|croak| croak.id),
        email: own.map(|own| own.email.as_str()),
        audience: own.map(|own| own.audience),
    })
}

fn croak_json(croak: &FeedCroak) -> CroakJson<'_> {
    let FeedCroak { id, author, body: CroakBody { wall_ms, text, audience, reply_to }, numbers, share } =
        croak;
    CroakJson {
        id: *id,
        author: author.into(),
        text,
        time: time_of(*wall_ms),
        audience: *audience,
        reply_to: *reply_to,
        replies: numbers.replies,
        likes: numbers.likes,
        shares: numbers.shares,
        liked: numbers.liked,
        shared: numbers.shared,
        share: share.as_ref().map(|share| ShareJson { id: share.id, by: (&share.by).into() }),
    }
}

fn message_json<'a>(message: &'a TalkMessage, with: Option<&'a Person>, me: &'a Person) -> MessageJson<'a> {
    let (me, with) = (Some(WhoJson::from(me)), with.map(WhoJson::from));
    let (from, to) = if message.mine { (me, with) } else { (with, me) };
    let TalkMessage { id, wall_ms, text, status, .. } = message;
    MessageJson { id: *id, from, to, text, time: time_of(*wall_ms), fate: *status }
}

pub(super) fn time_of(wall_ms: u64) -> Option<String> {
    time::shown(wall_ms).map(|shown| shown.machine)
}

pub(super) fn line(json: &impl Serialize) -> String {
    plain::json(&serde_json::to_string(json).expect("plain data always serialises"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::query::{CroakNumbers, CroakShare};
    use ribbit_state::{AccountId, Avatar};

    fn person(account: u64, username: &str) -> Person {
        let (username, name) = (username.to_string(), username.to_uppercase());
        Person { account: AccountId(account), username, name, avatar: Avatar::Drawn }
    }

    /// Scripts rely on these fields. New ones may be added; nothing else may change.
    #[test]
    fn the_json_of_each_item_is_stable() {
        let (ada, bob) = (person(3, "ada"), person(4, "bob"));
        let body = CroakBody {
            wall_ms: 0,
            text: "a \"b\"\n\x1b".into(),
            audience: Audience::Followers,
            reply_to: Some(7),
        };
        let numbers =
            CroakNumbers { replies: 1, likes: 2, shares: 3, liked: true, shared: false, pinned: false };
        let share = Some(Box::new(CroakShare { id: 11, by: bob.clone(), wall_ms: 1 }));
        let said = FeedCroak { id: 9, author: ada.clone(), body, numbers, share };
        assert_eq!(
            croak(&said),
            r#"{"id":9,"author":{"account":3,"username":"ada","name":"ADA"},"text":"a \"b\"\n\u001b","time":null,"audience":"followers","reply_to":7,"replies":1,"likes":2,"shares":3,"liked":true,"shared":false,"share":{"id":11,"by":{"account":4,"username":"bob","name":"BOB"}}}"#
        );
        let wall_ms = 1_709_251_199_999;
        let wrote =
            TalkMessage { id: 12, mine: true, wall_ms, text: "hi".into(), status: DeliveryStatus::Delivered };
        let to_bob = r#"{"id":12,"from":{"account":3,"username":"ada","name":"ADA"},"to":{"account":4,"username":"bob","name":"BOB"},"text":"hi","time":"2024-02-29T23:59:59Z","fate":"delivered"}"#;
        assert_eq!(message(&wrote, Some(&bob), &ada), to_bob);
        let got = TalkMessage { mine: false, status: DeliveryStatus::Saved, ..wrote.clone() };
        let from_nobody = r#"{"id":12,"from":null,"to":{"account":3,"username":"ada","name":"ADA"},"text":"hi","time":"2024-02-29T23:59:59Z","fate":"saved"}"#;
        assert_eq!(message(&got, None, &ada), from_nobody);
        let known = PersonRelation {
            person: bob.clone(),
            followed: true,
            follows: false,
            muted: false,
            blocked: false,
            blocks: false,
        };
        assert_eq!(
            acquaintance(&known),
            r#"{"account":4,"username":"bob","name":"BOB","followed":true,"follows":false,"muted":false,"blocked":false}"#
        );
        let account = AccountSummary {
            person: bob.clone(),
            email: "b@b".into(),
            created_wall_ms: wall_ms,
            suspended: false,
            role: AccountRole::Admin,
            credential: Credential::Password(()),
            sessions: 2,
        };
        assert_eq!(
            account_line(&account),
            r#"{"account":4,"username":"bob","name":"BOB","email":"b@b","created":"2024-02-29T23:59:59Z","suspended":false,"role":"admin","sessions":2,"password":true}"#
        );
        let own = OwnAccount {
            person: ada.clone(),
            email: "a@a".into(),
            created_wall_ms: 0,
            bio: "frogs".into(),
            links: vec!["http://a".into()],
            audience: Audience::Followers,
            role: AccountRole::Person,
        };
        assert_eq!(
            own_account(&own),
            r#"{"account":3,"username":"ada","name":"ADA","email":"a@a","created":null,"bio":"frogs","links":["http://a"],"avatar":"drawn","audience":"followers","role":"person"}"#
        );
        let open = OpenSession {
            opened: 5,
            opened_wall_ms: wall_ms,
            device: "Firefox on Android".into(),
            used_wall_ms: wall_ms,
            this: true,
            scopes: None,
        };
        assert_eq!(
            session(&open),
            r#"{"opened":5,"time":"2024-02-29T23:59:59Z","this":true,"device":"Firefox on Android","used":"2024-02-29"}"#
        );
        let shown = Profile {
            relation: known,
            created_wall_ms: 0,
            bio: String::new(),
            links: Vec::new(),
            croaks: 4,
            friends: 1,
            followers: 2,
        };
        let json = r#"{"account":4,"username":"bob","name":"BOB","bio":"","links":[],"avatar":"drawn","created":null,"croaks":4,"following":1,"followers":2,"followed":true,"follows":false,"muted":false,"blocked":false,"pinned":9}"#;
        assert_eq!(profile(&shown, Some(&said), None), json);
        let own = profile(&shown, None, Some(&own));
        assert!(own.ends_with(r#""pinned":null,"email":"a@a","audience":"followers"}"#), "{own}");
        assert_eq!(super::person(&bob), r#"{"account":4,"username":"bob","name":"BOB"}"#);
    }
}
