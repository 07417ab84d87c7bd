//! `/admin` and below: the pages of moderators and admins.

use super::super::audit;
use super::super::avatar;
use super::super::form::FormRequest;
use super::super::time::{self, RelativeTime};
use super::super::words::{Refusals, capitalized};
use super::invitations::{FreshInvitation, InvitationRow};
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::command::Verdict;
use ribbit_state::query::{
    AccountSummary, AnnouncementItem, JoinRequestItem, ListedRoom, Person, ReportItem,
};
use ribbit_state::rows::{AuditRow, Credential, ReportedThing};
use ribbit_state::{AccountRole, LogIndex, Registration};

/// Page with a tab of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminTab {
    Overview,
    Reports,
    People,
    Requests,
    Invitations,
    Rooms,
    Members,
    Backups,
    Site,
    Audit,
}

/// Tabs and refusals above the content of each of these pages.
#[derive(Debug)]
pub struct AdminHead {
    pub tab: AdminTab,
    /// True if the viewer is an admin. A moderator has the first three tabs only.
    pub admin: bool,
    pub refusals: Vec<String>,
}

/// A report, with the request id of the buttons below it.
#[derive(Debug)]
pub struct ReportRow {
    pub id: LogIndex,
    pub from: Option<String>,
    pub about: Option<String>,
    /// Kind of the reported thing, before the name of its author: `a croak of`. Empty if the person was reported.
    pub thing: &'static str,
    /// Text of the thing when it was reported.
    pub text: String,
    /// Words of the person who reported it; may be empty.
    pub words: String,
    pub when: Option<RelativeTime>,
    /// Decisions that can be made: the value and the words of a button.
    pub verdicts: Vec<(&'static str, &'static str)>,
    pub request: FormRequest,
}

impl ReportRow {
    /// Prepares a report for display. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(report: ReportItem, now_ms: u64, request: FormRequest) -> ReportRow {
        let thing = match &report.thing {
            ReportedThing::Person => "",
            ReportedThing::Croak { .. } => "a croak of",
            ReportedThing::Message { .. } => "a message of",
            ReportedThing::RoomMessage { .. } => "a message in a room of",
        };
        let removable = report.thing != ReportedThing::Person;
        let verdicts = [
            (Verdict::Nothing, "Leave it", true),
            (Verdict::Remove, "Delete the text", removable),
            (Verdict::Warn, "Warn the person", report.about.is_some()),
            (Verdict::Suspend, "Suspend the person", report.about.is_some()),
        ];
        let name = |person: Option<Person>| person.map(|person| person.username);
        ReportRow {
            id: report.id,
            from: name(report.from),
            about: name(report.about),
            thing,
            text: report.text,
            words: report.words,
            when: time::when(report.wall_ms, now_ms),
            verdicts: verdicts
                .into_iter()
                .filter_map(|(verdict, words, possible)| possible.then_some((verdict.name(), words)))
                .collect(),
            request,
        }
    }
}

/// `/admin/reports`: reports that wait for a decision, oldest first.
#[derive(Debug, Template)]
#[template(path = "admin-reports.html")]
pub struct ReportsPage {
    pub frame: PageFrame,
    pub head: AdminHead,
    pub reports: Vec<ReportRow>,
    /// Address of the next page, if there is one.
    pub more: Option<String>,
}

/// An account in a list, or on its own page.
#[derive(Debug)]
pub struct AccountRow {
    pub name: String,
    pub username: String,
    /// Path of the picture.
    pub avatar: String,
    /// Empty where the viewer may not see it.
    pub email: String,
    pub role: AccountRole,
    pub suspended: bool,
    /// Words for the credential.
    pub opens: &'static str,
    pub sessions: u32,
    pub joined: Option<RelativeTime>,
}

impl AccountRow {
    /// Prepares an account for display. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(account: AccountSummary, now_ms: u64) -> AccountRow {
        AccountRow {
            avatar: avatar::path(Some(&account.person)),
            name: account.person.name,
            username: account.person.username,
            email: account.email,
            role: account.role,
            suspended: account.suspended,
            opens: match account.credential {
                Credential::Password(()) => "A password",
                Credential::Name => "The name alone, through a gateway",
                Credential::Nothing => "Nothing yet: the link to set a password was not used",
            },
            sessions: account.sessions,
            joined: time::when(account.created_wall_ms, now_ms),
        }
    }

    /// Returns the role of an account that has one, as in `Moderator`.
    fn rank(&self) -> Option<String> {
        (self.role != AccountRole::Person).then(|| capitalized(self.role.name()))
    }
}

/// `/admin/people`: accounts, and a search by user name.
#[derive(Debug, Template)]
#[template(path = "admin-people.html")]
pub struct AccountsPage {
    pub frame: PageFrame,
    pub head: AdminHead,
    /// Beginning of the user names that are listed; may be empty.
    pub names: String,
    pub accounts: Vec<AccountRow>,
    /// Address of the next page, if there is one.
    pub more: Option<String>,
}

/// `/admin/people/NAME`: one account, with the forms that change it.
#[derive(Debug, Template)]
#[template(path = "admin-person.html")]
pub struct AccountPage {
    pub frame: PageFrame,
    pub head: AdminHead,
    pub account: AccountRow,
    /// The one-time link that was just made. It is shown this once.
    pub link: Option<String>,
    pub suspend_request: Option<FormRequest>,
    pub role_request: Option<FormRequest>,
    pub link_request: Option<FormRequest>,
    pub delete_request: Option<FormRequest>,
}

impl AccountPage {
    fn roles(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let current = self.account.role;
        AccountRole::ALL.into_iter().map(move |role| (role.name(), role == current))
    }
}

/// A request for an account, with the request id of the buttons beside it.
#[derive(Debug)]
pub struct JoinRow {
    pub username: String,
    pub name: String,
    pub email: String,
    pub when: Option<RelativeTime>,
    pub request: FormRequest,
}

impl JoinRow {
    /// Prepares a request for display. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(item: JoinRequestItem, now_ms: u64, request: FormRequest) -> JoinRow {
        let JoinRequestItem { username, name, email, wall_ms } = item;
        JoinRow { username, name, email, when: time::when(wall_ms, now_ms), request }
    }
}

/// `/admin/requests`: people who wait for an account.
#[derive(Debug, Template)]
#[template(path = "admin-requests.html")]
pub struct JoinRequestsPage {
    pub frame: PageFrame,
    pub head: AdminHead,
    pub requests: Vec<JoinRow>,
    /// Address of the next page, if there is one.
    pub more: Option<String>,
}

/// `/admin/invitations`: all invitations, those of operators first.
#[derive(Debug, Template)]
#[template(path = "admin-invitations.html")]
pub struct AllInvitationsPage {
    pub frame: PageFrame,
    pub head: AdminHead,
    pub fresh: Option<FreshInvitation>,
    pub invitations: Vec<InvitationRow>,
    /// Address of the next page, if there is one.
    pub more: Option<String>,
    pub request: Option<FormRequest>,
}

/// A room in the list of all rooms.
#[derive(Debug)]
pub struct ListedRoomRow {
    pub name: String,
    pub topic: String,
    /// Way to join it, and the number of its members, in words.
    pub people: String,
    pub owner: Option<String>,
    /// Time of its newest message.
    pub when: Option<RelativeTime>,
}

impl ListedRoomRow {
    /// Prepares a room for display. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(listed: ListedRoom, now_ms: u64) -> ListedRoomRow {
        let ListedRoom { room, owner, newest_wall_ms } = listed;
        let joining = if room.open { "open" } else { "by invitation" };
        let people = if room.members == 1 { "person" } else { "people" };
        ListedRoomRow {
            people: format!("{joining}, {} {people}", room.members),
            name: room.name,
            topic: room.topic,
            owner: owner.map(|owner| owner.username),
            when: newest_wall_ms.and_then(|wall_ms| time::when(wall_ms, now_ms)),
        }
    }
}

/// `/admin/rooms`: all rooms, and a search by name.
#[derive(Debug, Template)]
#[template(path = "admin-rooms.html")]
pub struct AllRoomsPage {
    pub frame: PageFrame,
    pub head: AdminHead,
    /// Beginning of the names that are listed; may be empty.
    pub names: String,
    pub rooms: Vec<ListedRoomRow>,
    /// Address of the next page, if there is one.
    pub more: Option<String>,
}

/// A problem of the cluster or of a member, in words.
#[derive(Debug)]
pub struct ProblemLine {
    pub words: String,
    /// Advice to the operator.
    pub fix: Option<String>,
}

/// `/admin/backups`: the age of the newest backup, and how to make one.
#[derive(Debug, Template)]
#[template(path = "admin-backups.html")]
pub struct BackupsPage {
    pub frame: PageFrame,
    pub head: AdminHead,
    pub newest: ProblemLine,
}

/// Returns the values and words of the registration modes, with the current one marked.
pub fn registrations(current: Registration) -> Vec<(&'static str, &'static str, bool)> {
    let words = |registration| match registration {
        Registration::Open => "everyone",
        Registration::Invitation => "people with an invitation",
        Registration::Request => "people with an invitation; others can ask",
        Registration::Closed => "people whom an operator invites",
    };
    Registration::ALL.map(|one| (one.name(), words(one), one == current)).into()
}

/// An announcement, with the request id of the button beside it.
#[derive(Debug)]
pub struct AnnouncementRow {
    pub id: LogIndex,
    pub text: String,
    pub when: Option<RelativeTime>,
    pub request: FormRequest,
}

impl AnnouncementRow {
    /// Prepares an announcement for display. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(item: AnnouncementItem, now_ms: u64, request: FormRequest) -> AnnouncementRow {
        AnnouncementRow { id: item.id, text: item.text, when: time::when(item.wall_ms, now_ms), request }
    }
}

/// `/admin/site`: the texts of the first page, and announcements.
#[derive(Debug, Template)]
#[template(path = "admin-site.html")]
pub struct SitePage {
    pub frame: PageFrame,
    pub head: AdminHead,
    pub name: String,
    pub welcome: String,
    pub registrations: Vec<(&'static str, &'static str, bool)>,
    pub inviters: Vec<(&'static str, bool)>,
    /// Text of an announcement that was refused.
    pub announcement: String,
    pub announcements: Vec<AnnouncementRow>,
    /// Request id of the form with the texts.
    pub texts_request: Option<FormRequest>,
    /// Request id of the form of the registration mode.
    pub joining_request: Option<FormRequest>,
    /// Request id of the form of an announcement.
    pub announce_request: Option<FormRequest>,
}

/// An act in the audit log.
#[derive(Debug)]
pub struct AuditLine {
    pub words: String,
    pub when: Option<RelativeTime>,
}

impl AuditLine {
    /// Prepares an act for display. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(row: &AuditRow, now_ms: u64) -> AuditLine {
        AuditLine { words: audit::sentence(row), when: time::when(row.wall_ms, now_ms) }
    }
}

/// `/admin/audit`: the acts of operators, moderators and admins, newest first.
#[derive(Debug, Template)]
#[template(path = "admin-audit.html")]
pub struct AuditPage {
    pub frame: PageFrame,
    pub head: AdminHead,
    pub acts: Vec<AuditLine>,
    /// Address of the next older page, if there is one.
    pub older: Option<String>,
}

/// Form that asks before an act: whether to do it, or for the password. It carries the fields of the form that was sent.
#[derive(Debug, Template)]
#[template(path = "admin-confirm.html")]
pub struct ConfirmPage {
    pub frame: PageFrame,
    pub words: String,
    pub asks_password: bool,
    /// Words of the button.
    pub button: &'static str,
    /// Path of the form that was sent.
    pub action: String,
    /// Path that leads back without the act.
    pub back: &'static str,
    pub fields: Vec<(String, String)>,
    pub request: Option<FormRequest>,
    pub refusals: Refusals,
}
