//! Rules about the sources that the compiler does not check: the rules are pure, few places read the wall clock, and
//! each file opens with its purpose and stays readable. The direction of imports is checked by the compiler, because each
//! layer is a package.
//!
//! These tests read text, not syntax: a path built by a macro would escape them.

use std::fs;
use std::path::{Path, PathBuf};

/// Names that a pure function does not use.
const IMPURE: &[&str] =
    &["std::fs", "std::net", "std::time", "std::thread", "std::env", "getrandom", "f32", "f64"];

/// Lines of a file without its tests.
const LINES_MAX: usize = 600;

struct Source {
    /// `src/net/frame.rs`
    path: String,
    layer: String,
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
    paths.iter().map(|path| source(root, path)).collect()
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
    let text = fs::read_to_string(path).unwrap();
    Source {
        layer: parts[0].trim_end_matches(".rs").to_string(),
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

fn fail_on(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Timeouts and leases are monotonic: a wall clock may say 1970, and jump. One place reads it, to put it on croaks, and
/// one to say how long ago that was, and one to say whether it can be right.
#[test]
fn the_wall_clock_is_read_in_three_places() {
    let readers = |source: &&Source| {
        ["SystemTime", "UNIX_EPOCH", ".modified()", "clock_gettime"]
            .iter()
            .any(|name| source.code.contains(name))
    };
    let sources = sources();
    let found: Vec<&str> = sources.iter().filter(readers).map(|source| source.path.as_str()).collect();
    assert_eq!(
        found,
        ["src/replica/driver.rs", "src/roles/common/machine.rs", "src/roles/operator/doctor/board.rs"]
    );
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
