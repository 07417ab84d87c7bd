//! Notices as notifications.

use super::account::AccountEntity;
use super::status::{Entities, StatusEntity};
use super::timestamp;
use ribbit_state::LogIndex;
use ribbit_state::query::{FeedCroak, NoticeItem};
use ribbit_state::rows::NoticeKind;
use serde::Serialize;

/// A notice of something that another person has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationEntity {
    pub id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    created_at: String,
    account: AccountEntity,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusEntity>,
}

/// Returns the type of a notice, or `None` if clients have no word for it: invitations and mentions in rooms, and what the people
/// who run the servers tell. These are on the page of notifications alone.
pub fn kind(kind: NoticeKind) -> Option<&'static str> {
    match kind {
        NoticeKind::Mention { .. } | NoticeKind::Reply { .. } => Some("mention"),
        NoticeKind::Like { .. } => Some("favourite"),
        NoticeKind::Share { .. } => Some("reblog"),
        NoticeKind::Follow => Some("follow"),
        NoticeKind::Invitation { .. }
        | NoticeKind::ReportDecided { .. }
        | NoticeKind::Warning { .. }
        | NoticeKind::RoomMention { .. } => None,
    }
}

impl NotificationEntity {
    /// Returns the notification of a notice. `croaks` has the one that it is about. `None` if there is no word for it, or the
    /// croak is gone in the meantime.
    pub fn new(entities: &Entities, notice: &NoticeItem, croaks: &[FeedCroak]) -> Option<NotificationEntity> {
        let kind = kind(notice.kind)?;
        let find = |id: LogIndex| croaks.iter().find(|croak| croak.id == id);
        let status = match notice.kind.croak() {
            Some(id) => Some(entities.status(find(id)?)),
            None => None,
        };
        Some(NotificationEntity {
            id: notice.id.to_string(),
            kind,
            created_at: timestamp(notice.wall_ms),
            account: entities.account(notice.from.as_ref()?),
            status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SiteAddresses;
    use ribbit_state::query::{CroakBody, Person};
    use ribbit_state::{AccountId, Avatar};

    #[test]
    fn a_notice_is_shown_with_its_croak_or_not_at_all() {
        let bob = Person {
            account: AccountId(4),
            username: "bob".into(),
            name: "Bob".into(),
            avatar: Avatar::Drawn,
        };
        let entities = Entities::new(SiteAddresses::new(false, "pond"), Vec::new());
        let croak = FeedCroak::original(7, bob.clone(), CroakBody::original(0, "quak"));
        let notice = |kind| NoticeItem {
            id: 9,
            from: Some(bob.clone()),
            wall_ms: 0,
            kind,
            text: None,
            room: None,
            unread: true,
        };
        let shown = |kind, croaks: &[FeedCroak]| {
            NotificationEntity::new(&entities, &notice(kind), croaks)
                .map(|it| serde_json::to_value(it).unwrap())
        };
        let liked = shown(NoticeKind::Like { croak: 7 }, &[croak]).unwrap();
        assert_eq!((&liked["type"], &liked["status"]["id"]), (&"favourite".into(), &"7".into()));
        assert_eq!(shown(NoticeKind::Like { croak: 7 }, &[]), None);
        let followed = shown(NoticeKind::Follow, &[]).unwrap();
        assert_eq!((followed["type"].as_str(), followed.get("status")), (Some("follow"), None));
        assert_eq!(shown(NoticeKind::Warning { croak: None }, &[]), None);
    }
}
