//! The pages. Each is a struct whose fields the template of that name shows; what people typed is escaped by
//! askama, everywhere, and marked safe nowhere.
//!
//! A page that failed to be sent comes back with what was typed, never with a password, and with its request id
//! when sending it again must not do it twice.

use super::form::FormRequest;
use super::time::{self, Shown};
use super::words::{Refusals, Trouble, valid};
use crate::state::query::FeedCroak;
use crate::state::{AccountId, Code, Denied, Field, LogIndex};
use askama::Template;

pub const STYLE: &str = include_str!("../../templates/style.css");
pub const FAVICON: &str = include_str!("../../templates/favicon.svg");

/// A page in trouble that was only asked for, not sent, asks again by itself.
const REFRESH_SECONDS: u8 = 5;

/// Where a page stands in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Main,
    Manage,
    Delete,
    Logout,
    Login,
    Create,
    Status,
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
        }
    }

    pub(super) fn is(&self, here: Place) -> bool {
        self.here == here
    }
}

/// One line of a form.
#[derive(Debug)]
pub struct Input {
    pub name: &'static str,
    pub label: &'static str,
    pub kind: &'static str,
    pub autocomplete: &'static str,
    /// What was typed.
    pub value: String,
    /// Under the field; may be empty.
    pub hint: String,
    pub refusal: Option<String>,
}

impl Input {
    fn new(field: Field, label: &'static str, autocomplete: &'static str, value: &str) -> Input {
        Input {
            name: field.name(),
            label,
            kind: "text",
            autocomplete,
            value: value.to_string(),
            hint: valid(field),
            refusal: None,
        }
    }

    fn password(autocomplete: &'static str, hint: String) -> Input {
        let input = Input::new(Field::Password, "Password", autocomplete, "");
        Input { kind: "password", hint, ..input }
    }

    fn without_hint(self) -> Input {
        Input { hint: String::new(), ..self }
    }
}

/// A page that is one form: create, log in, log out, delete.
#[derive(Debug, Template)]
#[template(path = "form.html")]
pub struct FormPage {
    pub shell: Shell,
    /// The path it is posted to.
    pub action: &'static str,
    pub intro: &'static str,
    pub inputs: Vec<Input>,
    pub general: Vec<String>,
    pub button: &'static str,
    /// The button does something that cannot be undone.
    pub danger: bool,
    pub request: Option<FormRequest>,
    /// A link under the form: address, words. The address may be empty.
    pub beside: (&'static str, &'static str),
    /// Logging in is what is missing: shown as a link.
    pub log_in: bool,
}

impl FormPage {
    fn new(shell: Shell, action: &'static str, inputs: Vec<Input>, button: &'static str) -> FormPage {
        FormPage {
            shell,
            action,
            intro: "",
            inputs,
            general: Vec::new(),
            button,
            danger: false,
            request: None,
            beside: ("", ""),
            log_in: false,
        }
    }

    pub fn create(shell: Shell, name: &str, username: &str, email: &str) -> FormPage {
        let inputs = vec![
            Input::new(Field::Name, "Name", "name", name),
            Input::new(Field::Username, "User name", "username", username),
            Input::new(Field::Email, "Email", "email", email),
            Input::password("new-password", valid(Field::Password)),
        ];
        let beside = ("/login", "I have an account: log in");
        FormPage { beside, ..FormPage::new(shell, "/create", inputs, "Create account") }
    }

    pub fn login(shell: Shell, username: &str) -> FormPage {
        let inputs = vec![
            Input::new(Field::Username, "User name", "username", username).without_hint(),
            Input::password("current-password", String::new()),
        ];
        let beside = ("/create", "New here? Create an account");
        FormPage { beside, ..FormPage::new(shell, "/login", inputs, "Log in") }
    }

    pub fn logout(shell: Shell) -> FormPage {
        let intro = "This ends your session in this browser, on every server at once.";
        let beside = ("/main", "Stay logged in");
        FormPage { intro, beside, ..FormPage::new(shell, "/logout", Vec::new(), "Log out") }
    }

    pub fn delete(shell: Shell) -> FormPage {
        let intro = "Your croaks, your friends and your name go, for everybody and for good. Your password, to \
                     be sure that it is you:";
        let inputs = vec![Input::password("current-password", String::new())];
        let beside = ("/main", "Keep my account");
        let page = FormPage::new(shell, "/delete", inputs, "Delete my account");
        FormPage { intro, beside, danger: true, ..page }
    }

    /// Puts refusals where they belong.
    pub fn refused(mut self, denied: &[Denied]) -> FormPage {
        let names: Vec<&'static str> = self.inputs.iter().map(|input| input.name).collect();
        let refusals = Refusals::on(&names, denied);
        for input in &mut self.inputs {
            input.refusal = refusals.of(input.name).map(str::to_string);
        }
        self.log_in = lacks_session(denied);
        self.general = refusals.general;
        self
    }
}

/// A croak as the feed shows it.
#[derive(Debug)]
pub struct ShownCroak {
    pub id: LogIndex,
    pub name: String,
    pub username: String,
    pub time: Option<Shown>,
    pub text: String,
}

impl From<FeedCroak> for ShownCroak {
    fn from(croak: FeedCroak) -> ShownCroak {
        ShownCroak {
            id: croak.id,
            name: croak.author.name,
            username: croak.author.username,
            time: time::shown(croak.wall_ms),
            text: croak.text,
        }
    }
}

/// One page of the feed.
#[derive(Debug)]
pub struct Feed {
    pub croaks: Vec<ShownCroak>,
    /// Where the next older page begins.
    pub older: Option<LogIndex>,
    /// This is the newest page.
    pub newest: bool,
}

/// `/main`: a place to croak, and the feed.
#[derive(Debug, Template)]
#[template(path = "main.html")]
pub struct MainPage {
    pub shell: Shell,
    pub request: Option<FormRequest>,
    /// What was typed and could not be sent.
    pub post: String,
    pub refusals: Refusals,
    /// Characters in `post`, when that is too many.
    pub too_long: Option<usize>,
    pub log_in: bool,
    /// Nothing when it could not be read.
    pub feed: Option<Feed>,
}

/// Somebody one follows, with the request that the button beside the name sends.
#[derive(Debug)]
pub struct Friend {
    pub name: String,
    pub username: String,
    pub request: FormRequest,
}

/// One page of whom one follows.
#[derive(Debug)]
pub struct Friends {
    pub people: Vec<Friend>,
    pub more: Option<AccountId>,
    /// This is the first page.
    pub first: bool,
}

/// `/manage`: whom one follows.
#[derive(Debug, Template)]
#[template(path = "manage.html")]
pub struct ManagePage {
    pub shell: Shell,
    pub request: Option<FormRequest>,
    /// What was typed and could not be sent.
    pub username: String,
    pub refusals: Refusals,
    pub log_in: bool,
    /// What was asked for was a removal: the form that comes back asks for it again.
    pub removing: bool,
    pub friends: Option<Friends>,
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
        let shell = Shell { refresh: Some(REFRESH_SECONDS), ..Shell::new(trouble.title(), here, logged_in) };
        let words = format!("{} This page tries again by itself.", trouble.words());
        MessagePage { shell, words }
    }
}

/// Whether a refusal means that one has to log in (again).
pub fn lacks_session(denied: &[Denied]) -> bool {
    denied.iter().any(|denied| denied.code == Code::NotLoggedIn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::query::Person;

    fn main_page(text: &str) -> MainPage {
        let author = Person { account: AccountId(1), username: "ada".into(), name: "<Ada>".into() };
        let croak = FeedCroak { id: 7, author, wall_ms: 0, text: text.to_string() };
        MainPage {
            shell: Shell::new("Feed", Place::Main, true),
            request: None,
            post: String::new(),
            refusals: Refusals::default(),
            too_long: None,
            log_in: false,
            feed: Some(Feed { croaks: vec![croak.into()], older: Some(7), newest: true }),
        }
    }

    #[test]
    fn a_croak_stands_once_and_escaped() {
        let html = main_page("<b>tick</b>\n tock").render().unwrap();
        assert_eq!(html.matches("tick").count(), 1);
        assert!(html.contains(">&#60;b&#62;tick&#60;/b&#62;\n tock<"), "{html}");
        assert!(html.contains("&#60;Ada&#62;"));
        assert!(html.contains("unknown time"));
        assert!(html.contains("rel=\"next\" href=\"/main?before=7\""), "{html}");
    }

    #[test]
    fn a_password_never_comes_back_and_a_refusal_stands_beside_it() {
        let page = FormPage::login(Shell::new("Log in", Place::Login, false), "a\"b");
        let html = page.refused(&[Denied::new(Code::WrongPassword)]).render().unwrap();
        assert!(html.contains("value=\"a&#34;b\""), "{html}");
        assert!(html.contains("the password is wrong (602)"));
        assert!(html.contains("aria-describedby=\"password-error\""));
    }

    #[test]
    fn what_was_typed_first_in_a_textarea_stays_even_if_it_is_a_line_break() {
        let html = MainPage { post: "\nx".into(), ..main_page("y") }.render().unwrap();
        // A browser drops one line break after the tag: the first is ours.
        assert!(html.contains(">\n\nx</textarea>"), "{html}");
    }
}
