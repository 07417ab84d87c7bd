//! The pages. Each is a struct that its template renders. Askama escapes all text; no template marks anything as safe. The
//! one type that is written as it is, `markup::Markup`, is what another template has rendered.
//!
//! - here: the [`PageFrame`] around every page, and pages that are only a text
//! - [`form_page`]: sign up, log in, log out, delete; [`feed`]: `/main`, `/everyone`; [`friends`]: `/manage`
//! - [`notices`]: `/notifications`, muted and blocked people, reports
//! - [`people`]: `/people`, `/@name`; [`thread`]: `/croak/ID`; [`messages`]: `/messages` and below; [`settings`]: `/settings`;
//!   [`feed_addresses`]: `/settings/feeds`; [`invitations`]: `/invitations`
//! - [`rooms`]: `/rooms` and below; [`bubble`]: groups of messages there and in conversations
//! - [`authorize`], at `/oauth/authorize`; [`admin`]: `/admin` and below
//! - [`search`]: `/search` and `/tag/NAME`; [`chirper`]: the addresses of Chirper
//! - [`croak`]: a croak on any page; [`composer`]: the form for one;
//!   [`text`]: a user's text, with links for mentions, tags and addresses
//!
//! A refused form comes back with its text, except for passwords. Its request id comes back too when sending the form
//! again must not take effect twice.

pub mod admin;
pub mod announcement;
pub mod authorize;
pub mod bubble;
pub mod chirper;
pub mod composer;
pub mod croak;
pub mod feed;
pub mod feed_addresses;
pub mod form_page;
pub mod friends;
pub mod invitations;
mod markup;
pub mod messages;
pub mod notices;
pub mod people;
pub mod rooms;
pub mod search;
pub mod settings;
pub mod text;
pub mod thread;

pub use announcement::AnnouncementMarkup;
pub use composer::Composer;
pub use croak::{CroakView, FeedItem};
pub use feed::{EveryonePage, Feed, MainPage};
pub use form_page::{FormField, FormPage};
pub use friends::{Friend, Friends, ManagePage};

use super::form::Form;
use super::rooms::rooms_badge;
use super::words::{Note, ServiceError};
use askama::Template;
use ribbit_state::query::Unread;
use ribbit_state::{Code, Denied, Registration, Token};
use std::sync::Arc;

/// Text of `/style.css`.
pub const STYLE: &str = include_str!("../templates/style.css");
/// Text of `/script.js`: the parts in `script/`, joined by `build.rs`.
pub const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/script.js"));
/// Text of `/favicon.svg`.
pub const FAVICON: &str = include_str!("../templates/favicon.svg");

/// Seconds after which a page that could not be read is requested again. A form that could not be sent is not.
const REFRESH_SECONDS: u8 = 5;

/// Entry of the navigation that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NavEntry {
    Main,
    Messages,
    Notifications,
    People,
    Rooms,
    Search,
    Settings,
    Delete,
    Logout,
    Login,
    Create,
    Status,
    About,
    Nowhere,
}

/// Frame around the content of every page: title, navigation, notes.
#[derive(Debug)]
pub struct PageFrame {
    pub title: String,
    pub here: NavEntry,
    /// True if the browser sent a session cookie; the session may have ended meanwhile.
    pub logged_in: bool,
    /// Username, if known.
    pub me: Option<String>,
    /// True if the page may be out of date, because the answering server has lost touch with the others.
    pub old: bool,
    pub note: Option<String>,
    pub service_error: Option<ServiceError>,
    /// Seconds after which the browser requests the page again.
    pub refresh: Option<u8>,
    /// What the user has not read, if known.
    pub unread: Option<Unread>,
    /// Position at which a live stream continues after this page.
    pub cursor: Option<Token>,
    /// Wall clock of the web server in milliseconds since 1970, which relative times refer to. Zero if not known.
    pub now_ms: u64,
    /// Announcements above the content.
    pub announcements: Arc<[AnnouncementMarkup]>,
}

impl PageFrame {
    /// Makes a frame without notes.
    pub fn new(title: &str, here: NavEntry, logged_in: bool) -> PageFrame {
        PageFrame {
            title: title.to_string(),
            here,
            logged_in,
            me: None,
            old: false,
            note: None,
            service_error: None,
            refresh: None,
            unread: None,
            cursor: None,
            now_ms: 0,
            announcements: Arc::default(),
        }
    }

    /// Shows the note that the address of the page names, if any.
    pub fn take_note(&mut self, query: &Form) {
        self.note = query.get("note").and_then(Note::from_name).map(|note| note.words().to_string());
    }

    /// Returns the numbers beside the entries of the navigation.
    pub(super) fn badges(&self) -> Badges {
        let Unread { messages, notices, rooms, .. } = self.unread.unwrap_or_default();
        let shown = |count: u32| if count > 0 { count.to_string() } else { String::new() };
        Badges { messages: shown(messages), notices: shown(notices), rooms: rooms_badge(rooms) }
    }

    pub(super) fn is(&self, here: NavEntry) -> bool {
        self.here == here
    }
}

/// Numbers of unread things beside entries of the navigation. Empty where there are none.
pub(super) struct Badges {
    pub(super) messages: String,
    pub(super) notices: String,
    pub(super) rooms: String,
}

/// A page that is only a text.
#[derive(Debug, Template)]
#[template(path = "message.html")]
pub struct MessagePage {
    pub frame: PageFrame,
    pub words: String,
}

impl MessagePage {
    /// Makes the page to answer with when the requested page cannot be read.
    pub fn service_error(here: NavEntry, logged_in: bool, error: ServiceError) -> MessagePage {
        let frame = PageFrame::new(error.title(), here, logged_in);
        if error == ServiceError::Abandoned {
            // A request that has stopped two servers is not repeated automatically.
            return MessagePage { frame, words: error.words() };
        }
        let frame = PageFrame { refresh: Some(REFRESH_SECONDS), ..frame };
        let words = format!("{} This page will try again automatically.", error.words());
        MessagePage { frame, words }
    }
}

/// `/`: the first page that a visitor sees.
#[derive(Debug, Template)]
#[template(path = "landing.html")]
pub struct LandingPage {
    pub frame: PageFrame,
    /// Sentence of the operators; may be empty.
    pub welcome: String,
    pub registration: Registration,
}

/// `/about`: description of the service.
#[derive(Debug, Template)]
#[template(path = "about.html")]
pub struct AboutPage {
    pub frame: PageFrame,
    pub version: &'static str,
}

/// Returns true if a refusal means that the user has to log in (again).
pub fn lacks_session(denied: &[Denied]) -> bool {
    denied.iter().any(|denied| denied.code == Code::NotLoggedIn)
}
