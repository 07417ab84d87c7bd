//! Pythons with the packages of a test, each in a virtual environment that `.ci/run` makes.

use std::io::Write;
use std::path::PathBuf;

/// Returns a Python with these packages: the one that `variable` names, or that of the environment in the cache of `.ci/run`. Prints a
/// note and returns `None` if there is none.
pub fn with(packages: &str, variable: &str, environment: &str) -> Option<PathBuf> {
    let file = std::env::var_os(variable).map(PathBuf::from).or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        Some(cache.join("ribbit-ci").join(environment).join("bin/python"))
    });
    let file = file.filter(|file| file.exists());
    if file.is_none() {
        // The test harness would keep what is printed in another way.
        let _ = writeln!(std::io::stderr(), "skipped: no Python with {packages} ({variable}=FILE)");
    }
    file
}
