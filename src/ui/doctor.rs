//! What `ribbit doctor` has found, in words: how it is, and where it is not fine, what can be typed. Pure.
//!
//! What it looked at is in `roles/doctor`; here it is judged. **Bad** is what keeps this board or the group from working
//! or from being safe; a **warning** is what works and should be looked at.

use super::{plain, time};
use serde::Serialize;
use std::time::Duration;

/// A sync that takes longer than this usually does not, makes people wait for each croak,
const SYNC_USUAL_MAX: Duration = Duration::from_millis(100);
/// and one of this length is a card that stalls.
const SYNC_WORST_MAX: Duration = Duration::from_secs(2);
/// Of what a store may take, in hundredths: more is nearly full.
const NEARLY_FULL: u64 = 90;
const MIB: u64 = 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ok,
    Warning,
    Bad,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The wall clock, in milliseconds since 1970.
    Clock {
        wall_ms: u64,
    },
    /// There is no such folder; whether there is a cluster file somewhere else.
    NoFolder {
        folder: String,
        prepared: bool,
    },
    /// This user may not look there.
    Forbidden {
        path: String,
    },
    NoClusterFile {
        path: String,
    },
    /// What is wrong with it.
    WrongClusterFile {
        path: String,
        what: String,
    },
    /// What `up` has written of its ports cannot be read.
    WrongPorts {
        path: String,
        what: String,
    },
    /// A file or a folder that is its owner's business alone, and its mode.
    Mode {
        path: String,
        mode: u32,
        folder: bool,
    },
    /// The cluster file belongs neither to root nor to whom the data belongs.
    Owner {
        path: String,
        owner: u32,
        data_owner: u32,
    },
    /// How long small appends took until the disk had them.
    Syncs {
        folder: String,
        count: usize,
        usual: Duration,
        worst: Duration,
        in_memory: bool,
    },
    /// Nothing can be written there.
    NoSync {
        folder: String,
        why: String,
    },
    Space {
        folder: String,
        free_bytes: u64,
        reserve_bytes: u64,
    },
    Store {
        name: String,
        bytes: u64,
        quota_bytes: u64,
        free_bytes: u64,
    },
    /// Where something of this board listens, or would.
    Port {
        role: String,
        listen: String,
        held: Held,
    },
    /// Nobody is known whom one could ask.
    NobodyKnown,
    /// A coordinator, or another address at which a member should be.
    Reached {
        address: String,
        answer: Reach,
    },
    /// What a member runs, beside what this is: `0.1.0 (1a2b3c4d, …)` each.
    Build {
        name: String,
        theirs: String,
        ours: String,
        rules: (u32, u32),
    },
}

/// Who has a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    Free,
    /// A ribbit of this group, by its name or as what it speaks.
    Own(String),
    /// Something else.
    Other,
    /// It cannot be taken, and nobody answers there.
    Unusable(String),
}

/// How a member answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    Answers {
        name: String,
        after: Duration,
        /// It is a member; else it waits to join.
        belongs: bool,
    },
    NotListening,
    Silent,
    /// The name leads to no address.
    UnknownName,
    NotRibbit,
    OtherVersion(String),
    /// It has another key, in words.
    OtherKey(String),
    Failed(String),
}

/// A finding that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    what: &'static str,
    verdict: &'static str,
    words: String,
    /// What can be done, where something should be.
    fix: Option<String>,
}

#[derive(Serialize)]
struct DoctorJson {
    state: &'static str,
    checks: Vec<Check>,
}

/// The worst of it.
pub fn worst(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| judged(finding).1).max().unwrap_or(Verdict::Ok)
}

/// For people, without the last line's end.
pub fn words(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let Check { what, verdict, words, fix } = check(finding);
        lines.push(format!("{verdict:<5} {what:<13} {}", plain::line(&words)));
        lines.extend(fix.map(|fix| format!("{:<20}{}", "", plain::line(&fix))));
    }
    let count = |wanted| findings.iter().filter(|finding| judged(finding).1 == wanted).count();
    lines.push(match (count(Verdict::Bad), count(Verdict::Warning)) {
        (0, 0) => "All is well.".to_string(),
        (0, warnings) => format!("It works; to look at: {warnings}."),
        (bad, warnings) => format!("To mend: {bad}; to look at: {warnings}."),
    });
    lines.join("\n")
}

/// One line of JSON.
pub fn json(findings: &[Finding]) -> String {
    let state = match worst(findings) {
        Verdict::Ok => "fine",
        Verdict::Warning => "degraded",
        Verdict::Bad => "broken",
    };
    let json = DoctorJson { state, checks: findings.iter().map(check).collect() };
    serde_json::to_string(&json).expect("plain data always serialises")
}

fn check(finding: &Finding) -> Check {
    let (what, verdict, words, fix) = judged(finding);
    let verdict = match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warn",
        Verdict::Bad => "bad",
    };
    Check { what, verdict, words, fix: Some(fix).filter(|fix| !fix.is_empty()) }
}

/// What it is about, how it is, in words, and what can be done.
type Judged = (&'static str, Verdict, String, String);

fn judged(finding: &Finding) -> Judged {
    use Verdict::{Bad, Ok, Warning};
    let fine = String::new;
    match finding {
        Finding::Clock { wall_ms } => match time::shown(*wall_ms) {
            Some(shown) => ("clock", Ok, shown.people, fine()),
            None => {
                let words = "it is not set: times beside croaks are not shown or wrong, and nothing else";
                let fix = "type `timedatectl set-ntp true`, or `date --utc --set '2026-07-01 09:05'`";
                ("clock", Warning, words.into(), fix.into())
            }
        },
        Finding::NoFolder { folder, prepared: true } => {
            let fix = "start what this board is to run: `sudo systemctl enable --now ribbit-backend@1`, with its number";
            ("folder", Warning, format!("there is no {folder}: nothing has run here yet"), fix.into())
        }
        Finding::NoFolder { folder, prepared: false } => {
            let fix = "on the first board type `ribbit init`; elsewhere copy the cluster file there, or name another \
                       folder with --data-dir";
            ("folder", Bad, format!("there is no {folder}"), fix.into())
        }
        Finding::Forbidden { path } => (
            "folder",
            Warning,
            format!("this user may not look into {path}"),
            "type `sudo ribbit doctor`".into(),
        ),
        Finding::NoClusterFile { path } => {
            let fix =
                format!("type `ribbit init` on one board, and copy the file that it makes to {path} on each");
            ("cluster file", Bad, format!("there is no {path}"), fix)
        }
        Finding::WrongClusterFile { path, what } => {
            let fix = format!("copy it anew from another board: `scp -p board1:{path} {path}`");
            ("cluster file", Bad, format!("{path}: {what}"), fix)
        }
        Finding::WrongPorts { path, what } => {
            ("ports file", Warning, what.clone(), format!("type `rm {path}`, and start `ribbit up` anew"))
        }
        Finding::Mode { path, mode, folder } => mode_of(path, *mode, *folder),
        Finding::Owner { path, owner, data_owner } => {
            let words = format!("{path} belongs to user {owner}, the data to user {data_owner}");
            ("owner", Warning, words, format!("type `chown {data_owner} {path}`"))
        }
        Finding::Syncs { folder, count, usual, worst, in_memory } => {
            syncs(folder, *count, *usual, *worst, *in_memory)
        }
        Finding::NoSync { folder, why } => {
            let fix = format!(
                "look at `mount | grep ' / '` and `dmesg | tail`: a card that fails is mounted read-only; {folder} has to be writable"
            );
            ("disk speed", Bad, format!("nothing can be written to {folder}: {why}"), fix)
        }
        Finding::Space { folder, free_bytes, reserve_bytes } => {
            let words = format!("{} MiB are free under {folder}", free_bytes / MIB);
            match free_bytes < reserve_bytes {
                false => ("disk space", Ok, words, fine()),
                true => {
                    let words = format!("{words}: below {} MiB nothing new is taken", reserve_bytes / MIB);
                    let fix = format!(
                        "type `du -xh / | sort -h | tail` and delete what is not needed; or use a larger card than the one with {folder}"
                    );
                    ("disk space", Bad, words, fix)
                }
            }
        }
        Finding::Store { name, bytes, quota_bytes, free_bytes } => {
            store(name, *bytes, *quota_bytes, *free_bytes)
        }
        Finding::Port { role, listen, held } => port(role, listen, held),
        Finding::NobodyKnown => {
            let fix = "name the coordinators in the cluster file (COORDINATORS=board1:9000), or start one with `ribbit up`";
            ("group", Warning, "no coordinator is known here".into(), fix.into())
        }
        Finding::Reached { address, answer } => reached(address, answer),
        Finding::Build { name, theirs, ours, rules } => build(name, theirs, ours, *rules),
    }
}

fn mode_of(path: &str, mode: u32, folder: bool) -> Judged {
    let words = format!("{path} has mode {mode:04o}");
    match mode & 0o077 {
        0 => ("mode", Verdict::Ok, words, String::new()),
        _ => {
            let wanted = if folder { "700" } else { "600" };
            let words = format!("{words}: others can open it, and what is in it is secret");
            ("mode", Verdict::Bad, words, format!("type `chmod {wanted} {path}`"))
        }
    }
}

fn syncs(folder: &str, count: usize, usual: Duration, worst: Duration, in_memory: bool) -> Judged {
    let ms = |span: Duration| format!("{:.1} ms", span.as_secs_f64() * 1000.0);
    let words = format!(
        "a write to {folder} is on the disk after {} (the slowest of {count} after {})",
        ms(usual),
        ms(worst)
    );
    if in_memory {
        let fix = "keep the data on a card or a disk: name a folder there with --data-dir";
        let words = format!("{folder} is in memory: what is kept there is gone with the power");
        return ("disk speed", Verdict::Warning, words, fix.into());
    }
    if usual > SYNC_USUAL_MAX || worst > SYNC_WORST_MAX {
        let fix = "use a card marked A1 or A2, or a USB disk; what writes beside ribbit shows `iotop -o`. The group waits \
                   for a majority of its disks, not for the slowest";
        return ("disk speed", Verdict::Warning, words, fix.into());
    }
    ("disk speed", Verdict::Ok, words, String::new())
}

fn store(name: &str, bytes: u64, quota: u64, free: u64) -> Judged {
    let words = format!("{name} takes {} of {} MiB", bytes / MIB, quota / MIB);
    let fix = "raise --disk-quota where there is room, or take croaks back: what is deleted makes room inside the store";
    if bytes >= quota {
        return ("store", Verdict::Bad, format!("{words}: nothing new is taken"), fix.into());
    }
    if bytes >= quota / 100 * NEARLY_FULL {
        return ("store", Verdict::Warning, format!("{words}: it is nearly full"), fix.into());
    }
    if quota - bytes > free {
        let words = format!("{words}, and only {} MiB are free", free / MIB);
        let fix = "it is refused in time what does not fit: lower --disk-quota, or make room";
        return ("store", Verdict::Warning, words, fix.into());
    }
    ("store", Verdict::Ok, words, String::new())
}

fn port(role: &str, listen: &str, held: &Held) -> Judged {
    let number = listen.rsplit_once(':').map_or(listen, |(_, number)| number);
    match held {
        Held::Free => ("port", Verdict::Ok, format!("{listen} is free for {role}"), String::new()),
        Held::Own(name) => {
            ("port", Verdict::Ok, format!("{listen}, for {role}, is held by ribbit ({name})"), String::new())
        }
        Held::Other => {
            let words = format!("{listen}, for {role}, is held by something else");
            let fix = format!(
                "type `sudo ss -ltnp 'sport = :{number}'` to see what, and stop it; or give {role} another --listen"
            );
            ("port", Verdict::Bad, words, fix)
        }
        Held::Unusable(why) => {
            let fix =
                format!("give {role} another --listen; ports below 1024 are root's, or a systemd socket's");
            ("port", Verdict::Bad, format!("{listen}, for {role}, cannot be used: {why}"), fix)
        }
    }
}

fn reached(address: &str, answer: &Reach) -> Judged {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bad = |words: String, fix: String| ("reachable", Verdict::Bad, words, fix);
    let warn = |words: String, fix: String| ("reachable", Verdict::Warning, words, fix);
    match answer {
        Reach::Answers { name, belongs: false, .. } => warn(
            format!("{address} is {name}, which waits to join the cluster"),
            "look whether the backends run and this board reaches them; it joins by itself then".into(),
        ),
        Reach::Answers { name, after, belongs: true } => {
            let words = format!("{address} is {name}, after {:.1} ms", after.as_secs_f64() * 1000.0);
            ("reachable", Verdict::Ok, words, String::new())
        }
        Reach::NotListening => warn(
            format!("{address}: the machine is there, and nothing listens"),
            "on that board look at `systemctl status 'ribbit*'`, and start what does not run".into(),
        ),
        Reach::Silent => warn(
            format!("{address} does not answer"),
            format!(
                "look whether that board is on and `ping {host}` answers; then whether a firewall is between"
            ),
        ),
        Reach::UnknownName => warn(
            format!("{address}: nobody knows the name {host}"),
            format!("type `echo '192.168.1.11 {host}' | sudo tee -a /etc/hosts`, with its address"),
        ),
        Reach::NotRibbit => bad(
            format!("{address}: what answers is not ribbit"),
            "look at COORDINATORS in the cluster file, and what listens on that board: `sudo ss -ltnp`"
                .into(),
        ),
        Reach::OtherVersion(words) => bad(
            format!("{address}: {words}"),
            "install the same ribbit on every board, and start all of them anew".into(),
        ),
        Reach::OtherKey(words) => (
            "key",
            Verdict::Bad,
            format!("{address}: {words}"),
            "compare `ribbit key` on both boards, and copy the right cluster file to the other".into(),
        ),
        Reach::Failed(words) => {
            warn(format!("{address}: {words}"), format!("look at `ping {host}`, then try again"))
        }
    }
}

/// By the rules that each understands, else by its version, which of two is older cannot always be told.
fn build(name: &str, theirs: &str, ours: &str, (their_rules, our_rules): (u32, u32)) -> Judged {
    let commit = |build: &str| build.split(", ").next().unwrap_or_default().to_string();
    if commit(theirs) == commit(ours) {
        return ("version", Verdict::Ok, format!("{name} runs {theirs}"), String::new());
    }
    let words = format!("{name} runs {theirs}, this is {ours}");
    let number = |build: &str| -> Vec<u32> {
        let number = build.split(' ').next().unwrap_or_default();
        number.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    let fix = match (their_rules, number(theirs)).cmp(&(our_rules, number(ours))) {
        std::cmp::Ordering::Less => format!("install this ribbit on the board of {name}, and start it anew"),
        std::cmp::Ordering::Greater => {
            format!("install the ribbit of {name}'s board here, and start what runs here anew")
        }
        std::cmp::Ordering::Equal => "install the same ribbit on both boards, one after the other".into(),
    };
    ("version", Verdict::Warning, words, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(held: Held) -> Finding {
        Finding::Port { role: "backend-1".into(), listen: "0.0.0.0:10001".into(), held }
    }

    #[test]
    fn whatever_is_not_fine_comes_with_a_fix() {
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
            (Finding::Clock { wall_ms: 0 }, Verdict::Warning, "set-ntp"),
            (Finding::Clock { wall_ms: 1_800_000_000_000 }, Verdict::Ok, "2027"),
            (syncs(3, 40, false), Verdict::Ok, "40.0 ms"),
            (syncs(300, 400, false), Verdict::Warning, "A1"),
            (syncs(3, 2_500, false), Verdict::Warning, "A1"),
            (syncs(0, 0, true), Verdict::Warning, "power"),
            (store(100, 2_000), Verdict::Ok, "100 of 1000 MiB"),
            (store(100, 500), Verdict::Warning, "500 MiB are free"),
            (store(950, 2_000), Verdict::Warning, "nearly"),
            (store(1_000, 2_000), Verdict::Bad, "nothing new"),
            (port(Held::Free), Verdict::Ok, "free"),
            (port(Held::Other), Verdict::Bad, "sport = :10001"),
            (reach(Reach::Silent), Verdict::Warning, "ping board1"),
            (reach(Reach::OtherKey("k".into())), Verdict::Bad, "ribbit key"),
            (build("0.1.0 (1a2b3c4d, x)", (4, 4)), Verdict::Warning, "on the board of backend-2"),
            (build("0.2.0 (1a2b3c4d, y)", (4, 4)), Verdict::Ok, "runs 0.2.0"),
            (build("0.2.0 (ffffffff, y)", (4, 4)), Verdict::Warning, "both boards"),
            (build("0.2.0 (ffffffff, y)", (5, 4)), Verdict::Warning, "backend-2's board here"),
            (Finding::Mode { path: "f".into(), mode: 0o640, folder: false }, Verdict::Bad, "chmod 600 f"),
        ] {
            let check = check(&finding);
            assert_eq!(worst(std::slice::from_ref(&finding)), expected, "{check:?}");
            assert_eq!(check.fix.is_some(), expected != Verdict::Ok, "{check:?}");
            assert!(
                (check.words.clone() + check.fix.as_deref().unwrap_or_default()).contains(words),
                "{check:?}"
            );
        }
    }

    #[test]
    fn people_and_scripts_are_told() {
        let found = [port(Held::Free), port(Held::Other)];
        let said = words(&found);
        assert!(
            said.starts_with("ok    port          0.0.0.0:10001 is free for backend-1\nbad   port"),
            "{said}"
        );
        assert!(said.ends_with("To mend: 1; to look at: 0."), "{said}");
        assert_eq!(words(&found[..1]).lines().last(), Some("All is well."));
        let said = json(&found[..1]);
        let expected = "{\"state\":\"fine\",\"checks\":[{\"what\":\"port\",\"verdict\":\"ok\",\"words\":\"0.0.0.0:10001 is \
                        free for backend-1\",\"fix\":null}]}";
        assert_eq!(said, expected);
        assert!(json(&found).starts_with("{\"state\":\"broken\""));
    }
}
