//! Output of the terminal client: above the input line on a terminal, plain lines elsewhere.
//!
//! ```text
//!   show ──▶ bounded queue ──▶ printer thread ──▶ line editor: clears the input line, prints, redraws the input line
//! ```
//!
//! - While the user may be typing, all output goes through the queue, in order. Nothing else writes to the terminal.
//! - The printer waits a moment while there is no input line to redraw ([`InputLine::set_state`]).
//! - A text counts as shown only after the input line was redrawn below it.
//! - Without a terminal, results go to standard output and notices to standard error.

use crate::common::editor::{PrintFn, PromptSource};
use crate::common::output;
use ribbit_state::sync::MutexExt;
use smol::channel::{self, Receiver, Sender};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Capacity of the print queue, in texts. A full queue makes the sender wait.
const WAITING_MAX: usize = 64;
/// Maximum wait for an input line before a text is printed without one.
const NO_LINE_MAX: Duration = Duration::from_millis(300);
/// Maximum wait at exit for the queued texts to be printed.
const END_MAX: Duration = Duration::from_secs(2);

/// Prompt while live chat is off.
const PROMPT: &str = "ribbit> ";
/// Prompt while live chat is on. It has the width of [`PROMPT`], because the editor does not expect the width to change.
const PROMPT_LIVE: &str = "* live> ";

/// Output handle. Clones share the queue.
#[derive(Debug, Clone)]
pub(crate) struct Screen(ScreenOutput);

#[derive(Debug, Clone)]
enum ScreenOutput {
    Terminal(Sender<QueuedText>),
    Plain,
}

/// A queued text.
#[derive(Debug)]
struct QueuedText {
    text: String,
    /// Receives a message once the text is on the screen.
    shown: Option<Sender<()>>,
}

impl Screen {
    /// Creates a screen that prints plain lines.
    pub(crate) fn plain() -> Screen {
        Screen(ScreenOutput::Plain)
    }

    /// Creates a screen that prints above the input line of `desk`, and starts its printer thread.
    pub(crate) fn on(input_line: Arc<InputLine>, print: PrintFn) -> (Screen, Printer) {
        let (sender, receiver) = channel::bounded(WAITING_MAX);
        let (ended, end) = channel::bounded::<()>(1);
        thread::spawn(move || {
            show_all(&input_line, print, &receiver);
            drop(ended);
        });
        (Screen(ScreenOutput::Terminal(sender)), Printer(end))
    }

    /// Returns true for a screen made by [`Screen::on`].
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self.0, ScreenOutput::Terminal(_))
    }

    /// Prints the result of a command or an incoming event.
    pub(crate) async fn show(&self, text: impl Into<String>) {
        match &self.0 {
            ScreenOutput::Terminal(queue) => {
                drop(queue.send(QueuedText { text: text.into(), shown: None }).await);
            }
            ScreenOutput::Plain => output::line(&text.into()),
        }
    }

    /// Prints a text like [`Screen::show`] and waits until it is on the screen. Returns false if it was not printed before
    /// the terminal ended.
    pub(crate) async fn shown(&self, text: impl Into<String>) -> bool {
        let ScreenOutput::Terminal(queue) = &self.0 else {
            output::line(&text.into());
            return true;
        };
        let (shown, stands) = channel::bounded(1);
        queue.send(QueuedText { text: text.into(), shown: Some(shown) }).await.is_ok()
            && stands.recv().await.is_ok()
    }

    /// Waits until everything queued so far is on the screen.
    pub(crate) async fn flush(&self) {
        if self.is_terminal() {
            self.shown("").await;
        }
    }

    /// Prints a notice about the client itself: an error, or a change of the connection.
    pub(crate) async fn note(&self, text: impl Into<String>) {
        match &self.0 {
            ScreenOutput::Terminal(_) => self.show(text).await,
            ScreenOutput::Plain => eprintln!("{}", text.into()),
        }
    }
}

/// Handle to wait for the end of the printer thread.
#[derive(Debug)]
pub(crate) struct Printer(Receiver<()>);

impl Printer {
    /// Drops the last screen and waits until the thread has printed the queued texts, at most [`END_MAX`].
    pub(crate) async fn end(self, screen: Screen) {
        drop(screen);
        let ended = async {
            // The thread sends nothing: it closes the channel when it ends.
            let _ = self.0.recv().await;
        };
        let late = async {
            smol::Timer::after(END_MAX).await;
        };
        smol::future::or(ended, late).await;
    }
}

fn show_all(input_line: &InputLine, mut print: PrintFn, texts: &Receiver<QueuedText>) {
    while let Ok(QueuedText { text, shown }) = texts.recv_blocking() {
        // An empty text comes from `flush`: all texts before it are printed.
        let stands = text.is_empty() || {
            let drawn = input_line.await_line();
            print(text);
            drawn.is_none_or(|drawn| input_line.await_drawn(drawn))
        };
        if let Some(shown) = shown
            && stands
        {
            let _ = shown.try_send(());
        }
    }
}

/// State of the input line, shared between the keyboard thread, the printer thread and the commands.
#[derive(Debug, Default)]
pub(crate) struct InputLine {
    live: AtomicBool,
    line: Mutex<DrawnLine>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
struct DrawnLine {
    state: LineState,
    /// Number of times that the line was drawn.
    drawn: u64,
}

/// Content of the last line of the terminal.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineState {
    /// No input line, for a moment between two lines.
    #[default]
    Nothing,
    /// An input line.
    Line,
    /// No input line any more: the client exits.
    Ended,
}

impl InputLine {
    /// Sets the prompt for live chat on or off. The screen shows it the next time that the line is drawn.
    pub(crate) fn set_live(&self, live: bool) {
        self.live.store(live, Ordering::SeqCst);
    }

    /// Sets the state of the last line. [`LineState::Ended`] is final.
    pub(crate) fn set_state(&self, state: LineState) {
        let mut line = self.line();
        if line.state != LineState::Ended {
            line.state = state;
        }
        self.changed.notify_all();
    }

    /// Waits for an input line to print above and returns its draw count. Returns `None` if there is no line within
    /// [`NO_LINE_MAX`].
    fn await_line(&self) -> Option<u64> {
        let deadline = Instant::now() + NO_LINE_MAX;
        let mut line = self.line();
        loop {
            let left = match line.state {
                LineState::Line => return Some(line.drawn),
                LineState::Ended => return None,
                LineState::Nothing => deadline.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                return None;
            }
            line = self.wait(line, left);
        }
    }

    /// Waits until the input line was redrawn below the printed text, and returns false if it was not before the end. During
    /// a history search the editor redraws only after the search has ended.
    fn await_drawn(&self, before: u64) -> bool {
        let mut line = self.line();
        while line.drawn == before && line.state != LineState::Ended {
            line = self.changed.wait(line).expect("no holder of this lock panics");
        }
        line.drawn != before
    }

    fn wait<'a>(&self, line: MutexGuard<'a, DrawnLine>, limit: Duration) -> MutexGuard<'a, DrawnLine> {
        self.changed.wait_timeout(line, limit).expect("no holder of this lock panics").0
    }

    fn line(&self) -> MutexGuard<'_, DrawnLine> {
        self.line.locked()
    }
}

impl PromptSource for InputLine {
    fn prompt(&self) -> &str {
        self.line().drawn += 1;
        self.changed.notify_all();
        if self.live.load(Ordering::SeqCst) { PROMPT_LIVE } else { PROMPT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a screen that prints into a list and redraws the line as an editor does.
    fn rig() -> (Arc<InputLine>, Screen, Printer, Arc<Mutex<Vec<String>>>) {
        let input_line = Arc::new(InputLine::default());
        let printed = Arc::new(Mutex::new(Vec::new()));
        let (list, draws) = (printed.clone(), input_line.clone());
        let print = move |text: String| {
            list.lock().unwrap().push(text);
            draws.prompt();
        };
        let (screen, printer) = Screen::on(input_line.clone(), Box::new(print));
        (input_line, screen, printer, printed)
    }

    #[test]
    fn prompts_have_the_same_width() {
        assert_eq!(PROMPT.len(), PROMPT_LIVE.len());
        let input_line = InputLine::default();
        assert_eq!(input_line.prompt(), PROMPT);
        input_line.set_live(true);
        assert_eq!(input_line.prompt(), PROMPT_LIVE);
    }

    #[test]
    fn texts_are_printed_above_the_input_line_in_order() {
        let (input_line, screen, printer, printed) = rig();
        input_line.set_state(LineState::Line);
        smol::block_on(async {
            screen.show("one").await;
            assert!(screen.shown("two").await);
            assert_eq!(*printed.lock().unwrap(), ["one", "two"]);
            screen.show("three").await;
            printer.end(screen).await;
        });
        assert_eq!(printed.lock().unwrap().len(), 3);
    }

    #[test]
    fn texts_are_printed_without_an_input_line() {
        let (input_line, screen, printer, printed) = rig();
        smol::block_on(async {
            assert!(screen.shown("one").await);
            input_line.set_state(LineState::Ended);
            screen.show("two").await;
            printer.end(screen).await;
        });
        assert_eq!(*printed.lock().unwrap(), ["one", "two"]);
    }

    #[test]
    fn a_text_does_not_count_as_shown_without_a_redraw() {
        let input_line = InputLine::default();
        input_line.set_state(LineState::Line);
        let before = input_line.await_line().unwrap();
        input_line.set_state(LineState::Ended);
        assert!(!input_line.await_drawn(before));
    }
}
