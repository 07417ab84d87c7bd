//! `/admin/site`: the texts of the first page, the registration mode, and announcements.

use super::{ADMINS_ONLY, answered, carry_out, confirmed, govern, read, unknown_form, unreadable};
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::command::{OperatorCommand, Reply};
use ribbit_state::{Code, Denied, Inviters, Page, Query, Registration};
use ribbit_ui::form::Form;
use ribbit_ui::pages::admin::{AdminTab, AnnouncementRow, SitePage, registrations};
use ribbit_ui::words::{Note, refusal};

const PATH: &str = "/admin/site";

/// Shows the settings of the site.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    match page(context, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => unreadable(context, error),
    }
}

async fn page(context: &mut RequestContext, query: &Form) -> Result<SitePage, PageError> {
    let got = read(context, ADMINS_ONLY, ("Site", AdminTab::Site), query).await?;
    let settings = context.read(Query::Settings, READ_DEADLINE).await?.page;
    let Page::Settings(settings) = settings else { return Err(WRONG_PAGE) };
    let announced = context.read(Query::Announcements, READ_DEADLINE).await?.page;
    let Page::Announcements(items) = announced else { return Err(WRONG_PAGE) };
    let now_ms = got.frame.now_ms;
    let row = |item| AnnouncementRow::new(item, now_ms, context.request_here());
    Ok(SitePage {
        name: settings.site_name,
        welcome: settings.welcome,
        registrations: registrations(settings.registration),
        inviters: Inviters::ALL.map(|one| (one.name(), one == settings.inviters)).into(),
        announcement: String::new(),
        announcements: items.into_iter().map(row).collect(),
        texts_request: context.request_if_read(),
        joining_request: context.request_if_read(),
        announce_request: context.request_if_read(),
        frame: got.frame,
        head: got.head,
    })
}

/// Makes the change of a form.
pub(in crate::web) async fn change(context: &mut RequestContext, form: &Form) -> WebResponse {
    let text = |field| form.text(field).to_string();
    let (command, note) = match form.get("choice") {
        Some("texts") => {
            let (name, welcome) = (Some(text("name")), Some(text("welcome")));
            (OperatorCommand::DescribeSite { name, welcome }, Note::Saved)
        }
        Some("joining") => {
            let inviters = Inviters::ALL.into_iter().find(|one| one.name() == form.text("inviters"));
            let registration =
                Registration::ALL.into_iter().find(|one| one.name() == form.text("registration"));
            let (Some(inviters), Some(registration)) = (inviters, registration) else {
                return unknown_form(context);
            };
            let done = join_by(context, form, registration, inviters).await;
            return answered(context, form, PATH, (PATH, Note::Saved), done).await;
        }
        Some("announce") => {
            (OperatorCommand::Announce { text: text("announcement"), for_ms: None }, Note::Announced)
        }
        Some("withdraw") => match form.text("item").parse() {
            Ok(announcement) => (OperatorCommand::WithdrawAnnouncement { announcement }, Note::Withdrawn),
            Err(_) => return unknown_form(context),
        },
        _ => return unknown_form(context),
    };
    match govern(context, form, command).await {
        Err(PageError::Denied(denied)) if is_about_text(denied) => again(context, form, denied).await,
        done => answered(context, form, PATH, (PATH, note), done).await,
    }
}

/// Returns true if a change was refused for its text, so that the form is shown again.
fn is_about_text(denied: Denied) -> bool {
    matches!(denied.code, Code::InvalidEntry | Code::TooManyAnnouncements)
}

/// Shows the settings again with the texts of a form that was refused.
async fn again(context: &mut RequestContext, form: &Form, denied: Denied) -> WebResponse {
    match page(context, &Form::default()).await {
        Ok(mut page) => {
            let shown = [
                ("name", &mut page.name),
                ("welcome", &mut page.welcome),
                ("announcement", &mut page.announcement),
            ];
            for (field, text) in shown {
                if let Some(sent) = form.get(field) {
                    *text = sent.to_string();
                }
            }
            page.head.refusals.push(refusal(denied));
            response::page(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => unreadable(context, error),
    }
}

/// Sets the registration mode and the inviters. Each is a command of its own, sent only if it changes something.
async fn join_by(
    context: &mut RequestContext,
    form: &Form,
    registration: Registration,
    inviters: Inviters,
) -> Result<Reply, PageError> {
    let settings = context.read(Query::Settings, READ_DEADLINE).await?.page;
    let Page::Settings(current) = settings else { return Err(WRONG_PAGE) };
    let request = confirmed(context, form).await?;
    if current.registration != registration {
        carry_out(context, request, OperatorCommand::SetRegistration { registration }).await?;
    }
    if current.inviters != inviters {
        // An earlier try of this form may have used its id for the registration mode. Sent twice, this sets the same.
        let request = context.new_request().await?;
        carry_out(context, request, OperatorCommand::SetInviters { inviters }).await?;
    }
    Ok(Reply::Done)
}
