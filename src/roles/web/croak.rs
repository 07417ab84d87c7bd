//! `/croak/ID`: one croak, and its deletion by its author.

use super::answer::{self, Answer};
use super::feed::{NO_SESSION, WRONG_PAGE, status, stopped};
use super::limits::{AROUND_DEADLINE, READ_DEADLINE};
use super::visit::{Stop, Visit};
use hyper::StatusCode;
use ribbit_state::query::FeedCroak;
use ribbit_state::{AccountCommand, Code, LogIndex, Page, Query};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::people::CroakPage;
use ribbit_ui::pages::{FormPage, MessagePage, Place, ShownCroak};
use ribbit_ui::words::{Note, Refusals};
use std::time::Duration;

/// Shows one croak.
pub async fn show(visit: &mut Visit, id: &str) -> Answer {
    let Ok(id) = id.parse() else { return no_such(visit) };
    match page(visit, id, READ_DEADLINE, None).await {
        Ok(page) => page,
        Err(Stop::Denied(denied)) if denied.code == Code::NoSuchCroak => no_such(visit),
        Err(stop) => stopped(visit, Place::Nowhere, stop),
    }
}

fn no_such(visit: &Visit) -> Answer {
    let shell = visit.shell("Croak not found", Place::Nowhere);
    let words = "It may have been deleted.".to_string();
    answer::page(StatusCode::NOT_FOUND, &MessagePage { shell, words })
}

/// Returns the viewer's username, whether the answer may be out of date, and the croak.
async fn read(visit: &mut Visit, id: LogIndex, limit: Duration) -> Result<(String, bool, FeedCroak), Stop> {
    let session = visit.session().ok_or(NO_SESSION)?;
    let got = visit.read(Query::Croak { session, id }, limit).await?;
    let Page::Croak(croak) = got.page else { return Err(WRONG_PAGE) };
    match visit.read(Query::Me { session }, limit).await?.page {
        Page::Me(me) => Ok((me.username, got.old, croak)),
        _ => Err(WRONG_PAGE),
    }
}

/// Makes the page. After a refusal it shows the reason and carries the request id for the next try.
///
/// # Errors
/// The reason why the croak cannot be read.
async fn page(
    visit: &mut Visit,
    id: LogIndex,
    limit: Duration,
    refused: Option<(Stop, Option<FormRequest>)>,
) -> Result<Answer, Stop> {
    let (me, old, croak) = read(visit, id, limit).await?;
    let mut shell = visit.shell("Croak", Place::Nowhere);
    shell.old = old;
    visit.count_unread(&mut shell).await;
    let mine = croak.author.username == me;
    let (stop, request) = refused.unzip();
    let removal = mine.then(|| request.flatten().unwrap_or_else(|| visit.request_here()));
    let croak = ShownCroak::new(croak, shell.now_ms);
    shell.me = Some(me);
    let refusals = stop.map_or(Vec::new(), |stop| Refusals::on(&[], stop.denied()).general);
    let code = stop.map_or(StatusCode::OK, |stop| status(&stop));
    Ok(answer::page(code, &CroakPage { shell, croak, removal, refusals }))
}

/// Deletes the user's own croak.
pub async fn take_back(visit: &mut Visit, id: &str, form: &Form) -> Answer {
    let Ok(croak) = id.parse() else { return no_such(visit) };
    let Some(session) = visit.session() else { return stopped(visit, Place::Nowhere, NO_SESSION) };
    let request = match visit.request_of(form).await {
        Ok(request) => request,
        Err(stop) => return again(visit, croak, form, None, stop).await,
    };
    match visit.command(request, AccountCommand::RemoveCroak { session, croak }.into()).await {
        Ok(_) => answer::see_other(&format!("/main?note={}", Note::TakenBack.name())),
        Err(stop) => again(visit, croak, form, Some(request), stop).await,
    }
}

/// Shows the croak's page again with the reason, or only the form if the croak cannot be read.
async fn again(
    visit: &mut Visit,
    croak: LogIndex,
    form: &Form,
    tried: Option<FormRequest>,
    stop: Stop,
) -> Answer {
    let request = visit.request_again(form, tried, &stop).await;
    if let Stop::Denied(_) = stop {
        match page(visit, croak, AROUND_DEADLINE, Some((stop, request))).await {
            Ok(page) => return page,
            Err(Stop::Denied(denied)) if denied.code == Code::NoSuchCroak => return no_such(visit),
            Err(_) => {}
        }
    }
    let mut page = FormPage::take_back(visit.shell("Croak", Place::Nowhere), croak).refused(stop.denied());
    page.shell.trouble = stop.trouble();
    page.request = request;
    answer::page(status(&stop), &page)
}
