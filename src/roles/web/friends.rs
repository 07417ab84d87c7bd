//! `/manage`: the people a user follows; follow and unfollow.

use super::answer::{self, Answer};
use super::feed::{NO_SESSION, WRONG_PAGE, status, stopped};
use super::limits::{AROUND_DEADLINE, READ_DEADLINE};
use super::visit::{Stop, Visit};
use hyper::StatusCode;
use ribbit_state::{AccountId, Code, Command, Denied, Field, Page, Query};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::{Friend, Friends, ManagePage, Place, Shell, lacks_session};
use ribbit_ui::words::{Note, Refusals};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Add,
    Remove,
}

/// Shows the people that the user follows.
pub async fn show(visit: &mut Visit, query: &Form) -> Answer {
    let after = query.get("after").and_then(|after| after.parse().ok()).map(AccountId);
    let mut shell = visit.shell("Following", Place::Manage);
    let note = query.get("note").and_then(Note::from_name);
    shell.note = note.map(|note| note.words().to_string());
    let friends = match read(visit, &mut shell, after, READ_DEADLINE).await {
        Ok(friends) => friends,
        Err(stop) => return stopped(visit, Place::Manage, stop),
    };
    visit.count_unread(&mut shell).await;
    let page = ManagePage {
        shell,
        request: Some(visit.request_here()),
        username: String::new(),
        refusals: Refusals::default(),
        log_in: false,
        removing: false,
        friends: Some(friends),
    };
    answer::page(StatusCode::OK, &page)
}

async fn read(
    visit: &mut Visit,
    shell: &mut Shell,
    after: Option<AccountId>,
    limit: Duration,
) -> Result<Friends, Stop> {
    let session = visit.session().ok_or(NO_SESSION)?;
    let got = visit.read(Query::Friends { session, after }, limit).await?;
    let Page::Friends { me, friends, more } = got.page else { return Err(WRONG_PAGE) };
    shell.me = Some(me.username);
    shell.old = got.old;
    let people = friends
        .into_iter()
        .map(|person| Friend { name: person.name, username: person.username, request: visit.request_here() })
        .collect();
    Ok(Friends { people, more, first: after.is_none() })
}

/// Follows or unfollows somebody.
pub async fn manage(visit: &mut Visit, form: &Form) -> Answer {
    let username = form.text(Field::Username.name()).to_string();
    let choice = match form.get("choice") {
        Some("add") => Choice::Add,
        Some("remove") => Choice::Remove,
        _ => {
            let denied = Stop::Denied(Denied::new(Code::InvalidEntry));
            return again(visit, form, None, None, denied).await;
        }
    };
    let Some(session) = visit.session() else {
        return again(visit, form, Some(choice), None, NO_SESSION).await;
    };
    let request = match visit.request_of(form).await {
        Ok(request) => request,
        Err(stop) => return again(visit, form, Some(choice), None, stop).await,
    };
    let (command, note) = match choice {
        Choice::Add => (Command::AddFriend { session, username: username.clone() }, Note::Added),
        Choice::Remove => (Command::RemoveFriend { session, username: username.clone() }, Note::Removed),
    };
    // A form can hold a longer text than a command. Checked here, so that the error is shown beside the field.
    if let Err(denied) = ribbit_state::text::fold_username(&username) {
        return again(visit, form, Some(choice), Some(request), denied.into()).await;
    }
    match visit.command(request, command).await {
        Ok(_) => answer::see_other(&format!("{}?note={}", back(form, &username), note.name())),
        Err(stop) => again(visit, form, Some(choice), Some(request), stop).await,
    }
}

/// Returns the path of the page with the button.
fn back(form: &Form, username: &str) -> String {
    match (form.get("back"), ribbit_state::text::fold_username(username)) {
        (Some("profile"), Ok(username)) => format!("/@{username}"),
        (Some("people"), _) => "/people".to_string(),
        _ => "/manage".to_string(),
    }
}

/// Shows the page again with the text and the reason.
async fn again(
    visit: &mut Visit,
    form: &Form,
    choice: Option<Choice>,
    tried: Option<FormRequest>,
    stop: Stop,
) -> Answer {
    let username = form.text(Field::Username.name()).to_string();
    let request = visit.request_again(form, tried, &stop).await;
    let mut shell = visit.shell("Following", Place::Manage);
    shell.trouble = stop.trouble();
    let friends = match stop {
        Stop::Trouble(_) => None,
        Stop::Denied(_) => read(visit, &mut shell, None, AROUND_DEADLINE).await.ok(),
    };
    let mut refusals = Refusals::on(&[Field::Username.name()], stop.denied());
    if choice.is_none() {
        refusals.general.push("Choose Follow or Unfollow.".to_string());
    }
    let page = ManagePage {
        shell,
        request,
        username,
        refusals,
        log_in: lacks_session(stop.denied()),
        removing: choice == Some(Choice::Remove),
        friends,
    };
    answer::page(status(&stop), &page)
}
