//! `ribbit watch`: how the group is, again and again, until somebody has seen enough.
//!
//! On a terminal it is drawn in place, cut to what fits; elsewhere every look is appended in plain lines. Ends well on
//! Ctrl-C, at the end of its input, and when nobody takes what it says.

use crate::common::failure::Failure;
use crate::common::options::WatchOptions;
use crate::operator::status;
use ribbit_net::survey::Survey;
use ribbit_ui::watch::{Heard, fitting, screen};
use rustix::termios::tcgetwinsize;
use smol::Timer;
use smol::future::FutureExt;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(1);
/// Members that are remembered after they have gone; further ones are not told since when they are silent.
const HEARD_MAX: usize = 2 * ribbit_state::limits::MEMBERS_MAX;

/// # Errors
/// 3: nobody answers the first time.
pub async fn run(options: &WatchOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let mut heard = BTreeMap::new();
    // Whatever the input is, one look is shown.
    let first = status::reached(&options.group).await?;
    let began = Instant::now();
    let terminal = !options.once && io::stdout().is_terminal();
    if show(&note(&mut heard, &first), terminal).is_err() || options.once {
        return Ok(());
    }
    let looking = async {
        let mut next = began + EVERY;
        loop {
            Timer::at(next).await;
            next = Instant::now() + EVERY;
            let seen = status::surveyed(&options.group).await;
            if show(&note(&mut heard, &seen), terminal).is_err() {
                return;
            }
        }
    };
    looking.or(stop).await;
    Ok(())
}

/// Remembers who answered, and says how it looks.
fn note(heard: &mut BTreeMap<String, Instant>, survey: &Survey) -> String {
    let now = Instant::now();
    for member in survey.members.iter().filter(|member| member.alive) {
        let name = member.info.name();
        if heard.len() < HEARD_MAX || heard.contains_key(&name) {
            heard.insert(name, now);
        }
    }
    let ago: Heard = heard.iter().map(|(name, at)| (name.clone(), now.duration_since(*at))).collect();
    screen(survey, &ago)
}

/// Where a line begins anew, and what is left of the old one.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
/// Of a terminal that does not tell its size.
const COLUMNS: usize = 80;
const ROWS: usize = 24;

fn show(text: &str, terminal: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if !terminal {
        writeln!(out, "{text}\n")?;
        return out.flush();
    }
    let (columns, rows) = match tcgetwinsize(&out) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (COLUMNS, ROWS),
    };
    let mut drawn = HOME.to_string();
    // The last row stays free: what is typed is shown there, and the prompt afterwards.
    for line in fitting(text, columns, rows - 1) {
        drawn += &format!("{line}{CLEAR_LINE}\n");
    }
    write!(out, "{drawn}{CLEAR_BELOW}")?;
    out.flush()
}
