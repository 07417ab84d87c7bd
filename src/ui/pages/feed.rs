//! `/main`: a place to croak, and the feed.

use super::super::form::FormRequest;
use super::super::words::Refusals;
use super::text::Part;
use super::{Place, Shell, ShownCroak};
use askama::Template;
use ribbit_state::limits::UNREAD_CROAKS_MAX;
use ribbit_state::talks::Unread;
use ribbit_state::{LogIndex, Token};

/// One page of the feed.
#[derive(Debug)]
pub struct Feed {
    pub croaks: Vec<ShownCroak>,
    /// Where the next older page begins.
    pub older: Option<LogIndex>,
    /// This is the newest page.
    pub newest: bool,
    /// Where a live stream goes on behind the newest page.
    pub cursor: Option<Token>,
    /// How many came since the reader was last here, in words.
    pub new: Option<String>,
    /// The address of a picture that the browser asks for once it has the page: that the feed was seen up to here.
    pub receipt: Option<String>,
}

impl Feed {
    /// Says on the newest page what is new, and lets the browser say that it was seen.
    pub fn note_unread(&mut self, unread: Unread) {
        let seen = self.croaks.first().filter(|newest| self.newest && newest.id > unread.feed_read_through);
        let Some(newest) = seen.filter(|_| unread.croaks > 0) else { return };
        self.receipt = Some(format!("/shown?feed={}", newest.id));
        self.new = Some(match unread.croaks {
            1 => "1 new croak since you were last here".to_string(),
            UNREAD_CROAKS_MAX => format!("{UNREAD_CROAKS_MAX} or more new croaks since you were last here"),
            some => format!("{some} new croaks since you were last here"),
        });
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::AccountId;
    use ribbit_state::query::{FeedCroak, Person};

    fn main_page(text: &str) -> MainPage {
        let author = Person { account: AccountId(1), username: "ada".into(), name: "<Ada>".into() };
        let croak = FeedCroak { id: 7, author, wall_ms: 0, text: text.to_string() };
        let croaks = vec![ShownCroak::new(croak, 0)];
        MainPage {
            shell: Shell::new("Feed", Place::Main, true),
            request: None,
            post: String::new(),
            refusals: Refusals::default(),
            too_long: None,
            log_in: false,
            feed: Some(Feed { croaks, older: Some(7), newest: true, cursor: None, new: None, receipt: None }),
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
        assert!(html.contains("href=\"/@ada\"") && html.contains("href=\"/croak/7\""), "{html}");
    }

    #[test]
    fn mentions_are_links_and_the_text_around_them_stays_as_it_is() {
        let html = main_page("<i> @Ada\n & @<b>").render().unwrap();
        let text = "<p class=\"text\">&#60;i&#62; <a href=\"/@ada\">@Ada</a>\n &#38; @&#60;b&#62;</p>";
        assert!(html.contains(text), "{html}");
    }

    #[test]
    fn what_was_typed_first_in_a_textarea_stays_even_if_it_is_a_line_break() {
        let html = MainPage { post: "\nx".into(), ..main_page("y") }.render().unwrap();
        // A browser drops one line break after the tag: the first is ours.
        assert!(html.contains(">\n\nx</textarea>"), "{html}");
    }

    #[test]
    fn the_navigation_says_what_is_unread() {
        let mut page = main_page("x");
        assert!(page.render().unwrap().contains(">Messages</a>"));
        page.shell.unread = Some(3);
        assert!(page.render().unwrap().contains(">Messages (3)</a>"));
        page.shell.unread = Some(0);
        assert!(page.render().unwrap().contains(">Messages</a>"));
    }
}
