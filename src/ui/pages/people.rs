//! `/people` and `/@name`: lists of people, and a profile.

use super::super::avatar;
use super::super::form::FormRequest;
use super::super::time::RelativeTime;
use super::super::words::Refusals;
use super::text::TextPart;
use super::{CroakView, NavEntry, PageFrame};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::query::PersonRelation;

/// A person in a list or on a profile, with the request id of the button beside the name.
#[derive(Debug)]
pub struct PersonRow {
    pub name: String,
    pub username: String,
    /// Path of the picture.
    pub avatar: String,
    /// True if the viewer follows this person.
    pub followed: bool,
    /// True if this person follows the viewer.
    pub follows: bool,
    /// True if the viewer has muted this person.
    pub muted: bool,
    /// True if the viewer has blocked this person.
    pub blocked: bool,
    /// True if this person has blocked the viewer.
    pub blocks: bool,
    /// True if this person is the viewer.
    pub me: bool,
    pub request: FormRequest,
}

impl PersonRow {
    /// Prepares a person for display. `me` is the viewer's username.
    pub fn new(who: PersonRelation, me: &str, request: FormRequest) -> PersonRow {
        let PersonRelation { person, followed, follows, muted, blocked, blocks } = who;
        PersonRow {
            avatar: avatar::path(Some(&person)),
            me: person.username == me,
            name: person.name,
            username: person.username,
            followed,
            follows,
            muted,
            blocked,
            blocks,
            request,
        }
    }
}

/// List of people, with a tab of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeopleTab {
    Everyone,
    /// The page `/manage`.
    Following,
    Followers,
}

impl PeopleTab {
    /// Returns the value of `?who=`; empty for everyone.
    pub fn name(self) -> &'static str {
        match self {
            PeopleTab::Everyone => "",
            PeopleTab::Following => "following",
            PeopleTab::Followers => "followers",
        }
    }

    /// Returns the value of `back` in the forms of the list, which lead back to it.
    fn back(self) -> &'static str {
        if self == PeopleTab::Everyone { "people" } else { self.name() }
    }
}

/// One page of a list of people.
#[derive(Debug)]
pub struct PeopleList {
    pub people: Vec<PersonRow>,
    /// Address of the next page.
    pub more: Option<String>,
    /// True on the first page.
    pub first: bool,
}

/// `/people`: a search form and its results.
#[derive(Debug, Template)]
#[template(path = "people.html")]
pub struct PeoplePage {
    pub frame: PageFrame,
    pub which: PeopleTab,
    /// Search pattern.
    pub names: String,
    pub refusals: Refusals,
    /// Always false: this page is not shown without a session.
    pub log_in: bool,
    /// `None` if the list could not be read.
    pub list: Option<PeopleList>,
}

impl PeoplePage {
    fn tab(&self) -> Option<PeopleTab> {
        Some(self.which)
    }

    /// Returns the heading of the list.
    fn heading(&self) -> &'static str {
        match self.which {
            _ if !self.names.is_empty() => "Results",
            PeopleTab::Everyone => "Everyone",
            PeopleTab::Following => "People you follow",
            PeopleTab::Followers => "Your followers",
        }
    }

    /// Returns the address of the first page of the list.
    fn start(&self) -> String {
        match self.which {
            PeopleTab::Everyone => "/people".to_string(),
            PeopleTab::Following | PeopleTab::Followers => format!("/people?who={}", self.which.name()),
        }
    }

    /// Returns the words in place of an empty list.
    fn nothing(&self) -> &'static str {
        let (more, first) =
            self.list.as_ref().map_or((false, true), |list| (list.more.is_some(), list.first));
        match self.which {
            _ if more => "No matches so far. Choose More to keep looking.",
            _ if !first => "No more people.",
            _ if !self.names.is_empty() => "No matches.",
            PeopleTab::Everyone => "No matches.",
            PeopleTab::Following => "Not following anyone yet. Look for people under Everyone.",
            PeopleTab::Followers => "No followers yet.",
        }
    }
}

/// `/@name`: a person's profile and croaks.
#[derive(Debug, Template)]
#[template(path = "profile.html")]
pub struct ProfilePage {
    pub frame: PageFrame,
    /// Request id of the form that mutes or blocks.
    pub away: FormRequest,
    pub person: PersonRow,
    pub created: Option<RelativeTime>,
    pub bio: Vec<TextPart>,
    /// http and https addresses.
    pub links: Vec<String>,
    /// Number of croaks, as text: `1 croak`, `4096+ croaks`.
    pub croak_count: String,
    /// Number of people this person follows.
    pub friends: u32,
    /// Number of followers, as text: `1 follower`, `4096+ followers`.
    pub followers: String,
    /// Pinned croak, on the newest page only.
    pub pinned: Option<CroakView>,
    pub croaks: Vec<CroakView>,
    /// Start of the next older page.
    pub older: Option<LogIndex>,
    /// True on the newest page.
    pub newest: bool,
    /// Address of this page.
    pub back: String,
    /// True if everyone may read the croaks in a feed reader.
    pub public_feed: bool,
}
