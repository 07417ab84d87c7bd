//! The pages. Each is a struct whose fields the template of that name shows; what people typed is escaped by
//! askama, everywhere, and marked safe nowhere.
//!
//! - here: what all pages have around their content, and pages that only say something
//! - [`form_page`]: create, log in, log out, delete; [`feed`]: `/main`; [`friends`]: `/manage`
//! - [`people`]: `/people`, `/@name`, `/croak/ID`; [`messages`]: `/messages` and below it; [`settings`]: `/settings`
//! - [`croak`]: a croak wherever one is shown; [`text`]: what people wrote, with its mentions
//!
//! A page that failed to be sent comes back with what was typed, never with a password, and with its request id
//! when sending it again must not do it twice.

pub mod croak;
pub mod feed;
pub mod form_page;
pub mod friends;
pub mod messages;
pub mod people;
pub mod settings;
pub mod text;

pub use croak::ShownCroak;
pub use feed::{Feed, MainPage};
pub use form_page::{FormPage, Input};
pub use friends::{Friend, Friends, ManagePage};

use super::words::Trouble;
use askama::Template;
use ribbit_state::{Code, Denied};

pub const STYLE: &str = include_str!("../templates/style.css");
pub const SCRIPT: &str = include_str!("../templates/script.js");
pub const FAVICON: &str = include_str!("../templates/favicon.svg");

/// A page in trouble that was only asked for, not sent, asks again by itself.
const REFRESH_SECONDS: u8 = 5;

/// Where a page stands in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Main,
    Manage,
    Messages,
    People,
    Settings,
    Delete,
    Logout,
    Login,
    Create,
    Status,
    About,
    Nowhere,
}

/// What all pages have around their content.
#[derive(Debug)]
pub struct Shell {
    pub title: String,
    pub here: Place,
    /// The browser holds a session; it may have ended meanwhile.
    pub logged_in: bool,
    /// The user name, where it is known.
    pub me: Option<String>,
    /// What is shown may be old: the server that answered lost touch with the others.
    pub old: bool,
    pub note: Option<String>,
    pub trouble: Option<Trouble>,
    /// Seconds after which the browser asks again by itself.
    pub refresh: Option<u8>,
    /// Messages that were not read yet, where it is known.
    pub unread: Option<u32>,
    /// The wall clock of who made the page, in milliseconds since 1970: times are told relative to it. Zero where it
    /// is not known.
    pub now_ms: u64,
}

impl Shell {
    pub fn new(title: &str, here: Place, logged_in: bool) -> Shell {
        Shell {
            title: title.to_string(),
            here,
            logged_in,
            me: None,
            old: false,
            note: None,
            trouble: None,
            refresh: None,
            unread: None,
            now_ms: 0,
        }
    }

    pub(super) fn is(&self, here: Place) -> bool {
        self.here == here
    }
}

/// A page that only says something.
#[derive(Debug, Template)]
#[template(path = "message.html")]
pub struct MessagePage {
    pub shell: Shell,
    pub words: String,
}

impl MessagePage {
    /// For a page that was asked for while nobody can serve it.
    pub fn trouble(here: Place, logged_in: bool, trouble: Trouble) -> MessagePage {
        let shell = Shell::new(trouble.title(), here, logged_in);
        if trouble == Trouble::Spared {
            // What ended two servers is not asked again by itself.
            return MessagePage { shell, words: trouble.words() };
        }
        let shell = Shell { refresh: Some(REFRESH_SECONDS), ..shell };
        let words = format!("{} This page tries again by itself.", trouble.words());
        MessagePage { shell, words }
    }
}

/// `/about`: what this is.
#[derive(Debug, Template)]
#[template(path = "about.html")]
pub struct AboutPage {
    pub shell: Shell,
    pub version: &'static str,
}

/// Whether a refusal means that one has to log in (again).
pub fn lacks_session(denied: &[Denied]) -> bool {
    denied.iter().any(|denied| denied.code == Code::NotLoggedIn)
}
