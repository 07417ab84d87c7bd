//! Words of texts as search sees them: folded, so that case and accents make no difference.
//!
//! A word is a run of letters, digits and `_`. A character of a script without spaces between words (Han, kana, Hangul) is a
//! word of its own. A tag is a `#` outside a word, directly followed by a word with a letter in it.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Maximum number of tags of a text; later ones are ordinary words.
pub const TAGS_MAX: usize = 10;

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// Folded, without the `#` of a tag.
    pub(crate) text: String,
    pub(crate) is_tag: bool,
}

/// A tag as it stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Position of the `#`, in bytes.
    pub begin: usize,
    /// Position behind the name, in bytes.
    pub end: usize,
    /// Folded name, without the `#`.
    pub name: String,
}

/// Returns the tags of a text in their order, at most [`TAGS_MAX`].
pub fn tags(text: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut before = None;
    for (begin, letter) in text.char_indices() {
        let in_word = before.is_some_and(is_of_word);
        before = Some(letter);
        if letter != '#' || in_word || found.len() == TAGS_MAX {
            continue;
        }
        let behind = &text[begin + 1..];
        let length = behind.find(|c| !is_of_word(c)).unwrap_or(behind.len());
        if behind[..length].chars().any(char::is_alphabetic) {
            found.push(Tag { begin, end: begin + 1 + length, name: fold(&behind[..length]) });
        }
    }
    found
}

/// Returns the folded name of a tag that was entered with or without its `#`. `None` if it is no tag, or more than one.
pub fn tag_named(entered: &str) -> Option<String> {
    let written = format!("#{}", entered.strip_prefix('#').unwrap_or(entered));
    tags(&written)
        .into_iter()
        .next()
        .filter(|tag| tag.begin == 0 && tag.end == written.len())
        .map(|tag| tag.name)
}

/// Returns the words of a text in their order. The name of a tag is two words: the tag, and an ordinary word.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let tags = tags(text).into_iter().map(|tag| Word { text: tag.name, is_tag: true });
    let folded = fold(text);
    let mut words: Vec<Word> = tags.collect();
    let mut push = |text: &str| words.push(Word { text: text.to_string(), is_tag: false });
    for run in folded.split(|c| !is_of_word(c)).filter(|run| !run.is_empty()) {
        let mut begin = 0;
        for (at, letter) in run.char_indices().filter(|(_, letter)| stands_alone(*letter)) {
            if begin < at {
                push(&run[begin..at]);
            }
            begin = at + letter.len_utf8();
            push(&run[at..begin]);
        }
        if begin < run.len() {
            push(&run[begin..]);
        }
    }
    words
}

/// Returns a text without differences of case, accents and compatibility forms.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.nfkd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase) {
        match letter {
            // Letters that have no decomposition in Unicode.
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            'þ' => folded.push_str("th"),
            letter => folded.push(letter),
        }
    }
    folded
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || is_combining_mark(letter)
}

/// Returns true for characters of scripts that put no spaces between words.
fn stands_alone(letter: char) -> bool {
    matches!(letter,
        '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let shown = |word: Word| if word.is_tag { format!("#{}", word.text) } else { word.text };
        words(text).into_iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn case_accents_and_forms_are_folded() {
        assert_eq!(said("Crème BRÛLÉE, naïve!"), "creme brulee naive");
        assert_eq!(said("Straße Łódź Øre ﬁn ①"), "strasse lodz ore fin 1");
        assert_eq!(said("snake_case don't 3.5"), "snake_case don t 3 5");
        assert_eq!(said("ΣΊΣΥΦΟΣ"), "σισυφοσ");
        assert_eq!(said("東京 today"), "東 京 today");
        assert_eq!(said("🐸 --- …"), "");
    }

    #[test]
    fn a_tag_is_a_hash_outside_a_word_with_a_letter_behind() {
        assert_eq!(said("#Rain at #north_pond2"), "#rain #north_pond2 rain at north_pond2");
        for none in ["a#b", "#1", "#", "# x", "##", "C#"] {
            assert_eq!(tags(none), [], "{none}");
        }
        let found = tags("é #Été!");
        assert_eq!(found, [Tag { begin: 3, end: 9, name: "ete".into() }]);
        assert_eq!(tags(&"#a ".repeat(20)).len(), TAGS_MAX);
    }

    #[test]
    fn a_tag_is_named_with_or_without_its_hash() {
        for entered in ["Rain", "#rain", "RAIN"] {
            assert_eq!(tag_named(entered).as_deref(), Some("rain"));
        }
        for wrong in ["", "#", "two tags", "a#b", "!", "##rain", "1", "rain "] {
            assert_eq!(tag_named(wrong), None, "{wrong}");
        }
        assert_eq!(tags("##x")[0].begin, 1);
    }
}
