//! Clients of other makers that `.ci/run` installs into its cache: Pythons with the packages of a test, each in a virtual
//! environment, and packages of npm.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Returns a Python with these packages: the one that `variable` names, or that of the environment in the cache of `.ci/run`. Prints a
/// note and returns `None` if there is none.
pub fn with(packages: &str, variable: &str, environment: &str) -> Option<PathBuf> {
    installed(&format!("Python with {packages}"), variable, &format!("{environment}/bin/python"))
}

/// Returns what `variable` names, or this path in the cache of `.ci/run`. Prints a note and returns `None` if there is nothing.
pub fn installed(what: &str, variable: &str, cached: &str) -> Option<PathBuf> {
    let file = std::env::var_os(variable).map(PathBuf::from).or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        Some(cache.join("ribbit-ci").join(cached))
    });
    let file = file.filter(|file| file.exists());
    if file.is_none() {
        // The test harness would keep what is printed in another way.
        let _ = writeln!(std::io::stderr(), "skipped: no {what} ({variable}=PATH)");
    }
    file
}

/// Runs a client until it has passed: its last line is `passed`. A line `please WHAT` asks for something that the client cannot do
/// itself; `please` does it, and the client reads the answer from its standard input.
///
/// # Panics
/// With what the client has said, if it fails.
#[track_caller]
pub fn until_passed(mut client: Command, mut please: impl FnMut(&str) -> String) {
    client.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = client.spawn().expect("the client starts");
    let mut stdin = child.stdin.take().expect("piped");
    let mut said: Vec<String> = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok) {
        if let Some(what) = line.strip_prefix("please ") {
            stdin.write_all(format!("{}\n", please(what)).as_bytes()).expect("it waits");
        }
        said.push(line);
    }
    let ended = child.wait().expect("our child");
    let passed = ended.success() && said.last().is_some_and(|last| last == "passed");
    assert!(passed, "{client:?} failed: {ended:?}\n{}", said.join("\n"));
}
