//! Simulated hosts: network namespaces, each connected by a cable (a veth pair) to a switch (a bridge) in a namespace of its
//! own. The machine's own network is not touched.
//!
//! ```text
//!   PREFIX-switch: bridge ─┬─ cable0 ══ eth0 of PREFIX-0, 10.77.0.1
//!     10.77.0.254          ├─ cable1 ══ eth0 of PREFIX-1, 10.77.0.2
//!                          └─ …
//! ```
//!
//! - The prefix contains the pid of the creating process, so several networks can exist with the same addresses. The remains of
//!   a killed process are removed by the next one.
//! - A thread that talks to the hosts enters the namespace of a host or of the switch ([`enter`]). Its threads and processes
//!   inherit the namespace.
//! - This needs root and `ip`; packet faults need `nft`. Otherwise [`Network::make`] returns the reason.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};

/// Name of the nftables table with the rules of the tests.
const TABLE: &str = "fault";

pub struct Network {
    prefix: String,
    hosts: usize,
}

impl Network {
    /// Creates `hosts` hosts. `kind` is part of their names and identifies the test.
    ///
    /// # Errors
    /// The reason why this machine cannot do it.
    pub fn make(kind: &str, hosts: usize) -> Result<Network, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("network namespaces need root".into());
        }
        for program in ["ip", "nft"] {
            if Command::new(program).arg("-V").output().is_err() {
                return Err(format!("`{program}` is not installed"));
            }
        }
        sweep(kind);
        let network = Network { prefix: format!("{}{}", prefix(kind), std::process::id()), hosts };
        let switch = network.switch();
        // Missing abilities are reported here and not in the middle of a test.
        try_ip(&["netns", "add", &switch])?;
        network.switch_ip(&["link", "add", "bridge", "type", "bridge"])?;
        network.switch_ip(&["addr", "add", "10.77.0.254/16", "dev", "bridge"])?;
        network.switch_ip(&["link", "set", "bridge", "up"])?;
        for at in 0..hosts {
            network.add_host(at)?;
        }
        Ok(network)
    }

    fn add_host(&self, at: usize) -> Result<(), String> {
        let (name, cable) = (self.name(at), cable(at));
        try_ip(&["netns", "add", &name])?;
        self.switch_ip(&["link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
        self.switch_ip(&["link", "set", &cable, "master", "bridge", "up"])?;
        try_ip(&["-n", &name, "link", "set", "lo", "up"])?;
        try_ip(&["-n", &name, "addr", "add", &format!("{}/16", address(at)), "dev", "eth0"])?;
        try_ip(&["-n", &name, "link", "set", "eth0", "up"])
    }

    /// Returns the name of a host's namespace.
    pub fn name(&self, at: usize) -> String {
        format!("{}-{at}", self.prefix)
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.prefix)
    }

    fn switch_ip(&self, words: &[&str]) -> Result<(), String> {
        try_ip(&[&["-n", &self.switch()], words].concat())
    }

    /// Returns a command that runs a program on a host. Its pid is that of the program, because `ip` replaces itself.
    pub fn command(&self, at: usize, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(at)]).arg(program);
        command
    }

    /// Moves the calling thread to a host. The thread cannot return.
    pub fn enter(&self, at: usize) {
        enter(&self.name(at));
    }

    /// Moves the calling thread to the switch, which all hosts can reach.
    pub fn enter_switch(&self) {
        enter(&self.switch());
    }

    /// Unplugs a host's cable, or plugs it in again.
    pub fn pull(&self, at: usize, is_out: bool) {
        let state = if is_out { "down" } else { "up" };
        self.switch_ip(&["link", "set", &cable(at), state]).expect("a cable");
    }

    /// Blocks packets from one host to another. A connection between the two then works in neither direction.
    pub fn cut_between(&self, from: usize, to: usize, is_cut: bool) {
        let verb = if is_cut { "add" } else { "del" };
        ip(&["-n", &self.name(from), "route", verb, "blackhole", &address(to)]);
    }

    /// Drops all packets that a host sends; received packets still arrive.
    pub fn mute(&self, at: usize) {
        self.filter(&self.switch(), &cable(at), "drop");
    }

    /// Drops all packets to a host; sent packets still leave.
    pub fn deafen(&self, at: usize) {
        self.filter(&self.name(at), "eth0", "drop");
    }

    /// Drops a percentage of the packets to a host, each independently.
    pub fn lose(&self, at: usize, percent: u32) {
        self.filter(&self.name(at), "eth0", &format!("numgen random mod 100 < {percent} drop"));
    }

    /// Ends what [`Network::mute`], [`Network::deafen`] and [`Network::lose`] began, on all hosts.
    pub fn hear_all(&self) {
        let hosts = (0..self.hosts).map(|at| self.name(at));
        for name in hosts.chain([self.switch()]) {
            // Created first, because deleting a missing table fails.
            nft(&name, &format!("table netdev {TABLE}\ndelete table netdev {TABLE}\n"));
        }
    }

    /// Adds a rule on ingress, before all other processing.
    fn filter(&self, namespace: &str, device: &str, rule: &str) {
        let chain = format!("type filter hook ingress device {device} priority 0; policy accept; {rule};");
        nft(namespace, &format!("table netdev {TABLE} {{\n chain {device} {{ {chain} }}\n}}\n"));
    }

    /// Replaces the address of a host, as when a router was exchanged.
    pub fn move_host(&self, at: usize, from: &str, to: &str) {
        // Removed first: removing it last would remove the new secondary address as well.
        ip(&["-n", &self.name(at), "addr", "del", &format!("{from}/16"), "dev", "eth0"]);
        ip(&["-n", &self.name(at), "addr", "add", &format!("{to}/16"), "dev", "eth0"]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Cables are removed with their hosts.
        let hosts = (0..self.hosts).map(|at| self.name(at));
        for name in hosts.chain([self.switch()]) {
            let _ = try_ip(&["netns", "del", &name]);
        }
    }
}

/// Returns the initial address of a host.
pub fn address(at: usize) -> String {
    format!("10.77.0.{}", at + 1)
}

fn cable(at: usize) -> String {
    format!("cable{at}")
}

/// Moves the calling thread to a namespace.
pub fn enter(name: &str) {
    let file = File::open(format!("/run/netns/{name}")).expect("a namespace");
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may go there");
}

/// Returns the prefix of all namespaces of a kind, which no other program uses.
fn prefix(kind: &str) -> String {
    format!("ribbit-test-{kind}-")
}

/// Removes the namespaces of ended processes, unless a process still runs in one of them.
fn sweep(kind: &str) {
    let Ok(names) = std::fs::read_dir("/run/netns") else { return };
    for name in names.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let number = name.strip_prefix(&prefix(kind)).and_then(|rest| rest.split('-').next());
        let Some(pid) = number.and_then(|number| number.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{pid}")).exists() && is_empty(&name) {
            let _ = try_ip(&["netns", "del", &name]);
        }
    }
}

/// Returns true if no process runs in a namespace.
fn is_empty(name: &str) -> bool {
    let asked = Command::new("ip").args(["netns", "pids", name]).output();
    asked.is_ok_and(|output| output.status.success() && output.stdout.trim_ascii().is_empty())
}

fn nft(namespace: &str, rules: &str) {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, "nft", "-f", "-"]).stdin(Stdio::piped());
    let mut child = command.spawn().expect("`ip` is there");
    // Dropping the pipe at the end of the statement closes it.
    child.stdin.take().expect("piped").write_all(rules.as_bytes()).expect("it reads");
    assert!(child.wait().expect("our child").success(), "nft: {rules}");
}

fn ip(words: &[&str]) {
    try_ip(words).expect("the network does what it is told");
}

fn try_ip(words: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(words).output().map_err(|error| format!("no `ip`: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("ip {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim())),
    }
}
