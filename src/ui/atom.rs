//! Feeds for feed readers, in Atom (RFC 4287).
//!
//! ```text
//!   page of croaks, or of a room's messages ──▶ AtomFeed ──▶ document
//! ```
//!
//! A document depends on its content alone, so an unchanged feed has unchanged bytes. It never contains the address that it was
//! read at: a feed that is passed on opens nothing. Characters that XML cannot hold become U+FFFD.

use super::pages::text::{self, TextPart};
use super::time;
use askama::Template;
use ribbit_state::query::{FeedCroak, Person, RoomBody, RoomPage};

/// Maximum length of a title, in characters. A croak fits.
const TITLE_CHARS_MAX: usize = 140;
/// Time of what was written while no clock was set. Atom requires one.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// A feed of at most one page, newest entry first.
#[derive(Debug, Template)]
#[template(path = "atom.xml")]
pub struct AtomFeed {
    /// Scheme and host of the site, without a slash at the end.
    site: String,
    title: String,
    /// Path of the page with the same content, which is the feed's id as well.
    path: String,
    /// Path of the feed, if it is no secret.
    own_path: Option<String>,
    author: AtomAuthor,
    entries: Vec<AtomEntry>,
}

#[derive(Debug)]
struct AtomAuthor {
    name: String,
    /// Path of the author's page.
    path: Option<String>,
}

impl AtomAuthor {
    fn new(person: &Person) -> AtomAuthor {
        AtomAuthor { name: legal(&person.name), path: Some(format!("/@{}", person.username)) }
    }
}

#[derive(Debug)]
struct AtomEntry {
    /// Path that no other entry has, which is the entry's id.
    id: String,
    /// Path of the page that shows it.
    path: String,
    title: String,
    author: AtomAuthor,
    when: String,
    /// HTML, which the template escapes once more.
    content: String,
}

/// Text of an entry as HTML.
#[derive(Debug, Template)]
#[template(path = "atom-text.html")]
struct AtomText<'a> {
    site: &'a str,
    parts: Vec<TextPart>,
}

impl AtomFeed {
    /// Returns a person's own feed.
    pub fn home(site: &str, me: &Person, croaks: Vec<FeedCroak>) -> AtomFeed {
        AtomFeed {
            site: site.to_string(),
            title: format!("Feed of @{}", me.username),
            path: "/main".to_string(),
            own_path: None,
            author: AtomAuthor::new(me),
            entries: croaks.into_iter().map(|croak| croak_entry(site, croak, true)).collect(),
        }
    }

    /// Returns the croaks of one person.
    pub fn person(site: &str, person: &Person, croaks: Vec<FeedCroak>) -> AtomFeed {
        AtomFeed {
            site: site.to_string(),
            title: legal(&format!("{} (@{})", person.name, person.username)),
            path: format!("/@{}", person.username),
            own_path: Some(format!("/@{}.atom", person.username)),
            author: AtomAuthor::new(person),
            entries: croaks.into_iter().map(|croak| croak_entry(site, croak, false)).collect(),
        }
    }

    /// Returns the messages of a room. Removed ones are left out.
    pub fn room(site: &str, page: RoomPage) -> AtomFeed {
        let name = page.room.name;
        let entries = page.messages.into_iter().filter_map(|message| {
            let RoomBody::Text(text) = message.body else { return None };
            let path = format!("/rooms/{name}#said-{}", message.id);
            let (by, author) = match &message.author {
                Some(person) => (format!("@{}", person.username), AtomAuthor::new(person)),
                None => ("[deleted]".to_string(), AtomAuthor { name: "[deleted]".to_string(), path: None }),
            };
            Some(AtomEntry {
                id: path.clone(),
                path,
                title: title(&format!("{by}: {text}")),
                author,
                when: when(message.wall_ms),
                content: html(site, &text),
            })
        });
        AtomFeed {
            site: site.to_string(),
            title: format!("#{name}"),
            path: format!("/rooms/{name}"),
            own_path: None,
            author: AtomAuthor { name: format!("#{name}"), path: Some(format!("/rooms/{name}")) },
            entries: entries.collect(),
        }
    }

    /// Returns the document.
    pub fn document(&self) -> String {
        self.render().expect("writing to a string cannot fail")
    }

    /// Returns the time of the newest entry.
    fn updated(&self) -> &str {
        self.entries.iter().map(|entry| entry.when.as_str()).max().unwrap_or(NO_TIME)
    }
}

/// Returns the entry of a croak. `named` says whether its title names the author.
fn croak_entry(site: &str, croak: FeedCroak, named: bool) -> AtomEntry {
    let by = &croak.author.username;
    let said = match &croak.share {
        Some(share) => format!("@{} shared @{by}: ", share.by.username),
        None if named => format!("@{by}: "),
        None => String::new(),
    };
    AtomEntry {
        id: format!("/croak/{}", croak.cursor()),
        path: format!("/croak/{}", croak.id),
        title: title(&format!("{said}{}", croak.body.text)),
        author: AtomAuthor::new(&croak.author),
        when: when(croak.body.wall_ms),
        content: html(site, &croak.body.text),
    }
}

fn when(wall_ms: u64) -> String {
    time::shown(wall_ms).map_or(NO_TIME.to_string(), |shown| shown.machine)
}

fn html(site: &str, text: &str) -> String {
    let parts = text::parts(&legal(text).replace("\r\n", "\n"));
    AtomText { site, parts }.render().expect("writing to a string cannot fail")
}

/// Returns a text as one line of at most `TITLE_CHARS_MAX` characters.
fn title(text: &str) -> String {
    let line = legal(text).split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TITLE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// Replaces the characters that an XML 1.0 document cannot hold, not even escaped.
fn legal(text: &str) -> String {
    let holds = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if holds(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::query::{CroakBody, CroakShare, RoomInfo, RoomStanding, RoomText};
    use ribbit_state::{AccountId, Avatar, RoomId};

    const MINUTE_MS: u64 = 60_000;
    const NOW_MS: u64 = 1_700_000_000_000;

    fn person(name: &str) -> Person {
        let username = name.to_lowercase();
        Person { account: AccountId(1), username, name: format!("{name} <&>"), avatar: Avatar::Drawn }
    }

    fn croak(id: u64, text: &str) -> FeedCroak {
        FeedCroak::original(id, person("Bob"), CroakBody::original(NOW_MS + id * MINUTE_MS, text))
    }

    #[test]
    fn a_document_has_every_part_that_atom_requires() {
        let shared = CroakShare { id: 9, by: person("Carl"), wall_ms: NOW_MS };
        let shared = FeedCroak { share: Some(Box::new(shared)), ..croak(3, "rain") };
        let feed = AtomFeed::home("https://pond.example", &person("Ada"), vec![shared, croak(2, "sun")]);
        let document = feed.document();
        assert!(
            document.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns="),
            "{document}"
        );
        for part in [
            "<id>https://pond.example/main</id>",
            "<title>Feed of @ada</title>",
            "<updated>2023-11-14T22:16:20Z</updated>",
            "<link rel=\"alternate\" type=\"text/html\" href=\"https://pond.example/main\"/>",
            "<id>https://pond.example/croak/9</id>",
            "<link rel=\"alternate\" type=\"text/html\" href=\"https://pond.example/croak/3\"/>",
            "<title>@carl shared @bob: rain</title>",
            "<title>@bob: sun</title>",
            "<uri>https://pond.example/@bob</uri>",
        ] {
            assert!(document.contains(part), "{part} in {document}");
        }
        assert!(!document.contains("rel=\"self\""), "a secret address is not repeated");
        assert_eq!(document, feed.document());
        let public = AtomFeed::person("https://pond.example", &person("Bob"), Vec::new()).document();
        assert!(public.contains("href=\"https://pond.example/@bob.atom\""), "{public}");
        assert!(public.contains("<updated>1970-01-01T00:00:00Z</updated>"), "{public}");
    }

    #[test]
    fn texts_are_escaped_once_for_html_and_once_for_xml() {
        let text = "a <b> & \"c\" ]]>\r\nsee @ada #rain https://a.example/?x=1&y=2\0\u{b}\u{fffe}";
        let document = AtomFeed::person("https://p", &person("Bob"), vec![croak(1, text)]).document();
        assert!(!document.contains("<b>") && !document.contains("]]>"), "{document}");
        assert!(document.contains("a &#38;#60;b&#38;#62; &#38;#38;"), "{document}");
        assert!(
            document.contains("&#60;br&#62;see &#60;a href=&#34;https://p/@ada&#34;&#62;@ada"),
            "{document}"
        );
        assert!(document.contains("\u{fffd}\u{fffd}\u{fffd}"), "{document}");
        assert!(!document.contains(['\0', '\u{b}', '\u{fffe}']), "{document}");
    }

    #[test]
    fn a_room_is_a_feed_of_its_messages_without_the_removed_ones() {
        let message = |id, author, body| RoomText { id, from: AccountId(1), author, wall_ms: NOW_MS, body };
        let long = format!("{}\n{}", "x ".repeat(200), "y");
        let room = RoomInfo {
            id: RoomId(7),
            name: "pond".into(),
            topic: String::new(),
            open: true,
            history: true,
            members: 2,
            created_wall_ms: 0,
        };
        let messages = vec![
            message(12, Some(person("Bob")), RoomBody::Text(long)),
            message(11, None, RoomBody::Text("bye".into())),
            message(10, None, RoomBody::Removed { by_author: true }),
        ];
        let (standing, me) = (RoomStanding::Stranger, person("Ada"));
        let page = RoomPage { me, room, standing, messages, older: None, unread: 0 };
        let document = AtomFeed::room("http://p", page).document();
        assert_eq!(document.matches("<entry>").count(), 2, "{document}");
        assert!(document.contains("<id>http://p/rooms/pond#said-12</id>"), "{document}");
        assert!(document.contains("x…</title>"), "{document}");
        assert!(document.contains("<title>[deleted]: bye</title>"), "{document}");
    }
}
