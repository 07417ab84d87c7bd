//! `ribbit client`: the interactive terminal client.
//!
//! ```text
//!   keyboard ── lines ──▶ commands, in order ──▶ user session: each write retried, done once ──▶ servers
//!                             │                                                                    │
//!   screen ◀──── results ─────┴────── croaks and messages from others ◀──── one event stream ◀─────┘
//! ```
//!
//! - The prompt is always present: a line can be typed while another command is still running. Incoming croaks and messages
//!   are printed above it.
//! - Ctrl-D and `/quit` exit and keep the session for the next start. Ctrl-C exits and also logs out of a session that was
//!   opened here. All three leave the chat.
//! - When standard input or output is not a terminal, commands are read line by line from standard input. The first one that
//!   fails ends the process with its exit code.
//! - When no server answers after all retries, the client exits and reports that.
//!
//! - [`event_loop`]: runs the commands and the background tasks; [`exit`]: clean-up and exit code
//! - [`commands`]: parser and help of the slash commands; [`completion`]: Tab completion; [`formatting`]: text formatting
//! - [`client`]: shared state and most commands; [`messages`], [`rooms`], [`live_chat`] and [`export`]: the others
//! - [`live_events`]: incoming events; [`chat_lease`], [`open_room`] and [`read_marks`]: state of the chat slot, of the
//!   open room and of read messages
//! - [`screen`] and [`keyboard`]: output and input; [`login`]: log-in and sign-up

pub(crate) mod chat_lease;
pub(crate) mod client;
pub mod commands;
pub(crate) mod completion;
pub(crate) mod conversation;
pub(crate) mod event_loop;
pub(crate) mod exit;
pub(crate) mod export;
pub(crate) mod formatting;
pub(crate) mod keyboard;
pub(crate) mod live_chat;
pub(crate) mod live_events;
pub(crate) mod login;
pub(crate) mod messages;
mod notices;
pub(crate) mod open_room;
pub(crate) mod read_marks;
pub(crate) mod rooms;
pub(crate) mod screen;

use crate::client::arguments::TerminalOptions;
use crate::client::session::UserSession;
use crate::client::session::request_error::RequestError;
use crate::common::editor::{LineEditor, history_file};
use crate::common::failure::Failure;
use crate::common::stop::ending_signals;
use client::TerminalClient;
use completion::{KnownNames, NameQueries};
use keyboard::Keyboard;
use ribbit_net::discovery::ConnectionEvent;
use ribbit_ui::lines::LineStyle;
use screen::Screen;
use smol::channel::{self, Receiver};
use smol::future::FutureExt;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Maximum number of queued connection notices. Further ones are dropped, because a newer one always follows.
const NOTICES_MAX: usize = 16;
/// Time limit of a query for names during Tab completion.
const COMPLETE_MAX: Duration = Duration::from_millis(500);
/// File name of the input history.
const HISTORY: &str = "client-history";

/// Runs the client until it exits and returns the exit code.
///
/// # Errors
/// - `Refused` (1) when the servers refuse a request.
/// - `Unreachable` (3) when no server answers.
/// - `NotLoggedIn` (4) when there is no session and none can be opened.
/// - In a script: the failure of the first line that fails.
pub(crate) async fn run(options: &TerminalOptions) -> Result<u8, Failure> {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let (notice, notices) = channel::bounded(NOTICES_MAX);
    let gone = AtomicBool::new(false);
    let on_event = move |event| {
        // A new connection is reported only after a lost one.
        let reached = matches!(event, ConnectionEvent::Reached(_));
        if gone.swap(!reached, Ordering::Relaxed) || !reached {
            let _ = notice.try_send(event);
        }
    };
    let history = options.person.folder.as_ref().and_then(|folder| history_file(folder, HISTORY));
    let mut editor = if terminal { Some(LineEditor::new(history)?) } else { None };
    let (mut user, origin) = {
        let notices = notices.clone();
        // Notices go to standard error until the screen exists.
        let reporting = async move {
            while let Ok(event) = notices.recv().await {
                eprintln!("-- {}", ribbit_ui::lines::contact(&event));
            }
            smol::future::pending().await
        };
        let log_in = async {
            let mut user = UserSession::reach(&options.person, Box::new(on_event)).await?;
            let origin = login::log_in(&mut user, options.username.as_deref(), editor.as_mut()).await?;
            Ok::<_, Failure>((user, origin))
        };
        log_in.or(reporting).await?
    };
    let me = user.profile().await?;
    user.save_position()?;
    let client = TerminalClient::new(user, me, origin, Screen::plain(), LineStyle::default());
    if let Some(editor) = editor {
        return at_terminal(client, editor, options, &notices).await;
    }
    let mut signals = ending_signals()?;
    let ended = event_loop::script(&client, options.take_over, &notices, &mut signals).await;
    exit::run(client, ended).await
}

async fn at_terminal(
    mut client: TerminalClient,
    mut editor: LineEditor,
    options: &TerminalOptions,
    notices: &Receiver<ConnectionEvent>,
) -> Result<u8, Failure> {
    let complete = completion(client.user.clone(), client.names.clone());
    editor.complete_with(complete);
    let mut signals = ending_signals()?;
    let mut printer = None;
    if let Some(print) = editor.printer() {
        let (screen, prints) = Screen::on(client.input_line.clone(), print);
        (client.screen, printer) = (screen, Some(prints));
        client.style = crate::client::session::style(&options.person);
    }
    // The signal handler stays alive until the keyboard has ended, because `Keyboard::end` sends SIGINT to this process.
    let keyboard = Keyboard::start(editor, client.input_line.clone());
    let ended = event_loop::run(&client, &keyboard, options.take_over, notices, &mut signals).await;
    keyboard.end().await;
    while let Ok(event) = notices.try_recv() {
        client.screen.note(format!("-- {}", ribbit_ui::lines::contact(&event))).await;
    }
    let screen = client.screen.clone();
    let ended = exit::run(client, ended).await;
    if let Some(printer) = printer {
        printer.end(screen).await;
    }
    ended
}

/// Queries for completions, bounded in time: the user waits for them.
struct CompletionQueries {
    user: UserSession,
}

impl CompletionQueries {
    /// Returns the answer, or nothing if it is refused or late.
    fn answer<T: Default>(&self, asked: impl Future<Output = Result<T, RequestError>>) -> T {
        let late = async {
            smol::Timer::after(COMPLETE_MAX).await;
            T::default()
        };
        smol::block_on(async { asked.await.unwrap_or_default() }.or(late))
    }
}

impl NameQueries for CompletionQueries {
    fn people(&self, begin: &str) -> Vec<String> {
        let (people, _) = self.answer(self.user.people(&format!("{begin}*"), None));
        people.into_iter().map(|one| one.person.username).collect()
    }

    fn rooms(&self, begin: &str) -> Vec<String> {
        self.answer(self.user.room_names(begin))
    }
}

fn completion(user: UserSession, names: KnownNames) -> crate::common::editor::CompleteFn {
    let queries = CompletionQueries { user };
    Box::new(move |line| completion::complete(line, &names, &queries))
}
