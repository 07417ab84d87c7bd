//! `/rooms` and below: the list of rooms, one room, its settings and its members.

use super::super::avatar;
use super::super::form::FormRequest;
use super::super::length::TextLength;
use super::super::rooms::unread_words;
use super::super::time::{self, RelativeTime};
use super::super::words::Refusals;
use super::bubble::BubblePlace;
use super::messages::DELETED;
use super::text::{self, TextPart};
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::query::{
    Person, RoomBody, RoomInfo, RoomInvitation, RoomMemberEntry, RoomStanding, RoomSummary, RoomText,
};
use ribbit_state::rows::RoomRank;
use ribbit_state::{AccountId, LogIndex};

/// Maximum length of a preview in the list of rooms, in characters.
const PREVIEW_CHARS_MAX: usize = 80;

/// A room in a list.
#[derive(Debug)]
pub struct RoomRow {
    pub name: String,
    pub topic: String,
    pub open: bool,
    /// `3 people`
    pub people: String,
    /// Number of unread messages in words; empty if there are none.
    pub unread: String,
    /// Beginning of the newest message, with its author.
    pub preview: Option<(String, String)>,
    pub when: Option<RelativeTime>,
    /// Name of the account that invited the user.
    pub invited_by: Option<String>,
    /// True if the user may join.
    pub joins: bool,
    pub request: Option<FormRequest>,
}

impl RoomRow {
    fn new(room: RoomInfo) -> RoomRow {
        RoomRow {
            people: people(room.members),
            name: room.name,
            topic: room.topic,
            open: room.open,
            unread: String::new(),
            preview: None,
            when: None,
            invited_by: None,
            joins: false,
            request: None,
        }
    }

    /// Prepares one of the user's rooms. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn mine(one: RoomSummary, now_ms: u64) -> RoomRow {
        let RoomSummary { room, unread, newest, .. } = one;
        let mut row = RoomRow::new(room);
        if unread > 0 {
            row.unread = unread_words(unread);
        }
        if let Some(newest) = newest {
            row.when = time::when(newest.wall_ms, now_ms);
            let author = newest.author.map_or(DELETED.to_string(), |author| author.name);
            if let RoomBody::Text(text) = newest.body {
                let mut preview: String = text.chars().take(PREVIEW_CHARS_MAX).collect();
                if preview.len() < text.len() {
                    preview.push('…');
                }
                row.preview = Some((author, preview));
            }
        }
        row
    }

    /// Prepares an invitation, with the request id of its buttons.
    pub fn invitation(one: RoomInvitation, request: FormRequest) -> RoomRow {
        let by = one.by.map_or(DELETED.to_string(), |by| by.name);
        RoomRow { invited_by: Some(by), request: Some(request), ..RoomRow::new(one.room) }
    }

    /// Prepares a room that the user is not in, with the request id of its button.
    pub fn other(room: RoomInfo, standing: RoomStanding, request: FormRequest) -> RoomRow {
        let joins = standing == RoomStanding::Stranger;
        RoomRow { joins, request: Some(request), ..RoomRow::new(room) }
    }
}

/// Returns a number of people in words.
pub fn people(count: u32) -> String {
    if count == 1 { "1 person".to_string() } else { format!("{count} people") }
}

/// The form for a new room.
#[derive(Debug)]
pub struct NewRoom {
    /// True if the form is open: it was sent and refused.
    pub shown: bool,
    pub request: Option<FormRequest>,
    pub name: String,
    pub topic: String,
    pub open: bool,
    pub history: bool,
    pub refusals: Refusals,
    pub log_in: bool,
}

/// `/rooms`: the user's rooms, invitations, and the rooms that one may join.
#[derive(Debug, Template)]
#[template(path = "rooms.html")]
pub struct RoomsPage {
    pub frame: PageFrame,
    pub form: NewRoom,
    pub rooms: Vec<RoomRow>,
    pub invitations: Vec<RoomRow>,
    pub others: Vec<RoomRow>,
    /// Start of the next page of the others.
    pub more: Option<String>,
}

/// A message in a room. Its only markup is `room-said.html`.
#[derive(Debug)]
pub struct SaidView {
    pub id: LogIndex,
    pub account: AccountId,
    /// `None` if the account was deleted.
    pub username: Option<String>,
    pub name: String,
    /// Path of the picture.
    pub avatar: String,
    pub mine: bool,
    pub place: BubblePlace,
    pub when: Option<RelativeTime>,
    pub parts: Vec<TextPart>,
    /// Text in place of a removed message.
    pub gap: Option<&'static str>,
    /// Request id of the button that removes it, if the user may.
    pub removal: Option<FormRequest>,
}

impl SaidView {
    /// Prepares a message that stands alone. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(said: RoomText, now_ms: u64) -> SaidView {
        let avatar = avatar::path(said.author.as_ref());
        let (username, name) = match said.author {
            Some(Person { username, name, .. }) => (Some(username), name),
            None => (None, DELETED.to_string()),
        };
        let (parts, gap) = match said.body {
            RoomBody::Text(text) => (text::parts(&text), None),
            RoomBody::Removed { by_author: true } => (Vec::new(), Some("This message was deleted.")),
            RoomBody::Removed { by_author: false } => {
                (Vec::new(), Some("This message was removed by a moderator."))
            }
        };
        SaidView {
            id: said.id,
            account: said.from,
            avatar,
            username,
            name,
            mine: false,
            place: BubblePlace::alone(said.wall_ms),
            when: time::when(said.wall_ms, now_ms),
            parts,
            gap,
            removal: None,
        }
    }

    /// Prepares the messages of a page, oldest first: grouped by author, with separators of days. `removal` returns the
    /// request id of a removal.
    pub fn list(
        said: Vec<RoomText>,
        now_ms: u64,
        me: AccountId,
        rank: RoomRank,
        mut removal: impl FnMut() -> FormRequest,
    ) -> Vec<SaidView> {
        let mut views: Vec<SaidView> = Vec::with_capacity(said.len());
        for one in said {
            let wall_ms = one.wall_ms;
            let mut view = SaidView::new(one, now_ms);
            view.mine = view.account == me;
            let before = views.last();
            let same = before.is_some_and(|before| before.account == view.account);
            view.place = view.place.behind(before.map(|before| &before.place), same, wall_ms);
            let may = view.mine || rank >= RoomRank::Moderator;
            view.removal = (may && view.gap.is_none()).then(&mut removal);
            views.push(view);
        }
        views
    }
}

/// The markup of one message, the same for every reader.
#[derive(Debug, Template)]
#[template(path = "room-said.html")]
pub struct SaidFragment {
    pub said: SaidView,
    /// Name of the room.
    pub room: String,
}

/// One page of a room.
#[derive(Debug)]
pub struct RoomView {
    pub info: RoomInfo,
    pub standing: RoomStanding,
    /// `3 people`
    pub people: String,
    /// Oldest first.
    pub said: Vec<SaidView>,
    /// Start of the next older page.
    pub older: Option<LogIndex>,
    /// True on the newest page.
    pub newest: bool,
    /// Address of the read-receipt image. `None` if there is nothing new.
    pub receipt: Option<String>,
}

impl RoomView {
    fn is_member(&self) -> bool {
        self.standing.rank().is_some()
    }
}

/// `/rooms/name`: what was said, and the form for a new message.
#[derive(Debug, Template)]
#[template(path = "room.html")]
pub struct RoomPageView {
    pub frame: PageFrame,
    /// Name of the room, as the form is posted to it.
    pub room: String,
    pub request: Option<FormRequest>,
    /// Text that could not be sent.
    pub message: String,
    pub refusals: Refusals,
    /// Length of `message`, if over the limit.
    pub too_long: Option<TextLength>,
    pub log_in: bool,
    /// `None` if the room could not be read.
    pub view: Option<RoomView>,
}

impl RoomPageView {
    /// Returns the path that the form for a message is posted to.
    fn action(&self) -> String {
        format!("/rooms/{}", self.room)
    }

    /// Returns true if the page has the form for a new message: the user is a member, or nothing is known of the room.
    fn writes(&self) -> bool {
        self.view.as_ref().map_or(!self.message.is_empty(), RoomView::is_member)
    }
}

/// `/rooms/name/settings`: the topic, who may join and read, leaving and closing.
#[derive(Debug, Template)]
#[template(path = "room-settings.html")]
pub struct RoomSettingsPage {
    pub frame: PageFrame,
    pub room: String,
    pub topic: String,
    pub open: bool,
    pub history: bool,
    pub rank: RoomRank,
    pub refusals: Refusals,
    pub log_in: bool,
    pub request: Option<FormRequest>,
    pub leave_request: Option<FormRequest>,
    pub close_request: Option<FormRequest>,
}

/// A member in the list, with the request ids of the buttons beside the name.
#[derive(Debug)]
pub struct RoomPersonRow {
    pub name: String,
    pub username: String,
    /// Path of the picture.
    pub avatar: String,
    /// `owner`, `moderator`, `invited`, `removed` or empty.
    pub standing: &'static str,
    /// Buttons: value of `choice`, words, and request id.
    pub buttons: Vec<(&'static str, &'static str, FormRequest)>,
}

impl RoomPersonRow {
    /// Prepares a person with the buttons that `choices` lists.
    pub fn new(
        person: &Person,
        standing: &'static str,
        choices: &[(&'static str, &'static str)],
        mut request: impl FnMut() -> FormRequest,
    ) -> RoomPersonRow {
        RoomPersonRow {
            avatar: avatar::path(Some(person)),
            name: person.name.clone(),
            username: person.username.clone(),
            standing,
            buttons: choices.iter().map(|(choice, words)| (*choice, *words, request())).collect(),
        }
    }

    /// Prepares a member for a reader of this rank.
    pub fn member(
        member: &RoomMemberEntry,
        me: AccountId,
        mine: RoomRank,
        request: impl FnMut() -> FormRequest,
    ) -> RoomPersonRow {
        let standing = if member.rank > RoomRank::Member { member.rank.name() } else { "" };
        let choices: &[(&str, &str)] = match (mine, member.rank) {
            _ if member.person.account == me => &[],
            (RoomRank::Owner, RoomRank::Moderator) => {
                &[("member", "End as moderator"), ("owner", "Make owner"), ("remove", "Remove")]
            }
            (RoomRank::Owner, _) => &[("moderator", "Make moderator"), ("remove", "Remove")],
            (RoomRank::Moderator, RoomRank::Member) => &[("remove", "Remove")],
            _ => &[],
        };
        RoomPersonRow::new(&member.person, standing, choices, request)
    }
}

/// `/rooms/name/members`: the members, and a form to invite.
#[derive(Debug, Template)]
#[template(path = "room-members.html")]
pub struct RoomMembersPage {
    pub frame: PageFrame,
    pub room: String,
    pub members: Vec<RoomPersonRow>,
    pub guests: Vec<RoomPersonRow>,
    /// Start of the next page.
    pub more: Option<AccountId>,
    /// True if the user may invite people.
    pub invites: bool,
    /// User name from a form that was refused.
    pub username: String,
    pub request: Option<FormRequest>,
    pub refusals: Refusals,
    pub log_in: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::Avatar;

    fn said(id: LogIndex, from: u64, wall_ms: u64) -> RoomText {
        let (account, username) = (AccountId(from), format!("u{from}"));
        let person = Person { account, username, name: "<b>".into(), avatar: Avatar::Drawn };
        let body = RoomBody::Text("<i>".into());
        RoomText { id, from: AccountId(from), author: Some(person), wall_ms, body }
    }

    #[test]
    fn messages_are_grouped_by_author_and_day() {
        let day = 1_709_251_199_999;
        let list =
            vec![said(1, 1, day), said(2, 1, day), said(3, 2, day), said(4, 2, day + 1), said(5, 1, 0)];
        let request = || FormRequest { id: ribbit_state::RequestId(1), submitted_at: 1 };
        let views = SaidView::list(list, 0, AccountId(1), RoomRank::Member, request);
        let shape: Vec<_> = views.iter().map(|it| (it.place.first, it.mine, it.removal.is_some())).collect();
        let (mine, theirs) = ((true, true, true), (true, false, false));
        assert_eq!(shape, [mine, (false, true, true), theirs, theirs, mine]);
        let days: Vec<_> = views.iter().filter_map(|it| it.place.day_begins.clone()).collect();
        assert_eq!(days, ["29 February 2024", "1 March 2024"]);
        let html = SaidFragment { said: SaidView::new(said(1, 1, day), 0), room: "pond".into() };
        let html = html.render().unwrap();
        assert!(!html.contains("<b><b>") && html.contains("&#60;i&#62;"), "{html}");
    }
}
