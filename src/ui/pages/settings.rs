//! `/settings`: profile, account, privacy, sessions, and links to the export and to account deletion.

use super::super::avatar;
use super::super::form::FormRequest;
use super::super::scope_words;
use super::super::time::{self, RelativeTime};
use super::super::words::{Refusals, capitalized};
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::query::OpenSession;
use ribbit_state::{Avatar, AvatarColour, Frog, LogIndex};

/// Colour of the frogs that are offered while none is chosen.
const FIRST_COLOUR: AvatarColour = AvatarColour::Green;

/// An open session, with the request id of the button beside it.
#[derive(Debug)]
pub struct SessionRow {
    pub opened: LogIndex,
    /// Words for the device; never empty.
    pub device: String,
    /// Day of the last use in words.
    pub used: Option<String>,
    pub when: Option<RelativeTime>,
    /// True for the session that shows this page.
    pub this: bool,
    /// What the person lets the app do, if the session is an app's.
    pub permissions: Option<String>,
    pub request: FormRequest,
}

impl SessionRow {
    /// Prepares a session for display. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(session: &OpenSession, now_ms: u64, request: FormRequest) -> SessionRow {
        SessionRow {
            opened: session.opened,
            device: device(&session.device),
            used: time::day_ago(session.used_wall_ms, now_ms),
            when: time::when(session.opened_wall_ms, now_ms),
            this: session.this,
            permissions: session.scopes.map(scope_words::names),
            request,
        }
    }
}

/// Returns the words for a device, which may be unknown.
fn device(words: &str) -> String {
    if words.is_empty() { "Unknown device" } else { words }.to_string()
}

/// A picture to choose, with the value of its field.
#[derive(Debug)]
pub struct PictureChoice {
    pub value: &'static str,
    /// Path of the picture.
    pub avatar: String,
    pub words: String,
    pub chosen: bool,
}

impl PictureChoice {
    /// Returns the frogs to choose from, the one drawn from the name first.
    fn frogs(avatar: Avatar, username: &str) -> Vec<PictureChoice> {
        let (colour, chosen) = parts(avatar);
        let drawn = PictureChoice {
            value: "drawn",
            avatar: avatar::path_of(Avatar::Drawn, username),
            words: "From my name".to_string(),
            chosen: chosen.is_none(),
        };
        let frogs = Frog::ALL.iter().map(|frog| PictureChoice {
            value: frog.name(),
            avatar: avatar::path_of(Avatar::Chosen { colour, frog: *frog }, username),
            words: capitalized(frog.name()),
            chosen: chosen == Some(*frog),
        });
        std::iter::once(drawn).chain(frogs).collect()
    }

    /// Returns the colours to choose from.
    fn colours(avatar: Avatar, username: &str) -> Vec<PictureChoice> {
        let (chosen, frog) = parts(avatar);
        let frog = frog.unwrap_or(Frog::Smiling);
        let colours = AvatarColour::ALL.iter().map(|colour| PictureChoice {
            value: colour.name(),
            avatar: avatar::path_of(Avatar::Chosen { colour: *colour, frog }, username),
            words: capitalized(colour.name()),
            chosen: chosen == *colour,
        });
        colours.collect()
    }
}

/// Returns the colour of an avatar, and its frog if one was chosen.
fn parts(avatar: Avatar) -> (AvatarColour, Option<Frog>) {
    match avatar {
        Avatar::Drawn => (FIRST_COLOUR, None),
        Avatar::Chosen { colour, frog } => (colour, Some(frog)),
    }
}

/// Part of the page that a form belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsSection {
    Profile,
    Account,
    Password,
    Privacy,
    Sessions,
}

/// `/settings`.
#[derive(Debug, Template)]
#[template(path = "settings.html")]
pub struct SettingsPage {
    pub frame: PageFrame,
    /// True if the person is a moderator or an admin.
    pub governs: bool,
    /// Stored name, or the one from a refused form. So are the other texts.
    pub name: String,
    pub bio: String,
    /// One address a line.
    pub links: String,
    /// Path of the picture.
    pub avatar: String,
    pub frogs: Vec<PictureChoice>,
    pub colours: Vec<PictureChoice>,
    pub email: String,
    /// True if new croaks are for followers only.
    pub for_followers: bool,
    /// Request id of the profile form.
    pub profile_request: Option<FormRequest>,
    /// Request id of the form with the email address.
    pub account_request: Option<FormRequest>,
    /// Request id of the privacy form.
    pub privacy_request: Option<FormRequest>,
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
    /// Offers the pictures of a user, with this one chosen.
    pub fn offer_pictures(&mut self, avatar: Avatar, username: &str) {
        self.avatar = avatar::path_of(avatar, username);
        self.frogs = PictureChoice::frogs(avatar, username);
        self.colours = PictureChoice::colours(avatar, username);
    }

    /// Lets the button that ends a session send the same request again, even if the sessions could not be read.
    pub fn end_again(&mut self, opened: LogIndex, request: Option<FormRequest>) {
        let Some(request) = request else { return };
        match self.sessions.iter_mut().find(|session| session.opened == opened) {
            Some(session) => session.request = request,
            None => {
                let device = device("");
                self.sessions.push(SessionRow {
                    opened,
                    device,
                    used: None,
                    when: None,
                    this: false,
                    permissions: None,
                    request,
                });
            }
        }
    }

    /// Returns the refusals to show above a section's form.
    fn general(&self, section: SettingsSection) -> &[String] {
        if self.section == Some(section) { &self.refusals.general } else { &[] }
    }
}
