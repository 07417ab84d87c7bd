//! A machine that boots before its network is up: no unit waits for the network, so the member has to.
//!
//! Two network namespaces, a coordinator in one, a backend in the other. Needs root and `ip`; skipped with the reason elsewhere.

use crate::units::heard::{Supervisor, ribbit};
use std::process::Command;
use testkit::timeouts::awaited;

/// A network namespace, removed at the end of the test together with its links.
struct Host(String);

impl Host {
    fn new(which: &str) -> Result<Host, String> {
        let name = format!("units-{which}-{}", std::process::id());
        ip(&format!("netns add {name}"))?;
        let host = Host(name);
        host.ip("link set lo up")?;
        Ok(host)
    }

    fn ip(&self, line: &str) -> Result<String, String> {
        ip(&format!("-n {} {line}", self.0))
    }

    /// Returns the command, run in this namespace.
    fn within(&self, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", &self.0]).arg(command.get_program()).args(command.get_args());
        there
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = ip(&format!("netns del {}", self.0));
    }
}

fn ip(line: &str) -> Result<String, String> {
    let output = Command::new("ip").args(line.split(' ')).output().map_err(|error| format!("ip: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("ip {line}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

#[test]
fn a_member_whose_network_comes_up_later_is_found_at_its_new_address() {
    let hosts = Host::new("a").and_then(|one| Ok((one, Host::new("b")?)));
    let (one, other) = match hosts {
        Ok(hosts) => hosts,
        Err(why) => return println!("skipped: no network namespaces here: {why}"),
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cluster.ribbit");
    let made = ribbit("init --coordinator 10.77.0.1:9000 --cluster-file").arg(&file).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let member = |host: &Host, line: &str| {
        let mut command = ribbit(line);
        command.arg("--cluster-file").arg(&file).arg("--data-dir").arg(folder.path());
        host.within(&command)
    };

    // Both members run without a network.
    let (mut first, mut second) = (Supervisor::new(), Supervisor::new());
    let _coordinator = first.start(member(&one, "coordinator --id 1 --found"), folder.path());
    let mut backend = second.start(member(&other, "backend --id 1"), folder.path());
    first.hears("STATUS=coordinator-1 leads");
    second.hears("READY=1");
    second.hears("STATUS=backend-1 is waiting to join a cluster");

    let cable = format!("link add eth0 type veth peer name eth0 netns {}", other.0);
    one.ip(&cable).unwrap();
    one.ip("addr add 10.77.0.1/24 dev eth0").unwrap();
    other.ip("addr add 10.77.0.2/24 dev eth0").unwrap();
    one.ip("link set eth0 up").unwrap();
    other.ip("link set eth0 up").unwrap();
    second.hears("STATUS=backend-1 follows coordinator-1, in sync");
    let status = || {
        let output = member(&one, "status --json").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    awaited("it is known where it is", || {
        let said = status();
        (said.contains("\"10.77.0.2:10001\"") && said.contains("\"10.77.0.1:9000\"")).then_some(())
    });

    // A router assigns another address, and the others learn it.
    other.ip("addr add 10.77.0.3/24 dev eth0").unwrap();
    other.ip("addr del 10.77.0.2/24 dev eth0").unwrap();
    other.ip("addr replace 10.77.0.3/24 dev eth0").unwrap();
    awaited("it moved", || status().contains("\"10.77.0.3:10001\"").then_some(()));
    backend.runs();
}
