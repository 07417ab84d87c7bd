//! System calls that fail under a member of a cluster under load, one call and file at a time.
//!
//! `table.txt` has a row for each call that a member makes on a file, found by tracing a member through its life, and for
//! each way in which it fails here. A call without a row fails the test. `scripts/faults` runs every row and compares it;
//! `cargo test` traces again and runs a few of them. After each row, all members must serve every acknowledged croak.
//!
//! - [`rig`]: the cluster, its load, and one row
//! - [`table`]: the rows and their text
//! - [`commands`]: the same for commands that write files once

mod commands;
mod rig;
mod table;

use crate::preload::FailingCalls;
use rig::{End, Phase, Rig, Row};
use std::collections::BTreeSet;
use std::time::Instant;
use table::{Site, rows_of, written};

/// Set by `scripts/faults`: every row is run.
fn is_complete() -> bool {
    std::env::var_os("RIBBIT_FAULTS").is_some()
}

/// Rows that every test run plays: each kind of end.
const USUAL: [&str; 10] = [
    "start   fsync     store.redb    EIO always",
    "start   pread     store.redb    EIO always",
    "run     fdatasync log-*         lose always",
    "run     fdatasync store.redb    EIO once",
    "run     pwrite    log-*         ENOSPC always",
    "run     pwrite    log-*         short always",
    "run     rename    log-*         EIO once",
    "run     accept    socket        ENOMEM once",
    "run     recv      socket        ENOMEM once",
    "stop    pwrite    log-*         EIO always",
];

#[test]
fn no_failing_call_of_a_member_loses_what_was_acknowledged() {
    let Some(calls) = FailingCalls::new() else { return };
    let mut rig = Rig::start(calls);
    let sites = traced(&mut rig);
    let before = written();
    // The part of a member's life in which a call is rare differs from run to run.
    let pair = |row: &str| row.split_whitespace().skip(1).take(2).collect::<Vec<_>>().join(" ");
    let known: BTreeSet<String> = before.iter().map(|(row, _)| pair(row)).collect();
    let rows: Vec<Row> = match is_complete() {
        true => rows_of(&sites),
        false => {
            let rows = rows_of(&sites);
            let unknown: BTreeSet<String> =
                rows.iter().map(|row| pair(&row.to_string())).filter(|row| !known.contains(row)).collect();
            assert!(unknown.is_empty(), "calls without a row in table.txt; run scripts/faults: {unknown:#?}");
            let is_usual = |row: &Row| USUAL.iter().any(|usual| same_words(usual, &row.to_string()));
            let mut sites = USUAL.map(Site::of).to_vec();
            sites.dedup();
            rows_of(&sites).into_iter().filter(is_usual).collect()
        }
    };
    assert!(rows.len() >= USUAL.len(), "{rows:?}");
    let (mut lines, mut differ) = (Vec::new(), Vec::new());
    for row in rows {
        let began = Instant::now();
        let mut outcome = rig.run(&row);
        if outcome.end == End::NotReached {
            outcome = rig.run(&row);
        }
        let end = outcome.text(&rig.pond);
        println!("{row} │ {end} │ {} acknowledged, {:.1?}", outcome.acknowledged, began.elapsed());
        assert!(outcome.lost.is_empty(), "{row}: lost {:?}", outcome.lost);
        assert!(
            row.action == "short" || outcome.hits < 2_000,
            "{row}: {} calls failed without a pause",
            outcome.hits
        );
        let expected = before.iter().find(|(known, _)| *known == row.to_string()).map(|(_, end)| end.clone());
        if outcome.end != End::NotReached && expected.as_ref() != Some(&end) {
            differ.push(format!("{row}: {end}, and not {expected:?}"));
        }
        let kept = if outcome.end == End::NotReached { expected } else { None };
        lines.push((row, kept.unwrap_or(end)));
    }
    if !is_complete() {
        // A majority needs the member whose log is never synced.
        assert_eq!(rig.acknowledged_without("fdatasync", "log-*"), 0, "acknowledged before it was synced");
    }
    rig.finish();
    if is_complete() && std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        table::write(&lines);
        return;
    }
    assert!(differ.is_empty(), "{differ:#?}");
}

fn same_words(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

/// Returns the calls that a member makes in each part of its life. A call that an earlier part makes, too, is left out where
/// it is the same.
fn traced(rig: &mut Rig) -> Vec<Site> {
    let mut sites: Vec<Site> = Vec::new();
    for phase in [Phase::Start, Phase::Run, Phase::Suspect, Phase::Rejoin, Phase::Stop] {
        for (call, file) in rig.trace(phase) {
            let is_known = |site: &Site| site.call == call && site.file == file;
            let again = match phase {
                Phase::Start | Phase::Run | Phase::Stop | Phase::Lead => false,
                Phase::Suspect | Phase::Rejoin => sites.iter().any(is_known),
            };
            if !again {
                sites.push(Site { phase, call, file });
            }
        }
    }
    sites.extend(table::UNTRACED.map(|(phase, call, file)| Site {
        phase,
        call: call.into(),
        file: file.into(),
    }));
    sites
}
