//! axe-core: finds accessibility problems of a page.

use super::driver::Driver;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;

pub struct Axe(String);

impl Axe {
    /// Loads the script from RIBBIT_AXE or the place where `.ci/run` puts it. Prints a note and returns `None` if it is missing.
    pub fn find() -> Option<Axe> {
        let file = std::env::var_os("RIBBIT_AXE").map(PathBuf::from).or_else(|| {
            let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
            Some(cache.join("ribbit-ci/npm/node_modules/axe-core/axe.min.js"))
        });
        let source = file.and_then(|file| std::fs::read_to_string(file).ok());
        if source.is_none() {
            let _ = writeln!(
                std::io::stderr(),
                "skipped: axe-core is not there (npm install axe-core, RIBBIT_AXE=FILE)"
            );
        }
        source.map(Axe)
    }

    /// Returns the problems of the open page with their places.
    pub fn violations(&self, driver: &Driver) -> Vec<String> {
        if driver.run("return typeof axe") == "undefined" {
            driver.run(&self.0);
        }
        let found = driver.run_async(
            "axe.run({ resultTypes: ['violations'] }).then(
                 (results) => arguments[0](results.violations.flatMap((violation) => violation.nodes.map(
                     (node) => `${violation.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`))),
                 (error) => arguments[0]([String(error)]))",
        );
        let words = |value: &Value| value.as_str().unwrap_or_default().to_string();
        found.as_array().expect("a list").iter().map(words).collect()
    }
}
