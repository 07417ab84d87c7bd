//! `/people`, `/@name` and `/croak/ID`: who there is, somebody, and one croak.

use super::super::form::FormRequest;
use super::super::time::When;
use super::super::words::Refusals;
use super::croak::{face, letter};
use super::text::Part;
use super::{Place, Shell, ShownCroak};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::people::PersonRelation;

/// Somebody in a list, or on their own page, with the request that the button beside the name sends.
#[derive(Debug)]
pub struct PersonRow {
    pub name: String,
    pub username: String,
    pub letter: String,
    pub face: u32,
    /// Whether who looks follows them,
    pub followed: bool,
    /// and whether they follow who looks.
    pub follows: bool,
    /// It is who looks.
    pub me: bool,
    pub request: FormRequest,
}

impl PersonRow {
    /// `me`: the user name of who looks.
    pub fn new(who: PersonRelation, me: &str, request: FormRequest) -> PersonRow {
        let PersonRelation { person, followed, follows } = who;
        PersonRow {
            letter: letter(&person.name),
            face: face(&person.username),
            me: person.username == me,
            name: person.name,
            username: person.username,
            followed,
            follows,
            request,
        }
    }
}

/// Which people a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Everyone,
    Followers,
}

#[derive(Debug)]
pub struct PeopleList {
    pub people: Vec<PersonRow>,
    /// The address of the next page.
    pub more: Option<String>,
    /// This is the first page.
    pub first: bool,
}

/// `/people`: a search, and who was found.
#[derive(Debug, Template)]
#[template(path = "people.html")]
pub struct PeoplePage {
    pub shell: Shell,
    pub which: Which,
    /// The pattern that was typed.
    pub names: String,
    pub refusals: Refusals,
    /// Always false: who has no session does not come here.
    pub log_in: bool,
    /// Nothing when it could not be read.
    pub list: Option<PeopleList>,
}

/// `/@name`: somebody, and what they croaked.
#[derive(Debug, Template)]
#[template(path = "profile.html")]
pub struct ProfilePage {
    pub shell: Shell,
    pub person: PersonRow,
    pub created: Option<When>,
    /// How many they follow,
    pub friends: u32,
    /// and how many follow them; as many as are counted stand for more.
    pub followers: String,
    pub croaks: Vec<ShownCroak>,
    /// Where the next older page begins.
    pub older: Option<LogIndex>,
    /// This is the newest page.
    pub newest: bool,
}

/// `/croak/ID`: one croak, and for its author a way to take it back.
#[derive(Debug, Template)]
#[template(path = "one-croak.html")]
pub struct CroakPage {
    pub shell: Shell,
    pub croak: ShownCroak,
    /// Of the form that takes it back: nothing when somebody else looks.
    pub removal: Option<FormRequest>,
    pub refusals: Vec<String>,
}
