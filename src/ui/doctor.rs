//! Findings of `ribbit doctor` as text: what was found and, for a problem, what to type. Pure.
//!
//! `roles/doctor` collects the findings; this module judges them. **Bad** means that this board or the cluster cannot work, or
//! is not safe. A **warning** means that it works, but needs attention.

use super::{plain, time};
use serde::Serialize;
use std::time::Duration;

/// Longest median time of a sync without a warning: with more, users wait for each croak.
const SYNC_USUAL_MAX: Duration = Duration::from_millis(100);
/// Longest single sync without a warning: with more, the card stalls.
const SYNC_WORST_MAX: Duration = Duration::from_secs(2);
/// Percentage of the disk quota from which a store is nearly full.
const NEARLY_FULL: u64 = 90;
/// Bytes in a MiB.
const MIB: u64 = 1024 * 1024;

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Ok,
    Warning,
    Bad,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The wall clock.
    Clock {
        /// Milliseconds since 1970.
        wall_ms: u64,
    },
    /// There is no data folder.
    NoFolder {
        folder: String,
        /// True if there is a cluster file elsewhere, so the board is set up and nothing has run yet.
        prepared: bool,
    },
    /// The user has no permission to look there.
    Forbidden { path: String },
    /// There is no cluster file.
    NoClusterFile { path: String },
    /// The cluster file is not valid.
    WrongClusterFile {
        path: String,
        /// Reason.
        what: String,
    },
    /// The file with the ports of `ribbit up` cannot be read.
    WrongPorts {
        path: String,
        /// Reason.
        what: String,
    },
    /// Mode of a file or folder with secrets, which only its owner may open.
    Mode { path: String, mode: u32, folder: bool },
    /// The cluster file belongs neither to root nor to the owner of the data.
    Owner { path: String, owner: u32, data_owner: u32 },
    /// Durations of small appends, each with a sync.
    Syncs { folder: String, count: usize, usual: Duration, worst: Duration, in_memory: bool },
    /// The folder cannot be written to.
    NoSync { folder: String, why: String },
    /// Free disk space.
    Space { folder: String, free_bytes: u64, reserve_bytes: u64 },
    /// Size of a member's store.
    Store { name: String, bytes: u64, quota_bytes: u64, free_bytes: u64 },
    /// A port on which a role of this board listens, or would listen.
    Port {
        role: String,
        /// Address and port.
        listen: String,
        held: PortUse,
    },
    /// No other server is known.
    NobodyKnown,
    /// An address at which a coordinator or another member should answer.
    Reached { address: String, answer: Reachability },
    /// Builds of a member and of this program, each as `0.1.0 (1a2b3c4d, …)`, and the rules levels of both.
    Build { name: String, theirs: String, ours: String, rules: (u32, u32) },
    /// An upgrade is not finished; with what to do.
    Upgrade { words: String, fix: String },
}

/// Use of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortUse {
    Free,
    /// A process of this cluster has it; with its name or protocol.
    Own(String),
    /// Another program has it.
    Other,
    /// It cannot be bound, and nothing answers there; with the reason.
    Unusable(String),
}

/// Result of a connection to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reachability {
    Answers {
        name: String,
        after: Duration,
        /// True for a member, false for a node that is waiting to join.
        belongs: bool,
    },
    NotListening,
    Silent,
    /// The host name cannot be resolved.
    UnknownName,
    NotRibbit,
    /// It speaks another version of the protocol; with a description.
    OtherVersion(String),
    /// It has another key; with a description.
    OtherKey(String),
    /// Any other error, as text.
    Failed(String),
}

/// A finding with its verdict, as JSON shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    what: &'static str,
    verdict: &'static str,
    words: String,
    /// Instruction for people; null if nothing needs to be done.
    fix: Option<String>,
}

#[derive(Serialize)]
struct DoctorJson {
    state: &'static str,
    checks: Vec<Check>,
}

/// Returns the worst verdict.
pub fn worst(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| judged(finding).1).max().unwrap_or(Severity::Ok)
}

/// Returns the findings for people: a line each with its fix below it, and a summary, without a line end after the last.
pub fn words(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let Check { what, verdict, words, fix } = check(finding);
        lines.push(format!("{verdict:<5} {what:<13} {}", plain::line(&words)));
        lines.extend(fix.map(|fix| format!("{:<20}{}", "", plain::line(&fix))));
    }
    let count = |wanted| findings.iter().filter(|finding| judged(finding).1 == wanted).count();
    lines.push(match (count(Severity::Bad), count(Severity::Warning)) {
        (0, 0) => "All is well.".to_string(),
        (0, warnings) => format!("It works. Warnings: {warnings}."),
        (bad, warnings) => format!("Problems: {bad}. Warnings: {warnings}."),
    });
    lines.join("\n")
}

/// Returns the findings as one line of JSON.
pub fn json(findings: &[Finding]) -> String {
    let state = match worst(findings) {
        Severity::Ok => "fine",
        Severity::Warning => "degraded",
        Severity::Bad => "broken",
    };
    let json = DoctorJson { state, checks: findings.iter().map(check).collect() };
    serde_json::to_string(&json).expect("plain data always serialises")
}

/// Returns the description of a finding, and what to do about it.
pub(super) fn said(finding: &Finding) -> (String, Option<String>) {
    let Check { words, fix, .. } = check(finding);
    (words, fix)
}

fn check(finding: &Finding) -> Check {
    let (what, verdict, words, fix) = judged(finding);
    let verdict = match verdict {
        Severity::Ok => "ok",
        Severity::Warning => "warn",
        Severity::Bad => "bad",
    };
    Check { what, verdict, words, fix: Some(fix).filter(|fix| !fix.is_empty()) }
}

/// Subject, verdict, description, and fix; the fix is empty if nothing needs to be done.
type Judged = (&'static str, Severity, String, String);

fn judged(finding: &Finding) -> Judged {
    use Severity::{Bad, Ok, Warning};
    let fine = String::new;
    match finding {
        Finding::Clock { wall_ms } => match time::shown(*wall_ms) {
            Some(shown) => ("clock", Ok, shown.people, fine()),
            None => {
                let words =
                    "not set; this only affects the times shown with croaks, which are missing or wrong";
                let fix = "run `timedatectl set-ntp true`, or `date --utc --set '2026-07-01 09:05'`";
                ("clock", Warning, words.into(), fix.into())
            }
        },
        Finding::NoFolder { folder, prepared } => no_folder(folder, *prepared),
        Finding::Forbidden { path } => {
            ("folder", Warning, format!("no permission to read {path}"), "run `sudo ribbit doctor`".into())
        }
        Finding::NoClusterFile { path } => {
            let fix = format!(
                "run `ribbit init` on one board, and copy the file that it makes to {path} on each board"
            );
            ("cluster file", Bad, format!("{path} does not exist"), fix)
        }
        Finding::WrongClusterFile { path, what } => {
            let fix = format!("copy it again from another board: `scp -p board1:{path} {path}`");
            ("cluster file", Bad, format!("{path}: {what}"), fix)
        }
        Finding::WrongPorts { path, what } => {
            ("ports file", Warning, what.clone(), format!("run `rm {path}`, and restart `ribbit up`"))
        }
        Finding::Mode { path, mode, folder } => mode_of(path, *mode, *folder),
        Finding::Owner { path, owner, data_owner } => {
            let words = format!("{path} belongs to user {owner}, but the data belongs to user {data_owner}");
            ("owner", Warning, words, format!("run `chown {data_owner} {path}`"))
        }
        Finding::Syncs { folder, count, usual, worst, in_memory } => {
            syncs(folder, *count, *usual, *worst, *in_memory)
        }
        Finding::NoSync { folder, why } => {
            let fix = format!(
                "{folder} must be writable; check `mount | grep ' / '` and `dmesg | tail`: a failing card is mounted read-only"
            );
            ("disk speed", Bad, format!("cannot write to {folder}: {why}"), fix)
        }
        Finding::Space { folder, free_bytes, reserve_bytes } => space(folder, *free_bytes, *reserve_bytes),
        Finding::Store { name, bytes, quota_bytes, free_bytes } => {
            store(name, *bytes, *quota_bytes, *free_bytes)
        }
        Finding::Port { role, listen, held } => port(role, listen, held),
        Finding::NobodyKnown => {
            let fix = "add the coordinators to the cluster file (COORDINATORS=board1:9000), or start one with `ribbit up`";
            ("group", Warning, "no coordinator is known".into(), fix.into())
        }
        Finding::Reached { address, answer } => reached(address, answer),
        Finding::Build { name, theirs, ours, rules } => build(name, theirs, ours, *rules),
        Finding::Upgrade { words, fix } => ("upgrade", Warning, words.clone(), fix.clone()),
    }
}

fn no_folder(folder: &str, prepared: bool) -> Judged {
    if prepared {
        let fix =
            "start the services of this board, for example `sudo systemctl enable --now ribbit-backend@1`";
        let words = format!("{folder} does not exist: nothing has run here yet");
        return ("folder", Severity::Warning, words, fix.into());
    }
    let fix = "on the first board run `ribbit init`; on the others copy the cluster file there, or name another folder with \
               --data-dir";
    ("folder", Severity::Bad, format!("{folder} does not exist"), fix.into())
}

fn space(folder: &str, free_bytes: u64, reserve_bytes: u64) -> Judged {
    let words = format!("{} MiB free in {folder}", free_bytes / MIB);
    if free_bytes >= reserve_bytes {
        return ("disk space", Severity::Ok, words, String::new());
    }
    let words = format!("{words}: below {} MiB nothing new is accepted", reserve_bytes / MIB);
    let fix = format!(
        "run `du -xh / | sort -h | tail` and delete what you don't need, or use a larger card for {folder}"
    );
    ("disk space", Severity::Bad, words, fix)
}

fn mode_of(path: &str, mode: u32, folder: bool) -> Judged {
    let words = format!("{path} has mode {mode:04o}");
    match mode & 0o077 {
        0 => ("mode", Severity::Ok, words, String::new()),
        _ => {
            let wanted = if folder { "700" } else { "600" };
            let words = format!("{words}: other users can open it, but it holds secrets");
            ("mode", Severity::Bad, words, format!("run `chmod {wanted} {path}`"))
        }
    }
}

fn syncs(folder: &str, count: usize, usual: Duration, worst: Duration, in_memory: bool) -> Judged {
    let ms = |span: Duration| format!("{:.1} ms", span.as_secs_f64() * 1000.0);
    let words = format!(
        "a write to {folder} takes {} to reach the disk (slowest of {count}: {})",
        ms(usual),
        ms(worst)
    );
    if in_memory {
        let fix = "keep the data on a card or a disk: name a folder there with --data-dir";
        let words = format!("{folder} is in memory: its data is lost when the power goes");
        return ("disk speed", Severity::Warning, words, fix.into());
    }
    if usual > SYNC_USUAL_MAX || worst > SYNC_WORST_MAX {
        let fix = "use a card marked A1 or A2, or a USB disk; `iotop -o` shows what else writes. The cluster waits for a \
                   majority of its disks, not for the slowest";
        return ("disk speed", Severity::Warning, words, fix.into());
    }
    ("disk speed", Severity::Ok, words, String::new())
}

fn store(name: &str, bytes: u64, quota: u64, free: u64) -> Judged {
    let words = format!("{name} uses {} of {} MiB", bytes / MIB, quota / MIB);
    let fix = "raise --disk-quota if the disk has room, or delete croaks: deleted content makes room inside the store";
    if bytes >= quota {
        return ("store", Severity::Bad, format!("{words}: nothing new is accepted"), fix.into());
    }
    if bytes >= quota / 100 * NEARLY_FULL {
        return ("store", Severity::Warning, format!("{words}: it is nearly full"), fix.into());
    }
    if quota - bytes > free {
        let words = format!("{words}, but only {} MiB are free on the disk", free / MIB);
        let fix = "free some space, or lower --disk-quota; writes that do not fit are refused in time";
        return ("store", Severity::Warning, words, fix.into());
    }
    ("store", Severity::Ok, words, String::new())
}

fn port(role: &str, listen: &str, held: &PortUse) -> Judged {
    let number = listen.rsplit_once(':').map_or(listen, |(_, number)| number);
    match held {
        PortUse::Free => ("port", Severity::Ok, format!("{listen} is free for {role}"), String::new()),
        PortUse::Own(name) => {
            ("port", Severity::Ok, format!("{listen}, for {role}, is used by ribbit ({name})"), String::new())
        }
        PortUse::Other => {
            let words = format!("{listen}, for {role}, is used by another program");
            let fix = format!(
                "run `sudo ss -ltnp 'sport = :{number}'` to see which, and stop it; or give {role} another --listen"
            );
            ("port", Severity::Bad, words, fix)
        }
        PortUse::Unusable(why) => {
            let fix = format!("give {role} another --listen; ports below 1024 need root or a systemd socket");
            ("port", Severity::Bad, format!("{listen}, for {role}, cannot be used: {why}"), fix)
        }
    }
}

fn reached(address: &str, answer: &Reachability) -> Judged {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bad = |words: String, fix: String| ("reachable", Severity::Bad, words, fix);
    let warn = |words: String, fix: String| ("reachable", Severity::Warning, words, fix);
    match answer {
        Reachability::Answers { name, belongs: false, .. } => warn(
            format!("{address} is {name}, which is waiting to join the cluster"),
            "check that the backends are running and that this board can reach them; it then joins by itself".into(),
        ),
        Reachability::Answers { name, after, belongs: true } => {
            let words = format!("{address} is {name}, answered in {:.1} ms", after.as_secs_f64() * 1000.0);
            ("reachable", Severity::Ok, words, String::new())
        }
        Reachability::NotListening => warn(
            format!("{address}: the machine is up, but nothing listens on this port"),
            "on that board run `systemctl status 'ribbit*'`, and start what is not running".into(),
        ),
        Reachability::Silent => warn(
            format!("{address} does not answer"),
            format!("check that the board is on, that `ping {host}` answers, and that no firewall is in between"),
        ),
        Reachability::UnknownName => warn(
            format!("{address}: the name {host} is not known on this network"),
            format!("run `echo '192.168.1.11 {host}' | sudo tee -a /etc/hosts`, with its address"),
        ),
        Reachability::NotRibbit => bad(
            format!("{address}: another program answers"),
            "check COORDINATORS in the cluster file, and run `sudo ss -ltnp` on that board to see what listens".into(),
        ),
        Reachability::OtherVersion(words) => bad(
            format!("{address}: {words}"),
            "install the same version of ribbit on every board, and restart all of them".into(),
        ),
        Reachability::OtherKey(words) => (
            "key",
            Severity::Bad,
            format!("{address}: {words}"),
            "compare `ribbit key` on both boards, and copy the right cluster file to the other".into(),
        ),
        Reachability::Failed(words) => {
            warn(format!("{address}: {words}"), format!("check `ping {host}`, then try again"))
        }
    }
}

/// Compares two builds: by the rules level of each, then by the version. With both equal, neither is known to be older.
fn build(name: &str, theirs: &str, ours: &str, (their_rules, our_rules): (u32, u32)) -> Judged {
    let commit = |build: &str| build.split(", ").next().unwrap_or_default().to_string();
    if commit(theirs) == commit(ours) {
        return ("version", Severity::Ok, format!("{name} runs {theirs}"), String::new());
    }
    let words = format!("{name} runs {theirs}, this program is {ours}");
    let number = |build: &str| -> Vec<u32> {
        let number = build.split(' ').next().unwrap_or_default();
        number.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    let fix = match (their_rules, number(theirs)).cmp(&(our_rules, number(ours))) {
        std::cmp::Ordering::Less => {
            format!("install this version of ribbit on the board of {name}, and restart it there")
        }
        std::cmp::Ordering::Greater => {
            format!("install the version of {name}'s board here, and restart ribbit here")
        }
        std::cmp::Ordering::Equal => {
            "install the same version of ribbit on both boards, one after the other".into()
        }
    };
    ("version", Severity::Warning, words, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(held: PortUse) -> Finding {
        Finding::Port { role: "backend-1".into(), listen: "0.0.0.0:10001".into(), held }
    }

    #[test]
    fn every_problem_comes_with_a_fix() {
        let reach = |answer| Finding::Reached { address: "board1:9000".into(), answer };
        let build = |theirs: &str, rules| Finding::Build {
            name: "backend-2".into(),
            theirs: theirs.into(),
            ours: "0.2.0 (1a2b3c4d, x)".into(),
            rules,
        };
        let syncs = |usual, worst, in_memory| Finding::Syncs {
            folder: "d".into(),
            count: 24,
            usual: Duration::from_millis(usual),
            worst: Duration::from_millis(worst),
            in_memory,
        };
        let store = |bytes, free_bytes| Finding::Store {
            name: "backend-1".into(),
            bytes: bytes * MIB,
            quota_bytes: 1000 * MIB,
            free_bytes: free_bytes * MIB,
        };
        for (finding, expected, words) in [
            (Finding::Clock { wall_ms: 0 }, Severity::Warning, "set-ntp"),
            (Finding::Clock { wall_ms: 1_800_000_000_000 }, Severity::Ok, "2027"),
            (syncs(3, 40, false), Severity::Ok, "40.0 ms"),
            (syncs(300, 400, false), Severity::Warning, "A1"),
            (syncs(3, 2_500, false), Severity::Warning, "A1"),
            (syncs(0, 0, true), Severity::Warning, "power"),
            (store(100, 2_000), Severity::Ok, "100 of 1000 MiB"),
            (store(100, 500), Severity::Warning, "only 500 MiB"),
            (store(950, 2_000), Severity::Warning, "nearly"),
            (store(1_000, 2_000), Severity::Bad, "nothing new"),
            (port(PortUse::Free), Severity::Ok, "free"),
            (port(PortUse::Other), Severity::Bad, "sport = :10001"),
            (reach(Reachability::Silent), Severity::Warning, "ping board1"),
            (reach(Reachability::OtherKey("k".into())), Severity::Bad, "ribbit key"),
            (build("0.1.0 (1a2b3c4d, x)", (4, 4)), Severity::Warning, "on the board of backend-2"),
            (build("0.2.0 (1a2b3c4d, y)", (4, 4)), Severity::Ok, "runs 0.2.0"),
            (build("0.2.0 (ffffffff, y)", (4, 4)), Severity::Warning, "both boards"),
            (build("0.2.0 (ffffffff, y)", (5, 4)), Severity::Warning, "backend-2's board here"),
            (Finding::Mode { path: "f".into(), mode: 0o640, folder: false }, Severity::Bad, "chmod 600 f"),
        ] {
            let check = check(&finding);
            assert_eq!(worst(std::slice::from_ref(&finding)), expected, "{check:?}");
            assert_eq!(check.fix.is_some(), expected != Severity::Ok, "{check:?}");
            assert!(
                (check.words.clone() + check.fix.as_deref().unwrap_or_default()).contains(words),
                "{check:?}"
            );
        }
    }

    #[test]
    fn findings_are_listed_for_people_and_scripts() {
        let found = [port(PortUse::Free), port(PortUse::Other)];
        let said = words(&found);
        assert!(
            said.starts_with("ok    port          0.0.0.0:10001 is free for backend-1\nbad   port"),
            "{said}"
        );
        assert!(said.ends_with("Problems: 1. Warnings: 0."), "{said}");
        assert_eq!(words(&found[..1]).lines().last(), Some("All is well."));
        let said = json(&found[..1]);
        let expected = "{\"state\":\"fine\",\"checks\":[{\"what\":\"port\",\"verdict\":\"ok\",\"words\":\"0.0.0.0:10001 is \
                        free for backend-1\",\"fix\":null}]}";
        assert_eq!(said, expected);
        assert!(json(&found).starts_with("{\"state\":\"broken\""));
    }
}
