//! Fuzz target: quoting, completion and parsing of lines of `ribbit shell`.

use ribbit_roles::locks::shell::{commands, quoting};

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // An escaped text splits into itself.
    if !text.is_empty() {
        assert_eq!(quoting::split(&quoting::escaped(&text)).as_deref(), Ok(&[text.to_string()][..]));
    }
    let (begins, word) = quoting::last(&text);
    assert!(text.is_char_boundary(begins) && word.len() <= text.len());
    let Ok(words) = quoting::split(&text) else { return };
    let letters: usize = words.iter().map(String::len).sum();
    assert!(letters <= text.len(), "words contain no more bytes than the line");
    match commands::parse(&words) {
        Ok(verb) => drop(format!("{verb:?}")),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
