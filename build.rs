//! What is settled when ribbit is built: which commit and which target `ribbit --version` names, and how it is linked.
//!
//! The commit is `RIBBIT_COMMIT`, where that is set (`scripts/dist` does, and says when something was not committed), else
//! what git says, else "unknown". Only a release asks git: a build for tests would be made anew at every commit.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RIBBIT_COMMIT");
    let release = is("PROFILE", "release");
    let given = env::var("RIBBIT_COMMIT").ok().filter(|commit| is_plain(commit));
    let commit = given.unwrap_or_else(|| match release {
        true => committed().unwrap_or_else(|| "unknown".to_string()),
        false => "debug build".to_string(),
    });
    println!("cargo::rustc-env=RIBBIT_BUILT={commit}, {}", env::var("TARGET").unwrap_or_default());

    // The linker is told to keep one of several functions that are the same: generic code makes many, a hundredth of the
    // binary. Where Rust brings the linker along, it is one that can do that.
    if release && is("TARGET", "x86_64-unknown-linux-gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}

fn is(name: &str, wanted: &str) -> bool {
    env::var(name).is_ok_and(|value| value == wanted)
}

/// A line of it would be a line for cargo.
fn is_plain(commit: &str) -> bool {
    !commit.is_empty() && commit.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
}

/// The commit of this checkout, and a wish to run again once it is another one. Of nobody else's: sources may have been
/// unpacked in the middle of another repository.
fn committed() -> Option<String> {
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    let commit = git(&["rev-parse", "--short=8", "HEAD"])?;
    // Grows whenever HEAD moves, on whichever branch.
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
