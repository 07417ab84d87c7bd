//! `/oauth/authorize`: a person lets an app act for them, or not.

use super::super::scope_words;
use super::form_page::{FormField, login_fields, refuse};
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::{Denied, Scopes, redirect};

/// The page that asks for consent. Without a session it asks for the password, too.
#[derive(Debug, Template)]
#[template(path = "authorize.html")]
pub struct AuthorizePage {
    pub frame: PageFrame,
    /// Name of the app, as it calls itself.
    pub app: String,
    /// What the app may do then.
    pub permissions: Vec<&'static str>,
    /// Where the browser goes then: a host, or the scheme of an app. `None` for a code that the person copies.
    pub leads_to: Option<String>,
    /// Name and value of each parameter, which the form sends back.
    pub hidden: Vec<(&'static str, String)>,
    pub inputs: Vec<FormField>,
    pub general: Vec<String>,
    pub in_the_clear: bool,
}

impl AuthorizePage {
    /// Makes the page for a person who is logged in.
    pub fn new(
        frame: PageFrame,
        app: &str,
        scopes: Scopes,
        redirect: &str,
        hidden: Vec<(&'static str, String)>,
    ) -> AuthorizePage {
        let permissions = scopes.iter().map(scope_words::permits).collect();
        let leads_to = redirect::origin(redirect);
        let (inputs, general) = (Vec::new(), Vec::new());
        let app = app.to_string();
        AuthorizePage { frame, app, permissions, leads_to, hidden, inputs, general, in_the_clear: false }
    }

    /// Asks for the password, too.
    pub fn asking_for_password(mut self, username: &str, in_the_clear: bool) -> AuthorizePage {
        self.inputs = login_fields(username);
        self.in_the_clear = in_the_clear;
        self
    }

    /// Shows refusals beside their fields, the others above the form.
    pub fn refused(mut self, denied: &[Denied]) -> AuthorizePage {
        self.general = refuse(&mut self.inputs, denied);
        self
    }
}

/// The page with a code that the person copies into the app.
#[derive(Debug, Template)]
#[template(path = "code.html")]
pub struct CodePage {
    pub frame: PageFrame,
    pub app: String,
    pub code: String,
}
