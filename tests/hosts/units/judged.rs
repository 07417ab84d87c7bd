//! Checks of the units by `systemd-analyze`: no errors, and an exposure of at most 1.5.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Maximum exposure of a unit, in tenths.
const EXPOSURE_MAX: u32 = 15;
/// Maximum exposure of the floating balancer, which needs network capabilities.
const EXPOSURE_FLOATING_MAX: u32 = 20;

pub fn units() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 11, "{paths:?}");
    paths
}

pub fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Runs systemd-analyze; `None` if it is not installed.
fn analyze(arguments: &[&str]) -> Option<Output> {
    match Command::new("systemd-analyze").args(arguments).env("SYSTEMD_PAGER", "").output() {
        Ok(output) => Some(output),
        Err(error) => {
            println!("skipped: systemd-analyze cannot be run: {error}");
            None
        }
    }
}

/// Copies the units, with the path of this build's binary and an instance of each template.
fn copies() -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let mut made = Vec::new();
    for path in units() {
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("/usr/bin/ribbit", env!("CARGO_BIN_EXE_ribbit"));
        let copy = folder.path().join(name(&path));
        fs::write(&copy, &text).unwrap();
        let copy = copy.to_str().unwrap().to_string();
        if copy.contains("@.") {
            let instance = copy.replace("@.", "@1.");
            fs::copy(&copy, &instance).unwrap();
            made.push(instance);
        } else {
            made.push(copy);
        }
    }
    (folder, made)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let (folder, copies) = copies();
    let mut arguments = vec!["verify", "--man=no"];
    arguments.extend(copies.iter().map(String::as_str));
    let Some(output) = analyze(&arguments) else { return };
    let said = String::from_utf8(output.stderr).unwrap();
    // Errors in this machine's own units are ignored.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("ribbit")).collect();
    assert!(ours.is_empty() && output.status.success(), "{ours:#?}\n{said}");

    // The check does find errors.
    let broken = folder.path().join("ribbit-balancer.service");
    let text = fs::read_to_string(&broken).unwrap().replace("WatchdogSec=60", "WatchdogSecs=60");
    fs::write(&broken, text).unwrap();
    let output = analyze(&["verify", "--man=no", broken.to_str().unwrap()]).unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("WatchdogSecs"));
}

#[test]
fn no_unit_is_exposed() {
    for path in units().into_iter().filter(|path| name(path).ends_with(".service")) {
        let limit = if name(&path).contains("floating") { EXPOSURE_FLOATING_MAX } else { EXPOSURE_MAX };
        let threshold = format!("--threshold={limit}");
        let arguments = ["security", "--offline=true", "--no-pager", &threshold, path.to_str().unwrap()];
        let Some(output) = analyze(&arguments) else { return };
        let said = String::from_utf8(output.stdout).unwrap();
        let verdict = said.lines().last().unwrap_or_default().trim();
        println!("{verdict}");
        assert!(output.status.success(), "{}: {verdict}\n{said}", name(&path));
    }
}

/// Settings that every unit of a server must have.
#[test]
fn the_units_agree_on_what_a_board_needs() {
    for path in units() {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        // A machine may have neither network nor clock and must start nevertheless.
        for awaited in ["network-online", "time-sync", "time-set"] {
            assert!(!text.contains(awaited), "{}: {awaited}", name(&path));
        }
        if lines.contains(&"Type=notify") {
            for line in
                ["Restart=always", "StartLimitIntervalSec=0", "DynamicUser=yes", "PartOf=ribbit.target"]
            {
                assert!(lines.contains(&line), "{}: {line}", name(&path));
            }
            let prevented = lines.iter().find(|line| line.starts_with("RestartPreventExitStatus="));
            assert!(prevented.is_some_and(|line| line.contains("78")), "{}", name(&path));
            assert!(text.contains("WatchdogSec=") && text.contains("MemoryMax="), "{}", name(&path));
        }
        // Only once and by hand: a machine that returns with an empty disk must not create a cluster.
        let founds = text.contains("--found");
        assert!(!founds || !text.contains("[Install]"), "{}", name(&path));
    }
}
