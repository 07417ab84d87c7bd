//! Hosts on one machine: network namespaces, each at the end of a cable (a veth pair) to a switch (a bridge), which
//! has a namespace of its own. Nothing of it touches the machine's own network.
//!
//! ```text
//!   PREFIX-switch: bridge ─┬─ cable0 ══ eth0 of PREFIX-0, 10.77.0.1
//!     10.77.0.254          ├─ cable1 ══ eth0 of PREFIX-1, 10.77.0.2
//!                          └─ …
//! ```
//!
//! The prefix carries the number of the process that made them: several may run, each with the same addresses, and what
//! a killed one left is removed by the next. A thread that wants to talk to the hosts goes to one of them, or to the
//! switch ([`enter`]); threads and processes that it starts are there, too.
//!
//! Root may do this where there is `ip`; faults of single packets need `nft`. Elsewhere [`Network::make`] says why not.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};

/// The table of our rules in a packet filter.
const TABLE: &str = "fault";

pub struct Network {
    prefix: String,
    hosts: usize,
}

impl Network {
    /// So many hosts. `kind` says whose they are, and stands in their names.
    ///
    /// # Errors
    /// Why this cannot be done here.
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
        // What it cannot do it says here, and not in the middle.
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

    /// The namespace of a host.
    pub fn name(&self, at: usize) -> String {
        format!("{}-{at}", self.prefix)
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.prefix)
    }

    fn switch_ip(&self, words: &[&str]) -> Result<(), String> {
        try_ip(&[&["-n", &self.switch()], words].concat())
    }

    /// A command that runs on a host, and becomes what it runs: its process is the program's own.
    pub fn command(&self, at: usize, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(at)]).arg(program);
        command
    }

    /// The calling thread goes to a host; it cannot come back, so it had better end there.
    pub fn enter(&self, at: usize) {
        enter(&self.name(at));
    }

    /// The same, to the switch, which is reached by all and stands in nobody's way.
    pub fn enter_switch(&self) {
        enter(&self.switch());
    }

    /// The cable is pulled, or put back.
    pub fn pull(&self, at: usize, is_out: bool) {
        let state = if is_out { "down" } else { "up" };
        self.switch_ip(&["link", "set", &cable(at), state]).expect("a cable");
    }

    /// Nothing of the first reaches the second: neither hears anything on a connection between the two.
    pub fn cut_between(&self, from: usize, to: usize, is_cut: bool) {
        let verb = if is_cut { "add" } else { "del" };
        ip(&["-n", &self.name(from), "route", verb, "blackhole", &address(to)]);
    }

    /// What a host sends is lost on its cable; what comes reaches it.
    pub fn mute(&self, at: usize) {
        self.filter(&self.switch(), &cable(at), "drop");
    }

    /// What comes to a host is lost on its cable; what it sends leaves it.
    pub fn deafen(&self, at: usize) {
        self.filter(&self.name(at), "eth0", "drop");
    }

    /// Of what comes to a host so many percent are lost, each packet for itself.
    pub fn lose(&self, at: usize, percent: u32) {
        self.filter(&self.name(at), "eth0", &format!("numgen random mod 100 < {percent} drop"));
    }

    /// Ends what [`Network::mute`], [`Network::deafen`] and [`Network::lose`] began, on all hosts.
    pub fn hear_all(&self) {
        let hosts = (0..self.hosts).map(|at| self.name(at));
        for name in hosts.chain([self.switch()]) {
            // Made first: what is not there cannot be removed.
            nft(&name, &format!("table netdev {TABLE}\ndelete table netdev {TABLE}\n"));
        }
    }

    /// Before anything else looks at a packet.
    fn filter(&self, namespace: &str, device: &str, rule: &str) {
        let chain = format!("type filter hook ingress device {device} priority 0; policy accept; {rule};");
        nft(namespace, &format!("table netdev {TABLE} {{\n chain {device} {{ {chain} }}\n}}\n"));
    }

    /// A host gets another address and loses the one it had, as when a router was exchanged.
    pub fn move_host(&self, at: usize, from: &str, to: &str) {
        // The other way round the new one would go with the old one.
        ip(&["-n", &self.name(at), "addr", "del", &format!("{from}/16"), "dev", "eth0"]);
        ip(&["-n", &self.name(at), "addr", "add", &format!("{to}/16"), "dev", "eth0"]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Cables end with their hosts.
        let hosts = (0..self.hosts).map(|at| self.name(at));
        for name in hosts.chain([self.switch()]) {
            let _ = try_ip(&["netns", "del", &name]);
        }
    }
}

/// Where a host is at first.
pub fn address(at: usize) -> String {
    format!("10.77.0.{}", at + 1)
}

fn cable(at: usize) -> String {
    format!("cable{at}")
}

/// The calling thread goes to this namespace.
pub fn enter(name: &str) {
    let file = File::open(format!("/run/netns/{name}")).expect("a namespace");
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may go there");
}

/// Begins the names of all namespaces of a kind; no other program's do.
fn prefix(kind: &str) -> String {
    format!("ribbit-test-{kind}-")
}

/// Removes what processes that are no more have left. Where anybody still lives, nothing is touched.
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

/// Whether no process lives in this namespace.
fn is_empty(name: &str) -> bool {
    let asked = Command::new("ip").args(["netns", "pids", name]).output();
    asked.is_ok_and(|output| output.status.success() && output.stdout.trim_ascii().is_empty())
}

fn nft(namespace: &str, rules: &str) {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, "nft", "-f", "-"]).stdin(Stdio::piped());
    let mut child = command.spawn().expect("`ip` is there");
    // The pipe ends with the statement.
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
