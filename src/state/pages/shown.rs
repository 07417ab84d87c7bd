//! A croak as pages show it: with its author, its counts, and what the reader did with it.

use crate::caches::timelines::Authors;
use crate::croaks;
use crate::ids::{AccountId, LogIndex};
use crate::limits::REACTIONS_LISTED_MAX;
use crate::query::{CroakBody, CroakNumbers, CroakShare, FeedCroak, Person};
use crate::rows::{Croak, CroakCounts, CroakKind, LikedBy, Order, SharedBy, Shares, View, get, scan};
use crate::visibility::Reader;
use crate::visibility::blocks::is_muted;

/// Returns the croak or share of this id, or `None` if the reader may not see it.
pub(crate) fn entry<V: View>(
    reader: &mut Reader<'_, V>,
    id: LogIndex,
) -> Result<Option<FeedCroak>, V::Error> {
    listed(reader, id, None)
}

/// Returns the entry of a feed of `authors`, or `None` if the reader may not see it or the feed has the croak already: a
/// shared croak is left out if its author is in the feed or muted, or another of the authors shared it earlier.
pub(crate) fn feed_entry<V: View>(
    reader: &mut Reader<'_, V>,
    id: LogIndex,
    authors: &Authors,
) -> Result<Option<FeedCroak>, V::Error> {
    listed(reader, id, Some(authors))
}

fn listed<V: View>(
    reader: &mut Reader<'_, V>,
    id: LogIndex,
    feed: Option<&Authors>,
) -> Result<Option<FeedCroak>, V::Error> {
    let Some(croak) = croaks::read(reader.view(), id)? else { return Ok(None) };
    let CroakKind::Share { of } = croak.kind else {
        let author = reader.author_of(id, &croak)?;
        return author.map(|author| shown(reader, id, author, croak, None)).transpose();
    };
    let Some(by) = reader.person(croak.author)? else { return Ok(None) };
    let share = Some(Box::new(CroakShare { id, by, wall_ms: croak.wall_ms }));
    let Some((croak, author)) = reader.read(of)? else { return Ok(None) };
    if let Some(authors) = feed
        && (authors.contains(author.account)
            || is_muted(reader.view(), reader.me(), author.account)?
            || shared_before(reader, of, id, authors)?)
    {
        return Ok(None);
    }
    shown(reader, of, author, croak, share).map(Some)
}

/// Returns true if one of the authors shared the croak before this share. Only the oldest shares are looked at.
fn shared_before<V: View>(
    reader: &mut Reader<'_, V>,
    croak: LogIndex,
    share: LogIndex,
    authors: &Authors,
) -> Result<bool, V::Error> {
    let (from, to) = ((croak, 0), (croak, share));
    let earlier = scan::<Shares, V>(reader.view(), &from, &to, Order::OldestFirst, REACTIONS_LISTED_MAX)?;
    for (_, account) in earlier {
        if authors.contains(account) && reader.person(account)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns a croak that the reader may see, with its counts.
pub(crate) fn shown<V: View>(
    reader: &mut Reader<'_, V>,
    id: LogIndex,
    author: Person,
    croak: Croak,
    share: Option<Box<CroakShare>>,
) -> Result<FeedCroak, V::Error> {
    let Croak { author: _, audience, kind, wall_ms, text } = croak;
    let numbers = numbers(reader, id, author.account)?;
    let body = CroakBody { wall_ms, text, audience, reply_to: kind.reply_to() };
    Ok(FeedCroak { id, author, body, numbers, share })
}

/// Most croaks have no counts, which costs one look; only one that has likes or shares may have the reader's.
fn numbers<V: View>(
    reader: &mut Reader<'_, V>,
    croak: LogIndex,
    author: AccountId,
) -> Result<CroakNumbers, V::Error> {
    let view = reader.view();
    let pinned = author == reader.me() && reader.has_pinned(croak)?;
    let Some(counts) = get::<CroakCounts, V>(view, &croak)? else {
        return Ok(CroakNumbers { pinned, ..CroakNumbers::default() });
    };
    let mine = (reader.me(), croak);
    Ok(CroakNumbers {
        replies: counts.replies,
        likes: counts.likes,
        shares: counts.shares,
        liked: counts.likes > 0 && get::<LikedBy, V>(view, &mine)?.is_some(),
        pinned,
        shared: counts.shares > 0 && get::<SharedBy, V>(view, &mine)?.is_some(),
    })
}
