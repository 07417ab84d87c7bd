//! `ribbit client`: the group as a person uses it at a terminal.
//!
//! ```text
//!   keyboard ─ lines ─▶ commands, one after the other ─▶ Person: asks again until it is done, once ─▶ servers
//!                           │                                                                         │
//!   screen ◀── results ─────┴──── croaks and messages of others, as they come ◀── one stream ◀────────┘
//! ```
//!
//! - The prompt is there all the time: a line can be typed while another is on its way. What comes from others stands above
//!   it.
//! - Ctrl-C logs out. Ctrl-D and `/quit` end, and the session is kept for the next time. Each of them leaves the chat.
//! - Where it is no terminal, commands are lines of standard input, until the first that fails: its exit code is the end's.
//! - When nobody answers after all tries over all servers, it ends, and says so.
//!
//! - [`commands`]: what can be typed; [`names`]: what Tab completes; [`lines`]: how people and words look
//! - [`screen`] and [`keyboard`]: the terminal; [`login`]: who is there
//! - [`session`], [`talks`], [`place`], [`live`], [`export`]: what is done; [`chat`]: the chat place, as a pure state
//! - [`typed`]: all of it at once; [`end`]: how it ends

pub mod chat;
pub mod commands;
pub mod end;
pub mod export;
pub mod keyboard;
pub mod lines;
pub mod live;
pub mod login;
pub mod names;
pub mod place;
pub mod screen;
pub mod session;
pub mod talks;
pub mod typed;

use crate::client::session::Person;
use crate::common::editor::{LineEditor, history_file};
use crate::common::failure::Failure;
use crate::common::options::TerminalOptions;
use crate::locks::shell::ending_signals;
use keyboard::Keyboard;
use names::Names;
use ribbit_net::client::Contact;
use ribbit_state::Query;
use ribbit_ui::lines::Style;
use screen::Screen;
use session::Session;
use smol::channel::{self, Receiver};
use smol::future::FutureExt;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Words about the connection that wait to be shown; there is always a newer one.
const NOTICES_MAX: usize = 16;
/// Tab does not wait for longer.
const COMPLETE_MAX: Duration = Duration::from_millis(500);
const HISTORY: &str = "client-history";

/// Runs it to its end, and answers the exit code.
///
/// # Errors
/// 1: refused; 3: nobody answers; 4: nobody is logged in; of a script, whatever its line that failed says.
pub async fn run(options: &TerminalOptions) -> Result<u8, Failure> {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let (notice, notices) = channel::bounded(NOTICES_MAX);
    let gone = AtomicBool::new(false);
    let tell = move |contact| {
        // That there is somebody is worth a word only behind one that there was nobody.
        let reached = matches!(contact, Contact::Reached(_));
        if gone.swap(!reached, Ordering::Relaxed) || !reached {
            let _ = notice.try_send(contact);
        }
    };
    let history = options.person.folder.as_ref().and_then(|folder| history_file(folder, HISTORY));
    let mut editor = if terminal { Some(LineEditor::new(history)?) } else { None };
    let (mut person, opened) = {
        let notices = notices.clone();
        // Until there is a screen.
        let telling = async move {
            while let Ok(contact) = notices.recv().await {
                eprintln!("-- {}", ribbit_ui::lines::contact(&contact));
            }
            smol::future::pending().await
        };
        let begin = async {
            let mut person = Person::reach(&options.person, Box::new(tell)).await?;
            let opened = login::log_in(&mut person, options.username.as_deref(), editor.as_mut()).await?;
            Ok::<_, Failure>((person, opened))
        };
        begin.or(telling).await?
    };
    let me = person.me().await?;
    person.keep()?;
    let session = Session::new(person, me, opened, Screen::plain(), Style::default());
    if let Some(editor) = editor {
        return at_terminal(session, editor, options, &notices).await;
    }
    let mut signals = ending_signals()?;
    let ended = typed::script(&session, options.take_over, &notices, &mut signals).await;
    end::end(session, ended).await
}

async fn at_terminal(
    mut session: Session,
    mut editor: LineEditor,
    options: &TerminalOptions,
    notices: &Receiver<Contact>,
) -> Result<u8, Failure> {
    let complete = completion(session.person.clone(), session.names.clone());
    editor.complete_with(complete);
    let mut signals = ending_signals()?;
    let mut printer = None;
    if let Some(print) = editor.printer() {
        let (screen, prints) = Screen::on(session.desk.clone(), print);
        (session.screen, printer) = (screen, Some(prints));
        session.style = crate::client::session::style(&options.person);
    }
    // Waited for to the end: the keyboard is told to end by one.
    let keyboard = Keyboard::start(editor, session.desk.clone());
    let ended = typed::run(&session, &keyboard, options.take_over, notices, &mut signals).await;
    keyboard.end().await;
    while let Ok(contact) = notices.try_recv() {
        session.screen.note(format!("-- {}", ribbit_ui::lines::contact(&contact))).await;
    }
    let screen = session.screen.clone();
    let ended = end::end(session, ended).await;
    if let Some(printer) = printer {
        printer.end(screen).await;
    }
    ended
}

fn completion(person: Person, names: Names) -> crate::common::editor::Complete {
    let ask = move |begin: &str| {
        let Ok(session) = person.session() else { return Vec::new() };
        let query = Query::People { session, names: format!("{begin}*"), after: None };
        let asked = async { person.read(query).await.ok() };
        let late = async {
            smol::Timer::after(COMPLETE_MAX).await;
            None
        };
        match smol::block_on(asked.or(late)).map(|got| got.what) {
            Some(ribbit_state::Page::People { people, .. }) => {
                people.into_iter().map(|one| one.person.username).collect()
            }
            _ => Vec::new(),
        }
    };
    Box::new(move |line| names::complete(line, &names, &ask))
}
