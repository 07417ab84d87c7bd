//! Splits a user's text at mentions, so that templates can show them as links. Askama escapes every piece; there is no HTML
//! here.

use ribbit_state::text::fold_username;

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
}

/// Splits a text at its mentions. An `@` before a username is a mention, unless it is inside a word (an email address).
pub fn parts(text: &str) -> Vec<TextPart> {
    let mut parts = Vec::new();
    // Start of the current piece, and position of the search.
    let (mut begin, mut at) = (0, 0);
    while let Some(found) = text[at..].find('@') {
        let sign = at + found;
        let end = text[sign + 1..].find(|c: char| !in_name(c)).map_or(text.len(), |length| sign + 1 + length);
        at = sign + 1;
        let in_word = text[..sign].chars().next_back().is_some_and(|c| c.is_alphanumeric() || in_name(c));
        let Some(username) = fold_username(&text[sign + 1..end]).ok().filter(|_| !in_word) else { continue };
        if begin < sign {
            parts.push(TextPart::Text(text[begin..sign].to_string()));
        }
        parts.push(TextPart::Mention { written: text[sign..end].to_string(), username });
        (begin, at) = (end, end);
    }
    if begin < text.len() {
        parts.push(TextPart::Text(text[begin..].to_string()));
    }
    parts
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let part = |part: TextPart| match part {
            TextPart::Text(text) => text,
            TextPart::Mention { written, username } => format!("[{written}={username}]"),
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
}
