//! Requests about rooms, for the table of requests.

use super::table::{Expected, NUMBERS, RequestTable, SESSION, denied, is_username, read, write};
use ribbit_net::frame::Plane;
use ribbit_net::protocol::Ask;
use ribbit_state::limits::{MESSAGE_CHARS_MAX, TOPIC_CHARS_MAX, USERNAME_CHARS_MAX};
use ribbit_state::rows::RoomRank;
use ribbit_state::{AccountId, Code, Field, Query, RoomCommand, RoomId, text};

/// Adds queries and commands of rooms.
pub(super) fn table() -> Vec<(Plane, Ask, Expected)> {
    let mut table = RequestTable(Vec::new());
    add(&mut table);
    table.0
}

fn add(table: &mut RequestTable) {
    let (session, room) = (SESSION, || "pond".to_string());
    let name = denied(Code::InvalidEntry, Field::Room);
    table.query(Query::Rooms { session });
    table.query(Query::OpenRooms { session, after: None });
    for number in NUMBERS {
        let (before, limit) = (Some(number), number as u16);
        table.query(Query::Room { session, room: room(), before, limit });
        table.query(Query::RoomPeople { session, room: room(), after: Some(AccountId(number)) });
        table.query(Query::RoomMessage { session, room: RoomId(number), id: number });
        table.command(RoomCommand::Mark { session, room: room(), read_through: number });
        table.command(RoomCommand::RemoveMessage { session, room: room(), message: number });
    }
    let is_folded = |text: &str| text::fold_room_name(text).is_ok_and(|it| it == text);
    table.text(Plane::Client, USERNAME_CHARS_MAX, is_username, name, |room| {
        read(Query::Room { session, room, before: None, limit: 1 })
    });
    table.text(Plane::Client, USERNAME_CHARS_MAX, is_username, name, |room| {
        read(Query::RoomPeople { session, room, after: None })
    });
    table.text(Plane::Client, USERNAME_CHARS_MAX, is_folded, name, |after| {
        read(Query::OpenRooms { session, after: Some(after) })
    });
    for command in [
        |session, room| RoomCommand::Join { session, room },
        |session, room| RoomCommand::Leave { session, room },
        |session, room| RoomCommand::Close { session, room },
        |session, room| RoomCommand::Say { session, room, text: "a".into() },
    ] {
        table.command_text(USERNAME_CHARS_MAX, is_username, name, |room| command(session, room).into());
    }
    let change = |open| RoomCommand::Change { session, room: room(), topic: None, open, history: open };
    table.command(change(Some(true)));
    table.command(change(None));
    let is_topic = |text: &str| text::check_topic(text).is_ok();
    let topic = denied(Code::InvalidEntry, Field::Topic);
    table.command_text(4 * TOPIC_CHARS_MAX, is_topic, topic, |topic| {
        RoomCommand::Create { session, room: room(), topic, open: true, history: true }.into()
    });
    table.command_text(4 * TOPIC_CHARS_MAX, is_topic, topic, |topic| {
        RoomCommand::Change { session, room: room(), topic: Some(topic), open: None, history: None }.into()
    });
    let username = denied(Code::InvalidEntry, Field::Username);
    for command in [
        |room, username| RoomCommand::Invite { session: SESSION, room, username },
        |room, username| RoomCommand::Withdraw { session: SESSION, room, username },
        |room, username| RoomCommand::Remove { session: SESSION, room, username },
        |room, username| RoomCommand::SetRank { session: SESSION, room, username, rank: RoomRank::Owner },
    ] {
        table.command_text(USERNAME_CHARS_MAX, is_username, username, |username| {
            command("pond".to_string(), username).into()
        });
    }
    for (text, refusal) in [
        ("🐸".repeat(MESSAGE_CHARS_MAX), None),
        ("🐸".repeat(MESSAGE_CHARS_MAX + 1), Some(denied(Code::MessageTooLong, Field::Message))),
        (String::new(), Some(denied(Code::InvalidEntry, Field::Message))),
    ] {
        let expected = refusal.map_or(Expected::Answered, Expected::Refused);
        let say = RoomCommand::Say { session, room: room(), text };
        table.0.push((Plane::Client, write(say.into()), expected));
    }
}
