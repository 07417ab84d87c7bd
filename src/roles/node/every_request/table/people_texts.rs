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
        let reply = Command::Croak { session, text, reply_to: Some(1), audience: Audience::Followers };
        table.0.push((Plane::Client, write(reply), expected));
    }
    for (text, refusal) in [
        ("🐸".repeat(MESSAGE_CHARS_MAX), None),
        ("🐸".repeat(MESSAGE_CHARS_MAX + 1), Some(denied(Code::MessageTooLong, Field::Message))),
        ("\0".into(), None),
        (String::new(), Some(invalid(Field::Message))),
    ] {
        let expected = refusal.map_or(Expected::Answered, Expected::Refused);
        let send = MessageCommand::Send { session, username: "ada".into(), text };
        table.0.push((Plane::Client, write(send.into()), expected));
    }
}
