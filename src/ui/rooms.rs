//! Rooms and what is said in them, as lines in a terminal and as JSON for scripts. `docs/scripting.md` describes the fields.

use super::lines::{LineStyle, name_of, said_by};
use super::person_json::{WhoJson, line, time_of};
use super::plain;
use super::table::{self, Align};
use super::time;
use ribbit_state::limits::UNREAD_ROOM_MESSAGES_MAX;
use ribbit_state::query::{
    ListedRoom, RoomBody, RoomGuestEntry, RoomInfo, RoomInvitation, RoomMemberEntry, RoomStanding,
    RoomSummary, RoomText,
};
use ribbit_state::{LogIndex, rows::RoomRank};
use serde::Serialize;
use serde_json::json;

#[derive(Debug, Serialize)]
struct RoomJson<'a> {
    room: &'a str,
    topic: &'a str,
    open: bool,
    history: bool,
    members: u32,
    /// Null for a room that one is not in.
    rank: Option<RoomRank>,
    unread: Option<u32>,
    /// Only for an invitation: null if the account was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    invited_by: Option<Option<WhoJson<'a>>>,
}

impl<'a> RoomJson<'a> {
    fn new(room: &'a RoomInfo) -> RoomJson<'a> {
        let RoomInfo { name, topic, open, history, members, .. } = room;
        let (rank, unread, invited_by) = (None, None, None);
        RoomJson {
            room: name,
            topic,
            open: *open,
            history: *history,
            members: *members,
            rank,
            unread,
            invited_by,
        }
    }
}

#[derive(Debug, Serialize)]
struct RoomTextJson<'a> {
    id: LogIndex,
    room: &'a str,
    /// Null if the account was deleted.
    from: Option<WhoJson<'a>>,
    /// Null if the message was removed.
    text: Option<&'a str>,
    time: Option<String>,
    /// `author` or `moderator`; null if the message was not removed.
    removed: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct RoomPersonJson<'a> {
    #[serde(flatten)]
    who: WhoJson<'a>,
    /// `owner`, `moderator`, `member`, `invited` or `removed`.
    standing: &'static str,
}

/// Returns one of the user's rooms as a line of JSON.
pub fn room_json(one: &RoomSummary) -> String {
    line(&RoomJson { rank: Some(one.rank), unread: Some(one.unread), ..RoomJson::new(&one.room) })
}

/// Returns an invitation as a line of JSON.
pub fn invitation_json(one: &RoomInvitation) -> String {
    let by = one.by.as_ref().map(WhoJson::from);
    line(&RoomJson { invited_by: Some(by), ..RoomJson::new(&one.room) })
}

/// Returns a room that everyone may join as a line of JSON.
pub fn open_room_json(room: &RoomInfo, standing: RoomStanding) -> String {
    line(&RoomJson { rank: standing.rank(), ..RoomJson::new(room) })
}

/// Returns a message in a room as a line of JSON.
pub fn text_json(room: &str, message: &RoomText) -> String {
    let (text, removed) = match &message.body {
        RoomBody::Text(text) => (Some(text.as_str()), None),
        RoomBody::Removed { by_author: true } => (None, Some("author")),
        RoomBody::Removed { by_author: false } => (None, Some("moderator")),
    };
    let from = message.author.as_ref().map(WhoJson::from);
    line(&RoomTextJson { id: message.id, room, from, text, time: time_of(message.wall_ms), removed })
}

/// Returns a member as a line of JSON.
pub fn member_json(member: &RoomMemberEntry) -> String {
    line(&RoomPersonJson { who: (&member.person).into(), standing: member.rank.name() })
}

/// Returns a person who is invited, or was removed, as a line of JSON.
pub fn guest_json(guest: &RoomGuestEntry) -> String {
    line(&RoomPersonJson { who: (&guest.person).into(), standing: standing_of(guest) })
}

/// Returns `invited` or `removed`.
pub fn standing_of(guest: &RoomGuestEntry) -> &'static str {
    if guest.removed { "removed" } else { "invited" }
}

/// Returns the number of unread messages in all rooms as it stands in the navigation: `100+` from the bound on, empty for none.
pub fn rooms_badge(unread: u32) -> String {
    match unread {
        0 => String::new(),
        UNREAD_ROOM_MESSAGES_MAX.. => format!("{UNREAD_ROOM_MESSAGES_MAX}+"),
        some => some.to_string(),
    }
}

/// Returns the number of unread messages, which is not counted beyond a bound: `100 or more`.
pub fn unread_words(unread: u32) -> String {
    let more = if unread >= UNREAD_ROOM_MESSAGES_MAX { " or more" } else { "" };
    format!("{unread}{more}")
}

fn described(room: &RoomInfo, notes: &[String], style: LineStyle) -> String {
    let topic = if room.topic.is_empty() { String::new() } else { format!("  {}", plain::line(&room.topic)) };
    let people = if room.members == 1 { "1 person" } else { &format!("{} people", room.members) };
    let mut notes: Vec<String> = notes.to_vec();
    notes.insert(0, people.to_string());
    let notes = format!("  ({})", notes.join(", "));
    format!("{}{topic}{}", style.name(&format!("#{}", plain::line(&room.name))), style.faint(&notes))
}

/// Returns one of the user's rooms, without a line end.
pub fn room_line(one: &RoomSummary, style: LineStyle) -> String {
    let mut notes = Vec::new();
    if !one.room.open {
        notes.push("by invitation".to_string());
    }
    if one.rank > RoomRank::Member {
        notes.push(format!(
            "you are {}",
            if one.rank == RoomRank::Owner { "the owner" } else { "a moderator" }
        ));
    }
    if one.unread > 0 {
        notes.push(format!("{} unread", unread_words(one.unread)));
    }
    described(&one.room, &notes, style)
}

/// Returns an invitation, without a line end.
pub fn invitation_line(one: &RoomInvitation, style: LineStyle) -> String {
    described(&one.room, &[format!("{} invited you", name_of(one.by.as_ref()))], style)
}

/// Returns a room that everyone may join, without a line end.
pub fn open_room_line(room: &RoomInfo, standing: RoomStanding, style: LineStyle) -> String {
    let note = match standing {
        RoomStanding::Member { .. } => Some("you are in it"),
        RoomStanding::Invited => Some("you are invited"),
        RoomStanding::Removed => Some("you were removed"),
        RoomStanding::Stranger => None,
    };
    described(room, &note.map(str::to_string).into_iter().collect::<Vec<_>>(), style)
}

/// Returns what stands in place of a message that was removed.
pub fn gap(by_author: bool) -> &'static str {
    if by_author { "(deleted by its author)" } else { "(removed by a moderator)" }
}

/// Returns a message in a room, without a line end.
pub fn text_line(message: &RoomText, style: LineStyle) -> String {
    let text = match &message.body {
        RoomBody::Text(text) => text.as_str(),
        RoomBody::Removed { by_author } => gap(*by_author),
    };
    said_by(message.wall_ms, &name_of(message.author.as_ref()), text, style)
}

/// Returns a room as operators see it, as a line of JSON.
pub fn listed_json(listed: &ListedRoom) -> String {
    let ListedRoom { room, owner, newest_wall_ms } = listed;
    let json = json!({
        "room": room.name,
        "topic": room.topic,
        "open": room.open,
        "members": room.members,
        "owner": owner.as_ref().map(|owner| &owner.username),
        "newest": newest_wall_ms.and_then(time_of),
    });
    plain::json(&json.to_string())
}

/// Returns a table of the rooms for operators.
pub fn listed_table(rooms: &[ListedRoom]) -> String {
    let head = ["ROOM", "OWNER", "PEOPLE", "JOIN", "NEWEST", "TOPIC"].map(str::to_string).to_vec();
    let rows = rooms.iter().map(|ListedRoom { room, owner, newest_wall_ms }| {
        vec![
            room.name.clone(),
            owner.as_ref().map_or("-".into(), |owner| owner.username.clone()),
            room.members.to_string(),
            if room.open { "open" } else { "by invitation" }.to_string(),
            newest_wall_ms.and_then(time::date).unwrap_or("-".into()),
            plain::line(&room.topic),
        ]
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let left = Align::Left;
    table::layout(&[left, left, Align::Right, left, left, left], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::query::Person;
    use ribbit_state::{AccountId, RoomId};

    fn ada() -> Person {
        Person {
            account: AccountId(3),
            username: "ada".into(),
            name: "ADA".into(),
            avatar: ribbit_state::Avatar::Drawn,
        }
    }

    fn info() -> RoomInfo {
        RoomInfo {
            id: RoomId(9),
            name: "pond".into(),
            topic: "frogs\x1b".into(),
            open: false,
            history: true,
            members: 1,
            created_wall_ms: 0,
        }
    }

    fn message(author: Option<Person>, body: RoomBody) -> RoomText {
        RoomText { id: 12, from: AccountId(3), author, wall_ms: 0, body }
    }

    /// Scripts rely on these fields. New ones may be added; nothing else may change.
    #[test]
    fn the_json_of_rooms_is_stable() {
        let said = message(Some(ada()), RoomBody::Text("a \"b\"".into()));
        let whom = r#"{"account":3,"username":"ada","name":"ADA"}"#;
        assert_eq!(
            text_json("pond", &said),
            format!(r#"{{"id":12,"room":"pond","from":{whom},"text":"a \"b\"","time":null,"removed":null}}"#)
        );
        assert_eq!(
            text_json("pond", &message(None, RoomBody::Removed { by_author: false })),
            r#"{"id":12,"room":"pond","from":null,"text":null,"time":null,"removed":"moderator"}"#
        );
        let (room, rank) = (info(), RoomRank::Owner);
        let mine = RoomSummary { room: room.clone(), rank, unread: 2, newest: None };
        let head = r#"{"room":"pond","topic":"frogs\u001b","open":false,"history":true,"members":1"#;
        assert_eq!(room_json(&mine), format!(r#"{head},"rank":"owner","unread":2}}"#));
        let invitation = RoomInvitation { room: room.clone(), by: Some(ada()) };
        assert_eq!(
            invitation_json(&invitation),
            format!(r#"{head},"rank":null,"unread":null,"invited_by":{whom}}}"#)
        );
        assert_eq!(
            open_room_json(&room, RoomStanding::Stranger),
            format!(r#"{head},"rank":null,"unread":null}}"#)
        );
        let member = RoomMemberEntry { person: ada(), rank };
        assert_eq!(member_json(&member), r#"{"account":3,"username":"ada","name":"ADA","standing":"owner"}"#);
    }

    #[test]
    fn a_badge_is_counted_up_to_the_bound() {
        assert_eq!([0, 7, 99, 100, 101].map(rooms_badge), ["", "7", "99", "100+", "100+"]);
    }

    #[test]
    fn lines_escape_and_say_what_is_special() {
        let style = LineStyle::default();
        let mine = RoomSummary { room: info(), rank: RoomRank::Owner, unread: 100, newest: None };
        assert_eq!(
            room_line(&mine, style),
            r"#pond  frogs\x1b  (1 person, by invitation, you are the owner, 100 or more unread)"
        );
        let gone = message(None, RoomBody::Removed { by_author: true });
        assert!(text_line(&gone, style).ends_with("[deleted]  (deleted by its author)"));
    }
}
