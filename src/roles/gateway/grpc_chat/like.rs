//! Patterns of SQL's LIKE, as the chat's list takes them. Pure.

/// Returns the pattern of user names, in ribbit's wildcards, for one of LIKE: `%` is any text and `_` any character. `None` if no
/// name fits: names have letters, digits, `_` and `-` only, and the empty pattern fits none.
pub(super) fn glob(like: &str) -> Option<String> {
    if like.is_empty() {
        return None;
    }
    let mut glob = String::with_capacity(like.len());
    for character in like.chars() {
        match character.to_ascii_lowercase() {
            // Two in a row are as one.
            '%' if glob.ends_with('*') => {}
            '%' => glob.push('*'),
            '_' => glob.push('?'),
            letter @ ('a'..='z' | '0'..='9' | '-') => glob.push(letter),
            _ => return None,
        }
    }
    Some(glob)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_translated() {
        for (like, expected) in [
            ("%", Some("*")),
            ("%%", Some("*")),
            ("a_a", Some("a?a")),
            ("ADA%", Some("ada*")),
            ("%b%", Some("*b*")),
            ("", None),
            ("a*", None),
            ("a?", None),
            ("[ab]", None),
            ("\u{e9}", None),
            ("a b", None),
        ] {
            assert_eq!(glob(like).as_deref(), expected, "{like:?}");
        }
    }
}
