//! `/manage`: whom one follows.

use super::super::form::FormRequest;
use super::super::words::Refusals;
use super::{Place, Shell};
use askama::Template;
use ribbit_state::AccountId;

/// Somebody one follows, with the request that the button beside the name sends.
#[derive(Debug)]
pub struct Friend {
    pub name: String,
    pub username: String,
    pub request: FormRequest,
}

/// One page of whom one follows.
#[derive(Debug)]
pub struct Friends {
    pub people: Vec<Friend>,
    pub more: Option<AccountId>,
    /// This is the first page.
    pub first: bool,
}

/// `/manage`: whom one follows.
#[derive(Debug, Template)]
#[template(path = "manage.html")]
pub struct ManagePage {
    pub shell: Shell,
    pub request: Option<FormRequest>,
    /// What was typed and could not be sent.
    pub username: String,
    pub refusals: Refusals,
    pub log_in: bool,
    /// What was asked for was a removal: the form that comes back asks for it again.
    pub removing: bool,
    pub friends: Option<Friends>,
}
