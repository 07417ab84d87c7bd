//! The events of one stream as clients of the Mastodon API receive them.
//!
//! ```text
//!   subscription ──▶ event of the log ──▶ queries, as new as the event ──▶ update, delete, notification, conversation
//! ```
//!
//! What an event of the log becomes depends on the log alone, so a stream that continues on another backend, or by another web
//! process behind the same cursor, has each of them once. Whether the client may see a croak is decided by the query that reads it.

use super::names::StreamName;
use crate::web::croaks::live::StreamSlot;
use crate::web::croaks::shared_pieces::{MadePiece, NewStatus, StreamCutOff};
use crate::web::limits::{API_STREAM_PATIENCE, API_STREAM_PAUSE};
use ribbit_net::subscription::{Subscription, SubscriptionMessage};
use ribbit_state::caches::words::tags;
use ribbit_state::query::{FeedCroak, Talk, TalkPartner, TalkSummary};
use ribbit_state::{
    AccountId, Audience, Event as Happened, EventKind, LogIndex, Page, Query, Scope, Scopes, Token, TokenHash,
};
use ribbit_ui::api::{ConversationEntity, Entities, NotificationEntity, SiteAddresses, names_in};
use serde::Serialize;
use smol::stream::{self, Stream};
use std::sync::Arc;
use std::time::Instant;

/// An event for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamEvent {
    pub(super) name: &'static str,
    /// JSON, or the id of a deleted status.
    pub(super) payload: String,
}

/// The client of a stream.
#[derive(Debug, Clone)]
pub(super) struct StreamClient {
    pub(super) session: TokenHash,
    pub(super) me: AccountId,
    pub(super) site: SiteAddresses,
    pub(super) scopes: Scopes,
}

/// Why a stream has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamEnd {
    /// The session has ended: its token was revoked, or the account is gone.
    Revoked,
    /// The servers cannot be reached. The client connects again.
    Lost,
    /// Events up to this position are missing. The client connects again, and reads them from its timelines.
    Missed(Token),
}

/// Events of one entry of the log, with the cursor behind it.
pub(super) type StreamPiece = Result<(Token, Vec<StreamEvent>), StreamEnd>;

/// Follows a stream behind a cursor. Its last piece is the end.
pub(super) fn follow(
    slot: Arc<StreamSlot>,
    client: StreamClient,
    name: StreamName,
    cursor: Token,
) -> impl Stream<Item = StreamPiece> {
    let subscription = slot.streams.subscribe(cursor, name.topic(client.session));
    let followed = Followed { slot, client, name, subscription };
    stream::unfold(Some(followed), |followed| async {
        let mut followed = followed?;
        match followed.next().await {
            Ok(piece) => Some((Ok(piece), Some(followed))),
            Err(end) => Some((Err(end), None)),
        }
    })
}

struct Followed {
    slot: Arc<StreamSlot>,
    client: StreamClient,
    name: StreamName,
    subscription: Subscription,
}

impl Followed {
    async fn next(&mut self) -> Result<(Token, Vec<StreamEvent>), StreamEnd> {
        loop {
            let happened = match self.subscription.next().await {
                SubscriptionMessage::Heartbeat => continue,
                SubscriptionMessage::Ended(_) => return Err(StreamEnd::Revoked),
                SubscriptionMessage::ReadAgain { at_least, .. } => return Err(StreamEnd::Missed(at_least)),
                SubscriptionMessage::Event(happened) => happened,
            };
            let at = Token { index: happened.index, ..self.subscription.cursor() };
            let events = self.told_patiently(at, &happened).await?;
            if !events.is_empty() {
                return Ok((at, events));
            }
        }
    }

    /// Returns what the client receives of an event. While servers are lost, asks again: most clients connect without a cursor,
    /// so the end of a stream would cost them what happens until they are back.
    async fn told_patiently(&self, at: Token, happened: &Happened) -> Result<Vec<StreamEvent>, StreamEnd> {
        let until = Instant::now() + API_STREAM_PATIENCE;
        loop {
            match self.told(at, happened).await {
                Ok(events) => return Ok(events),
                Err(StreamCutOff) if Instant::now() < until => {
                    smol::Timer::after(API_STREAM_PAUSE).await;
                }
                Err(StreamCutOff) => return Err(StreamEnd::Lost),
            }
        }
    }

    /// Returns what the client receives of an event.
    async fn told(&self, at: Token, happened: &Happened) -> Result<Vec<StreamEvent>, StreamCutOff> {
        let mut events = Vec::new();
        match happened.what {
            EventKind::Croaked { .. } | EventKind::Shared { .. } if self.has_feed() => {
                events.extend(self.update(at).await?);
            }
            EventKind::CroakRemoved { croak } if self.has_feed() => {
                self.slot.streams.statuses.forget(|(token, _)| token.index == croak).await;
                events.push(StreamEvent { name: "delete", payload: croak.to_string() });
            }
            EventKind::Messaged { from, to } if self.name == StreamName::Direct => {
                let with = if from == self.client.me { to } else { from };
                events.extend(self.conversation(at, with).await?);
            }
            _ => {}
        }
        let notifies = self.name.has_notifications() && self.client.scopes.allows(Scope::ReadNotifications);
        if notifies && happened.notified.contains(&self.client.me) {
            events.extend(self.notification(at).await?);
        }
        Ok(events)
    }

    /// Returns true if the stream has new and deleted croaks.
    fn has_feed(&self) -> bool {
        self.name.has_statuses() && self.name != StreamName::Direct
    }

    /// Returns the new status at this position, if it belongs to the stream and the client may see it.
    async fn update(&self, at: Token) -> Result<Option<StreamEvent>, StreamCutOff> {
        let key = (at, self.client.site.clone());
        let Some(new) = self.slot.streams.statuses.get(key, self.new_status(at)).await? else {
            return Ok(None);
        };
        let belongs = match &self.name {
            StreamName::Public { .. } => new.for_everyone,
            StreamName::Hashtag { tag, .. } => new.for_everyone && new.tags.contains(tag),
            StreamName::User | StreamName::UserNotification | StreamName::Direct => true,
        };
        Ok(belongs.then(|| StreamEvent { name: "update", payload: new.json.clone() }))
    }

    async fn new_status(&self, at: Token) -> Result<MadePiece<Arc<NewStatus>>, StreamCutOff> {
        let session = self.client.session;
        let query = Query::Croak { session, id: at.index };
        let Some(Page::Croak(mut croak)) = self.slot.streams.ask(at, query).await? else {
            return Ok(MadePiece::Nothing);
        };
        // The status is for all readers, so it shows no reader's own likes and shares.
        croak.numbers = croak.numbers.counts();
        let (entities, mentions) = self.entities(at, [croak.body.text.as_str()]).await?;
        let status = Arc::new(NewStatus {
            json: json(&entities.status(&croak)),
            for_everyone: croak.body.audience == Audience::Everyone,
            tags: tags(&croak.body.text).into_iter().map(|tag| tag.name).collect(),
        });
        // Readers differ in the people whom they see, so they differ in the mentions.
        Ok(if mentions { MadePiece::Own(status) } else { MadePiece::Shared(status) })
    }

    /// Returns the notification that was made at this position, if there is one and clients have a word for it.
    async fn notification(&self, at: Token) -> Result<Option<StreamEvent>, StreamCutOff> {
        let session = self.client.session;
        let query = Query::Notices { session, before: Some(at.index + 1), limit: 1 };
        let Some(Page::Notices { notices, .. }) = self.slot.streams.ask(at, query).await? else {
            return Ok(None);
        };
        let Some(notice) = notices.first().filter(|notice| notice.id == at.index) else { return Ok(None) };
        let croak = match notice.kind.croak() {
            Some(id) => self.croak(at, id).await?,
            None => None,
        };
        let text = croak.iter().map(|croak| croak.body.text.as_str());
        let (entities, _) = self.entities(at, text).await?;
        let notification = NotificationEntity::new(&entities, notice, croak.as_slice());
        Ok(notification.map(|entity| StreamEvent { name: "notification", payload: json(&entity) }))
    }

    async fn croak(&self, at: Token, id: LogIndex) -> Result<Option<FeedCroak>, StreamCutOff> {
        let query = Query::Croak { session: self.client.session, id };
        Ok(match self.slot.streams.ask(at, query).await? {
            Some(Page::Croak(croak)) => Some(croak),
            _ => None,
        })
    }

    /// Returns the conversation as of the message at this position.
    async fn conversation(&self, at: Token, with: AccountId) -> Result<Option<StreamEvent>, StreamCutOff> {
        let (session, with) = (self.client.session, TalkPartner::Account(with));
        let query = Query::Talk { session, with, before: Some(at.index + 1), limit: 1 };
        let Some(Page::Talk(talk)) = self.slot.streams.ask(at, query).await? else { return Ok(None) };
        let Talk { me, with, with_account, messages, waiting, .. } = talk;
        let Some(newest) = messages.into_iter().next().filter(|message| message.id == at.index) else {
            return Ok(None);
        };
        let (entities, _) = self.entities(at, [newest.text.as_str()]).await?;
        let talk = TalkSummary { with, with_account, newest, waiting };
        let entity = ConversationEntity::new(&entities, &me, &talk);
        Ok(Some(StreamEvent { name: "conversation", payload: json(&entity) }))
    }

    /// Reads the people whom the texts mention. The flag says whether they mention any.
    async fn entities<'a>(
        &self,
        at: Token,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<(Entities, bool), StreamCutOff> {
        let usernames = names_in(texts);
        let mentions = !usernames.is_empty();
        let query = Query::Persons { session: self.client.session, usernames };
        let people = match mentions {
            true => match self.slot.streams.ask(at, query).await? {
                Some(Page::Persons(people)) => people,
                _ => Vec::new(),
            },
            false => Vec::new(),
        };
        Ok((Entities::new(self.client.site.clone(), people), mentions))
    }
}

fn json(entity: &impl Serialize) -> String {
    serde_json::to_string(entity).expect("entities are plain values")
}
