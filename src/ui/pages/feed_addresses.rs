//! `/settings/feeds`: the secret addresses at which feed readers read a person's feed or a room.

use super::super::form::FormRequest;
use super::super::time::{self, RelativeTime};
use super::super::words::Refusals;
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::query::{AddressedThing, FeedAddressItem};

/// A feed address, with the request id of the button beside it.
#[derive(Debug)]
pub struct FeedAddressRow {
    pub made: LogIndex,
    /// What it leads to: `My feed`, `#pond`.
    pub leads_to: String,
    pub when: Option<RelativeTime>,
    pub request: FormRequest,
}

impl FeedAddressRow {
    /// Prepares a feed address for display. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(item: &FeedAddressItem, now_ms: u64, request: FormRequest) -> FeedAddressRow {
        let leads_to = match &item.leads_to {
            AddressedThing::Home => "My feed".to_string(),
            AddressedThing::Room(name) => format!("#{name}"),
            AddressedThing::Gone => "A room that you are no longer in".to_string(),
        };
        FeedAddressRow { made: item.made, leads_to, when: time::when(item.made_wall_ms, now_ms), request }
    }
}

/// `/settings/feeds`.
#[derive(Debug, Template)]
#[template(path = "feed-addresses.html")]
pub struct FeedAddressesPage {
    pub frame: PageFrame,
    /// The address that was just made. It is shown this once.
    pub fresh: Option<String>,
    /// Oldest first.
    pub addresses: Vec<FeedAddressRow>,
    /// Names of the rooms of which an address can be made.
    pub rooms: Vec<String>,
    pub request: Option<FormRequest>,
    pub refusals: Refusals,
}
