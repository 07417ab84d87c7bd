//! What systemd itself says of the units: nothing wrong, and an exposure of at most 1.5.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// In tenths. The balancer that moves an address (`floating`) needs a right over the network.
const EXPOSURE_MAX: u32 = 15;
const EXPOSURE_FLOATING_MAX: u32 = 20;

pub fn units() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 9, "{paths:?}");
    paths
}

pub fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Nothing where it is not installed.
fn analyze(arguments: &[&str]) -> Option<Output> {
    match Command::new("systemd-analyze").args(arguments).env("SYSTEMD_PAGER", "").output() {
        Ok(output) => Some(output),
        Err(error) => {
            println!("skipped: systemd-analyze cannot be run: {error}");
            None
        }
    }
}

/// Copies that name this build's binary, with an instance of each template.
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
    // What is wrong with this machine's own units is not said of ours.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("ribbit")).collect();
    assert!(ours.is_empty() && output.status.success(), "{ours:#?}\n{said}");

    // It would have found something.
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

/// What every unit that serves has to say, whoever changes one of them.
#[test]
fn the_units_agree_on_what_a_board_needs() {
    for path in units() {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        // A board may have neither a network nor a clock, and starts all the same.
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
        // Only once, by hand: a board that comes back with an empty card must not found.
        let founds = text.contains("--found");
        assert!(!founds || !text.contains("[Install]"), "{}", name(&path));
    }
}
