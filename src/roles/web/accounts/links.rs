//! Shared steps of the two pages on which a person makes and ends secret links: `feed_addresses` and `invitations`.

use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{AROUND_DEADLINE, READ_DEADLINE};
use crate::web::request_context::{PageError, RequestContext};
use askama::Template;
use hyper::StatusCode;
use ribbit_state::{Page, Query};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::{NavEntry, PageFrame};
use ribbit_ui::words::Refusals;
use std::time::Duration;

/// Page that lists the secret links of a person.
pub(super) trait LinksPage: Template + Sized {
    async fn read(context: &mut RequestContext, limit: Duration) -> Result<Self, PageError>;

    fn frame_mut(&mut self) -> &mut PageFrame;

    /// Shows why a form was refused, and gives the form this request id.
    fn refuse(&mut self, request: Option<FormRequest>, refusals: Refusals);
}

/// Shows the page.
pub(super) async fn show<P: LinksPage>(context: &mut RequestContext, query: &Form) -> WebResponse {
    match P::read(context, READ_DEADLINE).await {
        Ok(mut page) => {
            page.frame_mut().take_note(query);
            response::page(StatusCode::OK, &page)
        }
        Err(error) => error_page(context, NavEntry::Settings, error),
    }
}

/// Reads the content of a page, its frame, and the names of the rooms of the reader, of which links can be made.
pub(super) async fn read(
    context: &mut RequestContext,
    title: &str,
    query: Query,
    limit: Duration,
) -> Result<(PageFrame, Vec<String>, Page), PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let got = context.read(Query::Rooms { session }, limit).await?;
    let Page::Rooms { me, rooms, .. } = got.page else { return Err(WRONG_PAGE) };
    let got = context.read(query, limit).await?;
    let mut frame = context.frame(title, NavEntry::Settings);
    frame.old = got.old;
    frame.me = Some(me.username);
    context.count_unread(&mut frame).await;
    Ok((frame, rooms.into_iter().map(|one| one.room.name).collect(), got.page))
}

/// Shows the page again with the reason.
pub(super) async fn again<P: LinksPage>(
    context: &mut RequestContext,
    form: &Form,
    error: PageError,
    tried: Option<FormRequest>,
) -> WebResponse {
    let request = context.request_again(form, tried, &error).await;
    if error.service_error().is_some() || error.lacks_session() {
        return error_page(context, NavEntry::Settings, error);
    }
    let mut page = match P::read(context, AROUND_DEADLINE).await {
        Ok(page) => page,
        Err(error) => return error_page(context, NavEntry::Settings, error),
    };
    page.refuse(request, Refusals::on(&[], error.denied()));
    response::page(status(&error), &page)
}
