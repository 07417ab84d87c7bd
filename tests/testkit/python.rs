//! Clients of other makers that `.ci/run` installs into its cache: Pythons with the packages of a test, each in a virtual
//! environment, and packages of npm.

use std::io::Write;
use std::path::PathBuf;

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
