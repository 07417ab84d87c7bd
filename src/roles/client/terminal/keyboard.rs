//! Who types: a thread that reads line after line, so that a line can be typed while another one is on its way.
//!
//! Between two lines the terminal echoes nothing: what is typed then is not lost, it appears in the next line. The terminal
//! is as it was before once [`Keyboard::end`] is through, or this process is told to end.

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

/// A line editor that is told to end does so.
const END_MAX: Duration = Duration::from_millis(500);
/// What a terminal is told when a line editor went without a word: pasted text comes as if it were typed.
const PASTE_PLAINLY: &[u8] = b"\x1b[?2004l\n";

/// What is to be read next.
#[derive(Debug)]
pub enum Want {
    Line,
    /// The answer to a question, which is not shown.
    Secret(String),
}

/// What was typed.
#[derive(Debug)]
pub enum Pressed {
    Line(String),
    /// Nothing: it was not answered.
    Secret(Option<String>),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D, or a terminal that is gone.
    Ended,
    Broken(Failure),
}

#[derive(Debug)]
pub struct Keyboard {
    wants: Sender<Want>,
    pressed: Receiver<Pressed>,
    desk: Arc<Desk>,
    terminal: Option<Termios>,
}

impl Keyboard {
    pub fn start(mut editor: LineEditor, desk: Arc<Desk>) -> Keyboard {
        let (wants, wanted) = channel::bounded(1);
        let (press, pressed) = channel::bounded(1);
        // A terminal that is too simple for an editor shows what is typed itself.
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

    /// Lets somebody type.
    pub async fn want(&self, want: Want) {
        // Only who has ended wants nothing more.
        let _ = self.wants.send(want).await;
    }

    /// What was typed, as soon as it is.
    pub async fn pressed(&self) -> Pressed {
        self.pressed.recv().await.unwrap_or(Pressed::Ended)
    }

    /// Puts the terminal back as it was; who is typing is interrupted.
    pub async fn end(self) {
        self.wants.close();
        self.desk.typing(Typing::Ended);
        let ended = async {
            while self.pressed.recv().await.is_ok() {}
            true
        };
        let late = async {
            // The line editor takes the signal for Ctrl-C.
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

/// A question in the place of the prompt.
struct Question<'a> {
    desk: &'a Desk,
    question: String,
}

impl Before for Question<'_> {
    fn prompt(&self) -> &str {
        // Whoever shows something waits for the line to be drawn.
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
