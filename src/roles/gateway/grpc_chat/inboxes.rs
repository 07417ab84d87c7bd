//! Inboxes: messages that wait for those who are logged in through this gateway, and polls that wait for messages.
//!
//! ```text
//!   poll ──▶ what the last poll got is read now ──▶ anything new? ──▶ handed out, forgotten at the next poll
//!                                                      └── no: held for HOLD, until news, or until a log-out
//!   events of the person ──▶ signal
//! ```
//!
//! - The client polls all the time. An inbox follows the person's events, so a poll without news reads and writes nothing.
//! - A message is read for the cluster when the next poll comes through the same gateway, or at a log-out. Until then another
//!   gateway hands it out again, since the reply may have been lost with this one.
//! - A name is online, so that no one else logs in under it, while it has polled or logged in within `ONLINE`. It stays logged in
//!   without polls.

use super::NAME;
use crate::gateway::grpc::limits::REPLY_BYTES_MAX;
use crate::gateway::operations::GatewayOperations;
use crate::gateway::operations::presence::Online;
use crate::operations::live::News;
use crate::operations::messages::Waiting;
use crate::operations::{Refusal, Session};
use event_listener::Event;
use ribbit_net::tasks;
use ribbit_state::sync::MutexExt;
use ribbit_state::text::fold_username;
use ribbit_state::{Code, LogIndex};
use smol::Timer;
use smol::future::or;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// Time for which a poll is held when there is nothing to hand out.
const HOLD: Duration = Duration::from_millis(800);
/// Time after a poll or a log-in in which the name is online.
const ONLINE: Duration = Duration::from_secs(10);
/// Time after the last poll for which an inbox is kept.
const KEPT: Duration = Duration::from_secs(60);
/// Interval at which inboxes without polls are looked for.
const SWEEP: Duration = Duration::from_millis(500);
/// Time for which a log-in waits for a name that is just becoming free.
const LOG_IN_PATIENCE: Duration = Duration::from_millis(500);
/// Shortest and longest pause between two attempts to become online again.
const ONLINE_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));
/// Pause before the events are followed again after an error.
const FOLLOW_PAUSE: Duration = Duration::from_millis(500);
/// Maximum number of inboxes.
const INBOXES_MAX: usize = 1_000;
/// Size of a message's fields beside its texts, in bytes.
const MESSAGE_OVERHEAD_BYTES: usize = 128;

/// Result of a poll.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Polled {
    Nothing,
    Messages(Vec<Waiting>),
}

/// Inboxes by user name.
pub(super) struct Inboxes {
    operations: Arc<GatewayOperations>,
    open: Arc<Mutex<HashMap<String, Arc<Inbox>>>>,
}

pub(super) struct Inbox {
    session: Session,
    signal: Arc<Signal>,
    handed: smol::lock::Mutex<HandedOut>,
    presence: Mutex<InboxPresence>,
    _follower: smol::Task<()>,
}

/// Messages that were handed out with the last poll.
#[derive(Default)]
struct HandedOut {
    messages: Vec<Waiting>,
    /// State of the signal that was read last.
    seen: u64,
}

struct InboxPresence {
    /// Time of the last poll or log-in.
    asked: Instant,
    online: Option<Online>,
    /// Time of the next attempt to become online, and the pause after it.
    next_attempt: (Instant, Duration),
}

/// Signal that there may be something new.
#[derive(Default)]
struct Signal {
    /// Rises with each event. 0 at the start, when everything is new.
    version: AtomicU64,
    ended: AtomicBool,
    changed: Event,
}

impl Signal {
    fn raise(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
        self.changed.notify(usize::MAX);
    }

    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.changed.notify(usize::MAX);
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

impl Inboxes {
    pub(super) fn new(operations: Arc<GatewayOperations>) -> Inboxes {
        let open = Arc::default();
        tasks::spawn(sweep(Arc::downgrade(&open))).detach();
        Inboxes { operations, open }
    }

    /// Makes a name online for a log-in. Refused with `AlreadyOnline` if it has polled or logged in lately, through any gateway.
    pub(super) async fn go_online(&self, username: &str) -> Result<Online, Refusal> {
        if let Some(inbox) = self.get(username) {
            let mut presence = inbox.presence.locked();
            if presence.asked.elapsed() < ONLINE {
                return Err(Refusal::AlreadyOnline);
            }
            // Released by its end, for which the log-in waits.
            presence.online = None;
        }
        self.operations.go_online(NAME, username, LOG_IN_PATIENCE).await
    }

    /// Opens the inbox of a session, or returns the one that is open.
    pub(super) fn open(&self, session: Session, online: Option<Online>) -> Result<Arc<Inbox>, Refusal> {
        let mut open = self.open.locked();
        if let Some(inbox) = open.get(&session.username).filter(|inbox| !inbox.signal.has_ended()) {
            let mut presence = inbox.presence.locked();
            presence.asked = Instant::now();
            if online.is_some() {
                presence.online = online;
            }
            return Ok(inbox.clone());
        }
        if open.len() >= INBOXES_MAX && !open.contains_key(&session.username) {
            return Err(Refusal::Denied(Code::TooManyLeases));
        }
        let signal = Arc::new(Signal::default());
        let follow = follow(self.operations.clone(), session.clone(), signal.clone());
        let now = Instant::now();
        let inbox = Arc::new(Inbox {
            session: session.clone(),
            signal,
            // Different from the signal, so that the first poll reads.
            handed: smol::lock::Mutex::new(HandedOut { messages: Vec::new(), seen: u64::MAX }),
            presence: Mutex::new(InboxPresence { asked: now, online, next_attempt: (now, ONLINE_AGAIN.0) }),
            _follower: tasks::spawn(follow),
        });
        open.insert(session.username, inbox.clone());
        Ok(inbox)
    }

    /// Returns the session of a name that has an inbox here.
    pub(super) fn session(&self, user: &str) -> Option<Session> {
        let inbox = self.get(&fold_username(user).ok()?)?;
        Some(inbox.session.clone())
    }

    /// Closes an inbox at a log-out: what the last poll got is read.
    pub(super) async fn close(&self, session: &Session) -> Result<(), Refusal> {
        if let Some(inbox) = self.get(&session.username) {
            inbox.confirm(&self.operations).await?;
        }
        self.discard(&session.username);
        Ok(())
    }

    /// Drops an inbox. Polls in progress end with nothing.
    pub(super) fn discard(&self, username: &str) {
        if let Some(inbox) = self.open.locked().remove(username) {
            inbox.signal.end();
            inbox.presence.locked().online = None;
        }
    }

    fn get(&self, username: &str) -> Option<Arc<Inbox>> {
        self.open.locked().get(username).filter(|inbox| !inbox.signal.has_ended()).cloned()
    }

    /// Returns the messages that wait, or waits for some. Refused with `NotLoggedIn`.
    pub(super) async fn poll(&self, user: &str) -> Result<Polled, Refusal> {
        let username = fold_username(user).map_err(|_| Refusal::Denied(Code::NotLoggedIn))?;
        let inbox = match self.get(&username) {
            Some(inbox) => inbox,
            // Logged in through another gateway, or long ago.
            None => {
                let session = match self.operations.entered(NAME, &username).await {
                    Err(Refusal::Denied(Code::NoSuchUser)) => {
                        return Err(Refusal::Denied(Code::NotLoggedIn));
                    }
                    entered => entered?,
                };
                self.open(session, None)?
            }
        };
        self.stay_online(&inbox);
        inbox.confirm(&self.operations).await?;
        let end = Instant::now() + HOLD;
        loop {
            // Listening begins before the look, so that news in between is noticed.
            let changed = inbox.signal.changed.listen();
            if inbox.signal.has_ended() {
                return Ok(Polled::Nothing);
            }
            let messages = inbox.hand_out(&self.operations).await?;
            if !messages.is_empty() {
                return Ok(Polled::Messages(messages));
            }
            let late = async {
                Timer::at(end).await;
                true
            };
            let news = async {
                changed.await;
                false
            };
            if or(news, late).await {
                return Ok(Polled::Nothing);
            }
        }
    }

    /// Notes that a name has polled. Makes it online here if it is not: it has moved to this gateway, or paused.
    fn stay_online(&self, inbox: &Arc<Inbox>) {
        let mut presence = inbox.presence.locked();
        let now = Instant::now();
        presence.asked = now;
        if presence.online.as_ref().is_some_and(|online| !online.is_lost()) {
            presence.next_attempt = (now, ONLINE_AGAIN.0);
            return;
        }
        let (at, pause) = presence.next_attempt;
        if now < at {
            return;
        }
        presence.next_attempt = (now + pause, (2 * pause).min(ONLINE_AGAIN.1));
        let (operations, username) = (self.operations.clone(), inbox.session.username.clone());
        let inbox = Arc::downgrade(inbox);
        tasks::spawn(async move {
            match operations.go_online(NAME, &username, Duration::ZERO).await {
                Ok(online) => {
                    if let Some(inbox) = inbox.upgrade().filter(|inbox| !inbox.signal.has_ended()) {
                        inbox.presence.locked().online = Some(online);
                    }
                }
                Err(refusal) => log::debug!("{username} polls without being online here: {refusal}"),
            }
        })
        .detach();
    }
}

impl Inbox {
    /// Records that what was handed out last has arrived.
    async fn confirm(&self, operations: &GatewayOperations) -> Result<(), Refusal> {
        let mut handed = self.handed.lock().await;
        if !handed.messages.is_empty() {
            operations.handed_out(&self.session, &handed.messages).await?;
            handed.messages.clear();
            // More may wait than one reply takes.
            self.signal.raise();
        }
        Ok(())
    }

    /// Hands out what waits and was not handed out yet, as much as a reply takes.
    async fn hand_out(&self, operations: &GatewayOperations) -> Result<Vec<Waiting>, Refusal> {
        let mut handed = self.handed.lock().await;
        let version = self.signal.version.load(Ordering::SeqCst);
        if handed.seen == version {
            return Ok(Vec::new());
        }
        let known: BTreeSet<LogIndex> = handed.messages.iter().map(|message| message.id).collect();
        let waiting = operations.waiting(&self.session).await?;
        let new = waiting.into_iter().filter(|message| !known.contains(&message.id));
        let new = first_fitting(new, |message| message.text.len());
        handed.messages.extend(new.iter().cloned());
        handed.seen = version;
        Ok(new)
    }
}

/// Returns the first messages, as many as fit a reply by the lengths of their texts.
fn first_fitting<T>(messages: impl Iterator<Item = T>, length: impl Fn(&T) -> usize) -> Vec<T> {
    let mut left = REPLY_BYTES_MAX;
    let fits = |message: &T| {
        let bytes = length(message) + MESSAGE_OVERHEAD_BYTES;
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    };
    messages.take_while(fits).collect()
}

/// Raises the signal with each event that may concern messages, until the session ends.
async fn follow(operations: Arc<GatewayOperations>, session: Session, signal: Arc<Signal>) {
    loop {
        let mut live = match operations.live(&session).await {
            Ok(live) => live,
            Err(refusal) => {
                log::debug!("cannot follow the events of {}: {refusal}", session.username);
                Timer::after(FOLLOW_PAUSE).await;
                continue;
            }
        };
        // A read from now on finds every message from before.
        signal.raise();
        loop {
            match operations.news(&mut live).await {
                News::Messages | News::Anything => signal.raise(),
                News::Croaks => {}
                News::Ended => {
                    signal.end();
                    return;
                }
            }
        }
    }
}

/// Frees names that have not polled lately, and drops their inboxes later. Ends with the service.
async fn sweep(open: Weak<Mutex<HashMap<String, Arc<Inbox>>>>) {
    loop {
        tasks::aligned_pause(SWEEP).await;
        let Some(open) = open.upgrade() else { return };
        open.locked().retain(|_, inbox| {
            let mut presence = inbox.presence.locked();
            let silent = presence.asked.elapsed();
            if silent >= ONLINE {
                presence.online = None;
            }
            silent < KEPT && !inbox.signal.has_ended()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_has_as_many_messages_as_fit() {
        let count = |lengths: &[usize]| first_fitting(lengths.iter(), |length| **length).len();
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[4_000; 10]), 10);
        let most = count(&[4_000; 1_000]);
        assert!(most * 4_000 < REPLY_BYTES_MAX);
        assert!((most + 1) * (4_000 + MESSAGE_OVERHEAD_BYTES) > REPLY_BYTES_MAX);
    }
}
