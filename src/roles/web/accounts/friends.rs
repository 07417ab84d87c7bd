//! `/manage`: the people a user follows; follow and unfollow.

use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{AROUND_DEADLINE, READ_DEADLINE};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::{AccountId, Code, Command, Denied, Field, Page, Query};
use ribbit_ui::avatar;
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::{Friend, Friends, ManagePage, NavEntry, PageFrame, lacks_session};
use ribbit_ui::words::{Note, Refusals};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FollowChoice {
    Add,
    Remove,
}

/// Shows the people that the user follows.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    let after = query.get("after").and_then(|after| after.parse().ok()).map(AccountId);
    let mut frame = context.frame("Following", NavEntry::People);
    frame.take_note(query);
    let friends = match read(context, &mut frame, after, READ_DEADLINE).await {
        Ok(friends) => friends,
        Err(error) => return error_page(context, NavEntry::People, error),
    };
    context.count_unread(&mut frame).await;
    let page = ManagePage {
        frame,
        request: Some(context.request_here()),
        username: String::new(),
        refusals: Refusals::default(),
        log_in: false,
        removing: false,
        friends: Some(friends),
    };
    response::page(StatusCode::OK, &page)
}

async fn read(
    context: &mut RequestContext,
    frame: &mut PageFrame,
    after: Option<AccountId>,
    limit: Duration,
) -> Result<Friends, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let got = context.read(Query::Friends { session, after }, limit).await?;
    let Page::Friends { me, friends, more } = got.page else { return Err(WRONG_PAGE) };
    frame.me = Some(me.username);
    frame.old = got.old;
    let people = friends
        .into_iter()
        .map(|person| Friend {
            avatar: avatar::path(Some(&person)),
            name: person.name,
            username: person.username,
            request: context.request_here(),
        })
        .collect();
    Ok(Friends { people, more, first: after.is_none() })
}

/// Follows or unfollows a person.
pub(in crate::web) async fn manage(context: &mut RequestContext, form: &Form) -> WebResponse {
    let username = form.text(Field::Username.name()).to_string();
    let choice = match form.get("choice") {
        Some("add") => FollowChoice::Add,
        Some("remove") => FollowChoice::Remove,
        _ => {
            let denied = PageError::Denied(Denied::new(Code::InvalidEntry));
            return again(context, form, None, None, denied).await;
        }
    };
    let Some(session) = context.session() else {
        return again(context, form, Some(choice), None, NO_SESSION).await;
    };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, form, Some(choice), None, error).await,
    };
    let (command, note) = match choice {
        FollowChoice::Add => (Command::AddFriend { session, username: username.clone() }, Note::Added),
        FollowChoice::Remove => {
            (Command::RemoveFriend { session, username: username.clone() }, Note::Removed)
        }
    };
    // A form can hold a longer text than a command. Checked here, so that the error is shown beside the field.
    if let Err(denied) = ribbit_state::text::fold_username(&username) {
        return again(context, form, Some(choice), Some(request), denied.into()).await;
    }
    match context.command(request, command).await {
        Ok(_) => {
            let back = back(form, &username);
            let sign = if back.contains('?') { '&' } else { '?' };
            response::see_other(&format!("{back}{sign}note={}", note.name()))
        }
        Err(error) => again(context, form, Some(choice), Some(request), error).await,
    }
}

/// Returns the path of the page with the button.
fn back(form: &Form, username: &str) -> String {
    match (form.get("back"), ribbit_state::text::fold_username(username)) {
        (Some("profile"), Ok(username)) => format!("/@{username}"),
        (Some("people"), _) => "/people".to_string(),
        (Some(list @ ("following" | "followers")), _) => format!("/people?who={list}"),
        _ => "/manage".to_string(),
    }
}

/// Shows the page again with the text and the reason.
async fn again(
    context: &mut RequestContext,
    form: &Form,
    choice: Option<FollowChoice>,
    tried: Option<FormRequest>,
    error: PageError,
) -> WebResponse {
    let username = form.text(Field::Username.name()).to_string();
    let request = context.request_again(form, tried, &error).await;
    let mut frame = context.frame("Following", NavEntry::People);
    frame.service_error = error.service_error();
    let friends = match error {
        PageError::Service(_) => None,
        PageError::Denied(_) => read(context, &mut frame, None, AROUND_DEADLINE).await.ok(),
    };
    let mut refusals = Refusals::on(&[Field::Username.name()], error.denied());
    if choice.is_none() {
        refusals.general.push("Choose Follow or Unfollow.".to_string());
    }
    let page = ManagePage {
        frame,
        request,
        username,
        refusals,
        log_in: lacks_session(error.denied()),
        removing: choice == Some(FollowChoice::Remove),
        friends,
    };
    response::page(status(&error), &page)
}
