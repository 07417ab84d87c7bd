//! Normalising and checking text that people enter: names, passwords, croaks and messages. Used by all interfaces.

use super::code::{Code, Denied, Field};
use super::limits::*;

/// Returns the text of a croak or message as it is stored: CRLF and lone CR become LF; nothing else changes.
pub fn croak_text(text: &str) -> String {
    // Most texts contain no CR and skip the second pass.
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_string() }
}

/// Returns the length of a croak in characters: Unicode scalar values, with CRLF counted as one.
pub fn croak_chars(text: &str) -> usize {
    let pairs = if text.contains('\r') { text.matches("\r\n").count() } else { 0 };
    text.chars().count() - pairs
}

/// Checks the text of a croak.
///
/// # Errors
/// 606 if it contains only white space, 512 if it is too long; both on the field `post`.
pub fn check_croak(text: &str) -> Result<(), Denied> {
    if text.trim().is_empty() {
        return Err(Denied::of(Code::InvalidEntry, Field::Post));
    }
    if croak_chars(text) > CROAK_CHARS_MAX {
        return Err(Denied::of(Code::CroakTooLong, Field::Post));
    }
    Ok(())
}

/// Checks the text of a reply as far as that is possible without the croak that it answers: the mention at its beginning
/// does not count.
///
/// # Errors
/// As [`check_croak`].
pub fn check_reply(text: &str) -> Result<(), Denied> {
    if text.trim().is_empty() {
        return Err(Denied::of(Code::InvalidEntry, Field::Post));
    }
    if croak_chars(text) > CROAK_CHARS_MAX + REPLY_MENTION_CHARS_MAX {
        return Err(Denied::of(Code::CroakTooLong, Field::Post));
    }
    Ok(())
}

/// Checks the text of a direct message.
///
/// # Errors
/// 606 if it contains only white space, 643 if it is too long; both on the field `message`.
pub fn check_message(text: &str) -> Result<(), Denied> {
    if text.trim().is_empty() {
        return Err(Denied::of(Code::InvalidEntry, Field::Message));
    }
    if croak_chars(text) > MESSAGE_CHARS_MAX {
        return Err(Denied::of(Code::MessageTooLong, Field::Message));
    }
    Ok(())
}

/// Returns the words of a report as they are stored. There may be none.
///
/// # Errors
/// 606 on the field `words` if they are too long.
pub fn check_report(text: &str) -> Result<String, Denied> {
    let trimmed = text.trim();
    if croak_chars(trimmed) > REPORT_CHARS_MAX {
        return Err(Denied::of(Code::InvalidEntry, Field::Words));
    }
    Ok(croak_text(trimmed))
}

/// Returns an announcement as it is stored: trimmed.
///
/// # Errors
/// 606 if it is empty or too long.
pub fn check_announcement(text: &str) -> Result<String, Denied> {
    let trimmed = text.trim();
    if trimmed.is_empty() || croak_chars(trimmed) > ANNOUNCEMENT_CHARS_MAX {
        return Err(Denied::new(Code::InvalidEntry));
    }
    Ok(croak_text(trimmed))
}

/// Returns a pattern of user names in the form that is matched: trimmed and in lower case. An empty pattern matches every
/// name.
///
/// # Errors
/// 606 on the field `names` if it is too long or contains a brace: matching one page of names against a pattern with nine
/// alternatives in braces took half a second, and takes almost no time without braces.
pub fn fold_pattern(text: &str) -> Result<String, Denied> {
    let folded = text.trim().to_ascii_lowercase();
    match folded.chars().count() {
        0 => Ok("*".to_string()),
        chars if chars <= GLOB_CHARS_MAX && !folded.contains('{') => Ok(folded),
        _ => Err(Denied::of(Code::InvalidEntry, Field::Names)),
    }
}

/// Returns a user name as it is stored and looked up: trimmed, without an `@` before it, in lower case, 1 to 32 of
/// a-z 0-9 _ -.
///
/// # Errors
/// 606 on the field `username`.
pub fn fold_username(text: &str) -> Result<String, Denied> {
    let trimmed = text.trim();
    let folded = trimmed.strip_prefix('@').unwrap_or(trimmed).to_ascii_lowercase();
    let fits = (1..=USERNAME_CHARS_MAX).contains(&folded.len());
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
    if fits && folded.bytes().all(allowed) {
        Ok(folded)
    } else {
        Err(Denied::of(Code::InvalidEntry, Field::Username))
    }
}

/// Returns the name of a room as it is stored and looked up: folded as a user name is.
///
/// # Errors
/// 606 on the field `room`.
pub fn fold_room_name(text: &str) -> Result<String, Denied> {
    fold_username(text).map_err(|_| Denied::of(Code::InvalidEntry, Field::Room))
}

/// Returns the topic of a room as it is stored: trimmed, at most 200 characters, no control characters. It may be empty.
///
/// # Errors
/// 606 on the field `topic`.
pub fn check_topic(text: &str) -> Result<String, Denied> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    one_line(text, TOPIC_CHARS_MAX).ok_or(Denied::of(Code::InvalidEntry, Field::Topic))
}

/// Returns a display name as it is stored: trimmed, 1 to 64 characters, no control characters.
///
/// # Errors
/// 606 on the field `name`.
pub fn check_name(text: &str) -> Result<String, Denied> {
    one_line(text, NAME_CHARS_MAX).ok_or(Denied::of(Code::InvalidEntry, Field::Name))
}

/// Returns the text of a person about themselves as it is stored: trimmed, and possibly empty.
///
/// # Errors
/// 606 on the field `bio` if it is too long.
pub fn check_bio(text: &str) -> Result<String, Denied> {
    let trimmed = text.trim();
    if croak_chars(trimmed) > BIO_CHARS_MAX {
        return Err(Denied::of(Code::InvalidEntry, Field::Bio));
    }
    Ok(croak_text(trimmed))
}

/// Returns the links of a profile as they are stored: trimmed.
///
/// # Errors
/// 606 on the field `links` if there are too many, or one is too long or no http or https address.
pub fn check_links(links: &[String]) -> Result<Vec<String>, Denied> {
    let checked: Vec<String> = links.iter().map(|link| link.trim().to_string()).collect();
    if links.len() <= PROFILE_LINKS_MAX && checked.iter().all(|link| is_address(link)) {
        Ok(checked)
    } else {
        Err(Denied::of(Code::InvalidEntry, Field::Links))
    }
}

/// Returns true for an http or https address with a host. Only letters, digits and visible ASCII are accepted, so that no
/// address looks like another one.
fn is_address(link: &str) -> bool {
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://")).unwrap_or_default();
    let visible = |c: char| if c.is_ascii() { c.is_ascii_graphic() } else { c.is_alphanumeric() };
    link.len() <= LINK_BYTES_MAX
        && rest.starts_with(|c: char| c.is_alphanumeric() || c == '[')
        && rest.chars().all(|c| visible(c) && !"<>\"".contains(c))
}

/// Returns the name of an app as it is stored: trimmed.
///
/// # Errors
/// 606.
pub fn check_app_name(text: &str) -> Result<String, Denied> {
    one_line(text, APP_NAME_CHARS_MAX).ok_or(Denied::new(Code::InvalidEntry))
}

/// Returns the address of an app's website as it is stored: trimmed, and possibly empty.
///
/// # Errors
/// 606.
pub fn check_website(text: &str) -> Result<String, Denied> {
    let text = text.trim();
    if text.is_empty() || is_address(text) {
        Ok(text.to_string())
    } else {
        Err(Denied::new(Code::InvalidEntry))
    }
}

/// Checks the name of a device, which may be empty.
///
/// # Errors
/// 606.
pub fn check_device(text: &str) -> Result<(), Denied> {
    optional_line(text, DEVICE_CHARS_MAX).map(drop)
}

/// Returns the name of the installation as it is stored: trimmed, and possibly empty.
///
/// # Errors
/// 606.
pub fn check_site_name(text: &str) -> Result<String, Denied> {
    optional_line(text, NAME_CHARS_MAX)
}

/// Returns the sentence of the first page as it is stored: trimmed, and possibly empty.
///
/// # Errors
/// 606.
pub fn check_welcome(text: &str) -> Result<String, Denied> {
    optional_line(text, WELCOME_CHARS_MAX)
}

fn optional_line(text: &str, chars_max: usize) -> Result<String, Denied> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    one_line(text, chars_max).ok_or(Denied::new(Code::InvalidEntry))
}

/// Returns an email address as it is stored: text, an @, text. Its existence cannot be checked offline.
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

/// Checks a password that is about to be set.
///
/// # Errors
/// 606 on the field `password` unless it has 8 to 256 characters.
pub fn check_password(text: &str) -> Result<(), Denied> {
    // A character has at most four bytes, so a long entry is refused without being counted.
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
        assert_eq!(fold_username(" @Ada ").unwrap(), "ada", "as people write it");
        for wrong in ["", " ", "@", "@@a", "@ a", "a@", "a b", "ä", "a.b", &"a".repeat(33)] {
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
    fn links_are_addresses_of_the_web() {
        let links = |links: &[&str]| check_links(&links.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(links(&[" https://a.b/c?d=é "]).unwrap(), ["https://a.b/c?d=é"]);
        assert!(links(&[]).is_ok() && links(&["http://[::1]:8080"; 4]).is_ok());
        assert!(links(&["http://a"; 5]).is_err());
        let long = format!("http://{}", "a".repeat(LINK_BYTES_MAX));
        for wrong in [
            "",
            "a.b",
            "ftp://a",
            "javascript:alert(1)",
            "http://",
            "http:///",
            "http://a b",
            "http://a\"b",
            &long,
            "HTTP://a",
        ] {
            assert_eq!(links(&[wrong]).unwrap_err().field, Some(Field::Links), "{wrong}");
        }
        assert!(links(&["https://a\u{202e}b"]).is_err());
    }

    #[test]
    fn emails_need_two_sides() {
        assert_eq!(check_email(" a@b ").unwrap(), "a@b");
        for wrong in ["", "a", "@b", "a@", "a @b", "a@b\n"] {
            assert_eq!(check_email(wrong).is_ok(), wrong == "a@b\n", "{wrong:?}");
        }
    }
}
