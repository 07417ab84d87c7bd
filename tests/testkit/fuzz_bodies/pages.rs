//! Texts of users, as a page, a terminal and a script show them: no markup comes out of a text, and no control
//! character.

use askama::Template;
use ribbit_state::query::{CroakBody, FeedCroak, Person};
use ribbit_state::{AccountId, Avatar};
use ribbit_ui::pages::croak::CroakFragment;
use ribbit_ui::pages::text::{TextPart, parts};
use ribbit_ui::pages::{CroakView, FormPage, MessagePage, NavEntry, PageFrame};
use ribbit_ui::{lines, person_json, plain};

pub fn run(data: &[u8]) {
    let shown = plain::text(data);
    assert!(!shown.chars().any(|letter| plain::is_odd(letter) && letter != '\n' && letter != '\t'));
    let text = String::from_utf8_lossy(data);
    let mut three = super::Parts(text.as_bytes());
    let (name, username) = (three.part().to_vec(), three.part().to_vec());
    let croak = |text: &str, name: &str, username: &str| {
        let author = Person {
            account: AccountId(1),
            username: username.into(),
            name: name.into(),
            avatar: Avatar::Drawn,
        };
        FeedCroak::original(7, author, CroakBody::original(1_700_000_000_000, text))
    };
    let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (name, username) = (string(&name), string(&username));
    let said = croak(&text, &name, &username);
    terminal(&said);
    mentions(&text);
    // A mention is the one thing that makes markup: a link, from a user name.
    let links = parts(&text).iter().filter(|part| matches!(part, TextPart::Mention { .. })).count();
    let calm = html(croak("x", "Ada", "ada"));
    let page = html(said);
    assert_eq!(marks(&page, '<'), marks(&calm, '<') + 2 * links, "{page}");
    assert_eq!(marks(&page, '>'), marks(&calm, '>') + 2 * links, "{page}");
    assert_eq!(marks(&page, '"'), marks(&calm, '"') + 2 * links, "{page}");
    around(&text);
}

fn marks(html: &str, mark: char) -> usize {
    html.matches(mark).count()
}

fn html(croak: FeedCroak) -> String {
    CroakFragment { croak: CroakView::new(croak, 0, "not a user name") }.render().expect("a page in memory")
}

/// Checks user input in the fields of a form and in the text of a page.
fn around(text: &str) {
    let frame = || PageFrame::new("Log in", NavEntry::Login, false);
    let form = |text: &str| FormPage::login(frame(), text).render().expect("a page in memory");
    let words = |text: &str| {
        MessagePage { frame: frame(), words: text.to_string() }.render().expect("a page in memory")
    };
    for mark in ['<', '>', '"'] {
        assert_eq!(marks(&form(text), mark), marks(&form("x"), mark), "{}", form(text));
        assert_eq!(marks(&words(text), mark), marks(&words("x"), mark), "{}", words(text));
    }
}

fn terminal(croak: &FeedCroak) {
    let line = lines::croak(croak, lines::LineStyle::default());
    assert!(!line.chars().any(|letter| plain::is_odd(letter) && letter != '\n'), "{line:?}");
    // No line of it looks like another croak.
    assert!(line.lines().skip(1).all(|line| line.starts_with("      ")), "{line:?}");
    let json = person_json::croak(croak);
    assert!(!json.chars().any(plain::is_odd), "{json:?}");
    let read: serde_json::Value = serde_json::from_str(&json).expect("what scripts are given is JSON");
    assert_eq!(read["text"], croak.body.text.as_str());
    assert_eq!(read["author"]["name"], croak.author.name.as_str());
}

/// Nothing of a text is lost where it is cut.
fn mentions(text: &str) {
    let pieces = parts(text).into_iter().map(|part| match part {
        TextPart::Text(text) => text,
        TextPart::Mention { written, username } => {
            assert_eq!(written.to_ascii_lowercase(), format!("@{username}"));
            written
        }
        TextPart::Tag { written, path } => {
            assert!(written.starts_with('#') && path.starts_with("/tag/"), "{written} {path}");
            written
        }
        TextPart::Link(address) => {
            assert!(address.starts_with("http://") || address.starts_with("https://"), "{address}");
            address
        }
    });
    assert_eq!(pieces.collect::<String>(), text);
}
