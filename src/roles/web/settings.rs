//! `/settings`: the user's name, email address, password and sessions.

use super::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use super::limits::{AROUND_DEADLINE, READ_DEADLINE};
use super::request_context::{PageError, RequestContext};
use super::response::{self, WebResponse};
use hyper::StatusCode;
use ribbit_net::protocol::{Ask, Password};
use ribbit_state::query::{OpenSession, OwnAccount};
use ribbit_state::text::{check_email, check_name, check_password};
use ribbit_state::{AccountCommand, Code, Denied, Field, LogIndex, Page, Query, TokenHash};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::settings::{SessionRow, SettingsPage, SettingsSection};
use ribbit_ui::pages::{NavEntry, PageFrame, lacks_session};
use ribbit_ui::words::{Note, Refusals};
use std::time::Duration;

/// Shows the settings.
pub(super) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    let mut frame = context.frame("Settings", NavEntry::Settings);
    frame.note = query.get("note").and_then(Note::from_name).map(|note| note.words().to_string());
    let (account, sessions) = match read(context, &mut frame, READ_DEADLINE).await {
        Ok(read) => read,
        Err(error) => return error_page(context, NavEntry::Settings, error),
    };
    context.count_unread(&mut frame).await;
    let mut page = page(context, frame, &sessions);
    (page.name, page.email) = (account.person.name, account.email);
    response::page(StatusCode::OK, &page)
}

async fn read(
    context: &mut RequestContext,
    frame: &mut PageFrame,
    limit: Duration,
) -> Result<(OwnAccount, Vec<OpenSession>), PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let got = context.read(Query::Account { session }, limit).await?;
    let Page::Account(account) = got.page else { return Err(WRONG_PAGE) };
    let listed = context.read(Query::Sessions { session }, limit).await?;
    let Page::Sessions(sessions) = listed.page else { return Err(WRONG_PAGE) };
    frame.old = listed.old;
    frame.me = Some(account.person.username.clone());
    Ok((account, sessions))
}

fn page(context: &RequestContext, frame: PageFrame, sessions: &[OpenSession]) -> SettingsPage {
    let now_ms = frame.now_ms;
    let row = |session| SessionRow::new(session, now_ms, context.request_here());
    SettingsPage {
        frame,
        name: String::new(),
        email: String::new(),
        profile_request: context.request_if_read(),
        password_request: context.request_if_read(),
        others_request: context.request_if_read(),
        others: sessions.len() > 1,
        sessions: sessions.iter().map(row).collect(),
        refusals: Refusals::default(),
        section: None,
        log_in: false,
    }
}

/// Change that a form asks for.
enum SettingsChange {
    Profile {
        name: String,
        email: String,
    },
    Password {
        old: String,
        new: String,
    },
    /// Ends one session.
    End {
        opened: LogIndex,
    },
    EndOthers,
}

impl SettingsChange {
    fn of(form: &Form) -> Option<SettingsChange> {
        let text = |field: Field| form.text(field.name()).to_string();
        Some(match form.get("choice")? {
            "profile" => SettingsChange::Profile { name: text(Field::Name), email: text(Field::Email) },
            "password" => {
                SettingsChange::Password { old: text(Field::Password), new: text(Field::NewPassword) }
            }
            "others" => SettingsChange::EndOthers,
            "end" => SettingsChange::End { opened: form.text("opened").parse().ok()? },
            _ => return None,
        })
    }

    fn section(&self) -> SettingsSection {
        match self {
            SettingsChange::Profile { .. } => SettingsSection::Profile,
            SettingsChange::Password { .. } => SettingsSection::Password,
            SettingsChange::End { .. } | SettingsChange::EndOthers => SettingsSection::Sessions,
        }
    }

    fn note(&self) -> Note {
        match self {
            SettingsChange::Profile { .. } => Note::Saved,
            SettingsChange::Password { .. } => Note::NewPassword,
            SettingsChange::End { .. } | SettingsChange::EndOthers => Note::Ended,
        }
    }

    /// Returns all invalid fields, so that they are reported at once. The backends check the same, but stop at the first error.
    fn wrong(&self) -> Vec<Denied> {
        match self {
            SettingsChange::Profile { name, email } => {
                [check_name(name).err(), check_email(email).err()].into_iter().flatten().collect()
            }
            SettingsChange::Password { new, .. } if check_password(new).is_err() => {
                vec![Denied::of(Code::InvalidEntry, Field::NewPassword)]
            }
            SettingsChange::Password { .. } | SettingsChange::End { .. } | SettingsChange::EndOthers => {
                Vec::new()
            }
        }
    }

    async fn carry_out(
        &self,
        context: &mut RequestContext,
        session: TokenHash,
        request: FormRequest,
    ) -> Result<(), PageError> {
        let done = match self {
            SettingsChange::Profile { name, email } => {
                let (name, email) = (Some(name.clone()), Some(email.clone()));
                context.command(request, AccountCommand::Describe { session, name, email }.into()).await
            }
            SettingsChange::Password { old, new } => {
                let FormRequest { id, submitted_at } = request;
                let (old, new) = (Password(old.clone()), Password(new.clone()));
                context.write(Ask::ChangePassword { id, submitted_at, session, old, new }).await
            }
            SettingsChange::End { opened } => {
                context.command(request, AccountCommand::EndSession { session, opened: *opened }.into()).await
            }
            SettingsChange::EndOthers => {
                context.command(request, AccountCommand::EndOtherSessions { session }.into()).await
            }
        };
        done.map(drop)
    }
}

/// Changes what the form asks for.
pub(super) async fn change(context: &mut RequestContext, form: &Form) -> WebResponse {
    let Some(session) = context.session() else { return error_page(context, NavEntry::Settings, NO_SESSION) };
    let Some(choice) = SettingsChange::of(form) else {
        return again(context, form, None, &[Denied::new(Code::InvalidEntry)], None, None).await;
    };
    let wrong = choice.wrong();
    if !wrong.is_empty() {
        return again(context, form, Some(choice), &wrong, None, None).await;
    }
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, form, Some(choice), &[], Some(error), None).await,
    };
    match choice.carry_out(context, session, request).await {
        Ok(()) => response::see_other(&format!("/settings?note={}", choice.note().name())),
        Err(error) => again(context, form, Some(choice), &[], Some(error), Some(request)).await,
    }
}

/// Shows the page again with the text and the reason, without passwords.
async fn again(
    context: &mut RequestContext,
    form: &Form,
    choice: Option<SettingsChange>,
    wrong: &[Denied],
    error: Option<PageError>,
    tried: Option<FormRequest>,
) -> WebResponse {
    let denied = error.as_ref().map_or(wrong, |error| error.denied());
    let section = choice.as_ref().map(SettingsChange::section);
    let locally = PageError::Denied(Denied::new(Code::InvalidEntry));
    let request = context.request_again(form, tried, error.as_ref().unwrap_or(&locally)).await;
    let mut frame = context.frame("Settings", NavEntry::Settings);
    frame.service_error = error.and_then(|error| error.service_error());
    let read = match frame.service_error {
        Some(_) => None,
        None => read(context, &mut frame, AROUND_DEADLINE).await.ok(),
    };
    let (account, sessions) = read.unzip();
    let mut page = page(context, frame, &sessions.unwrap_or_default());
    if let Some(account) = account {
        (page.name, page.email) = (account.person.name, account.email);
    }
    match choice {
        Some(SettingsChange::Profile { name, email }) => {
            (page.name, page.email, page.profile_request) = (name, email, request);
        }
        Some(SettingsChange::Password { .. }) => page.password_request = request,
        Some(SettingsChange::End { opened }) => page.end_again(opened, request),
        Some(SettingsChange::EndOthers) => (page.others, page.others_request) = (true, request),
        None => {}
    }
    let fields = [Field::Name, Field::Email, Field::Password, Field::NewPassword].map(Field::name);
    page.refusals = Refusals::on(&fields, denied);
    page.section = section.or(Some(SettingsSection::Profile));
    page.log_in = lacks_session(denied);
    let code = error.map_or(StatusCode::UNPROCESSABLE_ENTITY, |error| status(&error));
    response::page(code, &page)
}
