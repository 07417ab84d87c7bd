//! `/search` and `/tag/NAME`: people and croaks that match some words.

use super::super::words::Refusals;
use super::people::PersonRow;
use super::text::TextPart;
use super::{CroakView, NavEntry, PageFrame};
use askama::Template;

/// Results of a search.
#[derive(Debug)]
pub struct SearchResults {
    pub people: Vec<PersonRow>,
    /// False if there are more names than were compared.
    pub all_people: bool,
    /// Newest first.
    pub croaks: Vec<CroakView>,
    /// Address of the next older page.
    pub older: Option<String>,
    /// True on the first page.
    pub first: bool,
}

/// `/search` and `/tag/NAME`.
#[derive(Debug, Template)]
#[template(path = "search.html")]
pub struct SearchPage {
    pub frame: PageFrame,
    /// Words as entered.
    pub words: String,
    pub refusals: Refusals,
    /// Always false: this page is not shown without a session.
    pub log_in: bool,
    /// `None` before the first search, and if the search was refused.
    pub results: Option<SearchResults>,
}
