//! `feed`, `people`, `add` and `remove`.

use super::{Halt, Visit, say};
use crate::client::session::live_feed::{FeedUpdate, LiveFeed};
use crate::common::options::Whose;
use ribbit_net::protocol::Lapse;
use ribbit_state::LogIndex;
use ribbit_state::query::FeedCroak;
use ribbit_state::text::fold_username;
use ribbit_ui::{lines, person_json};
use serde_json::json;

/// Shows the feed, newest croak last; with `follow`, also shows new croaks as they arrive.
pub async fn feed(
    visit: &mut Visit,
    follow: bool,
    before: Option<LogIndex>,
    limit: usize,
) -> Result<(), Halt> {
    visit.must_be_logged_in()?;
    // With a limit of 0, one croak is read all the same: following starts after it.
    let feed = visit.person.feed(before, limit.max(1)).await?;
    if feed.stale {
        eprintln!("the servers cannot reach each other right now, so this may be out of date");
    }
    let told = feed.value.croaks.last().map_or(0, |newest| newest.id);
    if limit > 0 {
        show(visit, &feed.value.croaks)?;
    }
    if !follow {
        return Ok(());
    }
    if let Err(failure) = visit.person.save_position() {
        log::warn!("{failure}");
    }
    let mut live = LiveFeed::begin(&visit.person, told).await?;
    loop {
        match live.next().await? {
            FeedUpdate::Croaks(croaks) => show(visit, &croaks)?,
            FeedUpdate::Missed(Lapse::OtherHistory) => {
                eprintln!("the servers were restored from a backup; some croaks may be missing");
            }
            FeedUpdate::Missed(_) | FeedUpdate::Happened(_) | FeedUpdate::Nothing => {}
        }
    }
}

fn show(visit: &Visit, croaks: &[FeedCroak]) -> Result<(), Halt> {
    croaks.iter().try_for_each(|croak| {
        say(&match visit.json {
            true => person_json::croak(croak),
            false => lines::croak(croak, visit.style),
        })
    })
}

/// Follows a user, or unfollows them if `wanted` is false.
pub async fn befriend(visit: &mut Visit, username: &str, wanted: bool) -> Result<(), Halt> {
    visit.must_be_logged_in()?;
    let words = match wanted {
        true => {
            visit.person.follow(username).await?;
            "you now follow"
        }
        false => {
            visit.person.unfollow(username).await?;
            "you no longer follow"
        }
    };
    let username = fold_username(username).unwrap_or_default();
    visit.tell(&format!("{words} @{username}"), &json!({ "username": username, "followed": wanted }))
}

pub async fn people(visit: &mut Visit, names: &str, whose: Whose) -> Result<(), Halt> {
    visit.must_be_logged_in()?;
    let mut after = None;
    loop {
        let (people, more) = visit.person.people(names, after).await?;
        let wanted = people.iter().filter(|known| match whose {
            Whose::Everybody => true,
            Whose::Friends => known.followed,
            Whose::Followers => known.follows,
        });
        for known in wanted {
            say(&match visit.json {
                true => person_json::acquaintance(known),
                false => lines::acquaintance(known, visit.style),
            })?;
        }
        match more {
            Some(_) => after = more,
            None => return Ok(()),
        }
    }
}
