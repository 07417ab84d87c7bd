//! The rows of `table.txt`: in which part of a member's life which call fails on which file, how, and what becomes of it.

use super::rig::{End, Outcome, Phase, Row};
use crate::test_cluster::TestCluster;
use std::fmt;
use std::path::{Path, PathBuf};

/// A call on a kind of file in a part of a member's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub phase: Phase,
    pub call: String,
    pub file: String,
}

impl Site {
    /// Returns the site that a row's text begins with.
    pub fn of(row: &str) -> Site {
        let words: Vec<&str> = row.split_whitespace().collect();
        let phases = [Phase::Start, Phase::Run, Phase::Lead, Phase::Stop, Phase::Suspect, Phase::Rejoin];
        let named = |phase: &&Phase| format!("{phase:?}").to_lowercase() == words[0];
        let phase = *phases.iter().find(named).expect("a phase");
        Site { phase, call: words[1].into(), file: words[2].into() }
    }
}

/// Sites that a trace of files does not show: sockets, and the leader's.
pub const UNTRACED: [(Phase, &str, &str); 5] = [
    (Phase::Run, "accept", "socket"),
    (Phase::Run, "recv", "socket"),
    (Phase::Lead, "fdatasync", "log-*"),
    (Phase::Lead, "pwrite", "log-*"),
    (Phase::Lead, "fdatasync", "store.redb"),
];

/// Returns the ways in which a call fails: error, and number of calls.
fn ways(site: &Site) -> &'static [(&'static str, i32)] {
    match site.call.as_str() {
        "accept" => &[("EMFILE", -1), ("ENOMEM", 1), ("ECONNABORTED", 1)],
        "recv" => &[("ENOMEM", 1), ("EINTR", 1), ("short", -1)],
        "fsync" | "fdatasync" => &[("EIO", -1), ("EIO", 1), ("lose", -1), ("lose", 1), ("ENOSPC", -1)],
        "write" | "pwrite" => {
            &[("EIO", -1), ("EIO", 1), ("ENOSPC", -1), ("EDQUOT", -1), ("EINTR", 1), ("short", -1)]
        }
        "read" | "pread" => &[("EIO", -1), ("EINTR", 1), ("short", -1)],
        "ftruncate" | "copy" => &[("EIO", -1), ("ENOSPC", -1), ("EINTR", 1)],
        "rename" | "mkdir" => &[("EIO", -1), ("EIO", 1), ("ENOSPC", -1)],
        "open" => &[("EIO", -1), ("EIO", 1), ("EMFILE", 1)],
        _ => &[("EIO", -1)],
    }
}

/// Returns the rows of these sites. A disk that fails late does so after it has been used.
pub fn rows_of(sites: &[Site]) -> Vec<Row> {
    let mut rows = Vec::new();
    for site in sites {
        let row = |action, after, times| Row {
            phase: site.phase,
            call: site.call.clone(),
            file: site.file.clone(),
            action,
            after,
            times,
        };
        rows.extend(ways(site).iter().map(|(action, times)| row(action, 0, *times)));
        let changes = ["pwrite", "fdatasync"].contains(&site.call.as_str());
        if changes && site.phase == Phase::Run {
            rows.push(row("EIO", 40, -1));
        }
    }
    rows
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = format!("{:?}", self.phase).to_lowercase();
        let when = match (self.after, self.times) {
            (0, -1) => "always".to_string(),
            (0, 1) => "once".to_string(),
            (after, _) => format!("after {after}"),
        };
        write!(f, "{phase:7} {:9} {:28} {} {when}", self.call, self.file, self.action)
    }
}

impl Outcome {
    /// Returns what became of the member, without names that differ from run to run.
    pub fn text(&self, pond: &TestCluster) -> String {
        let store = if self.kept_store { "" } else { ", joins as a new member" };
        match &self.end {
            End::NotReached => "not reached".into(),
            End::GoesOn => "goes on".into(),
            End::Waits => "waits".into(),
            End::Ended { code, line } => format!("ends with {code}{store}: {}", plain(line, pond)),
        }
    }
}

/// Returns a line of a log with the folder, times and numbers of log segments left out.
fn plain(line: &str, pond: &TestCluster) -> String {
    let line = line.replace(&pond.folder().display().to_string(), "DATA");
    let line = match line.split_once(' ') {
        Some((time, rest)) if time.parse::<f64>().is_ok() => rest.to_string(),
        _ => line,
    };
    let mut parts = line.split("log-0");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |text, part| text + "log-*" + part.trim_start_matches(|it: char| it.is_ascii_digit()))
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/faults/table.txt")
}

/// Returns the rows of the file, and what becomes of the member.
pub fn written() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(path()).unwrap_or_default();
    let row = |line: &str| line.split_once(" │ ").map(|(row, end)| (row.into(), end.into()));
    text.lines().filter_map(row).collect()
}

pub fn write(lines: &[(Row, String)]) {
    let text: String = lines.iter().map(|(row, end)| format!("{row} │ {end}\n")).collect();
    std::fs::write(path(), text).expect("a file");
}
