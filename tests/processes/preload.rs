//! Preloaded C libraries between a process under test and the kernel: a wall clock and a failing disk.

use std::path::{Path, PathBuf};
use std::process::Command;

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
