//! Packaging, as far as it can be tested without cross-compiling: completions in real shells, the manual page, and `install.sh`
//! with a test archive, into a folder that represents a mounted SD card.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const RIBBIT: &str = env!("CARGO_BIN_EXE_ribbit");
const TARGET: &str = "arm-unknown-linux-musleabihf";

fn ribbit(arguments: &[&str]) -> String {
    let output = Command::new(RIBBIT).args(arguments).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a script in a shell with ribbit in its PATH; `None` if the shell is not installed.
fn in_shell(shell: &str, script: &str) -> Option<String> {
    let folder = Path::new(RIBBIT).parent().unwrap().to_str().unwrap();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    match Command::new(shell).args(["-c", script]).env("PATH", path).output() {
        Ok(output) => {
            assert!(output.status.success(), "{shell}: {output:?}");
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(_) => {
            println!("skipped: there is no {shell}");
            None
        }
    }
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let script = "source <(ribbit completions bash)
        complete -p ribbit >/dev/null
        tab() { COMP_WORDS=(ribbit \"$@\"); COMP_CWORD=$#; _ribbit; echo \"${COMPREPLY[*]}\"; }
        tab stat; tab client fee; tab up --restart n; tab member ''; tab status --data-dir ''";
    let Some(said) = in_shell("bash", script) else { return };
    assert_eq!(said, "status\nfeed\nnever\nremove drain undrain help\n\n");
}

#[test]
fn scripts_for_other_shells_are_valid() {
    for shell in ["zsh", "fish"] {
        let script = ribbit(&["completions", shell]);
        assert!(script.contains("ribbit completions") || script.contains("completions"), "{script}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("script");
        fs::write(&file, script).unwrap();
        in_shell(shell, &format!("{shell} -n {}", file.display()));
    }
    assert_eq!(ribbit(&["completions", "fish", "--", "client", "fee"]).split('\t').next(), Some("feed"));
}

#[test]
fn the_manual_page_is_valid() {
    let page = ribbit(&["man"]);
    assert!(page.starts_with(".TH RIBBIT 1") && page.contains(".SS ribbit doctor\n"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ribbit.1");
    fs::write(&file, page).unwrap();
    let mut groff = Command::new("groff");
    let Ok(output) = groff.args(["-man", "-Tutf8", "-ww", "-z"]).arg(&file).output() else {
        println!("skipped: there is no groff");
        return;
    };
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// Returns the relative links of a Markdown page, as paths from the root of the repository.
fn links_of(root: &Path, page: &str) -> Vec<String> {
    let text = fs::read_to_string(root.join(page)).unwrap();
    let folder = Path::new(page).parent().unwrap();
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let ours = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    ours.map(|target| {
        let mut path = PathBuf::new();
        for part in folder.join(target.split('#').next().unwrap()).components() {
            match part.as_os_str().to_str().unwrap() {
                ".." => assert!(path.pop(), "{page} leads out of the repository"),
                part => path.push(part),
            }
        }
        path.to_str().unwrap().to_string()
    })
    .collect()
}

#[test]
fn the_package_has_every_page_that_the_readme_leads_to() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let assets: Vec<(&str, &str)> = manifest
        .lines()
        .filter_map(|line| line.trim().strip_prefix("[\"")?.split_once("\", \"usr/share/doc/ribbit/"))
        .map(|(from, to)| (from, to.split('"').next().unwrap()))
        .collect();
    let mut pages = vec!["README.md".to_string()];
    let mut seen = 0;
    while let Some(page) = pages.get(seen).cloned() {
        seen += 1;
        let (folder, name) =
            page.rsplit_once('/').map_or(("", page.as_str()), |(folder, name)| (folder, name));
        let installed = assets
            .iter()
            .any(|(from, to)| fast_glob::glob_match(from, &page) && to.trim_end_matches('/') == folder);
        assert!(
            installed,
            "{name} is not installed beside README.md as {page}: add it to the assets in Cargo.toml"
        );
        if page.ends_with(".md") {
            for link in links_of(root, &page) {
                if !pages.contains(&link) {
                    pages.push(link);
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} pages were found");
}

#[test]
fn an_unknown_target_is_refused() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/dist");
    let output = Command::new("bash").arg(script).arg("frog-unknown-pond").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("frog-unknown-pond is none of"), "{output:?}");
}

/// Creates an unpacked archive of scripts/dist; its binary is a short text.
fn archive() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let put = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("install.sh", &fs::read(sources.join("packaging/install.sh")).unwrap());
    put(&format!("bin/{TARGET}/ribbit"), b"first");
    for name in ["completions/ribbit", "completions/_ribbit", "completions/ribbit.fish", "man/ribbit.1.gz"] {
        put(name, name.as_bytes());
    }
    put("systemd/ribbit-web.service", b"ExecStart=/usr/bin/ribbit client web\n");
    put("etc/web.conf", b"# nothing yet\n");
    put("etc/backend.conf", b"# nothing yet\n");
    seal(folder.path());
    folder
}

/// Updates the checksums.
fn seal(archive: &Path) {
    let script = "find . -type f ! -name 'SHA256SUMS*' | xargs sha256sum > SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS";
    assert!(Command::new("sh").args(["-c", script]).current_dir(archive).status().unwrap().success());
    let script = archive.join("install.sh");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
}

fn install(archive: &TempDir, card: &TempDir, more: &[&str]) -> Output {
    let mut command = Command::new("bash");
    command.arg(archive.path().join("install.sh")).arg("--root").arg(card.path());
    command.args(["--machine", "armv6l"]).args(more).output().unwrap()
}

#[track_caller]
fn installed(archive: &TempDir, card: &TempDir, more: &[&str]) -> String {
    let output = install(archive, card, more);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns all files of a folder with their contents.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::read_to_string(&path).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn a_card_is_installed_upgraded_and_uninstalled() {
    let (archive, card) = (archive(), tempfile::tempdir().unwrap());
    let data = card.path().join("var/lib/ribbit/backend-1/store.redb");
    fs::create_dir_all(data.parent().unwrap()).unwrap();
    fs::write(&data, "kept").unwrap();

    let said = installed(&archive, &card, &[]);
    assert!(said.contains(TARGET) && said.contains("nothing was started"), "{said}");
    let at = |path: &str| card.path().join(path);
    let binary = at("usr/local/bin/ribbit");
    assert_eq!(fs::read_to_string(&binary).unwrap(), "first");
    assert_eq!(fs::metadata(&binary).unwrap().permissions().mode() & 0o777, 0o755);
    let unit = fs::read_to_string(at("usr/local/lib/systemd/system/ribbit-web.service")).unwrap();
    assert_eq!(unit, "ExecStart=/usr/local/bin/ribbit client web\n");

    // An upgrade after a configuration file was changed.
    fs::write(at("etc/ribbit/web.conf"), "RIBBIT_LISTEN=0.0.0.0:80\n").unwrap();
    fs::write(archive.path().join(format!("bin/{TARGET}/ribbit")), "second").unwrap();
    for name in ["web.conf", "backend.conf"] {
        fs::write(archive.path().join("etc").join(name), "# something\n").unwrap();
    }
    seal(archive.path());
    let said = installed(&archive, &card, &[]);
    assert!(said.contains("kept your changes: /etc/ribbit/web.conf"), "{said}");
    assert_eq!(fs::read_to_string(&binary).unwrap(), "second");
    assert_eq!(fs::read_to_string(at("etc/ribbit/web.conf")).unwrap(), "RIBBIT_LISTEN=0.0.0.0:80\n");
    assert_eq!(fs::read_to_string(at("etc/ribbit/backend.conf")).unwrap(), "# something\n");

    installed(&archive, &card, &["--uninstall"]);
    let left: Vec<PathBuf> = files(card.path()).into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, [at("etc/ribbit/web.conf"), data], "the changed file and the data stay");
    assert!(!install(&archive, &card, &["--uninstall"]).status.success(), "it is not installed any more");
}

#[test]
fn a_damaged_archive_or_an_unknown_machine_installs_nothing() {
    let (archive, card) = (archive(), tempfile::tempdir().unwrap());
    let refused = |more: &[&str], words: &str| {
        let output = install(&archive, &card, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(words), "{output:?}");
        assert_eq!(files(card.path()), []);
    };
    refused(&["--machine", "riscv64"], "riscv64");
    refused(&["--machine", "aarch64"], "no binary for aarch64");
    refused(&["--frobnicate"], "--help");
    fs::write(archive.path().join("etc/web.conf"), "changed").unwrap();
    refused(&[], "a file is damaged");
}

/// The alert rules are valid, and each fires when it should and not before.
#[test]
fn the_alert_rules_do_what_their_tests_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/monitoring");
    for arguments in [
        ["check", "rules", "alerts.yml"],
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "alerts-test.yml"],
    ] {
        match Command::new("promtool").args(arguments).current_dir(&folder).output() {
            Ok(output) => assert!(output.status.success(), "{arguments:?}: {output:?}"),
            Err(_) => return println!("skipped: there is no promtool"),
        }
    }
    let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let (rules, tests) = (text("alerts.yml"), text("alerts-test.yml"));
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("- name: {alert}\n")), "{alert} has no test");
    }
}

/// What docs/boards.md says to type for a download: the signature of the checksums, then the checksums.
#[test]
fn a_signed_release_is_verified_and_a_changed_one_refused() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let bash = |script: &str| {
        let script = format!("set -euo pipefail; {script}");
        Command::new("bash").args(["-c", &script]).current_dir(here).output().unwrap().status.success()
    };
    if !bash("command -v ssh-keygen") {
        return println!("skipped: there is no ssh-keygen");
    }
    fs::write(here.join("ribbit"), "a binary").unwrap();
    assert!(bash("sha256sum ribbit >SHA256SUMS; ssh-keygen -q -t ed25519 -N '' -f key"));
    assert!(bash(&format!("SIGN_KEY=key {}/scripts/sign SHA256SUMS", sources.display())));
    assert!(bash("echo \"ribbit-release $(cut -d ' ' -f 1,2 key.pub)\" >ribbit-signers"));
    let text = fs::read_to_string(sources.join("docs/boards.md")).unwrap();
    let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let verify = lines.iter().find(|line| line.starts_with("ssh-keygen -Y verify")).unwrap();
    let check = lines.iter().find(|line| line.starts_with("sha256sum --check")).unwrap();
    assert!(bash(verify) && bash(check));
    fs::write(here.join("ribbit"), "another one").unwrap();
    assert!(bash(verify) && !bash(check));
    assert!(bash("sha256sum ribbit >SHA256SUMS") && bash(check) && !bash(verify));
    assert!(!bash(&format!("{}/scripts/sign SHA256SUMS", sources.display())), "no key was given");
}
