//! Pages that are one form: sign up, log in, set a new password, log out, delete.

use super::super::form::FormRequest;
use super::super::words::{Refusals, capitalized, valid};
use super::{NavEntry, PageFrame, lacks_session};
use askama::Template;
use ribbit_state::{Denied, Field, LogIndex};
use std::borrow::Cow;

/// One input field of a form.
#[derive(Debug)]
pub struct FormField {
    pub name: &'static str,
    pub label: &'static str,
    /// Value of the `type` attribute.
    pub kind: &'static str,
    pub autocomplete: &'static str,
    /// Text that the field holds; always empty for a password.
    pub value: String,
    /// True if the text cannot be changed.
    pub fixed: bool,
    /// Text under the field; may be empty.
    pub hint: String,
    pub refusal: Option<String>,
}

impl FormField {
    fn new(field: Field, label: &'static str, autocomplete: &'static str, value: &str) -> FormField {
        FormField {
            name: field.name(),
            label,
            kind: "text",
            autocomplete,
            value: value.to_string(),
            fixed: false,
            hint: capitalized(&valid(field)),
            refusal: None,
        }
    }

    fn password(autocomplete: &'static str, hint: String) -> FormField {
        let input = FormField::new(Field::Password, "Password", autocomplete, "");
        FormField { kind: "password", hint, ..input }
    }

    /// Makes the field of a new password in a form that has another one for the user name.
    fn new_password() -> FormField {
        let input = FormField::new(Field::NewPassword, "New password", "new-password", "");
        FormField { kind: "password", ..input }
    }

    fn without_hint(self) -> FormField {
        FormField { hint: String::new(), ..self }
    }
}

/// A page that is one form: sign up, log in, log out, delete the account, or delete a croak that cannot be shown.
#[derive(Debug, Template)]
#[template(path = "form.html")]
pub struct FormPage {
    pub frame: PageFrame,
    /// Path that the form is posted to.
    pub action: Cow<'static, str>,
    /// Text above the form; may be empty.
    pub intro: Cow<'static, str>,
    /// Code of the invitation with which a person signs up; may be empty.
    pub invitation: String,
    pub inputs: Vec<FormField>,
    pub general: Vec<String>,
    pub button: &'static str,
    /// True if the button does something that cannot be undone.
    pub danger: bool,
    pub request: Option<FormRequest>,
    /// Address and text of a link under the form. No link is shown if the address is empty.
    pub beside: (&'static str, &'static str),
    /// True if the connection is not encrypted: a warning is shown above the form.
    pub in_the_clear: bool,
    /// True if the refusal is a missing session: a link to the log-in page is shown.
    pub log_in: bool,
}

impl FormPage {
    fn new(
        frame: PageFrame,
        action: impl Into<Cow<'static, str>>,
        inputs: Vec<FormField>,
        button: &'static str,
    ) -> FormPage {
        FormPage {
            frame,
            action: action.into(),
            intro: Cow::Borrowed(""),
            invitation: String::new(),
            inputs,
            general: Vec::new(),
            button,
            danger: false,
            request: None,
            beside: ("", ""),
            in_the_clear: false,
            log_in: false,
        }
    }

    /// Makes the sign-up page.
    pub fn create(frame: PageFrame, name: &str, username: &str, email: &str) -> FormPage {
        let inputs = vec![
            FormField::new(Field::Name, "Name", "name", name),
            FormField::new(Field::Username, "Username", "username", username),
            FormField::new(Field::Email, "Email", "email", email),
            FormField::password("new-password", capitalized(&valid(Field::Password))),
        ];
        let beside = ("/login", "Already have an account? Log in");
        FormPage { beside, ..FormPage::new(frame, "/create", inputs, "Sign up") }
    }

    /// Adds the code of an invitation to the sign-up page.
    pub fn invited(self, code: &str) -> FormPage {
        FormPage { invitation: code.to_string(), ..self }
    }

    /// Makes the log-in page.
    pub fn login(frame: PageFrame, username: &str) -> FormPage {
        let beside = ("/create", "New here? Sign up");
        FormPage { beside, ..FormPage::new(frame, "/login", login_fields(username), "Log in") }
    }

    /// Makes the page of a one-time link, at `path`, that sets a new password.
    pub fn reset(frame: PageFrame, path: String, username: &str) -> FormPage {
        let intro =
            "Choose a new password. You will be logged out everywhere else, and this link stops working.";
        let account = FormField::new(Field::Username, "Username", "username", username).without_hint();
        let inputs = vec![FormField { fixed: true, ..account }, FormField::new_password()];
        FormPage { intro: intro.into(), ..FormPage::new(frame, path, inputs, "Set password") }
    }

    /// Makes the page that asks for confirmation of a log-out.
    pub fn logout(frame: PageFrame) -> FormPage {
        let intro = "You will be logged out in this browser.";
        let beside = ("/main", "Stay logged in");
        FormPage { intro: intro.into(), beside, ..FormPage::new(frame, "/logout", Vec::new(), "Log out") }
    }

    /// Makes the page that deletes the account.
    pub fn delete(frame: PageFrame) -> FormPage {
        let intro = "This deletes your profile, your croaks and the list of people you follow. It can't be undone. \
                     Enter your password to confirm.";
        let inputs = vec![FormField::password("current-password", String::new())];
        let beside = ("/main", "Keep my account");
        let page = FormPage::new(frame, "/delete", inputs, "Delete account");
        FormPage { intro: intro.into(), beside, danger: true, ..page }
    }

    /// Makes the page that deletes a croak, for when the croak itself cannot be shown.
    pub fn take_back(frame: PageFrame, croak: LogIndex) -> FormPage {
        let beside = ("/main", "Back to the feed");
        let action = format!("/croak/{croak}");
        FormPage { beside, ..FormPage::new(frame, action, Vec::new(), "Delete croak") }
    }

    /// Shows refusals beside their fields, the others above the form.
    pub fn refused(mut self, denied: &[Denied]) -> FormPage {
        self.log_in = lacks_session(denied);
        self.general = refuse(&mut self.inputs, denied);
        self
    }
}

/// Returns the fields of a log-in.
pub(super) fn login_fields(username: &str) -> Vec<FormField> {
    vec![
        FormField::new(Field::Username, "Username", "username", username).without_hint(),
        FormField::password("current-password", String::new()),
    ]
}

/// Shows refusals beside their fields, and returns the others.
pub(super) fn refuse(inputs: &mut [FormField], denied: &[Denied]) -> Vec<String> {
    let names: Vec<&'static str> = inputs.iter().map(|input| input.name).collect();
    let refusals = Refusals::on(&names, denied);
    for input in inputs {
        input.refusal = refusals.of(input.name).map(str::to_string);
    }
    refusals.general
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::Code;

    #[test]
    fn a_password_never_comes_back_and_a_refusal_stands_beside_it() {
        let page = FormPage::login(PageFrame::new("Log in", NavEntry::Login, false), "a\"b");
        let html = page.refused(&[Denied::new(Code::WrongPassword)]).render().unwrap();
        assert!(html.contains("value=\"a&#34;b\""), "{html}");
        let words = crate::words::refusal(Denied::new(Code::WrongPassword));
        assert!(html.contains(&words), "{html}");
        assert!(html.contains("aria-describedby=\"password-error\""));
    }
}
