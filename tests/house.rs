//! The house rules, held by reading the sources: imports run one way, some names stay in one place, the rules
//! are pure, and every file says what it is and stays readable.
//!
//! Reads text, not syntax: a path built by a macro would escape it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Which layers a layer may import besides itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("state", &[]),
    ("db", &["state"]),
    ("replica", &["db", "state"]),
    ("net", &["state"]),
    ("ui", &["net", "state"]),
    ("roles", &["ui", "replica", "net", "db", "state"]),
    // The binary.
    ("main", &["roles"]),
];

/// Crates that one layer alone names, so that exchanging one touches one folder.
const OWNED_CRATES: &[(&str, &str)] = &[("raft", "replica"), ("redb", "db")];

/// What a pure function has no use for.
const IMPURE: &[&str] =
    &["std::fs", "std::net", "std::time", "std::thread", "std::env", "getrandom", "f32", "f64"];

/// Lines of a file without its tests.
const LINES_MAX: usize = 600;

struct Source {
    /// `src/net/frame.rs`
    path: String,
    layer: String,
    /// How deep its module lies below the crate's root: 2 for `net::frame`.
    depth: usize,
    text: String,
    /// Without comments and without its tests.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join("src"), &mut paths);
    assert!(paths.len() > 20, "the sources were not found");
    paths.sort();
    let sources = paths.iter().map(|path| source(root, path));
    // These two declare the layers, and are the map.
    sources.filter(|source| !["src/lib.rs", "src/core.rs"].contains(&source.path.as_str())).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Unit tests in files of their own may read scripts and the environment.
        if path.is_dir() && !path.ends_with("tests") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn source(root: &Path, path: &Path) -> Source {
    let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
    let parts: Vec<&str> = relative.split('/').skip(1).collect();
    let is_mod = parts.last() == Some(&"mod.rs");
    let text = fs::read_to_string(path).unwrap();
    Source {
        layer: parts[0].trim_end_matches(".rs").to_string(),
        depth: if is_mod { parts.len() - 1 } else { parts.len() },
        code: without_comments(without_tests(&text)),
        path: relative,
        text,
    }
}

/// Everything before the unit tests, which stand at the end of a file.
fn without_tests(text: &str) -> &str {
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    &text[..end]
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    // A comment behind code is cut; a `//` in a string (an URL) cuts the string, which names nothing anyway.
    lines.map(|line| line.split(" // ").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Every layer that the code names: `crate::net::…`, `crate::{net::…, state}`, `super::super::net`, and from the
/// binary `ribbit::roles`.
fn layers_named(source: &Source) -> Vec<String> {
    let mut named = Vec::new();
    let up = "super::".repeat(source.depth);
    for prefix in ["crate::", "ribbit::", "ribbit_core::", up.as_str()] {
        for rest in after_each(&source.code, prefix) {
            match rest.strip_prefix('{') {
                Some(group) => named.extend(first_names(group)),
                None => named.push(word(rest)),
            }
        }
    }
    named.retain(|name| MAY_IMPORT.iter().any(|(layer, _)| layer == name));
    named
}

/// What follows each place where `prefix` stands as a path of its own.
fn after_each<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(prefix).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        let inside = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$');
        (!inside).then(|| &text[at + prefix.len()..])
    })
}

/// The first name of each path in `a::b, c::{d, e}}…`.
fn first_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut expect) = (0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expect = true,
            c if expect && depth == 0 && c.is_alphabetic() => {
                names.push(word(&group[at..]));
                expect = false;
            }
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn fail_on(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(layer, _)| *layer == source.layer) else {
            wrong.push(format!("{}: the layer `{}` is not in the plan", source.path, source.layer));
            continue;
        };
        for named in layers_named(&source) {
            if named != source.layer && !allowed.contains(&named.as_str()) {
                wrong.push(format!("{}: `{}` must not know `{named}`", source.path, source.layer));
            }
        }
    }
    fail_on(wrong);
}

#[test]
fn engines_are_named_in_one_place() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, layer) in OWNED_CRATES {
            let path = format!("{name}::");
            let named = after_each(&source.code, &path).next().is_some()
                || source.code.contains(&format!("use {name};"))
                || source.code.contains(&format!("use {name} as "));
            if named && source.layer != *layer {
                wrong.push(format!("{}: only src/{layer} names the crate `{name}`", source.path));
            }
        }
    }
    fail_on(wrong);
}

/// Timeouts and leases are monotonic: a wall clock may say 1970, and jump. One place reads it, to put it on croaks, and
/// one to say on a page how long ago that was, and one to say whether it can be right.
#[test]
fn the_wall_clock_is_read_in_three_places() {
    let readers = |source: &&Source| {
        ["SystemTime", "UNIX_EPOCH", ".modified()", "clock_gettime"]
            .iter()
            .any(|name| source.code.contains(name))
    };
    let sources = sources();
    let found: Vec<&str> = sources.iter().filter(readers).map(|source| source.path.as_str()).collect();
    assert_eq!(found, ["src/replica/drive.rs", "src/roles/doctor/board.rs", "src/roles/web/visit.rs"]);
}

#[test]
fn the_rules_are_pure() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.layer == "state") {
        for word in IMPURE {
            let named = source.code.match_indices(word).any(|(at, _)| {
                let before = source.code[..at].chars().next_back();
                let after = source.code[at + word.len()..].chars().next();
                let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                !part(before) && !part(after)
            });
            if named {
                wrong.push(format!("{}: the rules must not know `{word}`", source.path));
            }
        }
    }
    fail_on(wrong);
}

#[test]
fn every_file_says_what_it_is() {
    let mute = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    fail_on(mute.map(|source| format!("{}: no `//!` at its top", source.path)).collect());
}

#[test]
fn no_file_is_longer_than_one_can_read() {
    let lines = |source: &Source| without_tests(&source.text).lines().count();
    let long = sources().into_iter().filter(|source| lines(source) > LINES_MAX);
    fail_on(long.map(|source| format!("{}: {} lines", source.path, lines(&source))).collect());
}

#[test]
fn the_reader_of_paths_reads_paths() {
    let source = |code: &str| Source {
        path: String::new(),
        layer: String::new(),
        depth: 2,
        text: String::new(),
        code: code.to_string(),
    };
    for (code, named) in [
        ("use crate::net::frame;", vec!["net"]),
        ("use crate::{db, state::{ids, net}, ui::x};", vec!["db", "state", "ui"]),
        ("let x = crate::replica::new();", vec!["replica"]),
        ("use super::super::db;", vec!["db"]),
        ("use super::db; use std::net::TcpStream; use $crate::net;", vec![]),
    ] {
        assert_eq!(layers_named(&source(code)), named, "{code}");
    }
    assert_eq!(after_each("use raft::Config; replica::raft::x; draft::y", "raft::").count(), 1);
    assert_eq!(without_comments("a // b\n// c\nd"), "a\nd");
}
