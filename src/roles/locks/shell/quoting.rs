//! Quoting rules of the shell: spaces separate words, and quotes and backslashes protect characters inside a word.
//!
//! ```text
//!   write /notes "two words" it\'s 'a\b'   ──▶   write · /notes · two words · it's · a\b
//! ```
//!
//! In double quotes, a backslash escapes only `"` and `\`. There is no expansion of variables or patterns.

/// Reason why a line is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfinishedLine {
    #[error("a quote is not closed")]
    Quote,
    #[error("the backslash at the end has nothing to escape")]
    Backslash,
}

/// Splits a line into words.
///
/// # Errors
/// [`UnfinishedLine`] when a quote is open or the line ends in a backslash.
pub fn split(line: &str) -> Result<Vec<String>, UnfinishedLine> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => words.extend(word.take()),
            '\'' => quoted(&mut letters, '\'', word.get_or_insert_default())?,
            '"' => quoted(&mut letters, '"', word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(letters.next().ok_or(UnfinishedLine::Backslash)?),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(letters: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Result<(), UnfinishedLine> {
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter == quote => return Ok(()),
            '\\' if quote == '"' => match letters.next().ok_or(UnfinishedLine::Quote)? {
                letter @ ('"' | '\\') => word.push(letter),
                letter => word.extend(['\\', letter]),
            },
            letter => word.push(letter),
        }
    }
    Err(UnfinishedLine::Quote)
}

/// Escapes a word so that [`split`] returns it unchanged.
pub fn escaped(word: &str) -> String {
    let mut typed = String::with_capacity(word.len());
    for letter in word.chars() {
        if letter.is_whitespace() || matches!(letter, '\'' | '"' | '\\') {
            typed.push('\\');
        }
        typed.push(letter);
    }
    typed
}

/// Returns the byte offset of the last word of a line and its unquoted content.
pub fn last(line: &str) -> (usize, String) {
    let mut begins = None;
    let mut quote: Option<char> = None;
    let mut letters = line.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (None, letter) if letter.is_whitespace() => {
                begins = None;
                continue;
            }
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            (None | Some('"'), '\\') => drop(letters.next()),
            _ => {}
        }
        begins.get_or_insert(at);
    }
    let begins = begins.unwrap_or(line.len());
    let word = match quote {
        Some(quote) => split(&format!("{}{quote}", &line[begins..])),
        None => split(&line[begins..]),
    };
    (begins, word.ok().and_then(|mut words| words.pop()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_split_as_in_other_shells() {
        let words = |line: &str| split(line).unwrap().join("·");
        assert_eq!(words(r#" write  /notes "two words" it\'s 'a\b' "#), r"write·/notes·two words·it's·a\b");
        assert_eq!(words(r#"a"b"'c'd "" "x\"y\z""#), r#"abcd··x"y\z"#);
        assert_eq!(split("a 'b"), Err(UnfinishedLine::Quote));
        assert_eq!(split("a\\"), Err(UnfinishedLine::Backslash));
    }

    #[test]
    fn the_last_word_is_found_for_completion() {
        assert_eq!(last("ls /jo"), (3, "/jo".into()));
        assert_eq!(last("ls "), (3, String::new()));
        assert_eq!(last(r"cat /two\ wo"), (4, "/two wo".into()));
        assert_eq!(last("cat '/two wo"), (4, "/two wo".into()));
        assert_eq!(last(""), (0, String::new()));
    }

    proptest! {
        #[test]
        fn an_escaped_word_splits_into_itself(word in "\\PC{1,20}") {
            prop_assert_eq!(split(&escaped(&word)), Ok(vec![word]));
        }
    }
}
