//! `/main`: the form for a new croak, and the feed.

use super::super::words::Refusals;
use super::composer::Composer;
use super::croak::{CroakView, FeedItem};
use super::text::TextPart;
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::limits::UNREAD_CROAKS_MAX;
use ribbit_state::query::Unread;

/// One page of the feed.
#[derive(Debug)]
pub struct Feed {
    pub croaks: Vec<FeedItem>,
    /// Start of the next older page.
    pub older: Option<LogIndex>,
    /// True on the newest page.
    pub newest: bool,
    /// Text that counts the croaks since the last visit.
    pub new: Option<String>,
    /// Address of the read-receipt image. The browser loads it once it has the page.
    pub receipt: Option<String>,
}

impl Feed {
    /// Adds the number of new croaks and the read receipt to the newest page.
    pub fn note_unread(&mut self, unread: Unread) {
        let seen =
            self.croaks.first().filter(|newest| self.newest && newest.cursor() > unread.feed_read_through);
        let Some(newest) = seen.filter(|_| unread.croaks > 0) else { return };
        self.receipt = Some(format!("/shown?feed={}", newest.cursor()));
        self.new = Some(match unread.croaks {
            1 => "1 new croak since your last visit".to_string(),
            UNREAD_CROAKS_MAX => format!("{UNREAD_CROAKS_MAX}+ new croaks since your last visit"),
            some => format!("{some} new croaks since your last visit"),
        });
    }
}

/// `/main`: the form for a new croak, and the feed.
#[derive(Debug, Template)]
#[template(path = "main.html")]
pub struct MainPage {
    pub frame: PageFrame,
    pub composer: Composer,
    pub refusals: Refusals,
    pub log_in: bool,
    /// `None` if the feed could not be read.
    pub feed: Option<Feed>,
}

impl MainPage {
    /// Creates a page with a feed and an empty form, which has no request yet.
    pub fn new(frame: PageFrame, feed: Feed) -> MainPage {
        MainPage {
            frame,
            composer: Composer::default(),
            refusals: Refusals::default(),
            log_in: false,
            feed: Some(feed),
        }
    }

    /// Returns true on the newest page, and on one without a feed.
    fn is_newest(&self) -> bool {
        self.feed.as_ref().is_none_or(|feed| feed.newest)
    }

    /// Returns true if the newest page has no croak of another person, as for a newcomer.
    fn follows_nobody(&self) -> bool {
        let feed = self.feed.as_ref().filter(|feed| feed.newest);
        feed.is_some_and(|feed| feed.croaks.iter().all(|item| item.mine && item.share.is_none()))
    }

    /// Returns the address of the page, to return to.
    fn back(&self) -> String {
        let older = self.feed.as_ref().filter(|feed| !feed.newest).and_then(|feed| feed.croaks.first());
        older.map_or("/main".to_string(), |first| format!("/main?before={}", first.cursor() + 1))
    }
}

/// `/everyone`: the croaks of all people that are for everyone.
#[derive(Debug, Template)]
#[template(path = "everyone.html")]
pub struct EveryonePage {
    pub frame: PageFrame,
    pub composer: Composer,
    pub refusals: Refusals,
    pub log_in: bool,
    pub croaks: Vec<CroakView>,
    /// Start of the next older page.
    pub older: Option<LogIndex>,
    /// True on the newest page.
    pub newest: bool,
    /// Address of this page.
    pub back: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::croak::{AuthorMarkup, CroakMarkup};
    use ribbit_state::query::{CroakBody, CroakNumbers, Person};
    use ribbit_state::{AccountId, Avatar};

    fn main_page(text: &str) -> MainPage {
        let author = Person {
            account: AccountId(1),
            username: "ada".into(),
            name: "<Ada>".into(),
            avatar: Avatar::Drawn,
        };
        let body = CroakBody::original(0, text);
        let (croak, author) = (CroakMarkup::new(7, &body).into(), AuthorMarkup::new(author).into());
        let croaks = vec![FeedItem {
            id: 7,
            croak,
            author,
            numbers: CroakNumbers::default(),
            share: None,
            mine: false,
            now_ms: 0,
        }];
        let feed = Feed { croaks, older: Some(7), newest: true, new: None, receipt: None };
        MainPage::new(PageFrame::new("Home", NavEntry::Main, true), feed)
    }

    #[test]
    fn a_croak_is_shown_once_and_escaped() {
        let html = main_page("<b>tick</b>\n tock").render().unwrap();
        assert_eq!(html.matches("tick").count(), 1);
        assert!(html.contains(">&#60;b&#62;tick&#60;/b&#62;\n tock<"), "{html}");
        assert!(html.contains("&#60;Ada&#62;"));
        assert!(html.contains("unknown time"));
        assert!(html.contains("rel=\"next\" href=\"/main?before=7\""), "{html}");
        assert!(html.contains("href=\"/@ada\"") && html.contains("href=\"/croak/7\""), "{html}");
    }

    #[test]
    fn mentions_are_links_and_the_text_around_them_is_unchanged() {
        let html = main_page("<i> @Ada\n & @<b>").render().unwrap();
        let text =
            "<p class=\"text\" dir=\"auto\">&#60;i&#62; <a href=\"/@ada\">@Ada</a>\n &#38; @&#60;b&#62;</p>";
        assert!(html.contains(text), "{html}");
    }

    #[test]
    fn a_line_break_at_the_start_of_a_textarea_is_kept() {
        let html =
            MainPage { composer: Composer { post: "\nx".into(), ..Composer::default() }, ..main_page("y") }
                .render()
                .unwrap();
        // Browsers drop the first line break after the tag, so the template adds one.
        assert!(html.contains(">\n\nx</textarea>"), "{html}");
    }

    #[test]
    fn the_navigation_counts_unread_messages() {
        let mut page = main_page("x");
        assert!(page.render().unwrap().contains("<b class=\"badge\"></b>"));
        page.frame.unread = Some(Unread { messages: 3, rooms: 100, ..Unread::default() });
        let html = page.render().unwrap();
        assert!(html.contains("<b class=\"badge\">3</b>") && html.contains("<b class=\"badge\">100+</b>"));
        page.frame.unread = Some(Unread::default());
        assert!(page.render().unwrap().contains("<b class=\"badge\"></b>"));
    }
}
