//! `feed`, `people`, `add` and `remove`.

use super::{VerbContext, VerbError, say};
use crate::client::arguments::PeopleFilter;
use crate::client::session::live_feed::{FeedUpdate, LiveFeed};
use ribbit_net::protocol::LapseReason;
use ribbit_state::LogIndex;
use ribbit_state::query::FeedCroak;
use ribbit_state::text::fold_username;
use ribbit_ui::{lines, person_json};
use serde_json::json;

/// Shows the feed, newest croak last; with `follow`, also shows new croaks as they arrive.
pub(crate) async fn feed(
    context: &mut VerbContext,
    follow: bool,
    before: Option<LogIndex>,
    limit: usize,
) -> Result<(), VerbError> {
    context.require_session()?;
    // With a limit of 0, one croak is read all the same: following starts after it.
    let feed = context.user.feed(before, limit.max(1)).await?;
    if feed.stale {
        eprintln!("the servers cannot reach each other right now, so this may be out of date");
    }
    let told = feed.value.croaks.last().map_or(0, FeedCroak::cursor);
    if limit > 0 {
        show(context, &feed.value.croaks)?;
    }
    if !follow {
        return Ok(());
    }
    if let Err(failure) = context.user.save_position() {
        log::warn!("{failure}");
    }
    let mut live = LiveFeed::start(&context.user, told).await?;
    loop {
        match live.next().await? {
            FeedUpdate::Croaks(croaks) => show(context, &croaks)?,
            FeedUpdate::Missed(LapseReason::OtherHistory) => {
                eprintln!("the servers were restored from a backup; some croaks may be missing");
            }
            FeedUpdate::Missed(_) | FeedUpdate::Happened(_) | FeedUpdate::Nothing => {}
        }
    }
}

pub(super) fn show(context: &VerbContext, croaks: &[FeedCroak]) -> Result<(), VerbError> {
    croaks.iter().try_for_each(|croak| {
        say(&match context.json {
            true => person_json::croak(croak),
            false => lines::croak(croak, context.style),
        })
    })
}

/// Shows people and croaks that match the words, newest croak last.
pub(crate) async fn search(
    context: &mut VerbContext,
    words: &str,
    before: Option<LogIndex>,
    limit: usize,
) -> Result<(), VerbError> {
    context.require_session()?;
    let (people, croaks) = context.user.search(words, before, limit).await?;
    for known in &people {
        say(&match context.json {
            true => person_json::acquaintance(known),
            false => lines::acquaintance(known, context.style),
        })?;
    }
    show(context, &croaks)
}

/// Follows a user, or unfollows them if `wanted` is false.
pub(crate) async fn set_followed(
    context: &mut VerbContext,
    username: &str,
    wanted: bool,
) -> Result<(), VerbError> {
    context.require_session()?;
    let words = match wanted {
        true => {
            context.user.follow(username).await?;
            "you now follow"
        }
        false => {
            context.user.unfollow(username).await?;
            "you no longer follow"
        }
    };
    let username = fold_username(username).unwrap_or_default();
    context.print(&format!("{words} @{username}"), &json!({ "username": username, "followed": wanted }))
}

/// Lists the people whose user names match the pattern `names`.
pub(crate) async fn people(
    context: &mut VerbContext,
    names: &str,
    filter: Option<PeopleFilter>,
) -> Result<(), VerbError> {
    context.require_session()?;
    let mut after = None;
    loop {
        let (people, more) = context.user.people(names, after).await?;
        let wanted = people.iter().filter(|known| match filter {
            None => true,
            Some(PeopleFilter::Friends) => known.followed,
            Some(PeopleFilter::Followers) => known.follows,
        });
        for known in wanted {
            say(&match context.json {
                true => person_json::acquaintance(known),
                false => lines::acquaintance(known, context.style),
            })?;
        }
        match more {
            Some(_) => after = more,
            None => return Ok(()),
        }
    }
}
