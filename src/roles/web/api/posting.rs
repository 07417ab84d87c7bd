//! `POST /api/v1/statuses`: croaks, replies, and direct messages.
//!
//! ```text
//!   visibility public, unlisted ──▶ croak for everyone        private ──▶ croak for followers      none ──▶ as the account has set
//!   visibility direct, or a reply to a direct message ──▶ one message to each person that the text mentions, and to the other
//! ```
//!
//! The header `Idempotency-Key` is the idempotency key of the request: sent again with the same key, through any server and after
//! any failure, it is answered with the first status. The messages of one call have keys of their own, made from it.

use super::error::{ApiError, json};
use super::reading::{FoundStatus, number};
use super::request::ApiRequest;
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::WebResponse;
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::PageError;
use ribbit_state::limits::MENTIONS_NOTIFIED_MAX;
use ribbit_state::query::TalkPartner;
use ribbit_state::{Audience, Code, Command, Denied, Field, LogIndex, MessageCommand, Page, Query, Reply};
use ribbit_ui::api::names_in;
use ribbit_ui::api::params::NO_MEDIA;

/// Maximum number of people to whom one direct status is sent.
const RECIPIENTS_MAX: usize = MENTIONS_NOTIFIED_MAX;

/// Parameters for what ribbit has no notion of, each with the sentence that refuses it.
const UNKNOWN: [(&str, &str); 6] = [
    ("media_ids", NO_MEDIA),
    ("poll", "Ribbit has no polls. Ask in the text."),
    ("scheduled_at", "Ribbit cannot post later. Post it when it is time."),
    ("spoiler_text", "Ribbit has no content warnings. Write it in the text."),
    ("quoted_status_id", "Ribbit has no quotes. Reply to the croak or share it."),
    ("quote_id", "Ribbit has no quotes. Reply to the croak or share it."),
];

/// Refuses a status with something that would be lost.
fn check(request: &ApiRequest<'_>) -> Result<(), ApiError> {
    for (name, words) in UNKNOWN {
        let inside = format!("{name}[");
        let is_sent = |(sent, value): (&str, &str)| {
            (sent == name || sent.starts_with(&inside)) && !value.trim().is_empty()
        };
        if request.params.iter().any(is_sent) {
            return Err(ApiError::unprocessable(words));
        }
    }
    Ok(())
}

/// Posts a status and answers with it.
pub(super) async fn create(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    check(request)?;
    let text = request.params.get("status").unwrap_or_default().to_string();
    let answered = match request.params.get("in_reply_to_id").filter(|id| !id.trim().is_empty()) {
        Some(id) => Some(request.find(number(id)).await?),
        None => None,
    };
    let audience = match request.params.get("visibility").unwrap_or_default() {
        "" => None,
        "public" | "unlisted" => Some(Audience::Everyone),
        "private" => Some(Audience::Followers),
        "direct" => return direct(request, &text, answered).await,
        _ => {
            return Err(ApiError::unprocessable("The visibility is public, unlisted, private or direct."));
        }
    };
    let reply_to = match answered {
        None => None,
        Some(FoundStatus::Croak(croak)) => Some(croak.id),
        Some(message) => return direct(request, &text, Some(message)).await,
    };
    let session = request.session()?;
    match request.write(Command::Croak { session, text, reply_to, audience }).await? {
        Reply::Croaked { croak } => answer(request, croak).await,
        _ => Err(WRONG_PAGE.into()),
    }
}

/// Answers with the status that has this id.
pub(super) async fn answer(request: &mut ApiRequest<'_>, id: LogIndex) -> Result<WebResponse, ApiError> {
    let found = request.find(id).await?;
    Ok(json(&request.status_of(&found).await?))
}

/// Sends a direct message to each person that the text mentions, and to the one whose message it answers. Answers with the
/// first.
async fn direct(
    request: &mut ApiRequest<'_>,
    text: &str,
    answered: Option<FoundStatus>,
) -> Result<WebResponse, ApiError> {
    let mut recipients = names_in([text]);
    match answered {
        Some(FoundStatus::Message { with: Some(with), .. }) => {
            recipients.retain(|name| *name != with.username);
            recipients.insert(0, with.username);
        }
        Some(FoundStatus::Message { with: None, .. }) => {
            return Err(PageError::from(Denied::of(Code::NoSuchUser, Field::Username)).into());
        }
        Some(FoundStatus::Croak(_)) | None => {}
    }
    if recipients.is_empty() {
        let words = "A direct message needs a recipient. Mention one: @ and a username.";
        return Err(ApiError::unprocessable(words));
    }
    if recipients.len() > RECIPIENTS_MAX {
        return Err(ApiError::unprocessable("A direct message has at most 10 recipients."));
    }
    let session = request.session()?;
    if recipients.len() > 1 {
        // Nothing is sent if one of them cannot be written to.
        for username in &recipients {
            let with = TalkPartner::Named(username.clone());
            let talk = Query::Talk { session, with, before: None, limit: 1 };
            let Page::Talk(_) = request.context.read(talk, READ_DEADLINE).await?.page else {
                return Err(WRONG_PAGE.into());
            };
        }
    }
    let mut first = None;
    for (part, username) in recipients.into_iter().enumerate() {
        let command = MessageCommand::Send { session, username, text: text.to_string() };
        match request.write_part(part, command.into()).await? {
            Reply::Sent { message } => first = first.or(Some(message)),
            _ => return Err(WRONG_PAGE.into()),
        }
    }
    answer(request, first.ok_or(WRONG_PAGE)?).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_about_recipients_has_their_number() {
        assert_eq!(RECIPIENTS_MAX, 10);
    }
}
