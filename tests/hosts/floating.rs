//! Floating address with two balancers on two hosts: one holds it, the other one takes over when that dies, never both.

use crate::discovery::looked_up;
use crate::group::{Board, CENTRE, Group};
use ribbit_net::frame::Plane;
use ribbit_net::keys::Keys;
use ribbit_net::lan;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_state::sync::MutexExt;
use rustix::process::Signal;
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use testkit::http::Browser;
use testkit::timeouts::{awaited, awaited_within};

const ADDRESS: &str = "10.77.0.50";
const PORT: &str = "10.77.0.50:8081";
const BALANCER: &str = "balancer --floating 10.77.0.50/16 --interface eth0";
/// Number of the users' host.
const HOME: usize = 4;

/// Documented maximum interruption.
const PROMISED: Duration = Duration::from_secs(3);

/// Factor of `PROMISED` that the test allows, because this machine has two cores for all hosts.
const MARGIN: u32 = 3;

/// Timeout of a connection to the address. The kernel repeats a lost packet only after a second.
const CONNECT_MAX: Duration = Duration::from_millis(100);

/// Timeout of a request on it.
const ASK_MAX: Duration = Duration::from_secs(1);

/// Shortest gap that counts as an interruption. Shorter ones are pauses between two requests.
const GAP_MIN: Duration = Duration::from_millis(200);

/// Time in which two balancers that could disturb each other would do so.
const SETTLE: Duration = Duration::from_secs(3);

fn boards() -> Vec<Board> {
    let backend = |id: usize| format!("backend --id {id} --posts-per-minute 0");
    let centre = testkit::network::address(CENTRE);
    let pages =
        "client web --listen 0.0.0.0:80 --server 127.0.0.1:8081 --public-key KEY --floating 10.77.0.50/16";
    vec![
        Board::new("board1", &[&backend(1), BALANCER, pages]),
        Board::new("board2", &[&backend(2), BALANCER, pages]),
        Board::new("board3", &[&backend(3)]),
        Board::new(
            "centre",
            &[
                &format!("coordinator --id 1 --advertise {centre}:9000 --found"),
                &format!("coordinator --id 2 --advertise {centre}:9001"),
            ],
        ),
        Board::new("home", &[]),
    ]
}

/// Observes continuously, on the hosts themselves, which of them has the address, and whether a server behind it answers.
struct Watch {
    ends: Arc<AtomicBool>,
    /// Time spans in which the address was seen, per host.
    seen: Arc<Mutex<[Vec<(Instant, Instant)>; 2]>>,
    /// Times of answered requests.
    served: Arc<Mutex<Vec<Instant>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    fn begin(group: &Group) -> Watch {
        let mut watch =
            Watch { ends: Arc::default(), seen: Arc::default(), served: Arc::default(), threads: Vec::new() };
        for at in 0..2 {
            let (ends, seen, name) = (watch.ends.clone(), watch.seen.clone(), group.network.name(at));
            watch.threads.push(std::thread::spawn(move || {
                testkit::network::enter(&name);
                let mut had = false;
                while !ends.load(Ordering::Relaxed) {
                    let before = Instant::now();
                    let found = lan::find_interface("eth0").expect("the kernel says");
                    let has = found.addresses.iter().any(|own| own.address.to_string() == ADDRESS);
                    let spans = &mut seen.locked()[at];
                    match spans.last_mut().filter(|_| has && had) {
                        Some(span) => span.1 = before,
                        None if has => spans.push((before, before)),
                        None => {}
                    }
                    had = has;
                    std::thread::sleep(Duration::from_millis(2));
                }
            }));
        }
        let (ends, served, keys) = (watch.ends.clone(), watch.served.clone(), group.keys());
        watch.threads.push(std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                if is_served(&keys) {
                    served.locked().push(Instant::now());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }));
        watch
    }

    /// Returns the host that has the address, if exactly one was just seen with it.
    fn holder(&self) -> Option<usize> {
        let seen = self.seen.locked();
        let lately = |at: &usize| {
            seen[*at].last().is_some_and(|(_, last)| last.elapsed() < Duration::from_millis(100))
        };
        let mut with: Vec<usize> = (0..2).filter(lately).collect();
        with.pop().filter(|_| with.is_empty())
    }

    #[track_caller]
    fn await_holder(&self, wanted: impl Fn(usize) -> bool) -> usize {
        awaited("one host has the address", || self.holder().filter(|at| wanted(*at)))
    }

    /// Asserts that the two hosts never had the address at the same time.
    #[track_caller]
    fn never_two(&self) {
        let seen = self.seen.locked();
        for one in &seen[0] {
            for other in &seen[1] {
                assert!(one.1 < other.0 || other.1 < one.0, "both had it: {one:?}, {other:?}");
            }
        }
    }

    /// Returns the time from this moment until a host had the address, as seen there.
    fn came(&self, at: usize, moment: Instant) -> Duration {
        let seen = self.seen.locked();
        let came = seen[at].iter().map(|span| span.0).find(|came| *came > moment);
        came.map(|came| came - moment).unwrap_or_default()
    }

    /// Returns the longest time without an answered request, around and after this moment.
    fn gap(&self, at: Instant) -> Duration {
        awaited_within(PROMISED * MARGIN, "the other balancer serves", || {
            let served = self.served.locked();
            let before = served.iter().rev().find(|served| **served < at).copied().unwrap_or(at);
            // A request in flight may still have been answered, so the gap is the longest of all.
            let behind = std::iter::once(before).chain(served.iter().copied().filter(|served| *served >= at));
            let moments: Vec<Instant> = behind.collect();
            let gaps = moments.windows(2).map(|two| two[1] - two[0]);
            let longest = gaps.max()?;
            let last = moments.last()?.elapsed();
            (longest > GAP_MIN && last < longest).then_some(longest)
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn is_served(keys: &Keys) -> bool {
    let address = PORT.parse().expect("an address");
    if TcpStream::connect_timeout(&address, CONNECT_MAX).is_err() {
        return false;
    }
    let asked = ask_once(PORT, Plane::Status, keys, Ask::NodeStatus, ASK_MAX);
    matches!(smol::block_on(asked), Ok(Answer::NodeStatus(_)))
}

/// Returns the hardware address that the users' host has for the floating address, and the one of host `at`.
fn neighbour(group: &Group, at: usize) -> (String, String) {
    let out = |words: &[&str]| {
        let output = Command::new("ip").args(words).output().expect("`ip` is there");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let behind = |text: &str, mark: &str| -> String {
        text.split_once(mark).and_then(|(_, rest)| rest.split_whitespace().next()).unwrap_or("").to_string()
    };
    let believed = out(&["-n", &group.network.name(HOME), "neigh", "show", ADDRESS]);
    let link = out(&["-n", &group.network.name(at), "link", "show", "eth0"]);
    (behind(&believed, "lladdr "), behind(&link, "link/ether "))
}

/// Waits until `ribbit.local` leads to the address alone, and pages are there.
#[track_caller]
fn await_site(group: &Group) {
    let wanted = [ADDRESS.parse::<Ipv4Addr>().expect("an address")];
    awaited("the name leads to the address", || {
        (looked_up(&testkit::network::address(HOME), "ribbit.local") == wanted).then_some(())
    });
    let answered = Browser::new(&format!("{ADDRESS}:80")).get("/");
    assert_eq!(answered.status, 200, "{}", group.said(0));
}

/// Waits until a host has the address and serves. Returns the watch and that host.
fn watched(group: &Group) -> (Watch, usize) {
    let watch = Watch::begin(group);
    let holder = watch.await_holder(|_| true);
    awaited("the address is served", || is_served(&group.keys()).then_some(()));
    (watch, holder)
}

fn report(what: &str, came: Duration, gap: Duration) {
    let verdict = if gap <= PROMISED { "within" } else { "NOT within" };
    let (came, gap) = (came.as_millis(), gap.as_millis());
    println!(
        "{what}: the other host had it after {came} ms, no request was answered for {gap} ms, {verdict} the {PROMISED:?} promised"
    );
}

/// Prints whether the address stayed. Not asserted, because an overloaded machine may lose it for a moment.
fn stays(what: &str, does: bool) {
    println!("{what}: the address {}", if does { "stays where it is" } else { "HAS MOVED" });
}

#[test]
fn one_balancer_has_the_address_and_the_other_takes_over_when_its_machine_dies() {
    let Some(mut group) = Group::on(boards(), HOME) else { return };
    let (watch, mut holder) = watched(&group);
    let (code, said) = group.operated(CENTRE, &["status"]);
    let expected = format!("{ADDRESS} is held by ");
    assert!(code == 0 && said.contains(&expected), "{said}");
    await_site(&group);

    for (what, leads) in [("its machine dies, and with it the leader", true), ("its machine dies", false)] {
        group.lead(if leads { ["backend-1", "backend-2"][holder] } else { "backend-3" });
        holder = watch.await_holder(|_| true);
        let (from, other) = (holder, 1 - holder);
        let cut = Instant::now();
        group.power_cut(&[from]);
        let gap = watch.gap(cut);
        watch.await_holder(|at| at == other);
        report(what, watch.came(other, cut), gap);
        let (believed, is) = neighbour(&group, other);
        assert_eq!(believed, is, "the neighbours were told");
        await_site(&group);
        group.power_on(&[from]);
        group.await_whole();
        holder = watch.await_holder(|_| true);
        stays("its machine is back", holder == other);
    }
    watch.never_two();
}

#[test]
fn a_holder_that_is_cut_off_or_stopped_loses_the_address_before_the_other_takes_it() {
    let Some(group) = Group::on(boards(), HOME) else { return };
    let (watch, mut holder) = watched(&group);

    let begun = Instant::now();
    group.network.pull(holder, true);
    let gap = watch.gap(begun);
    let other = watch.await_holder(|at| at != holder);
    report("its cable is pulled", watch.came(other, begun), gap);
    group.network.pull(holder, false);
    std::thread::sleep(SETTLE);
    watch.never_two();
    holder = watch.await_holder(|_| true);
    stays("the cable is put back", holder == other);

    let begun = Instant::now();
    group.signal(holder, BALANCER, Signal::STOP);
    let gap = watch.gap(begun);
    let other = watch.await_holder(|at| at != holder);
    report("it is stopped (SIGSTOP)", watch.came(other, begun), gap);
    group.signal(holder, BALANCER, Signal::CONT);
    std::thread::sleep(SETTLE);
    stays("it goes on (SIGCONT)", watch.await_holder(|_| true) == other);
    watch.never_two();
}

#[test]
fn a_stopped_holder_hands_the_address_over_and_a_killed_one_leaves_nothing_behind() {
    let Some(mut group) = Group::on(boards(), HOME) else { return };
    let (watch, mut holder) = watched(&group);
    for (what, signal) in [("it is told to end", Signal::TERM), ("it is killed (SIGKILL)", Signal::KILL)] {
        let begun = Instant::now();
        group.signal(holder, BALANCER, signal);
        let gap = watch.gap(begun);
        let other = watch.await_holder(|at| at != holder);
        report(what, watch.came(other, begun), gap);
        group.has_ended(holder, BALANCER);
        group.power_on(&[holder]);
        holder = other;
    }
    // Without another balancer, a restarted holder takes the address again despite leftovers of its earlier process.
    let other = 1 - holder;
    group.signal(other, BALANCER, Signal::TERM);
    group.has_ended(other, BALANCER);
    let begun = Instant::now();
    group.signal(holder, BALANCER, Signal::KILL);
    group.has_ended(holder, BALANCER);
    group.power_on(&[holder]);
    let gap = watch.gap(begun);
    report("it is killed and started again, alone", watch.came(holder, begun), gap);
    assert_eq!(watch.await_holder(|_| true), holder);
    watch.never_two();
}

#[test]
fn an_address_that_another_machine_uses_is_not_taken() {
    let Some(group) = Group::off(boards(), HOME) else { return };
    let mut group = group;
    let foreign = group.network.name(HOME);
    let ip = |words: &[&str]| {
        let done = Command::new("ip").args(words).status().expect("`ip` is there");
        assert!(done.success(), "{words:?}");
    };
    ip(&["-n", &foreign, "addr", "add", &format!("{ADDRESS}/32"), "dev", "eth0"]);
    let all: Vec<usize> = group.all().collect();
    group.power_on(&all);
    group.await_whole();
    let words = "another machine on eth0 has it: ";
    awaited("it is reported", || (0..2).any(|at| group.said(at).contains(words)).then_some(()));
    let watch = Watch::begin(&group);
    std::thread::sleep(SETTLE);
    assert_eq!(watch.holder(), None);
    ip(&["-n", &foreign, "addr", "del", &format!("{ADDRESS}/32"), "dev", "eth0"]);
    watch.await_holder(|_| true);
    watch.never_two();
}

#[test]
fn a_leader_that_dies_on_another_machine_does_not_cost_the_address_for_long() {
    let Some(mut group) = Group::on(boards(), HOME) else { return };
    let watch = Watch::begin(&group);
    let holder = watch.await_holder(|_| true);
    group.lead("backend-3");
    let cut = group.host_of("backend-3");
    group.power_cut(&[cut]);
    std::thread::sleep(SETTLE);
    stays("the leader's machine dies, which is another one", watch.await_holder(|_| true) == holder);
    awaited("the address is served", || is_served(&group.keys()).then_some(()));
    watch.never_two();
}
