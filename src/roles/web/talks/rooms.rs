//! `/rooms`: the list of rooms, and making one.

use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::query::RoomStanding;
use ribbit_state::text::{check_topic, fold_room_name};
use ribbit_state::{Denied, Field, Page, Query, RoomCommand};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::rooms::{NewRoom, RoomRow, RoomsPage};
use ribbit_ui::pages::{NavEntry, PageFrame, lacks_session};
use ribbit_ui::words::Refusals;

/// Shows the list of rooms.
pub(in crate::web) async fn list(context: &mut RequestContext, query: &Form) -> WebResponse {
    let form = NewRoom {
        shown: false,
        request: None,
        name: String::new(),
        topic: String::new(),
        open: true,
        history: true,
        refusals: Refusals::default(),
        log_in: false,
    };
    let after = query.get("after").and_then(|after| fold_room_name(after).ok());
    match page(context, form, after).await {
        Ok(mut page) => {
            page.form.request = Some(context.request_here());
            response::page(StatusCode::OK, &page)
        }
        Err(error) => error_page(context, NavEntry::Rooms, error),
    }
}

async fn page(
    context: &mut RequestContext,
    form: NewRoom,
    after: Option<String>,
) -> Result<RoomsPage, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let got = context.read(Query::Rooms { session }, READ_DEADLINE).await?;
    let Page::Rooms { me, rooms, invitations } = got.page else { return Err(WRONG_PAGE) };
    let listed = context.read(Query::OpenRooms { session, after }, READ_DEADLINE).await?;
    let Page::OpenRooms { rooms: open, more, .. } = listed.page else { return Err(WRONG_PAGE) };
    let mut frame = context.frame("Rooms", NavEntry::Rooms);
    frame.old = listed.old;
    frame.me = Some(me.username);
    context.count_unread(&mut frame).await;
    let now_ms = frame.now_ms;
    let others = open
        .into_iter()
        .filter(|(_, standing)| matches!(standing, RoomStanding::Stranger | RoomStanding::Removed));
    Ok(RoomsPage {
        form,
        rooms: rooms.into_iter().map(|one| RoomRow::mine(one, now_ms)).collect(),
        invitations: invitations
            .into_iter()
            .map(|one| RoomRow::invitation(one, context.request_here()))
            .collect(),
        others: others
            .map(|(room, standing)| RoomRow::other(room, standing, context.request_here()))
            .collect(),
        more,
        frame,
    })
}

/// Makes a room.
pub(in crate::web) async fn create(context: &mut RequestContext, form: &Form) -> WebResponse {
    let Some(session) = context.session() else { return again(context, form, None, NO_SESSION).await };
    let text = |field: Field| form.text(field.name()).to_string();
    let checked = fold_room_name(&text(Field::Room))
        .and_then(|room| check_topic(&text(Field::Topic)).map(|topic| (room, topic)));
    let (room, topic) = match checked {
        Ok(checked) => checked,
        Err(denied) => return again(context, form, None, denied.into()).await,
    };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, form, None, error).await,
    };
    let path = format!("/rooms/{room}");
    let (open, history) = (form.get("open").is_some(), form.get("history").is_some());
    let create = RoomCommand::Create { session, room, topic, open, history };
    match context.command(request, create.into()).await {
        Ok(_) => response::see_other(&path),
        Err(error) => again(context, form, Some(request), error).await,
    }
}

/// Shows the page again with what was typed and the reason.
async fn again(
    context: &mut RequestContext,
    form: &Form,
    tried: Option<FormRequest>,
    error: PageError,
) -> WebResponse {
    let request = context.request_again(form, tried, &error).await;
    let denied: Vec<Denied> = error.denied().to_vec();
    let fields = [Field::Room.name(), Field::Topic.name()];
    let shown = NewRoom {
        shown: true,
        request,
        name: form.text(Field::Room.name()).to_string(),
        topic: form.text(Field::Topic.name()).to_string(),
        open: form.get("open").is_some(),
        history: form.get("history").is_some(),
        refusals: Refusals::on(&fields, &denied),
        log_in: lacks_session(&denied),
    };
    let page = match error.denied() {
        [] => Err(shown),
        // The session is over: nothing can be read.
        _ if lacks_session(&denied) => Err(shown),
        _ => match page(context, shown, None).await {
            Ok(page) => Ok(page),
            Err(_) => return error_page(context, NavEntry::Rooms, error),
        },
    };
    let page = page.unwrap_or_else(|form| {
        let mut frame: PageFrame = context.frame("Rooms", NavEntry::Rooms);
        frame.service_error = error.service_error();
        let (rooms, invitations, others) = (Vec::new(), Vec::new(), Vec::new());
        RoomsPage { frame, form, rooms, invitations, others, more: None }
    });
    response::page(status(&error), &page)
}
