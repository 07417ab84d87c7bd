//! `/rooms/{name}/settings` and `/rooms/{name}/members`.

use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::{PageError, RequestContext};
use crate::web::talks::room::unreadable;
use hyper::StatusCode;
use ribbit_state::query::{RoomPage, RoomPeople};
use ribbit_state::rows::RoomRank;
use ribbit_state::text::{fold_room_name, fold_username};
use ribbit_state::{AccountId, Code, Denied, Field, Page, Query, RoomCommand, TokenHash};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::rooms::{RoomMembersPage, RoomPersonRow, RoomSettingsPage};
use ribbit_ui::pages::{NavEntry, lacks_session};
use ribbit_ui::words::{Note, Refusals};

/// Shows the settings of a room.
pub(in crate::web) async fn show(context: &mut RequestContext, name: &str, query: &Form) -> WebResponse {
    match settings(context, name).await {
        Ok(mut page) => {
            page.frame.take_note(query);
            response::page(StatusCode::OK, &page)
        }
        Err(error) => unreadable(context, error),
    }
}

async fn settings(context: &mut RequestContext, name: &str) -> Result<RoomSettingsPage, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let room = fold_room_name(name)?;
    let got = context.read(Query::Room { session, room, before: None, limit: 1 }, READ_DEADLINE).await?;
    let Page::Room(RoomPage { me, room, standing, .. }) = got.page else { return Err(WRONG_PAGE) };
    let rank = standing.rank().ok_or(PageError::Denied(Denied::new(Code::NotInRoom)))?;
    let mut frame = context.frame(&format!("Settings of #{}", room.name), NavEntry::Rooms);
    frame.old = got.old;
    frame.me = Some(me.username);
    context.count_unread(&mut frame).await;
    Ok(RoomSettingsPage {
        frame,
        room: room.name,
        topic: room.topic,
        open: room.open,
        history: room.history,
        rank,
        refusals: Refusals::default(),
        log_in: false,
        request: Some(context.request_here()),
        leave_request: Some(context.request_here()),
        close_request: Some(context.request_here()),
    })
}

/// Changes the settings, leaves or closes the room.
pub(in crate::web) async fn change(context: &mut RequestContext, name: &str, form: &Form) -> WebResponse {
    let (command, path) = match settings_command(context, name, form).await {
        Ok(command) => command,
        Err(error) => return settings_again(context, name, form, error, None).await,
    };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return settings_again(context, name, form, error, None).await,
    };
    match context.command(request, command.into()).await {
        Ok(_) => response::see_other(&path),
        Err(error) => settings_again(context, name, form, error, Some(request)).await,
    }
}

async fn settings_command(
    context: &mut RequestContext,
    name: &str,
    form: &Form,
) -> Result<(RoomCommand, String), PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let room = fold_room_name(name)?;
    match form.get("choice") {
        Some("save") => {
            let path = format!("/rooms/{room}/settings?note={}", Note::Saved.name());
            // A box that is not ticked is not sent, so a moderator's form looks like one that unticks both.
            let owns = settings(context, name).await?.rank == RoomRank::Owner;
            let ticked = |box_name: &str| owns.then(|| form.get(box_name).is_some());
            let (topic, open, history) =
                (Some(form.text(Field::Topic.name()).to_string()), ticked("open"), ticked("history"));
            Ok((RoomCommand::Change { session, room, topic, open, history }, path))
        }
        Some("leave") => Ok((RoomCommand::Leave { session, room }, "/rooms".to_string())),
        Some("close") if form.get("sure").is_some() => {
            Ok((RoomCommand::Close { session, room }, "/rooms".to_string()))
        }
        _ => Err(Denied::new(Code::InvalidEntry).into()),
    }
}

async fn settings_again(
    context: &mut RequestContext,
    name: &str,
    form: &Form,
    error: PageError,
    tried: Option<FormRequest>,
) -> WebResponse {
    let request = context.request_again(form, tried, &error).await;
    if error.service_error().is_some() || error.lacks_session() {
        return error_page(context, NavEntry::Rooms, error);
    }
    let mut page = match settings(context, name).await {
        Ok(page) => page,
        Err(error) => return unreadable(context, error),
    };
    let denied = error.denied();
    page.refusals = Refusals::on(&[Field::Topic.name()], denied);
    page.log_in = lacks_session(denied);
    match form.get("choice") {
        Some("leave") => page.leave_request = request,
        Some("close") => page.close_request = request,
        _ => {
            page.topic = form.text(Field::Topic.name()).to_string();
            page.request = request;
        }
    }
    response::page(status(&error), &page)
}

/// Shows the members of a room.
pub(in crate::web) async fn show_members(
    context: &mut RequestContext,
    name: &str,
    query: &Form,
) -> WebResponse {
    let after = query.get("after").and_then(|after| after.parse().ok()).map(AccountId);
    match members(context, name, after).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => unreadable(context, error),
    }
}

async fn members(
    context: &mut RequestContext,
    name: &str,
    after: Option<AccountId>,
) -> Result<RoomMembersPage, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let room = fold_room_name(name)?;
    let got = context.read(Query::RoomPeople { session, room, after }, READ_DEADLINE).await?;
    let Page::RoomPeople(RoomPeople { me, room, rank, members, more, guests }) = got.page else {
        return Err(WRONG_PAGE);
    };
    let mut frame = context.frame(&format!("Members of #{}", room.name), NavEntry::Rooms);
    frame.old = got.old;
    frame.me = Some(me.username);
    context.count_unread(&mut frame).await;
    let request = || context.request_here();
    let members = members.iter().map(|member| RoomPersonRow::member(member, me.account, rank, request));
    let guests = guests.iter().map(|guest| {
        let (standing, words) = match guest.removed {
            true => ("removed", "Let back in"),
            false => ("invited", "Withdraw"),
        };
        RoomPersonRow::new(&guest.person, standing, &[("withdraw", words)], request)
    });
    Ok(RoomMembersPage {
        members: members.collect(),
        guests: guests.collect(),
        frame,
        room: room.name,
        more,
        invites: room.open || rank >= RoomRank::Moderator,
        username: String::new(),
        request: Some(context.request_here()),
        refusals: Refusals::default(),
        log_in: false,
    })
}

/// Invites, removes, or ranks a person.
pub(in crate::web) async fn change_members(
    context: &mut RequestContext,
    name: &str,
    form: &Form,
) -> WebResponse {
    let command = context.session().ok_or(NO_SESSION).and_then(|session| member_command(session, name, form));
    let command = match command {
        Ok(command) => command,
        Err(error) => return members_again(context, name, form, error, None).await,
    };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return members_again(context, name, form, error, None).await,
    };
    let path = format!("/rooms/{}/members", command.target().1);
    match context.command(request, command.into()).await {
        Ok(_) => response::see_other(&path),
        Err(error) => members_again(context, name, form, error, Some(request)).await,
    }
}

fn member_command(session: TokenHash, name: &str, form: &Form) -> Result<RoomCommand, PageError> {
    let (room, username) = (fold_room_name(name)?, fold_username(form.text(Field::Username.name()))?);
    let ranked = |room, username, rank| RoomCommand::SetRank { session, room, username, rank };
    Ok(match form.get("choice") {
        Some("invite") => RoomCommand::Invite { session, room, username },
        Some("withdraw") => RoomCommand::Withdraw { session, room, username },
        Some("remove") => RoomCommand::Remove { session, room, username },
        Some("member") => ranked(room, username, RoomRank::Member),
        Some("moderator") => ranked(room, username, RoomRank::Moderator),
        Some("owner") => ranked(room, username, RoomRank::Owner),
        _ => return Err(Denied::new(Code::InvalidEntry).into()),
    })
}

async fn members_again(
    context: &mut RequestContext,
    name: &str,
    form: &Form,
    error: PageError,
    tried: Option<FormRequest>,
) -> WebResponse {
    let request = context.request_again(form, tried, &error).await;
    if error.service_error().is_some() || error.lacks_session() {
        return error_page(context, NavEntry::Rooms, error);
    }
    let mut page = match members(context, name, None).await {
        Ok(page) => page,
        Err(error) => return unreadable(context, error),
    };
    let denied = error.denied();
    let inviting = form.get("choice") == Some("invite");
    let fields: &[&str] = if inviting { &["username"] } else { &[] };
    page.refusals = Refusals::on(fields, denied);
    page.log_in = lacks_session(denied);
    if inviting {
        page.username = form.text(Field::Username.name()).to_string();
        page.request = request;
    }
    response::page(status(&error), &page)
}
