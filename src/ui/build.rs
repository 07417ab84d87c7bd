//! Joins the parts of the pages' script, and sets the commit and the target that `ribbit --version` prints.
//!
//! The script is one asset, so that a first visit loads one file: the parts of `script/` in one function, in the order of
//! [`SCRIPT_PARTS`]. They share their names. What runs when the page is loaded is the last line of the last part.
//!
//! The commit is `RIBBIT_COMMIT` when that is set (`scripts/dist` sets it and marks uncommitted changes), else the answer of
//! git, else "unknown". Only a release build asks git: otherwise each commit would rebuild the test binaries.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Parts of the script, in `script/`.
const SCRIPT_PARTS: [&str; 10] =
    ["page", "forms", "croaks", "names", "writing", "live", "messages", "rooms", "times", "start"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    join_script();
    println!("cargo::rerun-if-env-changed=RIBBIT_COMMIT");
    let release = is("PROFILE", "release");
    let given = env::var("RIBBIT_COMMIT").ok().filter(|commit| is_plain(commit));
    let commit = given.unwrap_or_else(|| match release {
        true => committed().unwrap_or_else(|| "unknown".to_string()),
        false => "debug build".to_string(),
    });
    println!("cargo::rustc-env=RIBBIT_BUILT={commit}, {}", env::var("TARGET").unwrap_or_default());
}

fn join_script() {
    let mut script = "\"use strict\";\n(() => {\n".to_string();
    for part in SCRIPT_PARTS {
        let file = format!("script/{part}.js");
        println!("cargo::rerun-if-changed={file}");
        script += &fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    script += "})();\n";
    let folder = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&folder).join("script.js"), script)
        .expect("the folder of build results can be written");
}

fn is(name: &str, wanted: &str) -> bool {
    env::var(name).is_ok_and(|value| value == wanted)
}

/// Returns true when the text is safe to print as part of a line that cargo reads.
fn is_plain(commit: &str) -> bool {
    !commit.is_empty() && commit.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
}

/// Returns the commit of this checkout and asks cargo to run this script again when HEAD moves.
///
/// Returns `None` when the sources were unpacked inside another repository.
fn committed() -> Option<String> {
    if git(&["rev-parse", "--show-prefix"])? != "src/ui/" {
        return None;
    }
    let commit = git(&["rev-parse", "--short=8", "HEAD"])?;
    // This file grows whenever HEAD moves, on any branch.
    let moves = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&moves).exists() {
        println!("cargo::rerun-if-changed={moves}");
    }
    Some(commit)
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_string())
}
