//! `watch`: what happens to a place, as it happens.
//!
//! It goes on from its index on another member when the one that tells it dies. Where no member knows any more what came
//! next, it says so, shows how the place is now, and goes on from there.

use super::{Session, look};
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::locks::namespace::{Holders, shown};
use ribbit_net::protocol::Lapse;
use ribbit_net::subscription::News;
use ribbit_state::events::{LeaseFact, NodeChange, NodeFact};
use ribbit_state::leases::Ending;
use ribbit_state::rows::Kind;
use ribbit_state::{Consistency, Event, Happening, LogIndex, Owner, Token, TreePath};
use std::time::Duration;

/// Before somebody is asked again how it is.
const PAUSE: Duration = Duration::from_millis(500);

/// Goes on until it is dropped.
pub async fn watch(session: &Session, path: &TreePath) -> Result<(), Failure> {
    let at = now(session, path).await?;
    eprintln!("watching {} from index {} on", shown(path), at.index);
    let mut following = session.namespace.follow(at, path);
    loop {
        match following.next().await {
            News::Nothing => {}
            News::Event(event) => tell(session, &event).await,
            News::ReadAgain { why, .. } => {
                let why = match why {
                    Lapse::Compacted => "the servers have forgotten what happened meanwhile",
                    Lapse::Behind => "more happened than could be told",
                    Lapse::OtherHistory => "the servers have another history now",
                };
                eprintln!("{why}: this is how it is now");
                following.resume(show_again(session, path).await);
            }
            News::Ended(denied) => {
                return Err(Failure::new(Exit::Refused, format!("{}: {denied}", shown(path))));
            }
        }
    }
}

/// How it is now, as soon as somebody can tell; and when that was.
async fn show_again(session: &Session, path: &TreePath) -> Token {
    loop {
        // In this order: what happens in between is told once more rather than never.
        if let Ok(at) = now(session, path).await {
            match look::ls(session, path, None, false, Consistency::Linearizable).await {
                Ok(()) => return at,
                // There may be nothing.
                Err(failure) if failure.exit == Exit::Refused => {
                    eprintln!("{failure}");
                    return at;
                }
                Err(failure) => log::debug!("{failure}"),
            }
        }
        smol::Timer::after(PAUSE).await;
    }
}

async fn now(session: &Session, path: &TreePath) -> Result<Token, Failure> {
    Ok(session.namespace.node(path, Consistency::Linearizable).await?.token)
}

async fn tell(session: &Session, event: &Event) {
    let Happening::Tree { nodes, lease } = &event.what else { return };
    let cause = lease.map(|(owner, fact)| format!(" ({})", cause(owner, fact))).unwrap_or_default();
    let taken = nodes.iter().any(|change| matches!(change.what, NodeFact::Acquired { .. }));
    // A lease may be over by the time that one asks whose it was: then its number has to do.
    let holders = if taken {
        session.namespace.holders(Consistency::Session).await.unwrap_or_default()
    } else {
        Holders::default()
    };
    for change in nodes {
        let what = match change.what {
            NodeFact::Acquired { fence } => acquired(session, change, fence, &holders).await,
            NodeFact::Made => "made".to_string(),
            NodeFact::Written => "written".to_string(),
            NodeFact::Removed => "removed".to_string(),
            NodeFact::Pruned => "some of what is below it removed".to_string(),
        };
        output::line(&format!("{}  {}: {what}{cause}", event.index, shown(&change.path)));
    }
}

async fn acquired(session: &Session, change: &NodeChange, fence: LogIndex, holders: &Holders) -> String {
    let found = session.namespace.node(&change.path, Consistency::Session).await;
    let node = found.ok().and_then(|found| found.node);
    let owner =
        node.filter(|node| node.kind == Kind::Lock && node.fence == Some(fence)).and_then(|it| it.owner);
    match owner {
        Some(owner) => format!("acquired by {}, fence {fence}", holders.words(owner)),
        None => format!("acquired, fence {fence}"),
    }
}

fn cause(owner: Owner, fact: LeaseFact) -> String {
    let who = ribbit_ui::words::holder(owner, None, "");
    match fact {
        LeaseFact::Began => format!("{who} has come"),
        LeaseFact::Ended(Ending::Left) => format!("{who} has let go"),
        LeaseFact::Ended(Ending::Missed { silence_ms }) => {
            format!("{who} was not heard for {silence_ms} ms")
        }
    }
}
