//! Pages that are one form: create, log in, log out, delete.

use super::super::form::FormRequest;
use super::super::words::{Refusals, valid};
use super::{Place, Shell, lacks_session};
use askama::Template;
use ribbit_state::{Denied, Field, LogIndex};
use std::borrow::Cow;

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

/// A page that is one form: create, log in, log out, delete, and taking back a croak that cannot be shown.
#[derive(Debug, Template)]
#[template(path = "form.html")]
pub struct FormPage {
    pub shell: Shell,
    /// The path it is posted to.
    pub action: Cow<'static, str>,
    pub intro: &'static str,
    pub inputs: Vec<Input>,
    pub general: Vec<String>,
    pub button: &'static str,
    /// The button does something that cannot be undone.
    pub danger: bool,
    pub request: Option<FormRequest>,
    /// A link under the form: address, words. The address may be empty.
    pub beside: (&'static str, &'static str),
    /// Others on the network can read what is typed here: said above the form.
    pub in_the_clear: bool,
    /// Logging in is what is missing: shown as a link.
    pub log_in: bool,
}

impl FormPage {
    fn new(
        shell: Shell,
        action: impl Into<Cow<'static, str>>,
        inputs: Vec<Input>,
        button: &'static str,
    ) -> FormPage {
        FormPage {
            shell,
            action: action.into(),
            intro: "",
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

    /// Takes back one's own croak, where the croak itself cannot be shown.
    pub fn take_back(shell: Shell, croak: LogIndex) -> FormPage {
        let beside = ("/main", "To the feed");
        let action = format!("/croak/{croak}");
        FormPage { beside, ..FormPage::new(shell, action, Vec::new(), "Take this croak back") }
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

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::Code;

    #[test]
    fn a_password_never_comes_back_and_a_refusal_stands_beside_it() {
        let page = FormPage::login(Shell::new("Log in", Place::Login, false), "a\"b");
        let html = page.refused(&[Denied::new(Code::WrongPassword)]).render().unwrap();
        assert!(html.contains("value=\"a&#34;b\""), "{html}");
        assert!(html.contains("the password is wrong (602)"));
        assert!(html.contains("aria-describedby=\"password-error\""));
    }
}
