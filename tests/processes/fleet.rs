//! A cluster whose processes are started one by one, each by a version of its own.

use crate::test_cluster::{TestCluster, awaited, is_alive, send};
use rustix::process::Signal;
use std::path::PathBuf;

/// All roles of a cluster: three backends, two coordinators, and what people reach.
pub const ROLES: [&str; 8] =
    ["coordinator-1", "coordinator-2", "backend-1", "backend-2", "backend-3", "balancer", "web", "gateway"];

/// A binary and the test hooks with which it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub binary: PathBuf,
    pub environment: Vec<(&'static str, String)>,
}

impl Version {
    /// The binary under test.
    pub fn of_this_build() -> Version {
        Version { binary: env!("CARGO_BIN_EXE_ribbit").into(), environment: Vec::new() }
    }

    /// The binary under test, as if it understood rules levels up to this one.
    pub fn understanding(level: u32) -> Version {
        let environment = vec![("RIBBIT_TEST_RULES_LEVEL", level.to_string())];
        Version { environment, ..Version::of_this_build() }
    }
}

/// A running cluster. Commands run with the version that was used last.
pub struct Fleet {
    pub pond: TestCluster,
}

impl Fleet {
    /// Founds a cluster with `up` of this version, and starts its processes again one by one.
    pub fn start(version: &Version) -> Fleet {
        let mut fleet = Fleet { pond: TestCluster::empty() };
        fleet.runs(version);
        fleet.pond.up(&[]);
        fleet.pond.stop();
        ROLES.iter().for_each(|role| fleet.begin(role, version));
        fleet.pond.await_whole();
        fleet
    }

    /// Runs commands with this version from now on.
    pub fn runs(&mut self, version: &Version) {
        self.pond.binary.clone_from(&version.binary);
        self.pond.environment.clone_from(&version.environment);
    }

    /// Returns HOST:PORT of the web pages.
    pub fn web(&self) -> String {
        self.pond.address("WEB")
    }

    /// Starts a process.
    pub fn begin(&mut self, role: &str, version: &Version) {
        self.runs(version);
        match (role, role.split_once('-')) {
            ("web", _) => self.pond.by_hand(&["client", "web"]),
            ("gateway", _) => {
                self.pond.by_hand(&["client", "gateway", "--chat", "0", "--names-without-password"]);
            }
            (_, Some((role, id))) => self.pond.by_hand(&[role, "--id", id]),
            (role, None) => self.pond.by_hand(&[role]),
        }
    }

    /// Stops a process as an operator does, and waits until it has ended.
    #[track_caller]
    pub fn stop(&self, role: &str) {
        let pid = self.pond.pid(role);
        send(pid, Signal::TERM);
        awaited(role, || (!is_alive(pid)).then_some(()));
    }

    /// Runs a process by this version instead of the one before. A member is back in sync afterwards.
    #[track_caller]
    pub fn replace(&mut self, role: &str, version: &Version) {
        self.stop(role);
        self.begin(role, version);
        match role {
            "web" | "gateway" | "balancer" => {}
            _ => drop(self.pond.await_whole()),
        }
    }

    /// Runs a command of this version, asserts its exit code and returns its output.
    #[track_caller]
    pub fn typed(&mut self, version: &Version, line: &str, code: i32) -> String {
        self.runs(version);
        let words: Vec<&str> = line.split_whitespace().collect();
        let (ended, said) = self.pond.typed(&words);
        assert_eq!(ended, code, "ribbit {line}: {said}");
        said
    }
}
