//! Texts in pieces that fit a line, and CTCP ACTION, which IRC clients show as "* ada waves".

/// Begin of an action in ribbit's texts, as people type it.
const ACTION: &str = "/me ";

/// Splits a text at its lines, and long lines between characters. No piece is empty or longer than `room` bytes; `room` is at least
/// 16. A text that begins with `/me` becomes a CTCP ACTION.
pub fn pieces(text: &str, room: usize) -> Vec<String> {
    const FRAME: (&str, &str) = ("\u{1}ACTION ", "\u{1}");
    let (text, room, is_action) = match text.strip_prefix(ACTION) {
        Some(rest) => (rest, room.saturating_sub(FRAME.0.len() + FRAME.1.len()), true),
        None => (text, room, false),
    };
    let mut pieces = Vec::new();
    for line in text.split(['\n', '\r']) {
        // Nothing that people write is taken for a CTCP request, which clients answer by themselves.
        let mut rest = line.replace('\u{1}', " ");
        if rest.is_empty() {
            rest.push(' ');
        }
        while !rest.is_empty() {
            let end = rest.floor_char_boundary(room.max(4));
            let behind = rest.split_off(end);
            pieces.push(match is_action {
                true => format!("{}{rest}{}", FRAME.0, FRAME.1),
                false => rest,
            });
            rest = behind;
        }
    }
    pieces
}

/// A text that a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Text(String),
    /// A CTCP request or reply other than ACTION.
    Ctcp,
}

impl Said {
    /// Reads the text of a PRIVMSG or NOTICE. A CTCP ACTION becomes a text that begins with `/me`.
    pub fn read(text: &str) -> Said {
        let Some(request) = text.strip_prefix('\u{1}') else { return Said::Text(text.to_string()) };
        match request.strip_suffix('\u{1}').unwrap_or(request).strip_prefix("ACTION ") {
            Some(action) => Said::Text(format!("{ACTION}{action}")),
            None => Said::Ctcp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_split_between_characters_and_nothing_is_lost() {
        assert_eq!(pieces("hi", 16), ["hi"]);
        assert_eq!(pieces("a\n\nb", 16), ["a", " ", "b"]);
        let frogs = "🐸".repeat(9);
        let split = pieces(&frogs, 18);
        assert_eq!(split.iter().map(String::len).collect::<Vec<_>>(), [16, 16, 4]);
        assert_eq!(split.concat(), frogs);
        assert_eq!(pieces("\u{1}VERSION\u{1}", 16), [" VERSION "]);
    }

    #[test]
    fn actions_go_both_ways() {
        assert_eq!(Said::read("\u{1}ACTION waves\u{1}"), Said::Text("/me waves".into()));
        assert_eq!(Said::read("\u{1}VERSION\u{1}"), Said::Ctcp);
        assert_eq!(pieces("/me waves", 64), ["\u{1}ACTION waves\u{1}"]);
        assert!(pieces(&format!("/me {}", "x".repeat(100)), 40).iter().all(|piece| piece.len() <= 40));
    }
}
