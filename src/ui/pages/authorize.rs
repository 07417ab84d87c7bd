//! `/oauth/authorize`: a person lets an app act for them, or not.

use super::super::scope_words;
use super::super::words::Refusals;
use super::{FormField, FormPage, NavEntry, PageFrame};
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
    pub log_in: bool,
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
        let (in_the_clear, log_in) = (false, false);
        AuthorizePage { frame, app, permissions, leads_to, hidden, inputs, general, in_the_clear, log_in }
    }

    /// Asks for the password, too.
    pub fn asking_for_password(mut self, username: &str, in_the_clear: bool) -> AuthorizePage {
        let log_in = FormPage::login(PageFrame::new("", NavEntry::Nowhere, false), username);
        self.inputs = log_in.inputs;
        self.in_the_clear = in_the_clear;
        self
    }

    /// Shows refusals beside their fields, the others above the form.
    pub fn refused(mut self, denied: &[Denied]) -> AuthorizePage {
        let names: Vec<&'static str> = self.inputs.iter().map(|input| input.name).collect();
        let refusals = Refusals::on(&names, denied);
        for input in &mut self.inputs {
            input.refusal = refusals.of(input.name).map(str::to_string);
        }
        self.general = refusals.general;
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
