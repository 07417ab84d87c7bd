//! Words, lines and JSON of notices.

use super::lines::LineStyle;
use super::plain;
use ribbit_state::command::Verdict;
use ribbit_state::query::NoticeItem;
use ribbit_state::rows::NoticeKind;
use serde::Serialize;

/// Returns what happened, to be read behind the name of the person who did it, or alone for the people who run the servers.
pub fn what(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Mention { .. } | NoticeKind::RoomMention { .. } => "mentioned you",
        NoticeKind::Reply { .. } => "replied to you",
        NoticeKind::Like { .. } => "liked your croak",
        NoticeKind::Share { .. } => "shared your croak",
        NoticeKind::Follow => "follows you",
        NoticeKind::Invitation { .. } => "invited you to a room",
        NoticeKind::ReportDecided { verdict: Verdict::Nothing, .. } => {
            "Your report was read. No rule was broken, so nothing was changed."
        }
        NoticeKind::ReportDecided { verdict: Verdict::Remove, .. } => {
            "Your report was read, and the text was deleted. Thank you."
        }
        NoticeKind::ReportDecided { verdict: Verdict::Warn, .. } => {
            "Your report was read, and the person was warned. Thank you."
        }
        NoticeKind::ReportDecided { verdict: Verdict::Suspend, .. } => {
            "Your report was read, and the account was suspended. Thank you."
        }
        NoticeKind::Warning { .. } => {
            "Someone reported you, and the people who run the servers agreed. Please be kind."
        }
    }
}

/// Returns the name of a kind in JSON.
fn name(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Mention { .. } => "mention",
        NoticeKind::Reply { .. } => "reply",
        NoticeKind::Like { .. } => "like",
        NoticeKind::Share { .. } => "share",
        NoticeKind::Follow => "follow",
        NoticeKind::Invitation { .. } => "invitation",
        NoticeKind::ReportDecided { .. } => "report-decided",
        NoticeKind::Warning { .. } => "warning",
        NoticeKind::RoomMention { .. } => "room-mention",
    }
}

/// Returns the address of the page that shows what a notice is about.
pub fn address(notice: &NoticeItem) -> Option<String> {
    if let Some(room) = &notice.room {
        return Some(format!("/rooms/{room}"));
    }
    match (notice.kind, &notice.from, &notice.text) {
        (NoticeKind::Warning { croak: Some(croak) }, _, Some(_)) => Some(format!("/croak/{croak}")),
        (NoticeKind::Follow, Some(person), _) => Some(format!("/@{}", person.username)),
        (kind, ..) => kind.croak().map(|croak| format!("/croak/{croak}")),
    }
}

/// Returns a notice as a line of text, without a line end: `@bob mentioned you: hello @ada`.
pub fn line(notice: &NoticeItem, style: LineStyle) -> String {
    let from = match &notice.from {
        Some(person) => style.name(&format!("@{}", plain::line(&person.username))) + " ",
        None => String::new(),
    };
    let text = notice.text.as_ref().map_or(String::new(), |text| format!(": {}", plain::line(text)));
    let room = match (&notice.room, notice.kind) {
        (Some(room), NoticeKind::Invitation { .. }) => format!(": #{room}"),
        (Some(room), _) => format!(" in #{room}"),
        (None, _) => String::new(),
    };
    format!("{from}{}{room}{text}", what(notice.kind))
}

#[derive(Serialize)]
struct NoticeJson<'a> {
    id: u64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    croak: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    unread: bool,
}

/// Returns a notice as a line of JSON.
pub fn json(notice: &NoticeItem) -> String {
    let verdict = match notice.kind {
        NoticeKind::ReportDecided { verdict, .. } => Some(verdict),
        _ => None,
    };
    let croak = match notice.kind {
        NoticeKind::Warning { croak } => croak,
        kind => kind.croak(),
    };
    let json = NoticeJson {
        id: notice.id,
        kind: name(notice.kind),
        from: notice.from.as_ref().map(|person| person.username.as_str()),
        croak,
        text: notice.text.as_deref(),
        room: notice.room.as_deref(),
        verdict,
        at: super::time::shown(notice.wall_ms).map(|shown| shown.machine),
        unread: notice.unread,
    };
    plain::json(&serde_json::to_string(&json).expect("plain data always serialises"))
}
