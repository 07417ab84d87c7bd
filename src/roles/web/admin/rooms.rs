//! `/admin/rooms` and `/admin/rooms/NAME`: all rooms, and the question before one is closed.

use super::{HERE, answered, govern, next_page, pattern, read, unreadable};
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::{self, WebResponse};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::command::OperatorCommand;
use ribbit_state::query::OperatorQuery;
use ribbit_state::text::fold_room_name;
use ribbit_state::{Code, Denied, Page};
use ribbit_ui::form::Form;
use ribbit_ui::pages::admin::{AdminTab, AllRoomsPage, ConfirmPage, ListedRoomRow};
use ribbit_ui::words::{Note, Refusals};

const PATH: &str = "/admin/rooms";

/// Lists rooms.
pub(in crate::web) async fn list(context: &mut RequestContext, query: &Form) -> WebResponse {
    match rooms(context, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => unreadable(context, error),
    }
}

async fn rooms(context: &mut RequestContext, query: &Form) -> Result<AllRoomsPage, PageError> {
    let names = query.text("names").trim();
    let after = query.get("after").and_then(|after| fold_room_name(after).ok());
    let asked = OperatorQuery::Rooms { names: pattern(names), after };
    let got = read(context, asked, ("Rooms", AdminTab::Rooms), query).await?;
    let Page::AllRooms { rooms, more } = got.page else { return Err(WRONG_PAGE) };
    let now_ms = got.frame.now_ms;
    Ok(AllRoomsPage {
        names: names.to_string(),
        rooms: rooms.into_iter().map(|room| ListedRoomRow::new(room, now_ms)).collect(),
        more: more.map(|after| next_page(PATH, names, &after)),
        frame: got.frame,
        head: got.head,
    })
}

/// Asks whether to close a room.
pub(in crate::web) async fn question(context: &mut RequestContext, name: &str, query: &Form) -> WebResponse {
    match page(context, name, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => unreadable(context, error),
    }
}

async fn page(context: &mut RequestContext, name: &str, query: &Form) -> Result<ConfirmPage, PageError> {
    // A name contains no wildcard character, so it matches itself only.
    let names = fold_room_name(name)?;
    let got = read(context, OperatorQuery::Rooms { names, after: None }, ("Rooms", AdminTab::Rooms), query);
    let Page::AllRooms { mut rooms, .. } = got.await?.page else { return Err(WRONG_PAGE) };
    let listed = rooms.pop().ok_or(Denied::new(Code::NoSuchRoom))?;
    let row = ListedRoomRow::new(listed, context.now_ms());
    Ok(ConfirmPage {
        frame: context.frame("Close room", HERE),
        words: format!(
            "#{} ({}) is closed for everyone, with everything that was said in it. It can't be undone.",
            row.name, row.people
        ),
        asks_password: false,
        button: "Close room",
        action: format!("{PATH}/{}", row.name),
        back: PATH,
        fields: Vec::new(),
        request: context.request_if_read(),
        refusals: Refusals::default(),
    })
}

/// Closes a room.
pub(in crate::web) async fn close(context: &mut RequestContext, name: &str, form: &Form) -> WebResponse {
    let done = govern(context, form, OperatorCommand::CloseRoom { room: name.to_string() }).await;
    answered(context, form, &format!("{PATH}/{name}"), (PATH, Note::RoomClosed), done).await
}
