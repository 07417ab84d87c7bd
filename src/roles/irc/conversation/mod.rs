//! A client that has logged in: its lines are served in their order, and what happens is shown in between.
//!
//! ```text
//!   a line of the client ──▶ commands ──▶ say, channels, people, history ──▶ operations
//!   an event             ──▶ news: read what is new, show it once
//! ```
//!
//! - [`commands`]: the table of commands, and the small ones
//! - [`channels`]: rooms and the feed as channels; [`members`]: who is in them; [`people`]: who they are
//! - [`say`]: what the client says; [`shown`]: how a message becomes lines
//! - [`news`]: what happens elsewhere; [`history`]: CHATHISTORY, and replays
//!
//! The newest message that was shown is known for each channel, and for direct messages. An event shows one message behind it. After a
//! gap in the events, everything behind it is read.

mod channels;
mod commands;
mod history;
mod members;
mod news;
mod people;
mod say;
mod shown;

use super::capabilities::{Capabilities, Capability};
use super::codec::line::Line;
use super::codec::lines::Input;
use super::limits::{AGAIN_PAUSE, IDLE, PONG_DEADLINE};
use super::registration::LoggedIn;
use super::replies::{fail_code, number_for, numeric, welcome, words};
use super::transport::{Output, Transport};
use super::{End, Irc, SERVER};
use crate::common::service::connection::Connection;
use crate::operations::live::{Happened, LiveEvents};
use crate::operations::{Operations, Refusal, Session};
use ribbit_state::LogIndex;
use ribbit_state::RoomId;
use ribbit_state::query::Person;
use smol::Timer;
use smol::channel::Receiver;
use smol::future::or;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::time::Instant;

/// A client that has logged in.
pub(super) struct Conversation<'a> {
    irc: &'a Irc,
    inputs: &'a Receiver<Input>,
    out: &'a mut Output,
    connection: &'a Connection,
    from: IpAddr,
    capabilities: Capabilities,
    session: Session,
    me: Person,
    live: LiveEvents,
    /// Open rooms by their names.
    rooms: BTreeMap<String, OpenRoom>,
    /// The feed, if its channel is open.
    feed: Option<ShownThrough>,
    /// Newest direct message that was shown.
    messages_through: LogIndex,
    /// Messages that were said on this connection and whose events have not arrived yet.
    own: BTreeSet<LogIndex>,
    /// Number of the last batch.
    batch: u64,
    /// Time at which what was missed is read.
    catch_up_at: Option<Instant>,
    last_input: Instant,
    /// The client was asked for a sign of life since its last line.
    pinged: bool,
}

/// A room whose channel is open.
struct OpenRoom {
    id: RoomId,
    topic: String,
    through: ShownThrough,
}

/// Newest message of a channel that was shown, and the newest that is marked as read.
#[derive(Debug, Clone, Copy, Default)]
struct ShownThrough {
    shown: LogIndex,
    marked: LogIndex,
}

/// Something to do.
enum Turn {
    Input(Input),
    Happened(Happened),
    CatchUp,
    Idle,
    /// The role is being stopped.
    Stop,
}

impl<'a> Conversation<'a> {
    /// Greets the client and shows the messages that wait for it.
    pub(super) async fn begin(
        irc: &'a Irc,
        transport: &'a mut Transport,
        connection: &'a Connection,
        logged_in: LoggedIn,
    ) -> Result<Conversation<'a>, End> {
        let LoggedIn { capabilities, session, me } = logged_in;
        let live = irc.operations.live(&session).await.map_err(|refusal| End::Told(words(refusal)))?;
        let Transport { inputs, output: out, .. } = transport;
        let mut conversation = Conversation {
            irc,
            inputs,
            out,
            connection,
            from: connection.from,
            capabilities,
            session,
            me,
            live,
            rooms: BTreeMap::new(),
            feed: None,
            messages_through: 0,
            own: BTreeSet::new(),
            batch: 0,
            catch_up_at: None,
            last_input: Instant::now(),
            pinged: false,
        };
        for line in welcome(&conversation.me.username) {
            conversation.out.push(&line);
        }
        conversation.message_of_the_day().await;
        conversation.catch_up().await?;
        Ok(conversation)
    }

    /// Serves the client to its end.
    pub(super) async fn serve(mut self) -> Result<(), End> {
        loop {
            self.out.flush().await?;
            match self.turn().await? {
                Turn::Input(input) => {
                    (self.last_input, self.pinged) = (Instant::now(), false);
                    self.serve_input(input).await?;
                }
                Turn::Happened(Happened::Event(event)) => self.show_event(event).await,
                Turn::Happened(Happened::Missed { other_history }) => {
                    if other_history {
                        self.begin_another_history();
                    }
                    self.catch_up().await?;
                }
                Turn::Happened(Happened::Ended) => {
                    return Err(End::session_ended());
                }
                Turn::CatchUp => self.catch_up().await?,
                Turn::Stop => return Err(End::stopped()),
                Turn::Idle if self.pinged => return Err(End::Told("Ping timeout".to_string())),
                Turn::Idle => {
                    self.pinged = true;
                    self.out.push(&Line::new(SERVER, "PING").text(SERVER));
                }
            }
        }
    }

    /// Waits for something to do.
    async fn turn(&mut self) -> io::Result<Turn> {
        let deadline = self.last_input + if self.pinged { IDLE + PONG_DEADLINE } else { IDLE };
        let (catch_up_at, live) = (self.catch_up_at, &mut self.live);
        let input = async {
            match self.inputs.recv().await {
                Ok(input) => Ok(Turn::Input(input)),
                Err(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        };
        let happened = async {
            match catch_up_at {
                // Until then events are missing, so later ones wait.
                Some(at) => {
                    Timer::at(at).await;
                    Ok(Turn::CatchUp)
                }
                None => Ok(Turn::Happened(self.irc.operations.happened(live).await)),
            }
        };
        let idle = async {
            Timer::at(deadline).await;
            Ok(Turn::Idle)
        };
        let stopped = async {
            self.connection.stopping().await;
            Ok(Turn::Stop)
        };
        // What was read ahead is served before the end.
        or(or(input, stopped), or(happened, idle)).await
    }

    async fn serve_input(&mut self, input: Input) -> Result<(), End> {
        match input {
            Input::Line(line) => self.serve_line(&line).await,
            Input::TooLong => {
                self.numeric("417", "That line is too long; nothing of it was sent");
                Ok(())
            }
            Input::NotUtf8 => {
                self.refuse("*", "INVALID_UTF8", &[], "That line is not UTF-8; nothing of it was sent");
                Ok(())
            }
        }
    }

    fn operations(&self) -> &'a Operations {
        &self.irc.operations
    }

    fn has(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }

    /// Returns a numeric for this client.
    fn reply(&self, number: &str) -> Line {
        numeric(&self.me.username, number)
    }

    /// Appends a numeric with words alone.
    fn numeric(&mut self, number: &str, words: &str) {
        let line = self.reply(number).text(words);
        self.out.push(&line);
    }

    /// Says in words that something was refused: as FAIL to clients that know it, else as a notice.
    fn refuse(&mut self, command: &str, code: &str, context: &[&str], words: &str) {
        if self.has(Capability::StandardReplies) {
            self.fail(command, code, context, words);
        } else {
            let about = context.first().map_or(String::new(), |about| format!("{about}: "));
            self.out.notice(&self.me.username, &format!("{about}{words}"));
        }
    }

    /// Appends a FAIL line.
    fn fail(&mut self, command: &str, code: &str, context: &[&str], words: &str) {
        let line = Line::new(SERVER, "FAIL").with(command).with(code);
        let line = context.iter().fold(line, |line, about| line.with(*about));
        self.out.push(&line.text(words));
    }

    /// Says in words why something about a channel or person was refused: with a numeric if there is one.
    fn refused(&mut self, command: &str, about: &[&str], refusal: Refusal) {
        let words = words(refusal);
        match number_for(refusal) {
            Some(number) => {
                let line = about.iter().fold(self.reply(number), |line, about| line.with(*about));
                self.out.push(&line.text(words));
            }
            None => self.refuse(command, fail_code(refusal), about, &words),
        }
    }

    /// Reads what was missed again after a pause.
    fn catch_up_later(&mut self, refusal: Refusal) {
        log::debug!("cannot read what is new yet: {refusal}");
        self.catch_up_at = Some(Instant::now() + AGAIN_PAUSE);
    }
}
