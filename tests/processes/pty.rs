//! Test terminal: runs a program in a pty, sends it keys and reads its output.

use crate::test_cluster::awaited;
use ribbit_state::sync::MutexExt;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

/// Width of a pty whose size was not set.
const COLUMNS: usize = 80;

/// A program in a pty.
pub struct Terminal {
    pub child: Child,
    keys: File,
    shown: Arc<Mutex<String>>,
    /// Byte offset in the output up to which [`Terminal::await_text`] has matched.
    pub seen: usize,
}

impl Terminal {
    /// Starts a program in a pty of 80 columns.
    pub fn of(mut command: Command) -> Terminal {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&keys).and_then(|()| unlockpt(&keys)).expect("a terminal");
        let name = ptsname(&keys, Vec::new()).expect("it has a name");
        let name = std::ffi::OsStr::from_bytes(name.as_bytes());
        let open = || OpenOptions::new().read(true).write(true).open(name).expect("its other end");
        command.env("TERM", "xterm").env_remove("XDG_STATE_HOME");
        let child = command.stdin(open()).stdout(open()).stderr(open()).spawn().expect("the binary starts");
        let keys = File::from(keys);
        let mut screen = keys.try_clone().expect("another handle");
        let shown = Arc::new(Mutex::new(String::new()));
        let shows = shown.clone();
        // The thread ends when the pty is closed.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                shows.locked().push_str(&text);
            }
        });
        Terminal { child, keys, shown, seen: 0 }
    }

    /// Returns all output so far.
    pub fn shown(&self) -> String {
        self.shown.locked().clone()
    }

    /// Returns true if the pty echoes keys.
    pub fn echoes(&self) -> bool {
        let mode = tcgetattr(&self.keys).expect("a terminal");
        mode.local_modes.contains(LocalModes::ECHO)
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Waits until `wanted` appears in the output after the previous match.
    #[track_caller]
    pub fn await_text(&mut self, wanted: &str) {
        let seen = self.seen;
        self.seen = awaited(wanted, || self.shown()[seen..].find(wanted).map(|at| seen + at + wanted.len()));
    }

    /// Waits until one of `wanted` appears in the output after the previous match, and returns the first that does.
    #[track_caller]
    pub fn await_either<'a>(&mut self, wanted: [&'a str; 2]) -> &'a str {
        let seen = self.seen;
        let (at, text) = awaited(wanted[0], || {
            let shown = self.shown();
            let found = wanted.map(|text| shown[seen..].find(text).map(|at| (at, text)));
            found.into_iter().flatten().min()
        });
        self.seen = seen + at + text.len();
        text
    }

    /// Waits for the prompt, types a line and waits for `wanted`.
    #[track_caller]
    pub fn typed(&mut self, line: &str, wanted: &str) {
        self.await_text("ribbit> ");
        self.press(&format!("{line}\r"));
        self.await_text(wanted);
    }

    /// Returns the lines on the screen.
    pub fn screen(&self) -> Vec<String> {
        drawn(&self.shown(), COLUMNS)
    }

    /// Waits until the last non-empty line of the screen is `wanted`.
    #[track_caller]
    pub fn await_line(&self, wanted: &str) {
        let last = || self.screen().into_iter().rfind(|line| !line.is_empty());
        awaited(wanted, || (last()? == wanted).then_some(()));
    }

    #[track_caller]
    pub fn ended(&mut self) -> i32 {
        awaited("it ends", || self.child.try_wait().expect("our child")).code().unwrap_or(-1)
    }
}

/// Renders terminal output into lines of `columns` characters. Supports only the escape sequences that line editors use.
fn drawn(bytes: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut letters = bytes.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => column = 0,
            '\n' => row += 1,
            '\x1b' if letters.next_if_eq(&'[').is_some() => {
                let mut number = String::new();
                let end = loop {
                    match letters.next() {
                        Some(digit) if digit.is_ascii_digit() || matches!(digit, '?' | ';') => {
                            number.push(digit);
                        }
                        end => break end,
                    }
                };
                let count: usize = number.parse().unwrap_or(1);
                match end {
                    Some('A') => row = row.saturating_sub(count),
                    Some('B') => row += count,
                    Some('C') => column += count,
                    Some('D') => column = column.saturating_sub(count),
                    Some('K') => lines[row].truncate(column),
                    Some('J') => {
                        lines[row].truncate(column);
                        lines.truncate(row + 1);
                    }
                    _ => {}
                }
            }
            letter if letter.is_control() => {}
            letter => {
                if column == columns {
                    (row, column) = (row + 1, 0);
                }
                lines.resize(lines.len().max(row + 1), Vec::new());
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = letter;
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
    }
    lines.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_string()).collect()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the terminal showed {:?}", self.shown());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_terminal_shows_what_was_drawn() {
    assert_eq!(drawn("> ab\r\x1b[Kabove\r\n> ab\r\x1b[4Cc", 80), ["above", "> abc"]);
    assert_eq!(drawn("12345678", 5), ["12345", "678"]);
    assert_eq!(drawn("\x1b[1;32mone\x1b[0m\r\ntwo\x1b[A\r\x1b[J", 80), [""]);
}
