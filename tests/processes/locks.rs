//! `ribbit lock`: one holder at a time across failures, and a fencing token that only rises.

use crate::test_cluster::{TestCluster, awaited, awaited_within, is_alive};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A running `ribbit lock … -- sh -c SCRIPT`. The script finds the binary as `$R` and the folder as `$D`.
struct Holder {
    child: Child,
    said: PathBuf,
}

impl Holder {
    fn start(pond: &TestCluster, name: &str, options: &[&str], script: &str) -> Holder {
        let said = pond.folder().join(format!("{name}.said"));
        let words = [&["lock", "/jobs/it"], options, &["--", "sh", "-c", script]].concat();
        let mut command = pond.plain(&words);
        command.env("R", env!("CARGO_BIN_EXE_ribbit")).env("D", pond.folder());
        let file = || fs::OpenOptions::new().create(true).append(true).open(&said).expect("a file");
        let child = command.stdin(Stdio::null()).stdout(file()).stderr(file()).spawn();
        Holder { child: child.expect("the binary starts"), said }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }

    #[track_caller]
    fn ended(&mut self) -> i32 {
        awaited("the holder ends", || self.child.try_wait().expect("our child")).code().unwrap_or(-1)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("our child");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{:?} said: {}", self.said, self.said());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a file with a complete line and returns the number in it.
#[track_caller]
fn number_in(pond: &TestCluster, file: &str) -> u64 {
    awaited(file, || {
        let text = fs::read_to_string(pond.folder().join(file)).ok()?;
        text.strip_suffix('\n')?.parse().ok()
    })
}

fn fence_of(pond: &TestCluster) -> Option<u64> {
    let (_, said) = pond.shell(&["holders", "/jobs"]);
    said.lines().find(|line| line.starts_with("/jobs/it "))?.rsplit(' ').next()?.parse().ok()
}

const UNTIL_GO: &str =
    "echo $$ > $D/pid; echo $RIBBIT_FENCE > $D/fence; while [ ! -e $D/go ]; do sleep 0.05; done";

#[test]
fn a_lock_is_kept_under_a_leader_that_has_led_for_longer_than_its_lease() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    std::thread::sleep(Duration::from_millis(4_500));
    let mut holder = Holder::start(&pond, "held", &["--lease", "4s"], "sleep 5; echo held");
    assert_eq!((holder.ended(), holder.said().as_str()), (0, "held\n"));
}

#[test]
fn the_code_of_the_command_is_ribbits_and_so_are_its_signals() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    let run = |words: &[&str]| pond.ended(pond.plain(&[&["lock", "/jobs/it"], words].concat()), "");
    assert_eq!(run(&["--", "true"]), (0, String::new()));
    assert_eq!(run(&["--", "sh", "-c", "exit 7"]).0, 7);
    assert_eq!(run(&["--", "sh", "-c", "kill -9 $$"]).0, 137);
    let (code, said) = run(&["--", "no-such-thing"]);
    assert!(code == 127 && said.starts_with("ribbit: cannot run no-such-thing: "), "{code}: {said}");
    assert_eq!(run(&["--", "/etc/passwd"]).0, 126);
    let (code, said) = run(&["--", "sh", "-c", "echo $RIBBIT_LOCK; cat"]);
    assert_eq!((code, said.as_str()), (0, "/jobs/it\n"), "standard input is the command's");
    let (code, said) = pond.ended(pond.plain(&["lock", "/jobs", "--", "true"]), "");
    assert_eq!((code, said.as_str()), (1, "ribbit: /jobs: it is a folder\n"));
    assert_eq!(run(&["--server", "127.0.0.1:1", "--", "true"]).0, 3);
    assert_eq!(run(&["--lease", "1s", "--", "true"]).0, 2);
    assert_eq!(run(&[]).0, 2);

    // Signals to ribbit are forwarded to the command.
    for (signal, code) in [(Signal::TERM, 9), (Signal::INT, 8)] {
        let script = format!("trap 'exit 9' TERM; trap 'exit 8' INT; {UNTIL_GO}");
        let mut holder = Holder::start(&pond, "signals", &[], &script);
        number_in(&pond, "fence");
        holder.signal(signal);
        assert_eq!(holder.ended(), code);
        fs::remove_file(pond.folder().join("fence")).expect("just read");
    }
    assert_eq!(fence_of(&pond), None, "and it is free at once");
}

#[test]
fn who_waits_gets_it_one_after_the_other_and_is_told_who_has_it() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    let mut first = Holder::start(&pond, "first", &[], UNTIL_GO);
    let fence = number_in(&pond, "fence");
    // The client's number is the index of its lease. Other entries may lie between it and the fence, so it is looked up.
    let holders = pond.shell(&["holders", "/jobs"]).1;
    let holder = holders.strip_prefix("/jobs/it  ").and_then(|line| line.split("  fence ").next());
    let holder = holder.expect("a holder").to_string();
    assert!(holder.starts_with("client ") && holder.contains("(lock on "), "{holders}");
    let held = format!("/jobs/it: it is locked by {holder}, fence {fence}");
    let (code, said) = pond.ended(pond.plain(&["lock", "/jobs/it", "--wait", "0s", "--", "true"]), "");
    let pid = format!("pid {}), fence {fence}", first.child.id());
    assert!(code == 1 && said.contains(&held) && said.contains(&pid), "{code}: {said}");
    let began = Instant::now();
    let (code, said) = pond.ended(pond.plain(&["lock", "/jobs/it", "--wait", "1s", "--", "true"]), "");
    assert!(code == 1 && said.contains(&held), "{code}: {said}");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());

    let script = "mkdir $D/alone && echo $RIBBIT_FENCE >> $D/fences && sleep 0.3 && rmdir $D/alone";
    let mut waiters: Vec<Holder> =
        ["second", "third"].into_iter().map(|name| Holder::start(&pond, name, &[], script)).collect();
    for waiter in &waiters {
        awaited("it waits", || waiter.said().contains("waiting: /jobs/it: it is locked").then_some(()));
    }
    // SIGTERM while waiting ends the process with 128 plus the signal number.
    let mut impatient = Holder::start(&pond, "impatient", &[], "touch $D/never");
    awaited("it waits", || impatient.said().contains("waiting").then_some(()));
    impatient.signal(Signal::TERM);
    assert_eq!(impatient.ended(), 143);

    let free = Instant::now();
    fs::write(pond.folder().join("go"), "").expect("a file");
    assert_eq!(first.ended(), 0);
    waiters.iter_mut().for_each(|waiter| assert_eq!(waiter.ended(), 0, "alone"));
    println!("two who waited were done {:?} after the first", free.elapsed());
    let fences = fs::read_to_string(pond.folder().join("fences")).expect("two lines");
    let fences: Vec<u64> = fences.lines().map(|line| line.parse().expect("a number")).collect();
    assert!(fences.len() == 2 && fence < fences[0] && fences[0] < fences[1], "{fence}, {fences:?}");
    assert!(!pond.folder().join("never").exists());
}

#[test]
fn a_holder_that_is_killed_takes_its_command_along_and_the_next_gets_a_higher_fence() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    let mut holder = Holder::start(&pond, "killed", &["--lease", "3s"], UNTIL_GO);
    let (fence, pid) = (number_in(&pond, "fence"), number_in(&pond, "pid"));
    let pid = u32::try_from(pid).expect("a pid");
    assert!(is_alive(pid));
    let killed = Instant::now();
    holder.signal(Signal::KILL);
    holder.ended();
    awaited_within(Duration::from_secs(1), "the kernel ends the command", || (!is_alive(pid)).then_some(()));
    let (code, said) = pond.ended(pond.plain(&["lock", "/jobs/it", "--wait", "0s", "--", "true"]), "");
    assert!(code == 1 && said.contains("it is locked"), "not before its lease is over: {code}: {said}");
    let words = ["lock", "/jobs/it", "--wait", "30s", "--", "sh", "-c", "echo $RIBBIT_FENCE"];
    let (code, said) = pond.ended(pond.plain(&words), "");
    let next: u64 = said.lines().last().and_then(|line| line.parse().ok()).expect("a number");
    assert!(code == 0 && next > fence, "{code}: {said}");
    let waited = killed.elapsed();
    println!("free {waited:?} after its holder was killed, with a lease of 3 s");
    // The last renewal was at most a quarter of the lease earlier.
    assert!(waited > Duration::from_secs(2) && waited < Duration::from_secs(8), "{waited:?}");
}

#[test]
fn a_holder_that_was_stopped_wakes_up_to_a_stale_fence_and_ends_its_command() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    let script = format!("{UNTIL_GO}; $R shell write /jobs/state old; echo $? > $D/code; sleep 1000");
    let mut holder = Holder::start(&pond, "stopped", &["--lease", "3s"], &script);
    let (fence, pid) = (number_in(&pond, "fence"), number_in(&pond, "pid"));
    holder.signal(Signal::STOP);
    let write = format!("{} shell write /jobs/state new", env!("CARGO_BIN_EXE_ribbit"));
    let words = ["lock", "/jobs/it", "--wait", "30s", "--", "sh", "-c", &write];
    let (code, said) = pond.ended(pond.plain(&words), "");
    assert_eq!(code, 0, "{said}");
    // The command was not stopped, and now tries its late write.
    fs::write(pond.folder().join("go"), "").expect("a file");
    assert_eq!(number_in(&pond, "code"), 1);
    let stale =
        format!("/jobs/state: the fencing token {fence} of /jobs/it is out of date: it is not locked");
    assert!(holder.said().contains(&stale), "{}", holder.said());
    assert_eq!(pond.shell(&["cat", "/jobs/state"]), (0, "new".to_string()));
    holder.signal(Signal::CONT);
    assert_eq!(holder.ended(), 75);
    assert!(
        holder.said().contains("/jobs/it: the lock was lost, and the command was stopped"),
        "{}",
        holder.said()
    );
    assert!(!is_alive(u32::try_from(pid).expect("a pid")));
}

#[test]
fn a_lock_and_its_command_outlive_the_leader() {
    let mut pond = TestCluster::start();
    let leader = pond.await_leading_backend();
    let mut holder = Holder::start(&pond, "kept", &[], UNTIL_GO);
    let fence = number_in(&pond, "fence");
    pond.kill(&[&leader]);
    pond.await_status("another one leads", |status| {
        status.leader.as_ref().is_some_and(|other| *other != leader)
    });
    assert_eq!(fence_of(&pond), Some(fence));
    // Longer than the lease, so it was renewed with the new leader.
    let began = Instant::now();
    awaited("longer than a lease", || (began.elapsed() > Duration::from_secs(11)).then_some(()));
    assert_eq!(fence_of(&pond), Some(fence));
    assert!(holder.child.try_wait().expect("our child").is_none(), "{}", holder.said());
    fs::write(pond.folder().join("go"), "").expect("a file");
    assert_eq!(holder.ended(), 0);
    assert_eq!(fence_of(&pond), None);
    pond.stop();
}

#[test]
fn a_command_is_ended_at_half_of_the_lease_when_nobody_confirms_it() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    // The command ignores SIGTERM, and so does its child.
    let script = "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > $D/inner; while :; do sleep 0.1; done' & \
                  echo $$ > $D/pid; while :; do sleep 0.1; done";
    let mut holder = Holder::start(&pond, "lost", &["--lease", "6s"], script);
    let pids = [number_in(&pond, "pid"), number_in(&pond, "inner")];
    let members: Vec<String> = pond.status().members.into_iter().map(|member| member.name).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let cut = Instant::now();
    pond.signal(&members, Signal::STOP);
    awaited("all of it has ended", || {
        pids.iter().all(|pid| !is_alive(u32::try_from(*pid).expect("a pid"))).then_some(())
    });
    let took = cut.elapsed();
    println!("ended {took:?} after the servers fell silent, with a lease of 6 s");
    // Half of the lease from the last renewal, plus a quarter for a command that ignores SIGTERM.
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(holder.ended(), 75);
    assert!(holder.said().contains("no server has confirmed the lease for 3 s"), "{}", holder.said());
    pond.signal(&members, Signal::CONT);
}
