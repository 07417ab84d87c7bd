//! `/settings`: the user's profile, account, password, privacy and sessions.

use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{AROUND_DEADLINE, READ_DEADLINE};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_net::protocol::{Ask, Password};
use ribbit_state::query::{OpenSession, OwnAccount};
use ribbit_state::text::check_password;
use ribbit_state::{
    AccountChanges, AccountCommand, AccountRole, Audience, Avatar, Code, Denied, Field, LogIndex, Page,
    Query, TokenHash,
};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::settings::{SessionRow, SettingsPage, SettingsSection};
use ribbit_ui::pages::{NavEntry, PageFrame, lacks_session};
use ribbit_ui::words::{Note, Refusals};
use std::time::Duration;

/// Shows the settings.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    let mut frame = context.frame("Settings", NavEntry::Settings);
    frame.take_note(query);
    let (account, sessions) = match read(context, &mut frame, READ_DEADLINE).await {
        Ok(read) => read,
        Err(error) => return error_page(context, NavEntry::Settings, error),
    };
    context.count_unread(&mut frame).await;
    let mut page = page(context, frame, &sessions);
    fill(&mut page, account);
    response::page(StatusCode::OK, &page)
}

/// Shows what is stored in the forms.
fn fill(page: &mut SettingsPage, account: OwnAccount) {
    page.offer_pictures(account.person.avatar, &account.person.username);
    page.governs = account.role > AccountRole::Person;
    page.name = account.person.name;
    page.bio = account.bio;
    page.links = account.links.join("\n");
    page.email = account.email;
    page.for_followers = account.audience == Audience::Followers;
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
        governs: false,
        name: String::new(),
        bio: String::new(),
        links: String::new(),
        avatar: String::new(),
        frogs: Vec::new(),
        colours: Vec::new(),
        email: String::new(),
        for_followers: false,
        profile_request: context.request_if_read(),
        account_request: context.request_if_read(),
        privacy_request: context.request_if_read(),
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
    /// Changes what the form of a section carries.
    Describe(SettingsSection, AccountChanges),
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
            "profile" => SettingsChange::Describe(SettingsSection::Profile, changes(form)),
            "account" => SettingsChange::Describe(SettingsSection::Account, changes(form)),
            "privacy" => SettingsChange::Describe(SettingsSection::Privacy, changes(form)),
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
            SettingsChange::Describe(section, _) => *section,
            SettingsChange::Password { .. } => SettingsSection::Password,
            SettingsChange::End { .. } | SettingsChange::EndOthers => SettingsSection::Sessions,
        }
    }

    fn note(&self) -> Note {
        match self {
            SettingsChange::Describe(..) => Note::Saved,
            SettingsChange::Password { .. } => Note::NewPassword,
            SettingsChange::End { .. } | SettingsChange::EndOthers => Note::Ended,
        }
    }

    /// Returns all invalid fields, so that they are reported at once. The backends check the same, but stop at the first error.
    fn wrong(&self) -> Vec<Denied> {
        match self {
            SettingsChange::Describe(_, changes) => changes.refusals(),
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
            SettingsChange::Describe(_, changes) => {
                let changes = changes.clone();
                context.command(request, AccountCommand::Describe { session, changes }.into()).await
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

/// Returns the changes that a form carries. Fields that it lacks stay as they are.
fn changes(form: &Form) -> AccountChanges {
    let text = |field: Field| form.get(field.name()).map(str::to_string);
    let links = form.get(Field::Links.name()).map(|typed| {
        typed.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string).collect()
    });
    let avatar = form.get("frog").and_then(|frog| match frog {
        "drawn" => Some(Avatar::Drawn),
        frog => format!("{}-{frog}", form.text("colour")).parse().ok(),
    });
    let audience = form.get("audience").and_then(|audience| audience.parse().ok());
    let (name, bio, email) = (text(Field::Name), text(Field::Bio), text(Field::Email));
    AccountChanges { name, bio, links, avatar, email, audience }
}

/// Changes what the form asks for.
pub(in crate::web) async fn change(context: &mut RequestContext, form: &Form) -> WebResponse {
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
    let username = account.as_ref().map(|account| account.person.username.clone());
    if let Some(account) = account {
        fill(&mut page, account);
    }
    match choice {
        Some(SettingsChange::Describe(section, changes)) => {
            let AccountChanges { name, bio, links, avatar, email, audience } = changes;
            page.name = name.unwrap_or(page.name);
            page.bio = bio.unwrap_or(page.bio);
            page.links = links.map_or(page.links, |links| links.join("\n"));
            page.email = email.unwrap_or(page.email);
            page.for_followers =
                audience.map_or(page.for_followers, |audience| audience == Audience::Followers);
            if let Some(avatar) = avatar {
                page.offer_pictures(avatar, &username.unwrap_or_default());
            }
            *match section {
                SettingsSection::Account => &mut page.account_request,
                SettingsSection::Privacy => &mut page.privacy_request,
                _ => &mut page.profile_request,
            } = request;
        }
        Some(SettingsChange::Password { .. }) => page.password_request = request,
        Some(SettingsChange::End { opened }) => page.end_again(opened, request),
        Some(SettingsChange::EndOthers) => (page.others, page.others_request) = (true, request),
        None => {}
    }
    let fields = [Field::Name, Field::Bio, Field::Links, Field::Email, Field::Password, Field::NewPassword]
        .map(Field::name);
    page.refusals = Refusals::on(&fields, denied);
    page.section = section.or(Some(SettingsSection::Profile));
    page.log_in = lacks_session(denied);
    let code = error.map_or(StatusCode::UNPROCESSABLE_ENTITY, |error| status(&error));
    response::page(code, &page)
}
