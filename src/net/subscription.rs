//! The client's side of a subscription: follows what happens on whichever server lives.
//!
//! ```text
//!              ┌─ open a connection to the next server, Subscribe { cursor } ◀── nobody there: pause
//!   task ──────┼─ Live: pieces into a bounded queue, the cursor moves on
//!              ├─ lost, silent for LIVE_SILENCE, or Unavailable ──▶ next server, from the cursor
//!              └─ Lapsed, Refused: the last piece
//! ```
//!
//! The cursor moves with what has come, and every server tells the same from a cursor on: so events come in order,
//! none is missed and none comes twice, whatever dies meanwhile. Where a server cannot go on from the cursor, it says
//! so and so does this: who asked reads again what it shows and goes on from there ([`Subscription::resume`]).
//!
//! A reader that takes its time is waited for: the queue fills, then the connection, until the server gives up; then
//! it is opened again. What this does not do: read again by itself, or give up.

use super::channel::Channel;
use super::client::{Company, Pause, ask_status};
use super::frame::{self, FrameError, Plane};
use super::handshake;
use super::keys::Keys;
use super::limits::{FRAME_BYTES_MAX, LIVE_PIECES_MAX, LIVE_READ_BYTES, LIVE_SILENCE};
use super::protocol::{Answer, AnswerFrame, Ask, AskFrame, Lapse};
use super::tasks;
use ribbit_state::{Denied, Event, Token, Wanted};
use smol::channel::{self, Receiver, Sender};
use std::collections::VecDeque;
use std::sync::Arc;

/// The tag of the only ask of its connection.
const TAG: u32 = 1;

/// What a subscription tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    Event(Event),
    /// Nothing that is wanted happened up to here.
    Nothing,
    /// What happened behind the cursor is not known any more. Read again, at least as new as `at_least`, and
    /// [`Subscription::resume`] from what was read. Nothing comes before that.
    ReadAgain {
        at_least: Token,
        why: Lapse,
    },
    /// The session is over: nothing comes any more.
    Ended(Denied),
}

/// A place in the stream of what happens.
#[derive(Debug)]
pub struct Subscription {
    company: Arc<Company>,
    wanted: Wanted,
    /// Behind the last news that was taken.
    cursor: Token,
    /// Came with the last piece and was not taken yet, and the cursor behind all of it.
    waiting: VecDeque<Event>,
    behind: Token,
    over: Option<News>,
    pieces: Option<(Receiver<Piece>, smol::Task<()>)>,
}

#[derive(Debug)]
enum Piece {
    Live(Token, Vec<Event>),
    Last(News),
}

impl Subscription {
    pub(super) fn new(company: Arc<Company>, cursor: Token, wanted: Wanted) -> Subscription {
        let (waiting, over, pieces) = (VecDeque::new(), None, None);
        Subscription { company, wanted, cursor, waiting, behind: cursor, over, pieces }
    }

    /// Where it goes on when it is begun again: behind the last news.
    pub fn cursor(&self) -> Token {
        self.cursor
    }

    /// Goes on from somewhere else: from what was read again.
    pub fn resume(&mut self, cursor: Token) {
        *self = Subscription::new(self.company.clone(), cursor, self.wanted.clone());
    }

    /// The next news. Waits as long as it takes; may be given up and asked again at any time.
    pub async fn next(&mut self) -> News {
        if let Some(event) = self.waiting.pop_front() {
            self.cursor = if self.waiting.is_empty() { self.behind } else { self.at(&event) };
            return News::Event(event);
        }
        if let Some(over) = &self.over {
            return over.clone();
        }
        let (company, cursor, wanted) = (&self.company, self.cursor, &self.wanted);
        let (pieces, _) = self.pieces.get_or_insert_with(|| {
            let (sender, receiver) = channel::bounded(LIVE_PIECES_MAX);
            (receiver, tasks::spawn(follow(company.clone(), cursor, wanted.clone(), sender)))
        });
        match pieces.recv().await {
            Ok(Piece::Live(cursor, events)) => {
                self.behind = cursor;
                self.waiting = events.into();
                match self.waiting.pop_front() {
                    Some(event) => {
                        self.cursor = if self.waiting.is_empty() { cursor } else { self.at(&event) };
                        News::Event(event)
                    }
                    None => {
                        self.cursor = cursor;
                        News::Nothing
                    }
                }
            }
            Ok(Piece::Last(news)) => {
                (self.over, self.pieces) = (Some(news.clone()), None);
                news
            }
            // The task ends after its last piece only; begun again, it goes on from the cursor.
            Err(_) => {
                self.pieces = None;
                News::Nothing
            }
        }
    }

    fn at(&self, event: &Event) -> Token {
        Token { index: event.index, ..self.behind }
    }
}

/// Follows from server to server until there is a last piece, or nobody who takes them.
async fn follow(company: Arc<Company>, mut cursor: Token, wanted: Wanted, pieces: Sender<Piece>) {
    let mut pause = Pause::default();
    let mut next = company.servers.any();
    loop {
        let Some((server, learned)) = company.servers.at(next) else { return smol::future::pending().await };
        let mut served = false;
        let followed = async {
            // What was learned is an address, behind which there may be anybody.
            if learned && !belongs(&company, &server).await? {
                return Ok(None);
            }
            follow_one(&server, &company.keys, &mut cursor, &mut served, &wanted, &pieces).await
        };
        match followed.await {
            Ok(Some(last)) => {
                // Fails when nobody waits for it any more.
                let _ = pieces.send(Piece::Last(last)).await;
                return;
            }
            Ok(None) => log::debug!("{server} tells nothing now"),
            Err(error) => log::debug!("the stream of {server} ended: {error}"),
        }
        // One that has served and died is left at once; one that does not serve is not asked again at once.
        next = if served && company.is_sociable() { company.servers.any() } else { next.wrapping_add(1) };
        if served {
            pause = Pause::default();
        } else {
            pause.wait().await;
        }
    }
}

/// Whether this server is of the cluster that is followed.
async fn belongs(company: &Company, server: &str) -> Result<bool, FrameError> {
    let status = ask_status(server, Plane::Client, &company.keys).await?;
    Ok(company.belongs(server, &status))
}

/// Who follows the namespace is one of those who run the group.
fn plane_of(wanted: &Wanted) -> Plane {
    match wanted {
        Wanted::Feed { .. } => Plane::Client,
        Wanted::Tree { .. } => Plane::Control,
    }
}

/// What one server tells: its last word, or nothing when another should be asked.
async fn follow_one(
    server: &str,
    keys: &Keys,
    cursor: &mut Token,
    served: &mut bool,
    wanted: &Wanted,
    pieces: &Sender<Piece>,
) -> Result<Option<News>, FrameError> {
    let channel = handshake::connect(server, plane_of(wanted), keys).await?;
    let Channel { mut reader, mut writer } = channel;
    reader.read_ahead(LIVE_READ_BYTES);
    let ask = Ask::Subscribe { cursor: *cursor, wanted: wanted.clone() };
    frame::write(&mut writer, &AskFrame { tag: TAG, deadline_ms: 0, ask }).await?;
    loop {
        let said = frame::within(LIVE_SILENCE, frame::read(&mut reader, FRAME_BYTES_MAX)).await?;
        let AnswerFrame { tag: TAG, answer } = said else { return Err(FrameError::Malformed) };
        match answer {
            Answer::Live { cursor: behind, events } => {
                if !goes_on(*cursor, &events, behind) {
                    return Err(FrameError::Malformed);
                }
                (*cursor, *served) = (behind, true);
                pieces.send(Piece::Live(behind, events)).await.map_err(|_| FrameError::Closed)?;
            }
            Answer::Lapsed { resume_at, why } => {
                return Ok(Some(News::ReadAgain { at_least: resume_at, why }));
            }
            Answer::Refused(denied) => return Ok(Some(News::Ended(denied))),
            Answer::Unavailable(why) => {
                log::debug!("{server} does not tell what happens: {why:?}");
                return Ok(None);
            }
            _ => {
                return Err(FrameError::Malformed);
            }
        }
    }
}

/// Whether a piece begins behind the cursor and leads up to the next one, in order.
fn goes_on(cursor: Token, events: &[Event], behind: Token) -> bool {
    let rising = events.is_sorted_by(|a, b| a.index < b.index);
    let first = events.first().is_none_or(|event| event.index > cursor.index);
    let last = events.last().is_none_or(|event| event.index <= behind.index);
    rising && first && last && behind.history == cursor.history && behind.index >= cursor.index
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::{AccountId, Happening, HistoryId};

    #[test]
    fn a_piece_that_does_not_follow_is_not_taken() {
        let at = |index| Token { history: HistoryId(1), index };
        let events = |indexes: &[u64]| -> Vec<Event> {
            let what = Happening::Croaked { author: AccountId(1) };
            indexes.iter().map(|index| Event { index: *index, what: what.clone() }).collect()
        };
        assert!(goes_on(at(5), &events(&[6, 9]), at(9)) && goes_on(at(5), &[], at(5)));
        assert!(!goes_on(at(5), &events(&[5, 9]), at(9)), "twice");
        assert!(!goes_on(at(5), &events(&[9, 6]), at(9)), "in no order");
        assert!(!goes_on(at(5), &events(&[6, 9]), at(8)), "beyond its cursor");
        assert!(!goes_on(at(5), &[], at(4)), "back in time");
        assert!(!goes_on(at(5), &[], Token { history: HistoryId(2), index: 6 }), "elsewhere");
    }
}
