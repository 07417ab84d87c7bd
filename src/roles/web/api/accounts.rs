//! `/api/v1/accounts…`: people, their croaks and lists, and the relation of the client to them.

use super::error::{ApiError, json};
use super::paging::{Range, with_links};
use super::reading::number;
use super::request::ApiRequest;
use super::timelines::{self, empty};
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::WebResponse;
use crate::web::request_context::PageError;
use ribbit_state::caches::words::{tag_named, tags};
use ribbit_state::limits::PROFILES_NAMED_MAX;
use ribbit_state::query::{FeedCroak, FollowSide, Person, Profile};
use ribbit_state::{
    AccountChanges, AccountCommand, AccountId, Audience, Code, Command, Denied, Field, Page, Query,
    RelationCommand, TokenHash,
};
use ribbit_ui::api::{AccountEntity, CredentialAccountEntity, PreferencesEntity, RelationshipEntity};

/// Answers with the client's own account.
pub(super) async fn verify_credentials(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let Page::Account(own) = request.read(|session| Query::Account { session }).await? else {
        return Err(WRONG_PAGE.into());
    };
    let profile = request.profile(own.person.account).await?;
    Ok(json(&CredentialAccountEntity::new(&request.site(), &profile, &own)))
}

/// Changes the parts of the client's own account that are given, and answers with it.
pub(super) async fn update_credentials(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    for (name, value) in request.params.iter() {
        if ["avatar", "header"].contains(&name) && !value.is_empty() {
            let words = "Ribbit draws its avatars. Choose one on the page Settings.";
            return Err(ApiError::unprocessable(words));
        }
    }
    if request.is_set("locked") {
        let words = "Ribbit has no locked accounts. Post for followers, or block people.";
        return Err(ApiError::unprocessable(words));
    }
    let text = |name: &str| request.params.get(name).map(str::to_string);
    let audience = match request.params.get("source[privacy]") {
        None | Some("") => None,
        Some("public" | "unlisted") => Some(Audience::Everyone),
        Some("private") => Some(Audience::Followers),
        Some(_) => return Err(ApiError::unprocessable("The privacy is public, unlisted or private.")),
    };
    let changes = AccountChanges {
        name: text("display_name"),
        bio: text("note"),
        links: links(request),
        audience,
        ..AccountChanges::default()
    };
    let session = request.session()?;
    if changes != AccountChanges::default() {
        request.write(AccountCommand::Describe { session, changes }.into()).await?;
    }
    verify_credentials(request).await
}

/// Returns the values of the profile's fields, which are links in ribbit. `None` if no field is given.
fn links(request: &ApiRequest<'_>) -> Option<Vec<String>> {
    let fields = request.params.iter().filter(|(name, _)| name.starts_with("fields_attributes"));
    let values: Vec<String> = fields
        .filter(|(name, _)| name.ends_with("[value]"))
        .map(|(_, value)| value.trim().to_string())
        .collect();
    (!values.is_empty()).then(|| values.into_iter().filter(|value| !value.is_empty()).collect())
}

pub(super) async fn preferences(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    match request.read(|session| Query::Account { session }).await? {
        Page::Account(own) => Ok(json(&PreferencesEntity::from(own.audience))),
        _ => Err(WRONG_PAGE.into()),
    }
}

pub(super) async fn show(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let profile = request.profile(AccountId(request.id())).await?;
    Ok(json(&AccountEntity::described(&request.site(), &profile)))
}

/// Answers with several accounts.
pub(super) async fn show_all(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let profiles = named(request).await?;
    let site = request.site();
    let accounts: Vec<_> = profiles.iter().map(|profile| AccountEntity::described(&site, profile)).collect();
    Ok(json(&accounts))
}

/// Answers with the relations of the client to several accounts.
pub(super) async fn relationships(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let profiles = named(request).await?;
    let relations: Vec<_> =
        profiles.iter().map(|profile| RelationshipEntity::from(&profile.relation)).collect();
    Ok(json(&relations))
}

/// Returns the profiles that the parameters `id` name.
async fn named(request: &mut ApiRequest<'_>) -> Result<Vec<Profile>, ApiError> {
    let mut ids: Vec<AccountId> = Vec::new();
    for id in request.params.all("id").map(|id| AccountId(number(id))) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.len() > PROFILES_NAMED_MAX {
        return Err(ApiError::unprocessable("Name at most 40 accounts."));
    }
    if ids.is_empty() { Ok(Vec::new()) } else { Ok(request.profiles(ids).await?) }
}

/// Finds an account by its name.
pub(super) async fn lookup(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let site = request.site();
    let username = request.params.get("acct").and_then(|acct| site.username(acct)).map(str::to_string);
    let no_such = PageError::from(Denied::of(Code::NoSuchUser, Field::Username));
    let usernames = vec![username.ok_or(no_such)?];
    let Page::Persons(people) = request.read(|session| Query::Persons { session, usernames }).await? else {
        return Err(WRONG_PAGE.into());
    };
    let account = people.first().ok_or(no_such)?.account;
    let profile = request.profile(account).await?;
    Ok(json(&AccountEntity::described(&site, &profile)))
}

/// Answers with the croaks of an account.
pub(super) async fn statuses(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let profile = request.profile(AccountId(request.id())).await?;
    let username = profile.relation.person.username;
    if request.is_set("only_media") {
        return Ok(empty());
    }
    let query =
        |session, before, limit| Query::Profile { session, username: username.clone(), before, limit };
    if request.is_set("pinned") {
        let Page::Profile { pinned, .. } = request.read(|session| query(session, None, 1)).await? else {
            return Err(WRONG_PAGE.into());
        };
        let pinned: Vec<FeedCroak> = pinned.into_iter().map(|croak| *croak).collect();
        return Ok(json(&request.statuses(&pinned).await?));
    }
    let (no_replies, no_shares) = (request.is_set("exclude_replies"), request.is_set("exclude_reblogs"));
    let tag = match request.params.get("tagged").map(tag_named) {
        Some(None) => return Ok(empty()),
        named => named.flatten(),
    };
    let wanted = |croak: &FeedCroak| {
        let is_unwanted = match &croak.share {
            Some(_) => no_shares,
            None => no_replies && croak.body.reply_to.is_some(),
        };
        !is_unwanted
            && tag.as_ref().is_none_or(|tag| tags(&croak.body.text).iter().any(|own| own.name == *tag))
    };
    let found = timelines::croaks(request, query, wanted).await?;
    timelines::answer(request, found).await
}

/// Answers with those whom an account follows, or who follow it, in the order of their ids.
pub(super) async fn follows(request: &mut ApiRequest<'_>, side: FollowSide) -> Result<WebResponse, ApiError> {
    let profile = request.profile(AccountId(request.id())).await?;
    let username = profile.relation.person.username;
    people(request, |session, after| Query::FollowsOf { session, username, side, after }).await
}

/// Answers with the accounts that the client has muted, in the order of their ids.
pub(super) async fn mutes(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    people(request, |session, after| Query::Muted { session, after }).await
}

/// Answers with the accounts that the client has blocked, in the order of their ids.
pub(super) async fn blocks(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    people(request, |session, after| Query::Blocked { session, after }).await
}

/// Answers with a page of people. These lists go by the ids of the accounts upwards, so `max_id` is the last one of the page
/// before; clients take it from the header `Link`.
async fn people(
    request: &mut ApiRequest<'_>,
    query: impl FnOnce(TokenHash, Option<AccountId>) -> Query,
) -> Result<WebResponse, ApiError> {
    let Range { max, limit, .. } = Range::of(request);
    let (mut people, more): (Vec<Person>, _) =
        match request.read(|session| query(session, max.map(AccountId))).await? {
            Page::Friends { friends, more, .. } => (friends, more),
            Page::KeptAway { people, more, .. } => {
                (people.into_iter().map(|relation| relation.person).collect(), more)
            }
            _ => return Err(WRONG_PAGE.into()),
        };
    let more = if people.len() > limit { Some(people[limit - 1].account) } else { more };
    people.truncate(limit);
    let accounts = request.accounts(&people);
    Ok(with_links(json(&accounts), request, more.map(|account| account.0), None))
}

/// A change of the client's relation to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelationAct {
    Follow,
    Unfollow,
    Mute,
    Unmute,
    Block,
    Unblock,
}

impl RelationAct {
    fn command(self, session: TokenHash, username: String) -> Command {
        match self {
            RelationAct::Follow => Command::AddFriend { session, username },
            RelationAct::Unfollow => Command::RemoveFriend { session, username },
            RelationAct::Mute => RelationCommand::Mute { session, username, muted: true }.into(),
            RelationAct::Unmute => RelationCommand::Mute { session, username, muted: false }.into(),
            RelationAct::Block => RelationCommand::Block { session, username, blocked: true }.into(),
            RelationAct::Unblock => RelationCommand::Block { session, username, blocked: false }.into(),
        }
    }

    /// Returns true if the refusal says that it is so already.
    fn is_so(self, code: Code) -> bool {
        matches!(
            (self, code),
            (RelationAct::Follow, Code::AlreadyFriend) | (RelationAct::Unfollow, Code::NotAFriend)
        )
    }
}

/// Changes the relation to an account, and answers with it.
pub(super) async fn relate(request: &mut ApiRequest<'_>, act: RelationAct) -> Result<WebResponse, ApiError> {
    let account = AccountId(request.id());
    let username = request.profile(account).await?.relation.person.username;
    let session = request.session()?;
    // Doing it twice changes nothing, so it needs no id of its own.
    let id = request.context.new_request().await?;
    match request.context.command(id, act.command(session, username)).await {
        Ok(_) => {}
        Err(PageError::Denied(denied)) if act.is_so(denied.code) => {}
        Err(error) => return Err(error.into()),
    }
    let after = request.profile(account).await?;
    Ok(json(&RelationshipEntity::from(&after.relation)))
}
