//! What readers without a session see: the content of a feed address, and a person's croaks for everyone.

use super::feed;
use super::rooms;
use crate::caches::ring::RingView;
use crate::caches::timelines::Caches;
use crate::code::{Code, Denied};
use crate::ids::{AccountId, LogIndex, RoomId, TokenHash};
use crate::limits::{FEED_ADDRESSES_MAX, FEED_PAGE_MAX, ROOM_PAGE_MAX};
use crate::lookup::{named, person, person_of, range_of};
use crate::query::{AddressedThing, FeedAddressItem, Page};
use crate::rows::{FeedAddresses, FeedAddressesOf, FeedSource, Order, View, get, scan};
use crate::rule::{checked, or_deny};
use crate::visibility::STRANGER;
use crate::visibility::rooms::{SeenRoom, room_of};

const NO_SUCH_ADDRESS: Denied = Denied::new(Code::NoSuchFeedAddress);

/// Returns the newest page of what a feed address leads to, as its owner sees it now. An address of a room that its owner is
/// no longer in leads to nothing.
pub(crate) fn read<V: View>(
    view: &V,
    caches: Caches<'_>,
    address: TokenHash,
) -> Result<Result<Page, Denied>, V::Error> {
    let row = or_deny!(get::<FeedAddresses, V>(view, &address)?, NO_SUCH_ADDRESS);
    let me = or_deny!(person(view, row.account)?, NO_SUCH_ADDRESS);
    match row.source {
        FeedSource::Home => feed::feed(view, caches, me, None, FEED_PAGE_MAX).map(Ok),
        FeedSource::Room { room } => {
            let seen = or_deny!(room_inside(view, me.account, room)?, NO_SUCH_ADDRESS);
            Ok(Ok(Page::Room(rooms::page_of(view, me, &seen, LogIndex::MAX, ROOM_PAGE_MAX)?)))
        }
    }
}

/// Returns a room that an account is in.
fn room_inside<V: View>(view: &V, me: AccountId, room: RoomId) -> Result<Option<SeenRoom>, V::Error> {
    Ok(room_of(view, me, room)?.ok().filter(|seen| seen.access.rank().is_some()))
}

/// Returns the feed addresses of an account, oldest first.
pub(crate) fn list<V: View>(view: &V, me: AccountId) -> Result<Page, V::Error> {
    let (from, to) = range_of(me);
    let rows = scan::<FeedAddressesOf, V>(view, &from, &to, Order::OldestFirst, FEED_ADDRESSES_MAX)?;
    let mut items = Vec::with_capacity(rows.len());
    for ((_, made), address) in rows {
        let Some(row) = get::<FeedAddresses, V>(view, &address)? else { continue };
        let leads_to = match row.source {
            FeedSource::Home => AddressedThing::Home,
            FeedSource::Room { room } => room_inside(view, me, room)?
                .map_or(AddressedThing::Gone, |seen| AddressedThing::Room(seen.room.name)),
        };
        items.push(FeedAddressItem { made, made_wall_ms: row.made_wall_ms, leads_to });
    }
    Ok(Page::FeedAddresses(items))
}

/// Returns the newest croaks of a person that are for everyone.
pub(crate) fn public_croaks<V: View>(
    view: &V,
    ring: RingView<'_>,
    username: &str,
) -> Result<Result<Page, Denied>, V::Error> {
    let (author, row) = checked!(named(view, username)?);
    let person = person_of(author, &row);
    let (croaks, _) = feed::croaks_by(view, ring, STRANGER, author, LogIndex::MAX, FEED_PAGE_MAX)?;
    Ok(Ok(Page::PublicCroaks { person, croaks }))
}
