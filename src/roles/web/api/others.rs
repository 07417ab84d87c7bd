//! Announcements and reports, and refusals of what ribbit has no notion of.

use super::error::{ApiError, json};
use super::reading::{FoundStatus, number};
use super::request::ApiRequest;
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::WebResponse;
use ribbit_state::command::ReportSubject;
use ribbit_state::{AccountCommand, AccountId, LogIndex, Page, Query, RelationCommand};
use ribbit_ui::api::{AnnouncementEntity, ReportEntity};

/// Maximum number of statuses of one report.
const REPORTED_MAX: usize = 5;

/// Answers with the announcements that the client's account has not dismissed.
pub(super) async fn announcements(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let Page::Announcements(items) = request.read(|session| Query::MyAnnouncements { session }).await? else {
        return Err(WRONG_PAGE.into());
    };
    let (site, now_ms) = (request.site(), request.context.now_ms());
    let items: Vec<_> = items.iter().map(|item| AnnouncementEntity::new(&site, item, now_ms)).collect();
    Ok(json(&items))
}

pub(super) async fn dismiss(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let (session, announcement) = (request.session()?, request.id());
    request.write(AccountCommand::Dismiss { session, announcement }.into()).await?;
    Ok(done())
}

/// Reports an account, or statuses of it, to the people who run the servers.
pub(super) async fn report(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let account = AccountId(request.params.get("account_id").map_or(0, number));
    let comment = request.params.get("comment").unwrap_or_default().to_string();
    let statuses: Vec<LogIndex> = request.params.all("status_ids").map(number).collect();
    if statuses.len() > REPORTED_MAX {
        return Err(ApiError::unprocessable("Report at most 5 statuses at once."));
    }
    let about = request.profile(account).await?;
    let mut subjects = Vec::new();
    for id in &statuses {
        let (author, subject) = match request.find(*id).await? {
            FoundStatus::Croak(croak) => (croak.author.account, ReportSubject::Croak { croak: croak.id }),
            FoundStatus::Message { with_account, message, .. } => {
                (with_account, ReportSubject::Message { message: message.id })
            }
        };
        if author != account {
            return Err(ApiError::unprocessable("That status is not of the account that you report."));
        }
        subjects.push(subject);
    }
    if subjects.is_empty() {
        subjects.push(ReportSubject::Person { username: about.relation.person.username.clone() });
    }
    let session = request.session()?;
    for (part, subject) in subjects.into_iter().enumerate() {
        let words = comment.clone();
        request.write_part(part, RelationCommand::Report { session, subject, words }.into()).await?;
    }
    let at = (request.context.answered().map_or(0, |token| token.index), request.context.now_ms());
    Ok(json(&ReportEntity::new(&request.site(), &about, at, comment, &statuses)))
}

/// Answers a call that has nothing to say.
pub(super) fn done() -> WebResponse {
    json(&serde_json::Map::new())
}

/// Refuses what ribbit has no notion of.
pub(super) fn refuse(words: &'static str) -> Result<WebResponse, ApiError> {
    Err(ApiError::unprocessable(words))
}

/// Answers that there is no such poll: there are none.
pub(super) fn no_polls() -> Result<WebResponse, ApiError> {
    Err(ApiError::not_found("Ribbit has no polls."))
}
