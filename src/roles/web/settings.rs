//! `/settings`: one's name, password and sessions.

use super::answer::{self, Answer};
use super::feed::{NO_SESSION, WRONG_PAGE, status, stopped};
use super::limits::{AROUND_DEADLINE, READ_DEADLINE};
use super::visit::{Stop, Visit};
use hyper::StatusCode;
use ribbit_net::protocol::{Ask, Password};
use ribbit_state::people::{OpenSession, OwnAccount};
use ribbit_state::text::{check_email, check_name, check_password};
use ribbit_state::{AccountCommand, Code, Denied, Field, LogIndex, Page, Query, TokenHash};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::settings::{Section, SessionRow, SettingsPage};
use ribbit_ui::pages::{Place, Shell, lacks_session};
use ribbit_ui::words::{Note, Refusals};
use std::time::Duration;

pub async fn show(visit: &mut Visit, query: &Form) -> Answer {
    let mut shell = visit.shell("Settings", Place::Settings);
    shell.note = query.get("note").and_then(Note::from_name).map(|note| note.words().to_string());
    let (account, sessions) = match read(visit, &mut shell, READ_DEADLINE).await {
        Ok(read) => read,
        Err(stop) => return stopped(visit, Place::Settings, stop),
    };
    visit.count_unread(&mut shell).await;
    let mut page = page(visit, shell, &sessions);
    (page.name, page.email) = (account.person.name, account.email);
    answer::page(StatusCode::OK, &page)
}

async fn read(
    visit: &mut Visit,
    shell: &mut Shell,
    limit: Duration,
) -> Result<(OwnAccount, Vec<OpenSession>), Stop> {
    let session = visit.session().ok_or(NO_SESSION)?;
    let got = visit.read(Query::Account { session }, limit).await?;
    let Page::Account(account) = got.page else { return Err(WRONG_PAGE) };
    let listed = visit.read(Query::Sessions { session }, limit).await?;
    let Page::Sessions(sessions) = listed.page else { return Err(WRONG_PAGE) };
    shell.old = listed.old;
    shell.me = Some(account.person.username.clone());
    Ok((account, sessions))
}

fn page(visit: &Visit, shell: Shell, sessions: &[OpenSession]) -> SettingsPage {
    let now_ms = shell.now_ms;
    let row = |session| SessionRow::new(session, now_ms, visit.request_here());
    SettingsPage {
        shell,
        name: String::new(),
        email: String::new(),
        profile_request: visit.request_if_read(),
        password_request: visit.request_if_read(),
        others_request: visit.request_if_read(),
        others: sessions.len() > 1,
        sessions: sessions.iter().map(row).collect(),
        refusals: Refusals::default(),
        section: None,
        log_in: false,
    }
}

/// What a form asks for, if it can be meant.
enum Choice {
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

impl Choice {
    fn of(form: &Form) -> Option<Choice> {
        let text = |field: Field| form.text(field.name()).to_string();
        Some(match form.get("choice")? {
            "profile" => Choice::Profile { name: text(Field::Name), email: text(Field::Email) },
            "password" => Choice::Password { old: text(Field::Password), new: text(Field::NewPassword) },
            "others" => Choice::EndOthers,
            "end" => Choice::End { opened: form.text("opened").parse().ok()? },
            _ => return None,
        })
    }

    fn section(&self) -> Section {
        match self {
            Choice::Profile { .. } => Section::Profile,
            Choice::Password { .. } => Section::Password,
            Choice::End { .. } | Choice::EndOthers => Section::Sessions,
        }
    }

    fn note(&self) -> Note {
        match self {
            Choice::Profile { .. } => Note::Saved,
            Choice::Password { .. } => Note::NewPassword,
            Choice::End { .. } | Choice::EndOthers => Note::Ended,
        }
    }

    /// All that is wrong with it, so that all fields are answered for at once. The group checks the same.
    fn wrong(&self) -> Vec<Denied> {
        match self {
            Choice::Profile { name, email } => {
                [check_name(name).err(), check_email(email).err()].into_iter().flatten().collect()
            }
            Choice::Password { new, .. } if check_password(new).is_err() => {
                vec![Denied::of(Code::InvalidEntry, Field::NewPassword)]
            }
            Choice::Password { .. } | Choice::End { .. } | Choice::EndOthers => Vec::new(),
        }
    }

    async fn carry_out(
        &self,
        visit: &mut Visit,
        session: TokenHash,
        request: FormRequest,
    ) -> Result<(), Stop> {
        let done = match self {
            Choice::Profile { name, email } => {
                let (name, email) = (Some(name.clone()), Some(email.clone()));
                visit.command(request, AccountCommand::Describe { session, name, email }.into()).await
            }
            Choice::Password { old, new } => {
                let FormRequest { id, submitted_at } = request;
                let (old, new) = (Password(old.clone()), Password(new.clone()));
                visit.write(Ask::ChangePassword { id, submitted_at, session, old, new }).await
            }
            Choice::End { opened } => {
                visit.command(request, AccountCommand::EndSession { session, opened: *opened }.into()).await
            }
            Choice::EndOthers => {
                visit.command(request, AccountCommand::EndOtherSessions { session }.into()).await
            }
        };
        done.map(drop)
    }
}

pub async fn change(visit: &mut Visit, form: &Form) -> Answer {
    let Some(session) = visit.session() else { return stopped(visit, Place::Settings, NO_SESSION) };
    let Some(choice) = Choice::of(form) else {
        return again(visit, form, None, &[Denied::new(Code::InvalidEntry)], None, None).await;
    };
    let wrong = choice.wrong();
    if !wrong.is_empty() {
        return again(visit, form, Some(choice), &wrong, None, None).await;
    }
    let request = match visit.request_of(form).await {
        Ok(request) => request,
        Err(stop) => return again(visit, form, Some(choice), &[], Some(stop), None).await,
    };
    match choice.carry_out(visit, session, request).await {
        Ok(()) => answer::see_other(&format!("/settings?note={}", choice.note().name())),
        Err(stop) => again(visit, form, Some(choice), &[], Some(stop), Some(request)).await,
    }
}

/// The page comes back with what was typed, except for passwords.
async fn again(
    visit: &mut Visit,
    form: &Form,
    choice: Option<Choice>,
    wrong: &[Denied],
    stop: Option<Stop>,
    tried: Option<FormRequest>,
) -> Answer {
    let denied = stop.as_ref().map_or(wrong, |stop| stop.denied());
    let section = choice.as_ref().map(Choice::section);
    let locally = Stop::Denied(Denied::new(Code::InvalidEntry));
    let request = visit.request_again(form, tried, stop.as_ref().unwrap_or(&locally)).await;
    let mut shell = visit.shell("Settings", Place::Settings);
    shell.trouble = stop.and_then(|stop| stop.trouble());
    let read = match shell.trouble {
        Some(_) => None,
        None => read(visit, &mut shell, AROUND_DEADLINE).await.ok(),
    };
    let (account, sessions) = read.unzip();
    let mut page = page(visit, shell, &sessions.unwrap_or_default());
    if let Some(account) = account {
        (page.name, page.email) = (account.person.name, account.email);
    }
    match choice {
        Some(Choice::Profile { name, email }) => {
            (page.name, page.email, page.profile_request) = (name, email, request);
        }
        Some(Choice::Password { .. }) => page.password_request = request,
        Some(Choice::End { opened }) => page.end_again(opened, request),
        Some(Choice::EndOthers) => (page.others, page.others_request) = (true, request),
        None => {}
    }
    let fields = [Field::Name, Field::Email, Field::Password, Field::NewPassword].map(Field::name);
    page.refusals = Refusals::on(&fields, denied);
    page.section = section.or(Some(Section::Profile));
    page.log_in = lacks_session(denied);
    let code = stop.map_or(StatusCode::UNPROCESSABLE_ENTITY, |stop| status(&stop));
    answer::page(code, &page)
}
