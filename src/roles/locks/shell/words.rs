//! A line as a shell takes it apart: blanks between words, quotes and backslashes for what is inside one.
//!
//! ```text
//!   write /notes "two words" it\'s 'a\b'   ──▶   write · /notes · two words · it's · a\b
//! ```
//!
//! In double quotes a backslash stands before `"` and `\` only. Nothing is expanded: no variables, no stars.

/// Where a line stops being one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfinished {
    #[error("a quote is not closed")]
    Quote,
    #[error("nothing follows the backslash")]
    Backslash,
}

/// The words of a line.
///
/// # Errors
/// It goes on.
pub fn split(line: &str) -> Result<Vec<String>, Unfinished> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => words.extend(word.take()),
            '\'' => quoted(&mut letters, '\'', word.get_or_insert_default())?,
            '"' => quoted(&mut letters, '"', word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(letters.next().ok_or(Unfinished::Backslash)?),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(letters: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Result<(), Unfinished> {
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter == quote => return Ok(()),
            '\\' if quote == '"' => match letters.next().ok_or(Unfinished::Quote)? {
                letter @ ('"' | '\\') => word.push(letter),
                letter => word.extend(['\\', letter]),
            },
            letter => word.push(letter),
        }
    }
    Err(Unfinished::Quote)
}

/// The word as it may be typed.
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

/// Where the word that is being typed begins, and what it is so far.
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
    fn lines_are_taken_apart_as_shells_do() {
        let words = |line: &str| split(line).unwrap().join("·");
        assert_eq!(words(r#" write  /notes "two words" it\'s 'a\b' "#), r"write·/notes·two words·it's·a\b");
        assert_eq!(words(r#"a"b"'c'd "" "x\"y\z""#), r#"abcd··x"y\z"#);
        assert_eq!(split("a 'b"), Err(Unfinished::Quote));
        assert_eq!(split("a\\"), Err(Unfinished::Backslash));
    }

    #[test]
    fn the_last_word_is_what_is_completed() {
        assert_eq!(last("ls /jo"), (3, "/jo".into()));
        assert_eq!(last("ls "), (3, String::new()));
        assert_eq!(last(r"cat /two\ wo"), (4, "/two wo".into()));
        assert_eq!(last("cat '/two wo"), (4, "/two wo".into()));
        assert_eq!(last(""), (0, String::new()));
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_one_word_again(word in "\\PC{1,20}") {
            prop_assert_eq!(split(&escaped(&word)), Ok(vec![word]));
        }
    }
}
