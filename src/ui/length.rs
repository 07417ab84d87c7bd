//! Length of a text, as the rules count it and as people see it.

use ribbit_state::text::croak_chars;
use std::fmt::{Display, Formatter, Result};
use unicode_segmentation::UnicodeSegmentation;

/// Length of a text. Several Unicode scalar values may make one visible character, such as an emoji of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLength {
    /// Length in Unicode scalar values, which the limits count.
    chars: usize,
    /// Number of grapheme clusters, which people see as one character each.
    visible: usize,
}

impl TextLength {
    /// Measures a text.
    pub fn of(text: &str) -> TextLength {
        TextLength { chars: croak_chars(text), visible: text.graphemes(true).count() }
    }

    /// Measures a text that is longer than `max`; `None` if it is not.
    pub fn over(text: &str, max: usize) -> Option<TextLength> {
        Some(TextLength::of(text)).filter(|length| length.chars > max)
    }
}

impl Display for TextLength {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} characters", self.chars)?;
        if self.visible < self.chars {
            write!(f, " (some of the {} that you see count as several)", self.visible)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_several_is_said() {
        let said = |text: &str| TextLength::of(text).to_string();
        assert_eq!(said("a\r\nb"), "3 characters");
        assert_eq!(said(&"🐸".repeat(101)), "101 characters");
        let family = "👨\u{200d}👩\u{200d}👧".repeat(21);
        assert_eq!(said(&family), "105 characters (some of the 21 that you see count as several)");
        assert_eq!(TextLength::over(&family, 105), None);
        assert_eq!(TextLength::over(&family, 104), Some(TextLength { chars: 105, visible: 21 }));
    }
}
