//! Keyboard input: a thread that reads lines, so that the user can type while a command is running.
//!
//! Echo is off between two lines: keys typed then are not lost, they appear in the next line. [`Keyboard::end`] restores the
//! terminal mode, also when a signal ends the process.

use super::screen::{Desk, Typing};
use crate::common::editor::{Before, LineEditor, Read};
use crate::common::failure::Failure;
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use smol::channel::{self, Receiver, Sender};
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Maximum wait for the line editor to end after SIGINT.
const END_MAX: Duration = Duration::from_millis(500);
/// Escape sequence that turns off bracketed paste, for a line editor that did not end in time to send it.
const PASTE_PLAINLY: &[u8] = b"\x1b[?2004l\n";

/// A request to read input.
#[derive(Debug)]
pub enum Want {
    Line,
    /// A hidden answer to the given question.
    Secret(String),
}

/// Input from the keyboard.
#[derive(Debug)]
pub enum Pressed {
    Line(String),
    /// The hidden answer, or `None` after Ctrl-C or Ctrl-D.
    Secret(Option<String>),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D, or the terminal was closed.
    Ended,
    /// The terminal cannot be read.
    Broken(Failure),
}

/// Handle of the keyboard thread.
#[derive(Debug)]
pub struct Keyboard {
    wants: Sender<Want>,
    pressed: Receiver<Pressed>,
    desk: Arc<Desk>,
    terminal: Option<Termios>,
}

impl Keyboard {
    /// Starts the keyboard thread.
    pub fn start(mut editor: LineEditor, desk: Arc<Desk>) -> Keyboard {
        let (wants, wanted) = channel::bounded(1);
        let (press, pressed) = channel::bounded(1);
        // Without line editing, the terminal itself has to echo the keys.
        let terminal = tcgetattr(io::stdin()).ok().filter(|_| !editor.is_plain());
        if let Some(before) = &terminal {
            let mut silent = before.clone();
            silent.local_modes -= LocalModes::ECHO;
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &silent);
        }
        let sits = desk.clone();
        thread::spawn(move || read_all(editor, &sits, &wanted, &press));
        Keyboard { wants, pressed, desk, terminal }
    }

    /// Requests the next input.
    pub async fn want(&self, want: Want) {
        // The channel is closed only after the end, when the input is no longer needed.
        let _ = self.wants.send(want).await;
    }

    /// Waits for the requested input.
    pub async fn pressed(&self) -> Pressed {
        self.pressed.recv().await.unwrap_or(Pressed::Ended)
    }

    /// Interrupts the line editor and restores the terminal mode.
    pub async fn end(self) {
        self.wants.close();
        self.desk.typing(Typing::Ended);
        let ended = async {
            while self.pressed.recv().await.is_ok() {}
            true
        };
        let late = async {
            // The line editor treats SIGINT as Ctrl-C.
            let _ = kill_process(getpid(), Signal::INT);
            smol::Timer::after(END_MAX).await;
            false
        };
        let clean = smol::future::or(ended, late).await;
        if let Some(terminal) = &self.terminal {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
            if !clean {
                let mut out = io::stdout().lock();
                let _ = out.write_all(PASTE_PLAINLY).and_then(|()| out.flush());
            }
        }
    }
}

/// A question shown in place of the prompt.
struct Question<'a> {
    desk: &'a Desk,
    question: String,
}

impl Before for Question<'_> {
    fn prompt(&self) -> &str {
        // Counts the redraw: the printer thread waits for it.
        self.desk.prompt();
        &self.question
    }
}

fn read_all(mut editor: LineEditor, desk: &Arc<Desk>, wanted: &Receiver<Want>, press: &Sender<Pressed>) {
    while let Ok(want) = wanted.recv_blocking() {
        desk.typing(Typing::Line);
        let pressed = match want {
            Want::Line => match editor.read(&**desk) {
                Ok(Read::Line(line)) => Pressed::Line(line),
                Ok(Read::Interrupted) => Pressed::Interrupted,
                Ok(Read::Ended) => Pressed::Ended,
                Err(failure) => Pressed::Broken(failure),
            },
            Want::Secret(question) => match editor.ask_secret(&Question { desk, question }) {
                Ok(Read::Line(line)) => Pressed::Secret(Some(line)),
                Ok(_) => Pressed::Secret(None),
                Err(failure) => Pressed::Broken(failure),
            },
        };
        if press.is_closed() {
            return;
        }
        desk.typing(Typing::Nothing);
        if press.send_blocking(pressed).is_err() {
            return;
        }
    }
}
