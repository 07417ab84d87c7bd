//! Preloaded C libraries between a process under test and the kernel: a wall clock and failing system calls.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Builds `tests/testkit/NAME.c` into `folder`. Prints a reason and returns `None` where there is no C compiler or no
/// preloading.
pub fn library(folder: &Path, name: &str) -> Option<PathBuf> {
    let library = folder.join(format!("{name}.so"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/testkit/{name}.c"));
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).output();
    let why = match built {
        Ok(output) if output.status.success() => {
            let mut tried = Command::new(env!("CARGO_BIN_EXE_ribbit"));
            match tried.arg("--version").env("LD_PRELOAD", &library).output() {
                Ok(output) if output.status.success() && output.stderr.is_empty() => return Some(library),
                other => format!("nothing can be preloaded: {other:?}"),
            }
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("cc: {error}"),
    };
    println!("skipped: {why}");
    None
}

/// System calls that fail by rules, see `tests/testkit/disk.c`.
pub struct FailingCalls {
    tools: TempDir,
    library: PathBuf,
}

impl FailingCalls {
    /// Returns `None` where nothing can be preloaded.
    pub fn new() -> Option<FailingCalls> {
        let tools = tempfile::tempdir().expect("a temporary folder");
        let library = library(tools.path(), "disk")?;
        Some(FailingCalls { tools, library })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.tools.path().join(name)
    }

    /// Returns the environment of a process whose calls fail.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: PathBuf| path.to_str().expect("text").to_string();
        vec![
            ("LD_PRELOAD", text(self.library.clone())),
            ("TEST_DISK", text(self.file("rules"))),
            ("TEST_DISK_FIRED", text(self.file("fired"))),
        ]
    }

    /// Returns the additional environment of a process whose calls on files below `folder` are noted.
    pub fn tracing(&self, folder: &Path) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_str().expect("text").to_string();
        vec![("TEST_DISK_TRACE", text(&self.file("trace"))), ("TEST_DISK_FOLDER", text(folder))]
    }

    /// Returns the calls and paths noted since the last time.
    pub fn traced(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.file("trace")).unwrap_or_default();
        let _ = fs::remove_file(self.file("trace"));
        let pair = |line: &str| line.split_once(' ').map(|(call, path)| (call.into(), path.into()));
        text.lines().filter_map(pair).collect()
    }

    /// From now on these rules hold, and no others.
    pub fn fail(&self, rules: &[String]) {
        let _ = fs::remove_file(self.file("fired"));
        fs::write(self.file("next"), rules.join("\n")).expect("a file");
        fs::rename(self.file("next"), self.file("rules")).expect("a file");
    }

    /// From now on every call succeeds.
    pub fn mend(&self) {
        let _ = fs::remove_file(self.file("rules"));
    }

    /// Returns the calls that were hit, as CALL PATH ACTION.
    pub fn fired(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("fired")).unwrap_or_default();
        text.lines().map(str::to_string).collect()
    }
}
