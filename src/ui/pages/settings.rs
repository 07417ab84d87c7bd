//! `/settings`: one's name, password and sessions, and what else is one's own.

use super::super::form::FormRequest;
use super::super::time::{self, When};
use super::super::words::Refusals;
use super::{Place, Shell};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::people::OpenSession;

/// An open session, with the request that the button beside it sends.
#[derive(Debug)]
pub struct SessionRow {
    pub opened: LogIndex,
    pub when: Option<When>,
    /// The one that looks.
    pub this: bool,
    pub request: FormRequest,
}

impl SessionRow {
    pub fn new(session: &OpenSession, now_ms: u64, request: FormRequest) -> SessionRow {
        let when = time::when(session.opened_wall_ms, now_ms);
        SessionRow { opened: session.opened, when, this: session.this, request }
    }
}

/// What was to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Profile,
    Password,
    Sessions,
}

#[derive(Debug, Template)]
#[template(path = "settings.html")]
pub struct SettingsPage {
    pub shell: Shell,
    /// What was typed, or what is kept.
    pub name: String,
    pub email: String,
    /// Of the two forms; each has its own.
    pub profile_request: Option<FormRequest>,
    pub password_request: Option<FormRequest>,
    pub others_request: Option<FormRequest>,
    /// All sessions but this one may be ended: there are others, or that was tried.
    pub others: bool,
    pub sessions: Vec<SessionRow>,
    pub refusals: Refusals,
    /// Where the refusals belong.
    pub section: Option<Section>,
    pub log_in: bool,
}

impl SettingsPage {
    /// The button that ends this session sends the same request again; it is there even if the sessions could not be read.
    pub fn end_again(&mut self, opened: LogIndex, request: Option<FormRequest>) {
        let Some(request) = request else { return };
        match self.sessions.iter_mut().find(|session| session.opened == opened) {
            Some(session) => session.request = request,
            None => self.sessions.push(SessionRow { opened, when: None, this: false, request }),
        }
    }

    /// The words above a section's form.
    fn general(&self, section: Section) -> &[String] {
        if self.section == Some(section) { &self.refusals.general } else { &[] }
    }
}
