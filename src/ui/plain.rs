//! Escapes text from other users for display in a terminal.
//!
//! A terminal executes control characters, and bidirectional controls make a line look like another one. Both are shown escaped:
//! `\x1b`, `\u{202e}`. The zero-width joiner between two emoji, or between letters of scripts that need it, is text. Output for
//! another program, in a pipe or a file, is not changed.

use std::fmt::Write;

/// Escapes a text that must stay on one line.
pub fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        push(&mut shown, letter);
    }
    shown
}

/// Escapes a text of several lines: line ends and tabs stay. Bytes that are not UTF-8 are shown as `\xff`.
pub fn text(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\n' | '\t' => shown.push(letter),
                letter => push(&mut shown, letter),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// Escapes JSON for a terminal, without changing its meaning.
pub fn json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for letter in json.chars() {
        // Control characters below 0x20 are already escaped inside strings, and outside there are only line ends.
        match u32::from(letter) {
            code @ 0x7f.. if is_odd(letter) => drop(write!(shown, "\\u{code:04x}")),
            _ => shown.push(letter),
        }
    }
    shown
}

/// Returns true if a terminal may do something else with a character than show it in its place. The two join controls,
/// U+200C and U+200D, only change how their neighbours look.
pub fn is_odd(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn push(shown: &mut String, letter: char) {
    match u32::from(letter) {
        _ if !is_odd(letter) => shown.push(letter),
        code @ ..=0x7f => drop(write!(shown, "\\x{code:02x}")),
        code => drop(write!(shown, "\\u{{{code:x}}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(line("ä🐸 b"), "ä🐸 b");
        // A family is four emoji with joiners; Persian and Indian scripts use both join controls.
        for text in ["👨\u{200d}👩\u{200d}👧\u{200d}👦", "می\u{200c}خواهم", "क\u{94d}\u{200d}ष"]
        {
            assert_eq!(line(text), text);
            assert_eq!(json(text), text);
        }
        assert_eq!(line("a\x1b[2Jb\n\u{202e}c\u{9b}"), r"a\x1b[2Jb\x0a\u{202e}c\u{9b}");
        assert_eq!(json("{\n\"a\":\"ä🐸\u{202e}\u{9b}\u{7f}\"}"), "{\n\"a\":\"ä🐸\\u202e\\u009b\\u007f\"}");
        assert_eq!(text(b"one\n\ttwo\r\x07"), "one\n\ttwo\\x0d\\x07");
        assert_eq!(text(b"\xff\xfeok\xc3"), r"\xff\xfeok\xc3");
    }
}
