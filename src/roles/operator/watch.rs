//! `ribbit watch`: a live view of the cluster.
//!
//! On a terminal the view is redrawn in place and cut to the window; elsewhere each view is appended as plain lines. The
//! command ends with exit code 0 on Ctrl-C, at the end of its input, and when its output is closed.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::cluster_selection::{ClusterFlags, select};
use crate::common::failure::Failure;
use crate::common::survey;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, ArgMatches, Args};
use ribbit_net::survey::Survey;
use ribbit_ui::watch::{LastHeartbeats, fitting, screen};
use rustix::termios::tcgetwinsize;
use smol::Timer;
use smol::future::FutureExt;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Print the view once and exit
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub once: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Options of `watch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WatchOptions {
    pub cluster: ClusterAccess,
    /// Print the view once.
    pub once: bool,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit watch
  ribbit watch --once --server board1:8081
  ribbit watch | tee frogs.log        Without a terminal, lines are appended

BEAT is the time since a member last answered. LEASE shows whether the leader
has received its heartbeats recently. Ctrl-C or end of input stops it.";

impl WatchArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<WatchOptions, Failure> {
        Ok(WatchOptions { cluster: select(self.cluster, matches)?, once: self.once })
    }
}

/// Interval between two views.
const EVERY: Duration = Duration::from_secs(1);
/// Maximum number of members whose last answer is recorded; for others the view shows no time.
const HEARD_MAX: usize = 2 * ribbit_state::limits::MEMBERS_MAX;

/// Shows the cluster until `stop` completes.
///
/// # Errors
/// 3: no member answers the first survey.
pub(crate) async fn run(options: &WatchOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let mut heard = BTreeMap::new();
    // One view is shown even if the input has ended already.
    let first = survey::reached(&options.cluster).await?;
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
            let seen = survey::surveyed(&options.cluster).await;
            if show(&note(&mut heard, &seen), terminal).is_err() {
                return;
            }
        }
    };
    looking.or(stop).await;
    Ok(())
}

/// Records the members that answered and returns the view.
fn note(heard: &mut BTreeMap<String, Instant>, survey: &Survey) -> String {
    let now = Instant::now();
    for member in survey.members.iter().filter(|member| member.alive) {
        let name = member.info.name();
        if heard.len() < HEARD_MAX || heard.contains_key(&name) {
            heard.insert(name, now);
        }
    }
    let ago: LastHeartbeats =
        heard.iter().map(|(name, at)| (name.clone(), now.duration_since(*at))).collect();
    screen(survey, &ago)
}

/// Escape sequence: move the cursor to the top left.
const HOME: &str = "\x1b[H";
/// Escape sequence: clear to the end of the line.
const CLEAR_LINE: &str = "\x1b[K";
/// Escape sequence: clear everything below the cursor.
const CLEAR_BELOW: &str = "\x1b[J";
/// Assumed width of a terminal that does not report its size.
const COLUMNS: usize = 80;
/// Assumed height of a terminal that does not report its size.
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
    // The last row stays free for typed characters, and for the shell's prompt afterwards.
    for line in fitting(text, columns, rows - 1) {
        drawn += &format!("{line}{CLEAR_LINE}\n");
    }
    write!(out, "{drawn}{CLEAR_BELOW}")?;
    out.flush()
}
