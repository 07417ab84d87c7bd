//! `/settings`: profile, password, sessions, and links to the export and to account deletion.

use super::super::form::FormRequest;
use super::super::time::{self, RelativeTime};
use super::super::words::Refusals;
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::query::OpenSession;

/// An open session, with the request id of the button beside it.
#[derive(Debug)]
pub struct SessionRow {
    pub opened: LogIndex,
    pub when: Option<RelativeTime>,
    /// True for the session that shows this page.
    pub this: bool,
    pub request: FormRequest,
}

impl SessionRow {
    /// Prepares a session for display. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(session: &OpenSession, now_ms: u64, request: FormRequest) -> SessionRow {
        let when = time::when(session.opened_wall_ms, now_ms);
        SessionRow { opened: session.opened, when, this: session.this, request }
    }
}

/// Part of the page that a form belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsSection {
    Profile,
    Password,
    Sessions,
}

/// `/settings`.
#[derive(Debug, Template)]
#[template(path = "settings.html")]
pub struct SettingsPage {
    pub frame: PageFrame,
    /// Stored name, or the one from a refused form.
    pub name: String,
    /// Stored email address, or the one from a refused form.
    pub email: String,
    /// Request id of the profile form.
    pub profile_request: Option<FormRequest>,
    /// Request id of the password form.
    pub password_request: Option<FormRequest>,
    /// Request id of the form that ends all other sessions.
    pub others_request: Option<FormRequest>,
    /// True to show that form: there are other sessions, or ending them was tried.
    pub others: bool,
    pub sessions: Vec<SessionRow>,
    pub refusals: Refusals,
    /// Section of the form that was refused.
    pub section: Option<SettingsSection>,
    pub log_in: bool,
}

impl SettingsPage {
    /// Lets the button that ends a session send the same request again, even if the sessions could not be read.
    pub fn end_again(&mut self, opened: LogIndex, request: Option<FormRequest>) {
        let Some(request) = request else { return };
        match self.sessions.iter_mut().find(|session| session.opened == opened) {
            Some(session) => session.request = request,
            None => self.sessions.push(SessionRow { opened, when: None, this: false, request }),
        }
    }

    /// Returns the refusals to show above a section's form.
    fn general(&self, section: SettingsSection) -> &[String] {
        if self.section == Some(section) { &self.refusals.general } else { &[] }
    }
}
