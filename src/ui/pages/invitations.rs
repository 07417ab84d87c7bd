//! `/invitations`: links with which others sign up.

use super::super::form::FormRequest;
use super::super::invitations::state;
use super::super::qr::QrCode;
use super::super::time::{self, RelativeTime};
use super::super::words::Refusals;
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::query::InvitationItem;

/// An invitation, with the request id of the button beside it.
#[derive(Debug)]
pub struct InvitationRow {
    pub id: LogIndex,
    /// Username of the person who made it. `None` if operators did.
    pub by: Option<String>,
    /// `2 of 5 used, 3 days left`.
    pub state: String,
    pub room: Option<String>,
    pub when: Option<RelativeTime>,
    pub request: FormRequest,
}

impl InvitationRow {
    /// Prepares an invitation for display. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(item: &InvitationItem, now_ms: u64, request: FormRequest) -> InvitationRow {
        let when = time::when(item.wall_ms, now_ms);
        let by = item.by.as_ref().map(|person| person.username.clone());
        InvitationRow { id: item.id, by, state: state(item), room: item.room.clone(), when, request }
    }
}

/// An invitation that was just made. Its link is shown this once.
#[derive(Debug)]
pub struct FreshInvitation {
    pub link: String,
    /// QR code of the link, if it is short enough.
    pub code: Option<QrCode>,
}

impl FreshInvitation {
    pub fn new(link: String) -> FreshInvitation {
        let code = QrCode::of(&link);
        FreshInvitation { link, code }
    }
}

/// `/invitations`.
#[derive(Debug, Template)]
#[template(path = "invitations.html")]
pub struct InvitationsPage {
    pub frame: PageFrame,
    /// False if the reader may not make one now.
    pub may_invite: bool,
    pub fresh: Option<FreshInvitation>,
    /// Oldest first.
    pub invitations: Vec<InvitationRow>,
    /// Names of the rooms that the reader is in.
    pub rooms: Vec<String>,
    pub request: Option<FormRequest>,
    pub refusals: Refusals,
}
