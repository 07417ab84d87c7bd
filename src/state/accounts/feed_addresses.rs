//! The rules of feed addresses: secret addresses at which feed readers, which have no session, read what a person sees.
//!
//! An address ends when its owner deletes it, with every change of the password, and when the account is suspended or
//! deleted. [`crate::pages::feed_addresses`] answers what it leads to.

use super::sessions::removed;
use crate::code::{Code, Denied, Field};
use crate::command::Reply;
use crate::ids::{AccountId, LogIndex, TokenHash};
use crate::lookup::range_of;
use crate::rows::{Change, FeedAddress, FeedAddresses, FeedAddressesOf, FeedSource, Order, View, get, scan};
use crate::rule::{ApplyContext, Bounds, Decision, checked};
use crate::visibility::rooms::room_named;

pub(super) fn make<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    me: AccountId,
    address: TokenHash,
    room: Option<&str>,
) -> Result<Decision, V::Error> {
    let source = match room {
        None => FeedSource::Home,
        Some(name) => {
            let seen = checked!(room_named(view, me, name)?);
            if seen.access.rank().is_none() {
                return Ok(Err(Denied::of(Code::NotInRoom, Field::Room)));
            }
            FeedSource::Room { room: seen.id }
        }
    };
    // Secrets are random, so another address has this one only if a program made it twice.
    if get::<FeedAddresses, V>(view, &address)?.is_some() {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    let (from, to) = range_of(me);
    let max = bounds.feed_addresses_max;
    if scan::<FeedAddressesOf, V>(view, &from, &to, Order::OldestFirst, max)?.len() == max {
        return Ok(Err(Denied::new(Code::TooManyFeedAddresses)));
    }
    let made = context.index;
    let row = FeedAddress { account: me, source, made, made_wall_ms: context.wall_ms };
    let changes = vec![
        Change::put::<FeedAddresses>(&address, &row),
        Change::put::<FeedAddressesOf>(&(me, made), &address),
    ];
    Ok(Ok((changes, Reply::Done)))
}

pub(super) fn end<V: View>(view: &V, me: AccountId, made: LogIndex) -> Result<Decision, V::Error> {
    let Some(address) = get::<FeedAddressesOf, V>(view, &(me, made))? else {
        return Ok(Err(Denied::new(Code::NoSuchFeedAddress)));
    };
    Ok(Ok((removed::<FeedAddresses, FeedAddressesOf>((me, made), address).to_vec(), Reply::Done)))
}
