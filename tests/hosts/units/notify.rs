//! Notifications that a service manager receives.

use crate::units::heard::{Supervisor, cluster, free_port, listens, ribbit};
use rustix::process::Signal;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::timeouts::awaited;

/// Watchdog timeout; keep-alives are sent every half of it.
const WATCHDOG: Duration = Duration::from_millis(400);

fn in_folder(line: &str, folder: &tempfile::TempDir) -> Command {
    let mut command = ribbit(line);
    command.arg("--data-dir").arg(folder.path());
    command
}

#[test]
fn ready_is_sent_when_the_store_is_open_and_the_socket_listens_without_a_leader() {
    let (folder, _) = cluster();
    let port = free_port();
    let mut supervisor = Supervisor::new();
    let command = in_folder(&format!("backend --id 1 --listen 127.0.0.1:{port}"), &folder);
    let mut backend = supervisor.start(command, folder.path());
    supervisor.hears("READY=1");
    assert!(listens(port));
    assert!(folder.path().join("backend-1/store.redb").exists());
    supervisor.hears("STATUS=backend-1 is waiting to join a cluster");
    backend.runs();
    // Before READY the start timeout was extended, afterwards no more.
    let ready = supervisor.heard.iter().position(|line| line == "READY=1").unwrap();
    let extended = supervisor.heard.iter().position(|line| line.starts_with("EXTEND_TIMEOUT_USEC="));
    assert!(extended.is_some_and(|at| at < ready), "{:?}", supervisor.heard);
    assert!(supervisor.heard.iter().any(|line| line == "STATUS=backend-1 is opening its store"));

    backend.signal(Signal::TERM);
    supervisor.hears("STOPPING=1");
    assert_eq!(backend.ended().code(), Some(0), "{}", backend.said());
    supervisor.listen();
    assert_eq!(supervisor.count("READY=1"), 1);
}

#[test]
fn a_store_that_cannot_be_opened_yet_is_not_ready_and_extends_the_timeout() {
    let (folder, port) = cluster();
    let mut supervisor = Supervisor::new();
    let holder = supervisor.start(in_folder("coordinator --id 1 --found", &folder), folder.path());
    supervisor.hears("READY=1");
    let mut second = Supervisor::new();
    let other = free_port();
    let command = in_folder(&format!("coordinator --id 1 --listen 127.0.0.1:{other}"), &folder);
    let mut waiting = second.start(command, folder.path());
    second.hears("EXTEND_TIMEOUT_USEC=60000000");
    assert_eq!(waiting.ended().code(), Some(78), "{}", waiting.said());
    second.listen();
    assert_eq!(second.count("READY=1"), 0, "{:?}", second.heard);
    assert!(listens(port));
    drop(holder);
}

#[test]
fn the_status_names_the_leader_and_the_applied_index() {
    let (folder, _) = cluster();
    let (mut first, mut second) = (Supervisor::new(), Supervisor::new());
    let _coordinator = first.start(in_folder("coordinator --id 1 --found", &folder), folder.path());
    let leads = first.hears("STATUS=coordinator-1 leads");
    assert!(leads.contains("applied up to"), "{leads}");
    let command = in_folder("backend --id 1 --listen 127.0.0.1:0", &folder);
    let _backend = second.start(command, folder.path());
    // Of two members only one votes: two voters would not tolerate a failure.
    second.hears("STATUS=backend-1 follows coordinator-1, in sync, applied up to");
    // Without changes, no status is sent twice in a row.
    first.listen();
    let said: Vec<_> = first.heard.iter().filter(|line| line.starts_with("STATUS=")).collect();
    assert!(said.windows(2).all(|pair| pair[0] != pair[1]), "{said:?}");
}

#[test]
fn signs_of_life_come_from_the_thread_of_the_sockets_and_end_when_it_stands_still() {
    let (folder, port) = cluster();
    let mut supervisor = Supervisor::new();
    let mut command = in_folder("coordinator --id 1 --found", &folder);
    command.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
    command.env("RIBBIT_TEST_STUCK_MS", "2500");
    let began = Instant::now();
    let mut running = supervisor.start(command, folder.path());
    supervisor.hears("READY=1");
    awaited("five signs", || {
        supervisor.listen();
        (supervisor.count("WATCHDOG=1") >= 5).then_some(())
    });
    assert!(began.elapsed() >= WATCHDOG * 2, "keep-alives every half of the timeout");
    // The process is stuck once no request is answered, though it exists.
    awaited("it stands still", || {
        let before = supervisor.count("WATCHDOG=1");
        std::thread::sleep(WATCHDOG * 2);
        supervisor.listen();
        (supervisor.count("WATCHDOG=1") == before).then_some(())
    });
    let before = supervisor.count("WATCHDOG=1");
    std::thread::sleep(WATCHDOG * 5);
    supervisor.listen();
    assert_eq!(supervisor.count("WATCHDOG=1"), before);
    running.runs();
    assert!(listens(port), "the kernel still takes connections: that shows nothing");
    // systemd aborts it then.
    running.signal(Signal::ABORT);
    assert_eq!(running.ended().signal(), Some(Signal::ABORT.as_raw()));
    let said = running.said();
    assert!(said.contains("aborted by SIGABRT") && said.contains("ribbit:   sockets-1 S"), "{said}");
}

#[test]
fn keep_alives_are_sent_only_with_a_watchdog() {
    let (folder, _) = cluster();
    let mut supervisor = Supervisor::new();
    let mut command = in_folder("balancer --listen 127.0.0.1:0", &folder);
    command.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string()).env("WATCHDOG_PID", "1");
    let _balancer = supervisor.start(command, folder.path());
    supervisor.hears("READY=1");
    std::thread::sleep(WATCHDOG * 3);
    supervisor.listen();
    assert_eq!(supervisor.count("WATCHDOG=1"), 0);
}

#[test]
fn balancer_and_pages_are_heard_too_also_on_a_socket_without_a_path() {
    let (folder, _) = cluster();
    for (line, status) in [
        ("balancer", "STATUS=0 backends serve people, 0 of them in sync; no leader, writes are unavailable"),
        ("client web --server 127.0.0.1:1", "STATUS=serving pages on http://127.0.0.1:"),
    ] {
        let port = free_port();
        let mut supervisor = Supervisor::without_path();
        let mut command = in_folder(&format!("{line} --listen 127.0.0.1:{port}"), &folder);
        command.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        let mut running = supervisor.start(command, folder.path());
        supervisor.hears("READY=1");
        assert!(listens(port));
        supervisor.hears(status);
        supervisor.hears("WATCHDOG=1");
        running.signal(Signal::TERM);
        supervisor.hears("STOPPING=1");
        assert_eq!(running.ended().code(), Some(0), "{}", running.said());
    }
}

#[test]
fn a_missing_or_malformed_notification_socket_does_not_stop_the_server() {
    let (folder, _) = cluster();
    for name in ["/nonexistent/notify", "vsock:2:1", "@"] {
        let port = free_port();
        let mut supervisor = Supervisor::new();
        supervisor.name = name.to_string();
        let command = in_folder(&format!("balancer --listen 127.0.0.1:{port}"), &folder);
        let mut running = supervisor.start(command, folder.path());
        awaited("it serves", || listens(port).then_some(()));
        running.signal(Signal::TERM);
        assert_eq!(running.ended().code(), Some(0), "{name}: {}", running.said());
    }
    let said = fs::read_to_string(folder.path().join("said.log")).unwrap();
    assert!(said.contains("warn"), "{said}");
}

#[test]
fn up_speaks_for_all_of_it_and_its_children_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut supervisor = Supervisor::new();
    let mut command = in_folder("up --backends 1 --coordinators 0 --web 127.0.0.1:0", &folder);
    command.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
    let mut up = supervisor.start(command, folder.path());
    supervisor.hears("READY=1");
    let status = supervisor.hears("STATUS=serving pages on http://127.0.0.1:");
    let port = status.rsplit(':').next().unwrap().parse().unwrap();
    assert!(listens(port));
    supervisor.hears("WATCHDOG=1");
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", up.child.id())).unwrap();
    assert!(children.split_whitespace().count() >= 3, "{children}");
    for child in children.split_whitespace() {
        let environment = fs::read_to_string(format!("/proc/{child}/environ")).unwrap();
        assert!(!environment.contains("NOTIFY_SOCKET") && !environment.contains("WATCHDOG"), "{environment}");
    }
    // Neither does the command of `ribbit lock`.
    let mut locked = ribbit("lock --data-dir");
    locked.arg(folder.path()).args(["/it", "--", "env"]).env("NOTIFY_SOCKET", &supervisor.name);
    let shown = locked.env("LISTEN_FDS", "0").env("LISTEN_PID", "1").output().unwrap();
    let environment = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success() && environment.contains("PATH="), "{environment}");
    assert!(!environment.contains("NOTIFY_SOCKET") && !environment.contains("LISTEN_"), "{environment}");

    up.signal(Signal::TERM);
    supervisor.hears("STOPPING=1");
    assert_eq!(up.ended().code(), Some(0), "{}", up.said());
    supervisor.listen();
    assert_eq!(supervisor.count("READY=1"), 1);
}
