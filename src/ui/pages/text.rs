//! Splits a user's text at mentions, tags and links, so that templates can show them as links. Askama escapes every piece; there
//! is no HTML here.

use ribbit_state::caches::words::tags;
use ribbit_state::visibility::mentions::mentions;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextPart {
    Text(String),
    /// A mention. The account need not exist.
    Mention {
        /// Text as written: `@Ada`.
        written: String,
        /// Username it refers to: `ada`.
        username: String,
    },
    /// A tag.
    Tag {
        /// Text as written: `#Rain`.
        written: String,
        /// Path of its page: `/tag/rain`, percent-encoded.
        path: String,
    },
    /// An http or https address.
    Link(String),
}

/// Returns the path of the page of a tag, whose name is folded and has no `#`.
pub(crate) fn tag_path(name: &str) -> String {
    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("/tag/{name}")
}

/// Splits a text at its mentions, tags and links. An address hides what is inside it.
pub fn parts(text: &str) -> Vec<TextPart> {
    let mut found: Vec<(usize, usize, TextPart)> = links(text)
        .into_iter()
        .map(|(begin, end)| (begin, end, TextPart::Link(text[begin..end].to_string())))
        .collect();
    found.extend(mentions(text).map(|mention| {
        let written = text[mention.begin..mention.end].to_string();
        (mention.begin, mention.end, TextPart::Mention { written, username: mention.username })
    }));
    found.extend(tags(text).into_iter().map(|tag| {
        let written = text[tag.begin..tag.end].to_string();
        (tag.begin, tag.end, TextPart::Tag { written, path: tag_path(&tag.name) })
    }));
    // Links come first among parts that begin at the same place.
    found.sort_by_key(|(begin, ..)| *begin);
    let (mut parts, mut shown) = (Vec::new(), 0);
    for (begin, end, part) in found {
        if begin < shown {
            continue;
        }
        if shown < begin {
            parts.push(TextPart::Text(text[shown..begin].to_string()));
        }
        parts.push(part);
        shown = end;
    }
    if shown < text.len() {
        parts.push(TextPart::Text(text[shown..].to_string()));
    }
    parts
}

/// Returns where the http and https addresses of a text begin and end, in bytes. Punctuation behind an address is not part of
/// it, and neither is a closing bracket that was opened before it.
fn links(text: &str) -> Vec<(usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(begin) = ["http://", "https://"].iter().filter_map(|scheme| text[at..].find(scheme)).min()
    {
        let begin = at + begin;
        let scheme = if text[begin..].starts_with("https") { 8 } else { 7 };
        let rest = &text[begin..];
        let mut end = rest
            .find(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c))
            .unwrap_or(rest.len());
        while let Some(last) = rest[..end].chars().next_back() {
            let closes = match last {
                ')' => rest[..end].matches(')').count() > rest[..end].matches('(').count(),
                ']' => rest[..end].matches(']').count() > rest[..end].matches('[').count(),
                _ => ".,;:!?'…»”’".contains(last),
            };
            if !closes {
                break;
            }
            end -= last.len_utf8();
        }
        let in_word = text[..begin].chars().next_back().is_some_and(char::is_alphanumeric);
        let has_host = rest
            .get(scheme..end)
            .is_some_and(|host| host.starts_with(|c: char| c.is_alphanumeric() || c == '['));
        if has_host && !in_word {
            found.push((begin, begin + end));
        }
        at = begin + end.max(scheme);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let part = |part: TextPart| match part {
            TextPart::Text(text) => text,
            TextPart::Mention { written, username } => format!("[{written}={username}]"),
            TextPart::Tag { written, path } => format!("[{written}={path}]"),
            TextPart::Link(address) => format!("<{address}>"),
        };
        parts(text).into_iter().map(part).collect()
    }

    #[test]
    fn a_text_is_split_at_mentions_and_nothing_is_lost() {
        assert_eq!(
            shown("@ada hi, @Bob_2! (@c-d)\n@e"),
            "[@ada=ada] hi, [@Bob_2=bob_2]! ([@c-d=c-d])\n[@e=e]"
        );
        assert_eq!(shown("quak 🐸@ada🐸"), "quak 🐸[@ada=ada]🐸");
        for none in ["", "me@pond", "@", "@@", "a @ b", "@é", "ñ@ada", &format!("@{}", "a".repeat(33))] {
            assert_eq!(parts(none).iter().filter(|part| matches!(part, TextPart::Mention { .. })).count(), 0);
            assert_eq!(shown(none), none);
        }
        assert_eq!(shown("@@ada"), "@[@ada=ada]");
    }

    #[test]
    fn tags_and_addresses_are_links() {
        assert_eq!(shown("#Rain at #Été!"), "[#Rain=/tag/rain] at [#Été=/tag/ete]!");
        assert_eq!(shown("#東京"), "[#東京=/tag/%E6%9D%B1%E4%BA%AC]");
        assert_eq!(
            shown("see http://pond.local:8088/@ada#top, or (https://a.b/c_(d))."),
            "see <http://pond.local:8088/@ada#top>, or (<https://a.b/c_(d)>)."
        );
        assert_eq!(shown("https://a.b?x=1&y=2"), "<https://a.b?x=1&y=2>");
        for none in ["http://", "https:// x", "xhttp://a", "javascript:alert(1)", "ftp://a.b", "http://\""] {
            assert_eq!(shown(none), none);
        }
    }
}
