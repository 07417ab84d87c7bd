//! `/rooms/{name}`: what was said in a room, saying something, joining, leaving, and removing a message.
//!
//! As in conversations, the page holds an empty image (`/shown`), the read receipt.

use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{AROUND_DEADLINE, READ_DEADLINE, page_len};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::limits::{MESSAGE_CHARS_MAX, ROOM_PAGE_MAX, UNREAD_ROOM_MESSAGES_MAX};
use ribbit_state::query::RoomPage;
use ribbit_state::text::{check_message, fold_room_name};
use ribbit_state::{Code, Denied, Field, LogIndex, Page, Query, RoomCommand, TokenHash};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::length::TextLength;
use ribbit_ui::pages::rooms::{RoomPageView, RoomView, SaidView, people};
use ribbit_ui::pages::{MessagePage, NavEntry, PageFrame, lacks_session};
use ribbit_ui::words::Refusals;
use std::time::Duration;

/// Shows one room.
pub(in crate::web) async fn show(context: &mut RequestContext, name: &str, query: &Form) -> WebResponse {
    let before = query.get("before").and_then(|before| before.parse().ok());
    let mut frame = context.frame("Rooms", NavEntry::Rooms);
    frame.take_note(query);
    let (view, waiting) = match read(context, &mut frame, name, before, READ_DEADLINE).await {
        Ok(read) => read,
        Err(error) => return unreadable(context, error),
    };
    context.count_unread(&mut frame).await;
    // The messages on this page are about to be read. From the bound on it is not known how many others there are.
    if let Some(unread) = frame.unread.as_mut().filter(|unread| unread.rooms < UNREAD_ROOM_MESSAGES_MAX) {
        unread.rooms = unread.rooms.saturating_sub(waiting);
    }
    let page = RoomPageView {
        frame,
        room: view.info.name.clone(),
        request: Some(context.request_here()),
        message: String::new(),
        refusals: Refusals::default(),
        too_long: None,
        log_in: false,
        view: Some(view),
    };
    response::page(StatusCode::OK, &page)
}

/// Returns the page for a room that is not there, or that cannot be read.
pub(in crate::web) fn unreadable(context: &RequestContext, error: PageError) -> WebResponse {
    let gone = match &error {
        PageError::Denied(denied) => matches!(
            (denied.code, denied.field),
            (Code::NoSuchRoom, _) | (Code::InvalidEntry, Some(Field::Room))
        ),
        PageError::Service(_) => false,
    };
    if !gone {
        return error_page(context, NavEntry::Rooms, error);
    }
    let frame = context.frame("No such room", NavEntry::Rooms);
    let words = "There is no such room, or you are not invited to it.".to_string();
    response::page(StatusCode::NOT_FOUND, &MessagePage { frame, words })
}

/// Reads a page of a room. Returns it with the number of unread messages that the read receipt will mark.
async fn read(
    context: &mut RequestContext,
    frame: &mut PageFrame,
    name: &str,
    before: Option<LogIndex>,
    limit: Duration,
) -> Result<(RoomView, u32), PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let room = fold_room_name(name)?;
    let got =
        context.read(Query::Room { session, room, before, limit: page_len(ROOM_PAGE_MAX) }, limit).await?;
    let Page::Room(page) = got.page else { return Err(WRONG_PAGE) };
    let RoomPage { me, room, standing, mut messages, older, unread } = page;
    frame.old = got.old;
    frame.me = Some(me.username);
    frame.title = format!("#{}", room.name);
    let newest = before.is_none();
    let receipt = messages
        .first()
        .filter(|_| newest && unread > 0)
        .map(|last| format!("/shown?room={}&through={}", room.name, last.id));
    messages.reverse();
    let rank = standing.rank();
    let said = rank.map_or(Vec::new(), |rank| {
        SaidView::list(messages, frame.now_ms, me.account, rank, || context.request_here())
    });
    frame.cursor = context.answered();
    let people = people(room.members);
    let waiting = if receipt.is_some() { unread } else { 0 };
    Ok((RoomView { info: room, standing, people, said, older, newest, receipt }, waiting))
}

/// Change that a form asks for.
enum RoomChange {
    Say(String),
    Join,
    Leave,
    Remove(LogIndex),
}

impl RoomChange {
    fn of(form: &Form) -> Result<RoomChange, Denied> {
        match form.get("choice") {
            None => {
                let text = form.text(Field::Message.name());
                check_message(text).map(|()| RoomChange::Say(text.to_string()))
            }
            Some("join") => Ok(RoomChange::Join),
            Some("leave") => Ok(RoomChange::Leave),
            Some("remove") => {
                let message = form.text("id").parse().map_err(|_| Denied::new(Code::NoSuchMessage))?;
                Ok(RoomChange::Remove(message))
            }
            Some(_) => Err(Denied::new(Code::InvalidEntry)),
        }
    }

    fn command(self, session: TokenHash, room: String) -> RoomCommand {
        match self {
            RoomChange::Say(text) => RoomCommand::Say { session, room, text },
            RoomChange::Join => RoomCommand::Join { session, room },
            RoomChange::Leave => RoomCommand::Leave { session, room },
            RoomChange::Remove(message) => RoomCommand::RemoveMessage { session, room, message },
        }
    }
}

/// Says something, or changes what the form asks for.
pub(in crate::web) async fn change(context: &mut RequestContext, name: &str, form: &Form) -> WebResponse {
    let Some(session) = context.session() else { return again(context, name, form, None, NO_SESSION).await };
    let checked = fold_room_name(name).and_then(|room| RoomChange::of(form).map(|change| (room, change)));
    let (room, change) = match checked {
        Ok(checked) => checked,
        Err(denied) => return again(context, name, form, None, denied.into()).await,
    };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, name, form, None, error).await,
    };
    let path = match change {
        RoomChange::Leave => "/rooms".to_string(),
        RoomChange::Remove(message) => format!("/rooms/{room}#said-{message}"),
        RoomChange::Say(_) | RoomChange::Join => format!("/rooms/{room}"),
    };
    match context.command(request, change.command(session, room).into()).await {
        Ok(_) => response::see_other(&path),
        Err(error) => again(context, name, form, Some(request), error).await,
    }
}

/// Shows the page again with the text and the reason.
async fn again(
    context: &mut RequestContext,
    name: &str,
    form: &Form,
    tried: Option<FormRequest>,
    error: PageError,
) -> WebResponse {
    let text = form.text(Field::Message.name());
    let request = context.request_again(form, tried, &error).await;
    let mut frame = context.frame("Rooms", NavEntry::Rooms);
    frame.service_error = error.service_error();
    let view = match error {
        PageError::Denied(_) if !error.lacks_session() => {
            match read(context, &mut frame, name, None, AROUND_DEADLINE).await {
                Ok((view, _)) => Some(view),
                Err(error) => return unreadable(context, error),
            }
        }
        _ => None,
    };
    let room = fold_room_name(name).unwrap_or_default();
    let denied: Vec<Denied> = error.denied().to_vec();
    let page = RoomPageView {
        frame,
        room,
        request,
        message: text.to_string(),
        refusals: Refusals::on(&[Field::Message.name()], &denied),
        too_long: TextLength::over(text, MESSAGE_CHARS_MAX),
        log_in: lacks_session(&denied),
        view,
    };
    response::page(status(&error), &page)
}
