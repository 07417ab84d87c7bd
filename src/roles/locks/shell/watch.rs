//! `watch`: shows changes at a path as they happen.
//!
//! When the server dies, the watch continues from its log index on another one. When no server has the events after that
//! index any more, the watch says so, lists the current tree and continues from there.

use super::{ShellSession, inspect};
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::locks::namespace::{LeaseHolders, shown};
use ribbit_net::protocol::LapseReason;
use ribbit_net::subscription::SubscriptionMessage;
use ribbit_state::command::LeaseEnd;
use ribbit_state::events::{LeaseEvent, NodeChange, NodeEvent};
use ribbit_state::rows::NodeKind;
use ribbit_state::{Consistency, Event, EventKind, LogIndex, Owner, Token, TreePath};
use std::time::Duration;

/// Pause between two attempts to read the current tree.
const PAUSE: Duration = Duration::from_millis(500);

/// Prints changes until it is dropped.
///
/// # Errors
/// `Refused` (1) when the servers end the subscription; the failure of the first read.
pub(crate) async fn watch(session: &ShellSession, path: &TreePath) -> Result<(), Failure> {
    let at = current_position(session, path).await?;
    eprintln!("watching {} from index {}; press Ctrl-C to stop", shown(path), at.index);
    let mut following = session.namespace.follow(at, path);
    loop {
        match following.next().await {
            SubscriptionMessage::Heartbeat => {}
            SubscriptionMessage::Event(event) => print_event(session, &event).await,
            SubscriptionMessage::ReadAgain { why, .. } => {
                let why = match why {
                    LapseReason::Compacted => "some changes were missed",
                    LapseReason::Behind => "there were too many changes to show",
                    LapseReason::OtherHistory => "the servers were restored from a backup",
                };
                eprintln!("{why}; this is the current state:");
                following.resume(list_current(session, path).await);
            }
            SubscriptionMessage::Ended(denied) => {
                return Err(Failure::new(Exit::Refused, format!("{}: {denied}", shown(path))));
            }
        }
    }
}

/// Lists the current tree as soon as a server answers, and returns its log position.
async fn list_current(session: &ShellSession, path: &TreePath) -> Token {
    loop {
        // The position is read first: a change between the two reads is shown twice rather than never.
        if let Ok(at) = current_position(session, path).await {
            match inspect::ls(session, path, None, false, Consistency::Linearizable).await {
                Ok(()) => return at,
                // The path may not exist any more.
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

async fn current_position(session: &ShellSession, path: &TreePath) -> Result<Token, Failure> {
    Ok(session.namespace.node(path, Consistency::Linearizable).await?.token)
}

async fn print_event(session: &ShellSession, event: &Event) {
    let EventKind::Tree { nodes, lease } = &event.what else { return };
    let cause = lease.map(|(owner, fact)| format!(" ({})", cause(owner, fact))).unwrap_or_default();
    let taken = nodes.iter().any(|change| matches!(change.what, NodeEvent::Acquired { .. }));
    // A lease may have ended before its owner is looked up; the owner's number is shown then.
    let holders = if taken {
        session.namespace.holders(Consistency::Session).await.unwrap_or_default()
    } else {
        LeaseHolders::default()
    };
    for change in nodes {
        let what = match change.what {
            NodeEvent::Acquired { fence } => acquired(session, change, fence, &holders).await,
            NodeEvent::Made => "created".to_string(),
            NodeEvent::Written => "written".to_string(),
            NodeEvent::Removed => "removed".to_string(),
            NodeEvent::Pruned => "removed in part".to_string(),
        };
        output::line(&format!("{}  {}: {what}{cause}", event.index, shown(&change.path)));
    }
}

async fn acquired(
    session: &ShellSession,
    change: &NodeChange,
    fence: LogIndex,
    holders: &LeaseHolders,
) -> String {
    let found = session.namespace.node(&change.path, Consistency::Session).await;
    let node = found.ok().and_then(|found| found.node);
    let owner =
        node.filter(|node| node.kind == NodeKind::Lock && node.fence == Some(fence)).and_then(|it| it.owner);
    match owner {
        Some(owner) => format!("acquired by {}, fence {fence}", holders.words(owner)),
        None => format!("acquired, fence {fence}"),
    }
}

fn cause(owner: Owner, fact: LeaseEvent) -> String {
    let who = ribbit_ui::words::holder(owner, None, "");
    match fact {
        LeaseEvent::Began => format!("{who} started"),
        LeaseEvent::Ended(LeaseEnd::Left) => format!("{who} ended its lease"),
        LeaseEvent::Ended(LeaseEnd::Missed { silence_ms }) => {
            format!("{who} sent no heartbeat for {silence_ms} ms")
        }
    }
}
