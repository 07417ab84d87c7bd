//! Keyboard input: a thread that reads lines, so that the user can type while a command is running.
//!
//! Echo is off between two lines: keys typed then are not lost, they appear in the next line. [`Keyboard::end`] restores the
//! terminal mode, also when a signal ends the process.

use super::screen::{InputLine, LineState};
use crate::common::editor::{LineEditor, LineInput, PromptSource};
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
const BRACKETED_PASTE_OFF: &[u8] = b"\x1b[?2004l\n";

/// A request to read input.
#[derive(Debug)]
pub(crate) enum InputRequest {
    Line,
    /// A hidden answer to the given question.
    Secret(String),
}

/// Input from the keyboard.
#[derive(Debug)]
pub(crate) enum InputEvent {
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
pub(crate) struct Keyboard {
    wants: Sender<InputRequest>,
    pressed: Receiver<InputEvent>,
    input_line: Arc<InputLine>,
    terminal: Option<Termios>,
}

impl Keyboard {
    /// Starts the keyboard thread.
    pub(crate) fn start(mut editor: LineEditor, input_line: Arc<InputLine>) -> Keyboard {
        let (wants, wanted) = channel::bounded(1);
        let (press, pressed) = channel::bounded(1);
        // Without line editing, the terminal itself has to echo the keys.
        let terminal = tcgetattr(io::stdin()).ok().filter(|_| !editor.is_plain());
        if let Some(before) = &terminal {
            let mut silent = before.clone();
            silent.local_modes -= LocalModes::ECHO;
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &silent);
        }
        let sits = input_line.clone();
        thread::spawn(move || read_all(editor, &sits, &wanted, &press));
        Keyboard { wants, pressed, input_line, terminal }
    }

    /// Requests the next input.
    pub(crate) async fn request(&self, want: InputRequest) {
        // The channel is closed only after the end, when the input is no longer needed.
        let _ = self.wants.send(want).await;
    }

    /// Waits for the requested input.
    pub(crate) async fn next(&self) -> InputEvent {
        self.pressed.recv().await.unwrap_or(InputEvent::Ended)
    }

    /// Interrupts the line editor and restores the terminal mode.
    pub(crate) async fn end(self) {
        self.wants.close();
        self.input_line.set_state(LineState::Ended);
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
                let _ = out.write_all(BRACKETED_PASTE_OFF).and_then(|()| out.flush());
            }
        }
    }
}

/// A question shown in place of the prompt.
struct Question<'a> {
    input_line: &'a InputLine,
    question: String,
}

impl PromptSource for Question<'_> {
    fn prompt(&self) -> &str {
        // Counts the redraw: the printer thread waits for it.
        self.input_line.prompt();
        &self.question
    }
}

fn read_all(
    mut editor: LineEditor,
    input_line: &Arc<InputLine>,
    wanted: &Receiver<InputRequest>,
    press: &Sender<InputEvent>,
) {
    while let Ok(want) = wanted.recv_blocking() {
        input_line.set_state(LineState::Line);
        let pressed = match want {
            InputRequest::Line => match editor.read(&**input_line) {
                Ok(LineInput::Line(line)) => InputEvent::Line(line),
                Ok(LineInput::Interrupted) => InputEvent::Interrupted,
                Ok(LineInput::Ended) => InputEvent::Ended,
                Err(failure) => InputEvent::Broken(failure),
            },
            InputRequest::Secret(question) => match editor.ask_secret(&Question { input_line, question }) {
                Ok(LineInput::Line(line)) => InputEvent::Secret(Some(line)),
                Ok(_) => InputEvent::Secret(None),
                Err(failure) => InputEvent::Broken(failure),
            },
        };
        if press.is_closed() {
            return;
        }
        input_line.set_state(LineState::Nothing);
        if press.send_blocking(pressed).is_err() {
            return;
        }
    }
}
