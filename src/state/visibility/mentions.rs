//! Mentions in texts: an `@` before a user name, unless it is inside a word (an email address).
//!
//! Pages show them as links, and the rules notify the people who are mentioned, so both find them here.

use crate::text::fold_username;

/// A mention in a text. The account need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Position of the `@`, in bytes.
    pub begin: usize,
    /// Position behind the name, in bytes.
    pub end: usize,
    /// Folded user name: `ada`.
    pub username: String,
}

/// Iterates over the mentions in a text, in their order.
pub fn mentions(text: &str) -> impl Iterator<Item = Mention> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(found) = text[at..].find('@') {
            let begin = at + found;
            let name = &text[begin + 1..];
            let end = begin + 1 + name.find(|c: char| !in_name(c)).unwrap_or(name.len());
            at = begin + 1;
            let in_word =
                text[..begin].chars().next_back().is_some_and(|c| c.is_alphanumeric() || in_name(c));
            if let Ok(username) = fold_username(&text[begin + 1..end])
                && !in_word
            {
                at = end;
                return Some(Mention { begin, end, username });
            }
        }
        None
    })
}

/// Returns true if the text mentions the account of this name.
pub fn mentions_name(text: &str, username: &str) -> bool {
    mentions(text).any(|mention| mention.username == username)
}

/// Returns the part of a text behind the mention of `username` and one white space, if it begins with that mention.
pub fn behind_leading_mention<'a>(text: &'a str, username: &str) -> Option<&'a str> {
    let mention =
        mentions(text).next().filter(|mention| mention.begin == 0 && mention.username == username)?;
    let rest = &text[mention.end..];
    Some(rest.strip_prefix(char::is_whitespace).unwrap_or(rest))
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, String)> {
        mentions(text).map(|mention| (&text[mention.begin..mention.end], mention.username)).collect()
    }

    #[test]
    fn a_mention_is_an_at_sign_before_a_user_name_outside_a_word() {
        let names = [("@ada", "ada"), ("@Bob_2", "bob_2"), ("@c-d", "c-d"), ("@e", "e")];
        let names = names.map(|(written, name)| (written, name.to_string()));
        assert_eq!(found("@ada hi, @Bob_2! (@c-d)\n@e"), names);
        assert_eq!(found("quak 🐸@ada🐸"), [("@ada", "ada".to_string())]);
        assert_eq!(found("@@ada"), [("@ada", "ada".to_string())]);
        for none in ["", "me@pond", "@", "@@", "a @ b", "@é", "ñ@ada", &format!("@{}", "a".repeat(33))] {
            assert!(found(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_leading_mention_is_that_of_the_name_at_the_very_beginning() {
        for (text, rest) in [
            ("@ada hello", Some("hello")),
            ("@Ada\n hello @ada", Some(" hello @ada")),
            ("@ada", Some("")),
            ("@ada, hello", Some(", hello")),
            ("@adam hello", None),
            ("hello @ada", None),
            (" @ada hello", None),
        ] {
            assert_eq!(behind_leading_mention(text, "ada"), rest, "{text:?}");
        }
        assert!(mentions_name("hello @ada.", "ada") && !mentions_name("hello @adam", "ada"));
    }
}
