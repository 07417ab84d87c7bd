//! Texts of people, at and beyond their bounds.

use super::*;

/// Adds croaks and messages with texts at and beyond their bounds.
pub(super) fn texts_of_people(table: &mut RequestTable) {
    let (session, invalid) = (SESSION, |field| Denied::of(Code::InvalidEntry, field));
    for (text, refusal) in [
        ("🐸".repeat(CROAK_CHARS_MAX), None),
        ("\r\n".repeat(CROAK_CHARS_MAX) + "a", Some(denied(Code::CroakTooLong, Field::Post))),
        ("🐸".repeat(CROAK_CHARS_MAX + 1), Some(denied(Code::CroakTooLong, Field::Post))),
        ("\0".into(), None),
        (String::new(), Some(invalid(Field::Post))),
    ] {
        let expected = refusal.map_or(Expected::Answered, Expected::Refused);
        table.0.push((Plane::Client, write(Command::croak(session, text)), expected));
    }
    for (text, refusal) in [
        ("🐸".repeat(CROAK_CHARS_MAX + REPLY_MENTION_CHARS_MAX), None),
        (
            "🐸".repeat(CROAK_CHARS_MAX + REPLY_MENTION_CHARS_MAX + 1),
            Some(denied(Code::CroakTooLong, Field::Post)),
        ),
        (" ".into(), Some(invalid(Field::Post))),
    ] {
        let expected = refusal.map_or(Expected::Answered, Expected::Refused);
        let reply = Command::Croak { session, text, reply_to: Some(1), audience: Some(Audience::Followers) };
        table.0.push((Plane::Client, write(reply), expected));
    }
    for (bio, refusal) in [
        ("🐸".repeat(BIO_CHARS_MAX), None),
        ("🐸".repeat(BIO_CHARS_MAX + 1), Some(invalid(Field::Bio))),
        (String::new(), None),
        ("\0".into(), None),
    ] {
        let expected = refusal.map_or(Expected::Answered, Expected::Refused);
        let changes = AccountChanges { bio: Some(bio), ..AccountChanges::default() };
        let describe = AccountCommand::Describe { session, changes };
        table.0.push((Plane::Client, write(describe.into()), expected));
    }
    let link = |bytes: usize| "https://a.b/".to_string() + &"c".repeat(bytes - 12);
    for (links, refusal) in [
        (vec![link(LINK_BYTES_MAX); PROFILE_LINKS_MAX], None),
        (vec![link(20); PROFILE_LINKS_MAX + 1], Some(invalid(Field::Links))),
        (vec![link(LINK_BYTES_MAX + 1)], Some(invalid(Field::Links))),
        (vec!["https://a\0".into()], Some(invalid(Field::Links))),
        (vec![String::new()], Some(invalid(Field::Links))),
        (Vec::new(), None),
    ] {
        let expected = refusal.map_or(Expected::Answered, Expected::Refused);
        let changes = AccountChanges { links: Some(links), ..AccountChanges::default() };
        let describe = AccountCommand::Describe { session, changes };
        table.0.push((Plane::Client, write(describe.into()), expected));
    }
    for (device, refusal) in [
        ("🐸".repeat(DEVICE_CHARS_MAX), None),
        ("🐸".repeat(DEVICE_CHARS_MAX + 1), Some(denied(Code::InvalidEntry, None))),
        ("\0".into(), Some(denied(Code::InvalidEntry, None))),
        (String::new(), None),
    ] {
        let expected = refusal.map_or(Expected::Answered, Expected::Refused);
        let (username, password) = ("unknown".to_string(), password("long enough"));
        let log_in =
            Ask::LogIn { id: id(), submitted_at: 0, username, password, token: TOKEN, device, app: None };
        table.0.push((Plane::Client, log_in, expected));
    }
    for (text, refusal) in [
        ("🐸".repeat(MESSAGE_CHARS_MAX), None),
        ("🐸".repeat(MESSAGE_CHARS_MAX + 1), Some(denied(Code::MessageTooLong, Field::Message))),
        ("\0".into(), None),
        (String::new(), Some(invalid(Field::Message))),
    ] {
        let username = "ada".to_string();
        let again =
            MessageCommand::SendAgain { session, username: username.clone(), text: text.clone(), known: 0 };
        for command in [MessageCommand::Send { session, username, text }, again] {
            let expected = refusal.map_or(Expected::Answered, Expected::Refused);
            table.0.push((Plane::Client, write(command.into()), expected));
        }
    }
}
