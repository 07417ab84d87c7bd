//! Faults with other processors: replicas that run emulated (qemu-user), mixed with native ones, from the binaries that
//! `scripts/dist` has left in the cache. Emulation shows that the code for these processors is correct. It shows nothing about
//! their speed, their memory ordering, or SD cards.

use crate::group::{Board, CENTRE, Group, PAGES, WEB, native, tell, usual};
use crate::people::{PEOPLE, People, all_backends};
use ribbit_net::frame::{FrameError, Plane};
use ribbit_net::oneshot::ask_status;
use ribbit_roles::common::cluster_file::ClusterFile;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const AARCH64: (&str, &str, &str) = ("aarch64-unknown-linux-musl", "RIBBIT_AARCH64", "qemu-aarch64-static");
const ARMV7: (&str, &str, &str) = ("armv7-unknown-linux-musleabihf", "RIBBIT_ARMV7", "qemu-arm-static");
const X86_64: (&str, &str, &str) = ("x86_64-unknown-linux-musl", "RIBBIT_X86_64", "");

/// Time limit until an emulated process answers a status query.
const START_MAX: Duration = Duration::from_secs(20);

/// Pause before the memory of idle processes is measured.
const REST: Duration = Duration::from_secs(10);

/// Number of writers and of browsers while the memory of busy processes is measured.
const CLIENTS: usize = 64;

/// Duration of the load.
const BENCH_SECONDS: u32 = 10;

/// Time limit until all users are served again. An emulated password hash takes seconds.
const AGAIN_MAX: Duration = Duration::from_secs(45);

/// Returns emulator and binary for a target.
///
/// # Errors
/// The reason why it cannot run here: the binary or the emulator is missing, or the binary is of another version.
fn runs((target, variable, emulator): (&str, &str, &str)) -> Result<Vec<PathBuf>, String> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).unwrap_or_default();
    let given = std::env::var_os(variable).map(PathBuf::from);
    let left = [cache.join("ribbit-ci/dist"), Path::new(env!("CARGO_MANIFEST_DIR")).join("dist")];
    let left = left.map(|folder| folder.join(target).join("ribbit"));
    let found = given.into_iter().chain(left).find(|path| path.is_file());
    let binary = found.ok_or(format!("no binary for {target}: scripts/dist makes it"))?;
    let mut runs = Vec::new();
    if !emulator.is_empty() {
        let there = Command::new(emulator).arg("--version").output().is_ok();
        runs.push(there.then(|| emulator.into()).ok_or(format!("`{emulator}` is not installed"))?);
    }
    runs.push(binary);
    speaks(&runs)?;
    Ok(runs)
}

/// Checks that a binary starts and speaks this build's protocol: a cached binary may be old.
///
/// # Errors
/// The reason why it cannot be used.
fn speaks(runs: &[PathBuf]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let address = free.expect("a free port").to_string();
    let run = |words: &[&str]| {
        let mut command = Command::new(&runs[0]);
        command.args(&runs[1..]).args(words).arg("--data-dir").arg(folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let shown = runs.last().expect("a binary").display();
    let made = run(&["init", "--coordinator", &address]).status();
    if !made.is_ok_and(|status| status.success()) {
        return Err(format!("{shown} does not run here"));
    }
    let keys = ClusterFile::read(&ClusterFile::path_in(folder.path())).expect("just made").keys();
    let mut child = run(&["coordinator", "--id", "1", "--found", "--supervised", "--listen", &address])
        .spawn()
        .expect("it ran before");
    let began = Instant::now();
    let answer = loop {
        match smol::block_on(ask_status(&address, Plane::Status, &keys)) {
            Err(FrameError::Io(_) | FrameError::TimedOut) if began.elapsed() < START_MAX => {
                std::thread::sleep(Duration::from_millis(50));
            }
            answer => break answer,
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    answer.map(|_| ()).map_err(|error| format!("{shown} is of another version: {error}"))
}

/// Runs faults on a cluster with these programs as its backends.
fn weathers_faults(backends: [Vec<PathBuf>; 3]) {
    let mut boards: Vec<Board> = usual();
    for (board, runs) in boards.iter_mut().zip(backends) {
        board.runs = runs;
    }
    let Some(mut group) = Group::on(boards, WEB) else { return };
    let people = People::who_wait(PEOPLE, AGAIN_MAX);
    let pull = |at: usize, is_out: bool| move |group: &mut Group| group.network.pull(at, is_out);
    let time = Duration::from_secs(6);
    group.lead("backend-1");
    people.meanwhile(&mut group, "an emulated leader's cable", time, pull(0, true), pull(0, false));
    group.lead("backend-1");
    let cut = |group: &mut Group| group.power_cut(&[0]);
    let back = |group: &mut Group| group.power_on(&[0]);
    people.meanwhile(&mut group, "power cut of an emulated leader's host", time, cut, back);
    let cut = |group: &mut Group| group.power_cut(&[0, 1, 2, CENTRE]);
    let back = |group: &mut Group| group.power_on(&[0, 1, 2, CENTRE]);
    people.meanwhile(&mut group, "everything off, emulated replicas, and on", time, cut, back);
    people.leave(&mut group, &all_backends());
}

/// Prints the memory of each process when all run with this program: idle, and with `CLIENTS` writers and as many browsers.
fn tell_memory(runs: &[PathBuf], how: &str) {
    let mut boards = usual();
    boards.iter_mut().for_each(|board| board.runs = runs.to_vec());
    let Some(group) = Group::on(boards, WEB) else { return };
    std::thread::sleep(REST);
    let idle = group.resident_kib();
    let browsers: Vec<TcpStream> = (0..CLIENTS).map(|_| browser()).collect();
    let (clients, seconds) = (CLIENTS.to_string(), BENCH_SECONDS.to_string());
    let balancer = format!("{}:8081", testkit::network::address(CENTRE));
    let bench =
        ["bench", "--op", "post", "--clients", &clients, "--seconds", &seconds, "--server", &balancer];
    let (code, said) = group.operated(CENTRE, &bench);
    assert_eq!(code, 0, "{said}");
    for ((typed, idle), (_, busy)) in idle.iter().zip(group.resident_kib()) {
        let name = typed.split(" --listen").next().unwrap_or_default();
        let name = name.split(" --advertise").next().unwrap_or_default().replace(" --posts-per-minute 0", "");
        tell(&format!("memory: {how}: {name}: {idle} KiB idle, {busy} KiB with {CLIENTS} clients"));
    }
    drop(browsers);
}

/// Returns the connection of a browser that has read a page.
fn browser() -> TcpStream {
    let mut stream = TcpStream::connect(PAGES).expect("the web role listens");
    write!(stream, "GET /login HTTP/1.1\r\nHost: {PAGES}\r\n\r\n").expect("it reads");
    let read = stream.read(&mut [0; 1024]).expect("it answers");
    assert!(read > 0, "the connection was closed");
    stream
}

fn skipped(why: &str) {
    tell(&format!("skipped: {why}"));
}

#[test]
#[ignore = "measures: scripts/boards runs it"]
fn memory_of_each_role() {
    for (target, how) in [
        (AARCH64, "aarch64, emulated, with the emulator"),
        (ARMV7, "armv7, emulated, with the emulator"),
        (X86_64, "x86_64, native"),
    ] {
        match runs(target) {
            Ok(runs) => tell_memory(&runs, how),
            Err(why) => skipped(&why),
        }
    }
}

#[test]
fn one_emulated_replica_survives_faults_among_native_ones() {
    match runs(AARCH64) {
        Ok(arm) => weathers_faults([arm, vec![native()], vec![native()]]),
        Err(why) => skipped(&why),
    }
}

#[test]
#[ignore = "three emulated replicas are slow: scripts/boards runs it"]
fn replicas_of_three_processors_survive_faults_together() {
    let all = runs(AARCH64).and_then(|first| Ok([first, runs(ARMV7)?, runs(X86_64)?]));
    match all {
        Ok(all) => weathers_faults(all),
        Err(why) => skipped(&why),
    }
}
