//! What people may type: folding and checking of names, passwords and croaks, the same everywhere.

use super::code::{Code, Denied, Field};
use super::limits::*;

/// The text of a croak as it is stored: CRLF and lone CR become LF; nothing else is touched.
pub fn croak_text(text: &str) -> String {
    // Most have none, and are not searched twice.
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_string() }
}

/// How many characters of a croak's budget `text` takes: Unicode scalar values, CRLF counted as one.
pub fn croak_chars(text: &str) -> usize {
    let pairs = if text.contains('\r') { text.matches("\r\n").count() } else { 0 };
    text.chars().count() - pairs
}

/// # Errors
/// 606 when there is nothing to read in it, 512 when it is too long.
pub fn check_croak(text: &str) -> Result<(), Denied> {
    if text.trim().is_empty() {
        return Err(Denied::of(Code::InvalidEntry, Field::Post));
    }
    if croak_chars(text) > CROAK_CHARS_MAX {
        return Err(Denied::of(Code::CroakTooLong, Field::Post));
    }
    Ok(())
}

/// # Errors
/// 606 when there is nothing to read in it, 643 when it is too long.
pub fn check_message(text: &str) -> Result<(), Denied> {
    if text.trim().is_empty() {
        return Err(Denied::of(Code::InvalidEntry, Field::Message));
    }
    if croak_chars(text) > MESSAGE_CHARS_MAX {
        return Err(Denied::of(Code::MessageTooLong, Field::Message));
    }
    Ok(())
}

/// A pattern of user names as it is compared: trimmed, lower case; an empty one means everybody.
///
/// # Errors
/// 606 on the field `names` when it is too long, or has alternatives in braces: what is matched in no time without them
/// takes half a second a page with nine of them.
pub fn fold_pattern(text: &str) -> Result<String, Denied> {
    let folded = text.trim().to_ascii_lowercase();
    match folded.chars().count() {
        0 => Ok("*".to_string()),
        chars if chars <= GLOB_CHARS_MAX && !folded.contains('{') => Ok(folded),
        _ => Err(Denied::of(Code::InvalidEntry, Field::Names)),
    }
}

/// The user name as it is stored and looked up: trimmed, lower case, 1 to 32 of a-z 0-9 _ -.
///
/// # Errors
/// 606 on the field `username`.
pub fn fold_username(text: &str) -> Result<String, Denied> {
    let folded = text.trim().to_ascii_lowercase();
    let fits = (1..=USERNAME_CHARS_MAX).contains(&folded.len());
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
    if fits && folded.bytes().all(allowed) {
        Ok(folded)
    } else {
        Err(Denied::of(Code::InvalidEntry, Field::Username))
    }
}

/// The shown name as it is stored: trimmed, 1 to 64 characters, no control characters.
///
/// # Errors
/// 606 on the field `name`.
pub fn check_name(text: &str) -> Result<String, Denied> {
    one_line(text, NAME_CHARS_MAX).ok_or(Denied::of(Code::InvalidEntry, Field::Name))
}

/// The email address as it is stored: something, an @, something; whether it works nobody can tell offline.
///
/// # Errors
/// 606 on the field `email`.
pub fn check_email(text: &str) -> Result<String, Denied> {
    let denied = Denied::of(Code::InvalidEntry, Field::Email);
    let email = one_line(text, EMAIL_CHARS_MAX).ok_or(denied)?;
    match email.split_once('@') {
        Some((user, host))
            if !user.is_empty() && !host.is_empty() && !email.contains(char::is_whitespace) =>
        {
            Ok(email)
        }
        _ => Err(denied),
    }
}

/// # Errors
/// 606 on the field `password` unless it has 8 to 256 characters.
pub fn check_password(text: &str) -> Result<(), Denied> {
    // Four bytes a character at most: a long entry is refused without being counted.
    let fits = text.len() <= 4 * PASSWORD_CHARS_MAX
        && (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&text.chars().count());
    if fits { Ok(()) } else { Err(Denied::of(Code::InvalidEntry, Field::Password)) }
}

fn one_line(text: &str, chars_max: usize) -> Option<String> {
    let trimmed = text.trim();
    let fits = trimmed.len() <= 4 * chars_max && (1..=chars_max).contains(&trimmed.chars().count());
    (fits && !trimmed.contains(char::is_control)).then(|| trimmed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_croak_counts_scalar_values_and_crlf_once() {
        assert_eq!(croak_chars("a\r\nb"), 3);
        assert_eq!(croak_chars("🐸🐸"), 2);
        assert_eq!(croak_chars(&croak_text("a\r\nb\rc")), 5);
        assert!(check_croak(&"🐸".repeat(100)).is_ok());
        assert_eq!(check_croak(&"🐸".repeat(101)).unwrap_err().code.number(), 512);
        assert_eq!(check_croak(" \n ").unwrap_err().code.number(), 606);
    }

    #[test]
    fn user_names_fold() {
        assert_eq!(fold_username(" Ada_L-1 ").unwrap(), "ada_l-1");
        for wrong in ["", " ", "a b", "ä", "a.b", &"a".repeat(33)] {
            assert_eq!(fold_username(wrong).unwrap_err().field, Some(Field::Username), "{wrong:?}");
        }
    }

    #[test]
    fn patterns_fold_and_have_no_braces() {
        assert_eq!((fold_pattern("  ").unwrap(), fold_pattern(" B* ").unwrap()), ("*".into(), "b*".into()));
        for wrong in [&"*".repeat(65), "{a,b}"] {
            assert_eq!(fold_pattern(wrong).unwrap_err().field, Some(Field::Names));
        }
    }

    #[test]
    fn emails_need_two_sides() {
        assert_eq!(check_email(" a@b ").unwrap(), "a@b");
        for wrong in ["", "a", "@b", "a@", "a @b", "a@b\n"] {
            assert_eq!(check_email(wrong).is_ok(), wrong == "a@b\n", "{wrong:?}");
        }
    }
}
