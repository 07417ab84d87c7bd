//! `/people` and `/@name`: lists of people, and profiles. Follow and unfollow are posted to `/manage`.

use crate::web::error_pages::no_such_user;
use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{PEOPLE_PAGES_COMPARED_MAX, READ_DEADLINE, page_len};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::limits::{CROAKS_COUNT_MAX, FEED_PAGE_MAX, FOLLOWERS_COUNT_MAX};
use ribbit_state::query::{Person, PersonRelation};
use ribbit_state::{AccountId, Code, Field, LogIndex, Page, Query};
use ribbit_ui::form::Form;
use ribbit_ui::pages::people::{PeopleList, PeoplePage, PeopleTab, PersonRow, ProfilePage};
use ribbit_ui::pages::text;
use ribbit_ui::pages::{CroakView, NavEntry, PageFrame};
use ribbit_ui::time;
use ribbit_ui::words::Refusals;

/// Shows everyone, the results of a search, or the user's followers.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    let names = query.text(Field::Names.name()).trim().to_string();
    let which = match query.get("who") {
        Some("followers") => PeopleTab::Followers,
        Some("following") => PeopleTab::Following,
        _ => PeopleTab::Everyone,
    };
    let mut frame = context.frame("People", NavEntry::People);
    frame.take_note(query);
    let after = query.get("after");
    let read = match which {
        PeopleTab::Everyone => everyone(context, &mut frame, &names, after).await,
        PeopleTab::Following | PeopleTab::Followers => {
            let after = after.and_then(|after| after.parse().ok()).map(AccountId);
            known(context, &mut frame, which, &names, after).await
        }
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
    // A name without a wildcard is found as a part of names.
    let is_pattern = names.is_empty() || names.contains(['*', '?', '[']);
    let pattern = if is_pattern { names.to_string() } else { format!("*{names}*") };
    let query = Query::People { session, names: pattern, after: after.map(str::to_string) };
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

/// Returns the people that the user follows, or their followers, whose names contain a text.
async fn known(
    context: &mut RequestContext,
    frame: &mut PageFrame,
    which: PeopleTab,
    names: &str,
    after: Option<AccountId>,
) -> Result<PeopleList, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let wanted = names.trim_start_matches('@').to_lowercase();
    let fits = |it: &PersonRelation| {
        it.person.username.contains(&wanted) || it.person.name.to_lowercase().contains(&wanted)
    };
    let (mut found, mut next) = (Vec::new(), after);
    for _ in 0..PEOPLE_PAGES_COMPARED_MAX {
        let query = match which {
            PeopleTab::Followers => Query::Followers { session, after: next },
            PeopleTab::Everyone | PeopleTab::Following => Query::Friends { session, after: next },
        };
        let got = context.read(query, READ_DEADLINE).await?;
        let (me, people, more) = match got.page {
            Page::Followers { me, people, more } => (me, people, more),
            Page::Friends { me, friends, more } => (me, friends.into_iter().map(followed).collect(), more),
            _ => return Err(WRONG_PAGE),
        };
        frame.old = got.old;
        frame.me = Some(me.username);
        found.extend(people.into_iter().filter(fits));
        next = more;
        // A search reads on while it has found nothing.
        if next.is_none() || wanted.is_empty() || !found.is_empty() {
            break;
        }
    }
    let people = rows(context, frame.me.as_deref().unwrap_or_default(), found);
    let more = next.map(|next| {
        let mut address = form_urlencoded::Serializer::new("/people?".to_string());
        address.append_pair("who", which.name());
        if !names.is_empty() {
            address.append_pair(Field::Names.name(), names);
        }
        address.append_pair("after", &next.0.to_string());
        address.finish()
    });
    Ok(PeopleList { people, more, first: after.is_none() })
}

fn followed(person: Person) -> PersonRelation {
    PersonRelation { person, followed: true, follows: false, muted: false, blocked: false, blocks: false }
}

fn rows(context: &RequestContext, me: &str, people: Vec<PersonRelation>) -> Vec<PersonRow> {
    people.into_iter().map(|who| PersonRow::new(who, me, context.request_here())).collect()
}

/// Shows a profile.
pub(in crate::web) async fn profile(
    context: &mut RequestContext,
    username: &str,
    query: &Form,
    public_feed: bool,
) -> WebResponse {
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
    frame.take_note(query);
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
        public_feed,
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
