//! `/keep-away`, `/muted`, `/blocked` and `/report`: muting, blocking and reporting.

use crate::web::croaks::croak::no_such;
use crate::web::error_pages::{self, NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::command::ReportSubject;
use ribbit_state::text::{fold_room_name, fold_username};
use ribbit_state::{AccountId, Code, Denied, Field, Page, Query, RelationCommand};
use ribbit_ui::form::Form;
use ribbit_ui::pages::notices::{KeptAwayPage, ReportPage};
use ribbit_ui::pages::people::PersonRow;
use ribbit_ui::pages::{NavEntry, PageFrame, lacks_session};
use ribbit_ui::words::{Note, Refusals};

/// Shows the muted or the blocked people.
pub(in crate::web) async fn list(context: &mut RequestContext, query: &Form, blocked: bool) -> WebResponse {
    let here = NavEntry::Settings;
    let Some(session) = context.session() else { return error_page(context, here, NO_SESSION) };
    let after = query.get("after").and_then(|after| after.parse().ok()).map(AccountId);
    let ask = if blocked { Query::Blocked { session, after } } else { Query::Muted { session, after } };
    let got = match context.read(ask, READ_DEADLINE).await {
        Ok(got) => got,
        Err(error) => return error_page(context, here, error),
    };
    let Page::KeptAway { me, people, more } = got.page else { return error_page(context, here, WRONG_PAGE) };
    let mut frame = context.frame(if blocked { "Blocked" } else { "Muted" }, here);
    frame.old = got.old;
    frame.take_note(query);
    context.count_unread(&mut frame).await;
    let people: Vec<PersonRow> =
        people.into_iter().map(|who| PersonRow::new(who, &me.username, context.request_here())).collect();
    frame.me = Some(me.username);
    let path = if blocked { "/blocked" } else { "/muted" };
    let more = more.map(|more| format!("{path}?after={}", more.0));
    response::page(StatusCode::OK, &KeptAwayPage { frame, blocked, people, more, first: after.is_none() })
}

/// Mutes, unmutes, blocks or unblocks a person.
pub(in crate::web) async fn change(context: &mut RequestContext, form: &Form) -> WebResponse {
    let here = NavEntry::People;
    let Some(session) = context.session() else { return error_page(context, here, NO_SESSION) };
    let (username, choice) = match form.get("mute-author") {
        Some(croak) => match author(context, croak).await {
            Ok(author) => (author, Some("mute")),
            Err(PageError::Denied(denied)) if denied.code == Code::NoSuchCroak => return no_such(context),
            Err(error) => return error_page(context, here, error),
        },
        None => match fold_username(form.text(Field::Username.name())) {
            Ok(username) => (username, form.get("choice")),
            Err(_) => return error_pages::no_such_user(context, here),
        },
    };
    let name = username.clone();
    let (command, note, list) = match choice {
        Some("mute") => (RelationCommand::Mute { session, username, muted: true }, Note::Muted, "/muted"),
        Some("unmute") => {
            (RelationCommand::Mute { session, username, muted: false }, Note::Unmuted, "/muted")
        }
        Some("block") => {
            (RelationCommand::Block { session, username, blocked: true }, Note::Blocked, "/blocked")
        }
        Some("unblock") => {
            (RelationCommand::Block { session, username, blocked: false }, Note::Unblocked, "/blocked")
        }
        _ => return error_page(context, here, PageError::Denied(Denied::new(Code::InvalidEntry))),
    };
    let back = if form.get("back") == Some("list") { list.to_string() } else { format!("/@{name}") };
    let written = match context.request_of(form).await {
        Ok(request) => context.command(request, command.into()).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(_) => response::see_other(&format!("{back}?note={}", note.name())),
        Err(PageError::Denied(denied)) if denied.code == Code::NoSuchUser => {
            error_pages::no_such_user(context, here)
        }
        Err(error) => error_page(context, here, error),
    }
}

/// Returns the user name of the author of a croak, whose menu mutes them.
async fn author(context: &mut RequestContext, croak: &str) -> Result<String, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let id = croak.parse().map_err(|_| PageError::Denied(Denied::new(Code::NoSuchCroak)))?;
    match context.read(Query::Croak { session, id }, READ_DEADLINE).await?.page {
        Page::Croak(croak) => Ok(croak.author.username),
        _ => Err(WRONG_PAGE),
    }
}

/// Subject of a report, from the fields of the form.
struct Subject {
    field: &'static str,
    value: String,
    subject: ReportSubject,
}

impl Subject {
    fn of(form: &Form) -> Option<Subject> {
        let number = |field| form.get(field).and_then(|value| value.parse().ok());
        if let Some(username) = form.get("person").and_then(|name| fold_username(name).ok()) {
            let subject = ReportSubject::Person { username: username.clone() };
            return Some(Subject { field: "person", value: username, subject });
        }
        if let Some(croak) = number("croak") {
            let subject = ReportSubject::Croak { croak };
            return Some(Subject { field: "croak", value: croak.to_string(), subject });
        }
        if let Some(message) = number("said") {
            let room = fold_room_name(form.get("room")?).ok()?;
            let subject = ReportSubject::RoomMessage { room, message };
            return Some(Subject { field: "said", value: message.to_string(), subject });
        }
        let message = number("message")?;
        let subject = ReportSubject::Message { message };
        Some(Subject { field: "message", value: message.to_string(), subject })
    }

    fn words(&self) -> String {
        match &self.subject {
            ReportSubject::Person { .. } => format!("@{}", self.value),
            ReportSubject::Croak { .. } => "this croak".to_string(),
            ReportSubject::Message { .. } => "this message".to_string(),
            ReportSubject::RoomMessage { room, .. } => format!("this message in #{room}"),
        }
    }

    /// Returns the page that leads here.
    fn back(&self) -> String {
        match &self.subject {
            ReportSubject::Person { .. } => format!("/@{}", self.value),
            ReportSubject::Croak { .. } => "/main".to_string(),
            ReportSubject::Message { .. } => "/messages".to_string(),
            ReportSubject::RoomMessage { room, .. } => format!("/rooms/{room}"),
        }
    }

    /// Returns the page with an empty form.
    fn page(self, frame: PageFrame) -> ReportPage {
        let subject = self.words();
        let room = match self.subject {
            ReportSubject::RoomMessage { room, .. } => room,
            ReportSubject::Person { .. } | ReportSubject::Croak { .. } | ReportSubject::Message { .. } => {
                String::new()
            }
        };
        ReportPage {
            frame,
            subject,
            field: self.field,
            value: self.value,
            room,
            words: String::new(),
            request: None,
            refusals: Refusals::default(),
            log_in: false,
        }
    }
}

/// Shows the form of a report.
pub(in crate::web) async fn show_report(context: &mut RequestContext, query: &Form) -> WebResponse {
    if context.session().is_none() {
        return error_page(context, NavEntry::Nowhere, NO_SESSION);
    }
    let Some(subject) = Subject::of(query) else { return error_pages::no_such_page(true) };
    let mut frame = context.frame("Report", NavEntry::Nowhere);
    context.count_unread(&mut frame).await;
    let page = ReportPage { request: Some(context.request_here()), ..subject.page(frame) };
    response::page(StatusCode::OK, &page)
}

/// Sends a report.
pub(in crate::web) async fn report(context: &mut RequestContext, form: &Form) -> WebResponse {
    let Some(session) = context.session() else { return error_page(context, NavEntry::Nowhere, NO_SESSION) };
    let Some(subject) = Subject::of(form) else { return error_pages::no_such_page(true) };
    let words = form.text(Field::Words.name()).to_string();
    let tried = context.request_of(form).await;
    let written = match (&tried, ribbit_state::text::check_report(&words)) {
        (_, Err(denied)) => Err(denied.into()),
        (Ok(request), Ok(words)) => {
            let command = RelationCommand::Report { session, subject: subject.subject.clone(), words };
            context.command(*request, command.into()).await.map(drop)
        }
        (Err(error), _) => Err(*error),
    };
    let Err(error) = written else {
        return response::see_other(&format!("{}?note={}", subject.back(), Note::Reported.name()));
    };
    let request = context.request_again(form, tried.ok(), &error).await;
    let mut frame = context.frame("Report", NavEntry::Nowhere);
    frame.service_error = error.service_error();
    let page = ReportPage {
        words,
        request,
        refusals: Refusals::on(&[Field::Words.name()], error.denied()),
        log_in: lacks_session(error.denied()),
        ..subject.page(frame)
    };
    response::page(status(&error), &page)
}
