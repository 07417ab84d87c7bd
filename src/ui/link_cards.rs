//! A page of one-time links to print and to cut apart: a card for each person, with the link as a QR code.
//!
//! The page has neither scripts nor other files, and no site serves it, so its style is in it. It is written card by card, and is shown
//! as far as it goes.

use crate::qr::QrCode;
use askama::Template;

/// Beginning of the page, around its style.
const BEGIN: [&str; 2] = [
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
     <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>One-time links</title>\n<style>\n",
    "</style>\n",
];
const STYLE: &str = include_str!("templates/link-cards.css");

#[derive(Template)]
#[template(path = "link-card.html")]
struct Card<'a> {
    name: &'a str,
    username: &'a str,
    link: &'a str,
    code: Option<QrCode>,
}

/// Returns the beginning of the page, up to the first card.
pub fn begin() -> String {
    BEGIN.join(STYLE)
}

/// Returns the card of a person.
pub fn card(name: &str, username: &str, link: &str) -> String {
    let card = Card { name, username, link, code: QrCode::of(link) };
    card.render().expect("writing to a string does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_on_its_card() {
        let card = card("<b>Ada</b>", "ada", "http://pond/reset/00");
        assert!(
            card.contains("&#60;b&#62;Ada") && card.contains("viewBox") && card.contains("@ada"),
            "{card}"
        );
        assert!(!super::card("Ada", "ada", &"a".repeat(500)).contains("<svg"), "too long for a code");
        assert!(begin().starts_with("<!doctype html>"));
    }
}
