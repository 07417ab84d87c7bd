//! What is shown: above the line that is being typed, or as plain lines where nobody types.
//!
//! ```text
//!   show ──▶ bounded queue ──▶ printer thread ──▶ the line editor: clears the line, prints, draws the line again
//! ```
//!
//! All that is shown while somebody may be typing goes this way, in order; nothing else writes to the terminal. The thread
//! waits a moment where there is no line to draw again ([`Desk::typing`]). So that a word counts as shown only once it stands there, it waits until the line was drawn behind it.
//!
//! Where it is no terminal, what was asked for goes to standard output, and notices to standard error.

use crate::common::editor::{Before, Print};
use crate::common::output;
use smol::channel::{self, Receiver, Sender};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Texts that wait to be shown; who shows more waits.
const WAITING_MAX: usize = 64;
/// Between two lines that are typed there is none to draw again; for longer than this it is not waited for.
const NO_LINE_MAX: Duration = Duration::from_millis(300);
/// What is left to be shown at the end has this long.
const END_MAX: Duration = Duration::from_secs(2);

/// Both are as wide: the editor counts on it.
const PROMPT: &str = "ribbit> ";
const PROMPT_LIVE: &str = "* live> ";

/// Shows. Clones share the queue.
#[derive(Debug, Clone)]
pub struct Screen(Way);

#[derive(Debug, Clone)]
enum Way {
    Terminal(Sender<Text>),
    Plain,
}

#[derive(Debug)]
struct Text {
    text: String,
    shown: Option<Sender<()>>,
}

impl Screen {
    pub fn plain() -> Screen {
        Screen(Way::Plain)
    }

    /// A screen for who types at this desk, and the thread that shows.
    pub fn on(desk: Arc<Desk>, print: Print) -> (Screen, Printer) {
        let (sender, receiver) = channel::bounded(WAITING_MAX);
        let (ended, end) = channel::bounded::<()>(1);
        thread::spawn(move || {
            show_all(&desk, print, &receiver);
            drop(ended);
        });
        (Screen(Way::Terminal(sender)), Printer(end))
    }

    pub fn is_terminal(&self) -> bool {
        matches!(self.0, Way::Terminal(_))
    }

    /// Something that was asked for, or that came.
    pub async fn show(&self, text: impl Into<String>) {
        match &self.0 {
            Way::Terminal(queue) => drop(queue.send(Text { text: text.into(), shown: None }).await),
            Way::Plain => output::line(&text.into()),
        }
    }

    /// The same; answers once it stands there, and whether it does.
    pub async fn shown(&self, text: impl Into<String>) -> bool {
        let Way::Terminal(queue) = &self.0 else {
            output::line(&text.into());
            return true;
        };
        let (shown, stands) = channel::bounded(1);
        queue.send(Text { text: text.into(), shown: Some(shown) }).await.is_ok()
            && stands.recv().await.is_ok()
    }

    /// Waits until all that was shown so far stands there.
    pub async fn flush(&self) {
        if self.is_terminal() {
            self.shown("").await;
        }
    }

    /// Something about the client itself: a refusal, a server that is lost.
    pub async fn note(&self, text: impl Into<String>) {
        match &self.0 {
            Way::Terminal(_) => self.show(text).await,
            Way::Plain => eprintln!("{}", text.into()),
        }
    }
}

/// The end of the thread that shows.
#[derive(Debug)]
pub struct Printer(Receiver<()>);

impl Printer {
    /// Waits until all is shown that was to be shown before this screen was the last and went.
    pub async fn end(self, screen: Screen) {
        drop(screen);
        let ended = async {
            // Closed by the thread when it ends; nothing ever comes.
            let _ = self.0.recv().await;
        };
        let late = async {
            smol::Timer::after(END_MAX).await;
        };
        smol::future::or(ended, late).await;
    }
}

fn show_all(desk: &Desk, mut print: Print, texts: &Receiver<Text>) {
    while let Ok(Text { text, shown }) = texts.recv_blocking() {
        // Nothing: what was before it stands there.
        let stands = text.is_empty() || {
            let drawn = desk.await_line();
            print(text);
            drawn.is_none_or(|drawn| desk.await_drawn(drawn))
        };
        if let Some(shown) = shown
            && stands
        {
            let _ = shown.try_send(());
        }
    }
}

/// Where somebody types: shared between who reads the line, who shows, and who decides what the line means.
#[derive(Debug, Default)]
pub struct Desk {
    live: AtomicBool,
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
struct Line {
    is: Typing,
    /// How often it was drawn.
    drawn: u64,
}

/// What is on the terminal's last line.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// Nothing, for a moment.
    #[default]
    Nothing,
    Line,
    /// Nobody types any more.
    Ended,
}

impl Desk {
    /// Whether plain text is croaked; the prompt says so, with the next time that the line is drawn.
    pub fn set_live(&self, live: bool) {
        self.live.store(live, Ordering::SeqCst);
    }

    /// What is on the last line from now on. The end is the end.
    pub fn typing(&self, is: Typing) {
        let mut line = self.line();
        if line.is != Typing::Ended {
            line.is = is;
        }
        self.changed.notify_all();
    }

    /// Waits for a line to print above; answers how often it was drawn. Nothing when there is none.
    fn await_line(&self) -> Option<u64> {
        let patience = Instant::now() + NO_LINE_MAX;
        let mut line = self.line();
        loop {
            let left = match line.is {
                Typing::Line => return Some(line.drawn),
                Typing::Ended => return None,
                Typing::Nothing => patience.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                return None;
            }
            line = self.wait(line, left);
        }
    }

    /// Waits until the line was drawn behind what was printed above it, which an editor that searches its history does
    /// only when it has found; and answers whether it was.
    fn await_drawn(&self, before: u64) -> bool {
        let mut line = self.line();
        while line.drawn == before && line.is != Typing::Ended {
            line = self.changed.wait(line).expect("nothing panics while it holds this lock");
        }
        line.drawn != before
    }

    fn wait<'a>(&self, line: MutexGuard<'a, Line>, limit: Duration) -> MutexGuard<'a, Line> {
        self.changed.wait_timeout(line, limit).expect("nothing panics while it holds this lock").0
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().expect("nothing panics while it holds this lock")
    }
}

impl Before for Desk {
    fn prompt(&self) -> &str {
        self.line().drawn += 1;
        self.changed.notify_all();
        if self.live.load(Ordering::SeqCst) { PROMPT_LIVE } else { PROMPT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prints into a list, and draws the line again as an editor does.
    fn rig() -> (Arc<Desk>, Screen, Printer, Arc<Mutex<Vec<String>>>) {
        let desk = Arc::new(Desk::default());
        let printed = Arc::new(Mutex::new(Vec::new()));
        let (list, draws) = (printed.clone(), desk.clone());
        let print = move |text: String| {
            list.lock().unwrap().push(text);
            draws.prompt();
        };
        let (screen, printer) = Screen::on(desk.clone(), Box::new(print));
        (desk, screen, printer, printed)
    }

    #[test]
    fn the_prompts_are_as_wide() {
        assert_eq!(PROMPT.len(), PROMPT_LIVE.len());
        let desk = Desk::default();
        assert_eq!(desk.prompt(), PROMPT);
        desk.set_live(true);
        assert_eq!(desk.prompt(), PROMPT_LIVE);
    }

    #[test]
    fn what_is_shown_stands_above_a_line_in_order() {
        let (desk, screen, printer, printed) = rig();
        desk.typing(Typing::Line);
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
    fn where_no_line_is_typed_it_is_shown_all_the_same() {
        let (desk, screen, printer, printed) = rig();
        smol::block_on(async {
            assert!(screen.shown("one").await);
            desk.typing(Typing::Ended);
            screen.show("two").await;
            printer.end(screen).await;
        });
        assert_eq!(*printed.lock().unwrap(), ["one", "two"]);
    }

    #[test]
    fn a_line_that_is_not_drawn_again_has_shown_nothing() {
        let desk = Desk::default();
        desk.typing(Typing::Line);
        let before = desk.await_line().unwrap();
        desk.typing(Typing::Ended);
        assert!(!desk.await_drawn(before));
    }
}
