//! `/manage`: the people a user follows.

use super::super::form::FormRequest;
use super::super::words::Refusals;
use super::people::PeopleTab;
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::AccountId;

/// A followed person, with the request id of the button beside the name.
#[derive(Debug)]
pub struct Friend {
    pub name: String,
    pub username: String,
    /// Path of the picture.
    pub avatar: String,
    pub request: FormRequest,
}

/// One page of the people a user follows.
#[derive(Debug)]
pub struct Friends {
    pub people: Vec<Friend>,
    /// Start of the next page.
    pub more: Option<AccountId>,
    /// True on the first page.
    pub first: bool,
}

/// `/manage`: the people a user follows, and a form to follow or unfollow by username.
#[derive(Debug, Template)]
#[template(path = "manage.html")]
pub struct ManagePage {
    pub frame: PageFrame,
    pub request: Option<FormRequest>,
    /// Username from a form that was refused.
    pub username: String,
    pub refusals: Refusals,
    pub log_in: bool,
    /// True if the refused form was to unfollow, so the form that comes back unfollows too.
    pub removing: bool,
    /// `None` if the list could not be read.
    pub friends: Option<Friends>,
}
