//! Splits a user's text at mentions, so that templates can show them as links. Askama escapes every piece; there is no HTML
//! here.

use ribbit_state::mentions::mentions;

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

/// Splits a text at its mentions, as [`mentions`] finds them.
pub fn parts(text: &str) -> Vec<TextPart> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    for mention in mentions(text) {
        if begin < mention.begin {
            parts.push(TextPart::Text(text[begin..mention.begin].to_string()));
        }
        begin = mention.end;
        let written = text[mention.begin..mention.end].to_string();
        parts.push(TextPart::Mention { written, username: mention.username });
    }
    if begin < text.len() {
        parts.push(TextPart::Text(text[begin..].to_string()));
    }
    parts
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
