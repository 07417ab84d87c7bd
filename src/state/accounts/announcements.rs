//! The rules of announcements: what operators tell everyone, until it expires, is withdrawn, or a person dismisses it.
//!
//! An announcement expires with the cluster's age. The next announcement removes the expired ones, so there are never more
//! than `ANNOUNCEMENTS_MAX` rows. A person's dismissals are one row, which names existing announcements only.

use crate::code::{Code, Denied};
use crate::command::Reply;
use crate::ids::{AccountId, LogIndex};
use crate::query::{AnnouncementItem, Page};
use crate::rows::{Announcement, Announcements, Change, Dismissals, Order, View, get, scan};
use crate::rule::{ApplyContext, Bounds, Decision, checked};
use crate::text;

type Listed = Vec<(LogIndex, Announcement)>;

/// Returns all announcements, oldest first, also the expired ones.
fn all<V: View>(view: &V, max: usize) -> Result<Listed, V::Error> {
    scan::<Announcements, V>(view, &0, &LogIndex::MAX, Order::OldestFirst, max)
}

pub(super) fn announce<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    text: &str,
    for_ms: Option<u64>,
) -> Result<Decision, V::Error> {
    let text = checked!(text::check_announcement(text));
    let listed = all(view, bounds.announcements_max)?;
    let expired = listed.iter().filter(|(_, announcement)| announcement.is_over_at(context.age_ms()));
    let mut changes: Vec<Change> = expired.map(|(id, _)| Change::remove::<Announcements>(id)).collect();
    if listed.len() - changes.len() >= bounds.announcements_max {
        return Ok(Err(Denied::new(Code::TooManyAnnouncements)));
    }
    let until_age_ms = for_ms.map(|ms| context.age_ms().saturating_add(ms));
    let announcement = Announcement { text, wall_ms: context.wall_ms, until_age_ms };
    changes.push(Change::put::<Announcements>(&context.index, &announcement));
    Ok(Ok((changes, Reply::Announced { announcement: context.index })))
}

pub(super) fn withdraw<V: View>(view: &V, announcement: LogIndex) -> Result<Decision, V::Error> {
    if get::<Announcements, V>(view, &announcement)?.is_none() {
        return Ok(Err(Denied::new(Code::NoSuchAnnouncement)));
    }
    Ok(Ok((vec![Change::remove::<Announcements>(&announcement)], Reply::Done)))
}

/// Hides an announcement from one person. Nothing changes if it is hidden already.
pub(super) fn dismiss<V: View>(
    bounds: &Bounds,
    view: &V,
    me: AccountId,
    announcement: LogIndex,
) -> Result<Decision, V::Error> {
    let listed = all(view, bounds.announcements_max)?;
    let is_listed = |id: LogIndex| listed.iter().any(|(listed, _)| *listed == id);
    if !is_listed(announcement) {
        return Ok(Err(Denied::new(Code::NoSuchAnnouncement)));
    }
    let mut dismissed = get::<Dismissals, V>(view, &me)?.unwrap_or_default();
    if dismissed.contains(&announcement) {
        return Ok(Ok((Vec::new(), Reply::Done)));
    }
    dismissed.retain(|id| is_listed(*id));
    dismissed.push(announcement);
    Ok(Ok((vec![Change::put::<Dismissals>(&me, &dismissed)], Reply::Done)))
}

/// Returns the announcements that have not expired, newest first; for a person, those that they have not dismissed.
///
/// # Errors
/// The view's error.
pub(crate) fn shown<V: View>(view: &V, to: Option<AccountId>) -> Result<Page, V::Error> {
    let age_ms = view.age_ms();
    let dismissed = match to {
        Some(me) => get::<Dismissals, V>(view, &me)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let listed = all(view, Bounds::PRODUCTION.announcements_max)?;
    let listed =
        listed.into_iter().rev().filter(|(id, row)| !row.is_over_at(age_ms) && !dismissed.contains(id));
    let items = listed.map(|(id, Announcement { text, wall_ms, until_age_ms })| AnnouncementItem {
        id,
        text,
        wall_ms,
        left_ms: until_age_ms.map(|until| until.saturating_sub(age_ms)),
    });
    Ok(Page::Announcements(items.collect()))
}
