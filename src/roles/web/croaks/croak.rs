//! `/croak/ID`: a croak in its thread, who likes or shared it, and its deletion by its author. `/everyone`: the croaks of all.

use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{AROUND_DEADLINE, READ_DEADLINE, page_len};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::limits::{FEED_PAGE_MAX, REPLIES_PAGE_MAX};
use ribbit_state::query::{ReactionKind, Thread};
use ribbit_state::{
    AccountCommand, Audience, Code, Command, ConversationCommand, Denied, LogIndex, Page, Query, TokenHash,
};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::thread::{ReactionsPage, ReplyView, ThreadEntry, ThreadPage};
use ribbit_ui::pages::{Composer, CroakView, EveryonePage, FormPage, MessagePage, NavEntry, PageFrame};
use ribbit_ui::words::{Note, Refusals};
use std::time::Duration;

/// Shows one croak.
pub(in crate::web) async fn show(context: &mut RequestContext, id: &str, query: &Form) -> WebResponse {
    let Ok(id) = id.parse() else { return no_such(context) };
    let after = query.get("after").and_then(|after| after.parse().ok());
    match page(context, id, after, READ_DEADLINE, None).await {
        Ok(page) => page,
        Err(PageError::Denied(denied)) if denied.code == Code::NoSuchCroak => no_such(context),
        Err(error) => error_page(context, NavEntry::Nowhere, error),
    }
}

pub(in crate::web) fn no_such(context: &RequestContext) -> WebResponse {
    let frame = context.frame("Croak not found", NavEntry::Nowhere);
    let words = "It may have been deleted.".to_string();
    response::page(StatusCode::NOT_FOUND, &MessagePage { frame, words })
}

/// Makes the page of a thread. After a refusal it shows the reason and carries the request id for the next try.
///
/// # Errors
/// The reason why the croak cannot be read.
async fn page(
    context: &mut RequestContext,
    id: LogIndex,
    after: Option<LogIndex>,
    limit: Duration,
    refused: Option<(PageError, Option<FormRequest>)>,
) -> Result<WebResponse, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let got =
        context.read(Query::Thread { session, id, after, limit: page_len(REPLIES_PAGE_MAX) }, limit).await?;
    let Page::Thread(thread) = got.page else { return Err(WRONG_PAGE) };
    let Thread { me, above, more_above, croak, replies, more, audience } = *thread;
    let mut frame = context.frame("Croak", NavEntry::Nowhere);
    frame.old = got.old;
    context.count_unread(&mut frame).await;
    let (error, request) = refused.unzip();
    let (now_ms, me) = (frame.now_ms, me.username);
    let croak = CroakView::new(croak, now_ms, &me);
    let removal = croak.acts.mine.then(|| request.flatten().unwrap_or_else(|| context.request_here()));
    let code = error.map_or(StatusCode::OK, |error| status(&error));
    let page = ThreadPage {
        above: above.into_iter().map(|entry| ThreadEntry::new(entry, now_ms, &me)).collect(),
        more_above,
        removal,
        replies: replies.into_iter().map(|reply| ReplyView::new(reply, now_ms, &me)).collect(),
        more,
        refused: error.map_or(Vec::new(), |error| Refusals::on(&[], error.denied()).general),
        composer: Composer {
            reply_to: Some(croak.id),
            ..Composer::empty(
                context.request_here(),
                if croak.for_followers { Audience::Followers } else { audience },
            )
        },
        refusals: Refusals::default(),
        log_in: false,
        back: format!("/croak/{}", croak.id),
        frame: PageFrame { me: Some(me), ..frame },
        croak,
    };
    Ok(response::page(code, &page))
}

/// Shows the people who like or shared a croak.
pub(in crate::web) async fn reactions(
    context: &mut RequestContext,
    id: &str,
    kind: ReactionKind,
) -> WebResponse {
    let Ok(id) = id.parse() else { return no_such(context) };
    match reactions_page(context, id, kind).await {
        Ok(page) => page,
        Err(PageError::Denied(denied)) if denied.code == Code::NoSuchCroak => no_such(context),
        Err(error) => error_page(context, NavEntry::Nowhere, error),
    }
}

async fn reactions_page(
    context: &mut RequestContext,
    id: LogIndex,
    kind: ReactionKind,
) -> Result<WebResponse, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let got = context.read(Query::Reactions { session, croak: id, kind }, READ_DEADLINE).await?;
    let Page::Reactions { me, croak, people } = got.page else { return Err(WRONG_PAGE) };
    let (title, total) = match kind {
        ReactionKind::Like => ("Likes", croak.numbers.likes),
        ReactionKind::Share => ("Shares", croak.numbers.shares),
    };
    let mut frame = context.frame(title, NavEntry::Nowhere);
    frame.old = got.old;
    context.count_unread(&mut frame).await;
    frame.me = Some(me.username);
    Ok(response::page(StatusCode::OK, &ReactionsPage::new(frame, croak.id, people, total)))
}

/// Leads to the feed: `/like`, `/share` and `/pin` only accept forms.
pub(in crate::web) fn to_feed(context: &RequestContext) -> WebResponse {
    match context.session() {
        Some(_) => response::see_other("/main"),
        None => error_page(context, NavEntry::Nowhere, NO_SESSION),
    }
}

/// Something that a button below a croak does or undoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum CroakAct {
    Like,
    Share,
    Pin,
}

impl CroakAct {
    fn command(self, session: TokenHash, croak: LogIndex, on: bool) -> Command {
        match (self, on) {
            (CroakAct::Like, true) => ConversationCommand::Like { session, croak }.into(),
            (CroakAct::Like, false) => ConversationCommand::Unlike { session, croak }.into(),
            (CroakAct::Share, true) => ConversationCommand::Share { session, croak }.into(),
            (CroakAct::Share, false) => ConversationCommand::Unshare { session, croak }.into(),
            (CroakAct::Pin, pinned) => AccountCommand::Pin { session, croak, pinned }.into(),
        }
    }
}

/// Likes, shares or pins a croak, or takes it back.
pub(in crate::web) async fn act(context: &mut RequestContext, form: &Form, act: CroakAct) -> WebResponse {
    let Some(session) = context.session() else { return error_page(context, NavEntry::Nowhere, NO_SESSION) };
    let Some(croak) = form.get("croak").and_then(|croak| croak.parse().ok()) else { return no_such(context) };
    let on = match form.get("choice") {
        Some("add") => true,
        Some("remove") => false,
        _ => return error_page(context, NavEntry::Nowhere, Denied::new(Code::InvalidEntry).into()),
    };
    // Doing it twice changes nothing, so the form needs no request id of its own.
    let written = match context.new_request().await {
        Ok(request) => context.command(request, act.command(session, croak, on)).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(_) => response::see_other(&back(form, croak)),
        Err(PageError::Denied(denied)) if denied.code == Code::NoSuchCroak => no_such(context),
        Err(error) => error_page(context, NavEntry::Nowhere, error),
    }
}

/// Returns the address of the page with the button, at the croak. Only this site's lists of croaks are accepted.
fn back(form: &Form, croak: LogIndex) -> String {
    let asked = form.text("back");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/@_-?=".contains(c);
    let is_list = ["/main", "/everyone", "/croak/", "/@"].iter().any(|list| asked.starts_with(list));
    let page =
        if is_list && asked.chars().all(plain) { asked.to_string() } else { format!("/croak/{croak}") };
    format!("{page}#croak-{croak}")
}

/// Shows the croaks of everyone.
pub(in crate::web) async fn everyone(context: &mut RequestContext, query: &Form) -> WebResponse {
    let before = query.get("before").and_then(|before| before.parse().ok());
    match everyone_page(context, before).await {
        Ok(page) => page,
        Err(error) => error_page(context, NavEntry::Main, error),
    }
}

async fn everyone_page(
    context: &mut RequestContext,
    before: Option<LogIndex>,
) -> Result<WebResponse, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let limit = page_len(FEED_PAGE_MAX);
    let got = context.read(Query::Everyone { session, before, limit }, READ_DEADLINE).await?;
    let Page::Everyone { me, croaks, older, audience } = got.page else { return Err(WRONG_PAGE) };
    let mut frame = context.frame("Everyone", NavEntry::Main);
    frame.old = got.old;
    frame.cursor = context.answered();
    context.count_unread(&mut frame).await;
    let now_ms = frame.now_ms;
    let page = EveryonePage {
        croaks: croaks.into_iter().map(|croak| CroakView::new(croak, now_ms, &me.username)).collect(),
        older,
        newest: before.is_none(),
        composer: Composer::empty(context.request_here(), audience),
        refusals: Refusals::default(),
        log_in: false,
        back: before.map_or("/everyone".to_string(), |before| format!("/everyone?before={before}")),
        frame: PageFrame { me: Some(me.username), ..frame },
    };
    Ok(response::page(StatusCode::OK, &page))
}

/// Deletes the user's own croak.
pub(in crate::web) async fn take_back(context: &mut RequestContext, id: &str, form: &Form) -> WebResponse {
    let Ok(croak) = id.parse() else { return no_such(context) };
    let Some(session) = context.session() else { return error_page(context, NavEntry::Nowhere, NO_SESSION) };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, croak, form, None, error).await,
    };
    match context.command(request, AccountCommand::RemoveCroak { session, croak }.into()).await {
        Ok(_) => response::see_other(&format!("/main?note={}", Note::TakenBack.name())),
        Err(error) => again(context, croak, form, Some(request), error).await,
    }
}

/// Shows the croak's page again with the reason, or only the form if the croak cannot be read.
async fn again(
    context: &mut RequestContext,
    croak: LogIndex,
    form: &Form,
    tried: Option<FormRequest>,
    error: PageError,
) -> WebResponse {
    let request = context.request_again(form, tried, &error).await;
    if let PageError::Denied(_) = error {
        match page(context, croak, None, AROUND_DEADLINE, Some((error, request))).await {
            Ok(page) => return page,
            Err(PageError::Denied(denied)) if denied.code == Code::NoSuchCroak => return no_such(context),
            Err(_) => {}
        }
    }
    let mut page =
        FormPage::take_back(context.frame("Croak", NavEntry::Nowhere), croak).refused(error.denied());
    page.frame.service_error = error.service_error();
    page.request = request;
    response::page(status(&error), &page)
}
