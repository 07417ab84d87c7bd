//! Lines of `ribbit shell`: taken apart, completed, understood.

use ribbit_roles::locks::shell::{commands, words};

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // One word, typed with care, is that word.
    if !text.is_empty() {
        assert_eq!(words::split(&words::escaped(&text)).as_deref(), Ok(&[text.to_string()][..]));
    }
    let (begins, word) = words::last(&text);
    assert!(text.is_char_boundary(begins) && word.len() <= text.len());
    let Ok(words) = words::split(&text) else { return };
    let letters: usize = words.iter().map(String::len).sum();
    assert!(letters <= text.len(), "a line gives no more than was typed");
    match commands::parse(&words) {
        Ok(verb) => drop(format!("{verb:?}")),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
