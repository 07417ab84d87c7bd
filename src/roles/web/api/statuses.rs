//! `/api/v1/statuses/ID…`: reading, deleting, and what people do with a status. [`super::posting`] creates them.

use super::error::{ApiError, json};
use super::posting;
use super::reading::{FoundStatus, number};
use super::request::ApiRequest;
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::WebResponse;
use crate::web::limits::page_len;
use crate::web::request_context::PageError;
use ribbit_state::limits::{CROAKS_NAMED_MAX, REPLIES_PAGE_MAX, TALK_PAGE_MAX};
use ribbit_state::query::{FeedCroak, Person, ReactionKind, TalkMessage, TalkPartner, Thread};
use ribbit_state::{
    AccountCommand, AccountId, Code, Command, ConversationCommand, Denied, LogIndex, Page, Query, Reply,
    TokenHash,
};
use ribbit_ui::api::status::texts_of;
use ribbit_ui::api::{DeletedStatusEntity, StatusSource, StatusThread};

/// Maximum number of pages of replies in one answer.
const REPLY_PAGES_MAX: usize = 5;
const NO_MESSAGE: &str = "This works with croaks only, not with direct messages.";

pub(super) async fn show(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let id = request.id();
    posting::answer(request, id).await
}

/// Answers with several croaks and shares, without those that the client may not see.
pub(super) async fn show_all(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let ids: Vec<LogIndex> = request.params.all("id").map(number).take(CROAKS_NAMED_MAX).collect();
    let Page::Croaks(croaks) = request.read(|session| Query::Croaks { session, ids }).await? else {
        return Err(WRONG_PAGE.into());
    };
    Ok(json(&request.statuses(&croaks).await?))
}

/// Answers with the text as it was entered.
pub(super) async fn source(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let (id, text) = match request.find(request.id()).await? {
        FoundStatus::Croak(croak) => (croak.cursor(), croak.body.text),
        FoundStatus::Message { message, .. } => (message.id, message.text),
    };
    Ok(json(&StatusSource { id: id.to_string(), text, spoiler_text: "" }))
}

/// Answers with the statuses above and below: of a croak its thread, of a direct message the newest messages of its talk.
pub(super) async fn context(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let id = request.id();
    let thread = match request.read(thread_query(id, None)).await {
        Ok(Page::Thread(thread)) => croak_thread(request, *thread).await?,
        Ok(_) => return Err(WRONG_PAGE.into()),
        Err(PageError::Denied(Denied { code: Code::NoSuchCroak, .. })) => match request.find(id).await? {
            FoundStatus::Croak(_) => return Err(WRONG_PAGE.into()),
            FoundStatus::Message { with, with_account, message } => {
                message_thread(request, with, with_account, message.id).await?
            }
        },
        Err(error) => return Err(error.into()),
    };
    Ok(json(&thread))
}

fn thread_query(id: LogIndex, after: Option<LogIndex>) -> impl Fn(TokenHash) -> Query {
    move |session| Query::Thread { session, id, after, limit: page_len(REPLIES_PAGE_MAX) }
}

async fn croak_thread(request: &mut ApiRequest<'_>, mut thread: Thread) -> Result<StatusThread, PageError> {
    for _ in 1..REPLY_PAGES_MAX {
        let Some(after) = thread.more else { break };
        let Page::Thread(further) = request.read(thread_query(thread.croak.id, Some(after))).await? else {
            return Err(WRONG_PAGE);
        };
        thread.replies.extend(further.replies);
        thread.more = further.more;
    }
    let entities = request.entities(texts_of(&thread)).await?;
    Ok(entities.thread(&thread))
}

/// Reads the messages of the talk around one of them, a page on each side.
async fn message_thread(
    request: &mut ApiRequest<'_>,
    with: Option<Person>,
    with_account: AccountId,
    id: LogIndex,
) -> Result<StatusThread, PageError> {
    let limit = page_len(TALK_PAGE_MAX);
    let mut talk = async |before: Option<LogIndex>| {
        let with = TalkPartner::Account(with_account);
        match request.read(|session| Query::Talk { session, with, before, limit }).await? {
            Page::Talk(talk) => Ok((talk.me, talk.messages)),
            _ => Err(WRONG_PAGE),
        }
    };
    let (me, mut newer): (Person, Vec<TalkMessage>) = talk(None).await?;
    newer.retain(|message| message.id > id);
    let (_, older) = talk(Some(id)).await?;
    let texts = older.iter().chain(&newer).map(|message| message.text.as_str());
    let entities = request.entities(texts).await?;
    let shown = |messages: &[TalkMessage]| {
        let status = |message| entities.message(&me, with.as_ref(), with_account, message);
        messages.iter().rev().map(status).collect()
    };
    Ok(StatusThread { ancestors: shown(&older), descendants: shown(&newer) })
}

/// Answers with the people who like or shared a croak. A direct message can be neither liked nor shared.
pub(super) async fn reactions(
    request: &mut ApiRequest<'_>,
    kind: ReactionKind,
) -> Result<WebResponse, ApiError> {
    let croak = match request.find(request.id()).await? {
        FoundStatus::Croak(croak) => croak.id,
        FoundStatus::Message { .. } => return Ok(super::timelines::empty()),
    };
    let Page::Reactions { people, .. } =
        request.read(|session| Query::Reactions { session, croak, kind }).await?
    else {
        return Err(WRONG_PAGE.into());
    };
    Ok(json(&request.accounts(&people)))
}

/// Something that a person does with a croak, or undoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusAct {
    Favourite,
    Unfavourite,
    Unreblog,
    Pin,
    Unpin,
}

impl StatusAct {
    fn command(self, session: TokenHash, croak: LogIndex) -> Command {
        match self {
            StatusAct::Favourite => ConversationCommand::Like { session, croak }.into(),
            StatusAct::Unfavourite => ConversationCommand::Unlike { session, croak }.into(),
            StatusAct::Unreblog => ConversationCommand::Unshare { session, croak }.into(),
            StatusAct::Pin => AccountCommand::Pin { session, croak, pinned: true }.into(),
            StatusAct::Unpin => AccountCommand::Pin { session, croak, pinned: false }.into(),
        }
    }
}

/// Does something with a croak, and answers with its status.
pub(super) async fn act(request: &mut ApiRequest<'_>, act: StatusAct) -> Result<WebResponse, ApiError> {
    let FeedCroak { id, .. } = request.find_croak(request.id(), NO_MESSAGE).await?;
    let session = request.session()?;
    request.write(act.command(session, id)).await?;
    posting::answer(request, id).await
}

/// Shares a croak, and answers with the status of the share.
pub(super) async fn reblog(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let FeedCroak { id: croak, .. } = request.find_croak(request.id(), NO_MESSAGE).await?;
    let session = request.session()?;
    let Reply::Croaked { croak: share } =
        request.write(ConversationCommand::Share { session, croak }.into()).await?
    else {
        return Err(WRONG_PAGE.into());
    };
    posting::answer(request, share).await
}

/// Deletes a croak or share of the client's own, and answers with the status and its text.
pub(super) async fn delete(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let words = "A direct message cannot be deleted: its recipient may have read it.";
    let found = request.find_croak(request.id(), words).await?;
    let (session, croak, text) = (request.session()?, found.cursor(), found.body.text.clone());
    let status = request.status_of(&FoundStatus::Croak(found)).await?;
    request.write(AccountCommand::RemoveCroak { session, croak }.into()).await?;
    Ok(json(&DeletedStatusEntity::new(status, text)))
}
