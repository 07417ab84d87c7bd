//! An announcement of the operators above the content of a page.

use super::markup::Markup;
use super::text::{self, TextPart};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::query::AnnouncementItem;

#[derive(Template)]
#[template(path = "announcement.html")]
struct AnnouncementBox<'a> {
    id: LogIndex,
    parts: Vec<TextPart>,
    dismissible: Option<&'a str>,
}

/// Markup of an announcement.
#[derive(Debug)]
pub struct AnnouncementMarkup {
    pub(crate) markup: Markup,
}

impl AnnouncementMarkup {
    /// Renders an announcement. `dismissible` is the path of the page that shows it, for a person who may dismiss it.
    pub fn new(item: &AnnouncementItem, dismissible: Option<&str>) -> AnnouncementMarkup {
        let parts = text::parts(&item.text);
        AnnouncementMarkup { markup: Markup::new(&AnnouncementBox { id: item.id, parts, dismissible }) }
    }
}
