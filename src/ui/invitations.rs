//! Invitations and requests for accounts, as text and JSON.

use super::plain;
use super::time::shown;
use ribbit_state::query::{InvitationItem, JoinRequestItem};
use serde_json::json;

/// Returns a time span in its largest unit, rounded up: `7 days`, `1 hour`.
pub fn lasting(ms: u64) -> String {
    let minutes = ms.div_ceil(60_000);
    let (count, unit) = match minutes {
        0..=119 => (minutes, "minute"),
        120..=2_879 => (minutes.div_ceil(60), "hour"),
        _ => (minutes.div_ceil(24 * 60), "day"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

/// Returns how often an invitation was used, and how long it works: `2 of 5 used, 3 days left`.
pub fn state(item: &InvitationItem) -> String {
    let InvitationItem { used, uses_max, left_ms, .. } = item;
    let left = match (used < uses_max, left_ms) {
        (false, _) => "used up".to_string(),
        (true, 0) => "expired".to_string(),
        (true, ms) => format!("{} left", lasting(*ms)),
    };
    format!("{used} of {uses_max} used, {left}")
}

/// Returns who invites a person, for the sign-up page.
pub fn welcome(item: &InvitationItem) -> String {
    let by = item.by.as_ref().map_or(String::new(), |by| format!(" by {} (@{})", by.name, by.username));
    let room = item.room.as_ref().map_or(String::new(), |room| format!(", and will join #{room}"));
    format!("You are invited{by}{room}.")
}

/// Returns an invitation for operators.
pub fn line(item: &InvitationItem) -> String {
    let by = item.by.as_ref().map_or("operators".to_string(), |person| format!("@{}", person.username));
    let room = item.room.as_ref().map_or(String::new(), |room| format!("  joins #{room}"));
    format!("#{}  by {by}  {}{room}", item.id, state(item))
}

/// Returns an invitation as a line of JSON.
pub fn json(item: &InvitationItem) -> String {
    let InvitationItem { id, by, wall_ms, left_ms, uses_max, used, room } = item;
    let time = shown(*wall_ms).map(|time| time.machine);
    let by = by.as_ref().map(|person| &person.username);
    let left_s = left_ms.div_ceil(1_000);
    json!({ "id": id, "by": by, "uses": uses_max, "used": used, "left_s": left_s, "room": room, "time": time })
        .to_string()
}

/// Returns a person who waits for approval.
pub fn request_line(request: &JoinRequestItem) -> String {
    let JoinRequestItem { username, name, email, wall_ms } = request;
    let when = shown(*wall_ms).map_or(String::new(), |time| format!("  {}", time.people));
    format!("@{username}  {}  {}{when}", plain::line(name), plain::line(email))
}

/// Returns a person who waits for approval as a line of JSON.
pub fn request_json(request: &JoinRequestItem) -> String {
    let JoinRequestItem { username, name, email, wall_ms } = request;
    let time = shown(*wall_ms).map(|time| time.machine);
    json!({ "username": username, "name": name, "email": email, "time": time }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_a_line_or_an_object() {
        let item = InvitationItem {
            id: 7,
            by: None,
            wall_ms: 0,
            left_ms: 172_800_001,
            uses_max: 5,
            used: 2,
            room: Some("pond".into()),
        };
        assert_eq!(line(&item), "#7  by operators  2 of 5 used, 3 days left  joins #pond");
        let object = r#"{"by":null,"id":7,"left_s":172801,"room":"pond","time":null,"used":2,"uses":5}"#;
        assert_eq!(json(&item), object);
        assert!(state(&InvitationItem { used: 5, ..item.clone() }).ends_with("used up"));
        assert!(state(&InvitationItem { left_ms: 0, ..item }).ends_with("expired"));
        assert_eq!((lasting(60_000), lasting(7_200_000)), ("1 minute".into(), "2 hours".into()));
    }

    #[test]
    fn a_request_shows_no_control_characters() {
        let request = JoinRequestItem {
            username: "bob".into(),
            name: "Bob\u{1b}[2J".into(),
            email: "b@b".into(),
            wall_ms: 0,
        };
        assert!(
            request_line(&request).starts_with("@bob  Bob") && !request_line(&request).contains('\u{1b}')
        );
    }
}
