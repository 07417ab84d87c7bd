//! `/people` and `/@name`: lists of people, and profiles. Follow and unfollow are posted to `/manage`.

use super::error_pages::no_such_user;
use super::error_pages::{NO_SESSION, WRONG_PAGE, error_page};
use super::limits::{READ_DEADLINE, page_len};
use super::request_context::{PageError, RequestContext};
use super::response::{self, WebResponse};
use hyper::StatusCode;
use ribbit_state::limits::{CROAKS_COUNT_MAX, FEED_PAGE_MAX, FOLLOWERS_COUNT_MAX};
use ribbit_state::query::PersonRelation;
use ribbit_state::{AccountId, Code, Field, LogIndex, Page, Query};
use ribbit_ui::form::Form;
use ribbit_ui::pages::people::{PeopleList, PeoplePage, PeopleTab, PersonRow, ProfilePage};
use ribbit_ui::pages::text;
use ribbit_ui::pages::{CroakView, NavEntry, PageFrame};
use ribbit_ui::time;
use ribbit_ui::words::{Note, Refusals};

/// Shows everyone, the results of a search, or the user's followers.
pub(super) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    let names = query.text(Field::Names.name()).trim().to_string();
    let which = match query.get("who") {
        Some("followers") => PeopleTab::Followers,
        Some("following") => PeopleTab::Following,
        _ => PeopleTab::Everyone,
    };
    let mut frame = context.frame("People", NavEntry::People);
    frame.note = query.get("note").and_then(Note::from_name).map(|note| note.words().to_string());
    let read = match which {
        PeopleTab::Everyone => everyone(context, &mut frame, &names, query.get("after")).await,
        PeopleTab::Following => return response::see_other("/manage"),
        PeopleTab::Followers => followers(context, &mut frame, query.get("after")).await,
    };
    let (list, refusals, status) = match read {
        Ok(list) => (Some(list), Refusals::default(), StatusCode::OK),
        Err(PageError::Denied(denied)) if denied.code == Code::InvalidEntry => {
            (None, Refusals::on(&[Field::Names.name()], &[denied]), StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(error) => return error_page(context, NavEntry::People, error),
    };
    context.count_unread(&mut frame).await;
    response::page(status, &PeoplePage { frame, which, names, refusals, log_in: false, list })
}

async fn everyone(
    context: &mut RequestContext,
    frame: &mut PageFrame,
    names: &str,
    after: Option<&str>,
) -> Result<PeopleList, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let query = Query::People { session, names: names.to_string(), after: after.map(str::to_string) };
    let got = context.read(query, READ_DEADLINE).await?;
    let Page::People { me, people, more } = got.page else { return Err(WRONG_PAGE) };
    frame.old = got.old;
    let people = rows(context, &me.username, people);
    frame.me = Some(me.username);
    let more = more.map(|more| {
        let mut address = form_urlencoded::Serializer::new("/people?".to_string());
        address.append_pair(Field::Names.name(), names).append_pair("after", &more);
        address.finish()
    });
    Ok(PeopleList { people, more, first: after.is_none() })
}

async fn followers(
    context: &mut RequestContext,
    frame: &mut PageFrame,
    after: Option<&str>,
) -> Result<PeopleList, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let after = after.and_then(|after| after.parse().ok()).map(AccountId);
    let got = context.read(Query::Followers { session, after }, READ_DEADLINE).await?;
    let Page::Followers { me, people, more } = got.page else { return Err(WRONG_PAGE) };
    frame.old = got.old;
    let people = rows(context, &me.username, people);
    frame.me = Some(me.username);
    let more = more.map(|more| format!("/people?who=followers&after={}", more.0));
    Ok(PeopleList { people, more, first: after.is_none() })
}

fn rows(context: &RequestContext, me: &str, people: Vec<PersonRelation>) -> Vec<PersonRow> {
    people.into_iter().map(|who| PersonRow::new(who, me, context.request_here())).collect()
}

/// Shows a profile.
pub(super) async fn profile(context: &mut RequestContext, username: &str, query: &Form) -> WebResponse {
    let before: Option<LogIndex> = query.get("before").and_then(|before| before.parse().ok());
    let Some(session) = context.session() else { return error_page(context, NavEntry::People, NO_SESSION) };
    let limit = page_len(FEED_PAGE_MAX);
    let ask = Query::Profile { session, username: username.to_string(), before, limit };
    let got = match context.read(ask, READ_DEADLINE).await {
        Ok(got) => got,
        Err(PageError::Denied(denied)) if [Code::NoSuchUser, Code::InvalidEntry].contains(&denied.code) => {
            return no_such_user(context, NavEntry::People);
        }
        Err(error) => return error_page(context, NavEntry::People, error),
    };
    let Page::Profile { me, profile, pinned, mut croaks, older } = got.page else {
        return error_page(context, NavEntry::People, WRONG_PAGE);
    };
    let mut frame = context.frame(&profile.relation.person.name, NavEntry::People);
    frame.old = got.old;
    frame.note = query.get("note").and_then(Note::from_name).map(|note| note.words().to_string());
    context.count_unread(&mut frame).await;
    let now_ms = frame.now_ms;
    let person = PersonRow::new(profile.relation, &me.username, context.request_here());
    let back = match before {
        Some(before) => format!("/@{}?before={before}", person.username),
        None => format!("/@{}", person.username),
    };
    // The pinned croak stands above the others, and once.
    croaks
        .retain(|croak| pinned.as_ref().is_none_or(|pinned| pinned.id != croak.id || croak.share.is_some()));
    let croaks = croaks.into_iter().map(|croak| CroakView::new(croak, now_ms, &me.username)).collect();
    let me = me.username;
    frame.me = Some(me.clone());
    let page = ProfilePage {
        frame,
        away: context.request_here(),
        person,
        back,
        created: time::when(profile.created_wall_ms, now_ms),
        bio: text::parts(&profile.bio),
        links: profile.links,
        croak_count: counted(profile.croaks, CROAKS_COUNT_MAX, "croak"),
        friends: profile.friends,
        followers: counted(profile.followers, FOLLOWERS_COUNT_MAX, "follower"),
        pinned: pinned.map(|croak| CroakView::new(*croak, now_ms, &me)),
        croaks,
        older,
        newest: before.is_none(),
    };
    response::page(StatusCode::OK, &page)
}

/// Returns a number that was counted up to `max`, as text.
fn counted(number: u32, max: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        many if many as usize >= max => format!("{many}+ {thing}s"),
        some => format!("{some} {thing}s"),
    }
}
