//! Links with a secret code, which are printed once, and their QR codes.

use crate::client::verbs::{VerbError, say};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use ribbit_ui::qr::QrCode;
use serde_json::json;
use std::io::{self, IsTerminal};

/// Where a link leads.
#[derive(Debug, Args)]
pub(crate) struct PagesArgs {
    /// Address of the pages, to print the whole link, at a terminal with its QR code
    #[arg(long, value_name = "URL")]
    pub pages: Option<String>,
    /// Print the QR code also where the output is no terminal
    #[arg(long, requires = "pages", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub qr: bool,
}

/// A link with a secret code.
pub(super) struct Link<'a> {
    /// Path before the code.
    pub(super) path: &'static str,
    pub(super) code: String,
    /// Address of the pages, if the operator gave it.
    pub(super) pages: Option<&'a str>,
    /// Prints the QR code of the whole address also if standard output is no terminal.
    pub(super) qr: bool,
}

impl Link<'_> {
    /// Returns the whole address, or the path of it without the address of the pages.
    pub(super) fn address(&self) -> String {
        format!("{}{}{}", self.pages.unwrap_or_default().trim_end_matches('/'), self.path, self.code)
    }

    /// Returns where the path belongs, if it is no whole address.
    pub(super) fn place(&self) -> &'static str {
        if self.pages.is_none() { " on the pages" } else { "" }
    }

    /// Returns the lines of the QR code of the whole address, if it is to be shown.
    pub(super) fn code(&self) -> String {
        let shown = self.pages.is_some() && (self.qr || io::stdout().is_terminal());
        let code = if shown { QrCode::of(&self.address()) } else { None };
        code.map_or_else(String::new, |code| format!("\n{}", code.half_blocks()))
    }

    /// Prints a link to set a password, after what the person can do with it, and in what time.
    pub(super) fn say_password(
        &self,
        username: &str,
        json: bool,
        can: &str,
        within: &str,
    ) -> Result<(), VerbError> {
        let (code, link) = (&self.code, self.address());
        if json {
            return say(&json!({ "username": username, "code": code, "link": link }).to_string());
        }
        say(&format!(
            "{can}{}, once, within {within}:\n{link}\n\
             or with `ribbit client reset {username}` and the code {code}{}",
            self.place(),
            self.code().trim_end()
        ))
    }
}
