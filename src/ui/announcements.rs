//! Announcements of operators as text and JSON.

use super::plain;
use super::time::shown;
use ribbit_state::query::AnnouncementItem;
use serde_json::json;

/// Returns an announcement for the terminal.
pub fn line(item: &AnnouncementItem) -> String {
    format!("#{}  Announcement: {}", item.id, plain::line(&item.text))
}

/// Returns an announcement as a line of JSON.
pub fn json(item: &AnnouncementItem) -> String {
    let time = shown(item.wall_ms).map(|time| time.machine);
    let left_s = item.left_ms.map(|left| left.div_ceil(1_000));
    json!({ "id": item.id, "text": item.text, "time": time, "left_s": left_s }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_a_line_or_an_object() {
        let item = AnnouncementItem { id: 7, text: "rain\u{1b}[2J".into(), wall_ms: 0, left_ms: Some(1_001) };
        assert!(line(&item).starts_with("#7  Announcement: rain") && !line(&item).contains('\u{1b}'));
        assert_eq!(json(&item), r#"{"id":7,"left_s":2,"text":"rain\u001b[2J","time":null}"#);
    }
}
