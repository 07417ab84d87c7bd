//! The audit log as text and JSON.

use super::plain;
use super::time::shown;
use ribbit_state::rows::{Actor, AuditPerson, AuditRow, AuditThing};
use ribbit_state::{Code, LogIndex};
use serde_json::json;

/// Returns an act for the terminal: when, who, from where, what.
pub fn line(row: &AuditRow) -> String {
    let at = shown(row.wall_ms).map_or_else(|| "-".to_string(), |time| time.machine);
    format!("{at}  {}  {}", who(row), what(row))
}

/// Returns an act as a sentence: who, from where, what.
pub fn sentence(row: &AuditRow) -> String {
    format!("{} {}", who(row), what(row))
}

fn who(row: &AuditRow) -> String {
    let actor = match &row.actor {
        Actor::Operator { name } if name.is_empty() => "unknown".to_string(),
        Actor::Operator { name } => plain::line(name),
        Actor::Account { username, .. } => format!("@{}", plain::line(username)),
    };
    let from =
        if row.address.is_empty() { String::new() } else { format!(" ({})", plain::line(&row.address)) };
    actor + &from
}

fn what(row: &AuditRow) -> String {
    let mut line = String::new();
    if let Some(code) = row.refused {
        line += &format!("was refused ({}): ", code.number());
    }
    line += row.act.text();
    if let Some(AuditPerson { account, username }) = &row.person {
        line += &match (username.as_str(), account) {
            ("", Some(account)) => format!(" account {}", account.0),
            (username, _) => format!(" @{}", plain::line(username)),
        };
    }
    match thing(row.thing) {
        // The words of the act say that it is a member.
        Some(("member", name)) => line += &format!(" {name}"),
        Some((kind, id)) => line += &format!(" {kind} {id}"),
        None => {}
    }
    if !row.detail.is_empty() {
        line += &format!(" {}", plain::line(&row.detail));
    }
    line
}

/// Returns an act as a line of JSON.
pub fn json(index: LogIndex, row: &AuditRow) -> String {
    let by = match &row.actor {
        Actor::Operator { name } => json!({ "operator": name }),
        Actor::Account { account, username } => json!({ "account": account.0, "username": username }),
    };
    let about = row.person.as_ref().map(
        |person| json!({ "account": person.account.map(|account| account.0), "username": person.username }),
    );
    let thing = thing(row.thing).map(|(kind, id)| json!({ "kind": kind, "id": id }));
    let json = json!({
        "id": index,
        "at": shown(row.wall_ms).map(|time| time.machine),
        "age_ms": row.age_ms,
        "by": by,
        "from": row.address,
        "act": row.act.name(),
        "about": about,
        "thing": thing,
        "detail": row.detail,
        "refused": row.refused.map(Code::number),
    });
    plain::json(&json.to_string())
}

fn thing(thing: AuditThing) -> Option<(&'static str, String)> {
    Some(match thing {
        AuditThing::None => return None,
        AuditThing::Croak { croak } => ("croak", croak.to_string()),
        AuditThing::Report { report } => ("report", report.to_string()),
        AuditThing::RoomMessage { message } => ("room-message", message.to_string()),
        AuditThing::Announcement { announcement } => ("announcement", announcement.to_string()),
        AuditThing::Member { name } => ("member", name.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::rows::Act;
    use ribbit_state::{AccountId, MemberName, Role};

    fn row() -> AuditRow {
        AuditRow {
            number: 1,
            actor: Actor::Operator { name: "pi@board1\u{1b}".into() },
            address: "10.0.0.1".into(),
            act: Act::Suspend,
            person: Some(AuditPerson { account: Some(AccountId(7)), username: "bob".into() }),
            thing: AuditThing::None,
            detail: String::new(),
            refused: None,
            wall_ms: 1_700_000_000_000,
            age_ms: 5,
        }
    }

    #[test]
    fn an_act_is_a_line_and_an_object() {
        assert_eq!(line(&row()), "2023-11-14T22:13:20Z  pi@board1\\x1b (10.0.0.1)  suspended @bob");
        assert_eq!(
            json(300, &row()),
            r#"{"about":{"account":7,"username":"bob"},"act":"suspend","age_ms":5,"at":"2023-11-14T22:13:20Z","by":{"operator":"pi@board1\u001b"},"detail":"","from":"10.0.0.1","id":300,"refused":null,"thing":null}"#
        );
        let drained = AuditRow {
            actor: Actor::Operator { name: String::new() },
            address: String::new(),
            act: Act::DrainMember,
            person: None,
            thing: AuditThing::Member { name: MemberName::at_home(Role::Backend, 2) },
            refused: Some(Code::NotYours),
            ..row()
        };
        assert!(line(&drained).ends_with("  unknown  was refused (648): took the vote from backend-2"));
        let removed = AuditRow { act: Act::DeleteCroak, thing: AuditThing::Croak { croak: 9 }, ..row() };
        assert!(line(&removed).ends_with("deleted a croak of @bob croak 9"), "{}", line(&removed));
    }
}
